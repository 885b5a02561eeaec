//! What is sold without a card: an administrator grants a plan with a reason and an end, or records an
//! invoice that was paid by bank transfer, since many sellers cannot pay abroad by card. Both give the
//! events that a payment by card gives.

use chrono::{DateTime, Utc};
use domain::subscription::{SubscriptionCommand, SubscriptionRefusal};
use events::ids::{CommandId, UserId};
use events::subscription::{Basis, Contract, PaymentSucceeded, Plan, SubscriptionStatus};

use super::provider::{End, PaymentProvider, Quote};
use super::{BillingError, Stands, of_user};
use crate::subscriptions::{self, execute};
use crate::{App, Context, ExecuteError, Receipt};

/// A plan that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The plan.
    pub plan: Plan,
    /// When it ends by itself; none for never.
    pub until: Option<DateTime<Utc>>,
    /// Why, in the administrator's words; 200 characters at most.
    pub reason: Option<String>,
}

/// An invoice that was paid outside Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidInvoice {
    /// What was paid for.
    pub plan: Plan,
    /// Up to when.
    pub until: DateTime<Utc>,
    /// Its number. A number is recorded as a payment once for a user, however often it is given.
    pub number: String,
    /// What was paid, minor units of the currency (cents).
    pub amount_minor: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    /// When.
    pub paid_at: DateTime<Utc>,
    /// What is to be remembered of it; 200 characters at most.
    pub reason: Option<String>,
}

/// Gives a user a plan, in the place of a trial or of what was given before.
///
/// # Errors
/// [`ExecuteError::Refused`] if it would be over already, or the user pays at Stripe.
pub async fn grant(
    app: &App,
    context: &Context,
    user: UserId,
    grant: Grant,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    let contract = Contract {
        plan: grant.plan,
        status: SubscriptionStatus::Active,
        period_end: grant.until,
        cancel_at: grant.until,
        basis: Basis::Grant,
        reference: None,
        trial_end: None,
        grace_until: None,
        note: grant.reason,
    };
    subscriptions::grant(app, context, user, contract).await
}

/// Records a paid invoice: the user has the plan up to the end of what was paid for.
///
/// # Errors
/// [`ExecuteError::Refused`] if that is over already, or the user pays at Stripe. Then no payment is
/// recorded.
pub async fn record_invoice(
    app: &App,
    context: &Context,
    user: UserId,
    invoice: PaidInvoice,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    let contract = Contract {
        plan: invoice.plan,
        status: SubscriptionStatus::Active,
        period_end: Some(invoice.until),
        cancel_at: Some(invoice.until),
        basis: Basis::Invoice,
        reference: Some(invoice.number.clone()),
        trial_end: None,
        grace_until: None,
        note: invoice.reason,
    };
    subscriptions::grant(app, context, user, contract).await?;
    let payment = PaymentSucceeded {
        basis: Basis::Invoice,
        amount_minor: invoice.amount_minor,
        currency: invoice.currency,
        paid_at: invoice.paid_at,
        invoice: invoice.number,
    };
    let part = Context {
        command_id: CommandId::derived(user.uuid(), &format!("invoice:{}:paid", payment.invoice)),
        causation_id: Some(context.command_id.uuid()),
        ..context.clone()
    };
    execute(app, &part, user, SubscriptionCommand::RecordPayment(payment)).await
}

/// A trial, a grant or a paid invoice of a user.
pub(crate) struct KeptHere<'a> {
    pub(crate) app: &'a App,
    pub(crate) user: UserId,
    pub(crate) contract: Contract,
}

impl KeptHere<'_> {
    /// Another plan is bought at the checkout after a trial, and agreed with the operator else.
    fn unchangeable(&self) -> BillingError {
        match self.contract.basis {
            Basis::Trial => BillingError::NoSubscription,
            Basis::Grant | Basis::Invoice | Basis::Stripe => BillingError::KeptByOperator,
        }
    }
}

impl PaymentProvider for KeptHere<'_> {
    async fn cancel(&self, context: &Context, end: End) -> Result<Stands, BillingError> {
        let position = match (end, self.contract.cancel_at.or(self.contract.period_end)) {
            (End::Now, _) => {
                subscriptions::revoke(self.app, context, self.user, "canceled")
                    .await?
                    .position
            }
            // It ends with its period as it is.
            (End::WithPeriod, Some(_)) => 0,
            (End::WithPeriod, None) => return Err(BillingError::NoPeriod),
        };
        Ok(Stands {
            subscription: of_user(self.app, context.tenant_id, self.user).await?,
            position,
        })
    }

    async fn resume(&self, _context: &Context) -> Result<Stands, BillingError> {
        Err(self.unchangeable())
    }

    async fn quote(&self, _plan: Plan, _counted_from: DateTime<Utc>) -> Result<Quote, BillingError> {
        Err(self.unchangeable())
    }

    async fn change(&self, _context: &Context, _quote: &Quote) -> Result<Stands, BillingError> {
        Err(self.unchangeable())
    }
}
