//! What an answer says about when to come again, the same for every vendor and receiver.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The server's clock at the time of the answer.
pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc())
}

/// `Retry-After` (RFC 9110 section 10.2.3) of at most `longest`: seconds, also with a fraction, or a time,
/// which is compared with the server's own clock. None if there is none or it makes no sense.
pub(crate) fn retry_after(headers: &HeaderMap, longest: Duration) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => seconds,
        Ok(_below_zero_or_no_number) => return None,
        Err(_not_a_number) => {
            let at = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
            (at - date(headers)?).as_seconds_f64()
        }
    };
    Duration::try_from_secs_f64(seconds.clamp(0.0, longest.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

    use super::retry_after;

    const HOUR: Duration = Duration::from_secs(3600);

    fn told(value: &'static str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        retry_after(&headers, HOUR)
    }

    #[test]
    fn seconds_count_as_they_are_up_to_the_longest_wait() {
        for (value, seconds) in [("0", 0.0), (" 120 ", 120.0), ("1.5", 1.5), ("99999", 3600.0)] {
            assert_eq!(
                told(value, None),
                Some(Duration::from_secs_f64(seconds)),
                "{value}"
            );
        }
        assert_eq!(told("inf", None), Some(HOUR));
    }

    #[test]
    fn a_time_counts_from_the_servers_own_clock() {
        let now = Some("Tue, 01 Dec 2026 10:00:00 GMT");
        assert_eq!(
            told("Tue, 01 Dec 2026 10:02:00 GMT", now),
            Some(Duration::from_secs(120))
        );
        assert_eq!(told("Tue, 01 Dec 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(told("Wed, 02 Dec 2026 10:00:00 GMT", now), Some(HOUR));
        assert_eq!(told("Tue, 01 Dec 2026 10:02:00 GMT", None), None);
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        for value in ["", "soon", "NaN", "-5", "12 minutes"] {
            assert_eq!(told(value, None), None, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), HOUR), None);
    }
}
