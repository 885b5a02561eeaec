//! Two thousand deliveries of Stripe's, each one to three times, shuffled, a tenth of them to two replicas of
//! the API at the same moment, some three days late, in every version and as thin events, while workers are
//! killed in the middle of their work: the end is that of every event delivered once, in order, at its time.
//!
//! Stripe is simulated, and time with it; the replicas and the workers run in this process, so that a worker
//! dies wherever it stands.

mod buyers;
mod place;

use chrono::TimeDelta;
use futures_util::StreamExt as _;
use futures_util::stream;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use support::{SOON, eventually};

use buyers::{Buyers, Event};
use place::{Place, Replica};

/// Deliveries of each seed, copies included.
const DELIVERIES: usize = 2_000;
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// Deliveries on their way at a time.
const AT_ONCE: usize = 16;
/// After so many deliveries the worker is killed and another one started.
const LIFE: usize = 400;
/// For how long Stripe keeps events, short of a day.
const KEPT: TimeDelta = TimeDelta::days(29);
/// How late the late ones are.
const LATE: TimeDelta = TimeDelta::days(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_deliveries_in_any_order_end_like_each_once_and_in_order() {
    let buyers = Buyers::live().await;
    let expected = buyers.truth().await;
    assert!(
        !expected.contracts.is_empty() && expected.payments.len() > 50,
        "{expected:#?}"
    );
    let kinds = |kind: &str| expected.payments.iter().filter(|(_, of, _)| of == kind).count();
    assert!(
        kinds("payment_succeeded") > 20 && kinds("payment_failed") > 5,
        "{expected:#?}"
    );
    for seed in SEEDS {
        let place = Place::open(&buyers).await;
        deliver(&buyers, &place, seed).await;
        let differs = place.truth().await.differs_from(&expected);
        assert!(differs.is_empty(), "seed {seed}: {differs:#?}");
    }
}

/// One delivery that is going to be made.
#[derive(Debug, Clone)]
struct Planned {
    event: String,
    endpoint: usize,
    /// To both replicas at the same moment.
    twice: bool,
}

async fn deliver(buyers: &Buyers, place: &Place, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut plan = plan(buyers, &mut dice);
    let late = plan.split_off(plan.len() - plan.len() / 20);
    let replicas = [place.replica(), place.replica()];
    let mut worker = place.worker();
    for part in plan.chunks(LIFE) {
        send_all(buyers, place, &replicas, part).await;
        place.kill(worker).await;
        worker = place.worker();
    }
    place.kill(worker).await;
    place.clock.advance(LATE);
    send_all(buyers, place, &replicas, &late).await;
    let worker = place.worker();
    eventually("nothing waits any more", SOON, || async {
        // What a killed worker had taken up is left alone for ten minutes.
        place.clock.advance(TimeDelta::minutes(1));
        match place.waiting().await {
            0 => Ok(()),
            waiting => Err(format!("{waiting} events wait")),
        }
    })
    .await;
    place.kill(worker).await;
    place.time_passes(buyers.end()).await;
}

/// Every event at least once and at most three times, in any order.
fn plan(buyers: &Buyers, dice: &mut StdRng) -> Vec<Planned> {
    let mut copies: Vec<&Event> = buyers.events.iter().flat_map(|event| [event, event]).collect();
    copies.shuffle(dice);
    let extra = DELIVERIES - buyers.events.len();
    assert!(
        extra <= copies.len(),
        "{} events are too few",
        buyers.events.len()
    );
    let mut plan: Vec<Planned> = (buyers.events.iter().chain(copies.into_iter().take(extra)))
        .map(|event| {
            // Stripe keeps for 30 days what a thin event only names, and delivers for three.
            let endpoints = buyers.endpoints - usize::from(event.at < buyers.now() - KEPT);
            Planned {
                event: event.id.clone(),
                endpoint: dice.random_range(0..endpoints),
                twice: dice.random_ratio(1, 10),
            }
        })
        .collect();
    plan.shuffle(dice);
    plan
}

async fn send_all(buyers: &Buyers, place: &Place, replicas: &[Replica; 2], plan: &[Planned]) {
    let send = |(number, planned): (usize, &Planned)| {
        let body = buyers.body(&planned.event, planned.endpoint);
        let now = place.clock.now();
        let twice = planned.twice;
        async move {
            let [first, second] = replicas;
            if twice {
                tokio::join!(first.deliver(&body, now), second.deliver(&body, now));
            } else if number % 2 == 0 {
                first.deliver(&body, now).await;
            } else {
                second.deliver(&body, now).await;
            }
        }
    };
    let deliveries = stream::iter(plan.iter().enumerate()).map(send);
    deliveries.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}
