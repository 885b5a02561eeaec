//! A large seller's sync from request to queryable. The worker is a process of its own, so that its memory
//! can be told from everybody else's; the marketplace, the servers, relay and projector are here.

use std::process::Stdio;
use std::time::{Duration, Instant};

use application::{App, Context, connect_cabinet, request_sync};
use database::Role;
use event_store::{EventStore, GlobalReader, Wake};
use events::cabinet::Marketplace;
use events::catalog::{Event, SyncEvent};
use events::ids::{CabinetId, CommandId};
use events::sync::Trigger;
use events::{Decoded, StreamType};
use messaging::Hints;
use runtime::{Clock, Ids};
use simulators::wildberries::{Host, Limits};
use simulators::{SellerConfig, Wildberries, WildberriesConfig};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use vault::{MasterKeys, Vault};

use crate::child::{self, Settings};
use crate::reading::{Projecting, relay_on};
use crate::report::{Row, Target};
use crate::world::{self, Database, Servers, TENANT};
use crate::{Failure, Sizes};

/// How often the end of a sync is looked for.
const LOOK: Duration = Duration::from_millis(5);
/// A sync that takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(180);
/// Incremental syncs; the median counts.
const INCREMENTS: usize = 3;

/// One measured sync, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Measured {
    wall: f64,
    simulator: f64,
    calls: u64,
    recorded: f64,
}

impl Measured {
    fn beyond(&self) -> f64 {
        (self.wall - self.simulator).max(0.0)
    }

    fn note(&self) -> String {
        format!(
            "{:.0} ms in all, {:.0} ms until recorded, {} calls to the marketplace",
            self.wall, self.recorded, self.calls
        )
    }
}

struct Stage {
    simulator: Wildberries,
    app: App,
    reader: GlobalReader,
    projector: Projecting,
    ids: Ids,
    clock: Clock,
    cabinet_id: CabinetId,
    seen: i64,
}

/// First and incremental sync, and the worker's peak memory.
///
/// # Errors
/// When a server refuses or a sync does not complete.
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
    let hints = tokio::spawn(child::bridge(Hints::new(&broker), wake.clone()));
    let projector = Projecting::start(&database, &broker, &wake);
    projector.active().await?;
    let simulator = simulator(sizes).await?;
    let mut worker = start_worker(&database, &nats.url(), &simulator)?;
    let mut stage = Stage::new(&database, wake, simulator, projector).await?;
    stage.reach_connected().await?;
    let first = stage.sync().await?;
    let after_first = child::peak_megabytes(worker.id().ok_or("the worker has ended")?)?;
    let mut increments = Vec::new();
    for _ in 0..INCREMENTS {
        stage.simulator.mutate_fraction(0.05);
        increments.push(stage.sync().await?);
    }
    let peak = child::peak_megabytes(worker.id().ok_or("the worker has ended")?)?;
    increments.sort_by(|one, other| one.beyond().total_cmp(&other.beyond()));
    let increment = increments.get(INCREMENTS / 2).copied().unwrap_or(first);
    // Its input closes, and it ends by itself.
    drop(worker.stdin.take());
    worker.wait().await?;
    let Stage {
        projector,
        app,
        simulator,
        ..
    } = stage;
    projector.end().await?;
    stop.cancel();
    relay.await?;
    hints.abort();
    simulator.stop().await;
    drop((app, nats));
    servers.finish(database).await?;
    let limit = "the simulated marketplace's own time";
    Ok(vec![
        Row::new("sync.first", first.beyond(), "ms")
            .beside(first.simulator, limit)
            .note(first.note())
            .target(Target::AtMost { figure: 8_000.0 }),
        Row::new("sync.incremental", increment.beyond(), "ms")
            .beside(increment.simulator, limit)
            .note(increment.note())
            .target(Target::AtMost { figure: 2_000.0 }),
        Row::new("sync.peak_memory", peak, "MB")
            .note(format!(
                "worker process; {after_first:.0} MB after the first sync"
            ))
            .target(Target::AtMost { figure: 250.0 }),
    ])
}

async fn simulator(sizes: &Sizes) -> Result<Wildberries, Failure> {
    let seller = SellerConfig {
        articles: sizes.sync_articles,
        warehouses: 30,
        fbs_warehouses: 1,
        sizes_per_article: 1,
        orders_per_day: sizes.sync_articles / 10,
        history_days: 7,
        ..SellerConfig::default()
    };
    Ok(Wildberries::start(WildberriesConfig {
        sellers: vec![seller],
        limits: Limits::Speed(child::SPEED),
        ..WildberriesConfig::default()
    })
    .await?)
}

impl Stage {
    async fn new(
        database: &Database,
        wake: Wake,
        simulator: Wildberries,
        projector: Projecting,
    ) -> Result<Self, Failure> {
        let pool = database.pool(Role::Api)?;
        let (store, _combiner) = EventStore::start(pool.clone(), wake);
        let keys = MasterKeys::parse(&child::MASTER_KEY.to_owned().into())?;
        let app = App::new(store, Vault::new(pool, keys));
        let (ids, clock) = (Ids::system(), Clock::system());
        let sid = simulator.sellers().first().copied().ok_or("no seller")?;
        let token = simulator.personal_token(sid).into();
        let context = context(&ids, &clock);
        let connected =
            connect_cabinet::execute(&app, &context, Marketplace::Wildberries, &token, None).await?;
        Ok(Self {
            simulator,
            app,
            reader: GlobalReader::new(database.pool(Role::Projector)?),
            projector,
            ids,
            clock,
            cabinet_id: connected.cabinet_id,
            seen: 0,
        })
    }

    async fn reach_connected(&self) -> Result<(), Failure> {
        self.projector.reach(self.reader.head().await?).await
    }

    /// Requests a sync, waits until it is complete and until everything it recorded can be queried.
    async fn sync(&mut self) -> Result<Measured, Failure> {
        self.simulator.clear_calls();
        let began = Instant::now();
        let context = context(&self.ids, &self.clock);
        request_sync::execute(&self.app, &context, self.cabinet_id, Trigger::Manual, true).await?;
        let position = tokio::time::timeout(PATIENCE, self.completed()).await??;
        let recorded = began.elapsed();
        self.projector.reach(position).await?;
        let wall = began.elapsed();
        let calls = self.simulator.calls();
        Ok(Measured {
            wall: wall.as_secs_f64() * 1e3,
            simulator: calls.handler_millis,
            calls: calls.total,
            recorded: recorded.as_secs_f64() * 1e3,
        })
    }

    /// Position of the event that says how the sync ended.
    async fn completed(&mut self) -> Result<i64, Failure> {
        loop {
            let stream = StreamType::Sync.as_str();
            let events = self
                .reader
                .read_stream(stream, self.cabinet_id.uuid(), self.seen, 100)
                .await?;
            for event in events {
                self.seen = event.version;
                match event.decode()? {
                    Decoded::Known(Event::Sync(SyncEvent::SyncCompleted(completed))) => {
                        let failed = completed.sources.iter().find(|source| source.error.is_some());
                        return match failed {
                            None => Ok(event.position),
                            Some(source) => Err(format!("a source failed: {source:?}").into()),
                        };
                    }
                    Decoded::Known(Event::Sync(
                        ended @ (SyncEvent::SyncFailed(_) | SyncEvent::SyncQuarantined(_)),
                    )) => return Err(format!("the sync ended as {ended:?}").into()),
                    _ => {}
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn context(ids: &Ids, clock: &Clock) -> Context {
    let id = ids.next();
    Context {
        tenant_id: TENANT,
        actor: "system".to_owned(),
        command_id: CommandId(id),
        correlation_id: id,
        causation_id: None,
        traceparent: None,
        now: clock.now(),
    }
}

fn start_worker(database: &Database, nats: &str, simulator: &Wildberries) -> Result<Child, Failure> {
    let settings = Settings {
        database: database.address.clone(),
        nats: nats.to_owned(),
        hosts: [
            Host::Content,
            Host::Analytics,
            Host::Statistics,
            Host::Marketplace,
            Host::Prices,
            Host::Common,
        ]
        .map(|host| simulator.host_url(host)),
    };
    Ok(Command::new(child::program()?)
        .arg(child::COMMAND)
        .arg(serde_json::to_string(&settings)?)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?)
}
