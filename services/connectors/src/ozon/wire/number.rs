//! Numbers as the vendor sends them: an int64 is a number or a text, an amount of money as well.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A whole number, sent as a number or as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::ozon) struct Int(pub(in crate::ozon) i64);

/// A decimal number, sent as a number or as a text, in ten-thousandths: the vendor's prices have up to four
/// decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ozon) struct Decimal(i64);

/// Ten-thousandths in one.
const SCALE: i64 = 10_000;
/// Digits behind the point that are kept.
const DIGITS: usize = 4;

impl Decimal {
    /// Hundredths: kopecks of a rouble.
    pub(in crate::ozon) fn minor_units(self) -> i64 {
        rounded(self.0, SCALE / 100)
    }

    /// Thousandths; none when it is negative or too large to be a rate or a number of days.
    pub(in crate::ozon) fn thousandths(self) -> Option<u32> {
        u32::try_from(rounded(self.0, SCALE / 1000)).ok()
    }

    /// Digits with an optional sign and point; further decimals are cut.
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let kept: String = fraction.chars().chain("0000".chars()).take(DIGITS).collect();
        let value = whole
            .parse::<i64>()
            .ok()?
            .checked_mul(SCALE)?
            .checked_add(kept.parse().ok()?)?;
        Some(Self(if negative { -value } else { value }))
    }

    fn of_float(value: f64) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        let scaled = (value * SCALE as f64).round();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be whole and within 2^53"
        )]
        (scaled.is_finite() && scaled.abs() < 9.0e15).then_some(Self(scaled as i64))
    }
}

/// Half up, away from zero.
fn rounded(value: i64, unit: i64) -> i64 {
    let half = unit / 2;
    if value < 0 {
        value.saturating_sub(half) / unit
    } else {
        value.saturating_add(half) / unit
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntVisitor)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

struct IntVisitor;

impl Visitor<'_> for IntVisitor {
    type Value = Int;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or a text of one")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Int, E> {
        Ok(Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Int, E> {
        i64::try_from(value).map(Int).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Int, E> {
        text.parse().map(Int).map_err(E::custom)
    }
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text of one")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Decimal, E> {
        value
            .checked_mul(SCALE)
            .map(Decimal)
            .ok_or_else(|| E::custom("too large"))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Decimal, E> {
        self.visit_i64(i64::try_from(value).map_err(E::custom)?)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Decimal, E> {
        Decimal::of_float(value).ok_or_else(|| E::custom("too large"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
        Decimal::parse(text).ok_or_else(|| E::custom("no number"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Decimal, Int};

    #[test]
    fn whole_numbers_come_as_numbers_and_as_texts() {
        let read = |text: &str| serde_json::from_str::<Int>(text).map(|Int(value)| value);
        assert_eq!(read("1020000000000123").unwrap(), 1_020_000_000_000_123);
        assert_eq!(read(r#""1020000000000123""#).unwrap(), 1_020_000_000_000_123);
        for wrong in [r#""""#, "1.5", "true", "null", r#""12a""#, "18446744073709551615"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn money_keeps_its_kopecks_in_every_form() {
        let minor = |text: &str| serde_json::from_str::<Decimal>(text).unwrap().minor_units();
        assert_eq!(minor(r#""28990""#), 2_899_000);
        assert_eq!(minor(r#""29990.05""#), 2_999_005);
        assert_eq!(minor(r#""1200.0000""#), 120_000);
        assert_eq!(minor("273.3"), 27_330);
        assert_eq!(minor("-1.005"), -101);
        for wrong in [r#""""#, r#""1e3""#, r#""1,5""#, r#""9223372036854775807""#, "{}"] {
            assert!(serde_json::from_str::<Decimal>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_are_kept_in_thousandths() {
        let rate = |text: &str| serde_json::from_str::<Decimal>(text).unwrap().thousandths();
        assert_eq!(rate("0.6666666666666666"), Some(667));
        assert_eq!(rate("14"), Some(14_000));
        assert_eq!(rate("-1"), None);
    }
}
