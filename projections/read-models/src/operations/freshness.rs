//! How each source of a cabinet is doing: how old its numbers are, how it came out last, and since when it
//! has been failing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::Recorded;
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{Doubt, SourceOutcome, SourceReport};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows::{Freshness, Row, Rows};
use crate::held::{Ended, Held};

/// One source of a cabinet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// The marketplace's time of the newest complete answer that was recorded.
    pub as_of: Option<DateTime<Utc>>,
    /// When the newest complete answer was recorded.
    pub complete_at: Option<DateTime<Utc>>,
    /// How it came out last.
    pub outcome: SourceOutcome,
    /// When that was.
    pub outcome_at: DateTime<Utc>,
    /// Why it failed or is partial.
    pub error: Option<String>,
    /// The sync that tried last.
    pub sync_id: Uuid,
    /// Since when it has been failing; told only where it had worked and then failed several times in a row.
    pub degraded_since: Option<DateTime<Utc>>,
    /// What of its answers is held back, until a later complete answer or a person decides.
    #[serde(default)]
    pub held: Vec<Doubt>,
    /// The sync that is to be released or discarded for it.
    #[serde(default)]
    pub held_by: Option<Uuid>,
}

/// Folds an event of a cabinet's syncs.
pub(super) fn fold(rows: &mut Rows, event: &Recorded, fact: &SyncEvent) {
    let key = (event.metadata.tenant_id.uuid(), event.stream_id);
    let mut sources = |change: &mut dyn FnMut(&mut BTreeMap<String, SourceState>)| {
        let row = rows.freshness.entry(key).or_insert_with(|| {
            Row::found(Freshness {
                sources: BTreeMap::new(),
                position: 0,
            })
        });
        let freshness = row.change();
        freshness.position = event.position;
        change(&mut freshness.sources);
    };
    match fact {
        SyncEvent::SyncCompleted(done) if !done.sources.is_empty() => sources(&mut |known| {
            see(
                known,
                &done.sources,
                done.sync_id,
                done.completed_at,
                Ended::Completed,
            );
        }),
        SyncEvent::SyncFailed(failed) if !failed.sources.is_empty() => sources(&mut |known| {
            see(
                known,
                &failed.sources,
                failed.sync_id,
                failed.failed_at,
                Ended::Failed,
            );
        }),
        SyncEvent::SyncQuarantined(held) if held.is_recorded_in_part() => sources(&mut |known| {
            see(
                known,
                &held.sources,
                held.sync_id,
                held.quarantined_at,
                Ended::Quarantined,
            );
        }),
        SyncEvent::SyncDiscarded(discarded) => sources(&mut |known| {
            let by = Some(discarded.sync_id.uuid());
            for state in known.values_mut().filter(|state| state.held_by == by) {
                state.held.clear();
                state.held_by = None;
            }
        }),
        SyncEvent::SourceDegraded(degraded) => sources(&mut |known| {
            if let Some(state) = known.get_mut(&degraded.source) {
                state.degraded_since = Some(degraded.failing_since);
            }
        }),
        SyncEvent::SourceRecovered(recovered) => sources(&mut |known| {
            if let Some(state) = known.get_mut(&recovered.source) {
                state.degraded_since = None;
            }
        }),
        _ => {}
    }
}

fn see(
    known: &mut BTreeMap<String, SourceState>,
    reports: &[SourceReport],
    sync_id: SyncId,
    at: DateTime<Utc>,
    ended: Ended,
) {
    for report in reports {
        let before = known.get(&report.source);
        // What a failed sync read is not recorded, or not all of it.
        let complete = ended != Ended::Failed && report.outcome == SourceOutcome::Complete;
        let known_held = before.map(|before| Held {
            doubts: before.held.clone(),
            by: before.held_by,
        });
        let held = known_held
            .unwrap_or_default()
            .after(report, sync_id.uuid(), ended);
        let state = SourceState {
            as_of: if complete {
                Some(report.as_of.unwrap_or(at))
            } else {
                before.and_then(|before| before.as_of)
            },
            complete_at: if complete {
                Some(at)
            } else {
                before.and_then(|before| before.complete_at)
            },
            outcome: report.outcome,
            outcome_at: at,
            error: report.error.clone(),
            sync_id: sync_id.uuid(),
            degraded_since: before.and_then(|before| before.degraded_since),
            held: held.doubts,
            held_by: held.by,
        };
        known.insert(report.source.clone(), state);
    }
}
