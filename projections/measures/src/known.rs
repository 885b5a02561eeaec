//! How much of a window of days is known. A count of orders is shown only for a window that is known as a
//! whole: ten days of orders under the name of twenty-eight look like a fall of sales.

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::{before_window, moscow_day, moscow_midnight};

/// A time without a gap in which all orders are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// What is known of the windows of 7, 14 and 28 Moscow days that end with a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownWindows {
    /// Days of the 28 of which orders are known; the last known one counts though it may not be over.
    pub days: i64,
    /// Whether 7 days are known as a whole.
    pub last_7: bool,
    /// Whether 14 days are.
    pub last_14: bool,
    /// Whether 28 days are.
    pub last_28: bool,
}

impl Known {
    /// What is known after an answer that has everything between two instants. What was known before goes on
    /// where the answer joins on to it.
    #[must_use]
    pub fn after(before: Option<Self>, since: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let joined = before.filter(|before| since <= before.until);
        Self {
            since: joined.map_or(since, |before| before.since.min(since)),
            until,
        }
    }

    /// What is known of the windows that end with `today`. A window is known as a whole from its first
    /// instant until at least yesterday: a cabinet that is read once a day would have none after midnight
    /// otherwise, and today is never over.
    #[must_use]
    pub fn windows(self, today: NaiveDate) -> KnownWindows {
        let begun = |days: u64| self.since <= first_instant(today, days);
        let yesterday = before_window(today, 1);
        let until = moscow_day(self.until).min(today);
        let lasts = until >= yesterday;
        let whole = |days| lasts && begun(days);
        let first = moscow_day(first_instant(today, 28).max(self.since));
        // A day of which only the end is known is not known.
        let first = match first.checked_add_days(Days::new(1)) {
            Some(next) if moscow_midnight(first) < self.since => next,
            _ => first,
        };
        KnownWindows {
            days: ((until - first).num_days() + 1).clamp(0, 28),
            last_7: whole(7),
            last_14: whole(14),
            last_28: whole(28),
        }
    }
}

fn first_instant(today: NaiveDate, days: u64) -> DateTime<Utc> {
    let before = before_window(today, days);
    moscow_midnight(before.checked_add_days(Days::new(1)).unwrap_or(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// What is known at noon of the 28th of October of a time.
    fn windows(since: &str, until: &str) -> KnownWindows {
        let known = Known {
            since: at(since),
            until: at(until),
        };
        known.windows("2026-10-28".parse().unwrap())
    }

    #[test]
    fn ten_known_days_are_no_window_of_twenty_eight_nor_of_fourteen() {
        let known = windows("2026-10-18T15:00:00Z", "2026-10-28T09:00:00Z");
        assert_eq!(
            known,
            KnownWindows {
                days: 10,
                last_7: true,
                last_14: false,
                last_28: false
            }
        );
    }

    #[test]
    fn a_window_begins_with_a_moscow_midnight_and_is_whole_from_there_on() {
        // The first of the 28 days is the 1st of October.
        let exactly = windows("2026-09-30T21:00:00Z", "2026-10-28T09:00:00Z");
        assert!(exactly.last_28 && exactly.days == 28);
        let late = windows("2026-09-30T21:00:01Z", "2026-10-28T09:00:00Z");
        assert!(!late.last_28 && late.last_14 && late.days == 27);
    }

    #[test]
    fn an_answer_of_yesterday_is_enough_and_an_older_one_is_not() {
        let known = |until| windows("2026-08-01T00:00:00Z", until);
        assert!(known("2026-10-26T21:00:00Z").last_7);
        let old = known("2026-10-26T20:59:59Z");
        assert_eq!((old.last_7, old.last_28, old.days), (false, false, 26));
        assert_eq!(known("2026-09-15T00:00:00Z").days, 0);
        assert_eq!(known("2026-12-01T00:00:00Z").days, 28, "no day of the future");
    }
}
