//! What processes that share a bucket promise the vendor together, with a place that can be away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Buckets, Limit, PlaceError, Placed, Places, SharedBucket};

const LIMIT: Limit = Limit {
    interval: Duration::from_secs(20),
    burst: 3,
};
const HOUR: Duration = Duration::from_secs(3600);

/// Levels with revisions, as the broker keeps them.
#[derive(Debug, Default)]
struct Place {
    values: Mutex<HashMap<String, (Bytes, u64)>>,
    away: AtomicBool,
}

impl Place {
    async fn visit(&self) -> Result<(), PlaceError> {
        // Lets the others in between, as a network would.
        tokio::task::yield_now().await;
        if self.away.load(Ordering::Relaxed) {
            return Err(PlaceError("away".into()));
        }
        Ok(())
    }
}

impl Places for Place {
    fn get<'a>(&'a self, key: &'a str) -> Placed<'a, Option<(Bytes, u64)>> {
        Box::pin(async move {
            self.visit().await?;
            Ok(self.values.lock().unwrap().get(key).cloned())
        })
    }

    fn put_if<'a>(&'a self, key: &'a str, value: Bytes, revision: Option<u64>) -> Placed<'a, Option<u64>> {
        Box::pin(async move {
            self.visit().await?;
            let mut values = self.values.lock().unwrap();
            let now = values.get(key).map(|(_, revision)| *revision);
            if now != revision {
                return Ok(None);
            }
            let next = now.unwrap_or(0) + 1;
            values.insert(key.to_owned(), (value, next));
            Ok(Some(next))
        })
    }
}

/// One process: its own memory, the common place, the common clock.
fn process(place: &Arc<Place>, start: Instant, limit: Limit) -> Arc<SharedBucket> {
    let places: Arc<dyn Places> = place.clone();
    let now = move || 1_800_000_000_000_000 + i64::try_from(start.elapsed().as_micros()).unwrap();
    Buckets::shared(places, Arc::new(now)).of("vendor.seller.group", limit)
}

fn seconds(time: Duration) -> u64 {
    (time + Duration::from_millis(1)).as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nobody_knows_has_one_request_and_fills_up_by_and_by() {
    let (place, start) = (Arc::new(Place::default()), Instant::now());
    let bucket = process(&place, start, LIMIT);
    bucket.acquire(HOUR).await.unwrap();
    assert_eq!(seconds(bucket.wait().await), 20, "no burst");
    tokio::time::advance(Duration::from_secs(60)).await;
    for _ in 0..3 {
        bucket.acquire(Duration::ZERO).await.unwrap();
    }
    assert!(bucket.acquire(Duration::ZERO).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_started_anew_finds_the_bucket_as_empty_as_it_was() {
    let (place, start) = (Arc::new(Place::default()), Instant::now());
    let first = process(&place, start, LIMIT);
    first.acquire(HOUR).await.unwrap();
    first.charge(9).await;
    drop(first);
    let second = process(&place, start, LIMIT);
    // One and nine were taken of the one there was: eight intervals of debt and one for the next.
    assert_eq!(seconds(second.wait().await), 200);
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_one_process_was_told_holds_for_the_others_at_once() {
    let (place, start) = (Arc::new(Place::default()), Instant::now());
    let (told, other) = (process(&place, start, LIMIT), process(&place, start, LIMIT));
    other.acquire(HOUR).await.unwrap();
    tokio::time::advance(HOUR).await;
    told.close_for(Duration::from_secs(90)).await;
    told.close_for(Duration::from_secs(5)).await;
    // The other one has a full bucket in mind.
    assert_eq!(seconds(other.acquire(Duration::ZERO).await.unwrap_err()), 90);
    let before = Instant::now();
    other.acquire(HOUR).await.unwrap();
    assert_eq!(seconds(before.elapsed()), 90);
    assert_eq!(
        seconds(other.wait().await),
        20,
        "the vendor grants one and not a burst"
    );
}

#[tokio::test(start_paused = true)]
async fn a_told_delay_holds_though_the_place_has_forgotten_it_and_is_entered_again() {
    let (place, start) = (Arc::new(Place::default()), Instant::now());
    let (told, other) = (process(&place, start, LIMIT), process(&place, start, LIMIT));
    told.close_for(Duration::from_secs(90)).await;
    place.values.lock().unwrap().clear();
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(seconds(told.acquire(Duration::ZERO).await.unwrap_err()), 60);
    assert_eq!(seconds(told.wait().await), 60);
    assert_eq!(
        seconds(other.wait().await),
        60,
        "the other process learns of it again"
    );
    // Wiped once more, the one that only saw it holds it as well.
    place.values.lock().unwrap().clear();
    assert_eq!(seconds(other.wait().await), 60);
    let before = Instant::now();
    other.acquire(HOUR).await.unwrap();
    assert_eq!(seconds(before.elapsed()), 60, "and no longer than told");
}

#[tokio::test(start_paused = true)]
async fn without_the_place_a_process_starts_empty_goes_on_slowly_and_enters_it_afterwards() {
    let (place, start) = (Arc::new(Place::default()), Instant::now());
    let bucket = process(&place, start, LIMIT);
    tokio::time::advance(HOUR).await;
    place.away.store(true, Ordering::Relaxed);
    let began = Instant::now();
    bucket.acquire(HOUR).await.unwrap();
    assert_eq!(
        seconds(began.elapsed()),
        80,
        "a quarter of the rate, and nothing to begin with"
    );
    bucket.acquire(HOUR).await.unwrap();
    assert_eq!(seconds(began.elapsed()), 160);
    bucket.close_for(Duration::from_secs(300)).await;
    place.away.store(false, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(2)).await;
    bucket.wait().await;
    let other = process(&place, start, LIMIT);
    assert_eq!(
        seconds(other.wait().await),
        298,
        "what was told meanwhile holds for all"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_burst_the_interval_counts_from_the_answer_for_everybody() {
    let (place, start) = (Arc::new(Place::default()), Instant::now());
    let limit = Limit { burst: 1, ..LIMIT };
    let (one, two) = (process(&place, start, limit), process(&place, start, limit));
    one.acquire(HOUR).await.unwrap();
    tokio::time::advance(Duration::from_secs(3)).await;
    one.answered().await;
    assert_eq!(seconds(two.wait().await), 20);
}

#[tokio::test(start_paused = true)]
async fn a_level_of_a_clock_that_is_years_ahead_blocks_for_a_day_at_most() {
    let (place, start) = (Arc::new(Place::default()), Instant::now());
    place.values.lock().unwrap().insert(
        "vendor.seller.group".to_owned(),
        (Bytes::from_static(b"9000000000000000 9000000000000000"), 1),
    );
    let bucket = process(&place, start, LIMIT);
    assert!(bucket.wait().await <= Duration::from_secs(24 * 3600));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_one_process_begins_full() {
    let bucket = Buckets::local().of("k", LIMIT);
    for _ in 0..3 {
        bucket.acquire(Duration::ZERO).await.unwrap();
    }
    assert_eq!(seconds(bucket.acquire(Duration::ZERO).await.unwrap_err()), 20);
}

/// The vendor's own bucket: what it would have refused.
struct Vendor {
    tokens: f64,
    at: i64,
}

impl Vendor {
    fn takes(&mut self, now: i64, limit: Limit) -> bool {
        let gained = (now - self.at) as f64 / limit.interval.as_micros() as f64;
        self.tokens = (self.tokens + gained).min(f64::from(limit.burst));
        self.at = now;
        self.tokens -= 1.0;
        self.tokens > -1e-6
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Processes come and go, the place comes and goes: the vendor never has to refuse.
    #[test]
    fn however_processes_and_the_place_come_and_go_the_vendor_refuses_nothing(
        burst in 1_u32..6,
        steps in proptest::collection::vec((0..4_usize, 0_u64..30, any::<u8>()), 1..80),
    ) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        let limit = Limit { interval: Duration::from_secs(10), burst };
        let refused = runtime.block_on(async {
            let (place, start) = (Arc::new(Place::default()), Instant::now());
            let mut processes: Vec<_> = (0..4).map(|_| process(&place, start, limit)).collect();
            let mut vendor = Vendor { tokens: f64::from(burst), at: 0 };
            let refused = AtomicI64::new(0);
            for (which, pause, what) in steps {
                tokio::time::advance(Duration::from_secs(pause)).await;
                match what {
                    0..20 if !place.away.load(Ordering::Relaxed) => {
                        processes[which] = process(&place, start, limit);
                    }
                    20..40 => {
                        place.away.store(what % 2 == 0, Ordering::Relaxed);
                        // Whoever was alone enters what it sent with its next look.
                        tokio::time::advance(Duration::from_secs(2)).await;
                        for process in &processes {
                            process.wait().await;
                        }
                    }
                    _ => {
                        // Alone, several may meet: together they keep the rate, not the distance.
                        let alone = place.away.load(Ordering::Relaxed);
                        let process = &processes[if alone { 0 } else { which }];
                        if process.acquire(Duration::ZERO).await.is_ok() {
                            let now = i64::try_from(start.elapsed().as_micros()).unwrap();
                            if !vendor.takes(now, limit) {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                }
            }
            refused.into_inner()
        });
        prop_assert_eq!(refused, 0);
    }
}
