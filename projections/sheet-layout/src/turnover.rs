//! Turnover is one definition for the whole product; it is computed on integers because the original's binary
//! floats rounded ties by accident.

/// A decimal with one digit after the point: `Tenths(136)` is 13.6. Used for days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenths(pub i64);

impl std::fmt::Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, digit) = (self.0.unsigned_abs() / 10, self.0.unsigned_abs() % 10);
        if digit == 0 {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{digit}")
        }
    }
}

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
    let (numerator, orders) = (i128::from(available) * 70, i128::from(orders));
    let (quotient, twice_rest) = (numerator / orders, numerator % orders * 2);
    let up = twice_rest > orders || (twice_rest == orders && quotient % 2 == 1);
    Some(Tenths(
        i64::try_from(quotient + i128::from(up)).unwrap_or(i64::MAX),
    ))
}
