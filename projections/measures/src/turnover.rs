//! Turnover: one definition for the whole product.

use crate::tenths::{Tenths, round_half_even};

/// Days until `available` units are gone at the pace of `orders` in the last seven days: available × 7 /
/// orders, one decimal, half to even on the exact fraction.
///
/// `None` where either is zero. Negative counts, which only a marketplace's correction can produce, have no
/// meaning as days and give `None` too. A result beyond the range of [`Tenths`] saturates.
#[must_use]
pub fn turnover(available: i64, orders: i64) -> Option<Tenths> {
    if available <= 0 || orders <= 0 {
        return None;
    }
    // The narrow path is what a grid of a million cells lives on: 128-bit division costs ten times as much.
    if let (Some(numerator), true) = (available.checked_mul(70), orders <= i64::MAX / 2) {
        let (quotient, twice_rest) = (numerator / orders, numerator % orders * 2);
        let up = twice_rest > orders || (twice_rest == orders && quotient % 2 == 1);
        return Some(Tenths(quotient.saturating_add(i64::from(up))));
    }
    let tenths = round_half_even(i128::from(available) * 70, i128::from(orders));
    Some(Tenths(i64::try_from(tenths).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn days(available: i64, orders: i64) -> Option<i64> {
        turnover(available, orders).map(|days| days.0)
    }

    #[test]
    fn turnover_follows_the_worked_example() {
        assert_eq!(days(100, 50), Some(140));
        assert_eq!(days(35, 18), Some(136));
        assert_eq!(days(25, 12), Some(146));
        assert_eq!(days(150, 80), Some(131));
        assert_eq!(days(150, 78), Some(135));
    }

    #[test]
    fn turnover_rounds_halves_to_the_even_tenth() {
        // 7 / 20 = 0.35 and 7 * 3 / 20 = 1.05: both are exact halves of a tenth.
        assert_eq!(days(1, 20), Some(4));
        assert_eq!(days(3, 20), Some(10));
        assert_eq!(days(1, 28), Some(2));
    }

    #[test]
    fn turnover_is_empty_where_either_is_zero() {
        assert_eq!(days(0, 5), None);
        assert_eq!(days(5, 0), None);
        assert_eq!(days(-5, 5), None);
    }

    proptest! {
        #[test]
        fn the_narrow_path_and_the_wide_one_agree(available in 1..i64::MAX / 70, orders in 1..i64::MAX / 2) {
            let wide = round_half_even(i128::from(available) * 70, i128::from(orders));
            prop_assert_eq!(i128::from(days(available, orders).unwrap()), wide);
        }
    }
}
