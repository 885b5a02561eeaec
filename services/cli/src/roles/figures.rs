//! What roles tell operators without being asked: how far each reader of the log is behind, how old the
//! oldest job is, and whether JetStream still takes what it is given. The last figure stays while its
//! source does not answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use database::Pool;
use event_store::{GlobalReader, ReadError};
use messaging::{ConditionError, Queue, TopologyError, WorkQueue, condition, topology};
use read_models::{Inventory, Operations, Projection};
use worker::{gauges, lag};

use crate::Failure;
use crate::assembly::Assembly;

/// How often JetStream is tried. Readiness has to know within 30 s.
const TRY_EVERY: Duration = Duration::from_secs(5);
/// What a worker's user may make.
const OF_WORKERS: [&str; 5] = [
    topology::WORK,
    topology::DEAD,
    "KV_marketplace_cache",
    "KV_pending_reports",
    "KV_marketplace_limits",
];

/// Tells how far the stream of events is behind the log. Every relay does, leading or not: they see the
/// same stream.
pub(super) fn relay(assembly: &Assembly, reader: GlobalReader) {
    let own = assembly.clone();
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("relay lag", async move {
        let known = Mutex::new(0_i64);
        let ask = async || {
            if let Ok(last) = topology::last_sequence(&own.broker, topology::EVENTS).await {
                *known.lock().unwrap_or_else(PoisonError::into_inner) = i64::try_from(last).unwrap_or(0);
            }
            let last = *known.lock().unwrap_or_else(PoisonError::into_inner);
            // A stream that is ahead is replaced in a moment.
            let head = reader.head().await?;
            reader.behind(last.min(head)).await
        };
        let tell = |behind: event_store::Behind| {
            let head = u64::try_from(behind.head).unwrap_or(0);
            own.metrics
                .relay_lag(head, behind.events, age(&own, behind.since));
        };
        gauges::watch(ask, tell, &stop).await;
        Ok::<(), Failure>(())
    });
}

/// Tells how far a projection is behind, and how many streams it has parked. Every projector does, active
/// or not, so that one that fails again and again does not look as if it were up to date.
pub(super) fn projections(assembly: &Assembly, pool: &Pool) {
    projection::<Inventory>(assembly, pool.clone());
    projection::<Operations>(assembly, pool.clone());
}

fn projection<P: Projection>(assembly: &Assembly, pool: Pool) {
    let own = assembly.clone();
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("projection lag", async move {
        let reader = GlobalReader::new(pool.clone());
        let ask = async || {
            let session = pool.get().await.map_err(ReadError::Database)?;
            let position = read_models::position::<P>(&session).await?;
            let parked = read_models::parked_count::<P>(&session).await?;
            drop(session);
            let behind = reader
                .behind(position.map_or(0, |(position, _)| position))
                .await?;
            Ok::<_, Failure>((behind, parked))
        };
        let tell = |(behind, parked): (event_store::Behind, u64)| {
            own.metrics
                .projection_lag(P::NAME, behind.events, age(&own, behind.since));
            own.metrics.parked_streams(P::NAME, parked);
        };
        gauges::watch(ask, tell, &stop).await;
        Ok::<(), Failure>(())
    });
}

/// Tells how far the policies are behind, and how old the oldest job of each queue is.
pub(super) fn work(assembly: &Assembly, pool: Pool, queue: &WorkQueue) {
    let own = assembly.clone();
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("policy lag", async move {
        let tell = |lags: Vec<lag::PolicyLag>| {
            for lag in lags {
                own.metrics
                    .policy_lag(&lag.policy, lag.events, age(&own, lag.since));
            }
        };
        gauges::watch(|| lag::of_policies(&pool), tell, &stop).await;
        Ok::<(), Failure>(())
    });
    for which in Queue::ALL {
        let (own, queue, stop) = (assembly.clone(), queue.clone(), assembly.lifecycle.soft());
        assembly.lifecycle.spawn("oldest job", async move {
            let tell = |figures: messaging::QueueFigures| {
                let oldest = age(&own, figures.oldest);
                own.metrics
                    .queue(which.as_str(), figures.waiting, figures.in_hand, oldest);
            };
            gauges::watch(|| queue.figures(which), tell, &stop).await;
            Ok::<(), Failure>(())
        });
    }
}

/// Tells how far the alert policy is behind. Every notifier does, active or not.
pub(super) fn alerts(assembly: &Assembly, reader: GlobalReader) {
    let own = assembly.clone();
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("alert policy lag", async move {
        let tell = |behind: event_store::Behind| {
            own.metrics
                .policy_lag("alerts", behind.events, age(&own, behind.since));
        };
        gauges::watch(|| alerts::lag(&reader), tell, &stop).await;
        Ok::<(), Failure>(())
    });
}

/// Makes what is missing of the queue and its buckets, and tries whether they take anything; what is wrong
/// shows in readiness. Full storage is refused message by message and seen nowhere else.
pub(super) fn jetstream(assembly: &Assembly) {
    let problem: Arc<Mutex<Option<String>>> = Arc::default();
    let shown = Arc::clone(&problem);
    assembly.health.register("jetstream", move || {
        let problem = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        async move { problem.map_or(Ok(()), Err) }
    });
    let (broker, stop) = (assembly.broker.clone(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("jetstream", async move {
        let mut tick = tokio::time::interval(TRY_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok::<(), Failure>(()),
                _ = tick.tick() => {}
            }
            // A link that is down is another check's.
            if !broker.connected().borrow().up {
                continue;
            }
            let made = topology::restore(&broker, &OF_WORKERS).await;
            let found = match made {
                Ok(_) => condition::takes_messages(&broker)
                    .await
                    .err()
                    .map(|error| words(&error)),
                Err(error) => Some(topology_words(&error)),
            };
            let mut problem = problem.lock().unwrap_or_else(PoisonError::into_inner);
            match (&*problem, &found) {
                (None, Some(found)) => tracing::error!(problem = found, "jobs cannot be handed on"),
                (Some(_), None) => tracing::info!("JetStream takes messages again"),
                _ => {}
            }
            *problem = found;
        }
    });
}

/// For everybody who may ask for health: no addresses.
fn words(error: &ConditionError) -> String {
    match error {
        ConditionError::Unavailable(_) => "JetStream stores nothing at the moment".to_owned(),
        other => other.to_string(),
    }
}

fn topology_words(error: &TopologyError) -> String {
    match error {
        TopologyError::Broker { source, .. } if condition::is_full(source.as_ref()) => {
            "JetStream is full".to_owned()
        }
        other => other.to_string(),
    }
}

fn age(assembly: &Assembly, since: Option<DateTime<Utc>>) -> Duration {
    let age = since.map(|since| assembly.clock.now() - since);
    age.and_then(|age| age.to_std().ok()).unwrap_or_default()
}
