//! What a tenant sees and asks of its messages: the log of deliveries, a ping, and replays.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use database::Pool;
use deadpool_postgres::Transaction;
use events::ids::TenantId;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{MessageId, MessageState, PING};
use crate::StoreError;

/// Attempts that are shown of one message, the newest; a message that was replayed often has more.
const SHOWN_ATTEMPTS: i64 = 20;

/// A message of an endpoint and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which.
    pub message_id: MessageId,
    /// Position of its event; of a ping the length of the log.
    pub position: i64,
    /// Type.
    pub kind: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Where it is.
    pub state: MessageState,
    /// When it is sent next, while it waits.
    pub next_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The newest attempts, the oldest of them first.
    pub attempts: Vec<Attempt>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1; a replay counts anew.
    pub attempt: i32,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// HTTP status; none without an answer.
    pub status: Option<i32>,
    /// What came of it, in one word of the connector's.
    pub outcome: String,
    /// From resolving the name to the end of the answer.
    pub duration_ms: i64,
}

/// A place in the list of deliveries, which is in descending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Position of the last one shown.
    pub position: i64,
    /// Its id.
    pub message_id: MessageId,
}

/// Which deliveries are shown; everything without a filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state.
    pub state: Option<MessageState>,
    /// Of this type.
    pub kind: Option<String>,
}

/// Which messages are sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// One.
    Message(MessageId),
    /// Those that were made in this time.
    Between {
        /// The first moment.
        from: DateTime<Utc>,
        /// The first moment that does not count any more.
        until: DateTime<Utc>,
    },
    /// Those of events from this position on.
    FromPosition(i64),
}

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// The tenant has no such endpoint.
    NoEndpoint,
    /// The endpoint is switched off.
    Disabled,
    /// So many messages wait now that did not, or whose next attempt is due now.
    Messages(u64),
}

/// Messages as their tenant sees them. Cheap to clone.
#[derive(Clone)]
pub struct Deliveries {
    pool: Pool,
}

impl Deliveries {
    /// Over `pool`, whose role has to be `st_api`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Up to `limit` messages of an endpoint after `after`, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn page(
        &self,
        tenant: TenantId,
        endpoint: Uuid,
        filter: &Filter,
        after: Option<Marker>,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        // Reads webhook_messages_in_order backwards.
        let select = transaction
            .prepare_cached(
                "SELECT message_id, position, type, created_at, state, next_at, ended_at
                   FROM core.webhook_messages
                  WHERE tenant_id = $1 AND endpoint_id = $2 AND (position, message_id) < ($3, $4)
                    AND ($5::text IS NULL OR state = $5) AND ($6::text IS NULL OR type = $6)
                  ORDER BY position DESC, message_id DESC LIMIT $7",
            )
            .await?;
        let after = after.unwrap_or(Marker {
            position: i64::MAX,
            message_id: MessageId(Uuid::max()),
        });
        let state = filter.state.map(MessageState::as_str);
        let rows = transaction
            .query(
                &select,
                &[
                    &tenant.uuid(),
                    &endpoint,
                    &after.position,
                    &after.message_id.0,
                    &state,
                    &filter.kind,
                    &limit,
                ],
            )
            .await?;
        let mut page = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        let mut attempts = attempts(&transaction, tenant, &page).await?;
        transaction.commit().await?;
        for delivery in &mut page {
            delivery.attempts = attempts.remove(&delivery.message_id.0).unwrap_or_default();
        }
        Ok(page)
    }

    /// Lets messages of an endpoint be sent once more, with the ids that they have. Those that a sender has
    /// at this moment are left alone. `undelivered`: only those that the receiver has not taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replay(
        &self,
        tenant: TenantId,
        endpoint: Uuid,
        selection: Selection,
        undelivered: bool,
        now: DateTime<Utc>,
    ) -> Result<Replayed, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        match is_on(&transaction, tenant, endpoint).await? {
            None => return Ok(Replayed::NoEndpoint),
            Some(false) => return Ok(Replayed::Disabled),
            Some(true) => {}
        }
        let (message, between, position) = match selection {
            Selection::Message(id) => (Some(id.0), None, None),
            Selection::Between { from, until } => (None, Some((from, until)), None),
            Selection::FromPosition(position) => (None, None, Some(position)),
        };
        let update = transaction
            .prepare_cached(
                "UPDATE core.webhook_messages
                    SET state = 'waiting', attempts = 0, next_at = $3, ended_at = NULL
                  WHERE tenant_id = $1 AND endpoint_id = $2
                    AND (leased_until IS NULL OR leased_until <= $3)
                    AND ($4::uuid IS NULL OR message_id = $4)
                    AND ($5::timestamptz IS NULL OR created_at >= $5)
                    AND ($6::timestamptz IS NULL OR created_at < $6)
                    AND ($7::bigint IS NULL OR position >= $7)
                    AND NOT ($8 AND state = 'delivered')",
            )
            .await?;
        let (from, until) = between.unzip();
        let count = transaction
            .execute(
                &update,
                &[
                    &tenant.uuid(),
                    &endpoint,
                    &now,
                    &message,
                    &from,
                    &until,
                    &position,
                    &undelivered,
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(Replayed::Messages(count))
    }

    /// Whether an endpoint of the tenant has this message.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has(&self, tenant: TenantId, endpoint: Uuid, id: MessageId) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT EXISTS (SELECT FROM core.webhook_messages
                                 WHERE tenant_id = $1 AND message_id = $2 AND endpoint_id = $3)",
            )
            .await?;
        let row = transaction
            .query_one(&select, &[&tenant.uuid(), &id.0, &endpoint])
            .await?;
        transaction.commit().await?;
        Ok(row.try_get(0)?)
    }

    /// Lets a ping be sent to an endpoint, and tells its id. While one waits there is no second one, so that
    /// nobody makes this service knock on a door all the time. None where the endpoint is not there or is
    /// switched off.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ping(
        &self,
        tenant: TenantId,
        endpoint: Uuid,
        id: MessageId,
        body: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<MessageId>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        if is_on(&transaction, tenant, endpoint).await? != Some(true) {
            return Ok(None);
        }
        let waiting = transaction
            .prepare_cached(
                "SELECT message_id FROM core.webhook_messages
                  WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'waiting' AND type = $3 LIMIT 1",
            )
            .await?;
        let kind = PING;
        if let Some(row) = transaction
            .query_opt(&waiting, &[&tenant.uuid(), &endpoint, &kind])
            .await?
        {
            return Ok(Some(MessageId(row.try_get(0)?)));
        }
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.webhook_messages
                        (tenant_id, message_id, endpoint_id, position, type, body, created_at, state, next_at)
                 SELECT $1, $2, $3, l.position, $4, $5, $6, 'waiting', $6 FROM core.log_head l WHERE l.id = 1
                 ON CONFLICT (tenant_id, message_id) DO NOTHING",
            )
            .await?;
        transaction
            .execute(&insert, &[&tenant.uuid(), &id.0, &endpoint, &kind, &body, &now])
            .await?;
        transaction.commit().await?;
        Ok(Some(id))
    }
}

/// Whether an endpoint is on; none where the tenant has no such one.
async fn is_on(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    endpoint: Uuid,
) -> Result<Option<bool>, StoreError> {
    let select = transaction
        .prepare_cached(
            "SELECT disabled IS NULL FROM core.webhook_endpoints WHERE tenant_id = $1 AND endpoint_id = $2",
        )
        .await?;
    let row = transaction
        .query_opt(&select, &[&tenant.uuid(), &endpoint])
        .await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

async fn attempts(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    page: &[Delivery],
) -> Result<BTreeMap<Uuid, Vec<Attempt>>, StoreError> {
    let ids: Vec<Uuid> = page.iter().map(|delivery| delivery.message_id.0).collect();
    let select = transaction
        .prepare_cached(
            "SELECT w.message_id, a.attempt, a.at, a.status, a.outcome, a.duration_ms
               FROM unnest($2::uuid[]) AS w(message_id), LATERAL (
                    SELECT * FROM core.webhook_attempts t
                     WHERE t.tenant_id = $1 AND t.message_id = w.message_id
                     ORDER BY t.claim DESC LIMIT $3) a
              ORDER BY w.message_id, a.claim",
        )
        .await?;
    let rows = transaction
        .query(&select, &[&tenant.uuid(), &ids, &SHOWN_ATTEMPTS])
        .await?;
    let mut attempts: BTreeMap<Uuid, Vec<Attempt>> = BTreeMap::new();
    for row in &rows {
        attempts.entry(row.try_get(0)?).or_default().push(Attempt {
            attempt: row.try_get(1)?,
            at: row.try_get(2)?,
            status: row.try_get(3)?,
            outcome: row.try_get(4)?,
            duration_ms: row.try_get(5)?,
        });
    }
    Ok(attempts)
}

fn delivery(row: &Row) -> Result<Delivery, StoreError> {
    let state = MessageState::parse(row.try_get(4)?).ok_or(StoreError::Inconsistent {
        table: "webhook_messages",
        column: "state",
    })?;
    let next_at = Some(row.try_get(5)?).filter(|_| state == MessageState::Waiting);
    Ok(Delivery {
        message_id: MessageId(row.try_get(0)?),
        position: row.try_get(1)?,
        kind: row.try_get(2)?,
        created_at: row.try_get(3)?,
        state,
        next_at,
        ended_at: row.try_get(6)?,
        attempts: Vec::new(),
    })
}
