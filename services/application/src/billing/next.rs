//! What a user may do next with the own subscription. Pure.

use domain::subscription::Subscription;
use events::subscription::{Basis, Contract, Plan, SubscriptionStatus};

/// Something that a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Buy a plan by card.
    Checkout,
    /// Pay what is open, change the card, see invoices.
    Portal,
    /// Take another plan.
    ChangePlan,
    /// End it.
    Cancel,
    /// Take back that it ends, or let it go on after a pause.
    Resume,
}

impl Next {
    /// The name used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Portal => "portal",
            Self::ChangePlan => "change_plan",
            Self::Cancel => "cancel",
            Self::Resume => "resume",
        }
    }
}

/// What a user may do with a subscription, where plans are sold by card or not.
#[must_use]
pub fn next(subscription: &Subscription, by_card: bool) -> Vec<Next> {
    let mut next = Vec::new();
    match (&subscription.stripe, &subscription.manual) {
        (Some(at_stripe), _) if by_card => {
            next.push(Next::Portal);
            let paid = matches!(
                at_stripe.status,
                SubscriptionStatus::Active | SubscriptionStatus::Trialing
            );
            if paid {
                next.push(Next::ChangePlan);
            }
            if at_stripe.cancel_at.is_some() || at_stripe.status == SubscriptionStatus::Paused {
                next.push(Next::Resume);
            }
            next.push(Next::Cancel);
        }
        // It is paid at Stripe, and the installation has lost its account there.
        (Some(_), _) => {}
        (None, manual) => {
            let best = manual.as_ref().is_some_and(is_best);
            if by_card && !best {
                next.push(Next::Checkout);
            }
            if manual.is_some() {
                next.push(Next::Cancel);
            }
        }
    }
    next
}

/// Whether nothing better can be bought beside it.
fn is_best(contract: &Contract) -> bool {
    contract.basis != Basis::Trial && contract.status.gives_plan() && contract.plan == Plan::Enterprise
}

#[cfg(test)]
mod tests {
    use domain::subscription::Subscription;
    use events::subscription::{Basis, Contract, Plan, SubscriptionStatus};

    use super::Next::{Cancel, ChangePlan, Checkout, Portal, Resume};
    use super::next;

    fn contract(basis: Basis, plan: Plan, status: SubscriptionStatus) -> Contract {
        Contract {
            plan,
            status,
            period_end: None,
            cancel_at: None,
            basis,
            reference: None,
            trial_end: None,
            grace_until: None,
            note: None,
        }
    }

    fn at_stripe(status: SubscriptionStatus, ends: bool) -> Subscription {
        let mut contract = contract(Basis::Stripe, Plan::Pro, status);
        contract.cancel_at = ends.then_some(chrono::DateTime::UNIX_EPOCH);
        Subscription {
            stripe: Some(contract),
            ..Subscription::default()
        }
    }

    fn here(basis: Basis, plan: Plan) -> Subscription {
        Subscription {
            manual: Some(contract(basis, plan, SubscriptionStatus::Active)),
            ..Subscription::default()
        }
    }

    #[test]
    fn every_state_has_a_way_on() {
        use SubscriptionStatus::{Active, Incomplete, PastDue, Paused, Trialing, Unpaid};
        let ways = [
            (Subscription::default(), vec![Checkout]),
            (here(Basis::Trial, Plan::Pro), vec![Checkout, Cancel]),
            (here(Basis::Invoice, Plan::Pro), vec![Checkout, Cancel]),
            (here(Basis::Grant, Plan::Enterprise), vec![Cancel]),
            (at_stripe(Incomplete, false), vec![Portal, Cancel]),
            (at_stripe(Trialing, false), vec![Portal, ChangePlan, Cancel]),
            (at_stripe(Active, false), vec![Portal, ChangePlan, Cancel]),
            (at_stripe(Active, true), vec![Portal, ChangePlan, Resume, Cancel]),
            (at_stripe(PastDue, false), vec![Portal, Cancel]),
            (at_stripe(Unpaid, false), vec![Portal, Cancel]),
            (at_stripe(Paused, false), vec![Portal, Resume, Cancel]),
        ];
        for (subscription, ways) in ways {
            assert_eq!(next(&subscription, true), ways, "{subscription:?}");
        }
        assert!(next(&Subscription::default(), false).is_empty());
        assert_eq!(next(&here(Basis::Invoice, Plan::Pro), false), [Cancel]);
    }
}
