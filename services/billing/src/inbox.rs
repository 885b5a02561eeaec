//! What Stripe sent, stored once by the id of the event before it is acknowledged, and what became of it.
//!
//! A claim is a time until which nobody else takes the event up, not a transaction: asking Stripe takes
//! seconds. A process that dies leaves its claims to run out.

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use tokio_postgres::Row;

use crate::StoreError;

/// How long a body is kept. Stripe lists events of 30 days; after that it cannot be compared any more.
const BODIES: TimeDelta = TimeDelta::days(30);
/// How long an event that was not ours is remembered: longer than Stripe could send or list it again.
const IGNORED: TimeDelta = TimeDelta::days(60);

/// An event as it came.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Stripe's id of it, `evt_…`.
    pub event_id: &'a str,
    /// Stripe's word for what happened.
    pub event_type: &'a str,
    /// The version of Stripe's API in which it is written; none for thin events.
    pub api_version: Option<&'a str>,
    /// The customer it is about, where it names one.
    pub customer: Option<&'a str>,
    /// The raw body. It may name a payer.
    pub body: &'a [u8],
}

/// An event that a process has taken up.
#[derive(Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Stripe's id of it.
    pub event_id: String,
    /// The customer it is about, where it names one.
    pub customer: Option<String>,
    /// The raw body; none where its customer was erased meanwhile.
    pub body: Option<Vec<u8>>,
    /// How often it was taken up, this time included.
    pub attempts: i32,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

impl std::fmt::Debug for Claimed {
    /// Without the body, which may name a payer.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed")
            .field("event_id", &self.event_id)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// How an event ended. A reason is a few words for operators without anything of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// What it says is in the log, or was there already.
    Done,
    /// It is nothing of ours, or says the same as another event. Its body is destroyed at once.
    Ignored(String),
    /// It cannot be used; an operator has to look at it.
    Failed(String),
}

/// What is in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Events that wait.
    pub pending: i64,
    /// When the oldest of them arrived.
    pub oldest: Option<DateTime<Utc>>,
    /// Events that could not be used.
    pub failed: i64,
}

/// The events that Stripe sent. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    pool: Pool,
}

impl Inbox {
    /// Over `pool`, whose role is `st_api` for storing and `st_worker` for everything.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// The connections it uses.
    #[must_use]
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Stores an event that arrived at `now`; false if it is known. One statement, which is its own
    /// transaction: once this returns, the event is not lost.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn store(&self, received: &Received<'_>, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let session = self.pool.get().await?;
        let insert = session
            .prepare_cached(
                "INSERT INTO core.stripe_events
                        (event_id, event_type, api_version, customer, body, received_at, next_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (event_id) DO NOTHING",
            )
            .await?;
        let stored = session
            .execute(
                &insert,
                &[
                    &received.event_id,
                    &received.event_type,
                    &received.api_version,
                    &received.customer,
                    &received.body,
                    &now,
                ],
            )
            .await?;
        Ok(stored > 0)
    }

    /// Takes the event that is due longest, with up to `limit` others of the same customer, whose state at
    /// Stripe is then asked for once. Nobody else gets them before `until`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Claimed>, StoreError> {
        let session = self.pool.get().await?;
        let claim = session
            .prepare_cached(
                "WITH first AS (
                     SELECT event_id, customer FROM core.stripe_events
                      WHERE state = 'pending' AND next_at <= $1
                      ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED),
                 others AS (
                     SELECT event_id FROM core.stripe_events
                      WHERE customer = (SELECT customer FROM first) AND state = 'pending' AND next_at <= $1
                      LIMIT $3 FOR UPDATE SKIP LOCKED)
                 UPDATE core.stripe_events e SET attempts = e.attempts + 1, next_at = $2
                  WHERE e.event_id IN (SELECT event_id FROM first UNION ALL SELECT event_id FROM others)
                 RETURNING e.event_id, e.customer, e.body, e.attempts, e.received_at",
            )
            .await?;
        let rows = session.query(&claim, &[&now, &until, &limit]).await?;
        rows.iter().map(claimed).collect()
    }

    /// Says how an event ended, and whose it turned out to be. An event that has ended stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish(
        &self,
        event_id: &str,
        customer: Option<&str>,
        end: &End,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (state, why) = match end {
            End::Done => ("done", None),
            End::Ignored(why) => ("ignored", Some(why.as_str())),
            End::Failed(why) => ("failed", Some(why.as_str())),
        };
        let session = self.pool.get().await?;
        let update = session
            .prepare_cached(
                "UPDATE core.stripe_events
                    SET state = $2, why = $3, handled_at = $4, customer = coalesce($5, customer),
                        body = CASE WHEN $2 = 'ignored' THEN NULL ELSE body END
                  WHERE event_id = $1 AND state = 'pending'",
            )
            .await?;
        session
            .execute(&update, &[&event_id, &state, &why, &now, &customer])
            .await?;
        Ok(())
    }

    /// Puts an event off until `next_at` and remembers why.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_off(&self, event_id: &str, next_at: DateTime<Utc>, why: &str) -> Result<(), StoreError> {
        let session = self.pool.get().await?;
        let update = session
            .prepare_cached(
                "UPDATE core.stripe_events SET next_at = $2, why = $3
                  WHERE event_id = $1 AND state = 'pending'",
            )
            .await?;
        session.execute(&update, &[&event_id, &next_at, &why]).await?;
        Ok(())
    }

    /// Whether an event was stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has(&self, event_id: &str) -> Result<bool, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached("SELECT EXISTS (SELECT FROM core.stripe_events WHERE event_id = $1)")
            .await?;
        Ok(session.query_one(&select, &[&event_id]).await?.try_get(0)?)
    }

    /// How much waits, and how much failed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let session = self.pool.get().await?;
        // Both subqueries read a partial index, which holds only these events.
        let select = session
            .prepare_cached(
                "SELECT p.count, p.oldest, (SELECT count(*) FROM core.stripe_events WHERE state = 'failed')
                   FROM (SELECT count(*), min(received_at) AS oldest
                           FROM core.stripe_events WHERE state = 'pending') p",
            )
            .await?;
        let row = session.query_one(&select, &[]).await?;
        Ok(Backlog {
            pending: row.try_get(0)?,
            oldest: row.try_get(1)?,
            failed: row.try_get(2)?,
        })
    }

    /// Destroys bodies that are older than 30 days and forgets what was not ours after 60; returns how many
    /// rows that concerned. Events that still wait keep their bodies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn purge(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let session = self.pool.get().await?;
        let bodies = session
            .prepare_cached(
                "UPDATE core.stripe_events SET body = NULL
                  WHERE body IS NOT NULL AND received_at < $1 AND state <> 'pending'",
            )
            .await?;
        let emptied = session.execute(&bodies, &[&(now - BODIES)]).await?;
        let ignored = session
            .prepare_cached("DELETE FROM core.stripe_events WHERE received_at < $1 AND state = 'ignored'")
            .await?;
        let gone = session.execute(&ignored, &[&(now - IGNORED)]).await?;
        Ok(emptied + gone)
    }

    /// Destroys what arrived for a customer. The ids of the events stay, so that none of them is taken for
    /// new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn destroy(&self, customer: &str, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let session = self.pool.get().await?;
        let update = session
            .prepare_cached(
                "UPDATE core.stripe_events
                    SET body = NULL, customer = NULL, handled_at = coalesce(handled_at, $2),
                        why = CASE WHEN state = 'pending' THEN 'erased' ELSE why END,
                        state = CASE WHEN state = 'pending' THEN 'ignored' ELSE state END
                  WHERE customer = $1",
            )
            .await?;
        Ok(session.execute(&update, &[&customer, &now]).await?)
    }
}

fn claimed(row: &Row) -> Result<Claimed, StoreError> {
    Ok(Claimed {
        event_id: row.try_get(0)?,
        customer: row.try_get(1)?,
        body: row.try_get(2)?,
        attempts: row.try_get(3)?,
        received_at: row.try_get(4)?,
    })
}
