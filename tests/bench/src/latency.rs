//! How long one command takes, and how long until it can be seen: commands come at a steady rate whether or
//! not the ones before are done, so that a stall is counted for everything that waited behind it.

use std::time::{Duration, Instant};

use database::Role;
use event_store::{EventStore, Wake};
use hdrhistogram::Histogram;
use tokio_util::sync::CancellationToken;

use crate::reading::{Projecting, relay_on};
use crate::report::{Row, Target};
use crate::world::{self, Articles, Servers};
use crate::{Failure, Sizes};

/// The slower and the faster rate, commands a second.
const RATES: [u32; 2] = [100, 1_000];

/// One command's times.
struct Sample {
    due: Instant,
    answered: Instant,
    position: i64,
}

/// Commands at 100 and 1,000 a second through combiner, relay, broker and projector in one process.
///
/// # Errors
/// When a server refuses.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let database = servers.database().await?;
    let (nats, broker) = world::broker().await?;
    let (stop, wake) = (CancellationToken::new(), Wake::default());
    let relay = relay_on(
        &database,
        &broker,
        &wake,
        &stop,
        std::sync::Arc::new(relay::Silent),
    )?;
    let (store, _combiner) = EventStore::start(database.pool(Role::Api)?, wake.clone());
    let projector = Projecting::start(&database, &broker, &wake);
    projector.active().await?;
    let count = sizes.live_articles;
    let listings = (1..=count as i64).map(|nm_id| world::command(nm_id, 0, world::listed(nm_id)));
    let mut position = 0;
    for answer in store.append_many(listings.collect()).await {
        position = position.max(answer?.position);
    }
    projector.reach(position).await?;
    let mut articles = Articles::new(1, count, 1);
    let mut rows = Vec::new();
    for rate in RATES {
        let samples = open_loop(&store, &mut articles, rate, sizes.open_loop).await?;
        let newest = samples.iter().map(|sample| sample.position).max().unwrap_or(0);
        projector.reach(newest).await?;
        let visible = visible(&samples, &projector.applied());
        rows.extend(describe(rate, &samples, visible)?);
    }
    projector.end().await?;
    stop.cancel();
    relay.await?;
    drop((store, nats));
    servers.finish(database).await?;
    Ok(rows)
}

async fn open_loop(
    store: &EventStore,
    articles: &mut Articles,
    rate: u32,
    time: Duration,
) -> Result<Vec<Sample>, Failure> {
    let total = rate * u32::try_from(time.as_millis()).unwrap_or(u32::MAX) / 1_000;
    let began = Instant::now();
    let mut running = Vec::new();
    for number in 0..total {
        let due = began + Duration::from_secs(1) * number / rate;
        tokio::time::sleep_until(due.into()).await;
        let (store, append) = (store.clone(), articles.one());
        running.push(tokio::spawn(async move {
            let appended = store.append(append).await?;
            Ok::<Sample, event_store::AppendError>(Sample {
                due,
                answered: Instant::now(),
                position: appended.position,
            })
        }));
    }
    let mut samples = Vec::with_capacity(running.len());
    for command in running {
        samples.push(command.await??);
    }
    Ok(samples)
}

/// For every command the time between its answer and the commit of the batch that made it visible.
fn visible(samples: &[Sample], applied: &[(i64, Instant)]) -> Vec<Duration> {
    samples
        .iter()
        .filter_map(|sample| {
            let batch = applied.partition_point(|(position, _)| *position < sample.position);
            applied
                .get(batch)
                .map(|(_, at)| at.saturating_duration_since(sample.answered))
        })
        .collect()
}

fn describe(rate: u32, samples: &[Sample], visible: Vec<Duration>) -> Result<Vec<Row>, Failure> {
    let answers = histogram(samples.iter().map(|sample| sample.answered - sample.due))?;
    let visible = histogram(visible.into_iter())?;
    // The runtime's timers tick in milliseconds: an answer cannot be due more exactly than that.
    let note = "open loop; times count from when the command was due, timers tick in 1 ms";
    let mut rows = Vec::new();
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        rows.push(
            Row::new(
                format!("latency.append_{rate}_{name}"),
                at(&answers, quantile),
                "ms",
            )
            .note(note),
        );
    }
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        let row = Row::new(
            format!("latency.visible_{rate}_{name}"),
            at(&visible, quantile),
            "ms",
        )
        .beside(at(&answers, quantile), "the append's own answer");
        let promised = rate == 1_000 && name == "p99";
        rows.push(if promised {
            row.target(Target::AtMost { figure: 30.0 })
        } else {
            row
        });
    }
    Ok(rows)
}

fn histogram(times: impl Iterator<Item = Duration>) -> Result<Histogram<u64>, Failure> {
    let mut histogram = Histogram::new(3)?;
    for time in times {
        histogram.record(u64::try_from(time.as_micros())?)?;
    }
    Ok(histogram)
}

fn at(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}
