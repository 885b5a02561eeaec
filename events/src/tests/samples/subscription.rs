//! The events of a user's subscription.

use super::at;
use crate::catalog::SubscriptionEvent;
use crate::subscription::{
    Basis, Contract, PaymentFailed, PaymentSucceeded, Plan, Slot, SubscriptionChanged, SubscriptionEnded,
    SubscriptionStarted, SubscriptionStatus, TrialEnding,
};

pub(super) fn samples() -> [SubscriptionEvent; 6] {
    let trial = Contract {
        plan: Plan::Pro,
        status: SubscriptionStatus::Trialing,
        period_end: Some(at("2026-11-29T09:00:00Z")),
        cancel_at: Some(at("2026-11-29T09:00:00Z")),
        basis: Basis::Trial,
        reference: None,
        trial_end: Some(at("2026-11-29T09:00:00Z")),
        grace_until: None,
        note: None,
    };
    let paid = Contract {
        plan: Plan::Enterprise,
        status: SubscriptionStatus::PastDue,
        period_end: Some(at("2026-12-29T09:00:00Z")),
        cancel_at: None,
        basis: Basis::Stripe,
        reference: Some("sub_1RxHnr".into()),
        trial_end: None,
        grace_until: Some(at("2026-12-06T09:00:00Z")),
        note: None,
    };
    [
        SubscriptionStarted { contract: trial }.into(),
        SubscriptionChanged { contract: paid }.into(),
        SubscriptionEnded {
            slot: Slot::Stripe,
            reference: Some("sub_1RxHnr".into()),
            reason: "canceled".into(),
        }
        .into(),
        TrialEnding {
            slot: Slot::Manual,
            trial_end: at("2026-11-29T09:00:00Z"),
        }
        .into(),
        PaymentSucceeded {
            basis: Basis::Stripe,
            invoice: "in_1RxHnp".into(),
            amount_minor: 2_990,
            currency: "USD".into(),
            paid_at: at("2026-11-29T09:00:05Z"),
        }
        .into(),
        PaymentFailed {
            invoice: "in_1RxHnq".into(),
            amount_minor: 2_990,
            currency: "USD".into(),
            attempt: 1,
            next_attempt_at: Some(at("2026-12-02T09:00:00Z")),
            action_required: false,
        }
        .into(),
    ]
}
