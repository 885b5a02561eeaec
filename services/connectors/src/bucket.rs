//! Token buckets: they keep us inside a vendor's limits so that a 429 is the exception, and remember the
//! delay when one comes all the same. [`Bucket`] lies in process memory, [`SharedBucket`] where several
//! processes find it.

pub mod shared;

pub use shared::{Buckets, Now, PlaceError, Placed, Places, SharedBucket};

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a group of endpoints may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Time in which one request comes back once the burst is used up.
    pub interval: Duration,
    /// Requests that may be sent at once after a long rest.
    pub burst: u32,
}

impl Limit {
    /// The same limit on a clock that runs `speed` times as fast (1.0 against real vendors).
    #[must_use]
    pub fn at_speed(self, speed: f64) -> Self {
        if speed > 1.0 && speed.is_finite() {
            Self {
                interval: self.interval.div_f64(speed),
                ..self
            }
        } else {
            self
        }
    }
}

#[derive(Debug)]
struct State {
    tokens: f64,
    counted_at: Instant,
    closed_until: Option<Instant>,
}

/// One bucket. Those who wait get their turn in the order they came.
#[derive(Debug)]
pub struct Bucket {
    limit: Limit,
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        let state = State {
            tokens: f64::from(limit.burst.max(1)),
            counted_at: Instant::now(),
            closed_until: None,
        };
        Self {
            limit,
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::new(()),
        }
    }

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
            return Err(self.wait().max(self.limit.interval));
        };
        loop {
            let wait = self.take();
            if wait.is_zero() {
                return Ok(());
            }
            if Instant::now() + wait > give_up {
                return Err(wait);
            }
            // The bucket may be closed for longer while we sleep, so it is asked again afterwards.
            sleep(wait).await;
        }
    }

    /// Time until a request could be sent, without taking it.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let mut state = self.state();
        let now = Instant::now();
        self.refill(&mut state, now);
        self.missing(&state, now)
    }

    /// Sends nothing before `delay` has passed, because the vendor said so. A shorter delay never opens
    /// earlier.
    pub fn close_for(&self, delay: Duration) {
        let mut state = self.state();
        let until = Instant::now() + delay;
        state.closed_until = Some(state.closed_until.map_or(until, |known| known.max(until)));
        // After a refusal the vendor's bucket is empty; ours follows, with the one request the delay grants.
        state.tokens = state.tokens.min(1.0);
    }

    /// An answer has come. Without a burst the next request counts from here: the vendor counted this one
    /// somewhere between sending and answering, and a bucket that assumes the sending is early by the
    /// latency.
    pub fn answered(&self) {
        if self.limit.burst <= 1 {
            let mut state = self.state();
            state.tokens = state.tokens.min(0.0);
            state.counted_at = Instant::now();
        }
    }

    /// Counts `requests` more, for vendors that charge failures several times.
    pub fn charge(&self, requests: u32) {
        let mut state = self.state();
        let now = Instant::now();
        self.refill(&mut state, now);
        state.tokens -= f64::from(requests);
    }

    fn take(&self) -> Duration {
        let mut state = self.state();
        let now = Instant::now();
        self.refill(&mut state, now);
        let wait = self.missing(&state, now);
        if wait.is_zero() {
            state.tokens -= 1.0;
        }
        wait
    }

    fn missing(&self, state: &State, now: Instant) -> Duration {
        let closed = state
            .closed_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        // A millionth of a token is rounding, not a request.
        let tokens = (1.0 - 1e-6 - state.tokens).max(0.0);
        closed.max(self.limit.interval.mul_f64(tokens))
    }

    fn refill(&self, state: &mut State, now: Instant) {
        let passed = now.saturating_duration_since(state.counted_at);
        let interval = self.limit.interval.as_secs_f64();
        let burst = f64::from(self.limit.burst.max(1));
        let gained = if interval > 0.0 {
            passed.as_secs_f64() / interval
        } else {
            burst
        };
        state.tokens = (state.tokens + gained).min(burst);
        state.counted_at = now;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in a critical section can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Limit};
    use std::time::Duration;
    use tokio::time::Instant;

    const LIMIT: Limit = Limit {
        interval: Duration::from_secs(20),
        burst: 2,
    };
    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_next_one_waits_an_interval() {
        let bucket = Bucket::new(LIMIT);
        let start = Instant::now();
        for _ in 0..4 {
            bucket.acquire(HOUR).await.unwrap();
        }
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(39_990), "{waited:?}");
        assert!(waited < Duration::from_millis(40_100), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_told_delay_is_obeyed_even_with_requests_left() {
        let bucket = Bucket::new(LIMIT);
        bucket.close_for(Duration::from_secs(90));
        bucket.close_for(Duration::from_secs(5));
        let start = Instant::now();
        bucket.acquire(HOUR).await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(90));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_beyond_the_patience_is_an_error_that_names_it_and_takes_nothing() {
        let bucket = Bucket::new(LIMIT);
        bucket.close_for(HOUR);
        let missing = bucket.acquire(Duration::from_secs(60)).await.unwrap_err();
        assert!(missing > Duration::from_secs(3590), "{missing:?}");
        assert!(bucket.wait() > Duration::from_secs(3590));
    }

    #[tokio::test(start_paused = true)]
    async fn charged_requests_delay_the_next_one() {
        let bucket = Bucket::new(LIMIT);
        bucket.charge(9);
        assert!(bucket.wait() > Duration::from_secs(159), "{:?}", bucket.wait());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_burst_the_interval_counts_from_the_answer() {
        let bucket = Bucket::new(Limit { burst: 1, ..LIMIT });
        bucket.acquire(HOUR).await.unwrap();
        tokio::time::advance(Duration::from_secs(3)).await;
        bucket.answered();
        assert!(
            bucket.wait() > Duration::from_millis(19_990),
            "{:?}",
            bucket.wait()
        );
    }

    #[test]
    fn speed_never_slows_a_limit_down() {
        assert_eq!(LIMIT.at_speed(1000.0).interval, Duration::from_millis(20));
        assert_eq!(LIMIT.at_speed(1.0), LIMIT);
        assert_eq!(LIMIT.at_speed(0.0).interval, LIMIT.interval);
    }
}
