//! The attempts to bring one cabinet up to date. One at a time: while one is outstanding, a second request
//! changes nothing and its caller is given the waiting one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::StreamType;
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{
    DoubtState, SourceReport, SyncCompleted, SyncDiscarded, SyncFailed, SyncQuarantined, SyncReleased,
    SyncRequested, SyncStarted, Trigger,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;

pub use health::{DEGRADED_AFTER, Health};

mod health;

/// Class of the failure of a released sync whose result is not there any more.
pub const HELD_NO_LONGER: &str = "held_no_longer";
/// Stands for all sources of a sync that was held back before syncs named them.
pub const WHOLE: &str = "all";

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
    /// How many of these failed: lost with their worker, or ended badly. One that was put back because a
    /// limit was used up is none ([`is_put_back`]).
    pub failures: u32,
    /// Class of the last failure, while it is tried again.
    #[serde(default)]
    pub last_failure: Option<String>,
    /// Whether it reads what was read less than five minutes ago.
    pub forced: bool,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Whether what it saw is held already and a person believes it.
    pub released: bool,
    /// The sources of which it is held then.
    #[serde(default)]
    pub releasing: Vec<String>,
}

/// A sync of whose result something is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Which.
    pub sync_id: SyncId,
    /// Its last attempt.
    pub attempt: u32,
    /// The sources of which it is held; what a later sync read completely is held no longer.
    pub sources: Vec<String>,
}

/// What the sync aggregate of a cabinet knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// The attempt that has not ended.
    pub outstanding: Option<Outstanding>,
    /// When the last good one ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// The syncs of which something is held back, until another one is believed or a person decides. Of each
    /// source only the newest doubtful answer is held.
    pub held: Vec<Held>,
    /// How each source has been doing.
    pub health: BTreeMap<String, Health>,
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
    /// A person believes the result that is held back.
    Release {
        /// Whose.
        sync_id: SyncId,
        /// Now.
        at: DateTime<Utc>,
    },
    /// A person does not believe it.
    Discard {
        /// Whose.
        sync_id: SyncId,
        /// Now.
        at: DateTime<Utc>,
    },
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
    /// Nothing of that sync is held back, or no longer.
    #[error("nothing of this sync is held back")]
    NotHeld,
    /// Another one is under way, and what it sees is newer than what is held.
    #[error("another sync is under way and will tell whether the result was right")]
    Busy,
}

impl Sync {
    fn outstanding(&self, sync_id: SyncId) -> Result<&Outstanding, SyncRefusal> {
        self.outstanding
            .as_ref()
            .filter(|known| known.sync_id == sync_id)
            .ok_or(SyncRefusal::NotOutstanding)
    }

    fn held(&self, sync_id: SyncId) -> Result<&Held, SyncRefusal> {
        self.held
            .iter()
            .find(|held| held.sync_id == sync_id)
            .ok_or(SyncRefusal::NotHeld)
    }

    /// What a newer sync said of these sources stands in place of what is held.
    fn hold_no_longer<'a>(&mut self, sources: impl Iterator<Item = &'a str>) {
        for source in sources {
            for held in &mut self.held {
                held.sources.retain(|known| known != source && known != WHOLE);
            }
        }
        self.held.retain(|held| !held.sources.is_empty());
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
    const FOLD_VERSION: i32 = 5;
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
                let news =
                    self.news_of_sources(completed.sync_id, &completed.sources, completed.completed_at);
                Ok(first(completed.into(), news))
            }
            SyncCommand::Fail(failed) => {
                self.running(failed.sync_id, failed.attempt)?;
                let news = self.news_of_sources(failed.sync_id, &failed.sources, failed.failed_at);
                Ok(first(failed.into(), news))
            }
            SyncCommand::Quarantine(quarantined) => {
                self.running(quarantined.sync_id, quarantined.attempt)?;
                let at = quarantined.quarantined_at;
                let news = self.news_of_sources(quarantined.sync_id, &quarantined.sources, at);
                Ok(first(quarantined.into(), news))
            }
            SyncCommand::Release { sync_id, at } => {
                self.held(sync_id)?;
                if self.outstanding.is_some() {
                    return Err(SyncRefusal::Busy);
                }
                Ok(vec![
                    SyncReleased {
                        sync_id,
                        released_at: at,
                    }
                    .into(),
                ])
            }
            SyncCommand::Discard { sync_id, at } => {
                self.held(sync_id)?;
                Ok(vec![
                    SyncDiscarded {
                        sync_id,
                        discarded_at: at,
                    }
                    .into(),
                ])
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
                    failures: 0,
                    last_failure: None,
                    forced: requested.forced,
                    requested_at: requested.requested_at,
                    released: false,
                    releasing: Vec::new(),
                });
            }
            SyncEvent::SyncStarted(started) => {
                if let Some(known) = &mut self.outstanding {
                    // Taken up while it ran: the one before was lost.
                    known.failures += u32::from(known.phase == Phase::Running);
                    known.attempt = started.attempt;
                    known.phase = Phase::Running;
                }
            }
            SyncEvent::SyncCompleted(completed) => {
                self.count_sources(&completed.sources, completed.completed_at);
                self.outstanding = None;
                // A source that was not read says nothing about what is held of it.
                self.hold_no_longer(told(&completed.sources));
                self.completed_at = Some(completed.completed_at);
            }
            SyncEvent::SyncFailed(failed) => {
                self.count_sources(&failed.sources, failed.failed_at);
                match &mut self.outstanding {
                    Some(known) if failed.retry_at.is_some() => {
                        known.failures += u32::from(!is_put_back(&failed.class));
                        known.last_failure = Some(failed.class.clone());
                        known.phase = Phase::Retrying;
                    }
                    // What could not be recorded is still held, unless it is not there any more.
                    Some(known) if known.released && failed.class != HELD_NO_LONGER => {
                        self.held.push(Held {
                            sync_id: known.sync_id,
                            attempt: known.attempt,
                            sources: std::mem::take(&mut known.releasing),
                        });
                        self.outstanding = None;
                    }
                    _ => self.outstanding = None,
                }
            }
            SyncEvent::SyncQuarantined(quarantined) => {
                self.count_sources(&quarantined.sources, quarantined.quarantined_at);
                self.outstanding = None;
                let sources = held_sources(&quarantined.sources);
                self.hold_no_longer(told(&quarantined.sources));
                self.hold_no_longer(sources.iter().map(String::as_str));
                self.held.push(Held {
                    sync_id: quarantined.sync_id,
                    attempt: quarantined.attempt,
                    sources,
                });
            }
            SyncEvent::SyncReleased(released) => {
                let held = self.held.iter().position(|held| held.sync_id == released.sync_id);
                let held = held.map(|index| self.held.remove(index));
                self.outstanding = Some(Outstanding {
                    sync_id: released.sync_id,
                    phase: Phase::Waiting,
                    attempt: held.as_ref().map_or(0, |held| held.attempt),
                    failures: 0,
                    last_failure: None,
                    forced: false,
                    requested_at: released.released_at,
                    released: true,
                    releasing: held.map(|held| held.sources).unwrap_or_default(),
                });
            }
            SyncEvent::SyncDiscarded(discarded) => {
                self.held.retain(|held| held.sync_id != discarded.sync_id);
            }
            SyncEvent::SourceDegraded(degraded) => {
                if let Some(health) = self.health.get_mut(&degraded.source) {
                    health.degraded = true;
                }
            }
            SyncEvent::SourceRecovered(recovered) => {
                if let Some(health) = self.health.get_mut(&recovered.source) {
                    health.degraded = false;
                }
            }
        }
    }
}

fn first(end: SyncEvent, mut news: Vec<SyncEvent>) -> Vec<SyncEvent> {
    news.insert(0, end);
    news
}

aggregate!(Sync, "sync");

/// Whether an attempt that ended with this class was only put back: nothing was wrong, the marketplace's
/// limit was used up and names the time to come again, or a report was not ready.
#[must_use]
pub fn is_put_back(class: &str) -> bool {
    matches!(class, "rate_limited" | "report_pending")
}

/// The sources that were read completely and of which nothing is held back.
fn told(reports: &[SourceReport]) -> impl Iterator<Item = &str> {
    (reports.iter())
        .filter(|report| report.outcome == events::sync::SourceOutcome::Complete && !is_held(report))
        .map(|report| report.source.as_str())
}

fn is_held(report: &SourceReport) -> bool {
    (report.doubts.iter()).any(|doubt| doubt.state == DoubtState::Held)
}

/// The sources of which a quarantined sync holds something. Older events do not say; then it is all of them.
fn held_sources(reports: &[SourceReport]) -> Vec<String> {
    let says = reports.iter().any(is_held);
    let held = reports.iter().filter(|report| !says || is_held(report));
    let mut sources: Vec<String> = held.map(|report| report.source.clone()).collect();
    if sources.is_empty() {
        sources.push(WHOLE.to_owned());
    }
    sources
}

/// Whether a source's part can be believed to be all there is.
#[must_use]
pub fn all_complete(sources: &[SourceReport]) -> bool {
    sources
        .iter()
        .all(|report| report.outcome == events::sync::SourceOutcome::Complete)
}

#[cfg(test)]
mod tests;
