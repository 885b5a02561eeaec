//! A store, a broker, and projectors on them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use database::{Pool, Role};
use event_store::{Append, EventStore, GlobalReader, StreamId, Wake};
use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::ids::{CabinetId, CommandId, EventId, ProductId, SyncId, TenantId};
use events::product::{Details, Fulfilment, ProductListed, StockLevel, StockObserved};
use events::{Metadata, NewEvent, StreamType};
use messaging::async_nats::jetstream::message::PublishMessage;
use messaging::{Broker, BrokerOptions, headers, topology};
use projector::{Notice, Observer, ProjectorOptions, Source};
use read_models::schema::{self, TableDump};
use read_models::{Positions, Projection, Reached};
use runtime::clock::Clock;
use secrecy::SecretString;
use support::{Database, Nats, Own};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const TENANT: TenantId = TenantId(Uuid::from_u128(0xA));
pub(crate) const CABINET: CabinetId = CabinetId(Uuid::from_u128(0xC));

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) nats: Own<Nats>,
    pub(crate) broker: Broker,
    pub(crate) store: EventStore,
    pub(crate) wake: Wake,
    pub(crate) reader: GlobalReader,
    pub(crate) pool: Pool,
}

/// What a projector told its observer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Active(bool),
    Applied(Source, i64),
    Rebuilt(i64),
    Trouble(String),
}

/// A running projector.
pub(crate) struct Running {
    pub(crate) positions: Positions,
    pub(crate) told: Arc<Mutex<Vec<(&'static str, Told)>>>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), projector::ProjectorError>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let template = support::template("projector", |url| async move {
            let url = url.into();
            database::migrate(&url).await?;
            schema::install(&url).await
        })
        .await;
        let (database, nats) = tokio::join!(support::fresh_database(Some(&template)), support::own_nats());
        let url = SecretString::from(database.url.clone());
        // A copied database does not inherit the privileges on the one it was copied from.
        schema::install(&url).await.unwrap();
        let broker = Broker::connect(BrokerOptions::new(nats.url(), "test"))
            .await
            .unwrap();
        assert!(broker.wait_connected(support::SOON).await);
        topology::apply(&broker).await.unwrap();
        let wake = Wake::default();
        let (store, _task) = EventStore::start(Pool::open(&url, Role::Api, 2).unwrap(), wake.clone());
        let pool = Pool::open(&url, Role::Projector, 4).unwrap();
        Self {
            database,
            nats,
            broker,
            store,
            wake,
            reader: GlobalReader::new(pool.clone()),
            pool,
        }
    }

    pub(crate) fn url(&self) -> SecretString {
        self.database.url.clone().into()
    }

    pub(crate) fn options(&self) -> ProjectorOptions {
        ProjectorOptions {
            candidacy: Duration::from_millis(50),
            ..ProjectorOptions::new(self.url(), Clock::system())
        }
    }

    /// Starts a projector.
    pub(crate) fn start(&self) -> Running {
        self.start_with(self.options())
    }

    pub(crate) fn start_with(&self, options: ProjectorOptions) -> Running {
        let positions = Positions::default();
        let shutdown = CancellationToken::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let book = Arc::clone(&told);
        let observer: Observer = Arc::new(move |projection, notice| {
            let entry = match notice {
                Notice::Active(active) => Told::Active(*active),
                Notice::Applied { applied, source, .. } => Told::Applied(*source, applied.position),
                Notice::Rebuilt(rebuilt) => Told::Rebuilt(rebuilt.position),
                Notice::Trouble(error) => Told::Trouble(error.to_string()),
                Notice::Lag { .. } => return,
            };
            book.lock().unwrap().push((projection, entry));
        });
        let running = projector::run(
            options,
            self.broker.clone(),
            self.wake.clone(),
            positions.clone(),
            shutdown.clone(),
            observer,
        );
        Running {
            positions,
            told,
            shutdown,
            task: tokio::spawn(running),
        }
    }

    /// Lists `count` articles beginning with `first`; returns the last position.
    pub(crate) async fn list(&self, first: i64, count: i64) -> i64 {
        let appends = (first..first + count).map(listed).collect();
        self.append(appends).await
    }

    /// Tells stock of an article whose stream is at `version`; returns the last position.
    pub(crate) async fn stock(&self, nm_id: i64, version: i64, available: i64) -> i64 {
        self.append(vec![stock(nm_id, version, available)]).await
    }

    pub(crate) async fn append(&self, appends: Vec<Append>) -> i64 {
        let answers = self.store.append_many(appends).await;
        answers
            .into_iter()
            .map(|answer| answer.unwrap().position)
            .max()
            .unwrap()
    }

    /// Plays the relay: publishes the events at these positions.
    pub(crate) async fn publish(&self, positions: impl IntoIterator<Item = i64>) {
        for position in positions {
            let event = self.reader.read_after(position - 1, 1).await.unwrap().remove(0);
            let message = PublishMessage::build()
                .payload(event.payload.clone().into())
                .headers(headers::to_headers(
                    &event,
                    (position > 1).then_some(position - 1),
                ));
            let subject = events::subject::of(&event);
            self.broker
                .jetstream()
                .send_publish(subject, message)
                .await
                .unwrap()
                .await
                .unwrap();
        }
    }

    /// Plays a relay of before: publishes an event that the log does not have at this position.
    pub(crate) async fn publish_ghost(&self, position: i64) {
        let mut event = self.reader.read_after(0, 1).await.unwrap().remove(0);
        let article = 1_000 + position;
        let ghost = listed(article);
        event.position = position;
        event.event_id = ghost.events[0].event_id;
        event.stream_id = ghost.stream.id;
        event.payload = ghost.events[0].event.to_json().unwrap();
        let message = PublishMessage::build()
            .payload(event.payload.clone().into())
            .headers(headers::to_headers(&event, Some(position - 1)));
        let subject = events::subject::of(&event);
        let sent = self.broker.jetstream().send_publish(subject, message).await;
        sent.unwrap().await.unwrap();
    }

    pub(crate) async fn dump<P: Projection>(&self) -> (i64, Vec<TableDump>) {
        let mut session = self.pool.get().await.unwrap();
        schema::dump(&mut session, P::SCHEMA).await.unwrap()
    }

    pub(crate) async fn has_schema(&self, name: &str) -> bool {
        let session = self.pool.get().await.unwrap();
        session
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)",
                &[&name],
            )
            .await
            .unwrap()
            .get(0)
    }

    pub(crate) async fn available(&self, nm_id: i64) -> i64 {
        let session = self.pool.get().await.unwrap();
        session
            .query_one(
                "SELECT available FROM rm_inventory.products WHERE nm_id = $1",
                &[&nm_id],
            )
            .await
            .unwrap()
            .get(0)
    }
}

fn listed(nm_id: i64) -> Append {
    let listed = ProductListed {
        cabinet_id: CABINET,
        marketplace: Marketplace::Wildberries,
        nm_id,
        details: Details {
            vendor_code: format!("A-{nm_id}"),
            ..Details::default()
        },
        sync_id: SyncId(Uuid::from_u128(1)),
    };
    append(nm_id, 0, listed.into())
}

pub(crate) fn stock(nm_id: i64, version: i64, available: i64) -> Append {
    let observed = StockObserved {
        sync_id: SyncId(Uuid::from_u128(1)),
        source: "stock_fbo".to_owned(),
        as_of: chrono::DateTime::UNIX_EPOCH,
        levels: vec![StockLevel {
            warehouse: "fbo:507".to_owned(),
            name: "Коледино".to_owned(),
            fulfilment: Fulfilment::Fbo,
            available,
            in_way_to_client: 0,
            in_way_from_client: 0,
            buckets: std::collections::BTreeMap::new(),
            cluster: None,
            sizes: vec![],
        }],
        regrouped: vec![],
        unassigned_in_way: None,
        turnover: None,
    };
    append(nm_id, version, observed.into())
}

fn append(nm_id: i64, expected: i64, event: ProductEvent) -> Append {
    let stream = ProductId::of(CABINET, nm_id).uuid();
    let command = CommandId::derived(stream, &format!("{expected}"));
    Append {
        stream: StreamId {
            stream: StreamType::Product,
            id: stream,
        },
        expected,
        metadata: Metadata {
            tenant_id: TENANT,
            command_id: command,
            correlation_id: command.uuid(),
            causation_id: None,
            actor: "worker".to_owned(),
            traceparent: None,
        },
        events: vec![NewEvent {
            event_id: EventId(command.uuid()),
            event: event.into(),
        }],
        result: None,
    }
}

impl Running {
    /// Waits until `P` has read up to `position`.
    pub(crate) async fn reaches<P: Projection>(&self, world: &World, position: i64) {
        let reached = self
            .positions
            .wait_for::<P>(&world.pool, position, support::SOON)
            .await
            .unwrap();
        assert!(
            matches!(reached, Reached::Yes(_)),
            "{reached:?}; {:#?}",
            self.told.lock().unwrap()
        );
    }

    /// Waits until the observer was told something that `wanted` accepts.
    pub(crate) async fn is_told(&self, what: &str, wanted: impl Fn(&(&'static str, Told)) -> bool) {
        support::eventually(what, support::SOON, || {
            let told = self.told.lock().unwrap().clone();
            let found = told.iter().any(&wanted);
            async move { if found { Ok(()) } else { Err(format!("{told:?}")) } }
        })
        .await;
    }

    pub(crate) fn has_told(&self, wanted: &(&'static str, Told)) -> bool {
        self.told.lock().unwrap().contains(wanted)
    }

    /// Ends it in order.
    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}
