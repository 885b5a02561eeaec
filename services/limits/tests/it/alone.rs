//! The limiter's own outage: every replica counts for itself, with the same numbers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::world::{Place, replica};

const T: u64 = 1_800_000_000_000;

async fn drain(limiter: &limits::Limiter, now: u64) -> u32 {
    let subject = limiter.user("u");
    let mut admitted = 0;
    while limiter.admit(&subject, now).await.admitted {
        admitted += 1;
    }
    admitted
}

#[tokio::test]
async fn without_the_shared_counts_each_replica_holds_the_limit_by_itself() {
    let place = Arc::new(Place::default());
    place.away.store(true, Ordering::Relaxed);
    let (one, other) = (replica(&place, 20), replica(&place, 20));
    assert_eq!(drain(&one, T).await, 20);
    assert_eq!(drain(&other, T).await, 20);
    assert_eq!(drain(&one, T + 5_000).await, 0);
    assert_eq!(drain(&one, T + 11_000).await, 20);
    assert!(one.admit(&one.user("u"), T + 11_000).await.alone);
}

#[tokio::test]
async fn what_was_admitted_alone_is_entered_when_the_shared_counts_are_back() {
    let place = Arc::new(Place::default());
    let (one, other) = (replica(&place, 20), replica(&place, 20));
    place.away.store(true, Ordering::Relaxed);
    for _ in 0..15 {
        assert!(one.admit(&one.user("u"), T).await.admitted);
    }
    place.away.store(false, Ordering::Relaxed);
    one.tidy(T + 2_000).await;
    assert_eq!(drain(&other, T + 2_000).await, 5);
}

#[tokio::test]
async fn what_was_known_before_the_outage_counts_in_it() {
    let place = Arc::new(Place::default());
    let (one, other) = (replica(&place, 20), replica(&place, 20));
    assert_eq!(drain(&one, T).await, 20);
    assert_eq!(drain(&other, T).await, 0);
    place.away.store(true, Ordering::Relaxed);
    assert_eq!(drain(&one, T + 3_000).await, 0);
    assert_eq!(drain(&other, T + 3_000).await, 0);
}

#[tokio::test]
async fn a_place_that_is_away_is_not_asked_by_every_request() {
    let place = Arc::new(Place::default());
    place.away.store(true, Ordering::Relaxed);
    let one = replica(&place, 500);
    for _ in 0..400 {
        assert!(one.admit(&one.user("u"), T).await.admitted);
    }
    assert_eq!(place.calls.load(Ordering::Relaxed), 1);
    place.away.store(false, Ordering::Relaxed);
    assert!(!one.admit(&one.user("u"), T + 1_000).await.alone);
}

#[tokio::test]
async fn who_has_not_come_for_a_window_is_forgotten() {
    let place = Arc::new(Place::default());
    let one = replica(&place, 5);
    assert_eq!(drain(&one, T).await, 5);
    one.tidy(T + 20_000).await;
    let before = place.calls.load(Ordering::Relaxed);
    assert_eq!(drain(&one, T + 20_000).await, 5);
    assert!(place.calls.load(Ordering::Relaxed) > before, "it was still known");
}
