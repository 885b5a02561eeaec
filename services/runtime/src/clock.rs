//! The time as a parameter: the one place that asks the operating system, and a clock for tests that stands
//! still.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time, in UTC. Cheap to clone; clones of a manual clock show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    System,
    Manual(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self { kind: Kind::System }
    }

    /// A clock that shows `start` until it is advanced.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self {
            kind: Kind::Manual(Arc::new(Mutex::new(start))),
        }
    }

    /// The present time.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.kind {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the place where the time comes from"
            )]
            Kind::System => Utc::now(),
            Kind::Manual(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a manual clock, also backwards, and says whether it was one: the system's clock cannot be moved.
    pub fn advance(&self, by: TimeDelta) -> bool {
        let Kind::Manual(time) = &self.kind else {
            return false;
        };
        let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
        // At the end of chrono's calendar (year 262143) the clock stands.
        *time = time.checked_add_signed(by).unwrap_or(*time);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told_and_all_its_clones_with_it() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = Clock::manual(start);
        let other = clock.clone();
        assert_eq!(other.now(), start);
        assert!(clock.advance(TimeDelta::seconds(90)));
        assert_eq!(other.now(), start + TimeDelta::seconds(90));
    }

    #[test]
    fn the_system_clock_goes_on_and_cannot_be_moved() {
        let clock = Clock::system();
        let before = clock.now();
        assert!(!clock.advance(TimeDelta::days(1)));
        assert!(clock.now() >= before);
        assert!(clock.now() < before + TimeDelta::hours(1));
    }
}
