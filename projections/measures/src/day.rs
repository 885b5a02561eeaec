//! Moscow days. Both marketplaces and their sellers tell days in Moscow's time.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Moscow is UTC+3 all year round since 2014-10-26.
const MOSCOW_SECONDS_EAST: i32 = 3 * 3600;

/// The Moscow calendar day of an instant.
#[must_use]
pub fn moscow_day(at: DateTime<Utc>) -> NaiveDate {
    match FixedOffset::east_opt(MOSCOW_SECONDS_EAST) {
        Some(moscow) => at.with_timezone(&moscow).date_naive(),
        // The offset is valid; without one the UTC day is the nearest answer.
        None => at.date_naive(),
    }
}

/// The instant at which a Moscow day begins.
#[must_use]
pub fn moscow_midnight(day: NaiveDate) -> DateTime<Utc> {
    let there = day.and_time(NaiveTime::MIN).and_utc();
    there
        .checked_sub_signed(TimeDelta::seconds(MOSCOW_SECONDS_EAST.into()))
        .unwrap_or(there)
}

/// The day before the first one of a window of `days` Moscow days that ends with `today`, today included.
#[must_use]
pub fn before_window(today: NaiveDate, days: u64) -> NaiveDate {
    today.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moscow_day_begins_at_nine_in_the_evening_utc() {
        let at = |text: &str| moscow_day(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-10-01T20:59:59Z"), "2026-10-01");
        assert_eq!(at("2026-10-01T21:00:00Z"), "2026-10-02");
    }

    #[test]
    fn a_day_s_midnight_is_its_first_instant() {
        let day: NaiveDate = "2026-10-02".parse().unwrap();
        let midnight = moscow_midnight(day);
        assert_eq!(moscow_day(midnight), day);
        assert_eq!(
            moscow_day(midnight - TimeDelta::microseconds(1)),
            before_window(day, 1)
        );
    }
}
