//! Reading the log: in its global order, and stream by stream.

use chrono::{DateTime, Utc};
use database::{Pool, Session};
use events::ids::{CommandId, EventId, TenantId};
use events::{Metadata, Recorded, StreamType};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::ReadError;

/// The columns every reader selects, in the order [`recorded`] expects.
pub const fn columns() -> &'static str {
    "position, event_id, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text, \
     metadata::text, tenant_id, command_id, correlation_id, causation_id, actor, recorded_at"
}

/// How far a reader is behind the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// Length of the log.
    pub head: i64,
    /// Events that the reader has not read.
    pub events: u64,
    /// When the oldest of them was recorded.
    pub since: Option<DateTime<Utc>>,
}

/// Reads the log in its one order. Needs a pool whose role may see the whole log (relay, projector).
#[derive(Debug, Clone)]
pub struct GlobalReader {
    pool: Pool,
}

impl GlobalReader {
    /// A reader over these connections.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// The connections this reader uses.
    #[must_use]
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Length of the log, which is the position of its last event.
    ///
    /// # Errors
    /// [`ReadError::Database`].
    pub async fn head(&self) -> Result<i64, ReadError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached("SELECT position FROM core.log_head WHERE id = 1")
            .await?;
        Ok(session.query_one(&statement, &[]).await?.get(0))
    }

    /// How far a reader at `position` is behind the log.
    ///
    /// # Errors
    /// As [`GlobalReader::read_after`].
    pub async fn behind(&self, position: i64) -> Result<Behind, ReadError> {
        let head = self.head().await?;
        let next = match head > position {
            true => self.read_after(position, 1).await?,
            false => Vec::new(),
        };
        Ok(Behind {
            head,
            events: u64::try_from(head - position).unwrap_or(0),
            since: next.first().map(|event| event.recorded_at),
        })
    }

    /// Whether the log has this event at this place. What a broker delivers may come from before the database
    /// was restored, or from commits that a failover has lost.
    ///
    /// # Errors
    /// [`ReadError::Database`].
    pub async fn has(&self, event: &Recorded) -> Result<bool, ReadError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached("SELECT FROM core.events WHERE position = $1 AND event_id = $2")
            .await?;
        let found = session
            .query_opt(&statement, &[&event.position, &event.event_id.uuid()])
            .await?;
        Ok(found.is_some())
    }

    /// At most `limit` events after `position`, in order.
    ///
    /// # Errors
    /// [`ReadError::Gap`] when a position is missing, [`ReadError::Database`].
    pub async fn read_after(&self, position: i64, limit: i64) -> Result<Vec<Recorded>, ReadError> {
        let session = self.pool.get().await?;
        let rows = page(&session, position, limit).await?;
        let mut last = position;
        let mut read = Vec::with_capacity(rows.len());
        for row in rows {
            let event = recorded(&row)?;
            if event.position != last + 1 {
                return Err(ReadError::Gap {
                    expected: last + 1,
                    found: event.position,
                });
            }
            last = event.position;
            read.push(event);
        }
        Ok(read)
    }

    /// At most `limit` events of one stream after a version, in order. The stream's type is given by name,
    /// because a stream of a type this program does not know must be readable too.
    ///
    /// # Errors
    /// [`ReadError::Database`].
    pub async fn read_stream(
        &self,
        stream_type: &str,
        stream_id: Uuid,
        after_version: i64,
        limit: i64,
    ) -> Result<Vec<Recorded>, ReadError> {
        let session = self.pool.get().await?;
        let sql = format!(
            "SELECT {} FROM core.events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 \
             ORDER BY sequence LIMIT $4",
            columns()
        );
        let statement = session.prepare_cached(&sql).await?;
        let rows = session
            .query(
                &statement,
                &[&stream_type, &stream_id.to_string(), &after_version, &limit],
            )
            .await?;
        rows.iter().map(recorded).collect()
    }
}

async fn page(session: &Session, position: i64, limit: i64) -> Result<Vec<Row>, ReadError> {
    let sql = format!(
        "SELECT {} FROM core.events WHERE position > $1 ORDER BY position LIMIT $2",
        columns()
    );
    let statement = session.prepare_cached(&sql).await?;
    Ok(session.query(&statement, &[&position, &limit]).await?)
}

pub(crate) async fn stream_tail(
    transaction: &deadpool_postgres::Transaction<'_>,
    stream: StreamType,
    id: Uuid,
    after_version: i64,
) -> Result<Vec<Recorded>, ReadError> {
    let sql = format!(
        "SELECT {} FROM core.events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 \
         ORDER BY sequence",
        columns()
    );
    let statement = transaction.prepare_cached(&sql).await?;
    let rows = transaction
        .query(&statement, &[&stream.as_str(), &id.to_string(), &after_version])
        .await?;
    rows.iter().map(recorded).collect()
}

pub(crate) async fn tails(
    transaction: &deadpool_postgres::Transaction<'_>,
    stream: StreamType,
    after: &[(Uuid, i64)],
) -> Result<Vec<Recorded>, ReadError> {
    // One index probe per stream; a join would let the planner scan the log.
    let sql = format!(
        "SELECT e.* FROM unnest($2::text[], $3::bigint[]) AS t(id, version), LATERAL ( \
             SELECT {} FROM core.events WHERE aggregate_type = $1 AND aggregate_id = t.id \
                AND sequence > t.version ORDER BY sequence) AS e",
        columns()
    );
    let ids: Vec<String> = after.iter().map(|(id, _)| id.to_string()).collect();
    let versions: Vec<i64> = after.iter().map(|(_, version)| *version).collect();
    let statement = transaction.prepare_cached(&sql).await?;
    let rows = transaction
        .query(&statement, &[&stream.as_str(), &ids, &versions])
        .await?;
    rows.iter().map(recorded).collect()
}

/// Events of the transaction's tenant in streams of these kinds, after one position up to another, in order.
/// The log has no order by tenant: what lies between the two positions is looked through.
pub(crate) async fn of_tenant(
    transaction: &deadpool_postgres::Transaction<'_>,
    kinds: &[StreamType],
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<Recorded>, ReadError> {
    let sql = format!(
        "SELECT {} FROM core.events WHERE position > $1 AND position <= $2 AND aggregate_type = ANY($3) \
            AND tenant_id = (SELECT core.current_tenant()) ORDER BY position LIMIT $4",
        columns()
    );
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let statement = transaction.prepare_cached(&sql).await?;
    let rows = transaction
        .query(&statement, &[&after, &up_to, &kinds, &limit])
        .await?;
    rows.iter().map(recorded).collect()
}

/// The tenants among these whose syncs, products or alerts have events after one position up to another, each
/// with the position of the last one.
pub(crate) async fn touches(
    session: &Session,
    after: i64,
    up_to: i64,
    among: &[TenantId],
) -> Result<Vec<(TenantId, i64)>, ReadError> {
    let among: Vec<Uuid> = among.iter().map(|tenant| tenant.uuid()).collect();
    let statement = session
        .prepare_cached("SELECT tenant_id, last_position FROM core.event_touches($1, $2, $3)")
        .await?;
    let rows = session.query(&statement, &[&after, &up_to, &among]).await?;
    Ok(rows
        .iter()
        .map(|row| (TenantId(row.get(0)), row.get(1)))
        .collect())
}

/// One row, selected with [`columns`], as an event.
///
/// # Errors
/// [`ReadError::Inconsistent`] when a column holds what the schema does not promise.
pub(crate) fn recorded(row: &Row) -> Result<Recorded, ReadError> {
    let position: i64 = row.get(0);
    let wrong = |column: &'static str, value: &str| ReadError::Inconsistent {
        column,
        position,
        value: value.to_owned(),
    };
    let stream_id: &str = row.get(3);
    let event_version: &str = row.get(6);
    let metadata: &str = row.get(8);
    Ok(Recorded {
        position,
        event_id: EventId(row.get(1)),
        stream: row.get(2),
        stream_id: stream_id
            .parse()
            .map_err(|_invalid: uuid::Error| wrong("aggregate_id", stream_id))?,
        version: row.get(4),
        event_type: row.get(5),
        event_version: event_version
            .parse()
            .map_err(|_invalid: std::num::ParseIntError| wrong("event_version", event_version))?,
        payload: row.get(7),
        metadata: Metadata {
            tenant_id: TenantId(row.get(9)),
            command_id: CommandId(row.get(10)),
            correlation_id: row.get(11),
            causation_id: row.get(12),
            actor: row.get(13),
            traceparent: traceparent(metadata),
        },
        recorded_at: row.get(14),
    })
}

fn traceparent(metadata: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Extra {
        traceparent: Option<String>,
    }
    if metadata == "{}" {
        return None; // the usual case, and a parse per event is not free
    }
    // Foreign writers may put anything here; whatever is not ours is nobody's loss.
    serde_json::from_str::<Extra>(metadata)
        .ok()
        .and_then(|extra| extra.traceparent)
}
