//! What replicas promise together.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use limits::{Limiter, Store};
use messaging::{Broker, BrokerOptions, Bucket};
use proptest::prelude::*;

use crate::world::{Place, replica, table};

/// Any moment; windows of these tests are ten seconds, slots one.
const T: u64 = 1_800_000_000_000;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

/// The most that was admitted in any span of ten seconds.
fn densest(admitted: &[u64]) -> usize {
    let from = |start: u64| {
        admitted
            .iter()
            .filter(move |at| (start..start + 10_000).contains(*at))
            .count()
    };
    admitted.iter().map(|start| from(*start)).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn three_replicas_never_admit_more_than_the_limit_in_any_window(
        limit in 1..60_u32,
        steps in proptest::collection::vec((0..3_usize, 0..700_u64, 1..8_usize, any::<bool>()), 1..120),
    ) {
        runtime().block_on(async {
            let place = Arc::new(Place::default());
            let replicas = [replica(&place, limit), replica(&place, limit), replica(&place, limit)];
            let (mut now, mut admitted) = (T, Vec::new());
            for (which, pause, requests, tidy) in steps {
                now += pause;
                if tidy {
                    replicas[which].tidy(now).await;
                }
                for _ in 0..requests {
                    let subject = replicas[which].user("u");
                    if replicas[which].admit(&subject, now).await.admitted {
                        admitted.push(now);
                    }
                }
            }
            prop_assert!(densest(&admitted) <= limit as usize, "{} of {limit}", densest(&admitted));
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn what_is_left_is_found_by_whoever_asks_for_it() {
    // In turns, so that neither strands a slice: all of the budget is used, and not one more.
    for limit in [1, 2, 7, 40, 500] {
        let place = Arc::new(Place::default());
        let replicas = [replica(&place, limit), replica(&place, limit)];
        let mut admitted = 0;
        for round in 0..limit * 3 {
            let replica = &replicas[(round % 2) as usize];
            let subject = replica.user("u");
            admitted += u32::from(replica.admit(&subject, T).await.admitted);
        }
        assert_eq!(admitted, limit);
    }
}

#[tokio::test]
async fn what_a_replica_claimed_and_did_not_use_goes_to_the_others() {
    let place = Arc::new(Place::default());
    let (one, other) = (replica(&place, 400), replica(&place, 400));
    let subject = one.user("u");
    assert!(one.admit(&subject, T).await.admitted);
    one.tidy(T + 1_000).await;
    let mut admitted = 1;
    while other.admit(&subject, T + 2_000).await.admitted {
        admitted += 1;
    }
    assert_eq!(admitted, 400);
}

#[tokio::test]
async fn most_requests_are_admitted_without_asking() {
    let place = Arc::new(Place::default());
    let one = replica(&place, 10_000);
    let subject = one.user("u");
    for _ in 0..2_000 {
        assert!(one.admit(&subject, T).await.admitted);
    }
    let asked = place.calls.load(Ordering::Relaxed);
    assert!(asked <= 10, "{asked} calls for 2000 requests");
}

#[tokio::test]
async fn a_flood_that_is_refused_asks_once_a_slot() {
    let place = Arc::new(Place::default());
    let one = replica(&place, 1);
    let subject = one.user("u");
    assert!(one.admit(&subject, T).await.admitted);
    let before = place.calls.load(Ordering::Relaxed);
    for _ in 0..1_000 {
        assert!(!one.admit(&subject, T).await.admitted);
    }
    let asked = place.calls.load(Ordering::Relaxed) - before;
    assert!(asked <= 2, "{asked} calls for a flood");
}

#[tokio::test]
async fn a_refusal_tells_how_long_to_wait_and_that_is_enough() {
    let place = Arc::new(Place::default());
    let one = replica(&place, 3);
    let subject = one.user("u");
    for left in [2, 1, 0] {
        let decision = one.admit(&subject, T + 400).await;
        assert!(decision.admitted);
        assert_eq!(decision.remaining, left);
    }
    let refused = one.admit(&subject, T + 400).await;
    assert!(!refused.admitted);
    let wait = u64::try_from(refused.retry_after.as_millis()).unwrap();
    assert!((10_000..=11_000).contains(&wait), "{wait} ms");
    assert!(!one.admit(&subject, T + 400 + wait - 1).await.admitted);
    assert!(one.admit(&subject, T + 400 + wait).await.admitted);
}

#[tokio::test]
async fn subjects_are_apart_and_a_plan_decides_for_its_tenant() {
    let place = Arc::new(Place::default());
    let one = replica(&place, 2);
    let address = |text: &str| one.address(text.parse::<IpAddr>().unwrap());
    let admitted = async |subject: &limits::Subject| {
        let mut admitted = 0;
        while one.admit(subject, T).await.admitted {
            admitted += 1;
        }
        admitted
    };
    assert_eq!(admitted(&one.user("a")).await, 2);
    assert_eq!(admitted(&one.user("b")).await, 2);
    assert_eq!(admitted(&one.tenant("a", None)).await, 2);
    assert_eq!(admitted(&one.tenant("c", Some("big"))).await, 4);
    assert_eq!(admitted(&address("192.0.2.1")).await, 2);
    assert_eq!(
        admitted(&address("::ffff:192.0.2.1")).await,
        0,
        "the same address"
    );
    assert_eq!(admitted(&address("2001:db8::1")).await, 2);
    assert_eq!(admitted(&address("2001:db8::2")).await, 0, "the same customer");
    assert_eq!(admitted(&address("2001:db8:0:1::1")).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_race_on_a_real_broker_admit_exactly_the_limit() {
    const LIMIT: u32 = 300;
    let server = support::own_nats().await;
    let mut replicas: Vec<Arc<Limiter>> = Vec::new();
    for name in ["one", "two"] {
        let broker = Broker::connect(BrokerOptions::new(server.url(), name))
            .await
            .unwrap();
        assert!(broker.wait_connected(support::SOON).await);
        let store: Arc<dyn Store> = Arc::new(Bucket::limits(&broker));
        let limiter = Limiter::new(store, table(LIMIT), b"salt".to_vec(), Arc::new(|_| {}));
        // The first use makes the bucket, which takes longer than a request would wait.
        support::eventually("the counts are shared", support::SOON, || async {
            let decision = limiter.admit(&limiter.user("warm"), T + 60_000).await;
            let rested = limiter.admit(&limiter.user("warm"), T + 120_000).await;
            if decision.alone || rested.alone {
                Err("alone".to_owned())
            } else {
                Ok(())
            }
        })
        .await;
        replicas.push(Arc::new(limiter));
    }
    let admitted = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..16_usize)
        .map(|task| {
            let (replica, admitted) = (Arc::clone(&replicas[task % 2]), Arc::clone(&admitted));
            tokio::spawn(async move {
                let subject = replica.user("u");
                for _ in 0..60 {
                    let decision = replica.admit(&subject, T + 300_000).await;
                    assert!(!decision.alone);
                    admitted.fetch_add(u32::from(decision.admitted), Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let admitted = admitted.load(Ordering::Relaxed);
    assert!(admitted <= LIMIT, "{admitted} of {LIMIT}");
    // A slice may be stranded in one replica when the other is refused, but not more than the smallest ones.
    assert!(admitted + 2 * LIMIT / 20 >= LIMIT, "{admitted} of {LIMIT}");
}

#[tokio::test]
async fn after_a_restart_of_the_broker_the_counts_are_shared_again() {
    let server = support::own_nats().await;
    let broker = Broker::connect(BrokerOptions::new(server.url(), "one"))
        .await
        .unwrap();
    let store: Arc<dyn Store> = Arc::new(Bucket::limits(&broker));
    let limiter = Limiter::new(store, table(5), b"salt".to_vec(), Arc::new(|_| {}));
    let shared_again = async |from: u64| {
        let now = AtomicU32::new(0);
        support::eventually("the counts are shared", support::SOON, || async {
            let now = from + u64::from(now.fetch_add(2_000, Ordering::Relaxed));
            let decision = limiter.admit(&limiter.user("u"), now).await;
            if decision.alone {
                Err("alone".to_owned())
            } else {
                Ok(())
            }
        })
        .await;
    };
    shared_again(T).await;
    // The bucket lies in memory and is gone with the process.
    server.kill().await.unwrap();
    assert!(limiter.admit(&limiter.user("other"), T + 3_000_000).await.alone);
    server.start_again().await.unwrap();
    shared_again(T + 6_000_000).await;
}
