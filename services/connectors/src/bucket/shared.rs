//! A token bucket that any number of processes share, and that a restart does not fill: its level lies in a
//! place outside (a key-value bucket of the broker) and changes by guarded writes. Every request is one
//! write, so what one process learns (a 429 with its delay, a refusal that costs ten) holds for the others'
//! next request.
//!
//! How to use it for another vendor: implement [`Places`] once per process (the crate `limits` does it over
//! the broker), make one [`Buckets`] of it, and ask it for a bucket by a key that names what the vendor
//! counts (`google.<project>.write`, say). Before a request [`SharedBucket::acquire`], after its answer
//! [`SharedBucket::answered`], and for what the answer cost [`SharedBucket::charge`] and
//! [`SharedBucket::close_for`].
//!
//! What it promises:
//!
//! - A key that is absent has one request in it, not a burst: nobody knows what was sent before.
//! - A delay that a process was told of, or saw, it keeps until it has passed, also when the place has
//!   forgotten it: it is entered again.
//! - When the place is away, each process goes on with a bucket of its own that starts empty and fills at a
//!   quarter of the rate, so that four processes together send no more in a while than one would. What it
//!   sent is entered afterwards.
//! - Whoever waits inside one process gets its turn in the order of asking. Processes are not ordered.
//!
//! Times are of the processes' clocks. One that is fast by a second sends what comes back in a second too
//! early, once.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::Limit;

/// How long a request waits for the place before it counts as away.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// After a failure the place is left alone for so long, microseconds.
const REST: i64 = 1_000_000;
/// Without the place a process takes so much longer for each request.
const CAREFUL: u32 = 4;
/// No vendor names a longer delay; what is further away was written by a wrong clock.
const FURTHEST: i64 = 24 * 3_600 * 1_000_000;

/// The place cannot be used at the moment.
#[derive(Debug, thiserror::Error)]
#[error("the shared level cannot be used at the moment")]
pub struct PlaceError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What a look or a write gives, in time.
pub type Placed<'a, T> = Pin<Box<dyn Future<Output = Result<T, PlaceError>> + Send + 'a>>;

/// Where levels lie. It should forget a key that was not written for some hours, and nothing else.
pub trait Places: fmt::Debug + Send + Sync {
    /// A key's value and the revision that a write has to name; `None` if there is none.
    fn get<'a>(&'a self, key: &'a str) -> Placed<'a, Option<(Bytes, u64)>>;

    /// Writes only if the key is at that revision, absent for `None`. The new revision, or `None` when
    /// somebody else was faster.
    fn put_if<'a>(&'a self, key: &'a str, value: Bytes, revision: Option<u64>) -> Placed<'a, Option<u64>>;
}

/// Now, in microseconds since some moment that all who share a place agree on.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// All buckets of a process.
pub struct Buckets {
    places: Option<Arc<dyn Places>>,
    now: Now,
    known: Mutex<HashMap<String, Arc<SharedBucket>>>,
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Buckets {
    /// Of this process alone: they begin full, and end with it. For tools and tests.
    #[must_use]
    pub fn local() -> Self {
        let start = Instant::now();
        Self {
            places: None,
            now: Arc::new(move || i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX)),
            known: Mutex::default(),
        }
    }

    /// Shared with whoever has the same place. `now` has to be the same for all of them: UTC.
    #[must_use]
    pub fn shared(places: Arc<dyn Places>, now: Now) -> Self {
        Self {
            places: Some(places),
            now,
            known: Mutex::default(),
        }
    }

    /// The bucket under a key, one per process. Keys consist of letters, digits and `-/_=.`.
    #[must_use]
    pub fn of(&self, key: &str, limit: Limit) -> Arc<SharedBucket> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = known.get(key) {
            return Arc::clone(bucket);
        }
        let bucket = Arc::new(SharedBucket {
            key: key.to_owned(),
            limit,
            places: self.places.clone(),
            now: Arc::clone(&self.now),
            cell: tokio::sync::Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        });
        known.insert(key.to_owned(), Arc::clone(&bucket));
        bucket
    }
}

/// One bucket.
pub struct SharedBucket {
    key: String,
    limit: Limit,
    places: Option<Arc<dyn Places>>,
    now: Now,
    cell: tokio::sync::Mutex<Cell>,
    turn: tokio::sync::Mutex<()>,
}

impl fmt::Debug for SharedBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBucket")
            .field("key", &self.key)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// How full a bucket is, as two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Level {
    /// When it is full again if nothing more is taken.
    full_at: i64,
    /// Nothing is taken before, because the vendor said so.
    closed_until: i64,
}

/// What happens to a level.
#[derive(Debug, Clone, Copy)]
enum Step {
    Look,
    Take,
    Charge(u32),
    Answered,
    Close(i64),
}

/// What this process knows.
#[derive(Default)]
struct Cell {
    level: Level,
    revision: Option<u64>,
    known: bool,
    /// The level this process keeps for itself while the place is away.
    alone: Option<Level>,
    /// The vendor's latest word on when the next request may be sent, told to this process or seen in the
    /// place.
    closed_until: i64,
    /// Sent meanwhile, to be entered; and how long it is closed by what the vendor told meanwhile.
    owed: u32,
    owed_closed: i64,
    resting_until: i64,
}

impl Cell {
    fn owes(&self) -> bool {
        self.owed > 0 || self.owed_closed > 0
    }
}

impl Level {
    fn absent(limit: Limit, now: i64) -> Self {
        Self {
            full_at: now + micros(limit.interval) * i64::from(limit.burst.max(1) - 1),
            closed_until: 0,
        }
    }

    /// Does the step, or says how long it has to wait.
    fn step(&mut self, step: Step, limit: Limit, now: i64) -> i64 {
        let interval = micros(limit.interval);
        let spare = interval * i64::from(limit.burst.max(1) - 1);
        let wait = (self.closed_until - now).max(self.full_at - now - spare).max(0);
        match step {
            Step::Look => return wait,
            Step::Take if wait > 0 => return wait,
            Step::Take => self.full_at = self.full_at.max(now) + interval,
            Step::Charge(requests) => self.full_at = self.full_at.max(now) + interval * i64::from(requests),
            // Without a burst the next request counts from the answer: the vendor counted this one somewhere
            // between sending and answering.
            Step::Answered if limit.burst <= 1 => self.full_at = self.full_at.max(now + interval),
            Step::Answered => {}
            Step::Close(until) => {
                self.closed_until = self.closed_until.max(until);
                // Then the vendor grants one request and fills up from there.
                self.full_at = self.full_at.max(self.closed_until + spare);
            }
        }
        0
    }

    fn to_bytes(self) -> Bytes {
        format!("{} {}", self.full_at, self.closed_until).into()
    }

    /// What was written by nobody we know, or by a clock that is far off, is bounded.
    fn from_bytes(bytes: &[u8], limit: Limit, now: i64) -> Option<Self> {
        let (full_at, closed_until) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        let longest = FURTHEST.max(micros(limit.interval) * i64::from(limit.burst.max(1)) * 2);
        Some(Self {
            full_at: full_at.parse::<i64>().ok()?.min(now + longest),
            closed_until: closed_until.parse::<i64>().ok()?.min(now + FURTHEST),
        })
    }
}

impl SharedBucket {
    /// The limit this bucket keeps.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Takes one request, waiting for it at most `patience`.
    ///
    /// # Errors
    /// The time that is missing, when it is longer than `patience`; nothing is taken then.
    pub async fn acquire(&self, patience: Duration) -> Result<(), Duration> {
        let give_up = Instant::now() + patience;
        let Ok(_turn) = tokio::time::timeout_at(give_up, self.turn.lock()).await else {
            return Err(self.wait().await.max(self.limit.interval));
        };
        loop {
            let wait = self.change(Step::Take).await;
            if wait.is_zero() {
                return Ok(());
            }
            if Instant::now() + wait > give_up {
                return Err(wait);
            }
            // It may be closed for longer while we sleep, by us or by others, so it is asked again.
            sleep(wait).await;
        }
    }

    /// Time until a request could be sent, without taking it.
    pub async fn wait(&self) -> Duration {
        self.change(Step::Look).await
    }

    /// Sends nothing before `delay` has passed, because the vendor said so. A shorter delay never opens
    /// earlier.
    pub async fn close_for(&self, delay: Duration) {
        let until = (self.now)().saturating_add(micros(delay));
        self.change(Step::Close(until)).await;
    }

    /// An answer has come.
    pub async fn answered(&self) {
        if self.limit.burst <= 1 {
            self.change(Step::Answered).await;
        }
    }

    /// Counts `requests` more, for vendors that charge failures several times.
    pub async fn charge(&self, requests: u32) {
        if requests > 0 {
            self.change(Step::Charge(requests)).await;
        }
    }

    async fn change(&self, step: Step) -> Duration {
        let mut cell = self.cell.lock().await;
        let now = (self.now)();
        if let Step::Close(until) = step {
            cell.closed_until = cell.closed_until.max(until);
        }
        let wait = match &self.places {
            None => cell.level.step(step, self.limit, now),
            Some(_) if now < cell.resting_until => self.alone(&mut cell, step, now),
            Some(places) => {
                let exchanged = self.exchange(places.as_ref(), &mut cell, step);
                match tokio::time::timeout(PATIENCE, exchanged).await {
                    Ok(Ok(wait)) => wait,
                    failed => {
                        match failed {
                            Ok(Err(error)) => {
                                tracing::warn!(error = ?error, key = self.key, "a limit is kept alone");
                            }
                            _ => tracing::warn!(key = self.key, "a limit is kept alone: no answer in time"),
                        }
                        // A write whose answer did not come may have happened: counted twice is the careful
                        // side.
                        cell.known = false;
                        cell.resting_until = (self.now)() + REST;
                        self.alone(&mut cell, step, (self.now)())
                    }
                }
            }
        };
        Duration::from_micros(u64::try_from(wait).unwrap_or(0))
    }

    /// One guarded write, again until nobody was faster. Nothing is written where there is only a wait to
    /// tell: levels fall by themselves only, so what was known is a lower bound.
    async fn exchange(&self, places: &dyn Places, cell: &mut Cell, step: Step) -> Result<i64, PlaceError> {
        let mut fresh = false;
        loop {
            if !cell.known || matches!(step, Step::Look) && !fresh {
                let found = places.get(&self.key).await?;
                let now = (self.now)();
                cell.revision = found.as_ref().map(|(_, revision)| *revision);
                cell.level = found
                    .and_then(|(bytes, _)| Level::from_bytes(&bytes, self.limit, now))
                    .unwrap_or_else(|| Level::absent(self.limit, now));
                cell.known = true;
                fresh = true;
            }
            let now = (self.now)();
            if cell.level.closed_until < cell.closed_until && cell.closed_until > now {
                // A broker that was wiped, or an older copy of it.
                cell.owed_closed = cell.owed_closed.max(cell.closed_until);
            }
            cell.closed_until = cell.closed_until.max(cell.level.closed_until);
            let mut next = cell.level;
            if cell.owed > 0 {
                next.step(Step::Charge(cell.owed), self.limit, now);
            }
            if cell.owed_closed > 0 {
                next.step(Step::Close(cell.owed_closed), self.limit, now);
            }
            let wait = next.step(step, self.limit, now);
            if next == cell.level && !cell.owes() {
                cell.alone = None;
                return Ok(wait);
            }
            if let Some(revision) = places.put_if(&self.key, next.to_bytes(), cell.revision).await? {
                cell.level = next;
                cell.revision = Some(revision);
                (cell.owed, cell.owed_closed, cell.alone) = (0, 0, None);
                return Ok(wait);
            }
            cell.known = false;
        }
    }

    /// The same without the place: carefully, and remembered for later.
    fn alone(&self, cell: &mut Cell, step: Step, now: i64) -> i64 {
        let careful = Limit {
            interval: self.limit.interval * CAREFUL,
            burst: 1,
        };
        let (known, told) = (cell.level, cell.closed_until);
        let level = cell.alone.get_or_insert_with(|| Level {
            full_at: known.full_at.max(now + micros(careful.interval)),
            closed_until: known.closed_until.max(told),
        });
        let wait = level.step(step, careful, now);
        match step {
            Step::Take if wait == 0 => cell.owed += 1,
            Step::Charge(requests) => cell.owed += requests,
            Step::Close(until) => cell.owed_closed = cell.owed_closed.max(until),
            _ => {}
        }
        wait
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4096)
}

#[cfg(test)]
mod tests;
