//! What Stripe's subscriptions of one customer mean: which of them counts, as which contract, and which are
//! one too many. Pure, and a function of Stripe's present state alone, so that the order in which news
//! arrives cannot matter.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use connectors::stripe::{Invoice, Status, Subscription, SubscriptionId};
use domain::subscription::{Contract, PAYMENT_GRACE};
use events::subscription::{Basis, Plan, SubscriptionStatus};

use super::Prices;

/// What Stripe says cannot be understood. Nothing changes until it can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A price that is none of ours, or not one price.
    #[error("the subscription {subscription} has the price {price}, which is no plan's")]
    Price {
        /// The subscription.
        subscription: SubscriptionId,
        /// Its price; `none` without one, or with several lines.
        price: String,
    },
    /// A state that did not exist when this was written.
    #[error("the subscription {subscription} is in the unknown state `{status}`")]
    Status {
        /// The subscription.
        subscription: SubscriptionId,
        /// Stripe's word; empty if there is none.
        status: String,
    },
}

/// How a customer stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The subscription that counts, if one is not over.
    pub counts: Option<Counting<'a>>,
    /// Why there is none, as a short code of [`SubscriptionEnded`](events::subscription::SubscriptionEnded).
    pub reason: &'static str,
    /// Further subscriptions that are not over: the customer would pay for each of them.
    pub surplus: Vec<&'a Subscription>,
}

/// The subscription that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting<'a> {
    /// As Stripe has it.
    pub subscription: &'a Subscription,
    /// What it gives.
    pub plan: Plan,
    /// How it stands.
    pub status: SubscriptionStatus,
}

/// Finds the subscription that counts among all of a customer's: one that gives a plan before one that gives
/// none, then the better plan, then the older one. Subscriptions to other products are passed over.
///
/// # Errors
/// [`Unusable`] if the customer has a subscription that is not over and none that is understood.
pub fn standing<'a>(subscriptions: &'a [Subscription], prices: &Prices) -> Result<Standing<'a>, Unusable> {
    let mut live = Vec::new();
    let mut unusable = None;
    for subscription in subscriptions.iter().filter(|subscription| !is_over(subscription)) {
        match read(subscription, prices) {
            Ok(counting) => live.push(counting),
            Err(error) => unusable = Some(error),
        }
    }
    if let (true, Some(error)) = (live.is_empty(), unusable) {
        return Err(error);
    }
    live.sort_by_key(|counting| {
        let Counting {
            subscription,
            plan,
            status,
        } = counting;
        let age = (subscription.created, subscription.id.as_str());
        (Reverse((status.gives_plan(), *plan)), age)
    });
    let mut live = live.into_iter();
    Ok(Standing {
        counts: live.next(),
        reason: why_over(subscriptions),
        surplus: live.map(|counting| counting.subscription).collect(),
    })
}

/// Whether nothing more can come of a subscription. One without a state is not over: nobody may pay twice.
#[must_use]
pub fn is_over(subscription: &Subscription) -> bool {
    subscription.status.as_ref().is_some_and(Status::is_final)
}

/// The contract that a subscription is. `invoice` is its newest one, which is needed while a payment is late.
#[must_use]
pub fn contract(counting: Counting<'_>, invoice: Option<&Invoice>) -> Contract {
    let Counting {
        subscription,
        plan,
        status,
    } = counting;
    let late = status == SubscriptionStatus::PastDue;
    Contract {
        plan,
        status,
        period_end: subscription.period_end(),
        cancel_at: subscription.ends_at(),
        basis: Basis::Stripe,
        reference: Some(subscription.id.as_str().to_owned()),
        trial_end: subscription.trial_end,
        grace_until: late
            .then(|| late_since(subscription, invoice))
            .flatten()
            .map(|since| since + PAYMENT_GRACE),
        note: None,
    }
}

/// When the payment that is late became due: Stripe makes the invoice then. The paid period that it is for
/// begins at the same time.
fn late_since(subscription: &Subscription, invoice: Option<&Invoice>) -> Option<DateTime<Utc>> {
    let periods = subscription
        .items
        .iter()
        .filter_map(|item| item.current_period_start);
    invoice
        .and_then(|invoice| invoice.created)
        .or_else(|| periods.max())
}

fn read<'a>(subscription: &'a Subscription, prices: &Prices) -> Result<Counting<'a>, Unusable> {
    let plan = subscription
        .price()
        .and_then(|price| prices.plan(price))
        .ok_or_else(|| Unusable::Price {
            subscription: subscription.id.clone(),
            price: subscription
                .price()
                .map_or_else(|| "none".to_owned(), ToString::to_string),
        })?;
    let status = match &subscription.status {
        Some(Status::Incomplete) => SubscriptionStatus::Incomplete,
        Some(Status::Trialing) => SubscriptionStatus::Trialing,
        Some(Status::Active) => SubscriptionStatus::Active,
        Some(Status::PastDue) => SubscriptionStatus::PastDue,
        Some(Status::Unpaid) => SubscriptionStatus::Unpaid,
        Some(Status::Paused) => SubscriptionStatus::Paused,
        unknown => {
            return Err(Unusable::Status {
                subscription: subscription.id.clone(),
                status: unknown
                    .as_ref()
                    .map_or_else(String::new, |status| status.as_str().to_owned()),
            });
        }
    };
    Ok(Counting {
        subscription,
        plan,
        status,
    })
}

/// Why the newest subscription is over.
fn why_over(subscriptions: &[Subscription]) -> &'static str {
    let newest = subscriptions
        .iter()
        .max_by_key(|subscription| (subscription.created, subscription.id.as_str()));
    match newest.and_then(|subscription| subscription.status.as_ref()) {
        Some(Status::IncompleteExpired) => "incomplete_expired",
        _ => "canceled",
    }
}

#[cfg(test)]
mod tests;
