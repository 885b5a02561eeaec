//! The servers, and a log worth reading. PostgreSQL keeps every promise about the disk here, unlike in tests.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use database::{Pool, Role};
use event_store::{Append, StreamId};
use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::ids::{CabinetId, CommandId, EventId, ProductId, SyncId, TenantId};
use events::product::{
    Details, Fulfilment, OrderLine, OrdersObserved, ProductListed, StockLevel, StockObserved,
};
use events::{Event, Metadata, NewEvent, StreamType};
use futures_util::SinkExt as _;
use messaging::{Broker, BrokerOptions, topology};
use secrecy::SecretString;
use support::{Nats, Own, Postgres};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::Failure;

/// So long a stage may take before the run is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Whose history it is.
pub(crate) const TENANT: TenantId = TenantId(Uuid::from_u128(0xA));
/// The one cabinet.
pub(crate) const CABINET: CabinetId = CabinetId(Uuid::from_u128(0xC));

/// A durable PostgreSQL for the whole run.
pub(crate) struct Servers {
    /// The server.
    pub(crate) postgres: Own<Postgres>,
    next: AtomicU32,
}

/// A database of one benchmark's own.
pub(crate) struct Database {
    /// For the superuser.
    pub(crate) url: SecretString,
    /// The same in clear; nothing in it is secret.
    pub(crate) address: String,
    name: String,
}

impl Servers {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        Self {
            postgres: support::own_postgres_with(|options| options.durable = true).await,
            next: AtomicU32::new(0),
        }
    }

    /// A migrated database with empty read models.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn database(&self) -> Result<Database, Failure> {
        let made = self.empty_database().await?;
        database::migrate(&made.url).await?;
        read_models::schema::install(&made.url).await?;
        Ok(made)
    }

    /// A database with nothing in it.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn empty_database(&self) -> Result<Database, Failure> {
        let name = format!("bench_{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.admin()
            .await?
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await?;
        let address = self.postgres.url(&name);
        Ok(Database {
            url: address.clone().into(),
            address,
            name,
        })
    }

    /// A copy of a database to which nobody is connected any more.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn copy(&self, of: &Database) -> Result<Database, Failure> {
        let name = format!("bench_{}", self.next.fetch_add(1, Ordering::Relaxed));
        let admin = self.admin().await?;
        let leave = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        admin.execute(leave, &[&of.name]).await?;
        admin
            .batch_execute(&format!(
                "CREATE DATABASE {name} TEMPLATE {} STRATEGY file_copy",
                of.name
            ))
            .await?;
        let address = self.postgres.url(&name);
        let made = Database {
            url: address.clone().into(),
            address,
            name,
        };
        // Privileges on the database itself are not copied with it.
        read_models::schema::install(&made.url).await?;
        Ok(made)
    }

    /// Drops a database and writes what is dirty, so that it does not burden the next benchmark.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn finish(&self, database: Database) -> Result<(), Failure> {
        let admin = self.admin().await?;
        admin
            .batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", database.name))
            .await?;
        admin.batch_execute("CHECKPOINT").await?;
        Ok(())
    }

    async fn admin(&self) -> Result<Client, Failure> {
        Ok(database::connect(&self.postgres.url("postgres").into(), None).await?)
    }
}

impl Database {
    /// Connections that act as a role.
    ///
    /// # Errors
    /// When the address cannot be understood.
    pub(crate) fn pool(&self, role: Role) -> Result<Pool, Failure> {
        Ok(Pool::open(&self.url, role, 8)?)
    }

    /// A connection as the superuser.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn admin(&self) -> Result<Client, Failure> {
        Ok(database::connect(&self.url, None).await?)
    }
}

/// A broker with the declared topology, and its server.
///
/// # Errors
/// When the broker does not take the topology.
pub(crate) async fn broker() -> Result<(Own<Nats>, Broker), Failure> {
    let nats = support::own_nats().await;
    let broker = connect(&nats.url(), "bench").await?;
    topology::apply(&broker).await?;
    Ok((nats, broker))
}

/// A link that stands.
///
/// # Errors
/// When the broker cannot be reached.
pub(crate) async fn connect(url: &str, name: &str) -> Result<Broker, Failure> {
    let broker = Broker::connect(BrokerOptions::new(url, name)).await?;
    if !broker.wait_connected(Duration::from_secs(30)).await {
        return Err("the broker does not answer".into());
    }
    Ok(broker)
}

/// The stream of an article.
#[must_use]
pub(crate) fn product(nm_id: i64) -> Uuid {
    ProductId::of(CABINET, nm_id).uuid()
}

/// A command with one event, its ids derived as a sync derives them.
#[must_use]
pub(crate) fn command(nm_id: i64, expected: i64, event: ProductEvent) -> Append {
    let stream = product(nm_id);
    let command_id = CommandId::derived(stream, &expected.to_string());
    Append {
        stream: StreamId {
            stream: StreamType::Product,
            id: stream,
        },
        expected,
        metadata: Metadata {
            tenant_id: TENANT,
            command_id,
            correlation_id: SYNC.0,
            causation_id: None,
            actor: "worker".to_owned(),
            traceparent: None,
        },
        events: vec![NewEvent {
            event_id: EventId(Uuid::new_v5(&command_id.uuid(), &[0])),
            event: Event::Product(event),
        }],
        result: None,
    }
}

const SYNC: SyncId = SyncId(Uuid::from_u128(0x51));
/// Some of the real names, since their bytes count.
const WAREHOUSES: [(&str, &str); 6] = [
    ("fbo:507", "Коледино"),
    ("fbo:120762", "Электросталь"),
    ("fbo:117986", "Казань"),
    ("fbo:206348", "Тула"),
    ("fbo:130744", "Краснодар"),
    ("fbo:301760", "Рязань"),
];

fn level(nm_id: i64, round: i64, nth: i64) -> StockLevel {
    let count = WAREHOUSES.len() as i64;
    let (warehouse, name) = WAREHOUSES[usize::try_from((nm_id + round + nth).rem_euclid(count)).unwrap_or(0)];
    StockLevel {
        warehouse: warehouse.to_owned(),
        name: name.to_owned(),
        fulfilment: Fulfilment::Fbo,
        available: 1 + (nm_id * 7 + round * 13 + nth) % 211,
        in_way_to_client: 0,
        in_way_from_client: 0,
        buckets: std::collections::BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    }
}

/// The article is seen for the first time.
#[must_use]
pub(crate) fn listed(nm_id: i64) -> ProductEvent {
    ProductListed {
        cabinet_id: CABINET,
        marketplace: Marketplace::Wildberries,
        nm_id,
        details: Details {
            vendor_code: format!("ST-{nm_id:06}"),
            brand: "BrandA".to_owned(),
            subject: "Платья".to_owned(),
            title: format!("Платье летнее, модель {nm_id}"),
            barcodes: vec![format!("20{nm_id:011}")],
            sizes: vec![],
            price: None,
        },
        sync_id: SYNC,
    }
    .into()
}

/// Its stock at `levels` warehouses; with two the payload is about 300 bytes.
#[must_use]
pub(crate) fn stock(nm_id: i64, round: i64, levels: i64) -> ProductEvent {
    StockObserved {
        sync_id: SYNC,
        source: "stock_fbo".to_owned(),
        as_of: at(round),
        levels: (0..levels).map(|nth| level(nm_id, round, nth)).collect(),
        regrouped: vec![],
        unassigned_in_way: None,
        turnover: None,
    }
    .into()
}

/// One new order of it.
#[must_use]
pub(crate) fn ordered(nm_id: i64, round: i64) -> ProductEvent {
    let level = level(nm_id, round, 0);
    OrdersObserved {
        sync_id: SYNC,
        source: "orders".to_owned(),
        as_of: at(round),
        orders: vec![OrderLine {
            order_id: format!("{nm_id}.{round}.0.0"),
            ordered_at: at(round),
            changed_at: at(round),
            warehouse: level.warehouse,
            warehouse_name: level.name,
            fulfilment: Fulfilment::Fbo,
            quantity: 1,
            status: "created".to_owned(),
            cancelled: false,
            price_minor: Some(129_900),
            currency: Some("RUB".to_owned()),
            size_id: None,
            cluster: None,
        }],
    }
    .into()
}

/// The time of a round; they are half an hour apart.
pub(crate) fn at(round: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_790_000_000 + round * 1_800, 0).unwrap_or(DateTime::UNIX_EPOCH)
}

/// Commands for many articles in turn, each continuing its stream: stock with two levels.
pub(crate) struct Articles {
    first: i64,
    versions: Vec<i64>,
    next: usize,
}

impl Articles {
    /// `count` articles from number `first` on, whose streams are at `version`.
    #[must_use]
    pub(crate) fn new(first: i64, count: usize, version: i64) -> Self {
        Self {
            first,
            versions: vec![version; count.max(1)],
            next: 0,
        }
    }

    /// The next `count` commands; no stream occurs twice among fewer than there are articles.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Append> {
        (0..count).map(|_| self.one()).collect()
    }

    /// The next command.
    pub(crate) fn one(&mut self) -> Append {
        let index = self.next % self.versions.len();
        self.next += 1;
        let nm_id = self.first + index as i64;
        let version = self.versions.get_mut(index).map_or(0, |version| {
            *version += 1;
            *version - 1
        });
        command(nm_id, version, stock(nm_id, version, 2))
    }
}

/// Fills an empty log with `count` events of `articles` articles: their listing, then small observations of
/// stock, every seventh of orders. Returns how many bytes of payload there are.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn fill_log(database: &Database, count: i64, articles: i64) -> Result<usize, Failure> {
    let appends = (0..count).map(|at| {
        let (nm_id, round) = (1 + at % articles, at / articles);
        let event = match round {
            0 => listed(nm_id),
            _ if (nm_id + round) % 7 == 0 => ordered(nm_id, round),
            _ => stock(nm_id, round, 1 + nm_id % 2),
        };
        command(nm_id, round, event)
    });
    write_log(database, count, appends).await
}

/// Writes an empty log in one go: `count` commands of one event each. Returns how many bytes of payload
/// there are.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn write_log(
    database: &Database,
    count: i64,
    appends: impl Iterator<Item = Append>,
) -> Result<usize, Failure> {
    let mut admin = database.admin().await?;
    let transaction = admin.transaction().await?;
    transaction
        .execute("UPDATE core.log_head SET position = $1", &[&count])
        .await?;
    let sink = transaction
        .copy_in::<_, Bytes>(
            "COPY core.events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
             position, event_id, tenant_id, command_id, correlation_id, actor) FROM STDIN",
        )
        .await?;
    let mut sink = Box::pin(sink);
    let (mut rows, mut payloads) = (String::new(), 0);
    for (position, append) in (1..=count).zip(appends) {
        payloads += push_row(&mut rows, Some(position), &append)?;
        if rows.len() > 1 << 16 {
            sink.send(Bytes::from(std::mem::take(&mut rows))).await?;
        }
    }
    sink.send(Bytes::from(rows)).await?;
    sink.as_mut().finish().await?;
    transaction
        .batch_execute(
            "INSERT INTO core.heads (aggregate_type, aggregate_id, tenant_id, version) \
             SELECT aggregate_type, aggregate_id::uuid, tenant_id, max(sequence) FROM core.events GROUP BY 1, 2, 3",
        )
        .await?;
    transaction.commit().await?;
    admin.batch_execute("VACUUM ANALYZE core.events").await?;
    admin.batch_execute("CHECKPOINT").await?;
    Ok(payloads)
}

/// One event as a line of `COPY`, in the order of the columns above; without the position when there is none.
/// Returns the size of the payload.
pub(crate) fn push_row(rows: &mut String, position: Option<i64>, append: &Append) -> Result<usize, Failure> {
    let mut size = 0;
    for (index, new) in (1_i64..).zip(&append.events) {
        let payload = new.event.to_json()?.replace('\\', "\\\\");
        size += payload.len();
        let metadata = &append.metadata;
        let position = position
            .map(|position| format!("{position}\t"))
            .unwrap_or_default();
        rows.push_str(&format!(
            "{}\t{}\t{}\t{}\t{}\t{payload}\t{{}}\t{position}{}\t{}\t{}\t{}\t{}\n",
            append.stream.stream.as_str(),
            append.stream.id,
            append.expected + index,
            new.event.event_type(),
            new.event.event_version(),
            new.event_id,
            metadata.tenant_id,
            metadata.command_id,
            metadata.correlation_id,
            metadata.actor,
        ));
    }
    Ok(size)
}
