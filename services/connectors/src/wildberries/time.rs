//! Wildberries' times: with a zone, without one (Moscow then), with and without fractions, or the year 1 for
//! "never".

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};

/// Moscow has had no summer time since 2014, and all dates the vendor keeps are later.
const MOSCOW_SECONDS: i32 = 3 * 60 * 60;

/// Parses any of the vendor's forms; none for "never" and for what is no time.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let time = match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.to_utc(),
        Err(_) => {
            let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .or_else(|_| {
                    NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN))
                })
                .ok()?;
            local.and_local_timezone(moscow()?).single()?.to_utc()
        }
    };
    (time.year() > 1900).then_some(time)
}

/// The form of `dateFrom`: Moscow time without a zone, with milliseconds only where they are not zero.
pub(super) fn moscow_text(time: DateTime<Utc>) -> String {
    let Some(zone) = moscow() else {
        return time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    };
    time.with_timezone(&zone)
        .naive_local()
        .format("%Y-%m-%dT%H:%M:%S%.f")
        .to_string()
}

/// RFC 3339 with `Z`, for bodies that take a zone.
pub(super) fn utc_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn moscow() -> Option<FixedOffset> {
    FixedOffset::east_opt(MOSCOW_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::{moscow_text, parse};

    fn utc(text: &str) -> String {
        parse(text).unwrap().to_rfc3339()
    }

    #[test]
    fn a_time_without_a_zone_is_moscow_time() {
        assert_eq!(utc("2026-10-01T02:00:31"), "2026-09-30T23:00:31+00:00");
        assert_eq!(utc("2026-10-01T02:00:31.5"), "2026-09-30T23:00:31.500+00:00");
        assert_eq!(utc("2026-10-01"), "2026-09-30T21:00:00+00:00");
    }

    #[test]
    fn a_time_with_a_zone_keeps_it() {
        assert_eq!(utc("2026-10-01T02:00:31Z"), "2026-10-01T02:00:31+00:00");
        assert_eq!(utc("2026-09-30T08:00:00.1Z"), "2026-09-30T08:00:00.100+00:00");
        assert_eq!(utc("2024-08-16T11:19:05+03:00"), "2024-08-16T08:19:05+00:00");
    }

    #[test]
    fn never_and_nonsense_are_no_time() {
        assert_eq!(parse("0001-01-01T00:00:00"), None);
        assert_eq!(parse("0001-01-01T00:00:00Z"), None);
        assert_eq!(parse(""), None);
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn moscow_text_comes_back_as_the_same_time() {
        for text in [
            "2026-10-01T10:20:07",
            "2026-10-01T10:20:07.250",
            "2026-01-01T00:00:00",
        ] {
            assert_eq!(moscow_text(parse(text).unwrap()), text);
        }
    }
}
