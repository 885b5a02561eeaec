//! When a message is sent again. Pure: what is random comes from outside.

use std::time::Duration;

use super::client::Outcome;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Pauses between attempts in seconds, as Standard Webhooks 1.0 recommends them.
const PAUSES: [u64; 9] = [
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];

/// Attempts for one message, the first one included; they take a little more than three days.
pub const ATTEMPTS: u32 = 10;

/// Longest `Retry-After` that is obeyed.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * HOUR);

/// By how much a pause is made longer or shorter at most, so that messages that failed together do not come
/// back together.
const JITTER: f64 = 0.1;

/// How long to wait before the next attempt; none if there is to be none.
///
/// `attempts_made` counts the attempts for this message, at least 1. `jitter` is a random number of 0 to 1:
/// 0 shortens the pause by a tenth, 1 makes it longer by a tenth. `retry_after` is what the receiver asked
/// for; the later of the two counts, a day at most. There is no further attempt after the last one, after a
/// success, and at an endpoint that is gone.
#[must_use]
pub fn next_attempt(
    attempts_made: u32,
    outcome: Outcome,
    jitter: f64,
    retry_after: Option<Duration>,
) -> Option<Duration> {
    if matches!(outcome, Outcome::Delivered | Outcome::Gone) {
        return None;
    }
    let place = usize::try_from(attempts_made.saturating_sub(1)).ok()?;
    let pause = Duration::from_secs(*PAUSES.get(place)?);
    let jitter = if jitter.is_nan() {
        0.5
    } else {
        jitter.clamp(0.0, 1.0)
    };
    let pause = pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * jitter);
    let asked = retry_after.unwrap_or_default().min(LONGEST_WAIT);
    Some(pause.max(asked))
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS, Duration, LONGEST_WAIT, Outcome, PAUSES, next_attempt};

    const HOUR: Duration = Duration::from_secs(3600);

    fn after(attempts: u32, jitter: f64) -> Option<Duration> {
        next_attempt(attempts, Outcome::Connection, jitter, None)
    }

    #[test]
    fn the_pauses_are_those_of_the_standard_and_then_there_are_no_more() {
        let pauses: Vec<Duration> = (1..).map_while(|attempts| after(attempts, 0.5)).collect();
        assert_eq!(
            pauses.iter().map(Duration::as_secs).collect::<Vec<_>>(),
            [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
        );
        assert_eq!(pauses.len() + 1, ATTEMPTS as usize);
        assert_eq!(after(ATTEMPTS, 0.5), None);
        assert_eq!(after(u32::MAX, 0.5), None);
    }

    #[test]
    fn jitter_moves_a_pause_by_a_tenth_at_most() {
        assert_eq!(after(4, 0.0), Some(Duration::from_secs(6_480)));
        assert_eq!(after(4, 1.0), Some(Duration::from_secs(7_920)));
        for (odd, like) in [(-3.0, 0.0), (7.0, 1.0), (f64::NAN, 0.5), (f64::INFINITY, 1.0)] {
            assert_eq!(after(4, odd), after(4, like), "{odd}");
        }
    }

    #[test]
    fn the_later_of_pause_and_retry_after_counts_a_day_at_most() {
        let asked = |attempts, wait| next_attempt(attempts, Outcome::RateLimited, 0.5, Some(wait));
        assert_eq!(asked(1, HOUR), Some(HOUR));
        assert_eq!(asked(4, Duration::from_secs(1)), Some(2 * HOUR));
        assert_eq!(asked(1, 900 * HOUR), Some(LONGEST_WAIT));
        assert_eq!(
            asked(ATTEMPTS, HOUR),
            None,
            "a receiver cannot keep a message alive"
        );
    }

    #[test]
    fn what_was_delivered_and_what_is_gone_is_not_sent_again() {
        for done in [Outcome::Delivered, Outcome::Gone] {
            assert_eq!(next_attempt(1, done, 0.5, Some(HOUR)), None);
        }
        for outcome in Outcome::ALL {
            let again = !matches!(outcome, Outcome::Delivered | Outcome::Gone);
            assert_eq!(
                next_attempt(1, outcome, 0.5, None).is_some(),
                again,
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn an_attempt_that_was_not_counted_is_the_first_one() {
        assert_eq!(after(0, 0.5), Some(Duration::from_secs(PAUSES[0])));
    }
}
