//! How each source of a cabinet is doing: one that had worked and then fails again and again is no accident,
//! and somebody should look before its numbers are old.

use chrono::{DateTime, Utc};
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{SourceDegraded, SourceOutcome, SourceRecovered, SourceReport};
use serde::{Deserialize, Serialize};

use super::Sync;

/// Tries in a row that have to fail.
pub const DEGRADED_AFTER: u32 = 3;

/// How one source has been doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// When it last answered completely.
    pub worked_at: Option<DateTime<Utc>>,
    /// How often it failed since, in a row.
    pub failures: u32,
    /// When the first of these failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// Whether that was told.
    pub degraded: bool,
}

/// What a report says about its source; none when it says nothing either way.
fn works(report: &SourceReport) -> Option<bool> {
    // It answered, and whether that is true is another question, which is asked elsewhere.
    if super::is_held(report) {
        return None;
    }
    match report.outcome {
        SourceOutcome::Complete => Some(true),
        SourceOutcome::Failed => Some(false),
        // An answer without a single row that does not prove itself is as good as none.
        SourceOutcome::Partial => (report.rows == 0).then_some(false),
        SourceOutcome::Cached => None,
    }
}

impl Sync {
    /// Which sources the reports show to have degraded or recovered.
    pub(super) fn news_of_sources(
        &self,
        sync_id: SyncId,
        reports: &[SourceReport],
        at: DateTime<Utc>,
    ) -> Vec<SyncEvent> {
        if self.repeats_held_reports() {
            return vec![];
        }
        let unknown = Health::default();
        let news = reports.iter().filter_map(|report| {
            let health = self.health.get(&report.source).unwrap_or(&unknown);
            if works(report)? {
                return health.degraded.then(|| {
                    SourceRecovered {
                        sync_id,
                        source: report.source.clone(),
                        failing_since: health.failing_since.unwrap_or(at),
                        recovered_at: at,
                    }
                    .into()
                });
            }
            let failures = health.failures + 1;
            let worked_at = health.worked_at?;
            (failures >= DEGRADED_AFTER && !health.degraded).then(|| {
                SourceDegraded {
                    sync_id,
                    source: report.source.clone(),
                    failures,
                    failing_since: health.failing_since.unwrap_or(at),
                    worked_at,
                    error: report.error.clone(),
                }
                .into()
            })
        });
        news.collect()
    }

    pub(super) fn count_sources(&mut self, reports: &[SourceReport], at: DateTime<Utc>) {
        if self.repeats_held_reports() {
            return;
        }
        for report in reports {
            let Some(works) = works(report) else { continue };
            let health = self.health.entry(report.source.clone()).or_default();
            if works {
                health.worked_at = Some(at);
                health.failures = 0;
                health.failing_since = None;
            } else {
                health.failures = health.failures.saturating_add(1);
                health.failing_since = health.failing_since.or(Some(at));
            }
        }
    }

    /// The reports of a released sync were counted when it was held back.
    fn repeats_held_reports(&self) -> bool {
        self.outstanding
            .as_ref()
            .is_some_and(|outstanding| outstanding.released)
    }
}
