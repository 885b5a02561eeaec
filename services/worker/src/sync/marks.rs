//! Marks of what was recorded less than five minutes ago, so that a sync which is not forced asks no
//! marketplace twice. A mark is made when a sync has completed, never when a source has answered: what a sync
//! read and could not record has to be read again. For the same reason a sync's own mark does not count for
//! it.

use std::time::Duration;

use events::sync::{SourceOutcome, SourceReport};
use messaging::Cache;

use crate::SyncJob;

/// How long the broker may take; without it nothing is known to have been recorded.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a mark begins with. A value without it was written when a source had only answered.
const RECORDED: &str = "recorded ";

fn key(job: &SyncJob, source: &str) -> String {
    format!("{}.{source}", job.cabinet_id)
}

/// Whether another sync recorded the source less than five minutes ago.
pub(super) async fn has(cache: &Cache, job: &SyncJob, source: &str) -> bool {
    let key = key(job, source);
    let Ok(Ok(Some(mark))) = tokio::time::timeout(PATIENCE, cache.get(&key)).await else {
        return false;
    };
    counts_for(job, &mark)
}

fn counts_for(job: &SyncJob, mark: &[u8]) -> bool {
    mark.strip_prefix(RECORDED.as_bytes())
        .is_some_and(|by| by != job.sync_id.to_string().as_bytes())
}

/// Marks the sources whose complete answers the sync has recorded. It may be called once the log has its end.
pub(super) async fn make(cache: &Cache, job: &SyncJob, recorded: &[SourceReport]) {
    let complete = (recorded.iter()).filter(|report| report.outcome == SourceOutcome::Complete);
    for report in complete {
        let key = key(job, &report.source);
        let mark = format!("{RECORDED}{}", job.sync_id);
        let made = tokio::time::timeout(PATIENCE, cache.put(&key, mark.into()));
        if !matches!(made.await, Ok(Ok(()))) {
            tracing::debug!(key, "not marked as recorded; it may be read again sooner");
        }
    }
}

#[cfg(test)]
mod tests {
    use events::ids::{CabinetId, SyncId, TenantId};
    use uuid::Uuid;

    use super::counts_for;
    use crate::SyncJob;

    #[test]
    fn a_mark_counts_when_another_sync_made_it_after_it_had_recorded() {
        let sync_id = SyncId(Uuid::from_u128(1));
        let job = SyncJob {
            tenant_id: TenantId(Uuid::nil()),
            cabinet_id: CabinetId(Uuid::nil()),
            sync_id,
        };
        let other = SyncId(Uuid::from_u128(2));
        assert!(counts_for(&job, format!("recorded {other}").as_bytes()));
        assert!(!counts_for(&job, format!("recorded {sync_id}").as_bytes()));
        assert!(
            !counts_for(&job, other.to_string().as_bytes()),
            "it only answered"
        );
    }
}
