//! The first answer to every request that carries an `Idempotency-Key`, so that a client that lost the answer
//! may ask again. It is a convenience over the event store's own rule: the command's id is derived from the
//! same key, so even without the row here a repeated command appends nothing.

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use events::ids::TenantId;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{StoreError, resets};

/// How long an answer is kept at least.
pub const KEPT: TimeDelta = TimeDelta::hours(24);
/// How long a login that was never opened is kept: longer than an invitation lasts.
const UNOPENED: TimeDelta = TimeDelta::days(4);
/// After this time a request that never ended is believed dead (its process was killed), and the next one
/// with its key takes over. Longer than any request is allowed to run.
const BELIEVED_RUNNING: TimeDelta = TimeDelta::seconds(90);

/// How long a session that is over is kept, for whoever looks at it.
const OVER: TimeDelta = TimeDelta::days(1);
/// Sessions, and tokens, that are removed in one transaction.
const AT_ONCE: i32 = 5_000;

const TABLE: &str = "idempotency_keys";

/// Names one request. The scope is the tenant, or the nil uuid before there is one. Not to be printed:
/// clients put secrets into keys.
#[derive(Clone)]
pub struct RequestKey {
    /// Tenant.
    pub scope: TenantId,
    /// Method and route pattern.
    pub route: String,
    /// What the client sent, and what else tells its sender from others where the scope is shared.
    pub key: String,
}

impl RequestKey {
    /// The key as it is kept. Clients make it up and some put into it what should not be kept, such as an
    /// address. The hash needs no secret: whoever reads the table learns no more than from the command's id
    /// in the log, which is derived from the same words.
    fn kept(&self) -> String {
        hex::encode(Sha256::digest(self.key.as_bytes()))
    }
}

/// An answer as it went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers that belong to the answer and not to the connection.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Do it; nobody else does.
    Yours,
    /// The same request is being worked on.
    Running,
    /// The key was used for something else.
    Mismatch,
    /// It was answered; this is the answer.
    Answered(Answer),
}

/// The answers of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct IdempotencyKeys {
    pool: Pool,
}

impl IdempotencyKeys {
    /// Answers over `pool`, whose role has to be `st_api` or `st_gateway`; `st_worker` may only purge.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Claims a request. `fingerprint` is a keyed hash of everything that makes it what it is; `older` are
    /// the same under keys that were in use before, so that a change of keys makes no request another one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(
        &self,
        request: &RequestKey,
        fingerprint: &[u8],
        older: &[&[u8]],
        now: DateTime<Utc>,
    ) -> Result<Claim, StoreError> {
        let mut session = self.pool.tenant(request.scope).await?;
        let transaction = session.begin().await?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.idempotency_keys AS k
                        (scope, route, key, fingerprint, state, created_at, claimed_at)
                 VALUES ($1, $2, $3, $4, 'running', $5, $5)
                 ON CONFLICT (scope, route, key) DO UPDATE SET claimed_at = EXCLUDED.claimed_at
                  WHERE k.state = 'running' AND k.claimed_at < $6
                    AND (k.fingerprint = EXCLUDED.fingerprint OR k.fingerprint = ANY ($7))",
            )
            .await?;
        let (scope, key) = (request.scope.uuid(), request.kept());
        let dead_before = now - BELIEVED_RUNNING;
        let taken = transaction
            .execute(
                &insert,
                &[
                    &scope,
                    &request.route,
                    &key,
                    &fingerprint,
                    &now,
                    &dead_before,
                    &older,
                ],
            )
            .await?;
        if taken == 1 {
            transaction.commit().await?;
            return Ok(Claim::Yours);
        }
        let select = transaction
            .prepare_cached(
                "SELECT fingerprint, state, status, headers, body FROM core.idempotency_keys
                  WHERE scope = $1 AND route = $2 AND key = $3",
            )
            .await?;
        let row = transaction
            .query_opt(&select, &[&scope, &request.route, &key])
            .await?;
        transaction.commit().await?;
        // The row vanished between the two statements: its request was released, and this one may come again.
        let Some(row) = row else { return Ok(Claim::Running) };
        let stored: &[u8] = row.try_get(0)?;
        let same = |known: &[u8]| bool::from(stored.ct_eq(known));
        if !same(fingerprint) && !older.iter().any(|known| same(known)) {
            return Ok(Claim::Mismatch);
        }
        if row.try_get::<_, &str>(1)? != "done" {
            return Ok(Claim::Running);
        }
        let status: i32 = row.try_get(2)?;
        let headers: &str = row.try_get(3)?;
        Ok(Claim::Answered(Answer {
            status: u16::try_from(status).map_err(|source| StoreError::malformed(TABLE, "status", source))?,
            headers: serde_json::from_str(headers)
                .map_err(|source| StoreError::malformed(TABLE, "headers", source))?,
            body: row.try_get(4)?,
        }))
    }

    /// Keeps the answer to a claimed request.
    ///
    /// # Errors
    /// [`StoreError`]; the command itself is done all the same.
    pub async fn finish(&self, request: &RequestKey, answer: &Answer) -> Result<(), StoreError> {
        let headers = serde_json::to_string(&answer.headers).map_err(|_syntax| StoreError::Inconsistent {
            table: "idempotency_keys",
            column: "headers",
        })?;
        let mut session = self.pool.tenant(request.scope).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.idempotency_keys SET state = 'done', status = $4, headers = $5, body = $6
                  WHERE scope = $1 AND route = $2 AND key = $3",
            )
            .await?;
        transaction
            .execute(
                &update,
                &[
                    &request.scope.uuid(),
                    &request.route,
                    &request.kept(),
                    &i32::from(answer.status),
                    &headers,
                    &answer.body,
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Gives a claim back: the request was refused before it did anything, or failed in a way that another
    /// attempt may mend.
    ///
    /// # Errors
    /// [`StoreError`]; the claim then lapses by itself.
    pub async fn release(&self, request: &RequestKey) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(request.scope).await?;
        let transaction = session.begin().await?;
        let delete = transaction
            .prepare_cached(
                "DELETE FROM core.idempotency_keys
                  WHERE scope = $1 AND route = $2 AND key = $3 AND state = 'running'",
            )
            .await?;
        transaction
            .execute(&delete, &[&request.scope.uuid(), &request.route, &request.kept()])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Forgets answers of all tenants that are older than [`KEPT`], and beside them codes, half-made logins
    /// and sessions that are over; returns how many answers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn purge(&self, now: DateTime<Utc>) -> Result<i64, StoreError> {
        let session = self.pool.get().await?;
        let purge = session
            .prepare_cached("SELECT core.purge_idempotency_keys($1)")
            .await?;
        let answers: i64 = session.query_one(&purge, &[&(now - KEPT)]).await?.try_get(0)?;
        let leftovers = session
            .prepare_cached("SELECT core.purge_leftovers($1, $2)")
            .await?;
        let (codes, logins) = (now - resets::REPEATED, now - UNOPENED);
        session.query_one(&leftovers, &[&codes, &logins]).await?;
        let sessions = session
            .prepare_cached("SELECT core.purge_sessions($1, $2)")
            .await?;
        loop {
            let over: i64 = session
                .query_one(&sessions, &[&(now - OVER), &AT_ONCE])
                .await?
                .try_get(0)?;
            if over == 0 {
                return Ok(answers);
            }
        }
    }
}
