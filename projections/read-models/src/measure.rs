//! The definitions that every number shown rests on: the Moscow day and turnover. Exact integers, because a
//! seller compares the sheet, the bot and the export with each other.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, Utc};

/// Moscow is UTC+3 all year round since 2014-10-26; both marketplaces tell days in it.
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

/// The day before the first one of a window of `days` Moscow days that ends with `today`, today included.
#[must_use]
pub fn before_window(today: NaiveDate, days: u64) -> NaiveDate {
    today.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

/// Turnover in tenths of a day: `available × 7 / orders of the last 7 days`, rounded half to even on the
/// exact fraction. None where either is zero or below.
#[must_use]
pub fn turnover_tenths(available: i64, orders_last_7: i64) -> Option<i64> {
    if available <= 0 || orders_last_7 <= 0 {
        return None;
    }
    let numerator = i128::from(available) * 70;
    let denominator = i128::from(orders_last_7);
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    let up = match (rest * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => whole % 2 == 1,
    };
    i64::try_from(whole + i128::from(up)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turnover_follows_the_worked_example() {
        let days = |available, orders| turnover_tenths(available, orders);
        assert_eq!(days(100, 50), Some(140));
        assert_eq!(days(35, 18), Some(136));
        assert_eq!(days(25, 12), Some(146));
        assert_eq!(days(150, 80), Some(131));
        assert_eq!(days(150, 78), Some(135));
    }

    #[test]
    fn turnover_rounds_halves_to_the_even_tenth() {
        // 7 / 20 = 0.35 and 7 * 3 / 20 = 1.05: both are exact halves of a tenth.
        assert_eq!(turnover_tenths(1, 20), Some(4));
        assert_eq!(turnover_tenths(3, 20), Some(10));
        assert_eq!(turnover_tenths(1, 28), Some(2));
    }

    #[test]
    fn turnover_is_empty_where_either_is_zero() {
        assert_eq!(turnover_tenths(0, 5), None);
        assert_eq!(turnover_tenths(5, 0), None);
        assert_eq!(turnover_tenths(-5, 5), None);
    }

    #[test]
    fn a_moscow_day_begins_at_nine_in_the_evening_utc() {
        let at = |text: &str| moscow_day(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-10-01T20:59:59Z"), "2026-10-01");
        assert_eq!(at("2026-10-01T21:00:00Z"), "2026-10-02");
    }
}
