//! The fan-out at work: it reads the log from where it stopped, and writes the notices of a page together
//! with the position. One instance is active, by a lease. Read again, a page makes the same notices under the
//! same ids.

use std::sync::Arc;
use std::time::Duration;

use application::domain::notice::NoticeKind;
use chrono::TimeDelta;
use database::Pool;
use event_store::{GlobalReader, ReadError, Subscription};
use notifications::{Channel, FanOut, Lease, StoreError, Work, WriteError};
use runtime::{Clock, Ids};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fan::{Read, page, replanned, tenants};

/// What became of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Sent.
    Delivered,
    /// Not worth sending any more, or not wanted.
    LeftOut,
    /// The channel refuses the message.
    Refused,
    /// A call was made again whose end is not known: the receiver may have them twice.
    Repeated,
}

impl Outcome {
    /// Stable word for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::LeftOut => "left_out",
            Self::Refused => "refused",
            Self::Repeated => "repeated",
        }
    }
}

/// Is told what became of how many notices of a kind.
pub type Observer = Arc<dyn Fn(Outcome, NoticeKind, Channel, u64) + Send + Sync>;

/// Why a round did not work; the next one starts from the same place.
#[derive(Debug, thiserror::Error)]
pub enum FanOutError {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The notices cannot be written.
    #[error("notices cannot be written")]
    Write(#[from] WriteError),
}

impl From<StoreError> for FanOutError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}

/// Notices that ended are kept for so long.
pub const KEPT: TimeDelta = TimeDelta::days(30);
/// How often older ones are destroyed.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);
/// Notices destroyed at a time.
const PURGED: i32 = 5_000;

/// How the fan-out works.
#[derive(Debug, Clone, Copy)]
pub struct FanOutOptions {
    /// Events of one page.
    pub page: i64,
    /// Floor beneath the wakes: how late it may notice an event whose hint was lost.
    pub poll: Duration,
    /// How long the lease lasts unless it is renewed.
    pub lease: Duration,
    /// Members planned anew in one round.
    pub members: i64,
}

impl Default for FanOutOptions {
    fn default() -> Self {
        Self {
            page: 1_000,
            poll: Duration::from_millis(500),
            lease: Duration::from_secs(10),
            members: 100,
        }
    }
}

/// The fan-out and its means.
#[derive(Clone)]
pub struct Fanning {
    /// Acts as the notifier.
    pub pool: Pool,
    /// Now.
    pub clock: Clock,
    /// Names this instance.
    pub ids: Ids,
    /// How it works.
    pub options: FanOutOptions,
    /// Who is told.
    pub observer: Observer,
}

impl Fanning {
    /// Runs until told to stop. Any number of processes may; one at a time works.
    pub async fn run(&self, mut wake: Subscription, stop: CancellationToken) {
        let mut lease = None;
        while !stop.is_cancelled() {
            match self.term(&mut lease, &mut wake, &stop).await {
                Ok(()) => {}
                Err(FanOutError::Write(WriteError::Fenced)) => {
                    tracing::info!("another instance makes the notices");
                    lease = None;
                }
                Err(error) => tracing::warn!(error = ?error, "making notices failed"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.options.poll) => {}
            }
        }
        if let Some(lease) = lease
            && let Err(error) = lease.release(&self.pool).await
        {
            tracing::debug!(error = ?error, "the lease of the fan-out runs out by itself");
        }
    }

    /// Works until something fails or the end comes; returns at once while another instance works.
    async fn term(
        &self,
        lease: &mut Option<Lease>,
        wake: &mut Subscription,
        stop: &CancellationToken,
    ) -> Result<(), FanOutError> {
        let lasting = self.options.lease;
        if lease.is_none() {
            *lease = Lease::take(&self.pool, Work::FanOut, self.ids.next(), lasting).await?;
        }
        let Some(lease) = *lease else { return Ok(()) };
        lease.renew(&self.pool, lasting).await?;
        let mut renewed = Instant::now();
        let mut purged: Option<Instant> = None;
        while !stop.is_cancelled() {
            if renewed.elapsed() > lasting / 3 {
                lease.renew(&self.pool, lasting).await?;
                renewed = Instant::now();
            }
            if purged.is_none_or(|at| at.elapsed() > PURGE_EVERY) {
                let before = self.clock.now() - KEPT;
                let purge = FanOut::new(self.pool.clone()).purge(before, PURGED).await?;
                // What is left goes in the next round.
                purged = (purge < i64::from(PURGED)).then(Instant::now);
            }
            if self.round(&lease).await? == 0 {
                tokio::select! {
                    () = stop.cancelled() => {}
                    _woken = wake.changed_or(self.options.poll) => {}
                }
            }
        }
        Ok(())
    }

    /// One round: takes up a page, then plans anew what waits for members who chose otherwise. Returns how
    /// many events it took up.
    ///
    /// # Errors
    /// [`FanOutError`].
    pub async fn round(&self, lease: &Lease) -> Result<usize, FanOutError> {
        let tables = FanOut::new(self.pool.clone());
        let reader = GlobalReader::new(self.pool.clone());
        let after = tables.position().await?;
        let events = reader.read_after(after, self.options.page).await?;
        let taken = events.len();
        if taken > 0 {
            let now = self.clock.now();
            let read: Vec<Read> = events.into_iter().map(Read::of).collect();
            let receivers = match tenants(&read) {
                none if none.is_empty() => Default::default(),
                some => tables.receivers(&some, now).await?,
            };
            let page = page(after, &read, &receivers, now);
            for (kind, number) in tables.write(lease, &page, now).await? {
                (self.observer)(Outcome::LeftOut, kind, Channel::Telegram, number);
            }
        }
        for (receiver, version) in tables.to_replan(self.options.members).await? {
            let waiting = tables.waiting_for(&receiver).await?;
            let plans = replanned(&receiver, &waiting);
            tables
                .replanned(lease, &receiver, version, &plans, self.clock.now())
                .await?;
        }
        Ok(taken)
    }
}

/// How far the notices are behind the log.
///
/// # Errors
/// [`FanOutError`].
pub async fn lag(pool: &Pool) -> Result<event_store::Behind, FanOutError> {
    let position = FanOut::new(pool.clone()).position().await?;
    Ok(GlobalReader::new(pool.clone()).behind(position).await?)
}
