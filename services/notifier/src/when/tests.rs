//! When a notice is due: quiet hours, digests, and clocks that change.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use notifications::{Preferences, QuietHours};
use proptest::prelude::{Strategy, any, prop_assert, prop_oneof, proptest};

use super::{GATHER, due_at, is_quiet, zone_of};

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn quiet(from: u16, until: u16) -> Preferences {
    Preferences {
        quiet: Some(QuietHours { from, until }),
        ..Preferences::default()
    }
}

#[test]
fn without_a_choice_a_notice_is_due_after_the_time_of_gathering() {
    let at = utc("2026-11-02T03:00:00Z");
    assert_eq!(due_at(at, &Preferences::default(), zone_of(None)), at + GATHER);
}

#[test]
fn what_comes_in_quiet_hours_is_due_at_their_end() {
    let night = quiet(22 * 60, 8 * 60);
    let zone = zone_of(Some("Europe/Moscow"));
    for at in [
        "2026-11-02T19:00:00Z",
        "2026-11-02T23:59:00Z",
        "2026-11-03T04:59:50Z",
    ] {
        assert_eq!(due_at(utc(at), &night, zone), utc("2026-11-03T05:00:00Z"), "{at}");
    }
    let at = utc("2026-11-03T05:00:00Z");
    assert_eq!(due_at(at, &night, zone), at + GATHER);
}

#[test]
fn a_digest_comes_at_its_hour_or_when_the_quiet_hours_end() {
    let zone = zone_of(Some("Asia/Vladivostok"));
    let mut digest = Preferences {
        digest_hour: Some(9),
        ..Preferences::default()
    };
    assert_eq!(
        due_at(utc("2026-11-02T00:00:00Z"), &digest, zone),
        utc("2026-11-02T23:00:00Z")
    );
    digest.quiet = Some(QuietHours {
        from: 23 * 60,
        until: 10 * 60 + 30,
    });
    assert_eq!(
        due_at(utc("2026-11-02T03:00:00Z"), &digest, zone),
        utc("2026-11-03T00:30:00Z")
    );
}

#[test]
fn an_hour_that_the_clocks_jump_over_begins_when_they_have_jumped() {
    // 2026-03-29: 02:00 becomes 03:00 in Berlin.
    let zone = zone_of(Some("Europe/Berlin"));
    let night = quiet(60, 2 * 60 + 30);
    assert_eq!(
        due_at(utc("2026-03-29T00:30:00Z"), &night, zone),
        utc("2026-03-29T01:00:00Z")
    );
}

#[test]
fn of_an_hour_that_comes_twice_the_first_one_counts() {
    // 2026-10-25: 03:00 becomes 02:00 in Berlin.
    let zone = zone_of(Some("Europe/Berlin"));
    let digest = Preferences {
        digest_hour: Some(2),
        ..Preferences::default()
    };
    assert_eq!(
        due_at(utc("2026-10-24T20:00:00Z"), &digest, zone),
        utc("2026-10-25T00:00:00Z")
    );
    assert_eq!(
        due_at(utc("2026-10-25T00:30:00Z"), &digest, zone),
        utc("2026-10-26T01:00:00Z")
    );
}

fn zones() -> impl Strategy<Value = Tz> {
    let names = [
        "Europe/Moscow",
        "Europe/Berlin",
        "America/Sao_Paulo",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Asia/Beirut",
    ];
    proptest::sample::select(names.map(|name| zone_of(Some(name))).to_vec())
}

fn moments() -> impl Strategy<Value = DateTime<Utc>> {
    // 2011 has the day that Samoa left out.
    (1_293_840_000_i64..1_893_456_000).prop_map(|second| DateTime::from_timestamp(second, 0).unwrap())
}

fn choices() -> impl Strategy<Value = Preferences> {
    let minutes = (0_u16..1440, 1_u16..1440);
    let quiet = minutes.prop_map(|(from, length)| QuietHours {
        from,
        until: (from + length) % 1440,
    });
    let quiet = prop_oneof![quiet.prop_map(Some), any::<()>().prop_map(|()| None)];
    (quiet, proptest::option::of(0_u8..24)).prop_map(|(quiet, digest_hour)| Preferences {
        quiet,
        digest_hour,
        ..Preferences::default()
    })
}

proptest! {
    #[test]
    fn nothing_is_due_before_it_is_made_or_later_than_three_days_after(
        at in moments(), wanted in choices(), zone in zones()
    ) {
        let due = due_at(at, &wanted, zone);
        prop_assert!(due >= at + GATHER);
        prop_assert!(due <= at + TimeDelta::days(3));
    }

    #[test]
    fn what_is_due_is_never_in_quiet_hours_but_where_the_clocks_repeat_them(
        at in moments(), wanted in choices(), zone in zones()
    ) {
        let due = due_at(at, &wanted, zone);
        let quiet = wanted.quiet.is_some_and(|quiet| is_quiet(due, quiet, zone));
        // Clocks that are put back, or jump over the end, can show a quiet time once more.
        let moved = [-1, 1].iter().any(|day| {
            let other = due + TimeDelta::days(*day);
            use chrono::Offset as _;
            let offset = |at: DateTime<Utc>| at.with_timezone(&zone).offset().fix();
            offset(other) != offset(due)
        });
        prop_assert!(!quiet || moved);
    }

    #[test]
    fn who_comes_later_is_not_due_earlier(
        at in moments(), later in 0_i64..200_000, wanted in choices(), zone in zones()
    ) {
        let second = at + TimeDelta::seconds(later);
        prop_assert!(due_at(second, &wanted, zone) >= due_at(at, &wanted, zone));
    }
}
