//! A subscription at Stripe: each wish is one call with a key from the command's id, and then the customer is
//! read back.

use billing::Customer;
use chrono::{DateTime, Utc};
use connectors::stripe::{IdempotencyKey, ItemId, PriceChange, PriceId, Proration, Status, Subscription};
use events::subscription::{Plan, SubscriptionStatus};

use super::observe::settled;
use super::provider::{End, PaymentProvider, Quote};
use super::{BillingError, CardSales, Stands};
use crate::{App, Context};

/// A user's live subscription at Stripe.
pub(crate) struct AtStripe<'a> {
    pub(crate) app: &'a App,
    pub(crate) card: &'a CardSales,
    pub(crate) customer: Customer,
    pub(crate) subscription: Subscription,
}

/// The key of one call of a command: the same for every repetition of it.
pub(super) fn key(context: &Context, call: &str) -> IdempotencyKey {
    context.part(call).command_id.uuid().into()
}

impl AtStripe<'_> {
    async fn stands(&self, context: &Context) -> Result<Stands, BillingError> {
        Ok(settled(self.app, context, &self.customer).await?.into())
    }

    /// What is bought, and on which line.
    fn bought(&self) -> Result<(Plan, &ItemId), BillingError> {
        let plan = self
            .subscription
            .price()
            .and_then(|price| self.card.prices.plan(price));
        let item = self.subscription.items.first();
        plan.zip(item)
            .map(|(plan, item)| (plan, &item.id))
            .ok_or(BillingError::NoSubscription)
    }

    fn price(&self, plan: Plan) -> Result<&PriceId, BillingError> {
        self.card.prices.of(plan).ok_or(BillingError::NotSold(plan))
    }

    /// A change is charged or credited at once, so that nobody has for a month what is not paid.
    fn change_to<'b>(&'b self, item: &'b ItemId, price: &'b PriceId, from: DateTime<Utc>) -> PriceChange<'b> {
        PriceChange {
            subscription: &self.subscription.id,
            item,
            price,
            proration: Proration::AlwaysInvoice,
            counted_from: Some(from),
        }
    }
}

impl PaymentProvider for AtStripe<'_> {
    async fn cancel(&self, context: &Context, end: End) -> Result<Stands, BillingError> {
        let (stripe, id) = (&self.card.stripe, &self.subscription.id);
        // What is not paid has no paid period with which it could end.
        let has_period = matches!(
            self.subscription.status,
            Some(Status::Trialing | Status::Active | Status::PastDue)
        );
        if end == End::Now || !has_period {
            stripe.cancel_now(&key(context, "cancel"), id).await?;
        } else if self.subscription.ends_at().is_none() {
            stripe
                .cancel_at_period_end(&key(context, "cancel_at_period_end"), id)
                .await?;
        }
        self.stands(context).await
    }

    async fn resume(&self, context: &Context) -> Result<Stands, BillingError> {
        let stripe = &self.card.stripe;
        if self.subscription.status == Some(Status::Paused) {
            stripe
                .resume(&key(context, "resume"), &self.subscription.id)
                .await?;
        } else if self.subscription.ends_at().is_some() {
            stripe.keep(&key(context, "keep"), &self.subscription).await?;
        } else {
            return Err(BillingError::NothingToResume);
        }
        self.stands(context).await
    }

    async fn quote(&self, plan: Plan, counted_from: DateTime<Utc>) -> Result<Quote, BillingError> {
        let (from, item) = self.bought()?;
        if from == plan {
            return Err(BillingError::SamePlan(plan));
        }
        match self.subscription.status {
            Some(Status::Active | Status::Trialing) => {}
            Some(Status::PastDue) => return Err(BillingError::PaymentMissing(SubscriptionStatus::PastDue)),
            Some(Status::Paused) => return Err(BillingError::PaymentMissing(SubscriptionStatus::Paused)),
            Some(Status::Incomplete) => {
                return Err(BillingError::PaymentMissing(SubscriptionStatus::Incomplete));
            }
            _ => return Err(BillingError::PaymentMissing(SubscriptionStatus::Unpaid)),
        }
        let change = self.change_to(item, self.price(plan)?, counted_from);
        let invoice = self.card.stripe.preview_price(&change).await?;
        let total = invoice.total.unwrap_or_default();
        Ok(Quote {
            from,
            to: plan,
            counted_from,
            due_now_minor: invoice.amount_due.unwrap_or_else(|| total.max(0)),
            credit_minor: total.min(0).saturating_neg(),
            currency: invoice
                .currency
                .or_else(|| self.subscription.currency.clone())
                .unwrap_or_default()
                .to_uppercase(),
            period_end: self.subscription.period_end(),
        })
    }

    async fn change(&self, context: &Context, quote: &Quote) -> Result<Stands, BillingError> {
        let (_, item) = self.bought()?;
        let change = self.change_to(item, self.price(quote.to)?, quote.counted_from);
        self.card
            .stripe
            .change_price(&key(context, "change_plan"), &change)
            .await?;
        self.stands(context).await
    }
}
