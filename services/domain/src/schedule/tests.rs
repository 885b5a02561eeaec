//! Slots are kept, spread, and never doubled; days are the tenant's.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use events::ids::CabinetId;
use proptest::prelude::*;
use uuid::Uuid;

use super::{DAILY_SPREAD_SECONDS, Rhythm, next_due, zone};

const MOSCOW: Tz = Tz::Europe__Moscow;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    (1_700_000_000_i64..2_000_000_000).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}

fn cabinet() -> impl Strategy<Value = CabinetId> {
    any::<u128>().prop_map(|id| CabinetId(Uuid::from_u128(id)))
}

fn any_zone() -> impl Strategy<Value = Tz> {
    (0..chrono_tz::TZ_VARIANTS.len()).prop_map(|place| chrono_tz::TZ_VARIANTS[place])
}

proptest! {
    #[test]
    fn the_next_sync_is_half_a_rhythm_to_one_and_a_half_away(
        cabinet in cabinet(), asked in moment(), seconds in 300_u32..604_800,
    ) {
        let due = next_due(cabinet, Rhythm::Every { seconds }, MOSCOW, asked);
        let wait = (due - asked).num_seconds();
        prop_assert!(wait > i64::from(seconds / 2) - 1 && wait <= i64::from(seconds) * 3 / 2 + 1, "{wait}");
    }

    #[test]
    fn a_cabinet_that_is_asked_for_on_time_keeps_its_rhythm_exactly(
        cabinet in cabinet(), asked in moment(), seconds in 300_u32..604_800, late in 0.0..0.49_f64,
    ) {
        let rhythm = Rhythm::Every { seconds };
        let first = next_due(cabinet, rhythm, MOSCOW, asked);
        let late = TimeDelta::seconds((f64::from(seconds) * late) as i64);
        let second = next_due(cabinet, rhythm, MOSCOW, first + late);
        prop_assert_eq!((second - first).num_seconds(), i64::from(seconds), "being late moves no slot");
    }

    #[test]
    fn what_was_missed_is_made_up_once(
        cabinet in cabinet(), asked in moment(), seconds in 300_u32..90_000, missed in 1_i64..1_000,
    ) {
        let rhythm = Rhythm::Every { seconds };
        // Down for many rhythms: the cabinet stays due at the first slot, is asked for once, and goes on
        // from then.
        let due = next_due(cabinet, rhythm, MOSCOW, asked);
        let back = due + TimeDelta::seconds(i64::from(seconds) * missed);
        let next = next_due(cabinet, rhythm, MOSCOW, back);
        prop_assert!(next > back, "nothing of the past is left");
    }

    #[test]
    fn every_zone_has_one_daily_sync_a_day_within_its_hour(
        cabinet in cabinet(), asked in moment(), zone in any_zone(), hour in 0_u32..24,
    ) {
        let rhythm = Rhythm::Daily { hour };
        let mut due = next_due(cabinet, rhythm, zone, asked);
        prop_assert!(due > asked);
        prop_assert!(due - asked <= TimeDelta::hours(30), "{}", due - asked);
        for _day in 0..10 {
            let next = next_due(cabinet, rhythm, zone, due);
            let local = |at: DateTime<Utc>| at.with_timezone(&zone);
            let days = (local(next).date_naive() - local(due).date_naive()).num_days();
            // A spread over midnight ends on the day after; then both do.
            let as_it_should = days == 1 || hour == 23 && days <= 2;
            prop_assert!(as_it_should, "{} then {}", local(due), local(next));
            prop_assert!((next - due).num_hours() >= 19 && (next - due).num_hours() <= 29, "{}", next - due);
            due = next;
        }
    }
}

#[test]
fn cabinets_that_were_connected_together_spread_over_the_whole_rhythm() {
    let asked = at("2026-10-15T09:00:00Z");
    let mut by_tenth: BTreeMap<i64, u32> = BTreeMap::new();
    for id in 0..10_000 {
        let due = next_due(
            CabinetId(Uuid::from_u128(id)),
            Rhythm::Every { seconds: 1800 },
            MOSCOW,
            asked,
        );
        *by_tenth.entry((due - asked).num_seconds() / 180).or_default() += 1;
    }
    // From half a rhythm on, one rhythm wide: tenths 5 to 14, a thousand each.
    assert!(
        by_tenth
            .values()
            .all(|count| (850..=1150).contains(count) || *count < 20),
        "{by_tenth:?}"
    );
    assert!(by_tenth.len() >= 10, "{by_tenth:?}");
}

#[test]
fn a_daily_sync_is_in_the_tenants_morning_on_both_sides_of_the_change_of_clocks() {
    let (cabinet, berlin) = (CabinetId(Uuid::from_u128(7)), zone("Europe/Berlin").unwrap());
    let local_hour = |asked: &str| {
        let due = next_due(cabinet, Rhythm::Daily { hour: 5 }, berlin, at(asked));
        due.with_timezone(&berlin).hour()
    };
    assert_eq!(local_hour("2027-03-27T05:00:00Z"), 5, "the night before the jump");
    assert_eq!(local_hour("2027-03-28T12:00:00Z"), 5);
    assert_eq!(
        local_hour("2027-10-30T12:00:00Z"),
        5,
        "the night of the doubled hour"
    );
}

#[test]
fn an_hour_that_the_clocks_jump_over_begins_where_they_land() {
    let (cabinet, berlin) = (CabinetId(Uuid::from_u128(7)), zone("Europe/Berlin").unwrap());
    let due = next_due(
        cabinet,
        Rhythm::Daily { hour: 2 },
        berlin,
        at("2027-03-27T12:00:00Z"),
    );
    let landed = at("2027-03-28T01:00:00Z"); // 03:00 there
    assert!(
        due >= landed && due < landed + TimeDelta::seconds(i64::from(DAILY_SPREAD_SECONDS)),
        "{due}"
    );
}

#[test]
fn a_sync_by_hand_in_the_evening_leaves_the_morning_alone_and_one_before_it_takes_its_place() {
    let cabinet = CabinetId(Uuid::from_u128(7));
    let due = |asked: &str| {
        next_due(cabinet, Rhythm::Daily { hour: 5 }, MOSCOW, at(asked))
            .with_timezone(&MOSCOW)
            .date_naive()
            .to_string()
    };
    assert_eq!(due("2026-10-15T17:00:00Z"), "2026-10-16"); // 20:00 in Moscow
    assert_eq!(due("2026-10-16T01:30:00Z"), "2026-10-17"); // 04:30, half an hour before
}

#[test]
fn a_zone_that_is_none_is_told() {
    assert!(zone("Europe/Moscow").is_some() && zone("Mars/Olympus").is_none() && zone("").is_none());
}
