//! One user's contract. Whoever knows how it stands (a platform administrator, later the payment service)
//! says all of it with one command; a repetition or an old piece of news changes nothing that it does not
//! name.

use chrono::{DateTime, TimeDelta, Utc};
use events::StreamType;
use events::catalog::SubscriptionEvent;
use events::subscription::{
    Plan, SubscriptionChanged, SubscriptionEnded, SubscriptionStarted, SubscriptionStatus,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;

/// How long after the end of a paid period the contract goes on without news: payment services tell a
/// renewal for up to three days when we could not be reached.
pub const GRACE: TimeDelta = TimeDelta::days(3);

/// A contract as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// Which plan.
    pub plan: Plan,
    /// How it stands.
    pub status: SubscriptionStatus,
    /// Up to when it is paid or granted; none for one without an end.
    pub period_end: Option<DateTime<Utc>>,
    /// When it will end, if somebody said so.
    pub cancel_at: Option<DateTime<Utc>>,
}

impl Contract {
    /// Why it is over at a moment, if it is.
    #[must_use]
    pub fn over_at(&self, at: DateTime<Utc>) -> Option<&'static str> {
        if self.cancel_at.is_some_and(|end| end <= at) {
            Some("canceled")
        } else if self.period_end.is_some_and(|end| end + GRACE <= at) {
            Some("lapsed")
        } else {
            None
        }
    }
}

/// What the subscription aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The contract that holds.
    pub contract: Option<Contract>,
}

/// What a subscription can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionCommand {
    /// This is how it stands from now on; begins a contract where there is none.
    Set {
        /// All of it.
        contract: Contract,
        /// Now.
        at: DateTime<Utc>,
    },
    /// It is over.
    End {
        /// Why, as a short code.
        reason: String,
    },
    /// Time has passed: it ends if nobody prolonged it.
    Lapse {
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
}

impl Subscription {
    fn set(&self, contract: Contract) -> SubscriptionEvent {
        let Contract {
            plan,
            status,
            period_end,
            cancel_at,
        } = contract;
        if self.contract.is_some() {
            SubscriptionChanged {
                plan,
                status,
                period_end,
                cancel_at,
            }
            .into()
        } else {
            SubscriptionStarted {
                plan,
                status,
                period_end,
                cancel_at,
            }
            .into()
        }
    }
}

impl Decider for Subscription {
    const STREAM: StreamType = StreamType::Subscription;
    const FOLD_VERSION: i32 = 1;
    type Command = SubscriptionCommand;
    type Happened = SubscriptionEvent;
    type Refusal = SubscriptionRefusal;

    fn decide(&self, command: SubscriptionCommand) -> Result<Vec<SubscriptionEvent>, SubscriptionRefusal> {
        Ok(match command {
            SubscriptionCommand::Set { contract, .. } if self.contract == Some(contract) => vec![],
            SubscriptionCommand::Set { contract, at } if contract.over_at(at).is_some() => {
                return Err(SubscriptionRefusal::Over);
            }
            SubscriptionCommand::Set { contract, .. } => vec![self.set(contract)],
            SubscriptionCommand::End { .. } if self.contract.is_none() => vec![],
            SubscriptionCommand::End { reason } => vec![SubscriptionEnded { reason }.into()],
            SubscriptionCommand::Lapse { at } => self
                .contract
                .and_then(|contract| contract.over_at(at))
                .map(|reason| {
                    SubscriptionEnded {
                        reason: reason.to_owned(),
                    }
                    .into()
                })
                .into_iter()
                .collect(),
        })
    }

    fn evolve(&mut self, event: &SubscriptionEvent) {
        self.contract = match event {
            SubscriptionEvent::SubscriptionStarted(started) => Some(Contract {
                plan: started.plan,
                status: started.status,
                period_end: started.period_end,
                cancel_at: started.cancel_at,
            }),
            SubscriptionEvent::SubscriptionChanged(changed) => Some(Contract {
                plan: changed.plan,
                status: changed.status,
                period_end: changed.period_end,
                cancel_at: changed.cancel_at,
            }),
            SubscriptionEvent::SubscriptionEnded(_) => None,
        };
    }
}

aggregate!(Subscription, "subscription");

#[cfg(test)]
mod tests;
