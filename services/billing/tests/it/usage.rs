//! The month's quota of calls: never more than it, however many replicas count, and nothing lost that was not
//! used.

use billing::{FRESH, Month, Usage};
use chrono::{DateTime, Utc};
use database::{Pool, Role};
use events::ids::TenantId;
use support::Database;
use uuid::Uuid;

const TENANT: TenantId = TenantId(Uuid::from_u128(0x7e57));

async fn database() -> Database {
    let template = support::template("core", |url| async move {
        database::migrate(&url.into()).await.map(drop)
    })
    .await;
    support::fresh_database(Some(&template)).await
}

/// A replica of the API.
fn replica(database: &Database) -> Usage {
    Usage::new(Pool::open(&database.url.clone().into(), Role::Api, 4).unwrap())
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Calls that are admitted until one is refused.
async fn admitted(usage: &Usage, quota: u32, now: DateTime<Utc>) -> u64 {
    let mut calls = 0;
    while usage.admit(TENANT, Some(quota), now).await.unwrap().admitted {
        calls += 1;
    }
    calls
}

/// Calls that the replicas have taken.
async fn taken(database: &Database) -> i64 {
    let admin = support::connect(&database.url).await;
    let taken = admin
        .query_one("SELECT api_calls FROM core.usage_months", &[])
        .await
        .unwrap();
    taken.get(0)
}

#[tokio::test]
async fn the_hundredth_call_is_admitted_and_the_next_one_is_not() {
    let database = database().await;
    let usage = replica(&database);
    let now = at("2026-11-30T21:00:00Z");
    for call in 1..=100 {
        let counted = usage.admit(TENANT, Some(100), now).await.unwrap();
        assert!(counted.admitted && counted.used == call, "{call}: {counted:?}");
    }
    let refused = usage.admit(TENANT, Some(100), now).await.unwrap();
    assert!(!refused.admitted && refused.used == 100, "{refused:?}");
    let better = usage.admit(TENANT, Some(1_000), now).await.unwrap();
    assert!(better.admitted, "a better plan counts at once");
    assert_eq!(usage.month(TENANT, now).await.unwrap().api_calls, 101);
}

#[tokio::test]
async fn a_new_month_begins_with_the_whole_quota_and_the_old_one_is_kept() {
    let database = database().await;
    let usage = replica(&database);
    let (november, december) = (at("2026-11-30T23:59:59.999Z"), at("2026-12-01T00:00:00Z"));
    assert_eq!(admitted(&usage, 100, november).await, 100);
    assert_eq!(admitted(&usage, 100, december).await, 100);
    // A request that began before midnight and is decided after it counts in the new month.
    let late = usage.admit(TENANT, Some(101), november).await.unwrap();
    assert!(late.admitted && late.month == Month::of(december), "{late:?}");
    let of = async |at| usage.month(TENANT, at).await.unwrap().api_calls;
    assert_eq!((of(november).await, of(december).await), (100, 101));
}

#[tokio::test]
async fn two_replicas_that_are_asked_at_once_never_admit_more_than_the_quota() {
    for quota in [100, 1_000, 10_000] {
        let database = database().await;
        let (one, other) = (replica(&database), replica(&database));
        let now = at("2026-11-30T12:00:00Z");
        let calls = |usage: &Usage| {
            let usage = usage.clone();
            tokio::spawn(async move { admitted(&usage, quota, now).await })
        };
        let asked = [calls(&one), calls(&other), calls(&one), calls(&other)];
        let mut admitted = 0;
        for calls in asked {
            admitted += calls.await.unwrap();
        }
        assert_eq!(admitted, u64::from(quota));
    }
}

#[tokio::test]
async fn a_slice_is_a_thousandth_of_the_quota_and_what_is_not_used_of_it_is_given_back() {
    let database = database().await;
    let (one, other) = (replica(&database), replica(&database));
    let now = at("2026-11-30T12:00:00Z");
    for usage in [&one, &other] {
        usage.admit(TENANT, Some(100_000), now).await.unwrap();
    }
    assert_eq!(taken(&database).await, 200, "one statement for a hundred calls");
    assert_eq!(
        one.api_calls(TENANT, now).await.unwrap(),
        101,
        "ahead by the other's slice"
    );
    one.settle(false).await.unwrap();
    assert_eq!(taken(&database).await, 200, "it was used a moment ago");
    one.settle(false).await.unwrap();
    assert_eq!(taken(&database).await, 101, "now it is idle");
    other.settle(true).await.unwrap();
    assert_eq!(taken(&database).await, 2, "the process ends");
    assert!(one.admit(TENANT, Some(100_000), now).await.unwrap().admitted);
}

#[tokio::test]
async fn a_call_that_does_not_count_is_taken_back_and_may_be_made_again() {
    let database = database().await;
    let usage = replica(&database);
    let now = at("2026-11-30T12:00:00Z");
    assert_eq!(admitted(&usage, 99, now).await, 99);
    let last = usage.admit(TENANT, Some(100), now).await.unwrap();
    assert_eq!(admitted(&usage, 100, now).await, 0);
    usage.give_back(TENANT, last).await;
    assert_eq!(admitted(&usage, 100, now).await, 1);
    // One that was refused took nothing.
    let refused = usage.admit(TENANT, Some(100), now).await.unwrap();
    usage.give_back(TENANT, refused).await;
    assert_eq!(admitted(&usage, 100, now).await, 0);
}

#[tokio::test]
async fn what_another_replica_gives_back_is_found_after_a_while() {
    let database = database().await;
    let (one, other) = (replica(&database), replica(&database));
    let now = at("2026-11-30T12:00:00Z");
    // The other one holds one call of the slice.
    let held = other.admit(TENANT, Some(100), now).await.unwrap();
    assert_eq!(admitted(&one, 100, now).await, 99);
    other.give_back(TENANT, held).await;
    other.settle(true).await.unwrap();
    assert_eq!(
        admitted(&one, 100, now).await,
        0,
        "the answer of a moment ago holds"
    );
    assert_eq!(admitted(&one, 100, now + FRESH).await, 1);
}

#[tokio::test]
async fn under_a_worse_plan_nothing_is_admitted_out_of_what_was_taken_under_a_better_one() {
    let database = database().await;
    let usage = replica(&database);
    let now = at("2026-11-30T12:00:00Z");
    for _ in 0..150 {
        usage.admit(TENANT, Some(10_000), now).await.unwrap();
    }
    usage.admit(TENANT, Some(10_000), now).await.unwrap();
    let refused = usage.admit(TENANT, Some(100), now).await.unwrap();
    assert!(!refused.admitted && refused.used == 151, "{refused:?}");
}

#[tokio::test]
async fn without_a_quota_calls_are_counted_and_none_is_refused() {
    let database = database().await;
    let usage = replica(&database);
    let now = at("2026-11-30T12:00:00Z");
    for _ in 0..250 {
        assert!(usage.admit(TENANT, None, now).await.unwrap().admitted);
    }
    usage.settle(true).await.unwrap();
    assert_eq!(usage.month(TENANT, now).await.unwrap().api_calls, 250);
}
