//! A migrated database, a receiver, and tenants with endpoints there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use application::{App, Context, webhooks};
use chrono::{DateTime, TimeDelta};
use connectors::http::NoObserver;
use connectors::webhooks::{Policy, WebhookClient};
use database::{Pool, Role};
use event_store::{Append, EventStore, StreamId, Wake};
use events::alert::{AlertCause, Seen, StockOut};
use events::ids::{CabinetId, CommandId, EventId, TenantId};
use events::{Metadata, NewEvent, StreamType};
use notifications::webhooks::{Deliveries, Delivery, Fanout, Filter, MessageState, Outbox};
use notifier::webhooks::{Reader, Sender};
use runtime::{Clock, Metrics};
use simulators::{Receiver, ReceiverConfig};
use support::{Database, SOON, eventually};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{MasterKeys, Vault};

/// Receivers of tests are on this machine.
const OWN: Policy = Policy {
    https_only: false,
    ports: None,
    private_addresses: true,
};

pub(crate) struct World {
    pub(crate) receiver: Receiver,
    pub(crate) clock: Clock,
    pub(crate) api: App,
    pub(crate) notifier: App,
    pub(crate) deliveries: Deliveries,
    pub(crate) outbox: Outbox,
    pub(crate) more: Arc<Notify>,
    reader: Reader,
    pub(crate) database: Database,
}

/// An endpoint of a tenant.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) tenant: TenantId,
    pub(crate) id: Uuid,
    pub(crate) path: String,
    pub(crate) secret: String,
}

/// A sender that runs until it is killed.
pub(crate) struct Running(JoinHandle<()>);

impl Running {
    /// As by `kill -9`: whatever is on its way is dropped where it is.
    pub(crate) async fn kill(self) {
        self.0.abort();
        drop(self.0.await);
    }
}

/// An id that no other call returns.
pub(crate) fn new_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(
        0x7e57_0000_0000_4000,
        0x8000_0000_0000_0000 | NEXT.fetch_add(1, Ordering::Relaxed),
    )
}

fn app_of(database: &Database, role: Role) -> App {
    let pool = Pool::open(&database.url.clone().into(), role, 8).unwrap();
    let (store, _task) = EventStore::start(pool.clone(), Wake::default());
    // Thirty-two bytes of one value.
    let ring = format!("v1:{}=", "B".repeat(43)).replace("BBB=", "BBA=");
    App::new(store, Vault::new(pool, MasterKeys::parse(&ring.into()).unwrap())).calling(OWN)
}

impl World {
    pub(crate) async fn new() -> Self {
        let migrate = async |url: String| database::migrate(&url.into()).await.map(drop);
        let template = support::template("notifier", migrate).await;
        let database = support::fresh_database(Some(&template)).await;
        let pool = |role| Pool::open(&database.url.clone().into(), role, 8).unwrap();
        let clock = Clock::manual(DateTime::from_timestamp(1_795_000_000, 0).unwrap());
        // Its time is the machine's, and ours is moved.
        let config = ReceiverConfig {
            tolerance_seconds: None,
            ..ReceiverConfig::default()
        };
        Self {
            receiver: Receiver::start(config).await.unwrap(),
            api: app_of(&database, Role::Api),
            notifier: app_of(&database, Role::Notifier),
            deliveries: Deliveries::new(pool(Role::Api)),
            outbox: Outbox::new(pool(Role::Notifier)),
            more: Arc::default(),
            reader: Reader {
                fanout: Fanout::new(pool(Role::Notifier)),
                clock: clock.clone(),
            },
            clock,
            database,
        }
    }

    pub(crate) fn context(&self, tenant_id: TenantId) -> Context {
        let command_id = new_id();
        Context {
            tenant_id,
            actor: "user:0198c0de-0000-7000-8000-0000000005e1".into(),
            command_id: CommandId(command_id),
            correlation_id: command_id,
            causation_id: None,
            traceparent: None,
            now: self.clock.now(),
        }
    }

    /// An endpoint for all types at a path of the receiver, which checks its signatures.
    pub(crate) async fn endpoint(&self, tenant: TenantId, path: &str) -> Endpoint {
        self.endpoint_for(tenant, path, &[]).await
    }

    pub(crate) async fn endpoint_for(&self, tenant: TenantId, path: &str, types: &[&str]) -> Endpoint {
        let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
        let url = self.receiver.url(path);
        let new = webhooks::NewEndpoint {
            url: &url,
            types: &types,
            description: None,
        };
        let added = webhooks::add(&self.api, &self.context(tenant), new)
            .await
            .unwrap();
        let secret = added.secret.expose().to_owned();
        self.receiver.secrets(path, &[&secret]);
        Endpoint {
            tenant,
            id: added.endpoint_id,
            path: path.to_owned(),
            secret,
        }
    }

    /// So many products of a tenant run out; returns the position of the last event.
    pub(crate) async fn run_out(&self, tenant: TenantId, products: usize) -> i64 {
        let mut position = 0;
        for _product in 0..products {
            let command_id = CommandId(new_id());
            let seen = Seen {
                cabinet_id: CabinetId(Uuid::from_u128(1)),
                nm_id: 197_330_807,
                warehouse: None,
                warehouse_name: None,
                available: 0,
                orders: Some(7),
                days_tenths: None,
                position: 1,
                at: self.clock.now(),
                cause: AlertCause::Sync,
                sync_id: None,
                rule_id: None,
            };
            let out = StockOut {
                seen,
                pace_milli: Some(1_000),
                price_minor: None,
                currency: None,
            };
            let append = Append {
                stream: StreamId {
                    stream: StreamType::Alert,
                    id: new_id(),
                },
                expected: 0,
                metadata: Metadata {
                    tenant_id: tenant,
                    command_id,
                    correlation_id: command_id.uuid(),
                    causation_id: None,
                    actor: "notifier".into(),
                    traceparent: None,
                },
                events: vec![NewEvent {
                    event_id: EventId(new_id()),
                    event: events::catalog::AlertEvent::StockOut(out).into(),
                }],
                result: None,
            };
            position = self.notifier.store.append(append).await.unwrap().position;
        }
        position
    }

    /// Reads the log to its end; returns how many messages that made.
    pub(crate) async fn read(&self) -> usize {
        let mut messages = 0;
        while let Some(more) = self.reader.round().await.unwrap() {
            messages += more;
        }
        self.more.notify_one();
        messages
    }

    /// A sender in a process of its own.
    pub(crate) fn sender(&self) -> Running {
        let sender = Sender::new(
            self.outbox.clone(),
            self.notifier.clone(),
            WebhookClient::new(OWN, Arc::new(NoObserver)).unwrap(),
            self.clock.clone(),
            Metrics::new("test").unwrap(),
        );
        let more = Arc::clone(&self.more);
        Running(tokio::spawn(async move {
            sender.run(&more, CancellationToken::new()).await;
        }))
    }

    pub(crate) fn later(&self, by: TimeDelta) {
        self.clock.advance(by);
        self.more.notify_one();
    }

    pub(crate) async fn messages(&self, endpoint: &Endpoint) -> Vec<Delivery> {
        let filter = Filter::default();
        let page = self
            .deliveries
            .page(endpoint.tenant, endpoint.id, &filter, None, 1_000);
        page.await.unwrap()
    }

    pub(crate) async fn count(&self, endpoint: &Endpoint, state: MessageState) -> usize {
        let messages = self.messages(endpoint).await;
        messages.iter().filter(|message| message.state == state).count()
    }

    /// Waits until so many messages of an endpoint are in a state.
    pub(crate) async fn until(&self, endpoint: &Endpoint, state: MessageState, count: usize) {
        eventually("messages in their state", SOON, || async {
            let found = self.count(endpoint, state).await;
            if found == count {
                return Ok(());
            }
            Err(format!("{found} of {count} {state:?}"))
        })
        .await;
    }

    /// Waits until every message of an endpoint that waits was tried so often.
    pub(crate) async fn until_tried(&self, endpoint: &Endpoint, attempts: usize) {
        eventually("messages were tried", SOON, || async {
            let messages = self.messages(endpoint).await;
            let waiting = messages
                .iter()
                .filter(|message| message.state == MessageState::Waiting);
            let tried: Vec<usize> = waiting.map(|message| message.attempts.len()).collect();
            if tried.iter().all(|tried| *tried >= attempts) {
                return Ok(());
            }
            Err(format!("{tried:?}"))
        })
        .await;
    }

    /// Why an endpoint is off, by its table.
    pub(crate) async fn disabled(&self, endpoint: &Endpoint) -> Option<&'static str> {
        let found = self.api.webhooks.one(endpoint.tenant, endpoint.id).await.unwrap();
        found
            .unwrap()
            .disabled
            .map(events::webhook_endpoint::DisableReason::as_str)
    }
}
