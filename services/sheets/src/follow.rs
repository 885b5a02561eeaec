//! Which sheets are behind: the broker says that the log has grown, two narrow database functions say by
//! what. What the broker delivers is not believed itself: after a restore it may have the end of an earlier
//! log. Marks and position are committed together, fenced by the old position, so it does not matter who
//! follows, how often it is killed, or whether two do it at once.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use database::{DatabaseError, Pool};
use deadpool_postgres::Transaction;
use events::catalog::SheetEvent;
use events::ids::TenantId;
use events::{Decoded, Event, StreamType};
use messaging::EventsConsumer;
use runtime::Clock;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Shared;

/// Name of the consumer in the broker; only the holder of the lease opens it.
const DURABLE: &str = "sheets";
/// Events taken up in one transaction.
const BATCH: usize = 2_000;
/// Positions looked at in one transaction when reading from the store.
const SPAN: i64 = 20_000;
/// The broker's silence after which the store is asked all the same.
const SILENCE: Duration = Duration::from_millis(1_000);
/// A follower that says nothing for so long is replaced.
const LEASE: TimeDelta = TimeDelta::seconds(10);

/// What events mean for sheets.
#[derive(Debug, Default)]
struct Changes {
    /// Links and unlinks, in order.
    sheets: Vec<(i64, TenantId, SheetEvent)>,
    /// The last position that changes what a tenant's sheet shows.
    touched: BTreeMap<Uuid, i64>,
    /// The first event that only a newer program knows.
    newer: Option<i64>,
}

impl Changes {
    fn touch(&mut self, tenant: Uuid, position: i64) {
        let last = self.touched.entry(tenant).or_insert(position);
        *last = position.max(*last);
    }

    fn sheet(&mut self, position: i64, tenant: TenantId, decoded: Result<Decoded, events::DecodeError>) {
        match decoded {
            Ok(Decoded::Known(Event::Sheet(event))) => self.sheets.push((position, tenant, event)),
            Ok(Decoded::Unknown) => self.newer = self.newer.or(Some(position)),
            Ok(Decoded::Known(_)) => {}
            // Every other sheet goes on; the projector parks the stream and shows the reason.
            Err(error) => tracing::error!(error = ?error, position, "unreadable sheet event"),
        }
    }
}

/// What one look at the store brought.
struct Taken {
    /// The log is taken up to here.
    end: i64,
    /// Whether a sheet may be behind now.
    marked: bool,
    /// Whether the next event is one that only a newer program knows.
    newer: bool,
}

impl Taken {
    const fn up_to(end: i64, marked: bool) -> Self {
        Self {
            end,
            marked,
            newer: false,
        }
    }
}

/// Keeps `core.sheet_states` behind the log.
pub(crate) struct Follower {
    pool: Pool,
    clock: Clock,
    holder: Uuid,
}

impl Follower {
    pub(crate) const fn new(pool: Pool, clock: Clock, holder: Uuid) -> Self {
        Self { pool, clock, holder }
    }

    /// Follows until told to stop. Any number of processes may; one at a time does.
    pub(crate) async fn run(&self, shared: &Shared, stop: &CancellationToken) {
        let mut consumer = None;
        while !stop.is_cancelled() {
            let round = self.round(shared, &mut consumer);
            let outcome = tokio::select! {
                () = stop.cancelled() => break,
                outcome = round => outcome,
            };
            let pause = match outcome {
                Ok(Progress::Following) => continue,
                Ok(Progress::Elsewhere) => {
                    consumer = None;
                    SILENCE
                }
                Err(error) => {
                    tracing::warn!(error = ?error, "the log cannot be followed");
                    consumer = None;
                    SILENCE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Err(error) = self.resign().await {
            tracing::debug!(error = ?error, "the follower's lease ends by itself");
        }
    }

    /// What came from the broker since the last time, or what the store has where that is not all.
    pub(crate) async fn round(
        &self,
        shared: &Shared,
        consumer: &mut Option<EventsConsumer>,
    ) -> Result<Progress, DatabaseError> {
        let Some(position) = self.lead().await? else {
            return Ok(Progress::Elsewhere);
        };
        let consumer =
            consumer.get_or_insert_with(|| EventsConsumer::open(&shared.broker, DURABLE, position));
        if let Err(error) = consumer.next_batch(BATCH, SILENCE).await {
            tracing::debug!(error = ?error, "the store is read without a word from the broker");
        }
        let taken = self.catch_up(position).await?;
        if taken.marked {
            shared.changed.notify_one();
        }
        if taken.newer {
            // A newer program has to follow from here. It gets its turn.
            tracing::warn!(
                position = taken.end + 1,
                "a sheet's event was written by a newer program"
            );
            self.resign().await?;
            return Ok(Progress::Elsewhere);
        }
        if taken.end > position
            && let Err(error) = consumer.ack_all().await
        {
            tracing::trace!(error = ?error, "housekeeping of the broker is put off");
        }
        Ok(Progress::Following)
    }

    /// Takes up what the store has behind the stored position, at most one span. Answers the new position,
    /// and whether a sheet may be behind now.
    pub(crate) async fn catch_up_once(&self) -> Result<Option<(i64, bool)>, DatabaseError> {
        match self.lead().await? {
            Some(position) => {
                let taken = self.catch_up(position).await?;
                Ok(Some((taken.end, taken.marked)))
            }
            None => Ok(None),
        }
    }

    async fn catch_up(&self, position: i64) -> Result<Taken, DatabaseError> {
        let session = self.pool.get().await?;
        let head: i64 = session
            .query_one("SELECT position FROM core.log_head WHERE id = 1", &[])
            .await?
            .try_get(0)?;
        if head < position {
            drop(session);
            self.fall_back(position, head).await?;
            return Ok(Taken::up_to(head, true));
        }
        if head == position {
            return Ok(Taken::up_to(position, false));
        }
        // Events and head are committed together and positions are dense: up to here all are visible.
        let end = head.min(position.saturating_add(SPAN));
        let mut changes = Changes::default();
        let statement = session
            .prepare_cached(
                "SELECT event_position, tenant_id, event_type, event_version, payload \
                   FROM core.sheet_events($1, $2)",
            )
            .await?;
        for row in session.query(&statement, &[&position, &end]).await? {
            let (kind, version, payload): (&str, &str, &str) =
                (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            let version = version.parse().unwrap_or_default();
            let decoded = events::codec::decode(StreamType::Sheet.as_str(), kind, version, payload);
            changes.sheet(row.try_get(0)?, TenantId(row.try_get(1)?), decoded);
        }
        // Not past what is not known; an event before it is taken up first.
        let newer = changes.newer;
        let end = newer.map_or(end, |first| first - 1);
        changes.sheets.retain(|(at, ..)| *at <= end);
        let statement = session
            .prepare_cached("SELECT tenant_id, last_position FROM core.sheet_touches($1, $2)")
            .await?;
        for row in session.query(&statement, &[&position, &end]).await? {
            changes.touch(row.try_get(0)?, row.try_get(1)?);
        }
        drop(session);
        let marked = end > position && self.take_up(position, end, changes).await?;
        Ok(Taken {
            end,
            marked,
            newer: newer.is_some(),
        })
    }

    /// The log has lost its end, as after a restore. It is followed from where it ends, and every sheet is
    /// written anew, against what stands in it.
    async fn fall_back(&self, from: i64, head: i64) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        let mut session = self.pool.get().await?;
        let tx = session.transaction().await?;
        let moved = tx
            .execute(
                "UPDATE core.sheet_position SET position = $2 WHERE id = 1 AND position = $1",
                &[&from, &head],
            )
            .await?;
        if moved > 0 {
            tracing::warn!(
                from,
                head,
                "the log is shorter than it was; every sheet is written anew"
            );
            tx.execute(
                "UPDATE core.sheet_states \
                    SET dirty_position = $1, dirty_at = $2, dirty_since = $2, written_position = 0, \
                        written = NULL, verify = true, link_position = least(link_position, $1) WHERE linked",
                &[&head, &now],
            )
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Marks and moves on, or does nothing when somebody else has moved on already.
    async fn take_up(&self, from: i64, to: i64, changes: Changes) -> Result<bool, DatabaseError> {
        let now = self.clock.now();
        let mut session = self.pool.get().await?;
        let tx = session.transaction().await?;
        let advance = tx
            .prepare_cached("UPDATE core.sheet_position SET position = $2 WHERE id = 1 AND position = $1")
            .await?;
        if tx.execute(&advance, &[&from, &to]).await? == 0 {
            return Ok(false);
        }
        let marked = !changes.sheets.is_empty() || !changes.touched.is_empty();
        for (position, tenant, event) in &changes.sheets {
            apply(&tx, *position, *tenant, event, now).await?;
        }
        mark(&tx, &changes.touched, now).await?;
        tx.commit().await?;
        Ok(marked)
    }

    /// The position to go on from, if this process is the one that follows.
    async fn lead(&self) -> Result<Option<i64>, DatabaseError> {
        let now = self.clock.now();
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "UPDATE core.sheet_position SET holder = $1, held_until = $3 \
                  WHERE id = 1 AND (holder = $1 OR held_until IS NULL OR held_until <= $2) RETURNING position",
            )
            .await?;
        let row = session
            .query_opt(&statement, &[&self.holder, &now, &(now + LEASE)])
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn resign(&self) -> Result<(), DatabaseError> {
        let session = self.pool.get().await?;
        session
            .execute(
                "UPDATE core.sheet_position SET holder = NULL, held_until = NULL WHERE holder = $1",
                &[&self.holder],
            )
            .await?;
        Ok(())
    }
}

/// How a round ended.
pub(crate) enum Progress {
    /// This process follows.
    Following,
    /// Another process follows.
    Elsewhere,
}

async fn apply(
    tx: &Transaction<'_>,
    position: i64,
    tenant: TenantId,
    event: &SheetEvent,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    match event {
        SheetEvent::SheetLinked(linked) => {
            // What is in a sheet that was linked before is not known: it may be another one, and nobody
            // watched.
            let statement = tx
                .prepare_cached(
                    "INSERT INTO core.sheet_states AS s (tenant_id, spreadsheet_id, worksheet, credential_id, \
                            linked, link_position, dirty_position, dirty_since, dirty_at) \
                     VALUES ($1, $2, $3, $4, true, $5, $5, $6, $6) \
                     ON CONFLICT (tenant_id) DO UPDATE \
                        SET spreadsheet_id = $2, worksheet = $3, credential_id = $4, linked = true, \
                            link_position = $5, dirty_position = $5, dirty_since = $6, dirty_at = $6, \
                            written_position = 0, written_day = NULL, written = NULL, sheet_id = NULL, \
                            write_started_at = NULL, verify = false, last_error = NULL, next_try_at = NULL, \
                            attempts = 0, error_kind = NULL, failing_since = NULL, worksheet_title = NULL, \
                            notice_kind = NULL, notice = NULL, notice_at = NULL, veiled = false \
                      WHERE s.link_position < $5",
                )
                .await?;
            let credential = linked.credential_id.map(events::ids::CredentialId::uuid);
            tx.execute(
                &statement,
                &[
                    &tenant.uuid(),
                    &linked.spreadsheet_id,
                    &linked.worksheet,
                    &credential,
                    &position,
                    &now,
                ],
            )
            .await?;
        }
        SheetEvent::SheetUnlinked(_) => {
            let statement = tx
                .prepare_cached(
                    "UPDATE core.sheet_states \
                        SET linked = false, link_position = $2, written = NULL, sheet_id = NULL, \
                            credential_id = NULL, last_error = NULL, next_try_at = NULL, attempts = 0, \
                            error_kind = NULL, failing_since = NULL \
                      WHERE tenant_id = $1 AND link_position < $2",
                )
                .await?;
            tx.execute(&statement, &[&tenant.uuid(), &position]).await?;
            let statement = tx
                .prepare_cached(
                    "UPDATE core.sheet_syncs SET ended_at = $2, error_kind = 'unlinked', \
                            error = 'the spreadsheet was unlinked before it was written' \
                      WHERE tenant_id = $1 AND ended_at IS NULL",
                )
                .await?;
            tx.execute(&statement, &[&tenant.uuid(), &now]).await?;
        }
        // Follows from what stands in these tables.
        SheetEvent::SheetBlocked(_) | SheetEvent::SheetUnblocked(_) => {}
        SheetEvent::SheetLayoutChanged(chosen) => {
            let layout = serde_json::to_value(chosen).unwrap_or_default();
            let statement = tx
                .prepare_cached(
                    "INSERT INTO core.sheet_layouts AS l (tenant_id, position, layout) VALUES ($1, $2, $3) \
                     ON CONFLICT (tenant_id) DO UPDATE SET position = $2, layout = $3 WHERE l.position < $2",
                )
                .await?;
            tx.execute(&statement, &[&tenant.uuid(), &position, &layout])
                .await?;
            mark(tx, &BTreeMap::from([(tenant.uuid(), position)]), now).await?;
        }
    }
    Ok(())
}

async fn mark(
    tx: &Transaction<'_>,
    touched: &BTreeMap<Uuid, i64>,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    if touched.is_empty() {
        return Ok(());
    }
    let (tenants, positions): (Vec<Uuid>, Vec<i64>) = touched.iter().unzip();
    let statement = tx
        .prepare_cached(
            "UPDATE core.sheet_states s \
                SET dirty_position = t.position, dirty_at = $3, \
                    dirty_since = CASE WHEN s.dirty_position > s.written_position THEN s.dirty_since ELSE $3 END \
               FROM unnest($1::uuid[], $2::bigint[]) AS t (tenant_id, position) \
              WHERE s.tenant_id = t.tenant_id AND s.linked AND s.dirty_position < t.position \
                AND s.written_position < t.position",
        )
        .await?;
    tx.execute(&statement, &[&tenants, &positions, &now]).await?;
    Ok(())
}
