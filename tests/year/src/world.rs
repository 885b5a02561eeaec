//! Everything between the marketplace and the read models, as the roles of the program run it: store, policy,
//! queue, jobs, relay, broker and projector. Only time is ours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alerts::AlertPolicy;
use application::domain::cabinet::Cabinet;
use application::domain::sync::Sync;
use application::set_alert_rule::{self, Input};
use application::{App, Context, Folded, connect_cabinet, replace_credential, request_sync};
use chrono::TimeDelta;
use connectors::http::{HttpClient, NoObserver};
use connectors::wildberries::{Hosts, Options};
use database::{Pool, Role};
use event_store::{EventStore, GlobalReader, StreamId, Subscription, Wake};
use events::alert_rule::{AlertScope, EnoughStock};
use events::catalog::{Event, SyncEvent};
use events::ids::{CabinetId, CommandId, TenantId};
use events::sheet::LowStock;
use events::sync::{SourceOutcome, SourceReport, SyncCompleted, Trigger};
use events::{Decoded, StreamType};
use messaging::{Broker, BrokerOptions, Cache, WorkQueue, topology};
use projector::ProjectorOptions;
use read_models::{Inventory, Operations, Positions, Projection, Reached};
use relay::RelayOptions;
use runtime::{Clock, Ids};
use secrecy::SecretString;
use simulators::wildberries::Host;
use support::{Database, Nats, Own};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vault::{MasterKeys, Vault};
use worker::Marketplaces;
use worker::policy::SyncPolicy;
use worker::sync::{Limits, Syncs};

use crate::Failure;
use crate::alerts::{ENOUGH_DAYS, ENOUGH_UNITS, LOW_DAYS, LOW_UNITS, Watched};
use crate::sheet::Sheet;
use crate::shop::Shop;

/// The vendors' limits are counted in real time; at this speed they are not what is waited for.
const SPEED: f64 = 1_000_000.0;
/// Events of one look for alerts.
const ALERT_PAGE: i64 = 5_000;
/// Days of orders a sync asks for, as the program does unless told otherwise.
const ORDER_DAYS: i64 = 30;
/// While a sync is awaited and nothing happens for so long, time goes on by [`SLICE`].
const LULL: Duration = Duration::from_millis(25);
const SLICE: TimeDelta = TimeDelta::seconds(5);
/// After so many of them a marketplace limits for hours, and time goes on faster.
const SHORT_SLICES: u32 = 120;
const LONG_SLICE: TimeDelta = TimeDelta::seconds(30);
/// Slices after which a sync has gone wrong: longer than one is put back that a marketplace limits all the
/// time. That is 200 times, and the policy sees every half second (twenty lulls) that its time has come.
const SLICES: u32 = 6_000;
/// So long the read models may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an asked sync ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Complete,
    Partial,
    Quarantined,
    Failed,
    Paused,
}

impl Asked {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
            Self::Paused => "paused",
        }
    }
}

pub(crate) struct World {
    pub(crate) shop: Shop,
    pub(crate) database: Database,
    pub(crate) broker: Broker,
    pub(crate) tenant_id: TenantId,
    pub(crate) cabinet_id: CabinetId,
    /// Acts as the API: seals keys, asks read models.
    pub(crate) api: Pool,
    /// What the log has said of alerts.
    pub(crate) watched: Watched,
    /// How far alerts are taken up.
    watched_to: i64,
    /// How the last sync ended, where it was completed.
    done: Option<SyncCompleted>,
    /// Reads the log as the notifier.
    notifier: GlobalReader,
    sheet: Option<Sheet>,
    app: App,
    seller: App,
    clock: Clock,
    ids: Ids,
    reader: GlobalReader,
    projector: Pool,
    positions: Positions,
    grown: Subscription,
    seen: i64,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    _nats: Own<Nats>,
}

impl World {
    /// Starts everything and connects the shop.
    pub(crate) async fn begin(shop: Shop, seed: u64) -> Result<Self, Failure> {
        let template = support::template("year", |url| async move {
            database::migrate(&url.into()).await.map(drop)
        })
        .await;
        let (database, nats) = tokio::join!(support::fresh_database(Some(&template)), support::own_nats());
        let url: SecretString = database.url.clone().into();
        read_models::schema::install(&url).await?;
        let broker = Broker::connect(BrokerOptions::new(nats.url(), "year")).await?;
        if !broker.wait_connected(support::SOON).await {
            return Err("no broker".into());
        }
        topology::apply(&broker).await?;
        let (wake, clock) = (Wake::default(), Clock::manual(shop.clock.now()));
        let pool = |role, size| Pool::open(&url, role, size);
        let (worker, api, projector) = (
            pool(Role::Worker, 8)?,
            pool(Role::Api, 4)?,
            pool(Role::Projector, 2)?,
        );
        let ids = Ids::seeded(7);
        let tenant_id = TenantId(ids.next());
        let mut world = Self {
            app: app(&worker, &wake)?,
            seller: app(&api, &wake)?,
            reader: GlobalReader::new(projector.clone()),
            grown: wake.subscribe(),
            shop,
            database,
            tenant_id,
            cabinet_id: CabinetId(tenant_id.uuid()),
            watched: Watched::default(),
            watched_to: 0,
            done: None,
            notifier: GlobalReader::new(pool(Role::Notifier, 2)?),
            sheet: None,
            api,
            clock,
            ids,
            projector,
            positions: Positions::default(),
            seen: 0,
            stop: CancellationToken::new(),
            tasks: Vec::new(),
            broker,
            _nats: nats,
        };
        world.employ(&url, &worker, &wake)?;
        let key = world.shop.new_key().await?;
        let market = world.shop.market.marketplace();
        let connected = connect_cabinet::execute(&world.seller, &world.context(), market, &key, None).await?;
        world.cabinet_id = connected.cabinet_id;
        set_alert_rule::execute(&world.seller, &world.context(), rule(), None).await?;
        let means = (&world.seller, &world.context());
        world.sheet = Some(Sheet::open(&url, &world.broker, &world.clock, seed, means).await?);
        Ok(world)
    }

    /// Starts the roles.
    fn employ(&mut self, url: &SecretString, worker: &Pool, wake: &Wake) -> Result<(), Failure> {
        let queue = WorkQueue::new(&self.broker);
        let syncs = Syncs {
            app: self.app.clone(),
            marketplaces: marketplaces(&self.shop)?,
            cache: Arc::new(Cache::new(&self.broker)),
            clock: self.clock.clone(),
            limits: Limits::default(),
            turns: None,
            order_days: ORDER_DAYS,
            observer: None,
            source_observer: None,
            payloads: None,
        };
        let policy = SyncPolicy {
            pool: worker.clone(),
            queue: queue.clone(),
            clock: self.clock.clone(),
            plans: application::domain::plans::Plans::unlimited(),
            per_tenant: 2,
        };
        let (grown, stop) = (wake.subscribe(), self.stop.clone());
        self.tasks
            .push(tokio::spawn(async move { policy.run(grown, stop).await }));
        let stop = self.stop.clone();
        self.tasks.push(tokio::spawn(async move {
            worker::jobs::run(&queue, &syncs, 1, &stop).await;
        }));
        self.tasks.push(alert_policy(url, wake, &self.stop)?);
        let options = RelayOptions {
            reader: GlobalReader::new(Pool::open(url, Role::Relay, 2)?),
            broker: self.broker.clone(),
            wake: wake.clone(),
            lock: relay::lock_connection(url.clone()),
            shutdown: self.stop.clone(),
            observer: Arc::new(relay::Silent),
        };
        self.tasks.push(tokio::spawn(relay::run(options)));
        let projecting = projector::run(
            ProjectorOptions::new(url.clone(), Clock::system()),
            self.broker.clone(),
            wake.clone(),
            self.positions.clone(),
            self.stop.clone(),
            Arc::new(|_, _| {}),
        );
        self.tasks.push(tokio::spawn(async move {
            // What it could not do shows in how far it came.
            drop(projecting.await);
        }));
        Ok(())
    }

    fn context(&self) -> Context {
        let id = self.ids.next();
        Context {
            tenant_id: self.tenant_id,
            actor: "year".to_owned(),
            command_id: CommandId(id),
            correlation_id: id,
            causation_id: None,
            traceparent: None,
            now: self.clock.now(),
        }
    }

    /// Time goes on for everybody; nothing happens to the shop.
    pub(crate) fn pass(&self, by: TimeDelta) {
        pass(&self.shop, &self.clock, by);
    }

    /// The shop lives for some hours.
    pub(crate) async fn live(&self, hours: u32) -> Result<(), Failure> {
        self.shop.live(hours).await?;
        self.clock.advance(self.shop.clock.now() - self.clock.now());
        Ok(())
    }

    /// The seller gives the cabinet a new key.
    pub(crate) async fn replace_key(&mut self) -> Result<(), Failure> {
        let key = self.shop.new_key().await?;
        replace_credential::execute(&self.seller, &self.context(), self.cabinet_id, &key).await?;
        Ok(())
    }

    /// Whether the marketplace takes the cabinet's key, as far as is known.
    pub(crate) async fn is_usable(&self) -> Result<bool, Failure> {
        let loaded = self
            .app
            .states
            .load::<Folded<Cabinet>>(self.tenant_id, self.cabinet_id.uuid());
        let Folded(cabinet) = loaded.await?.state;
        Ok(cabinet.rejected.is_none())
    }

    /// Asks for a sync and sees it through, with all its attempts.
    pub(crate) async fn sync(&mut self) -> Result<Asked, Failure> {
        let context = self.context();
        let asked = request_sync::execute(&self.app, &context, self.cabinet_id, Trigger::Schedule, true);
        match asked.await {
            Ok(_requested) => {}
            Err(request_sync::Error::CredentialRejected { .. }) => return Ok(Asked::Paused),
            Err(error) => return Err(error.into()),
        }
        let mut lulls = 0;
        while self.is_outstanding().await? {
            if self.grown.changed_or(LULL).await.is_none() {
                self.pass(if lulls < SHORT_SLICES { SLICE } else { LONG_SLICE });
                lulls += 1;
            }
            if lulls > SLICES {
                return Err(format!("a sync does not end; {:?}", self.last().await?).into());
            }
        }
        let last = self.last().await?;
        self.done = None;
        Ok(match last {
            Some(SyncEvent::SyncCompleted(done)) => {
                let whole = done
                    .sources
                    .iter()
                    .all(|source| source.outcome == SourceOutcome::Complete);
                self.done = Some(done);
                if whole { Asked::Complete } else { Asked::Partial }
            }
            Some(SyncEvent::SyncQuarantined(_)) => Asked::Quarantined,
            _ => Asked::Failed,
        })
    }

    async fn is_outstanding(&self) -> Result<bool, Failure> {
        let loaded = self
            .app
            .states
            .load::<Folded<Sync>>(self.tenant_id, self.cabinet_id.uuid());
        Ok(loaded.await?.state.0.outstanding.is_some())
    }

    /// The last event of the cabinet's syncs.
    async fn last(&mut self) -> Result<Option<SyncEvent>, Failure> {
        let stream = StreamId {
            stream: StreamType::Sync,
            id: self.cabinet_id.uuid(),
        };
        let events = self
            .app
            .store
            .read_stream(self.tenant_id, stream, self.seen)
            .await?;
        for last in events.iter().rev() {
            match last.decode()? {
                // News of a source, not of a sync.
                Decoded::Known(Event::Sync(SyncEvent::SourceDegraded(_) | SyncEvent::SourceRecovered(_))) => {
                }
                Decoded::Known(Event::Sync(event)) => {
                    self.seen = last.version - 1;
                    return Ok(Some(event));
                }
                other => return Err(format!("{other:?} in a stream of syncs").into()),
            }
        }
        Ok(None)
    }

    /// How the last sync ended, for a person.
    pub(crate) async fn last_end(&mut self) -> Result<String, Failure> {
        Ok(format!("{:?}", self.last().await?))
    }

    /// Waits until both read models have read the whole log; returns its length.
    pub(crate) async fn caught_up(&self) -> Result<i64, Failure> {
        let head = self.reader.head().await?;
        self.reached::<Inventory>(head).await?;
        self.reached::<Operations>(head).await?;
        Ok(head)
    }

    async fn reached<P: Projection>(&self, head: i64) -> Result<(), Failure> {
        match self
            .positions
            .wait_for::<P>(&self.projector, head, PATIENCE)
            .await?
        {
            Reached::Yes(_) => Ok(()),
            Reached::NotYet(at) => Err(format!("{} is at {at} of {head}", P::NAME).into()),
        }
    }

    /// Takes up what the last sync raised. Every number in it has to be the marketplace's.
    pub(crate) async fn take_alerts(&mut self) -> Result<(), Failure> {
        // What the policy appends it reads as well.
        support::eventually("the alert policy to judge the log", PATIENCE, || async {
            let behind = alerts::lag(&self.notifier)
                .await
                .map_err(|error| error.to_string())?;
            match behind.events {
                0 => Ok(()),
                events => Err(format!("{events} events behind")),
            }
        })
        .await;
        let mut events = Vec::new();
        loop {
            let page = self.reader.read_after(self.watched_to, ALERT_PAGE).await?;
            let Some(last) = page.last() else { break };
            self.watched_to = last.position;
            events.extend(
                page.into_iter()
                    .filter(|event| event.stream_type() == Some(StreamType::Alert)),
            );
        }
        if events.is_empty() {
            return Ok(());
        }
        self.watched.take(&events, &self.shop.ledger().await?)
    }

    /// Exactly the products have an alert that have to, after a sync that saw everything.
    pub(crate) fn compare_alerts(&mut self, ledger: &simulators::Ledger) -> Result<usize, Failure> {
        let Some(done) = self.done.clone() else {
            return Ok(0);
        };
        // What is doubted is not judged.
        if !done.sources.iter().all(SourceReport::is_whole) {
            return Ok(0);
        }
        self.watched.compare(ledger, done.completed_at)
    }

    /// The second person may do something in the spreadsheet, and the role writes what is due.
    pub(crate) async fn write_sheet(&mut self) -> Result<(), Failure> {
        let head = self.caught_up().await?;
        let (shop, clock) = (&self.shop, &self.clock);
        let Some(sheet) = &mut self.sheet else {
            return Ok(());
        };
        sheet.round(head, |by| pass(shop, clock, by)).await
    }

    /// Every cell of the spreadsheet is the marketplace's number; returns how many were compared.
    pub(crate) async fn compare_sheet(&self) -> Result<usize, Failure> {
        let head = self.caught_up().await?;
        let sheet = self.sheet.as_ref().ok_or("no spreadsheet is linked")?;
        sheet.settle(head, |by| self.pass(by)).await?;
        sheet.compare(&self.shop.ledger().await?)
    }

    /// What the second person did in the spreadsheet.
    pub(crate) fn person_did(&self) -> BTreeMap<String, u64> {
        self.sheet
            .as_ref()
            .map(|sheet| sheet.person.done.clone())
            .unwrap_or_default()
    }

    /// Ends the roles and gives back what is looked at afterwards.
    pub(crate) async fn end(self) -> Result<Rest, Failure> {
        let head = self.caught_up().await?;
        self.stop.cancel();
        for task in self.tasks {
            task.await?;
        }
        Ok(Rest {
            head,
            database: self.database,
            broker: self.broker,
            reader: self.reader,
            projector: self.projector,
            _nats: self._nats,
        })
    }
}

/// What is left when nobody works any more.
pub(crate) struct Rest {
    pub(crate) head: i64,
    pub(crate) database: Database,
    pub(crate) broker: Broker,
    pub(crate) reader: GlobalReader,
    pub(crate) projector: Pool,
    _nats: Own<Nats>,
}

fn pass(shop: &Shop, clock: &Clock, by: TimeDelta) {
    shop.pass(by);
    clock.advance(by);
}

/// When this seller wants to be warned.
fn rule() -> Input {
    Input {
        scope: AlertScope::Tenant,
        low: LowStock {
            below_units: Some(LOW_UNITS),
            below_days: u32::try_from(LOW_DAYS).ok(),
        },
        enough: EnoughStock {
            from_units: Some(ENOUGH_UNITS),
            from_days: u32::try_from(ENOUGH_DAYS).ok(),
        },
        per_warehouse: true,
        enabled: true,
    }
}

/// Starts the alert policy; how far it has come is written at once.
fn alert_policy(
    url: &SecretString,
    wake: &Wake,
    stop: &CancellationToken,
) -> Result<JoinHandle<()>, Failure> {
    let pool = Pool::open(url, Role::Notifier, 4)?;
    let policy = AlertPolicy {
        app: app(&pool, wake)?,
        reader: GlobalReader::new(pool),
        database_url: url.clone(),
        options: alerts::Options {
            keep_after: 1,
            ..alerts::Options::default()
        },
        observer: Arc::new(|_| {}),
    };
    let (grown, stop) = (wake.subscribe(), stop.clone());
    Ok(tokio::spawn(async move { policy.run(grown, stop).await }))
}

fn app(pool: &Pool, wake: &Wake) -> Result<App, Failure> {
    let (store, _combiner) = EventStore::start(pool.clone(), wake.clone());
    let key = "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned();
    Ok(App::new(
        store,
        Vault::new(pool.clone(), MasterKeys::parse(&key.into())?),
    ))
}

fn marketplaces(shop: &Shop) -> Result<Marketplaces, Failure> {
    let hosts = Hosts {
        content: shop.host(Host::Content),
        analytics: shop.host(Host::Analytics),
        statistics: shop.host(Host::Statistics),
        marketplace: shop.host(Host::Marketplace),
        prices: shop.host(Host::Prices),
        common: shop.host(Host::Common),
    };
    let shortest = Duration::from_millis(1);
    // Small pages, so that some sources break off in the middle.
    let options = Options {
        repeat_pause: shortest,
        report_poll: shortest,
        card_page: 25,
        ..Options::default()
    };
    let ozon = connectors::ozon::Options {
        repeat_pause: shortest,
        product_page: 25,
        ..connectors::ozon::Options::default()
    };
    let http = HttpClient::new(Arc::new(NoObserver))?;
    Ok(Marketplaces::new(http, hosts, options, SPEED).with_ozon(shop.host(Host::Common), ozon))
}
