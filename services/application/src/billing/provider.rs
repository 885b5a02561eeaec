//! What can be asked of whoever keeps a contract, and who that is for a user.

use std::future::Future;

use chrono::{DateTime, Utc};
use events::ids::UserId;
use events::subscription::Plan;

use super::card::AtStripe;
use super::manual::KeptHere;
use super::observe::settled;
use super::{BillingError, Stands};
use crate::{App, Context};

/// When a contract ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Now; nothing is paid back.
    Now,
    /// With the period that is paid.
    WithPeriod,
}

/// What another plan costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The plan that the user has.
    pub from: Plan,
    /// The plan that it would be.
    pub to: Plan,
    /// Since when the rest of the period is counted, whole seconds. The same moment gives the same sums.
    pub counted_from: DateTime<Utc>,
    /// What is charged at once, in the smallest unit of the currency.
    pub due_now_minor: i64,
    /// What is put to the customer's credit and lessens the next invoices, in the smallest unit of the
    /// currency.
    pub credit_minor: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    /// When the paid period ends.
    pub period_end: Option<DateTime<Utc>>,
}

/// Keeps a user's contract and takes the payments for it. Every method may be repeated with the same context.
pub(crate) trait PaymentProvider: Sync {
    /// Ends the contract. Nothing where it is going to end already.
    fn cancel(
        &self,
        context: &Context,
        end: End,
    ) -> impl Future<Output = Result<Stands, BillingError>> + Send;

    /// Takes back that it is going to end, or lets it go on after a pause.
    fn resume(&self, context: &Context) -> impl Future<Output = Result<Stands, BillingError>> + Send;

    /// What another plan costs if the rest of the period is counted from a moment.
    fn quote(
        &self,
        plan: Plan,
        counted_from: DateTime<Utc>,
    ) -> impl Future<Output = Result<Quote, BillingError>> + Send;

    /// Changes the plan at the price that was quoted.
    fn change(
        &self,
        context: &Context,
        quote: &Quote,
    ) -> impl Future<Output = Result<Stands, BillingError>> + Send;
}

/// Who keeps a user's contract.
pub(crate) enum Keeper<'a> {
    Stripe(Box<AtStripe<'a>>),
    Here(KeptHere<'a>),
}

impl<'a> Keeper<'a> {
    /// Who keeps the contract of a user, as Stripe has it now. A subscription there comes first, since it is
    /// being paid.
    pub(crate) async fn of(app: &'a App, context: &Context, user: UserId) -> Result<Self, BillingError> {
        let customer = app.customers.of_user(context.tenant_id, user).await?;
        if let (Some(card), Some(customer)) = (&app.card, customer) {
            let observed = settled(app, context, &customer).await?;
            if let Some(at_stripe) = observed.at_stripe {
                return Ok(Self::Stripe(Box::new(AtStripe {
                    app,
                    card,
                    customer,
                    subscription: at_stripe,
                })));
            }
        }
        let subscription = super::of_user(app, context.tenant_id, user).await?;
        match subscription.manual {
            Some(contract) => Ok(Self::Here(KeptHere { app, user, contract })),
            None => Err(BillingError::NoSubscription),
        }
    }
}

impl PaymentProvider for Keeper<'_> {
    async fn cancel(&self, context: &Context, end: End) -> Result<Stands, BillingError> {
        match self {
            Self::Stripe(stripe) => stripe.cancel(context, end).await,
            Self::Here(here) => here.cancel(context, end).await,
        }
    }

    async fn resume(&self, context: &Context) -> Result<Stands, BillingError> {
        match self {
            Self::Stripe(stripe) => stripe.resume(context).await,
            Self::Here(here) => here.resume(context).await,
        }
    }

    async fn quote(&self, plan: Plan, counted_from: DateTime<Utc>) -> Result<Quote, BillingError> {
        match self {
            Self::Stripe(stripe) => stripe.quote(plan, counted_from).await,
            Self::Here(here) => here.quote(plan, counted_from).await,
        }
    }

    async fn change(&self, context: &Context, quote: &Quote) -> Result<Stands, BillingError> {
        match self {
            Self::Stripe(stripe) => stripe.change(context, quote).await,
            Self::Here(here) => here.change(context, quote).await,
        }
    }
}
