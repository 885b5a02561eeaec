//! The attempts to bring one cabinet up to date. One at a time: while one is outstanding, a second request
//! changes nothing and its caller is given the waiting one.

use chrono::{DateTime, Utc};
use events::StreamType;
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{
    SourceReport, SyncCompleted, SyncFailed, SyncQuarantined, SyncRequested, SyncStarted, Trigger,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;

/// How far the outstanding attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody took it up yet.
    Waiting,
    /// A worker has it.
    Running,
    /// It failed and will be tried again.
    Retrying,
}

/// The attempt that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outstanding {
    /// Which.
    pub sync_id: SyncId,
    /// How far.
    pub phase: Phase,
    /// How many times it was taken up.
    pub attempt: u32,
    /// Whether it reads what was read less than five minutes ago.
    pub forced: bool,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
}

/// What the sync aggregate of a cabinet knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// The attempt that has not ended.
    pub outstanding: Option<Outstanding>,
    /// When the last good one ended.
    pub completed_at: Option<DateTime<Utc>>,
}

/// What a cabinet's syncs can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncCommand {
    /// Bring the cabinet up to date.
    Request {
        /// Id for the attempt, if one is begun.
        sync_id: SyncId,
        /// Why.
        trigger: Trigger,
        /// Read even what was read less than five minutes ago.
        forced: bool,
        /// Now.
        at: DateTime<Utc>,
    },
    /// A worker takes it up.
    Start {
        /// Which.
        sync_id: SyncId,
        /// Now.
        at: DateTime<Utc>,
    },
    /// It ended well.
    Complete(SyncCompleted),
    /// It ended badly.
    Fail(SyncFailed),
    /// Its result is implausible.
    Quarantine(SyncQuarantined),
}

/// Why it refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncRefusal {
    /// That attempt is over, or never was.
    #[error("the sync is not outstanding")]
    NotOutstanding,
    /// Another worker took it up since.
    #[error("the sync was taken up again since: attempt {current} is running")]
    Superseded {
        /// The attempt that counts.
        current: u32,
    },
}

impl Sync {
    fn outstanding(&self, sync_id: SyncId) -> Result<&Outstanding, SyncRefusal> {
        self.outstanding
            .as_ref()
            .filter(|known| known.sync_id == sync_id)
            .ok_or(SyncRefusal::NotOutstanding)
    }

    /// The attempt, if the one that reports is the one that counts: a worker that slept through its lease
    /// must not speak for the one that took over.
    fn running(&self, sync_id: SyncId, attempt: u32) -> Result<(), SyncRefusal> {
        let known = self.outstanding(sync_id)?;
        if known.attempt != attempt || known.phase != Phase::Running {
            return Err(SyncRefusal::Superseded {
                current: known.attempt,
            });
        }
        Ok(())
    }
}

impl Decider for Sync {
    const STREAM: StreamType = StreamType::Sync;
    const FOLD_VERSION: i32 = 1;
    type Command = SyncCommand;
    type Happened = SyncEvent;
    type Refusal = SyncRefusal;

    fn decide(&self, command: SyncCommand) -> Result<Vec<SyncEvent>, SyncRefusal> {
        match command {
            SyncCommand::Request { .. } if self.outstanding.is_some() => Ok(vec![]),
            SyncCommand::Request {
                sync_id,
                trigger,
                forced,
                at,
            } => Ok(vec![
                SyncRequested {
                    sync_id,
                    trigger,
                    forced,
                    requested_at: at,
                }
                .into(),
            ]),
            SyncCommand::Start { sync_id, at } => {
                let attempt = self.outstanding(sync_id)?.attempt + 1;
                Ok(vec![
                    SyncStarted {
                        sync_id,
                        attempt,
                        started_at: at,
                    }
                    .into(),
                ])
            }
            SyncCommand::Complete(completed) => {
                self.running(completed.sync_id, completed.attempt)?;
                Ok(vec![completed.into()])
            }
            SyncCommand::Fail(failed) => {
                self.running(failed.sync_id, failed.attempt)?;
                Ok(vec![failed.into()])
            }
            SyncCommand::Quarantine(quarantined) => {
                self.running(quarantined.sync_id, quarantined.attempt)?;
                Ok(vec![quarantined.into()])
            }
        }
    }

    fn evolve(&mut self, event: &SyncEvent) {
        match event {
            SyncEvent::SyncRequested(requested) => {
                self.outstanding = Some(Outstanding {
                    sync_id: requested.sync_id,
                    phase: Phase::Waiting,
                    attempt: 0,
                    forced: requested.forced,
                    requested_at: requested.requested_at,
                });
            }
            SyncEvent::SyncStarted(started) => {
                if let Some(known) = &mut self.outstanding {
                    known.attempt = started.attempt;
                    known.phase = Phase::Running;
                }
            }
            SyncEvent::SyncCompleted(completed) => {
                self.outstanding = None;
                self.completed_at = Some(completed.completed_at);
            }
            SyncEvent::SyncFailed(failed) if failed.retry_at.is_some() => {
                if let Some(known) = &mut self.outstanding {
                    known.phase = Phase::Retrying;
                }
            }
            SyncEvent::SyncFailed(_) | SyncEvent::SyncQuarantined(_) => self.outstanding = None,
        }
    }
}

aggregate!(Sync, "sync");

/// Whether a source's part can be believed to be all there is.
#[must_use]
pub fn all_complete(sources: &[SourceReport]) -> bool {
    sources
        .iter()
        .all(|report| report.outcome == events::sync::SourceOutcome::Complete)
}

#[cfg(test)]
mod tests;
