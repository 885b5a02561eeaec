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
use secrecy::SecretString;
use simulators::wildberries::{Host, Limits};
use simulators::{Listener, Ozon, SellerConfig, Wildberries, WildberriesConfig};
use support::{Nats, Own};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
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

/// The marketplace whose seller is synced.
pub(crate) enum Shop {
    Wildberries(Wildberries),
    Ozon(Ozon),
}

impl Shop {
    fn server(&self) -> &Listener {
        match self {
            Self::Wildberries(simulator) => simulator,
            Self::Ozon(simulator) => simulator,
        }
    }

    /// Gives a fraction of all cells that hold stock another amount.
    pub(crate) fn mutate_fraction(&self, fraction: f64) -> usize {
        match self {
            Self::Wildberries(simulator) => simulator.mutate_fraction(fraction),
            Self::Ozon(simulator) => simulator.mutate_fraction(fraction),
        }
    }

    /// Its key, as the seller gives it to us, and where that is from.
    fn key(&self) -> Result<(Marketplace, SecretString), Failure> {
        Ok(match self {
            Self::Wildberries(simulator) => {
                let sid = simulator.sellers().first().copied().ok_or("no seller")?;
                (Marketplace::Wildberries, simulator.personal_token(sid).into())
            }
            Self::Ozon(simulator) => {
                let id = simulator.sellers().first().copied().ok_or("no seller")?;
                let pair = format!("{id}:{}", simulator.api_key(id));
                (Marketplace::Ozon, pair.into())
            }
        })
    }

    /// Addresses for the worker; the other marketplace is nowhere.
    fn hosts(&self) -> ([String; 6], String) {
        let nowhere = || "http://127.0.0.1:9".to_owned();
        match self {
            Self::Wildberries(simulator) => {
                let hosts = [
                    Host::Content,
                    Host::Analytics,
                    Host::Statistics,
                    Host::Marketplace,
                    Host::Prices,
                    Host::Common,
                ];
                (hosts.map(|host| simulator.host_url(host)), nowhere())
            }
            Self::Ozon(simulator) => (std::array::from_fn(|_| nowhere()), simulator.base_url()),
        }
    }

    async fn stop(self) {
        match self {
            Self::Wildberries(simulator) => simulator.stop().await,
            Self::Ozon(simulator) => simulator.stop().await,
        }
    }
}

/// A connected seller, and a worker in a process of its own.
pub(crate) struct Stage {
    pub(crate) shop: Shop,
    worker: Child,
    app: App,
    reader: GlobalReader,
    projector: Projecting,
    relay: JoinHandle<()>,
    hints: JoinHandle<()>,
    stop: CancellationToken,
    ids: Ids,
    clock: Clock,
    cabinet_id: CabinetId,
    seen: i64,
    database: Database,
    _nats: Own<Nats>,
}

/// First and incremental sync, and the worker's peak memory.
///
/// # Errors
/// When a server refuses or a sync does not complete.
pub(crate) async fn run(servers: &Servers, sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let mut stage = Box::pin(Stage::open(servers, Shop::Wildberries(simulator(sizes).await?))).await?;
    stage.reach_connected().await?;
    let first = stage.sync().await?;
    let after_first = stage.peak_megabytes()?;
    let mut increments = Vec::new();
    for _ in 0..INCREMENTS {
        stage.shop.mutate_fraction(0.05);
        increments.push(stage.sync().await?);
    }
    let peak = stage.peak_megabytes()?;
    increments.sort_by(|one, other| one.beyond().total_cmp(&other.beyond()));
    let increment = increments.get(INCREMENTS / 2).copied().unwrap_or(first);
    Box::pin(stage.close(servers)).await?;
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
    /// Starts everything around the shop and connects it.
    pub(crate) async fn open(servers: &Servers, shop: Shop) -> Result<Self, Failure> {
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
        let worker = start_worker(&database, &nats.url(), &shop)?;
        let pool = database.pool(Role::Api)?;
        let (store, _combiner) = EventStore::start(pool.clone(), wake);
        let keys = MasterKeys::parse(&child::MASTER_KEY.to_owned().into())?;
        let app = App::new(store, Vault::new(pool, keys));
        let (ids, clock) = (Ids::system(), Clock::system());
        let (marketplace, key) = shop.key()?;
        let context = context(&ids, &clock);
        let connected = connect_cabinet::execute(&app, &context, marketplace, &key, None).await?;
        Ok(Self {
            shop,
            worker,
            app,
            reader: GlobalReader::new(database.pool(Role::Projector)?),
            projector,
            relay,
            hints,
            stop,
            ids,
            clock,
            cabinet_id: connected.cabinet_id,
            seen: 0,
            database,
            _nats: nats,
        })
    }

    async fn reach_connected(&self) -> Result<(), Failure> {
        self.projector.reach(self.reader.head().await?).await
    }

    /// Requests a sync, waits until it is complete and until everything it recorded can be queried.
    async fn sync(&mut self) -> Result<Measured, Failure> {
        self.shop.server().clear_calls();
        let began = Instant::now();
        let position = self.record().await?;
        let recorded = began.elapsed();
        self.projector.reach(position).await?;
        let wall = began.elapsed();
        let calls = self.shop.server().calls();
        Ok(Measured {
            wall: wall.as_secs_f64() * 1e3,
            simulator: calls.handler_millis,
            calls: calls.total,
            recorded: recorded.as_secs_f64() * 1e3,
        })
    }

    /// Requests a sync and waits until it is complete; returns the position of its end.
    pub(crate) async fn record(&mut self) -> Result<i64, Failure> {
        let context = context(&self.ids, &self.clock);
        request_sync::execute(&self.app, &context, self.cabinet_id, Trigger::Manual, true).await?;
        tokio::time::timeout(PATIENCE, self.completed()).await?
    }

    /// The most memory the worker ever had, as the kernel counted it.
    pub(crate) fn peak_megabytes(&self) -> Result<f64, Failure> {
        child::peak_megabytes(self.worker.id().ok_or("the worker has ended")?)
    }

    /// Ends everything in order.
    pub(crate) async fn close(mut self, servers: &Servers) -> Result<(), Failure> {
        // Its input closes, and it ends by itself.
        drop(self.worker.stdin.take());
        self.worker.wait().await?;
        self.projector.end().await?;
        self.stop.cancel();
        self.relay.await?;
        self.hints.abort();
        self.shop.stop().await;
        drop((self.app, self.reader));
        servers.finish(self.database).await
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

fn start_worker(database: &Database, nats: &str, shop: &Shop) -> Result<Child, Failure> {
    let (hosts, ozon) = shop.hosts();
    let settings = Settings {
        database: database.address.clone(),
        nats: nats.to_owned(),
        hosts,
        ozon,
    };
    Ok(Command::new(child::program()?)
        .arg(child::COMMAND)
        .arg(serde_json::to_string(&settings)?)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?)
}
