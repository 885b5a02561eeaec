//! A log made by hand, and a database to fold it into.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use database::{Pool, Role};
use events::cabinet::Marketplace;
use events::ids::{CabinetId, CommandId, EventId, ProductId, SyncId, TenantId};
use events::product::{
    Details, Fulfilment, OrderLine, OrdersObserved, ProductListed, StockLevel, StockObserved,
};
use events::{Event, Metadata, Recorded};
use read_models::Projection;
use read_models::apply::{Applied, apply};
use read_models::schema::{self, TableDump};
use uuid::Uuid;

/// A database with core and read models installed.
pub(crate) struct World {
    pub(crate) database: support::Database,
    pub(crate) projector: Pool,
}

impl World {
    pub(crate) async fn new() -> Self {
        let template = support::template("read-models", |url| async move {
            let url = url.into();
            database::migrate(&url).await?;
            schema::install(&url).await
        })
        .await;
        let database = support::fresh_database(Some(&template)).await;
        // A copied database does not inherit the privileges on the one it was copied from.
        schema::install(&database.url.clone().into()).await.unwrap();
        let projector = Pool::open(&database.url.clone().into(), Role::Projector, 4).unwrap();
        Self { database, projector }
    }

    pub(crate) fn pool(&self, role: Role) -> Pool {
        Pool::open(&self.database.url.clone().into(), role, 2).unwrap()
    }

    /// Folds what is new of `log`, `size` events at a time.
    pub(crate) async fn fold<P: Projection>(&self, log: &[Recorded], size: usize) -> Applied {
        let mut session = self.projector.get().await.unwrap();
        let mut cursor = schema::take_over::<P>(&session, P::SCHEMA).await.unwrap();
        let rest = &log[usize::try_from(cursor.position).unwrap()..];
        let mut sum = Applied {
            position: cursor.position,
            ..Applied::default()
        };
        for batch in rest.chunks(size) {
            let applied = apply::<P>(&mut session, P::SCHEMA, cursor, batch).await.unwrap();
            cursor.position = applied.position;
            sum = Applied {
                position: applied.position,
                folded: sum.folded + applied.folded,
                unknown: sum.unknown + applied.unknown,
                parked: sum.parked + applied.parked,
            };
        }
        sum
    }

    pub(crate) async fn dump<P: Projection>(&self) -> (i64, Vec<TableDump>) {
        let mut session = self.projector.get().await.unwrap();
        schema::dump(&mut session, P::SCHEMA).await.unwrap()
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let session = self.projector.get().await.unwrap();
        session
            .query_one(&format!("SELECT count(*) FROM {table}"), &[])
            .await
            .unwrap()
            .get(0)
    }
}

/// A log as the store would hand it out.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) events: Vec<Recorded>,
    versions: HashMap<Uuid, i64>,
}

impl Log {
    pub(crate) fn push(&mut self, tenant: TenantId, stream_id: Uuid, event: impl Into<Event>) -> i64 {
        let event: Event = event.into();
        let payload = event.to_json().unwrap();
        let stream = event.stream_type().as_str();
        self.raw(
            tenant,
            stream,
            stream_id,
            event.event_type(),
            event.event_version(),
            &payload,
        )
    }

    pub(crate) fn raw(
        &mut self,
        tenant: TenantId,
        stream: &str,
        stream_id: Uuid,
        event_type: &str,
        event_version: u16,
        payload: &str,
    ) -> i64 {
        let position = i64::try_from(self.events.len()).unwrap() + 1;
        let version = self.versions.entry(stream_id).or_default();
        *version += 1;
        self.events.push(Recorded {
            position,
            event_id: EventId(Uuid::from_u128(u128::try_from(position).unwrap())),
            stream: stream.to_owned(),
            stream_id,
            version: *version,
            event_type: event_type.to_owned(),
            event_version,
            payload: payload.to_owned(),
            metadata: Metadata {
                tenant_id: tenant,
                command_id: CommandId(Uuid::from_u128(u128::try_from(position).unwrap())),
                correlation_id: Uuid::nil(),
                causation_id: None,
                actor: "worker".to_owned(),
                traceparent: None,
            },
            recorded_at: at("2026-10-01T00:00:00Z") + TimeDelta::seconds(position),
        });
        position
    }

    /// Lists an article and returns its product.
    pub(crate) fn list(&mut self, tenant: TenantId, cabinet: CabinetId, nm_id: i64) -> ProductId {
        let product = ProductId::of(cabinet, nm_id);
        self.push(
            tenant,
            product.uuid(),
            events::catalog::ProductEvent::from(ProductListed {
                cabinet_id: cabinet,
                marketplace: Marketplace::Wildberries,
                nm_id,
                details: details(nm_id),
                sync_id: sync_id(1),
            }),
        );
        product
    }

    pub(crate) fn stock(
        &mut self,
        tenant: TenantId,
        product: ProductId,
        levels: Vec<StockLevel>,
        regrouped: &[&str],
    ) -> i64 {
        let observed = StockObserved {
            sync_id: sync_id(1),
            source: "stock_fbo".to_owned(),
            as_of: at("2026-10-01T09:00:00Z"),
            levels,
            regrouped: regrouped.iter().map(|key| (*key).to_owned()).collect(),
            unassigned_in_way: None,
            turnover: None,
        };
        self.push(
            tenant,
            product.uuid(),
            events::catalog::ProductEvent::from(observed),
        )
    }

    pub(crate) fn orders(&mut self, tenant: TenantId, product: ProductId, orders: Vec<OrderLine>) -> i64 {
        let observed = OrdersObserved {
            sync_id: sync_id(1),
            source: "orders".to_owned(),
            as_of: at("2026-10-01T09:30:00Z"),
            orders,
        };
        self.push(
            tenant,
            product.uuid(),
            events::catalog::ProductEvent::from(observed),
        )
    }
}

pub(crate) fn tenant(n: u128) -> TenantId {
    TenantId(Uuid::from_u128(0xA000 + n))
}

pub(crate) fn cabinet(n: u128) -> CabinetId {
    CabinetId(Uuid::from_u128(0xC000 + n))
}

pub(crate) fn sync_id(n: u128) -> SyncId {
    SyncId(Uuid::from_u128(0x5000 + n))
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn details(nm_id: i64) -> Details {
    Details {
        vendor_code: format!("PL-{nm_id}/красный"),
        brand: "Пример".to_owned(),
        subject: "Платья".to_owned(),
        title: format!("Платье Летнее {nm_id}"),
        barcodes: vec![format!("20400000{nm_id}")],
        sizes: vec![],
        price: None,
    }
}

pub(crate) fn level(warehouse: &str, name: &str, available: i64) -> StockLevel {
    StockLevel {
        warehouse: warehouse.to_owned(),
        name: name.to_owned(),
        fulfilment: if warehouse.starts_with("fbs") {
            Fulfilment::Fbs
        } else {
            Fulfilment::Fbo
        },
        available,
        in_way_to_client: 1,
        in_way_from_client: 0,
        buckets: std::collections::BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    }
}

pub(crate) fn order(id: &str, ordered_at: &str, warehouse: &str, name: &str, cancelled: bool) -> OrderLine {
    OrderLine {
        order_id: id.to_owned(),
        ordered_at: at(ordered_at),
        changed_at: at(ordered_at),
        warehouse: warehouse.to_owned(),
        warehouse_name: name.to_owned(),
        fulfilment: Fulfilment::Fbo,
        quantity: 1,
        status: if cancelled { "cancel" } else { "created" }.to_owned(),
        cancelled,
        price_minor: Some(315_000),
        currency: Some("RUB".to_owned()),
        size_id: None,
        cluster: None,
    }
}

/// Numbers that look random and are the same every time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's MMIX constants; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
