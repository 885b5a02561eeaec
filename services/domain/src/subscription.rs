//! One user's subscription. A user has at most one contract with Stripe and one of our own: a trial, a
//! grant, or an invoice paid outside Stripe. Each is kept apart, so the end of one never takes the other
//! away; the better one counts.
//!
//! What Stripe says arrives as the whole truth about the user's customer there, never as a difference. News
//! that is repeated, late or out of order therefore leads to the same state.

use chrono::{DateTime, TimeDelta, Utc};
use events::StreamType;
use events::catalog::SubscriptionEvent;
use events::subscription::{
    Basis, PaymentFailed, PaymentSucceeded, Plan, Slot, SubscriptionChanged, SubscriptionEnded,
    SubscriptionStarted, SubscriptionStatus, TrialEnding,
};
use serde::{Deserialize, Serialize};

pub use events::subscription::Contract;

use crate::Decider;
use crate::decider::aggregate;

/// How long after the end of a paid period the contract goes on without news: Stripe delivers a renewal for
/// up to three days when we could not be reached.
pub const GRACE: TimeDelta = TimeDelta::days(3);
/// How long a late payment takes nothing away.
pub const PAYMENT_GRACE: TimeDelta = TimeDelta::days(7);
/// How long the free trial lasts.
pub const TRIAL: TimeDelta = TimeDelta::days(14);
/// How long before its end a trial is announced, as Stripe does.
pub const TRIAL_NOTICE: TimeDelta = TimeDelta::days(3);
/// What a trial gives.
pub const TRIAL_PLAN: Plan = Plan::Pro;

/// Why a contract is over at a moment, if it is.
#[must_use]
pub fn over_at(contract: &Contract, at: DateTime<Utc>) -> Option<&'static str> {
    if contract.cancel_at.is_some_and(|end| end <= at) {
        Some(match contract.basis {
            Basis::Trial => "trial_ended",
            Basis::Grant | Basis::Invoice | Basis::Stripe => "canceled",
        })
    } else if contract.period_end.is_some_and(|end| end + GRACE <= at) {
        Some("lapsed")
    } else {
        None
    }
}

/// The same contract as it counts at a moment: a late payment whose grace is over gives nothing.
#[must_use]
pub fn as_it_counts(contract: Contract, at: DateTime<Utc>) -> Contract {
    let overdue = contract.status == SubscriptionStatus::PastDue
        && contract.grace_until.is_some_and(|until| until <= at);
    if overdue {
        Contract {
            status: SubscriptionStatus::Unpaid,
            ..contract
        }
    } else {
        contract
    }
}

/// What the subscription aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The contract at Stripe.
    pub stripe: Option<Contract>,
    /// The contract that we keep.
    pub manual: Option<Contract>,
    /// Whether a trial was ever begun, here or at Stripe.
    pub tried: bool,
    /// The end of the trial that was last announced.
    pub announced: Option<DateTime<Utc>>,
}

/// What a subscription can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionCommand {
    /// Begin the free trial; nothing where there was one.
    Try {
        /// Now.
        at: DateTime<Utc>,
    },
    /// A platform administrator grants a plan or records a paid invoice: this is how the contract that we
    /// keep stands from now on.
    Grant {
        /// All of it; its basis is a grant or an invoice.
        contract: Contract,
        /// Now.
        at: DateTime<Utc>,
    },
    /// A platform administrator takes away what was granted.
    Revoke {
        /// Why, as a short code.
        reason: String,
    },
    /// How the user's customer stands at Stripe by now.
    Observe {
        /// The subscription that counts, if there is one that is not over.
        contract: Option<Contract>,
        /// Why there is none, as a short code.
        reason: String,
        /// Now.
        at: DateTime<Utc>,
    },
    /// A payment arrived.
    RecordPayment(PaymentSucceeded),
    /// A payment could not be collected.
    RecordFailure(PaymentFailed),
    /// Stripe says that the trial of the contract there ends soon.
    Announce,
    /// Time has passed: what is over ends, what is overdue stops counting, a trial that ends soon is
    /// announced.
    Pass {
        /// Now.
        at: DateTime<Utc>,
    },
}

/// Why it refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionRefusal {
    /// It would be over before it begins.
    #[error("the contract would be over already")]
    Over,
    /// Stripe collects payments for this user.
    #[error("the user has a subscription at Stripe; cancel it there first")]
    PaidElsewhere,
}

impl Subscription {
    /// The contract that counts: one that gives a plan before one that gives none, then the better plan, then
    /// Stripe's.
    #[must_use]
    pub fn contract(&self) -> Option<&Contract> {
        let rank = |contract: &&Contract| (contract.status.gives_plan(), contract.plan, contract.basis);
        self.stripe.iter().chain(&self.manual).max_by_key(rank)
    }

    /// The contract in a slot.
    #[must_use]
    pub const fn in_slot(&self, slot: Slot) -> Option<&Contract> {
        match slot {
            Slot::Manual => self.manual.as_ref(),
            Slot::Stripe => self.stripe.as_ref(),
        }
    }

    const fn slot_mut(&mut self, slot: Slot) -> &mut Option<Contract> {
        match slot {
            Slot::Manual => &mut self.manual,
            Slot::Stripe => &mut self.stripe,
        }
    }

    /// The event that makes a contract stand like this; none where it does.
    fn set(&self, contract: Contract) -> Option<SubscriptionEvent> {
        match self.in_slot(contract.basis.slot()) {
            Some(known) if *known == contract => None,
            Some(_) => Some(SubscriptionChanged { contract }.into()),
            None => Some(SubscriptionStarted { contract }.into()),
        }
    }

    fn end(&self, slot: Slot, reason: &str) -> Option<SubscriptionEvent> {
        let contract = self.in_slot(slot)?;
        let ended = SubscriptionEnded {
            slot,
            reference: contract.reference.clone(),
            reason: reason.to_owned(),
        };
        Some(ended.into())
    }

    fn begin_trial(&self, at: DateTime<Utc>) -> Vec<SubscriptionEvent> {
        if self.tried || self.contract().is_some() {
            return vec![];
        }
        let end = at + TRIAL;
        let contract = Contract {
            plan: TRIAL_PLAN,
            status: SubscriptionStatus::Trialing,
            period_end: Some(end),
            cancel_at: Some(end),
            basis: Basis::Trial,
            reference: None,
            trial_end: Some(end),
            grace_until: None,
            note: None,
        };
        vec![SubscriptionStarted { contract }.into()]
    }

    fn observe(&self, contract: Option<Contract>, reason: &str, at: DateTime<Utc>) -> Vec<SubscriptionEvent> {
        let Some(contract) = contract else {
            return self.end(Slot::Stripe, reason).into_iter().collect();
        };
        let contract = as_it_counts(contract, at);
        // A paid plan takes the place of the free trial, whose days go on at Stripe.
        let trial = self
            .manual
            .as_ref()
            .filter(|manual| manual.basis == Basis::Trial && contract.status.gives_plan())
            .and_then(|_| self.end(Slot::Manual, "replaced"));
        self.set(contract).into_iter().chain(trial).collect()
    }

    fn pass(&self, at: DateTime<Utc>) -> Vec<SubscriptionEvent> {
        let mut happened = Vec::new();
        for contract in self.stripe.iter().chain(&self.manual) {
            let slot = contract.basis.slot();
            if let Some(reason) = over_at(contract, at) {
                happened.extend(self.end(slot, reason));
                continue;
            }
            happened.extend(self.set(as_it_counts(contract.clone(), at)));
            // Stripe announces the end of its trials with an event of its own.
            if let (Basis::Trial, Some(trial_end)) = (contract.basis, contract.trial_end) {
                happened.extend(self.announce(slot, trial_end, at));
            }
        }
        happened
    }

    /// Stripe chooses the moment, so it counts also when the news is late.
    fn announce_at_stripe(&self) -> Option<SubscriptionEvent> {
        let trial_end = self.stripe.as_ref()?.trial_end?;
        (self.announced != Some(trial_end)).then(|| {
            let slot = Slot::Stripe;
            TrialEnding { slot, trial_end }.into()
        })
    }

    fn announce(&self, slot: Slot, trial_end: DateTime<Utc>, at: DateTime<Utc>) -> Option<SubscriptionEvent> {
        let due = trial_end - TRIAL_NOTICE <= at && self.announced != Some(trial_end);
        due.then(|| TrialEnding { slot, trial_end }.into())
    }
}

impl Decider for Subscription {
    const STREAM: StreamType = StreamType::Subscription;
    const FOLD_VERSION: i32 = 2;
    type Command = SubscriptionCommand;
    type Happened = SubscriptionEvent;
    type Refusal = SubscriptionRefusal;

    fn decide(&self, command: SubscriptionCommand) -> Result<Vec<SubscriptionEvent>, SubscriptionRefusal> {
        Ok(match command {
            SubscriptionCommand::Try { at } => self.begin_trial(at),
            SubscriptionCommand::Grant { contract, at } if over_at(&contract, at).is_some() => {
                return Err(SubscriptionRefusal::Over);
            }
            SubscriptionCommand::Grant { .. } if self.stripe.is_some() => {
                return Err(SubscriptionRefusal::PaidElsewhere);
            }
            SubscriptionCommand::Grant { contract, .. } => self.set(contract).into_iter().collect(),
            SubscriptionCommand::Revoke { reason } => self.end(Slot::Manual, &reason).into_iter().collect(),
            SubscriptionCommand::Observe { contract, reason, at } => self.observe(contract, &reason, at),
            SubscriptionCommand::RecordPayment(payment) => vec![payment.into()],
            SubscriptionCommand::RecordFailure(failure) => vec![failure.into()],
            SubscriptionCommand::Announce => self.announce_at_stripe().into_iter().collect(),
            SubscriptionCommand::Pass { at } => self.pass(at),
        })
    }

    fn evolve(&mut self, event: &SubscriptionEvent) {
        match event {
            SubscriptionEvent::SubscriptionStarted(SubscriptionStarted { contract })
            | SubscriptionEvent::SubscriptionChanged(SubscriptionChanged { contract }) => {
                self.tried |= contract.trial_end.is_some();
                *self.slot_mut(contract.basis.slot()) = Some(contract.clone());
            }
            SubscriptionEvent::SubscriptionEnded(ended) => *self.slot_mut(ended.slot) = None,
            SubscriptionEvent::TrialEnding(ending) => self.announced = Some(ending.trial_end),
            SubscriptionEvent::PaymentSucceeded(_) | SubscriptionEvent::PaymentFailed(_) => {}
        }
    }
}

aggregate!(Subscription, "subscription");

#[cfg(test)]
mod tests;
