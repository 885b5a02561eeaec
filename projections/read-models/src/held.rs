//! What of a source's answers is held back as implausible: when a hold begins and when it ends. Both
//! projections show it, so the rule stands here once.

use events::sync::{Doubt, DoubtState, SourceOutcome, SourceReport};
use uuid::Uuid;

/// What is held back of one source. Empty when nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// What is doubted.
    pub(crate) doubts: Vec<Doubt>,
    /// The sync to release or to discard for it.
    pub(crate) by: Option<Uuid>,
}

/// How the sync ended that a report belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything it saw was recorded.
    Completed,
    /// What was plausible was recorded, the rest is held back.
    Quarantined,
    /// What it saw was not recorded, or not all of it.
    Failed,
}

impl Held {
    /// What is held back after a sync reported on the source. The newest doubtful answer replaces what was
    /// held before. A complete answer ends the hold, and so does the release of the sync that holds it: that
    /// sync completes then. Anything else decides nothing.
    pub(crate) fn after(self, report: &SourceReport, sync_id: Uuid, ended: Ended) -> Self {
        if ended == Ended::Failed {
            return self;
        }
        let is_held = |doubt: &&Doubt| doubt.state == DoubtState::Held;
        let doubts: Vec<Doubt> = report.doubts.iter().filter(is_held).cloned().collect();
        if !doubts.is_empty() {
            let by = Some(sync_id);
            return Self { doubts, by };
        }
        let is_released = ended == Ended::Completed && self.by == Some(sync_id);
        if report.outcome == SourceOutcome::Complete || is_released {
            return Self::default();
        }
        self
    }
}
