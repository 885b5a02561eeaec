//! Decides when cabinets are due next: after each sync, and when their rhythm, their tenant's plan or its
//! clock has changed. What is decided stands in the table, so that the scheduler finds what is due by one
//! index and in the order of waiting, however many cabinets there are.

use application::domain::schedule::{next_due, zone};
use chrono::{DateTime, Utc};
use events::ids::CabinetId;
use events::subscription::Plan;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{PolicyError, SyncPolicy};

/// Cabinets decided in one transaction.
pub(super) const BATCH: usize = 500;
/// Zone of a tenant of which nothing is known, or whose zone was taken off the list.
const USUAL_ZONE: chrono_tz::Tz = chrono_tz::Europe::Moscow;

impl SyncPolicy {
    /// Decides for up to [`BATCH`] cabinets; returns for how many.
    pub(super) async fn decide_due(&self) -> Result<usize, PolicyError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        // The flag first: what changes after this statement raises it again.
        let changed = transaction
            .prepare_cached(
                "UPDATE core.tenant_terms t SET reschedule = false \
                  WHERE t.tenant_id IN (SELECT o.tenant_id FROM core.tenant_terms o WHERE o.reschedule \
                                         ORDER BY o.tenant_id LIMIT 100 FOR UPDATE SKIP LOCKED) \
                  RETURNING t.tenant_id",
            )
            .await?;
        let tenants: Vec<Uuid> = transaction
            .query(&changed, &[])
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect();
        if !tenants.is_empty() {
            let reopen = transaction
                .prepare_cached(
                    "UPDATE core.cabinet_work SET due_at = NULL WHERE tenant_id = ANY ($1) AND sync_id IS NULL",
                )
                .await?;
            transaction.execute(&reopen, &[&tenants]).await?;
        }
        let undecided = transaction
            .prepare_cached(
                "SELECT w.tenant_id, w.cabinet_id, w.connected_at, coalesce(w.requested_at, w.ended_at), \
                        w.interval_seconds, t.plan, t.time_zone \
                   FROM core.cabinet_work w LEFT JOIN core.tenant_terms t ON t.tenant_id = w.tenant_id \
                  WHERE w.due_at IS NULL AND w.sync_id IS NULL \
                  ORDER BY w.tenant_id, w.cabinet_id LIMIT $1 FOR UPDATE OF w SKIP LOCKED",
            )
            .await?;
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let rows = transaction.query(&undecided, &[&limit]).await?;
        let mut decided: (Vec<Uuid>, Vec<Uuid>, Vec<DateTime<Utc>>) = Default::default();
        for row in &rows {
            decided.0.push(row.get(0));
            decided.1.push(row.get(1));
            decided.2.push(self.due_at(row));
        }
        if !rows.is_empty() {
            let write = transaction
                .prepare_cached(
                    "UPDATE core.cabinet_work w SET due_at = d.due_at \
                       FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS d(tenant, cabinet, due_at) \
                      WHERE w.tenant_id = d.tenant AND w.cabinet_id = d.cabinet",
                )
                .await?;
            transaction
                .execute(&write, &[&decided.0, &decided.1, &decided.2])
                .await?;
        }
        transaction.commit().await?;
        Ok(rows.len())
    }

    fn due_at(&self, row: &Row) -> DateTime<Utc> {
        let Some(asked_at) = row.get::<_, Option<DateTime<Utc>>>(3) else {
            // Never synced: at once.
            return row.get(2);
        };
        let own = row
            .get::<_, Option<i32>>(4)
            .and_then(|seconds| u32::try_from(seconds).ok());
        let plan = row.get::<_, Option<&str>>(5).and_then(Plan::parse);
        let zone = row.get::<_, Option<&str>>(6).and_then(zone).unwrap_or(USUAL_ZONE);
        next_due(
            CabinetId(row.get(1)),
            self.plans.rhythm(plan, own),
            zone,
            asked_at,
        )
    }
}
