//! A log with one seller's syncs, and the policy on it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use alerts::{AlertPolicy, Options};
use application::App;
use chrono::{DateTime, TimeDelta, Utc};
use database::{Pool, Role};
use event_store::{Append, EventStore, GlobalReader, StreamId, Wake};
use events::alert_rule::{AlertRuleSet, AlertScope, EnoughStock};
use events::cabinet::{CabinetConnected, CredentialFacts, Marketplace, TokenKind};
use events::catalog::{AlertEvent, AlertRuleEvent, CabinetEvent, ProductEvent, SyncEvent};
use events::ids::{AlertRuleId, CabinetId, CommandId, CredentialId, EventId, ProductId, SyncId, TenantId};
use events::product::{
    Details, Fulfilment, OrderLine, OrdersObserved, Price, ProductListed, StockLevel, StockObserved,
};
use events::sheet::LowStock;
use events::sync::{SourceOutcome, SourceReport, SyncCompleted};
use events::{Decoded, Event, Metadata, NewEvent, Recorded};
use support::Database;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{MasterKeys, Vault};

pub(crate) const TENANT: TenantId = TenantId(Uuid::from_u128(0xA));
pub(crate) const CABINET: CabinetId = CabinetId(Uuid::from_u128(0xC));

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) app: App,
    pub(crate) reader: GlobalReader,
    versions: HashMap<StreamId, i64>,
    events: u128,
    syncs: u128,
}

/// A policy at work.
pub(crate) struct Running {
    stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    /// Ends it in order.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

impl World {
    /// A log in which one cabinet is connected.
    pub(crate) async fn new() -> Self {
        let mut world = Self::empty().await;
        world.connect(CABINET).await;
        world
    }

    pub(crate) async fn empty() -> Self {
        let migrate = async |url: String| database::migrate(&url.into()).await.map(drop);
        let template = support::template("alerts", migrate).await;
        let database = support::fresh_database(Some(&template)).await;
        let url = database.url.clone().into();
        let pool = Pool::open(&url, Role::Notifier, 4).unwrap();
        let (store, _task) = EventStore::start(pool.clone(), Wake::default());
        let ring = "v1:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
            .to_owned()
            .into();
        Self {
            app: App::new(store, Vault::new(pool.clone(), MasterKeys::parse(&ring).unwrap())),
            reader: GlobalReader::new(pool),
            database,
            versions: HashMap::new(),
            events: 0,
            syncs: 0,
        }
    }

    pub(crate) fn policy(&self) -> AlertPolicy {
        AlertPolicy {
            app: self.app.clone(),
            reader: self.reader.clone(),
            database_url: self.database.url.clone().into(),
            options: Options {
                page: 50,
                keep_after: 40,
                keep_every: Duration::ZERO,
                poll: Duration::from_millis(20),
                candidacy: Duration::from_millis(20),
                ..Options::default()
            },
            observer: Arc::new(|_| ()),
        }
    }

    pub(crate) fn start(&self, policy: AlertPolicy) -> Running {
        let stop = CancellationToken::new();
        let (wake, own) = (self.app.store.wake().subscribe(), stop.clone());
        let task = tokio::spawn(async move { policy.run(wake, own).await });
        Running { stop, task }
    }

    /// Waits until a policy that runs has kept everything there is.
    pub(crate) async fn is_caught_up(&self) {
        support::eventually(
            "the policy has come to the end of the log",
            support::SOON,
            || async {
                let head = self.reader.head().await.unwrap();
                let position = self.number("SELECT position FROM core.alert_policy").await;
                if position == head {
                    Ok(())
                } else {
                    Err(format!("{position} of {head}"))
                }
            },
        )
        .await;
    }

    /// Runs the policy until everything is judged; returns the alerts, by stream and in order.
    pub(crate) async fn alerts(&self) -> BTreeMap<Uuid, Vec<AlertEvent>> {
        let running = self.start(self.policy());
        self.is_caught_up().await;
        running.end().await;
        self.alerts_in_log().await
    }

    /// The alerts of article 1.
    pub(crate) async fn of_first(&self) -> Vec<AlertEvent> {
        self.alerts().await.remove(&product(1)).unwrap_or_default()
    }

    /// The alerts of article 1 in words: `low`, `out`, `recovered`, `closed`, with the warehouse.
    pub(crate) async fn told(&self) -> Vec<String> {
        self.of_first().await.iter().map(words).collect()
    }

    pub(crate) async fn alerts_in_log(&self) -> BTreeMap<Uuid, Vec<AlertEvent>> {
        let mut alerts: BTreeMap<Uuid, Vec<AlertEvent>> = BTreeMap::new();
        for event in self.log().await {
            if let Ok(Decoded::Known(Event::Alert(fact))) = event.decode() {
                alerts.entry(event.stream_id).or_default().push(fact);
            }
        }
        alerts
    }

    pub(crate) async fn log(&self) -> Vec<Recorded> {
        self.reader.read_after(0, 1_000_000).await.unwrap()
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let admin = support::connect(&self.database.url).await;
        admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn run(&self, sql: &str) {
        let admin = support::connect(&self.database.url).await;
        admin.batch_execute(sql).await.unwrap();
    }

    /// Appends an event; its ids follow from how many there were.
    pub(crate) async fn push(&mut self, id: Uuid, event: impl Into<Event>) -> i64 {
        let event: Event = event.into();
        let stream = StreamId {
            stream: event.stream_type(),
            id,
        };
        let version = self.versions.entry(stream).or_default();
        self.events += 1;
        let append = Append {
            stream,
            expected: *version,
            metadata: Metadata {
                tenant_id: TENANT,
                command_id: CommandId(Uuid::from_u128(0xEE00_0000 + self.events)),
                correlation_id: Uuid::from_u128(7),
                causation_id: None,
                actor: "worker".to_owned(),
                traceparent: None,
            },
            events: vec![NewEvent {
                event_id: EventId(Uuid::from_u128(0xFF00_0000 + self.events)),
                event,
            }],
            result: None,
        };
        *version += 1;
        self.app.store.append(append).await.unwrap().position
    }

    pub(crate) async fn connect(&mut self, cabinet: CabinetId) {
        let connected = CabinetConnected {
            marketplace: Marketplace::Wildberries,
            credential: credential(),
        };
        self.push(cabinet.uuid(), CabinetEvent::from(connected)).await;
    }

    pub(crate) async fn list(&mut self, nm_id: i64) {
        let listed = ProductListed {
            cabinet_id: CABINET,
            marketplace: Marketplace::Wildberries,
            nm_id,
            details: Details {
                subject: "Платья".to_owned(),
                price: Some(Price {
                    price_minor: 200_000,
                    discounted_minor: Some(100_000),
                    currency: "RUB".to_owned(),
                }),
                ..Details::default()
            },
            sync_id: self.sync_id(),
        };
        self.push(product(nm_id), ProductEvent::from(listed)).await;
    }

    /// Tells stock of an article: key and units.
    pub(crate) async fn stock(&mut self, nm_id: i64, levels: &[(&str, i64)]) {
        self.stock_of(nm_id, "stock_fbo", levels, &[]).await;
    }

    pub(crate) async fn stock_of(
        &mut self,
        nm_id: i64,
        source: &str,
        levels: &[(&str, i64)],
        regrouped: &[&str],
    ) {
        let observed = StockObserved {
            sync_id: self.sync_id(),
            source: source.to_owned(),
            as_of: at(0),
            levels: levels.iter().map(|(key, units)| level(key, *units)).collect(),
            regrouped: regrouped.iter().map(|key| (*key).to_owned()).collect(),
            unassigned_in_way: None,
            turnover: None,
        };
        self.push(product(nm_id), ProductEvent::from(observed)).await;
    }

    /// Tells `count` orders of an article, of one unit each, from warehouse `fbo:1` on a day.
    pub(crate) async fn orders(&mut self, nm_id: i64, day: i64, count: i64) {
        let orders = (0..count).map(|n| order(&format!("{nm_id}.{day}.{n}"), day, "fbo:1"));
        self.ordered(nm_id, orders.collect()).await;
    }

    pub(crate) async fn ordered(&mut self, nm_id: i64, orders: Vec<OrderLine>) {
        let observed = OrdersObserved {
            sync_id: self.sync_id(),
            source: "orders".to_owned(),
            as_of: at(0),
            orders,
        };
        self.push(product(nm_id), ProductEvent::from(observed)).await;
    }

    fn sync_id(&self) -> SyncId {
        SyncId(Uuid::from_u128(0x5000 + self.syncs))
    }

    /// A sync ends on a day, all sources complete.
    pub(crate) async fn sync(&mut self, day: i64) -> i64 {
        self.sync_with(day, &[]).await
    }

    /// The same, but these sources came out otherwise.
    pub(crate) async fn sync_with(&mut self, day: i64, but: &[(&str, SourceOutcome)]) -> i64 {
        let reports = reports(day, but);
        self.sync_reporting(day, reports).await
    }

    pub(crate) async fn sync_reporting(&mut self, day: i64, sources: Vec<SourceReport>) -> i64 {
        let done = SyncCompleted {
            sync_id: self.sync_id(),
            attempt: 1,
            completed_at: at(day),
            sources,
            products_seen: 0,
            products_changed: 0,
        };
        self.syncs += 1;
        self.push(CABINET.uuid(), SyncEvent::from(done)).await
    }

    /// Sets the tenant's rule: low below so many units, enough from twice as many on.
    pub(crate) async fn rule(&mut self, below: i64, per_warehouse: bool, enabled: bool) -> i64 {
        let rule = AlertRuleSet {
            rule_id: AlertRuleId::of(TENANT, &AlertScope::Tenant),
            scope: AlertScope::Tenant,
            low: LowStock {
                below_units: Some(below),
                below_days: None,
            },
            enough: EnoughStock {
                from_units: Some(2 * below),
                from_days: None,
            },
            per_warehouse,
            enabled,
        };
        self.push(TENANT.uuid(), AlertRuleEvent::from(rule)).await
    }
}

pub(crate) fn words(event: &AlertEvent) -> String {
    let at = |warehouse: &Option<String>| warehouse.as_ref().map_or(String::new(), |key| format!(" {key}"));
    match event {
        AlertEvent::StockBecameLow(low) => format!("low{}", at(&low.seen.warehouse)),
        AlertEvent::StockOut(out) => format!("out{}", at(&out.seen.warehouse)),
        AlertEvent::StockRecovered(recovered) => format!("recovered{}", at(&recovered.seen.warehouse)),
        AlertEvent::AlertClosed(closed) => format!("closed{} {:?}", at(&closed.warehouse), closed.reason),
    }
}

pub(crate) fn product(nm_id: i64) -> Uuid {
    ProductId::of(CABINET, nm_id).uuid()
}

/// Noon in Moscow of a day.
pub(crate) fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_005_200, 0).unwrap() + TimeDelta::days(day)
}

pub(crate) fn credential() -> CredentialFacts {
    CredentialFacts {
        credential_id: CredentialId(Uuid::from_u128(1)),
        fingerprint: "f".to_owned(),
        token_kind: TokenKind::Personal,
        seller_id: None,
        expires_at: None,
        scopes: vec![],
    }
}

pub(crate) fn level(key: &str, available: i64) -> StockLevel {
    StockLevel {
        warehouse: key.to_owned(),
        name: key.replace(':', " "),
        fulfilment: if key.starts_with("fbs") {
            Fulfilment::Fbs
        } else {
            Fulfilment::Fbo
        },
        available,
        in_way_to_client: 0,
        in_way_from_client: 0,
        buckets: BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    }
}

pub(crate) fn order(id: &str, day: i64, warehouse: &str) -> OrderLine {
    OrderLine {
        order_id: id.to_owned(),
        ordered_at: at(day),
        changed_at: at(day),
        warehouse: warehouse.to_owned(),
        warehouse_name: warehouse.replace(':', " "),
        fulfilment: Fulfilment::Fbo,
        quantity: 1,
        status: "created".to_owned(),
        cancelled: false,
        price_minor: None,
        currency: None,
        size_id: None,
        cluster: None,
    }
}

/// How the sources of a sync came out: complete, but for these.
pub(crate) fn reports(day: i64, but: &[(&str, SourceOutcome)]) -> Vec<SourceReport> {
    ["cards", "stock_fbo", "stock_fbs", "orders"]
        .into_iter()
        .map(|source| {
            let other = but.iter().find(|(name, _)| *name == source);
            let outcome = other.map_or(SourceOutcome::Complete, |(_, outcome)| *outcome);
            SourceReport {
                source: source.to_owned(),
                outcome,
                rows: 0,
                left_out: None,
                as_of: None,
                payload_sha256: String::new(),
                payload_bytes: None,
                error: None,
                doubts: vec![],
                covers_since: (source == "orders" && outcome == SourceOutcome::Complete)
                    .then(|| at(day) - TimeDelta::days(20)),
            }
        })
        .collect()
}
