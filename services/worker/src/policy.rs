//! The sync policy: events in, jobs out. It reads the log itself, woken by hints, and keeps per cabinet
//! what is outstanding, in the same transaction as its position. From that table jobs go to the queue until
//! the log says that they ended; the queue refuses a second job for a cabinet, so offering one too often
//! costs nothing. A tenant has a bounded number of jobs with the workers at a time, and its next ones come
//! after those of the others, so the queue is never one tenant's. When a cabinet is due next is decided
//! here as well ([`due`]), as soon as what it depends on has changed.

mod due;

use std::time::Duration;

use application::domain::plans::Plans;
use billing::Month;
use chrono::{DateTime, TimeDelta, Utc};
use database::{DatabaseError, Pool};
use deadpool_postgres::Transaction;
use events::catalog::{CabinetEvent, SyncEvent};
use events::ids::{CabinetId, SyncId, TenantId};
use events::{Decoded, Event};
use messaging::{WorkError, WorkQueue};
use runtime::Clock;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::SyncJob;

/// Events taken up in one transaction.
const BATCH: i32 = 500;
/// Floor beneath the wakes: how late the policy may notice an event whose hint was lost.
const POLL: Duration = Duration::from_millis(500);
/// A job that was offered is offered again after this, in case the broker lost it.
const OFFER_AGAIN: TimeDelta = TimeDelta::seconds(20);
/// Jobs offered in one round.
const OFFERS: i64 = 200;

/// Why a round did not work; the next one starts from the same place.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The database failed.
    #[error("the policy's tables cannot be used")]
    Database(#[from] DatabaseError),
    /// The queue failed.
    #[error("jobs cannot be queued")]
    Queue(#[from] WorkError),
}

impl From<tokio_postgres::Error> for PolicyError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The policy and its means.
pub struct SyncPolicy {
    /// Acts as the worker.
    pub pool: Pool,
    /// Where jobs go.
    pub queue: WorkQueue,
    /// Now.
    pub clock: Clock,
    /// What the plans allow of the schedule.
    pub plans: Plans,
    /// Syncs of one tenant that may be with the workers at a time.
    pub per_tenant: i64,
}

impl SyncPolicy {
    /// Runs until told to stop. Any number of processes may: a row lock lets one at a time work.
    pub async fn run(&self, mut wake: event_store::Subscription, stop: CancellationToken) {
        let mut waited = None;
        while !stop.is_cancelled() {
            match self.look().await {
                Ok(taken) => {
                    report(&mut waited, taken.newer);
                    if taken.events > 0 {
                        continue;
                    }
                }
                Err(error) => tracing::warn!(error = ?error, "sync policy round failed"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _woken = wake.changed_or(POLL) => {}
            }
        }
    }

    /// One round: takes up new events, decides when cabinets are due next, then offers the jobs that are due.
    /// Returns how many events it took up.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub async fn round(&self) -> Result<usize, PolicyError> {
        Ok(self.look().await?.events)
    }

    async fn look(&self) -> Result<Taken, PolicyError> {
        let taken = self.take_up().await?;
        while self.decide_due().await? >= due::BATCH {}
        self.offer().await?;
        Ok(taken)
    }

    async fn take_up(&self) -> Result<Taken, PolicyError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        let locked = transaction
            .prepare_cached(
                "SELECT position FROM core.policy_positions WHERE policy = 'syncs' FOR UPDATE SKIP LOCKED",
            )
            .await?;
        let Some(row) = transaction.query_opt(&locked, &[]).await? else {
            return Ok(Taken::default());
        };
        let position: i64 = row.get(0);
        let events = transaction
            .prepare_cached(
                "SELECT position, tenant_id, aggregate_id, aggregate_type, event_type, event_version, payload::text, \
                        recorded_at FROM core.policy_events($1, $2)",
            )
            .await?;
        let rows = transaction.query(&events, &[&position, &BATCH]).await?;
        let mut taken = Taken::default();
        let mut last = None;
        for row in &rows {
            let position: i64 = row.get(0);
            let (tenant, cabinet) = (TenantId(row.get(1)), row.get::<_, &str>(2));
            let Ok(cabinet) = cabinet.parse::<CabinetId>() else {
                last = Some(position);
                continue;
            };
            let version: u16 = row.get::<_, &str>(5).parse().unwrap_or_default();
            match events::codec::decode(row.get(3), row.get(4), version, row.get(6)) {
                Ok(Decoded::Known(event)) => {
                    apply(&transaction, tenant, cabinet, &event, row.get(7)).await?;
                    meter(&transaction, tenant, &event, row.get(7)).await?;
                }
                // What follows from it is for a process of the newer program, which takes it up from here.
                Ok(Decoded::Unknown) => {
                    taken.newer = Some(position);
                    break;
                }
                // Every other cabinet goes on; the projector parks the stream and shows the reason.
                Err(error) => {
                    tracing::error!(error = ?error, position, "unreadable event");
                }
            }
            last = Some(position);
            taken.events += 1;
        }
        let Some(last) = last else {
            return Ok(taken);
        };
        let advance = transaction
            .prepare_cached("UPDATE core.policy_positions SET position = $1 WHERE policy = 'syncs'")
            .await?;
        transaction.execute(&advance, &[&last]).await?;
        transaction.commit().await?;
        Ok(taken)
    }

    async fn offer(&self) -> Result<(), PolicyError> {
        let now = self.clock.now();
        let due = self.due(now).await?;
        for (job, attempt, queue_at) in due {
            let payload = serde_json::to_vec(&job).unwrap_or_default();
            // The id differs from offer to offer: the last one may have been acknowledged by a broker that
            // then forgot it.
            let id = format!("{}:{attempt}:{}", job.sync_id, queue_at.timestamp_millis());
            self.queue.publish(&job.subject(), payload.into(), &id).await?;
            self.offered(&job, now).await?;
        }
        Ok(())
    }

    async fn due(&self, now: DateTime<Utc>) -> Result<Vec<(SyncJob, i32, DateTime<Utc>)>, PolicyError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                // What is with the workers already has its place first; the rest takes turns over tenants.
                "SELECT tenant_id, cabinet_id, sync_id, attempt, queue_at \
                   FROM (SELECT w.*, row_number() OVER (PARTITION BY w.tenant_id \
                                    ORDER BY w.offered_at IS NULL, w.queue_at, w.cabinet_id) AS place \
                           FROM core.cabinet_work w \
                          WHERE w.sync_id IS NOT NULL AND (w.offered_at IS NOT NULL OR w.queue_at <= $1)) o \
                  WHERE queue_at <= $1 AND place <= $3 ORDER BY place, queue_at LIMIT $2",
            )
            .await?;
        let rows = session
            .query(&statement, &[&now, &OFFERS, &self.per_tenant])
            .await?;
        Ok(rows
            .iter()
            .map(|row| {
                let job = SyncJob {
                    tenant_id: TenantId(row.get(0)),
                    cabinet_id: CabinetId(row.get(1)),
                    sync_id: SyncId(row.get(2)),
                };
                (job, row.get(3), row.get(4))
            })
            .collect())
    }

    async fn offered(&self, job: &SyncJob, now: DateTime<Utc>) -> Result<(), PolicyError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "UPDATE core.cabinet_work SET queue_at = $4, offered_at = coalesce(offered_at, $5) \
                 WHERE tenant_id = $1 AND cabinet_id = $2 AND sync_id = $3",
            )
            .await?;
        let ids: [Uuid; 3] = [job.tenant_id.uuid(), job.cabinet_id.uuid(), job.sync_id.uuid()];
        session
            .execute(
                &statement,
                &[&ids[0], &ids[1], &ids[2], &(now + OFFER_AGAIN), &now],
            )
            .await?;
        Ok(())
    }
}

/// What a round took up.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    events: usize,
    /// Position of the event at which it stopped, because only a newer program knows it.
    newer: Option<i64>,
}

/// Says once that the policy waits, and that it goes on.
fn report(waited: &mut Option<i64>, newer: Option<i64>) {
    match (*waited, newer) {
        (None, Some(position)) => tracing::error!(
            position,
            "an event was written by a newer program; the policy waits for a process of that program"
        ),
        (Some(_), None) => tracing::info!("the policy goes on"),
        _ => {}
    }
    *waited = newer;
}

/// What an event changes in the table; the pure part, so that it can be read.
enum Change {
    Connected {
        key_ends_at: Option<DateTime<Utc>>,
    },
    Reconnected {
        key_ends_at: Option<DateTime<Utc>>,
    },
    Usable,
    Unusable {
        why: String,
    },
    NewKey {
        ends_at: Option<DateTime<Utc>>,
    },
    KeyEnds {
        at: DateTime<Utc>,
    },
    Offered(bool),
    Rhythm {
        interval_seconds: i32,
        paused: bool,
    },
    ByPlan {
        paused: bool,
    },
    Outstanding {
        sync_id: SyncId,
        queue_at: DateTime<Utc>,
    },
    Started {
        attempt: u32,
    },
    Retry {
        at: DateTime<Utc>,
    },
    Ended {
        at: DateTime<Utc>,
    },
    Discarded {
        sync_id: SyncId,
    },
}

fn change(event: &Event) -> Option<Change> {
    Some(match event {
        Event::Cabinet(event) => match event {
            CabinetEvent::CabinetConnected(connected) => Change::Connected {
                key_ends_at: connected.credential.expires_at,
            },
            CabinetEvent::CabinetReconnected(reconnected) => Change::Reconnected {
                key_ends_at: reconnected.credential.expires_at,
            },
            CabinetEvent::CredentialRejected(rejected) => Change::Unusable {
                why: rejected.reason.clone(),
            },
            CabinetEvent::CabinetDisconnected(_) => Change::Unusable {
                why: "disconnected".to_owned(),
            },
            CabinetEvent::CredentialAccepted(_) => Change::Usable,
            CabinetEvent::CredentialRotated(rotated) => Change::NewKey {
                ends_at: rotated.credential.expires_at,
            },
            CabinetEvent::CredentialChecked(checked) => Change::KeyEnds {
                at: checked.expires_at?,
            },
            CabinetEvent::CredentialOffered(_) => Change::Offered(true),
            CabinetEvent::CredentialOfferRefused(_) => Change::Offered(false),
            CabinetEvent::CredentialExpiring(_)
            | CabinetEvent::WarehouseExcluded(_)
            | CabinetEvent::WarehouseIncluded(_) => return None,
            CabinetEvent::ScheduleChanged(changed) => Change::Rhythm {
                interval_seconds: i32::try_from(changed.interval_seconds).unwrap_or(i32::MAX),
                paused: changed.paused,
            },
            CabinetEvent::CabinetPaused(_) => Change::ByPlan { paused: true },
            CabinetEvent::CabinetResumed(_) => Change::ByPlan { paused: false },
        },
        Event::Sync(event) => match event {
            SyncEvent::SyncRequested(requested) => Change::Outstanding {
                sync_id: requested.sync_id,
                queue_at: requested.requested_at,
            },
            SyncEvent::SyncStarted(started) => Change::Started {
                attempt: started.attempt,
            },
            SyncEvent::SyncFailed(failed) => match failed.retry_at {
                Some(at) => Change::Retry { at },
                None => Change::Ended { at: failed.failed_at },
            },
            SyncEvent::SyncCompleted(completed) => Change::Ended {
                at: completed.completed_at,
            },
            SyncEvent::SyncQuarantined(quarantined) => Change::Ended {
                at: quarantined.quarantined_at,
            },
            SyncEvent::SyncReleased(released) => Change::Outstanding {
                sync_id: released.sync_id,
                queue_at: released.released_at,
            },
            SyncEvent::SyncDiscarded(discarded) => Change::Discarded {
                sync_id: discarded.sync_id,
            },
            SyncEvent::SourceDegraded(_) | SyncEvent::SourceRecovered(_) => return None,
        },
        _ => return None,
    })
}

async fn apply(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    cabinet: CabinetId,
    event: &Event,
    recorded_at: DateTime<Utc>,
) -> Result<(), PolicyError> {
    let (tenant, cabinet) = (tenant.uuid(), cabinet.uuid());
    let table = "core.cabinet_work";
    let mine = "WHERE tenant_id = $1 AND cabinet_id = $2";
    let Some(change) = change(event) else {
        return Ok(());
    };
    match change {
        Change::Connected { key_ends_at } => {
            let sql = format!(
                "INSERT INTO {table} (tenant_id, cabinet_id, usable, connected_at, key_ends_at) \
                 VALUES ($1, $2, true, $3, $4) ON CONFLICT DO NOTHING"
            );
            let values: [&(dyn ToSql + Sync); 4] = [&tenant, &cabinet, &recorded_at, &key_ends_at];
            run(transaction, &sql, &values).await?
        }
        Change::Reconnected { key_ends_at } => {
            // As if it were new: due at once, whenever it was last read.
            let sql = format!(
                "UPDATE {table} SET usable = true, unusable_why = NULL, key_offered = false, \
                        key_ends_at = $4, paused = false, paused_by_plan = false, connected_at = $3, \
                        requested_at = NULL, ended_at = NULL, due_at = NULL {mine}"
            );
            let values: [&(dyn ToSql + Sync); 4] = [&tenant, &cabinet, &recorded_at, &key_ends_at];
            run(transaction, &sql, &values).await?
        }
        Change::NewKey { ends_at } => {
            let sql = format!(
                "UPDATE {table} SET usable = true, unusable_why = NULL, key_offered = false, \
                        key_ends_at = $3 {mine}"
            );
            run(transaction, &sql, &[&tenant, &cabinet, &ends_at]).await?
        }
        Change::KeyEnds { at } => {
            let sql = format!("UPDATE {table} SET key_ends_at = $3 {mine}");
            run(transaction, &sql, &[&tenant, &cabinet, &at]).await?
        }
        Change::Offered(offered) => {
            let sql = format!("UPDATE {table} SET key_offered = $3 {mine}");
            run(transaction, &sql, &[&tenant, &cabinet, &offered]).await?
        }
        Change::Discarded { sync_id } => {
            let sql = "SELECT core.drop_hold($1, $2, $3)";
            run(transaction, sql, &[&tenant, &cabinet, &sync_id.uuid()]).await?
        }
        Change::Usable => {
            let sql = format!("UPDATE {table} SET usable = true, unusable_why = NULL {mine}");
            run(transaction, &sql, &[&tenant, &cabinet]).await?
        }
        Change::Unusable { why } => {
            let sql = format!("UPDATE {table} SET usable = false, unusable_why = $3 {mine}");
            run(transaction, &sql, &[&tenant, &cabinet, &why]).await?
        }
        Change::Rhythm {
            interval_seconds,
            paused,
        } => {
            let sql = format!("UPDATE {table} SET interval_seconds = $3, paused = $4, due_at = NULL {mine}");
            run(
                transaction,
                &sql,
                &[&tenant, &cabinet, &interval_seconds, &paused],
            )
            .await?
        }
        Change::ByPlan { paused } => {
            let sql = format!("UPDATE {table} SET paused_by_plan = $3, due_at = NULL {mine}");
            run(transaction, &sql, &[&tenant, &cabinet, &paused]).await?
        }
        Change::Outstanding { sync_id, queue_at } => {
            let sql = format!(
                "UPDATE {table} SET sync_id = $3, attempt = 0, queue_at = $4, requested_at = $4, \
                        offered_at = NULL {mine}"
            );
            let values: [&(dyn ToSql + Sync); 4] = [&tenant, &cabinet, &sync_id.uuid(), &queue_at];
            run(transaction, &sql, &values).await?
        }
        Change::Started { attempt } => {
            let sql = format!("UPDATE {table} SET attempt = $3 {mine}");
            let attempt = i32::try_from(attempt).unwrap_or(i32::MAX);
            run(transaction, &sql, &[&tenant, &cabinet, &attempt]).await?
        }
        Change::Retry { at } => {
            let sql = format!("UPDATE {table} SET queue_at = $3, offered_at = NULL {mine}");
            run(transaction, &sql, &[&tenant, &cabinet, &at]).await?
        }
        Change::Ended { at } => {
            let sql = format!(
                "UPDATE {table} SET sync_id = NULL, queue_at = NULL, offered_at = NULL, due_at = NULL, \
                        ended_at = $3 {mine}"
            );
            run(transaction, &sql, &[&tenant, &cabinet, &at]).await?
        }
    };
    Ok(())
}

/// Counts what happened in the calendar month in which it was recorded; with the position, so that nothing is
/// counted twice.
async fn meter(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    event: &Event,
    recorded_at: DateTime<Utc>,
) -> Result<(), PolicyError> {
    let syncs: i64 = match event {
        Event::Sync(SyncEvent::SyncCompleted(_)) => 1,
        Event::Cabinet(CabinetEvent::CabinetConnected(_) | CabinetEvent::CabinetReconnected(_)) => 0,
        _ => return Ok(()),
    };
    let month = Month::of(recorded_at).first_day();
    let sql = "SELECT core.note_usage($1, $2, $3)";
    run(transaction, sql, &[&tenant.uuid(), &month, &syncs]).await?;
    Ok(())
}

async fn run(
    transaction: &Transaction<'_>,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<u64, tokio_postgres::Error> {
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, values).await
}
