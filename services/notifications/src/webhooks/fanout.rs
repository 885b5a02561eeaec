//! How the log becomes messages: one page of events at a time, its messages and the new position in one
//! transaction. What an event says to receivers is the caller's business.

use chrono::{DateTime, Utc};
use database::Pool;
use deadpool_postgres::{Object, Transaction};
use events::ids::TenantId;
use tokio_postgres::Row;
use uuid::Uuid;

use super::MessageId;
use crate::StoreError;

/// Kinds of streams in which something can happen that is sent. The pages of the log are mostly products,
/// whose payloads are not even read.
const STREAMS: [&str; 6] = [
    "alert",
    "cabinet",
    "sheet",
    "subscription",
    "sync",
    "webhook_endpoint",
];

/// Why the log could not be turned into messages.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    /// The tables failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Positions are dense; one that is missing was taken away by hand.
    #[error("the log has {found} events after position {after} and before {until}, not all of them")]
    Gap {
        /// The page begins behind it.
        after: i64,
        /// Its last position.
        until: i64,
        /// Events that are there.
        found: i64,
    },
}

impl From<tokio_postgres::Error> for FanoutError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<database::DatabaseError> for FanoutError {
    fn from(error: database::DatabaseError) -> Self {
        Self::Store(error.into())
    }
}

/// An event of the page, as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Position.
    pub position: i64,
    /// Id of the event.
    pub event_id: Uuid,
    /// Whose.
    pub tenant_id: TenantId,
    /// Kind of the stream.
    pub stream: String,
    /// Its id.
    pub stream_id: Uuid,
    /// Type of the event.
    pub event_type: String,
    /// Version of the type.
    pub event_version: u16,
    /// JSON.
    pub payload: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// An endpoint that gets messages, or would if it were on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Whose.
    pub tenant_id: TenantId,
    /// Which.
    pub endpoint_id: Uuid,
    /// Events up to here are older than the endpoint.
    pub place: i64,
    /// Types that it wants; empty for all.
    pub types: Vec<String>,
}

/// A message that an event is to an endpoint. That of an endpoint that is switched off is kept and not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Whose.
    pub tenant_id: TenantId,
    /// Where to.
    pub endpoint_id: Uuid,
    /// Its id.
    pub message_id: MessageId,
    /// Position of the event.
    pub position: i64,
    /// Its type.
    pub kind: &'static str,
    /// JSON.
    pub body: String,
}

/// The reader of the log. Cheap to clone.
#[derive(Clone)]
pub struct Fanout {
    pool: Pool,
}

/// One page, in a transaction that holds the lock of the position: no other process is at it.
pub struct Turn<'a> {
    transaction: Transaction<'a>,
    /// Position of its end.
    until: i64,
    /// Events of streams that are of interest, in order.
    pub events: Vec<LogEntry>,
}

impl Fanout {
    /// Over `pool`, whose role has to be `st_notifier`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A connection for one turn.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self) -> Result<Object, StoreError> {
        Ok(self.pool.get().await?)
    }

    /// The next page of at most `most` positions; none at the end of the log, or while another process is at
    /// it.
    ///
    /// # Errors
    /// [`FanoutError`].
    pub async fn turn(session: &mut Object, most: i64) -> Result<Option<Turn<'_>>, FanoutError> {
        let transaction = session.transaction().await?;
        let locked = transaction
            .prepare_cached("SELECT position FROM core.webhook_position WHERE id = 1 FOR UPDATE SKIP LOCKED")
            .await?;
        let Some(row) = transaction.query_opt(&locked, &[]).await? else {
            return Ok(None);
        };
        let after: i64 = row.try_get(0)?;
        let end = transaction
            .prepare_cached("SELECT least(position, $1::bigint + $2::bigint) FROM core.log_head WHERE id = 1")
            .await?;
        let until: i64 = transaction.query_one(&end, &[&after, &most]).await?.try_get(0)?;
        if until <= after {
            return Ok(None);
        }
        let count = transaction
            .prepare_cached("SELECT count(*) FROM core.events WHERE position > $1 AND position <= $2")
            .await?;
        let found: i64 = transaction
            .query_one(&count, &[&after, &until])
            .await?
            .try_get(0)?;
        if found != until - after {
            return Err(FanoutError::Gap { after, until, found });
        }
        let select = transaction
            .prepare_cached(
                "SELECT position, event_id, tenant_id, aggregate_type, aggregate_id, event_type,
                        event_version, payload::text, recorded_at
                   FROM core.events
                  WHERE position > $1 AND position <= $2 AND aggregate_type = ANY ($3)
                  ORDER BY position",
            )
            .await?;
        let streams: &[&str] = &STREAMS;
        let rows = transaction.query(&select, &[&after, &until, &streams]).await?;
        let events = rows.iter().map(event).collect::<Result<_, _>>()?;
        Ok(Some(Turn {
            transaction,
            until,
            events,
        }))
    }
}

impl Turn<'_> {
    /// The endpoints of these tenants.
    ///
    /// # Errors
    /// [`FanoutError`].
    pub async fn receivers(&self, tenants: &[Uuid]) -> Result<Vec<Receiver>, FanoutError> {
        let select = self
            .transaction
            .prepare_cached(
                "SELECT tenant_id, endpoint_id, place, types
                   FROM core.webhook_endpoints WHERE tenant_id = ANY ($1)",
            )
            .await?;
        let rows = self.transaction.query(&select, &[&tenants]).await?;
        rows.iter()
            .map(|row| {
                Ok(Receiver {
                    tenant_id: TenantId(row.try_get(0)?),
                    endpoint_id: row.try_get(1)?,
                    place: row.try_get(2)?,
                    types: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Keeps messages; those that are there already stay as they are.
    ///
    /// # Errors
    /// [`FanoutError`].
    pub async fn add(&self, messages: &[NewMessage], now: DateTime<Utc>) -> Result<(), FanoutError> {
        if messages.is_empty() {
            return Ok(());
        }
        // Joined with the endpoints' rows, which may be gone since they were read.
        let insert = self
            .transaction
            .prepare_cached(
                "INSERT INTO core.webhook_messages
                        (tenant_id, message_id, endpoint_id, position, type, body, created_at, state, next_at)
                 SELECT e.tenant_id, n.message, e.endpoint_id, n.position, n.type, n.body, $7,
                        CASE WHEN e.disabled IS NULL THEN 'waiting' ELSE 'paused' END, $7
                   FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[])
                        AS n(tenant, endpoint, message, position, type, body)
                   JOIN core.webhook_endpoints e ON e.tenant_id = n.tenant AND e.endpoint_id = n.endpoint
                    FOR KEY SHARE OF e
                 ON CONFLICT (tenant_id, message_id) DO NOTHING",
            )
            .await?;
        let uuids = |of: fn(&NewMessage) -> Uuid| messages.iter().map(of).collect::<Vec<_>>();
        let texts = |of: fn(&NewMessage) -> &str| messages.iter().map(of).collect::<Vec<_>>();
        let positions: Vec<i64> = messages.iter().map(|message| message.position).collect();
        self.transaction
            .execute(
                &insert,
                &[
                    &uuids(|message| message.tenant_id.uuid()),
                    &uuids(|message| message.endpoint_id),
                    &uuids(|message| message.message_id.0),
                    &positions,
                    &texts(|message| message.kind),
                    &texts(|message| &message.body),
                    &now,
                ],
            )
            .await?;
        Ok(())
    }

    /// What waits for an endpoint that was switched off at `position` waits no more, unless it is on again.
    ///
    /// # Errors
    /// [`FanoutError`].
    pub async fn pause(&self, tenant: TenantId, endpoint: Uuid, position: i64) -> Result<(), FanoutError> {
        let update = self
            .transaction
            .prepare_cached(
                "UPDATE core.webhook_messages SET state = 'paused'
                  WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'waiting' AND position <= $3
                    AND EXISTS (SELECT FROM core.webhook_endpoints e
                                 WHERE e.tenant_id = $1 AND e.endpoint_id = $2 AND e.disabled IS NOT NULL)",
            )
            .await?;
        self.transaction
            .execute(&update, &[&tenant.uuid(), &endpoint, &position])
            .await?;
        Ok(())
    }

    /// Keeps the messages and goes on behind this page.
    ///
    /// # Errors
    /// [`FanoutError`]; then nothing of the page is kept.
    pub async fn finish(self) -> Result<(), FanoutError> {
        let update = self
            .transaction
            .prepare_cached("UPDATE core.webhook_position SET position = $1 WHERE id = 1")
            .await?;
        self.transaction.execute(&update, &[&self.until]).await?;
        self.transaction.commit().await?;
        Ok(())
    }
}

fn event(row: &Row) -> Result<LogEntry, StoreError> {
    let wrong = |column| StoreError::Inconsistent {
        table: "events",
        column,
    };
    let (stream_id, version): (&str, &str) = (row.try_get(4)?, row.try_get(6)?);
    Ok(LogEntry {
        position: row.try_get(0)?,
        event_id: row.try_get(1)?,
        tenant_id: TenantId(row.try_get(2)?),
        stream: row.try_get(3)?,
        stream_id: Uuid::try_parse(stream_id).map_err(|_not_ours| wrong("aggregate_id"))?,
        event_type: row.try_get(5)?,
        event_version: version.parse().map_err(|_not_ours| wrong("event_version"))?,
        payload: row.try_get(7)?,
        recorded_at: row.try_get(8)?,
    })
}
