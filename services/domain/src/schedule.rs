//! When a cabinet's next scheduled sync is due. A function of what is known, without a clock.
//!
//! Every cabinet has slots of its own: points of time at the distance of its rhythm, moved by an offset
//! that follows from its id. Cabinets that were connected together, or that became due together while
//! everything was down, therefore spread over the whole rhythm by themselves, and always in the same way.
//! However many slots were missed, the next one is one.

use chrono::{DateTime, Days, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use events::ids::CabinetId;
use uuid::Uuid;

/// A day, seconds; this rhythm goes by the tenant's clock.
pub const DAY_SECONDS: u32 = 86_400;
/// Daily syncs of a tenant's cabinets spread over so many seconds from the hour on.
pub const DAILY_SPREAD_SECONDS: u32 = 3_600;
/// A daily sync is left out where the cabinet was asked for so shortly before.
const DAILY_APART: TimeDelta = TimeDelta::hours(4);
/// Days looked at for the next daily slot: the one of the last sync, and enough after it for any zone.
const DAYS: u64 = 4;

/// How often a cabinet is synced by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// At this distance.
    Every {
        /// Seconds; at least one.
        seconds: u32,
    },
    /// Once a day of the tenant's calendar.
    Daily {
        /// In the hour that begins then, local time.
        hour: u32,
    },
}

/// A zone by its IANA name; none for what is none.
#[must_use]
pub fn zone(name: &str) -> Option<Tz> {
    name.parse().ok()
}

/// When the sync after the one that was asked for at `asked_at` is due. Never before half a rhythm has
/// passed, so that a sync by hand shortly before a slot takes its place, and never later than one and a
/// half.
#[must_use]
pub fn next_due(cabinet: CabinetId, rhythm: Rhythm, zone: Tz, asked_at: DateTime<Utc>) -> DateTime<Utc> {
    match rhythm {
        Rhythm::Every { seconds } => {
            let rhythm = i64::from(seconds.max(1));
            let earliest = asked_at.timestamp() + rhythm / 2;
            let since_slot = (earliest - offset(cabinet, rhythm)).rem_euclid(rhythm);
            let slot = earliest + rhythm - since_slot;
            DateTime::from_timestamp(slot, 0).unwrap_or(asked_at + TimeDelta::seconds(rhythm))
        }
        Rhythm::Daily { hour } => {
            let spread = TimeDelta::seconds(offset(cabinet, i64::from(DAILY_SPREAD_SECONDS)));
            let earliest = asked_at + DAILY_APART;
            let today = asked_at.with_timezone(&zone).date_naive();
            (0..DAYS)
                .filter_map(|days| today.checked_add_days(Days::new(days)))
                .filter_map(|day| day.and_hms_opt(hour, 0, 0))
                .filter_map(|local| moment_of(local, zone))
                .map(|begin| begin + spread)
                .find(|slot| *slot > earliest)
                .unwrap_or(asked_at + TimeDelta::days(1))
        }
    }
}

/// The moment at which a local clock shows this time: of two, the earlier; where the clocks jump over it, the
/// first one after.
#[must_use]
pub fn moment_of(wanted: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    // No zone has ever jumped further than a day; all real jumps are under three hours.
    (0..=96)
        .map(|quarters| wanted + TimeDelta::minutes(15 * quarters))
        .find_map(|local| local.and_local_timezone(zone).earliest())
        .map(|begin| begin.to_utc())
}

/// The cabinet's place within a rhythm; evenly spread, whatever ids look like.
fn offset(cabinet: CabinetId, rhythm: i64) -> i64 {
    let spread = Uuid::new_v5(&cabinet.uuid(), b"schedule").as_u64_pair().1;
    i64::try_from(spread % rhythm.unsigned_abs().max(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
