//! One seller account at one marketplace, and the key that opens it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::StreamType;
use events::cabinet::{
    CabinetConnected, CabinetDisconnected, CabinetPaused, CabinetReconnected, CabinetResumed,
    CredentialAccepted, CredentialFacts, CredentialOffered, CredentialRejected, CredentialRotated,
    Marketplace, PauseReason, Right, ScheduleChanged, WarehouseExcluded, WarehouseIncluded,
};
use events::catalog::CabinetEvent;
use events::ids::CredentialId;
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;

/// Shortest rhythm that can be asked for, seconds. No source is refreshed faster by the marketplaces, and
/// none is read twice within five minutes.
pub const SHORTEST_INTERVAL_SECONDS: u32 = 300;
/// Longest rhythm that can be asked for, seconds (a week).
pub const LONGEST_INTERVAL_SECONDS: u32 = 604_800;
/// Most characters of the reason for which a warehouse is left out; a note in a sheet shows it whole.
pub const LONGEST_REASON: usize = 200;

pub use guardian::{CheckOutcome, Findings, REMINDERS};

mod guardian;

/// What the cabinet aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cabinet {
    /// Where it is; none until it is connected.
    pub marketplace: Option<Marketplace>,
    /// The key in use.
    pub credential: Option<CredentialFacts>,
    /// Why the marketplace refused the key in use, if it did.
    pub rejected: Option<String>,
    /// Whether the key in use was ever taken.
    pub accepted: bool,
    /// What the key in use may do, since it was last tried.
    pub rights: Option<Vec<Right>>,
    /// The fewest days before its end that were announced for the key in use.
    pub announced: Option<u32>,
    /// A key that was given and not yet tried.
    pub offered: Option<CredentialFacts>,
    /// Seconds between scheduled syncs, when set.
    pub interval_seconds: Option<u32>,
    /// Whether the schedule rests.
    pub paused: bool,
    /// Whether it rests because the tenant's plan allows fewer cabinets.
    #[serde(default)]
    pub paused_by_plan: bool,
    /// Whether it was taken away.
    pub disconnected: bool,
    /// Warehouses that are left out of what can be sold, by key, with the reason.
    #[serde(default)]
    pub excluded: BTreeMap<String, String>,
}

/// What a cabinet can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CabinetCommand {
    /// Connect it; one that was taken away goes on with another key of the same seller account.
    Connect {
        /// Where.
        marketplace: Marketplace,
        /// The key, without the key.
        credential: CredentialFacts,
    },
    /// Use another key, once it has been tried; at once, where the one in use is refused anyway.
    OfferCredential {
        /// The new key, without the key.
        credential: CredentialFacts,
    },
    /// A key was tried, the one in use or the one that was offered.
    RecordCheck {
        /// Which key.
        credential_id: CredentialId,
        /// What came of it.
        outcome: CheckOutcome,
        /// When it was tried.
        checked_at: DateTime<Utc>,
    },
    /// See whether the end of the key in use is to be announced, or has come.
    WatchExpiry {
        /// Now.
        at: DateTime<Utc>,
    },
    /// The marketplace took the key.
    AcceptCredential {
        /// Which key.
        credential_id: CredentialId,
        /// When it was tried.
        checked_at: DateTime<Utc>,
    },
    /// The marketplace refused the key.
    RejectCredential {
        /// Which key.
        credential_id: CredentialId,
        /// `unauthorized`, `forbidden`, `expired`, `payment_required`.
        reason: String,
        /// When it was tried.
        checked_at: DateTime<Utc>,
    },
    /// Change the rhythm.
    ChangeSchedule {
        /// Seconds between scheduled syncs.
        interval_seconds: u32,
        /// Whether the schedule rests.
        paused: bool,
        /// Shortest rhythm that the tenant's plan allows, seconds.
        shortest_seconds: u32,
    },
    /// Rest or go on, as the tenant's plan allows it.
    FollowPlan {
        /// Whether the plan allows this cabinet.
        allowed: bool,
    },
    /// Take it away.
    Disconnect,
    /// Leave a warehouse out of what can be sold.
    ExcludeWarehouse {
        /// Its key.
        warehouse: String,
        /// Why, in the seller's words.
        reason: String,
    },
    /// Let a warehouse count again.
    IncludeWarehouse {
        /// The keys that it has or had; those that are not left out are passed over.
        keys: Vec<String>,
    },
}

/// Why a cabinet refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CabinetRefusal {
    /// Already there.
    #[error("the cabinet is already connected")]
    AlreadyConnected,
    /// Never connected, or taken away.
    #[error("there is no such cabinet")]
    NotConnected,
    /// The new key opens another seller's account.
    #[error("the credential belongs to another seller account than the cabinet")]
    OtherSeller,
    /// The rhythm is out of range.
    #[error(
        "the interval must be between {SHORTEST_INTERVAL_SECONDS} and {LONGEST_INTERVAL_SECONDS} seconds"
    )]
    IntervalOutOfRange,
    /// The plan does not allow a rhythm that short.
    #[error("the tenant's plan allows an interval of {shortest_seconds} seconds or more")]
    IntervalBelowPlan {
        /// What it allows.
        shortest_seconds: u32,
    },
    /// A warehouse was left out without a reason, or with a long one.
    #[error("the reason must have 1 to {LONGEST_REASON} characters")]
    Reason,
}

impl Cabinet {
    fn exclude(&self, warehouse: String, reason: &str) -> Result<Vec<CabinetEvent>, CabinetRefusal> {
        let reason = reason.trim();
        if !(1..=LONGEST_REASON).contains(&reason.chars().count()) {
            return Err(CabinetRefusal::Reason);
        }
        if self.excluded.get(&warehouse).is_some_and(|known| known == reason) {
            return Ok(vec![]);
        }
        let reason = reason.to_owned();
        Ok(vec![WarehouseExcluded { warehouse, reason }.into()])
    }

    fn include(&self, mut keys: Vec<String>) -> Vec<CabinetEvent> {
        keys.sort_unstable();
        keys.dedup();
        (keys.into_iter())
            .filter(|key| self.excluded.contains_key(key))
            .map(|warehouse| WarehouseIncluded { warehouse }.into())
            .collect()
    }

    fn belongs_to_other_seller(&self, credential: &CredentialFacts) -> bool {
        let known = self
            .credential
            .as_ref()
            .and_then(|facts| facts.seller_id.as_deref());
        matches!((known, credential.seller_id.as_deref()), (Some(known), Some(new)) if known != new)
    }

    fn reconnect(
        &self,
        known: Marketplace,
        marketplace: Marketplace,
        credential: CredentialFacts,
    ) -> Result<Vec<CabinetEvent>, CabinetRefusal> {
        if !self.disconnected {
            return Err(CabinetRefusal::AlreadyConnected);
        }
        // Without the account's id nothing says that the history is this account's.
        if known != marketplace || credential.seller_id.is_none() || self.belongs_to_other_seller(&credential)
        {
            return Err(CabinetRefusal::OtherSeller);
        }
        Ok(vec![CabinetReconnected { credential }.into()])
    }

    fn uses(&self, credential_id: CredentialId) -> bool {
        self.credential
            .as_ref()
            .is_some_and(|facts| facts.credential_id == credential_id)
    }

    fn offer(&self, credential: CredentialFacts) -> Result<Vec<CabinetEvent>, CabinetRefusal> {
        if self.belongs_to_other_seller(&credential) {
            return Err(CabinetRefusal::OtherSeller);
        }
        let is = |facts: &Option<CredentialFacts>| {
            facts
                .as_ref()
                .is_some_and(|facts| facts.fingerprint == credential.fingerprint)
        };
        if self.rejected.is_some() {
            return Ok(vec![CredentialRotated { credential }.into()]);
        }
        if is(&self.credential) || is(&self.offered) {
            return Ok(vec![]);
        }
        Ok(vec![CredentialOffered { credential }.into()])
    }

    fn follow_plan(&self, allowed: bool) -> Vec<CabinetEvent> {
        let reason = PauseReason::Plan;
        match (self.paused_by_plan, allowed) {
            (false, false) => vec![CabinetPaused { reason }.into()],
            (true, true) => vec![CabinetResumed { reason }.into()],
            (false, true) | (true, false) => vec![],
        }
    }

    /// The key becomes the one in use; what was known of the one before says nothing of it.
    fn take(&mut self, credential: &CredentialFacts) {
        self.credential = Some(credential.clone());
        self.rejected = None;
        self.accepted = false;
        self.rights = None;
        self.announced = None;
        self.offered = None;
    }

    /// Whether syncs can be made: connected, and its key not refused.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.marketplace.is_some() && !self.disconnected && self.rejected.is_none()
    }
}

impl Decider for Cabinet {
    const STREAM: StreamType = StreamType::Cabinet;
    const FOLD_VERSION: i32 = 4;
    type Command = CabinetCommand;
    type Happened = CabinetEvent;
    type Refusal = CabinetRefusal;

    fn decide(&self, command: CabinetCommand) -> Result<Vec<CabinetEvent>, CabinetRefusal> {
        if let CabinetCommand::Connect {
            marketplace,
            credential,
        } = command
        {
            if let Some(known) = self.marketplace {
                return self.reconnect(known, marketplace, credential);
            }
            return Ok(vec![
                CabinetConnected {
                    marketplace,
                    credential,
                }
                .into(),
            ]);
        }
        if self.marketplace.is_none() || self.disconnected {
            return Err(CabinetRefusal::NotConnected);
        }
        match command {
            CabinetCommand::Connect { .. } => Err(CabinetRefusal::AlreadyConnected),
            CabinetCommand::OfferCredential { credential } => self.offer(credential),
            CabinetCommand::RecordCheck {
                credential_id,
                outcome,
                checked_at,
            } => Ok(self.record_check(credential_id, outcome, checked_at)),
            CabinetCommand::WatchExpiry { at } => Ok(self.watch_expiry(at)),
            // News of a key that is no longer in use changes nothing.
            CabinetCommand::AcceptCredential { credential_id, .. }
            | CabinetCommand::RejectCredential { credential_id, .. }
                if !self.uses(credential_id) =>
            {
                Ok(vec![])
            }
            CabinetCommand::AcceptCredential { .. } if self.accepted && self.rejected.is_none() => Ok(vec![]),
            CabinetCommand::AcceptCredential {
                credential_id,
                checked_at,
            } => Ok(vec![
                CredentialAccepted {
                    credential_id,
                    checked_at,
                }
                .into(),
            ]),
            CabinetCommand::RejectCredential { ref reason, .. } if self.rejected.as_ref() == Some(reason) => {
                Ok(vec![])
            }
            CabinetCommand::RejectCredential {
                credential_id,
                reason,
                checked_at,
            } => Ok(vec![
                CredentialRejected {
                    credential_id,
                    reason,
                    checked_at,
                }
                .into(),
            ]),
            CabinetCommand::ChangeSchedule {
                interval_seconds,
                paused,
                shortest_seconds,
            } => {
                if !(SHORTEST_INTERVAL_SECONDS..=LONGEST_INTERVAL_SECONDS).contains(&interval_seconds) {
                    return Err(CabinetRefusal::IntervalOutOfRange);
                }
                if self.interval_seconds == Some(interval_seconds) && self.paused == paused {
                    return Ok(vec![]);
                }
                // One that was chosen under a better plan may stay; the schedule keeps to the plan anyway.
                if interval_seconds < shortest_seconds && self.interval_seconds != Some(interval_seconds) {
                    return Err(CabinetRefusal::IntervalBelowPlan { shortest_seconds });
                }
                Ok(vec![
                    ScheduleChanged {
                        interval_seconds,
                        paused,
                    }
                    .into(),
                ])
            }
            CabinetCommand::FollowPlan { allowed } => Ok(self.follow_plan(allowed)),
            CabinetCommand::Disconnect => Ok(vec![CabinetDisconnected {}.into()]),
            CabinetCommand::ExcludeWarehouse { warehouse, reason } => self.exclude(warehouse, &reason),
            CabinetCommand::IncludeWarehouse { keys } => Ok(self.include(keys)),
        }
    }

    fn evolve(&mut self, event: &CabinetEvent) {
        match event {
            CabinetEvent::CabinetConnected(connected) => {
                self.marketplace = Some(connected.marketplace);
                self.credential = Some(connected.credential.clone());
            }
            CabinetEvent::CredentialRotated(rotated) => self.take(&rotated.credential),
            CabinetEvent::CabinetReconnected(reconnected) => {
                self.take(&reconnected.credential);
                self.disconnected = false;
                self.paused = false;
                self.paused_by_plan = false;
            }
            CabinetEvent::CredentialChecked(checked) => {
                if let Some(facts) = &mut self.credential {
                    facts.expires_at = checked.expires_at.or(facts.expires_at);
                    if facts.seller_id.is_none() {
                        facts.seller_id.clone_from(&checked.seller_id);
                    }
                }
                self.rights = Some(checked.rights.clone());
            }
            CabinetEvent::CredentialOffered(offered) => self.offered = Some(offered.credential.clone()),
            CabinetEvent::CredentialOfferRefused(_) => self.offered = None,
            CabinetEvent::CredentialExpiring(expiring) => self.announced = Some(expiring.days_left),
            CabinetEvent::CredentialAccepted(_) => {
                self.accepted = true;
                self.rejected = None;
            }
            CabinetEvent::CredentialRejected(rejected) => self.rejected = Some(rejected.reason.clone()),
            CabinetEvent::ScheduleChanged(changed) => {
                self.interval_seconds = Some(changed.interval_seconds);
                self.paused = changed.paused;
            }
            CabinetEvent::CabinetPaused(_) => self.paused_by_plan = true,
            CabinetEvent::CabinetResumed(_) => self.paused_by_plan = false,
            CabinetEvent::CabinetDisconnected(_) => self.disconnected = true,
            CabinetEvent::WarehouseExcluded(excluded) => {
                let (warehouse, reason) = (excluded.warehouse.clone(), excluded.reason.clone());
                self.excluded.insert(warehouse, reason);
            }
            CabinetEvent::WarehouseIncluded(included) => {
                self.excluded.remove(&included.warehouse);
            }
        }
    }
}

aggregate!(Cabinet, "cabinet");

#[cfg(test)]
mod tests;
