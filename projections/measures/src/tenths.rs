//! Decimals with one digit, and the one way of rounding.

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

/// The whole number nearest to a fraction of a number that is not negative and one that is positive; of two
/// equally near ones the even one. Binary floats would round such halves by accident.
#[must_use]
pub const fn round_half_even(numerator: i128, denominator: i128) -> i128 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    let beyond = rest - (denominator - rest);
    if beyond > 0 || (beyond == 0 && whole % 2 == 1) {
        whole + 1
    } else {
        whole
    }
}
