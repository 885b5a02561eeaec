//! What the sender takes and how it ended.
//!
//! Fairness is by endpoint: a round takes from endpoints that were served longest ago, a few messages from
//! each and never more than an endpoint may have on their way. Endpoints that have been failing share places
//! of their own and get one message at a time, so that however many of them let every attempt run into its
//! deadline, the others do not wait for them.

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use deadpool_postgres::Transaction;
use events::ids::{CredentialId, TenantId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{MessageId, MessageState};
use crate::StoreError;

/// How long a message and its attempts are kept.
const KEPT: TimeDelta = TimeDelta::days(30);
/// Messages that one statement destroys at most.
const PURGED: i64 = 5_000;

/// How much a sender may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// Messages to endpoints whose last attempt was a success, or that are new.
    pub sound: i64,
    /// Messages to endpoints that have been failing.
    pub failing: i64,
    /// Messages that one sound endpoint may have on their way, over all senders.
    pub per_endpoint: i64,
}

/// What is needed from the vault to send a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opening {
    /// The address.
    pub address_id: CredentialId,
    /// The signing secret.
    pub secret_id: CredentialId,
    /// The secret before, while it is valid.
    pub former_id: Option<CredentialId>,
}

/// A message that one sender has until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Whose.
    pub tenant_id: TenantId,
    /// Where to.
    pub endpoint_id: Uuid,
    /// Which.
    pub message_id: MessageId,
    /// Number of the claim.
    pub claim: i64,
    /// Attempts that were made since it began to wait.
    pub attempts: u32,
    /// The body, to be sent byte for byte.
    pub body: String,
    /// Address and secrets.
    pub opening: Opening,
    /// Whether its endpoint is one of those that have been failing.
    pub failing: bool,
}

/// How an attempt came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// HTTP status; none without an answer.
    pub status: Option<u16>,
    /// In one word of the connector's.
    pub word: &'static str,
    /// From resolving the name to the end of the answer.
    pub duration_ms: u64,
    /// Where the message is from now on.
    pub state: MessageState,
    /// When it is sent next, if it still waits.
    pub next_at: Option<DateTime<Utc>>,
    /// Whether the endpoint is to blame if this was a failure.
    pub counts: bool,
}

/// What an outcome leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The lease had run out and somebody else has the message: nothing was noted.
    Fenced,
    /// Noted; since when the endpoint takes nothing, if it does not.
    Noted {
        /// Since when nothing was delivered to the endpoint.
        failing_since: Option<DateTime<Utc>>,
    },
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Messages that wait to be sent, first or once more.
    pub waiting: i64,
    /// When the oldest of them was made.
    pub oldest: Option<DateTime<Utc>>,
    /// Messages of endpoints that were switched off.
    pub paused: i64,
}

/// Messages as the sender sees them: those of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    pool: Pool,
}

impl Outbox {
    /// Over `pool`, whose role has to be `st_notifier`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Takes messages that are due at `now`, no more than `slots` say; nobody else gets them before `until`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(
        &self,
        slots: Slots,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut claimed = Vec::new();
        for (failing, places, each) in [(false, slots.sound, slots.per_endpoint), (true, slots.failing, 1)] {
            if places <= 0 {
                continue;
            }
            let mut session = self.pool.get().await?;
            let transaction = session.transaction().await?;
            let endpoints = serve(&transaction, failing, places, each, now).await?;
            if !endpoints.is_empty() {
                let share = places / i64::try_from(endpoints.len()).unwrap_or(i64::MAX);
                let most = Taking {
                    share: share.clamp(1, each),
                    each,
                    now,
                    until,
                };
                claimed.extend(take(&transaction, &endpoints, &most).await?);
            }
            transaction.commit().await?;
        }
        Ok(claimed)
    }

    /// Notes how an attempt came out.
    ///
    /// # Errors
    /// [`StoreError`]; then the lease runs out and the message is sent once more.
    pub async fn end(&self, claimed: &Claimed, outcome: &Outcome) -> Result<Ended, StoreError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        // What was switched off meanwhile stays paused unless it was delivered.
        let update = transaction
            .prepare_cached(
                "UPDATE core.webhook_messages
                    SET state = CASE WHEN state = 'paused' AND $4 <> 'delivered' THEN state ELSE $4 END,
                        attempts = attempts + 1, next_at = coalesce($5, next_at), leased_until = NULL,
                        ended_at = CASE WHEN $4 IN ('delivered', 'given_up') THEN $6::timestamptz END
                  WHERE tenant_id = $1 AND message_id = $2 AND claims = $3 AND state IN ('waiting', 'paused')
                 RETURNING attempts",
            )
            .await?;
        let tenant = claimed.tenant_id.uuid();
        let row = transaction
            .query_opt(
                &update,
                &[
                    &tenant,
                    &claimed.message_id.0,
                    &claimed.claim,
                    &outcome.state.as_str(),
                    &outcome.next_at,
                    &outcome.at,
                ],
            )
            .await?;
        let Some(row) = row else {
            return Ok(Ended::Fenced);
        };
        let attempt: i32 = row.try_get(0)?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.webhook_attempts
                        (tenant_id, message_id, claim, attempt, at, status, outcome, duration_ms)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .await?;
        transaction
            .execute(
                &insert,
                &[
                    &tenant,
                    &claimed.message_id.0,
                    &claimed.claim,
                    &attempt,
                    &outcome.at,
                    &outcome.status.map(i32::from),
                    &outcome.word,
                    &i64::try_from(outcome.duration_ms).unwrap_or(i64::MAX),
                ],
            )
            .await?;
        let failing_since = judge(&transaction, claimed, outcome).await?;
        transaction.commit().await?;
        Ok(Ended::Noted { failing_since })
    }

    /// Gives a message back that could not be tried: no attempt was made, and it is due at `next_at`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_back(&self, claimed: &Claimed, next_at: DateTime<Utc>) -> Result<(), StoreError> {
        let session = self.pool.get().await?;
        let update = session
            .prepare_cached(
                "UPDATE core.webhook_messages SET next_at = $4, leased_until = NULL
                  WHERE tenant_id = $1 AND message_id = $2 AND claims = $3",
            )
            .await?;
        let tenant = claimed.tenant_id.uuid();
        session
            .execute(
                &update,
                &[&tenant, &claimed.message_id.0, &claimed.claim, &next_at],
            )
            .await?;
        Ok(())
    }

    /// What waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT count(*) FILTER (WHERE state = 'waiting'),
                        min(created_at) FILTER (WHERE state = 'waiting'),
                        count(*) FILTER (WHERE state = 'paused')
                   FROM core.webhook_messages WHERE state IN ('waiting', 'paused')",
            )
            .await?;
        let row = session.query_one(&select, &[]).await?;
        Ok(Backlog {
            waiting: row.try_get(0)?,
            oldest: row.try_get(1)?,
            paused: row.try_get(2)?,
        })
    }

    /// Destroys messages that are older than 30 days, and their attempts with them, some thousands at a time;
    /// returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn purge(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let session = self.pool.get().await?;
        let delete = session
            .prepare_cached(
                "DELETE FROM core.webhook_messages m
                  USING (SELECT tenant_id, message_id FROM core.webhook_messages
                          WHERE created_at < $1 ORDER BY created_at LIMIT $2) old
                  WHERE m.tenant_id = old.tenant_id AND m.message_id = old.message_id",
            )
            .await?;
        Ok(session.execute(&delete, &[&(now - KEPT), &PURGED]).await?)
    }
}

/// An endpoint whose turn it is.
struct Served {
    tenant: Uuid,
    endpoint: Uuid,
    opening: Opening,
    failing: bool,
}

/// How much is taken from each endpoint.
struct Taking {
    share: i64,
    each: i64,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// Endpoints that have something due and may get more, those that were served longest ago first. Their rows
/// stay locked until the end of the transaction, so that no other sender counts at the same moment.
async fn serve(
    transaction: &Transaction<'_>,
    failing: bool,
    limit: i64,
    each: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Served>, StoreError> {
    // One probe of webhook_messages_due for each endpoint that is on.
    let update = transaction
        .prepare_cached(
            "WITH turn AS (
                 SELECT e.tenant_id, e.endpoint_id FROM core.webhook_endpoints e
                  WHERE e.disabled IS NULL AND (e.failing_since IS NOT NULL) = $1
                    AND EXISTS (SELECT FROM core.webhook_messages m
                                 WHERE m.tenant_id = e.tenant_id AND m.endpoint_id = e.endpoint_id
                                   AND m.state = 'waiting' AND m.next_at <= $2)
                    AND (SELECT count(*) FROM core.webhook_messages m
                          WHERE m.tenant_id = e.tenant_id AND m.endpoint_id = e.endpoint_id
                            AND m.leased_until > $2) < $3
                  ORDER BY e.served_at NULLS FIRST LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)
             UPDATE core.webhook_endpoints e SET served_at = $2 FROM turn
              WHERE e.tenant_id = turn.tenant_id AND e.endpoint_id = turn.endpoint_id
             RETURNING e.tenant_id, e.endpoint_id, e.address_id, e.secret_id,
                       CASE WHEN e.former_until > $2 THEN e.former_id END",
        )
        .await?;
    let rows = transaction
        .query(&update, &[&failing, &now, &each, &limit])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Served {
                tenant: row.try_get(0)?,
                endpoint: row.try_get(1)?,
                opening: Opening {
                    address_id: CredentialId(row.try_get(2)?),
                    secret_id: CredentialId(row.try_get(3)?),
                    former_id: row.try_get::<_, Option<Uuid>>(4)?.map(CredentialId),
                },
                failing,
            })
        })
        .collect()
}

/// The oldest due messages of these endpoints.
async fn take(
    transaction: &Transaction<'_>,
    endpoints: &[Served],
    most: &Taking,
) -> Result<Vec<Claimed>, StoreError> {
    let update = transaction
        .prepare_cached(
            "UPDATE core.webhook_messages m
                SET claims = m.claims + 1, next_at = $4, leased_until = $4
               FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS s(tenant, endpoint, place), LATERAL (
                    SELECT w.message_id FROM core.webhook_messages w
                     WHERE w.tenant_id = s.tenant AND w.endpoint_id = s.endpoint
                       AND w.state = 'waiting' AND w.next_at <= $3
                     ORDER BY w.next_at, w.position
                     LIMIT least($5, greatest(0, $6 - (
                           SELECT count(*) FROM core.webhook_messages l
                            WHERE l.tenant_id = s.tenant AND l.endpoint_id = s.endpoint
                              AND l.leased_until > $3)))) d
              WHERE m.tenant_id = s.tenant AND m.message_id = d.message_id
                AND m.state = 'waiting' AND m.next_at <= $3
             RETURNING s.place, m.message_id, m.claims, m.attempts, m.body",
        )
        .await?;
    let tenants: Vec<Uuid> = endpoints.iter().map(|served| served.tenant).collect();
    let ids: Vec<Uuid> = endpoints.iter().map(|served| served.endpoint).collect();
    let rows = transaction
        .query(
            &update,
            &[&tenants, &ids, &most.now, &most.until, &most.share, &most.each],
        )
        .await?;
    rows.iter().map(|row| claimed(row, endpoints)).collect()
}

fn claimed(row: &Row, endpoints: &[Served]) -> Result<Claimed, StoreError> {
    let unknown = StoreError::Inconsistent {
        table: "webhook_messages",
        column: "attempts",
    };
    let place: i64 = row.try_get(0)?;
    let served = usize::try_from(place - 1)
        .ok()
        .and_then(|place| endpoints.get(place));
    let (Some(served), Ok(attempts)) = (served, u32::try_from(row.try_get::<_, i32>(3)?)) else {
        return Err(unknown);
    };
    Ok(Claimed {
        tenant_id: TenantId(served.tenant),
        endpoint_id: served.endpoint,
        message_id: MessageId(row.try_get(1)?),
        claim: row.try_get(2)?,
        attempts,
        body: row.try_get(4)?,
        opening: served.opening,
        failing: served.failing,
    })
}

/// Remembers of an endpoint since when it takes nothing.
async fn judge(
    transaction: &Transaction<'_>,
    claimed: &Claimed,
    outcome: &Outcome,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let delivered = outcome.state == MessageState::Delivered;
    let (tenant, endpoint) = (claimed.tenant_id.uuid(), claimed.endpoint_id);
    if delivered || outcome.counts {
        // Most outcomes change nothing, and then nothing is written. An address that was changed meanwhile is
        // not judged by what came of the former one.
        let update = transaction
            .prepare_cached(
                "UPDATE core.webhook_endpoints
                    SET failing_since = CASE WHEN $3 THEN NULL ELSE $4::timestamptz END
                  WHERE tenant_id = $1 AND endpoint_id = $2 AND address_id = $5
                    AND (failing_since IS NOT NULL) = $3",
            )
            .await?;
        let address = claimed.opening.address_id.uuid();
        transaction
            .execute(&update, &[&tenant, &endpoint, &delivered, &outcome.at, &address])
            .await?;
    }
    let select = transaction
        .prepare_cached(
            "SELECT failing_since FROM core.webhook_endpoints WHERE tenant_id = $1 AND endpoint_id = $2",
        )
        .await?;
    let row = transaction.query_opt(&select, &[&tenant, &endpoint]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
}
