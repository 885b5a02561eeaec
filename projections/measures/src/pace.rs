//! How fast a product sells while there is something to sell.
//!
//! *Velocity* of a window is the units ordered in it and not cancelled, divided by the time in it during
//! which units were available. Units that came back later were sold all the same: they count. *Days of stock*
//! are the units available divided by the velocity. Both are exact fractions of integers; only what is shown
//! is rounded.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::day::moscow_day;
use crate::tenths::{Tenths, round_half_even};

/// Fewer units sold than this say nothing about days of stock.
pub const LEAST_SALES: i64 = 5;

const MICROSECONDS_A_DAY: i128 = 86_400_000_000;

/// A time during which something could be sold, the end not included.
pub type Spell = (DateTime<Utc>, DateTime<Utc>);

/// The time between `from` and `until` that at least one of the spells covers.
#[must_use]
pub fn covered(mut spells: Vec<Spell>, from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
    spells.sort_unstable();
    let (mut sum, mut reached) = (TimeDelta::zero(), from);
    for (began, ended) in spells {
        let (began, ended) = (began.max(reached), ended.min(until));
        if began < ended {
            sum += ended - began;
            reached = ended;
        }
    }
    sum
}

/// What a window saw: units sold, and for how long there was something to sell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// Units ordered and not cancelled.
    pub units: i64,
    /// Microseconds during which units were available.
    pub in_stock: i64,
}

impl Pace {
    /// Units a day in thousandths, half to even; none where nothing was ever available.
    #[must_use]
    pub fn per_day_milli(self) -> Option<i64> {
        if self.in_stock <= 0 || self.units < 0 {
            return None;
        }
        let numerator = i128::from(self.units) * MICROSECONDS_A_DAY * 1000;
        i64::try_from(round_half_even(numerator, self.in_stock.into())).ok()
    }

    /// Days that `available` units last, one decimal, half to even; none where fewer than [`LEAST_SALES`]
    /// units were sold, or where there is nothing left to last.
    #[must_use]
    pub fn days_of_stock(self, available: i64) -> Option<Tenths> {
        let (numerator, units) = self.lasts(available)?;
        let tenths = round_half_even(numerator * 10, units * MICROSECONDS_A_DAY);
        i64::try_from(tenths).ok().map(Tenths)
    }

    /// The Moscow day on which `available` units, counted at `at`, are gone; none where that is not known or
    /// beyond the calendar.
    #[must_use]
    pub fn stock_out_on(self, available: i64, at: DateTime<Utc>) -> Option<NaiveDate> {
        let (numerator, units) = self.lasts(available)?;
        let lasts = TimeDelta::microseconds(i64::try_from(numerator / units).ok()?);
        at.checked_add_signed(lasts)
            .filter(|gone| gone.timestamp() < LAST_SECOND)
            .map(moscow_day)
    }

    /// Microseconds that the units last, as a fraction.
    fn lasts(self, available: i64) -> Option<(i128, i128)> {
        let known = available > 0 && self.units >= LEAST_SALES && self.in_stock > 0;
        known.then(|| {
            (
                i128::from(available) * i128::from(self.in_stock),
                i128::from(self.units),
            )
        })
    }
}

/// 9999-12-31T00:00:00Z: what comes later is no day that JSON's date format or a spreadsheet can say.
const LAST_SECOND: i64 = 253_402_214_400;

/// Whether two figures of the same thing differ by more than a fifth of the larger one.
#[must_use]
pub fn differs_notably(one: i64, other: i64) -> bool {
    let (one, other) = (i128::from(one), i128::from(other));
    (one - other).abs() * 5 > one.abs().max(other.abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-10-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn days(units: i64, days: i64) -> Pace {
        Pace {
            units,
            in_stock: days * 86_400_000_000,
        }
    }

    #[test]
    fn a_product_that_was_out_of_stock_half_the_time_sells_twice_as_fast() {
        assert_eq!(days(28, 28).per_day_milli(), Some(1000));
        assert_eq!(days(28, 14).per_day_milli(), Some(2000));
        assert_eq!(days(28, 14).days_of_stock(10), Some(Tenths(50)));
        assert_eq!(days(28, 0).per_day_milli(), None);
    }

    #[test]
    fn few_sales_or_no_units_are_no_days_and_not_zero_days() {
        assert_eq!(days(4, 28).days_of_stock(100), None);
        assert_eq!(days(5, 28).days_of_stock(0), None);
        assert_eq!(days(5, 28).days_of_stock(100), Some(Tenths(5600)));
        assert_eq!(days(4, 28).stock_out_on(100, at(0)), None);
    }

    #[test]
    fn stock_ends_on_the_moscow_day_of_the_exact_instant() {
        // One unit a day: gone 2026-10-02T20:00Z and 2026-10-02T21:00Z, which is the next day in Moscow.
        let pace = days(28, 28);
        assert_eq!(
            pace.stock_out_on(1, at(20 * 60)).unwrap().to_string(),
            "2026-10-02"
        );
        assert_eq!(
            pace.stock_out_on(1, at(21 * 60)).unwrap().to_string(),
            "2026-10-03"
        );
        assert_eq!(pace.stock_out_on(i64::MAX, at(0)), None);
    }

    #[test]
    fn a_fifth_is_no_notable_difference_and_more_is() {
        assert!(!differs_notably(100, 80) && !differs_notably(80, 100) && !differs_notably(0, 0));
        assert!(differs_notably(100, 79) && differs_notably(79, 100) && differs_notably(0, 1));
    }

    proptest! {
        /// Minute by minute, as a person would count.
        #[test]
        fn covered_time_is_what_a_recount_by_the_minute_finds(
            spells in prop::collection::vec((-50i64..250, 0i64..100), 0..12),
            from in 0i64..100, length in 0i64..120,
        ) {
            let until = from + length;
            let naive = (from..until)
                .filter(|minute| spells.iter().any(|(began, long)| (*began..began + long).contains(minute)))
                .count();
            let spells = spells.iter().map(|(began, long)| (at(*began), at(began + long))).collect();
            prop_assert_eq!(
                covered(spells, at(from), at(until)),
                TimeDelta::minutes(i64::try_from(naive).unwrap())
            );
        }
    }
}
