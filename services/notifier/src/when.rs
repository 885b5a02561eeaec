//! When a notice is due. Pure.
//!
//! A notice is due [`GATHER`] after it was made, so that what happens together is told together; in quiet
//! hours at their end; and for who wants a digest, at the next hour of the digest, or at the end of the quiet
//! hours in which that hour lies. Hours are those of the tenant's clock: a day on which the clocks are moved
//! is as long as it is. An hour that the clocks jump over begins when they have jumped; of an hour that comes
//! twice, the first one counts.

use application::domain::schedule::{moment_of, zone};
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use notifications::{DAY_MINUTES, Preferences, QuietHours};

/// A notice is due so long after it was made.
pub const GATHER: TimeDelta = TimeDelta::seconds(5);
/// Zone of a tenant of which nothing is known, or whose zone was taken off the list.
const USUAL_ZONE: Tz = chrono_tz::Europe::Moscow;
/// Days looked at for the next time of day: today, and enough after it for any jump of the clocks.
const DAYS: u64 = 4;

/// The zone of a tenant.
#[must_use]
pub fn zone_of(name: Option<&str>) -> Tz {
    name.and_then(zone).unwrap_or(USUAL_ZONE)
}

/// When a notice is due that was made at `made_at`.
#[must_use]
pub fn due_at(made_at: DateTime<Utc>, preferences: &Preferences, zone: Tz) -> DateTime<Utc> {
    let ready = made_at + GATHER;
    let wanted = match preferences.digest_hour {
        Some(hour) => next(ready, u16::from(hour) * 60, zone),
        None => ready,
    };
    match preferences.quiet {
        Some(quiet) if is_quiet(wanted, quiet, zone) => next(wanted, quiet.until, zone),
        _ => wanted,
    }
}

/// Whether a local clock shows a time within these hours.
#[must_use]
pub fn is_quiet(at: DateTime<Utc>, quiet: QuietHours, zone: Tz) -> bool {
    let local = at.with_timezone(&zone).time();
    let minute = local.hour() * 60 + local.minute();
    let (from, until) = (u32::from(quiet.from), u32::from(quiet.until));
    if from <= until {
        (from..until).contains(&minute)
    } else {
        minute >= from || minute < until
    }
}

/// The next moment, not before `at`, at which a local clock shows this minute of its day.
fn next(at: DateTime<Utc>, minute: u16, zone: Tz) -> DateTime<Utc> {
    let minute = u32::from(minute % DAY_MINUTES);
    let time = NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap_or(NaiveTime::MIN);
    // Yesterday as well: where the clocks jump over midnight, its last hours begin today.
    let today = at.with_timezone(&zone).date_naive();
    let yesterday = today.pred_opt().unwrap_or(today);
    (0..DAYS)
        .filter_map(|days| yesterday.checked_add_days(Days::new(days)))
        .filter_map(|day| moment_of(day.and_time(time), zone))
        .find(|moment| *moment >= at)
        .unwrap_or(at + TimeDelta::days(1))
}

#[cfg(test)]
mod tests;
