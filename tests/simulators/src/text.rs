//! Writes numbers, texts and times straight into a buffer: a report of 300,000 rows must cost the simulator
//! little. What pages show is made harmless here too.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};

/// Moscow has been UTC+3 all year since 2014; the statistics service speaks only this time.
const MOSCOW: TimeDelta = TimeDelta::hours(3);

/// Appends a decimal number.
pub(crate) fn push_number(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    let mut rest = value.unsigned_abs();
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a number with at least `width` digits.
fn push_padded(out: &mut Vec<u8>, value: u32, width: u32) {
    let mut weight = 10_u32.pow(width - 1);
    while weight > 0 {
        out.push(b'0' + u8::try_from(value / weight % 10).unwrap_or(0));
        weight /= 10;
    }
}

/// Appends a quoted JSON string.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    if text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

/// Appends a zone-less Moscow time in quotes, with milliseconds only where there are some.
pub(crate) fn push_moscow(out: &mut Vec<u8>, millis: i64) {
    out.push(b'"');
    let time = from_millis(millis) + MOSCOW;
    push_padded(out, u32::try_from(time.year()).unwrap_or(0), 4);
    for (mark, value) in [(b'-', time.month()), (b'-', time.day()), (b'T', time.hour())] {
        out.push(mark);
        push_padded(out, value, 2);
    }
    for value in [time.minute(), time.second()] {
        out.push(b':');
        push_padded(out, value, 2);
    }
    let fraction = time.nanosecond() / 1_000_000;
    if fraction > 0 {
        out.push(b'.');
        push_padded(out, fraction, 3);
    }
    out.push(b'"');
}

/// The moment `millis` after 1970.
pub(crate) fn from_millis(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// `2026-09-30T08:00:00.1Z`: UTC with the fraction's trailing zeros dropped, as the cards list shows it.
pub(crate) fn utc_text(millis: i64) -> String {
    let text = from_millis(millis).format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
    format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `2024-08-16T11:19:05+03:00`.
pub(crate) fn moscow_zoned(millis: i64) -> String {
    (from_millis(millis) + MOSCOW)
        .format("%Y-%m-%dT%H:%M:%S+03:00")
        .to_string()
}

/// Parses a date, a zone-less Moscow date-time or one with a zone; milliseconds since 1970.
pub(crate) fn parse_moscow(text: &str) -> Option<i64> {
    if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
        return Some(zoned.timestamp_millis());
    }
    let local = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
        .or_else(|_| chrono::NaiveDateTime::parse_from_str(&format!("{text}T00:00:00"), "%Y-%m-%dT%H:%M:%S"))
        .ok()?;
    Some((local - MOSCOW).and_utc().timestamp_millis())
}

/// Number of the Moscow calendar day that holds the moment.
pub(crate) fn moscow_day(millis: i64) -> i64 {
    (millis + MOSCOW.num_milliseconds()).div_euclid(86_400_000)
}

/// Makes text harmless inside HTML and its attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
