//! What happens to a log that is there: it is read, carried to the broker, and folded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use database::Role;
use event_store::{GlobalReader, Wake};
use futures_util::StreamExt as _;
use messaging::async_nats::jetstream::message::PublishMessage;
use messaging::{Broker, topology};
use projector::{Notice, ProjectorOptions, Source};
use read_models::{Inventory, Positions, Projection as _};
use relay::RelayOptions;
use runtime::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::append::Rate;
use crate::report::{Row, Target};
use crate::world::{self, Database, Servers};
use crate::{Failure, Sizes};

/// Messages on their way at a time in the raw publish, as many as the relay allows itself.
const WINDOW: usize = 1_000;

/// Replay, relay, rebuild and catching up, all on one log.
///
/// # Errors
/// When a server refuses, or nothing moves any more.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let database = servers.database().await?;
    let bytes = world::fill_log(&database, sizes.log, sizes.log / 30).await?;
    let mean = bytes as f64 / sizes.log as f64;
    let mut rows = Vec::new();
    let replayed = replay(&database, sizes, &mut rows, mean).await?;
    relay_rows(&database, sizes, &mut rows).await?;
    rebuild(&database, sizes, replayed, &mut rows).await?;
    caught_up(&database, sizes, replayed, &mut rows).await?;
    servers.finish(database).await?;
    rows.push(through_everything(servers, sizes).await?);
    Ok(rows)
}

/// Reads the log page by page as relay and rebuild do.
async fn replay(database: &Database, sizes: &Sizes, rows: &mut Vec<Row>, mean: f64) -> Result<Rate, Failure> {
    let reader = GlobalReader::new(database.pool(Role::Projector)?);
    let (mut ours, mut copied) = (Rate::default(), Rate::default());
    for _ in 0..3 {
        let began = Instant::now();
        let mut position = 0;
        while let Some(last) = reader.read_after(position, 5_000).await?.last() {
            position = last.position;
        }
        ours.add(Rate {
            count: position.unsigned_abs(),
            time: began.elapsed(),
        });
        copied.add(copy_out(database).await?);
    }
    rows.push(
        Row::new("replay", ours.per_second(), "events/s")
            .beside(copied.per_second(), "COPY out of the same columns")
            .note(format!("{} events, payload {mean:.0} B on average", sizes.log))
            .target(Target::AtLeast { figure: 250_000.0 }),
    );
    Ok(ours)
}

async fn copy_out(database: &Database) -> Result<Rate, Failure> {
    let client = database.admin().await?;
    let began = Instant::now();
    let sql = format!(
        "COPY (SELECT {} FROM core.events ORDER BY position) TO STDOUT",
        event_store::columns()
    );
    let mut stream = Box::pin(client.copy_out(&sql).await?);
    let mut count = 0;
    while let Some(chunk) = stream.next().await {
        count += chunk?.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    Ok(Rate {
        count,
        time: began.elapsed(),
    })
}

async fn relay_rows(database: &Database, sizes: &Sizes, rows: &mut Vec<Row>) -> Result<(), Failure> {
    let (mut relayed, mut raw) = (Rate::default(), Rate::default());
    for _ in 0..2 {
        let (nats, broker) = world::broker().await?;
        raw.add(raw_publish(database, sizes, &broker).await?);
        relayed.add(drain(database, sizes, &broker).await?);
        drop(nats);
    }
    rows.push(
        Row::new("relay", relayed.per_second(), "events/s")
            .beside(
                raw.per_second(),
                "windowed publish of the same payloads from memory, message ids only",
            )
            .target(Target::RatioAtLeast { ratio: 0.6 }),
    );
    Ok(())
}

/// Publishes the payloads to a stream that is declared like the real one, without conditions and headers but
/// the id.
async fn raw_publish(database: &Database, sizes: &Sizes, broker: &Broker) -> Result<Rate, Failure> {
    let config = messaging::async_nats::jetstream::stream::Config {
        name: "RAW".to_owned(),
        subjects: vec!["raw.>".to_owned()],
        ..topology::declared_stream(topology::EVENTS)?
    };
    let jetstream = broker.jetstream();
    jetstream.create_stream(config).await?;
    let reader = GlobalReader::new(database.pool(Role::Relay)?);
    let mut messages = Vec::new();
    while (messages.len() as i64) < sizes.relayed {
        let position = messages.len() as i64;
        for event in reader
            .read_after(position, 5_000.min(sizes.relayed - position))
            .await?
        {
            let subject = format!("raw.{}", events::subject::of(&event));
            messages.push((
                subject,
                event.event_id.to_string(),
                bytes::Bytes::from(event.payload),
            ));
        }
    }
    let count = messages.len() as u64;
    let began = Instant::now();
    let mut due = VecDeque::with_capacity(WINDOW);
    for (subject, id, payload) in messages {
        let message = PublishMessage::build().message_id(id).payload(payload);
        due.push_back(jetstream.send_publish(subject, message).await?.into_future());
        if due.len() >= WINDOW
            && let Some(first) = due.pop_front()
        {
            first.await?;
        }
    }
    while let Some(first) = due.pop_front() {
        first.await?;
    }
    let time = began.elapsed();
    jetstream.delete_stream("RAW").await?;
    Ok(Rate { count, time })
}

/// Remembers how far the relay has come.
#[derive(Default)]
pub(crate) struct Published {
    position: AtomicI64,
    moved: Notify,
}

impl relay::Observer for Published {
    fn published(&self, position: i64) {
        self.position.store(position, Ordering::Release);
        self.moved.notify_one();
    }
}

/// Starts a relay.
pub(crate) fn relay_on(
    database: &Database,
    broker: &Broker,
    wake: &Wake,
    stop: &CancellationToken,
    observer: Arc<dyn relay::Observer>,
) -> Result<tokio::task::JoinHandle<()>, Failure> {
    let options = RelayOptions {
        reader: GlobalReader::new(database.pool(Role::Relay)?),
        broker: broker.clone(),
        wake: wake.clone(),
        lock: relay::lock_connection(database.url.clone()),
        shutdown: stop.clone(),
        observer,
    };
    Ok(tokio::spawn(relay::run(options)))
}

async fn drain(database: &Database, sizes: &Sizes, broker: &Broker) -> Result<Rate, Failure> {
    let stop = CancellationToken::new();
    let published = Arc::new(Published::default());
    let began = Instant::now();
    let relay = relay_on(
        database,
        broker,
        &Wake::default(),
        &stop,
        Arc::clone(&published) as _,
    )?;
    let reached = async {
        while published.position.load(Ordering::Acquire) < sizes.relayed {
            published.moved.notified().await;
        }
    };
    tokio::time::timeout(world::PATIENCE, reached).await?;
    let count = published.position.load(Ordering::Acquire).unsigned_abs();
    let time = began.elapsed();
    stop.cancel();
    relay.await?;
    Ok(Rate { count, time })
}

async fn rebuild(
    database: &Database,
    sizes: &Sizes,
    replayed: Rate,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let reader = GlobalReader::new(database.pool(Role::Projector)?);
    let mut rate = Rate::default();
    for _ in 0..2 {
        let began = Instant::now();
        let rebuilt =
            projector::rebuild::<Inventory>(&database.url, &reader, &CancellationToken::new()).await?;
        if rebuilt.parked > 0 || rebuilt.position != sizes.log {
            return Err(format!("the rebuild ended as {rebuilt:?}").into());
        }
        rate.add(Rate {
            count: rebuilt.events,
            time: began.elapsed(),
        });
    }
    rows.push(
        Row::new("rebuild", rate.per_second(), "events/s")
            .beside(replayed.per_second(), "replay of the same log")
            .note(format!("inventory, {} events", sizes.log))
            .target(Target::AtLeast { figure: 100_000.0 }),
    );
    // The next measurement starts from nothing.
    database
        .admin()
        .await?
        .batch_execute("DROP SCHEMA rm_inventory CASCADE; DROP SCHEMA IF EXISTS rm_inventory_old CASCADE")
        .await?;
    read_models::schema::install(&database.url).await?;
    Ok(())
}

/// Both projections at once, from nothing to the end of the log: what a projector does after a long stop.
async fn caught_up(
    database: &Database,
    sizes: &Sizes,
    replayed: Rate,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let (nats, broker) = world::broker().await?;
    let began = Instant::now();
    let projector = Projecting::start(database, &broker, &Wake::default());
    projector.reach(sizes.log).await?;
    let rate = Rate {
        count: sizes.log.unsigned_abs(),
        time: began.elapsed(),
    };
    projector.end().await?;
    drop(nats);
    rows.push(
        Row::new("projector.backlog", rate.per_second(), "events/s")
            .beside(replayed.per_second(), "replay of the same log")
            .note("both projections side by side, from the store after a stop"),
    );
    Ok(())
}

/// A log that grows by thousands of events at once, with relay and projector running: events come by the
/// broker.
async fn through_everything(servers: &Servers, sizes: &Sizes) -> Result<Row, Failure> {
    let database = servers.database().await?;
    let (nats, broker) = world::broker().await?;
    let (stop, wake) = (CancellationToken::new(), Wake::default());
    let published = Arc::new(Published::default());
    let relay = relay_on(&database, &broker, &wake, &stop, Arc::clone(&published) as _)?;
    let projector = Projecting::start(&database, &broker, &wake);
    projector.active().await?;
    let count = sizes.log / 3;
    world::fill_log(&database, count, sizes.log / 30).await?;
    let began = Instant::now();
    wake.notify(count);
    projector.reach(count).await?;
    let rate = Rate {
        count: count.unsigned_abs(),
        time: began.elapsed(),
    };
    let by_broker = projector.by_broker();
    projector.end().await?;
    stop.cancel();
    relay.await?;
    drop(nats);
    servers.finish(database).await?;
    let share = by_broker as f64 / (2.0 * count as f64) * 100.0;
    Ok(
        Row::new("projector.live", rate.per_second(), "events/s").note(format!(
            "log to relay to broker to both projections; {share:.0} % read from the broker"
        )),
    )
}

/// A projector whose progress can be seen.
pub(crate) struct Projecting {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), projector::ProjectorError>>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    active: AtomicU64,
    by_broker: AtomicU64,
    last: [AtomicI64; 2],
    applied: std::sync::Mutex<Vec<(i64, Instant)>>,
    moved: Notify,
}

impl Projecting {
    pub(crate) fn start(database: &Database, broker: &Broker, wake: &Wake) -> Self {
        let (stop, seen) = (CancellationToken::new(), Arc::new(Seen::default()));
        let book = Arc::clone(&seen);
        let observer: projector::Observer = Arc::new(move |name, notice| book.note(name, notice));
        let options = ProjectorOptions::new(database.url.clone(), Clock::system());
        let running = projector::run(
            options,
            broker.clone(),
            wake.clone(),
            Positions::default(),
            stop.clone(),
            observer,
        );
        Self {
            stop,
            task: tokio::spawn(running),
            seen,
        }
    }

    pub(crate) async fn active(&self) -> Result<(), Failure> {
        self.wait(|seen| seen.active.load(Ordering::Acquire) >= 2).await
    }

    /// Waits until both projections have come so far.
    pub(crate) async fn reach(&self, position: i64) -> Result<(), Failure> {
        self.wait(|seen| {
            seen.last
                .iter()
                .all(|last| last.load(Ordering::Acquire) >= position)
        })
        .await
    }

    async fn wait(&self, enough: impl Fn(&Seen) -> bool) -> Result<(), Failure> {
        let waiting = async {
            while !enough(&self.seen) {
                self.seen.moved.notified().await;
            }
        };
        Ok(tokio::time::timeout(world::PATIENCE, waiting).await?)
    }

    fn by_broker(&self) -> u64 {
        self.seen.by_broker.load(Ordering::Acquire)
    }

    /// When inventory had come how far, in order.
    pub(crate) fn applied(&self) -> Vec<(i64, Instant)> {
        self.seen
            .applied
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    pub(crate) async fn end(self) -> Result<(), Failure> {
        self.stop.cancel();
        Ok(self.task.await??)
    }
}

impl Seen {
    fn note(&self, name: &str, notice: &Notice<'_>) {
        let inventory = name == Inventory::NAME;
        match notice {
            Notice::Active(true) => {
                self.active.fetch_add(1, Ordering::AcqRel);
            }
            Notice::Applied { applied, source, .. } => {
                let before = self.last[usize::from(inventory)].swap(applied.position, Ordering::AcqRel);
                if *source == Source::Broker {
                    self.by_broker
                        .fetch_add((applied.position - before).unsigned_abs(), Ordering::AcqRel);
                }
                if inventory {
                    let mut book = self
                        .applied
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    book.push((applied.position, Instant::now()));
                }
            }
            _ => return,
        }
        self.moved.notify_one();
    }
}
