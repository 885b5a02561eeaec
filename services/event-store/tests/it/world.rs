//! A migrated database with a store on it, and short words for the commands that the tests send.

use std::sync::atomic::{AtomicU64, Ordering};

use database::{Pool, Role};
use event_store::{Append, EventStore, GlobalReader, StreamId, Wake};
use events::catalog::ProductEvent;
use events::ids::{CommandId, EventId, SyncId, TenantId};
use events::product::{Details, ProductDelisted, ProductDetailsChanged};
use events::{Metadata, NewEvent, Recorded, StreamType};
use secrecy::SecretString;
use support::Database;
use tokio_postgres::Client;
use uuid::Uuid;

/// One database, one store.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) store: EventStore,
    pub(crate) wake: Wake,
}

/// A migrated database of the test's own.
pub(crate) async fn database() -> Database {
    let template = support::template("event-store", async |url: String| {
        database::migrate(&url.into()).await.map(drop)
    })
    .await;
    support::fresh_database(Some(&template)).await
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = database().await;
        let wake = Wake::default();
        let (store, _task) = EventStore::start(pool_of(&database, Role::Api, 4), wake.clone());
        Self {
            database,
            store,
            wake,
        }
    }

    pub(crate) fn pool(&self, role: Role, size: usize) -> Pool {
        pool_of(&self.database, role, size)
    }

    /// Reads the whole log, as the relay does.
    pub(crate) fn reader(&self) -> GlobalReader {
        GlobalReader::new(self.pool(Role::Relay, 2))
    }

    /// All events, in order; fails on a gap.
    pub(crate) async fn log(&self) -> Vec<Recorded> {
        self.reader().read_after(0, 1_000_000).await.unwrap()
    }

    /// The superuser, whom row security does not bind.
    pub(crate) async fn admin(&self) -> Client {
        support::connect(&self.database.url).await
    }

    /// The role that owns every table.
    pub(crate) async fn owner(&self) -> Client {
        self.acting_as("st_owner").await
    }

    /// A session that acts as this role.
    pub(crate) async fn acting_as(&self, role: &str) -> Client {
        let client = self.admin().await;
        client
            .batch_execute(&format!("SET ROLE {role}; SET search_path = core"))
            .await
            .unwrap();
        client
    }
}

fn pool_of(database: &Database, role: Role, size: usize) -> Pool {
    Pool::open(&SecretString::from(database.url.clone()), role, size).unwrap()
}

/// An id that no other call returns.
pub(crate) fn new_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(
        0x7e57_0000_0000_4000,
        0x8000_0000_0000_0000 | NEXT.fetch_add(1, Ordering::Relaxed),
    )
}

pub(crate) fn new_tenant() -> TenantId {
    TenantId(new_id())
}

/// A stream of products that does not exist yet.
pub(crate) fn new_stream() -> StreamId {
    StreamId {
        stream: StreamType::Product,
        id: new_id(),
    }
}

/// A command of `count` events on a stream that must be at `expected`.
pub(crate) fn command(tenant: TenantId, stream: StreamId, expected: i64, count: i64) -> Append {
    let command_id = CommandId(new_id());
    Append {
        stream,
        expected,
        metadata: Metadata {
            tenant_id: tenant,
            command_id,
            correlation_id: command_id.uuid(),
            causation_id: None,
            actor: "worker".into(),
            traceparent: None,
        },
        events: (1..=count)
            .map(|index| new_event(&format!("Артикул {}", expected + index)))
            .collect(),
        result: None,
    }
}

pub(crate) fn new_event(vendor_code: &str) -> NewEvent {
    let changed = ProductDetailsChanged {
        details: Details {
            vendor_code: vendor_code.to_owned(),
            ..Details::default()
        },
        sync_id: SyncId(Uuid::from_u128(7)),
    };
    NewEvent {
        event_id: EventId(new_id()),
        event: ProductEvent::from(changed).into(),
    }
}

pub(crate) fn delisted() -> NewEvent {
    NewEvent {
        event_id: EventId(new_id()),
        event: ProductEvent::from(ProductDelisted {
            sync_id: SyncId(Uuid::from_u128(7)),
        })
        .into(),
    }
}

/// Positions of events, in the order given.
pub(crate) fn positions(events: &[Recorded]) -> Vec<i64> {
    events.iter().map(|event| event.position).collect()
}
