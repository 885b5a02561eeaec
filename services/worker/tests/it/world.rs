//! A worker with everything around it: database, broker, marketplace, one connected cabinet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use application::domain::plans::Plans;
use application::domain::product::Product;
use application::{App, Context, Folded, connect_cabinet, request_sync};
use chrono::{DateTime, TimeDelta, Utc};
use connectors::http::{HttpClient, NoObserver};
use connectors::marketplace::MarketplaceClient;
use connectors::wildberries::{Hosts, Options};
use database::{Pool, Role};
use event_store::{EventStore, Loaded, Wake};
use events::cabinet::Marketplace;
use events::catalog::{Event, SyncEvent};
use events::ids::{CabinetId, CommandId, ProductId, SyncId, TenantId};
use events::sync::Trigger;
use events::{Decoded, StreamType};
use messaging::{Broker, BrokerOptions, Cache, Queue, WorkQueue, topology};
use runtime::{Clock, Ids};
use simulators::ozon::OzonLimits;
use simulators::wildberries::{Host, Limits};
use simulators::{Ozon, OzonConfig, OzonSellerConfig, SellerConfig, Wildberries, WildberriesConfig};
use support::{Database, Own};
use vault::{MasterKeys, Vault};
use worker::payloads::{PayloadLimits, Payloads};
use worker::policy::SyncPolicy;
use worker::reports::KeptReports;
use worker::sync::{End, Limits as SyncLimits, Syncs};
use worker::{Marketplaces, SyncJob};

const SPEED: f64 = 10_000.0;
/// Enough for any test.
pub(crate) const PAYLOADS: PayloadLimits = PayloadLimits {
    days: 14,
    of_cabinet: 64 * 1024 * 1024,
    of_all: 64 * 1024 * 1024,
};

/// What fails has to be right again whether or not syncs read what was recorded just before.
pub(crate) const FORCED_AND_NOT: [bool; 2] = [true, false];

pub(crate) struct World {
    pub(crate) simulator: Wildberries,
    pub(crate) app: App,
    pub(crate) syncs: Syncs,
    pub(crate) policy: SyncPolicy,
    pub(crate) queue: WorkQueue,
    pub(crate) broker: Broker,
    pub(crate) nats: Own<embedded::Nats>,
    pub(crate) clock: Clock,
    pub(crate) tenant_id: TenantId,
    pub(crate) cabinet_id: CabinetId,
    pub(crate) token: String,
    /// Ozon, where the cabinet is there.
    pub(crate) ozon: Option<Ozon>,
    ids: Ids,
    pub(crate) database: Database,
}

/// A small seller who sells from everywhere.
pub(crate) fn seller() -> SellerConfig {
    SellerConfig {
        articles: 40,
        warehouses: 6,
        fbs_warehouses: 2,
        orders_per_day: 30,
        ..SellerConfig::default()
    }
}

impl World {
    pub(crate) async fn start(seller: SellerConfig) -> Self {
        Self::with_token(seller, Wildberries::personal_token).await
    }

    pub(crate) async fn with_token(
        seller: SellerConfig,
        token: impl FnOnce(&Wildberries, uuid::Uuid) -> String,
    ) -> Self {
        let now: DateTime<Utc> = "2026-10-15T09:00:00Z".parse().unwrap();
        let simulator = Wildberries::start(WildberriesConfig {
            sellers: vec![seller],
            clock: simulators::Clock::manual(now),
            limits: Limits::Speed(SPEED),
            ..WildberriesConfig::default()
        })
        .await
        .unwrap();
        let token = token(&simulator, simulator.sellers()[0]);
        let template = support::template("core", |url| async move {
            database::migrate(&url.into()).await.map(drop)
        })
        .await;
        let database = support::fresh_database(Some(&template)).await;
        let pool = Pool::open(&database.url.clone().into(), Role::Worker, 8).unwrap();
        let clock = Clock::manual(now);
        let app = connect_app(&pool);
        let nats = support::own_nats().await;
        let broker = Broker::connect(BrokerOptions::new(nats.url(), "worker test"))
            .await
            .unwrap();
        assert!(broker.wait_connected(support::SOON).await);
        topology::apply(&broker).await.unwrap();
        let syncs = Syncs {
            app: app.clone(),
            marketplaces: marketplaces(&simulator, &broker),
            cache: Arc::new(Cache::new(&broker)),
            clock: clock.clone(),
            limits: SyncLimits {
                pause: Duration::from_secs(15),
                ..SyncLimits::default()
            },
            turns: None,
            order_days: 30,
            observer: None,
            source_observer: None,
            payloads: Some(Payloads {
                pool: pool.clone(),
                vault: app.vault.clone(),
                limits: PAYLOADS,
                clock: clock.clone(),
            }),
        };
        let queue = WorkQueue::new(&broker);
        let policy = SyncPolicy {
            pool: pool.clone(),
            queue: queue.clone(),
            clock: clock.clone(),
            plans: Plans::unlimited(),
            per_tenant: 2,
        };
        let ids = Ids::seeded(7);
        let tenant_id = TenantId(ids.next());
        let mut world = Self {
            simulator,
            app,
            syncs,
            policy,
            queue,
            broker,
            nats,
            clock,
            tenant_id,
            cabinet_id: CabinetId(tenant_id.uuid()),
            token: token.clone(),
            ozon: None,
            ids,
            database,
        };
        world.cabinet_id = world
            .connect(&api_app(&world).await, Marketplace::Wildberries, &token)
            .await;
        world
    }

    /// What a worker process knows that was started anew: nothing.
    pub(crate) fn restart_worker(&mut self) {
        self.syncs.marketplaces = marketplaces(&self.simulator, &self.broker);
        self.syncs.cache = Arc::new(Cache::new(&self.broker));
    }

    /// The same seller with a cabinet at a simulated Ozon, of which everything here speaks from now on.
    pub(crate) async fn at_ozon(seller: OzonSellerConfig) -> Self {
        let empty = SellerConfig {
            articles: 0,
            ..self::seller()
        };
        let mut world = Box::pin(Self::start(empty)).await;
        let ozon = Ozon::start(OzonConfig {
            sellers: vec![seller],
            clock: simulators::Clock::manual(world.clock.now()),
            limits: OzonLimits::Speed(SPEED),
            ..OzonConfig::default()
        })
        .await
        .unwrap();
        let options = connectors::ozon::Options {
            repeat_pause: Duration::from_millis(5),
            deadline: Duration::from_secs(3),
            verdict_pause: Duration::from_millis(5),
            ..connectors::ozon::Options::default()
        };
        let marketplaces = world.syncs.marketplaces.clone();
        world.syncs.marketplaces = marketplaces.with_ozon(ozon.base_url(), options);
        let client_id = ozon.sellers()[0];
        world.token = ozon.api_key(client_id);
        let pair = format!("{client_id}:{}", world.token);
        let api = api_app(&world).await;
        world.cabinet_id = world.connect(&api, Marketplace::Ozon, &pair).await;
        world.ozon = Some(ozon);
        world
    }

    pub(crate) async fn connect(&self, api: &App, marketplace: Marketplace, secret: &str) -> CabinetId {
        let context = self.context();
        let secret = secret.to_owned().into();
        let connected = connect_cabinet::execute(api, &context, marketplace, &secret, None)
            .await
            .unwrap();
        connected.cabinet_id
    }

    pub(crate) fn context(&self) -> Context {
        let id = self.ids.next();
        Context {
            tenant_id: self.tenant_id,
            actor: "test".to_owned(),
            command_id: CommandId(id),
            correlation_id: id,
            causation_id: None,
            traceparent: None,
            now: self.clock.now(),
        }
    }

    pub(crate) async fn request(&self, forced: bool) -> SyncId {
        request_sync::execute(
            &self.app,
            &self.context(),
            self.cabinet_id,
            Trigger::Manual,
            forced,
        )
        .await
        .unwrap()
        .sync_id
    }

    /// How many cabinets are due for a scheduled sync.
    pub(crate) async fn due(&self) -> i64 {
        let admin = support::connect(self.database_url()).await;
        let sql = "SELECT count(*) FROM core.due_cabinets($1, 1800, 10)";
        admin.query_one(sql, &[&self.clock.now()]).await.unwrap().get(0)
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    pub(crate) fn job(&self, sync_id: SyncId) -> SyncJob {
        SyncJob {
            tenant_id: self.tenant_id,
            cabinet_id: self.cabinet_id,
            sync_id,
        }
    }

    /// Requests a sync and runs it, as if the queue had just delivered it.
    pub(crate) async fn sync(&self, forced: bool) -> End {
        let sync_id = self.request(forced).await;
        Box::pin(self.syncs.run(&self.job(sync_id), 1, 1)).await
    }

    /// [`World::request`] more than five minutes after whatever was recorded last.
    pub(crate) async fn request_anew(&self, forced: bool) -> SyncId {
        let sources = ["cards", "stock_fbo", "stock_fbs", "orders", "prices"];
        for source in sources.into_iter().filter(|_| !forced) {
            let key = format!("{}.{source}", self.cabinet_id);
            let over = self.syncs.cache.put(&key, "over".into()).await;
            over.unwrap();
        }
        self.request(forced).await
    }

    /// [`World::sync`] more than five minutes after whatever was recorded last.
    pub(crate) async fn sync_anew(&self, forced: bool) -> End {
        let sync_id = self.request_anew(forced).await;
        Box::pin(self.syncs.run(&self.job(sync_id), 1, 1)).await
    }

    /// The client that a sync of this cabinet reads with.
    pub(crate) fn client(&self) -> MarketplaceClient {
        let secret = self.token.clone().into();
        let marketplaces = &self.syncs.marketplaces;
        marketplaces.client(Marketplace::Wildberries, &secret).unwrap()
    }

    /// Time passes, for the worker and for the marketplace.
    pub(crate) fn later(&self, by: TimeDelta) {
        assert!(self.clock.advance(by));
        let minutes = usize::try_from(by.num_minutes()).unwrap();
        match &self.ozon {
            Some(ozon) => ozon.advance(minutes),
            None => self.simulator.advance(minutes),
        }
    }

    pub(crate) async fn sync_events(&self) -> Vec<SyncEvent> {
        let stream = event_store::StreamId {
            stream: StreamType::Sync,
            id: self.cabinet_id.uuid(),
        };
        let recorded = self
            .app
            .store
            .read_stream(self.tenant_id, stream, 0)
            .await
            .unwrap();
        recorded
            .iter()
            .map(|event| match event.decode().unwrap() {
                Decoded::Known(Event::Sync(event)) => event,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    pub(crate) async fn last(&self) -> SyncEvent {
        self.sync_events().await.pop().unwrap()
    }

    /// How each source came out in the last completed sync.
    pub(crate) async fn outcomes(&self) -> BTreeMap<String, String> {
        let SyncEvent::SyncCompleted(completed) = self.last().await else {
            panic!("not completed")
        };
        completed
            .sources
            .into_iter()
            .map(|report| (report.source, format!("{:?}", report.outcome).to_lowercase()))
            .collect()
    }

    pub(crate) async fn product(&self, nm_id: u64) -> Loaded<Folded<Product>> {
        let id = ProductId::of(self.cabinet_id, i64::try_from(nm_id).unwrap());
        self.app.states.load(self.tenant_id, id.uuid()).await.unwrap()
    }

    /// Total length of all product streams.
    pub(crate) async fn product_events(&self) -> i64 {
        let mut total = 0;
        for product in self.truth() {
            total += self.product(product.nm_id).await.version;
        }
        total
    }

    pub(crate) fn truth(&self) -> Vec<simulators::wildberries::ProductTruth> {
        self.simulator
            .truth(self.simulator.sellers()[0], None)
            .unwrap()
            .products
    }

    /// Every article knows exactly what the marketplace has: per warehouse by name, on the way, listed or
    /// not.
    pub(crate) async fn assert_equals_truth(&self) {
        for truth in self.truth() {
            let Folded(product) = self.product(truth.nm_id).await.state;
            if truth.listed {
                assert!(product.details.is_some() && !product.delisted, "{}", truth.nm_id);
            }
            let mut known: BTreeMap<String, u64> = BTreeMap::new();
            for level in product.levels.values().filter(|known| known.level.available > 0) {
                *known.entry(level.name.clone()).or_default() +=
                    u64::try_from(level.level.available).unwrap();
            }
            let mut expected = truth.stock.clone();
            if truth.listed {
                expected.extend(truth.fbs.clone());
                assert_eq!(known, expected, "stock of {}", truth.nm_id);
            }
            let to_client: i64 = product
                .levels
                .values()
                .map(|known| known.level.in_way_to_client)
                .sum();
            assert_eq!(
                u64::try_from(to_client + product.unassigned_in_way.to_client).unwrap(),
                truth.in_way_to_client,
                "on the way to buyers of {}",
                truth.nm_id
            );
        }
    }

    /// Takes the next job from the queue, if there is one.
    pub(crate) async fn queued(&self) -> Option<SyncJob> {
        let mut jobs = self.queue.consumer(Queue::Sync);
        let job = jobs.next(Duration::from_millis(300)).await.unwrap()?;
        let wanted = serde_json::from_slice(&job.payload).unwrap();
        job.ack().await.unwrap();
        Some(wanted)
    }
}

fn connect_app(pool: &Pool) -> App {
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let keys = MasterKeys::parse(
        &"v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
            .to_owned()
            .into(),
    )
    .unwrap();
    App::new(store, Vault::new(pool.clone(), keys))
}

/// Only the API may seal, so the cabinet is connected with its rights.
pub(crate) async fn api_app(world: &World) -> App {
    let pool = Pool::open(&world.database.url.clone().into(), Role::Api, 2).unwrap();
    connect_app(&pool)
}

fn marketplaces(simulator: &Wildberries, broker: &Broker) -> Marketplaces {
    let options = Options {
        repeat_pause: Duration::from_millis(5),
        report_poll: Duration::from_millis(20),
        deadline: Duration::from_secs(3),
        report_deadline: Duration::from_secs(3),
        ..Options::default()
    };
    marketplaces_with(simulator, options, SPEED).keeping(Arc::new(KeptReports::new(broker)))
}

/// The same with other options, and with the vendors' limits so much faster than in reality.
pub(crate) fn marketplaces_with(simulator: &Wildberries, options: Options, speed: f64) -> Marketplaces {
    let hosts = Hosts {
        content: simulator.host_url(Host::Content),
        analytics: simulator.host_url(Host::Analytics),
        statistics: simulator.host_url(Host::Statistics),
        marketplace: simulator.host_url(Host::Marketplace),
        prices: simulator.host_url(Host::Prices),
        common: simulator.host_url(Host::Common),
    };
    Marketplaces::new(
        HttpClient::new(Arc::new(NoObserver)).unwrap(),
        hosts,
        options,
        speed,
    )
}
