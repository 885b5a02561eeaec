//! Time is a parameter of every simulator, so that a test can hold it still and a demo can let it run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

/// The simulators' time: a start plus either real elapsed time or only what was added by hand.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start: DateTime<Utc>,
    since: Option<Instant>,
    added: Mutex<TimeDelta>,
}

impl Clock {
    /// Starts at `start` and runs with real time.
    #[must_use]
    pub fn running(start: DateTime<Utc>) -> Self {
        Self::new(start, Some(Instant::now()))
    }

    /// Stands at `start` until [`Clock::add`] moves it.
    #[must_use]
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::new(start, None)
    }

    /// Runs with the machine's own time, which a client with real tokens needs.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulators' one place that asks for the real time"
    )]
    pub fn system() -> Self {
        Self::running(Utc::now())
    }

    fn new(start: DateTime<Utc>, since: Option<Instant>) -> Self {
        Self(Arc::new(Inner {
            start,
            since,
            added: Mutex::new(TimeDelta::zero()),
        }))
    }

    /// The simulated moment.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let added = *self.0.added.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = self
            .0
            .since
            .and_then(|since| TimeDelta::from_std(since.elapsed()).ok())
            .unwrap_or_else(TimeDelta::zero);
        self.0.start + elapsed + added
    }

    /// Moves the clock forward.
    pub fn add(&self, by: TimeDelta) {
        *self.0.added.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// Whether the clock stands still by itself.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.0.since.is_none()
    }
}
