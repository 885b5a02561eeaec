//! Selling plans: what Stripe says becomes the contract that counts here, and what a user wants becomes a
//! call to Stripe or a command on the user's own subscription.
//!
//! A contract is paid by card at Stripe, or kept by us: a trial, a grant, a paid invoice. [`provider`] is
//! what both can be asked; [`card`] and [`manual`] are the two.

pub mod card;
pub mod change_plan;
pub mod end;
pub mod farewell;
pub mod manual;
pub mod next;
pub mod observe;
pub mod portal;
pub mod provider;
pub mod reconcile;
pub mod standing;
pub mod start_checkout;
pub mod take;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use connectors::stripe::{InvalidId, PriceId, Stripe, StripeError};
use domain::subscription::{Subscription, SubscriptionRefusal};
use event_store::{ReadError, StreamId};
use events::catalog::SubscriptionEvent;
use events::ids::{TenantId, UserId};
use events::subscription::{Plan, Slot, SubscriptionStatus};
use events::{Decoded, Event, StreamType};

use crate::{App, ExecuteError, Folded};

pub use billing::Customer;
pub use observe::{ObserveError, Observed, observe_customer};
pub use standing::Unusable;

/// How plans are sold by card.
#[derive(Debug, Clone)]
pub struct CardSales {
    /// The account at Stripe.
    pub stripe: Stripe,
    /// What the plans are there.
    pub prices: Prices,
    /// Where Stripe's pages lead back to; an address without query.
    pub return_url: String,
}

/// Which price at Stripe is which plan. Only what is in here is ever asked of Stripe or believed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices(BTreeMap<Plan, PriceId>);

impl Prices {
    /// From the prices of the plans that are sold.
    #[must_use]
    pub fn new(prices: impl IntoIterator<Item = (Plan, PriceId)>) -> Self {
        Self(prices.into_iter().collect())
    }

    /// The price of a plan; none for one that is not sold by card.
    #[must_use]
    pub fn of(&self, plan: Plan) -> Option<&PriceId> {
        self.0.get(&plan)
    }

    /// The plan with this price.
    #[must_use]
    pub fn plan(&self, price: &PriceId) -> Option<Plan> {
        self.0
            .iter()
            .find(|(_, known)| *known == price)
            .map(|(plan, _)| *plan)
    }
}

/// Why a user's wish about the own subscription was not fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// The installation has no account at Stripe.
    #[error("plans are not sold by card here")]
    NotSelling,
    /// The plan cannot be bought by card.
    #[error("the plan `{}` is not sold by card", .0.as_str())]
    NotSold(Plan),
    /// A second subscription would be paid beside the first.
    #[error("there is a subscription to the plan `{}` already; it is {}", .plan.as_str(), .status.as_str())]
    Exists {
        /// What it gives.
        plan: Plan,
        /// How it stands.
        status: SubscriptionStatus,
    },
    /// What was granted, or paid by invoice, gives as much.
    #[error("the plan `{}` is granted or paid by invoice already", .0.as_str())]
    Covered(Plan),
    /// Nothing was ever bought by card.
    #[error("nothing was bought by card yet")]
    NoCustomer,
    /// There is nothing to end, to go on with or to change.
    #[error("there is no subscription")]
    NoSubscription,
    /// The contract is kept by the operator of the service.
    #[error("the plan was granted or is paid by invoice; only the operator of the service changes it")]
    KeptByOperator,
    /// A grant without an end has no period with which it could end.
    #[error("the contract has no period; it can only end at once")]
    NoPeriod,
    /// It is neither paused nor going to end.
    #[error("the subscription is neither paused nor going to end")]
    NothingToResume,
    /// The plan is the one that the user has.
    #[error("the plan is `{}` already", .0.as_str())]
    SamePlan(Plan),
    /// A payment is missing; it comes before any change.
    #[error("a payment is missing; the subscription is {}", .0.as_str())]
    PaymentMissing(SubscriptionStatus),
    /// What was shown does not hold any longer.
    #[error("the price of the change is not what was shown; ask for it again")]
    Outdated,
    /// The bank refused the payment. Nothing changed.
    #[error("the payment was declined")]
    Declined(#[source] StripeError),
    /// Other requests of the same user were faster, again and again.
    #[error("other requests of the same user were faster")]
    Contention,
    /// Stripe did not answer, or refused.
    #[error("Stripe did not do it")]
    Stripe(#[source] StripeError),
    /// A stored id is no id of Stripe's.
    #[error("a stored id cannot be used")]
    Id(#[from] InvalidId),
    /// It is done at Stripe, or was looked at there, and could not be recorded. Repeating the command does.
    #[error("how the customer stands could not be recorded")]
    Observe(#[from] ObserveError),
    /// The tables of billing failed.
    #[error("the tables of billing failed")]
    Store(#[from] billing::StoreError),
    /// The tables of accounts failed.
    #[error("the tables of accounts failed")]
    Accounts(#[from] auth::StoreError),
    /// The subscription's stream failed.
    #[error("the subscription's stream failed")]
    Execute(#[from] ExecuteError<SubscriptionRefusal>),
}

impl From<StripeError> for BillingError {
    fn from(error: StripeError) -> Self {
        let declined = error
            .refusal()
            .is_some_and(|refusal| refusal.kind.as_deref() == Some("card_error"));
        if declined {
            Self::Declined(error)
        } else {
            Self::Stripe(error)
        }
    }
}

/// A user's subscription after a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// Both contracts.
    pub subscription: Subscription,
    /// Position of the log that shows it.
    pub position: i64,
}

impl From<Observed> for Stands {
    fn from(observed: Observed) -> Self {
        Self {
            subscription: observed.subscription,
            position: observed.receipt.position,
        }
    }
}

/// A user's own subscription.
///
/// # Errors
/// [`ExecuteError::Read`].
pub async fn of_user(
    app: &App,
    tenant: TenantId,
    user: UserId,
) -> Result<Subscription, ExecuteError<SubscriptionRefusal>> {
    let loaded = app
        .states
        .load::<Folded<Subscription>>(tenant, user.uuid())
        .await?;
    Ok(loaded.state.0)
}

/// When the contract in a slot of a user's began; none where there is none. A stream has an event for each
/// change of a contract, so it stays short.
///
/// # Errors
/// [`ReadError`].
pub async fn began(
    app: &App,
    tenant: TenantId,
    user: UserId,
    slot: Slot,
) -> Result<Option<DateTime<Utc>>, ReadError> {
    let stream = StreamId {
        stream: StreamType::Subscription,
        id: user.uuid(),
    };
    let mut began = None;
    for recorded in app.store.read_stream(tenant, stream, 0).await? {
        match recorded.decode() {
            Ok(Decoded::Known(Event::Subscription(SubscriptionEvent::SubscriptionStarted(started))))
                if started.contract.basis.slot() == slot =>
            {
                began = Some(recorded.recorded_at);
            }
            Ok(Decoded::Known(Event::Subscription(SubscriptionEvent::SubscriptionEnded(ended))))
                if ended.slot == slot =>
            {
                began = None;
            }
            _ => {}
        }
    }
    Ok(began)
}
