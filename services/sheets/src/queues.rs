//! The queues of requests to Google, in the database that all processes share. A queue is one time: when its
//! next request is due. Whoever asks moves it on by one interval and waits for the time that was there, so
//! requests are served in the order in which they were asked for, whichever process asks: a sheet that has
//! much to write holds one place at a time and stands behind all others again after each of its batches.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use connectors::google::{Turn, Turns};
use database::{DatabaseError, Pool};

/// `core.google_quotas`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queues {
    pool: Pool,
}

/// A place is given only when it is near enough; the database's clock is the one that all share.
const TAKE: &str = "\
    INSERT INTO core.google_quotas AS q (name, next_at) \
    VALUES ($1, clock_timestamp() - make_interval(secs => $3) + make_interval(secs => $2)) \
    ON CONFLICT (name) DO UPDATE \
       SET next_at = greatest(q.next_at, clock_timestamp() - make_interval(secs => $3)) \
                     + make_interval(secs => $2) \
     WHERE q.next_at <= clock_timestamp() + make_interval(secs => $4) \
 RETURNING extract(epoch FROM next_at - clock_timestamp())::float8";

impl Queues {
    /// Over the pool of a role that may use the table.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    async fn try_take(&self, turn: Turn<'_>) -> Result<Result<Duration, Duration>, DatabaseError> {
        let seconds = |time: Duration| time.as_secs_f64();
        let interval = seconds(turn.interval);
        // So many may go at once after a rest: the first of them is due at once, and so are the next ones.
        let rest = interval * f64::from(turn.burst.saturating_sub(1));
        let session = self.pool.get().await?;
        let statement = session.prepare_cached(TAKE).await?;
        let row = session
            .query_opt(
                &statement,
                &[&turn.queue, &interval, &rest, &seconds(turn.patience)],
            )
            .await?;
        if let Some(row) = row {
            let until_next: f64 = row.try_get(0)?;
            return Ok(Ok(duration(until_next - interval)));
        }
        let statement = session
            .prepare_cached(
                "SELECT extract(epoch FROM next_at - clock_timestamp())::float8 FROM core.google_quotas \
                  WHERE name = $1",
            )
            .await?;
        let row = session.query_opt(&statement, &[&turn.queue]).await?;
        let missing: f64 = row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
        Ok(Err(duration(missing)))
    }

    async fn try_close(&self, queue: &str, time: Duration) -> Result<(), DatabaseError> {
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "INSERT INTO core.google_quotas AS q (name, next_at) \
                 VALUES ($1, clock_timestamp() + make_interval(secs => $2)) \
                 ON CONFLICT (name) DO UPDATE SET next_at = greatest(q.next_at, EXCLUDED.next_at)",
            )
            .await?;
        session
            .execute(&statement, &[&queue, &time.as_secs_f64()])
            .await?;
        Ok(())
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl Turns for Queues {
    fn take<'a>(
        &'a self,
        turn: Turn<'a>,
    ) -> Pin<Box<dyn Future<Output = Option<Result<Duration, Duration>>> + Send + 'a>> {
        Box::pin(async move {
            match self.try_take(turn).await {
                Ok(answer) => Some(answer),
                Err(error) => {
                    tracing::warn!(error = ?error, "this process keeps to Google's quota by itself");
                    None
                }
            }
        })
    }

    fn close<'a>(&'a self, queue: &'a str, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            if let Err(error) = self.try_close(queue, time).await {
                tracing::debug!(error = ?error, "other processes hear of a closed quota from Google");
            }
        })
    }
}
