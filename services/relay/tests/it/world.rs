//! A log, a broker, and relays between them.

use std::path::Path;
use std::sync::Arc;

use database::{Pool, Role};
use event_store::{Append, EventStore, GlobalReader, StreamId, Wake};
use events::catalog::TenantEvent;
use events::tenant::TenantSuspended;
use events::{Event, Metadata, NewEvent, StreamType};
use messaging::{Broker, BrokerOptions};
use relay::{RelayOptions, Verified};
use secrecy::SecretString;
use support::{Database, Nats, Own, Template};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::journal::Journal;

pub(crate) async fn template() -> Template {
    support::template("relay", |url| async move {
        database::migrate(&url.into()).await.map(drop)
    })
    .await
}

/// The write side of one database.
pub(crate) struct Log {
    pub(crate) url: SecretString,
    pub(crate) store: EventStore,
    pub(crate) reader: GlobalReader,
    _database: Option<Database>,
}

impl Log {
    pub(crate) async fn fresh() -> Self {
        let database = support::fresh_database(Some(&template().await)).await;
        let mut log = Self::at(&database.url);
        log._database = Some(database);
        log
    }

    pub(crate) fn at(url: &str) -> Self {
        let url = SecretString::from(url.to_owned());
        let pool = Pool::open(&url, Role::Api, 2).unwrap();
        let (store, combiner) = EventStore::start(pool, Wake::default());
        drop(combiner);
        let reader = GlobalReader::new(Pool::open(&url, Role::Relay, 3).unwrap());
        Self {
            url,
            store,
            reader,
            _database: None,
        }
    }

    /// Appends `count` events, each to a stream of its own.
    pub(crate) async fn append(&self, count: usize) {
        let appends = (0..count).map(|_| event(64)).collect();
        for answer in self.store.append_many(appends).await {
            answer.unwrap();
        }
    }

    pub(crate) async fn append_large(&self, bytes: usize) {
        self.store.append(event(bytes)).await.unwrap();
    }
}

/// Ids are only required to be different; the process-wide counter keeps a failing run readable.
fn id() -> Uuid {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u64_pair(u64::from(std::process::id()), next)
}

fn event(bytes: usize) -> Append {
    let tenant = id();
    let command = id();
    Append {
        stream: StreamId {
            stream: StreamType::Tenant,
            id: tenant,
        },
        expected: 0,
        metadata: Metadata {
            tenant_id: tenant.into(),
            command_id: command.into(),
            correlation_id: command,
            causation_id: None,
            actor: "system".into(),
            traceparent: None,
        },
        events: vec![NewEvent {
            event_id: id().into(),
            event: Event::Tenant(TenantEvent::TenantSuspended(TenantSuspended {
                reason: "x".repeat(bytes),
            })),
        }],
        result: None,
    }
}

/// A running relay.
pub(crate) struct Running {
    pub(crate) journal: Arc<Journal>,
    pub(crate) shutdown: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    pub(crate) async fn leads(&self) {
        support::eventually("the relay to lead", support::SOON, || async {
            if self.journal.told().leading {
                Ok(())
            } else {
                Err("it does not".to_owned())
            }
        })
        .await;
    }
}

pub(crate) async fn link(nats: &Nats) -> Broker {
    Broker::connect(BrokerOptions::new(nats.url(), "test"))
        .await
        .unwrap()
}

/// Starts a relay with links of its own.
pub(crate) async fn start(log: &Log, nats: &Nats) -> Running {
    start_over(log, link(nats).await)
}

pub(crate) fn start_over(log: &Log, broker: Broker) -> Running {
    let journal = Arc::new(Journal::default());
    let shutdown = CancellationToken::new();
    let options = RelayOptions {
        reader: log.reader.clone(),
        broker,
        wake: log.store.wake().clone(),
        lock: relay::lock_connection(log.url.clone()),
        shutdown: shutdown.clone(),
        observer: journal.clone(),
    };
    Running {
        journal,
        shutdown,
        task: AbortOnDropHandle::new(tokio::spawn(relay::run(options))),
    }
}

/// Waits until the stream is a complete copy of the log, compared event by event.
pub(crate) async fn converged(log: &Log, broker: &Broker) -> Verified {
    support::eventually("the stream to be a copy of the log", support::SOON, || async {
        match relay::verify(broker, &log.reader).await {
            Ok(verified) if verified.last >= verified.head && verified.first == 1 => Ok(verified),
            Ok(verified) => Err(format!("{verified:?}")),
            Err(error) => Err(format!("{error}: {:?}", std::error::Error::source(&error))),
        }
    })
    .await
}

pub(crate) async fn broker_and_log() -> (Own<Nats>, Broker, Log) {
    let (nats, log) = tokio::join!(support::own_nats(), Log::fresh());
    let broker = link(&nats).await;
    assert!(broker.wait_connected(support::SOON).await);
    (nats, broker, log)
}

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
