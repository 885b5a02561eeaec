//! The policy counts what the API shows: the same generated log goes through its fold and through the read
//! model, and every number is compared.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use database::{Pool, Role, Session};
use events::cabinet::{
    CabinetConnected, CredentialFacts, Marketplace, TokenKind, WarehouseExcluded, WarehouseIncluded,
};
use events::catalog::{CabinetEvent, ProductEvent, SyncEvent};
use events::ids::{CabinetId, CommandId, CredentialId, EventId, ProductId, SyncId, TenantId};
use events::product::{
    Details, Fulfilment, OrderLine, OrdersObserved, ProductListed, StockLevel, StockObserved,
};
use events::sync::{Doubt, DoubtState, SourceOutcome, SourceReport, SyncCompleted};
use events::{Event, Metadata, Recorded};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use read_models::apply::apply;
use read_models::inventory::queries::{ProductQuery, product, products};
use read_models::schema::take_over;
use read_models::{Inventory, Projection as _};
use uuid::Uuid;

use super::judge::Numbers;
use super::{Read, Watch};

const ARTICLES: i64 = 3;
/// Keys and names: with ids, by their names only, masked, of the seller; two with one name.
const WAREHOUSES: [(&str, &str); 8] = [
    ("fbo:507", "Коледино"),
    ("fbo:name:Коледино", "Коледино"),
    ("fbo:117986", "Казань"),
    ("fbo:name:Казань", "Казань"),
    ("fbo:206348", "Казань"),
    ("fbo:masked", "Склад WB"),
    ("fbs:1", "Коледино"),
    ("fbs:name:Коледино", "Коледино"),
];

/// A shop of its own for every case; they share one log.
#[derive(Debug, Clone, Copy)]
struct Shop {
    tenant: TenantId,
    cabinet: CabinetId,
}

/// One more thing that is told.
#[derive(Debug, Clone)]
enum Op {
    Stock {
        nm_id: i64,
        at: usize,
        renamed: bool,
        units: i64,
        regrouped: Option<usize>,
    },
    Order {
        nm_id: i64,
        at: usize,
        id: u8,
        hours_ago: i64,
        quantity: i64,
        cancelled: bool,
    },
    Exclude {
        at: usize,
        out: bool,
    },
    Sync {
        outcome: SourceOutcome,
        doubted: Option<DoubtState>,
        covers_hours: i64,
        age_hours: i64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let at = 0..WAREHOUSES.len();
    let stock = (
        1..=ARTICLES,
        at.clone(),
        prop::bool::weighted(0.1),
        0_i64..50,
        any::<Option<bool>>(),
        at.clone(),
    );
    let order = (
        1..=ARTICLES,
        at.clone(),
        0_u8..12,
        0_i64..250,
        0_i64..4,
        any::<bool>(),
    );
    let outcome = prop_oneof![
        4 => Just(SourceOutcome::Complete),
        1 => Just(SourceOutcome::Partial),
        1 => Just(SourceOutcome::Failed),
        1 => Just(SourceOutcome::Cached),
    ];
    let doubted = prop_oneof![
        4 => Just(None),
        1 => Just(Some(DoubtState::Held)),
        1 => Just(Some(DoubtState::Taken)),
    ];
    let sync = (outcome, doubted, 0_i64..400, 0_i64..60);
    let sync = sync.prop_map(|(outcome, doubted, covers_hours, age_hours)| Op::Sync {
        outcome,
        doubted,
        covers_hours,
        age_hours,
    });
    prop_oneof![
        5 => stock.prop_map(|(nm_id, at, renamed, units, regroups, from)| Op::Stock {
            nm_id,
            at,
            renamed,
            units,
            regrouped: regroups.filter(|regroups| *regroups).map(|_| from),
        }),
        5 => order.prop_map(|(nm_id, at, id, hours_ago, quantity, cancelled)| Op::Order {
            nm_id, at, id, hours_ago, quantity, cancelled,
        }),
        1 => (at, any::<bool>()).prop_map(|(at, out)| Op::Exclude { at, out }),
        2 => sync,
    ]
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_005_200, 0).unwrap()
}

fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

fn ordered(line: OrderLine) -> ProductEvent {
    OrdersObserved {
        sync_id: SyncId(Uuid::from_u128(1)),
        source: "orders".to_owned(),
        as_of: now(),
        orders: vec![line],
    }
    .into()
}

fn event_of(shop: Shop, op: &Op) -> (Uuid, Event) {
    let sync_id = SyncId(Uuid::from_u128(1));
    let key = |at: usize| WAREHOUSES[at].0.to_owned();
    let fulfilment = |at: usize| match WAREHOUSES[at].0.starts_with("fbs") {
        true => Fulfilment::Fbs,
        false => Fulfilment::Fbo,
    };
    match op {
        Op::Stock {
            nm_id,
            at,
            renamed,
            units,
            regrouped,
        } => {
            let level = StockLevel {
                warehouse: key(*at),
                name: if *renamed {
                    "Склад".to_owned()
                } else {
                    WAREHOUSES[*at].1.to_owned()
                },
                fulfilment: fulfilment(*at),
                available: *units,
                in_way_to_client: 0,
                in_way_from_client: 0,
                buckets: BTreeMap::new(),
                cluster: None,
                sizes: vec![],
            };
            let observed = StockObserved {
                sync_id,
                source: format!("stock_{}", fulfilment(*at).as_str()),
                as_of: now(),
                levels: vec![level],
                regrouped: regrouped.iter().map(|at| key(*at)).collect(),
                unassigned_in_way: None,
                turnover: None,
            };
            (
                ProductId::of(shop.cabinet, *nm_id).uuid(),
                ProductEvent::from(observed).into(),
            )
        }
        Op::Order {
            nm_id,
            at,
            id,
            hours_ago,
            quantity,
            cancelled,
        } => {
            let line = OrderLine {
                order_id: format!("{nm_id}.{id}"),
                ordered_at: now() - hours(*hours_ago),
                changed_at: now(),
                warehouse: key(*at),
                warehouse_name: WAREHOUSES[*at].1.to_owned(),
                fulfilment: fulfilment(*at),
                quantity: *quantity,
                status: "created".to_owned(),
                cancelled: *cancelled,
                price_minor: None,
                currency: None,
                size_id: None,
                cluster: None,
            };
            (ProductId::of(shop.cabinet, *nm_id).uuid(), ordered(line).into())
        }
        Op::Exclude { at, out } => {
            let (warehouse, reason) = (key(*at), "stuck".to_owned());
            let told: CabinetEvent = if *out {
                WarehouseExcluded { warehouse, reason }.into()
            } else {
                WarehouseIncluded { warehouse }.into()
            };
            (shop.cabinet.uuid(), told.into())
        }
        Op::Sync {
            outcome,
            doubted,
            covers_hours,
            age_hours,
        } => {
            let done = SyncCompleted {
                sync_id,
                attempt: 1,
                completed_at: now() - hours(*age_hours),
                sources: vec![orders_report(*outcome, *doubted, *covers_hours, *age_hours)],
                products_seen: 0,
                products_changed: 0,
            };
            (shop.cabinet.uuid(), SyncEvent::from(done).into())
        }
    }
}

fn orders_report(outcome: SourceOutcome, doubted: Option<DoubtState>, covers: i64, age: i64) -> SourceReport {
    let doubt = |state| Doubt {
        state,
        warehouses: vec![],
        warehouse_name: None,
        rule: "orders_halved".to_owned(),
        before: 2,
        now: 1,
        since: now(),
        contradicted: false,
        evidence: String::new(),
    };
    SourceReport {
        source: "orders".to_owned(),
        outcome,
        rows: 0,
        left_out: None,
        as_of: None,
        payload_sha256: String::new(),
        payload_bytes: None,
        error: None,
        doubts: doubted.map(doubt).into_iter().collect(),
        covers_since: (covers % 5 > 0).then(|| now() - hours(age + covers)),
    }
}

/// The log as the store would hand it out.
fn log(shop: Shop, after: i64, ops: &[Op]) -> Vec<Recorded> {
    let connected = CabinetConnected {
        marketplace: Marketplace::Wildberries,
        credential: CredentialFacts {
            credential_id: CredentialId(Uuid::nil()),
            fingerprint: String::new(),
            token_kind: TokenKind::Personal,
            seller_id: None,
            expires_at: None,
            scopes: vec![],
        },
    };
    let mut told = vec![(shop.cabinet.uuid(), Event::from(CabinetEvent::from(connected)))];
    for nm_id in 1..=ARTICLES {
        let listed = ProductListed {
            cabinet_id: shop.cabinet,
            marketplace: Marketplace::Wildberries,
            nm_id,
            details: Details::default(),
            sync_id: SyncId(Uuid::nil()),
        };
        let id = ProductId::of(shop.cabinet, nm_id).uuid();
        told.push((id, ProductEvent::from(listed).into()));
    }
    told.extend(ops.iter().map(|op| event_of(shop, op)));
    let mut versions: BTreeMap<(Uuid, &str), i64> = BTreeMap::new();
    let recorded = (after + 1..).zip(told).map(|(position, (stream_id, event))| {
        let stream = event.stream_type().as_str();
        let version = versions.entry((stream_id, stream)).or_default();
        *version += 1;
        let id = Uuid::from_u128(u128::try_from(position).unwrap());
        Recorded {
            position,
            event_id: EventId(id),
            stream: stream.to_owned(),
            stream_id,
            version: *version,
            event_type: event.event_type().to_owned(),
            event_version: event.event_version(),
            payload: event.to_json().unwrap(),
            metadata: Metadata {
                tenant_id: shop.tenant,
                command_id: CommandId(id),
                correlation_id: id,
                causation_id: None,
                actor: "worker".to_owned(),
                traceparent: None,
            },
            recorded_at: now() - hours(100),
        }
    });
    recorded.collect()
}

/// What the policy counts. In the middle everything is kept and read again.
fn counted(shop: Shop, log: &[Recorded]) -> BTreeMap<Uuid, Numbers> {
    let mut watch = Watch::default();
    for (index, event) in log.iter().enumerate() {
        if index == log.len() / 2 {
            watch = kept(&watch);
        }
        drop(watch.take(&Read::of(event.clone())));
    }
    watch.cabinets.get_mut(&shop.cabinet).unwrap().numbers(now())
}

/// What a process knows that begins with what another one kept.
fn kept(watch: &Watch) -> Watch {
    let mut read = Watch::default();
    for (id, tenant) in &watch.tenants {
        let text = serde_json::to_vec(tenant).unwrap();
        read.put_tenant(*id, serde_json::from_slice(&text).unwrap());
    }
    for cabinet in watch.cabinets.values() {
        let text = serde_json::to_vec(cabinet).unwrap();
        read.put_cabinet(serde_json::from_slice(&text).unwrap());
    }
    read
}

/// The read models, and who asks them.
struct Shown {
    /// Goes when it is dropped.
    _database: support::Database,
    projector: Session,
    api: Pool,
    position: i64,
}

impl Shown {
    async fn new() -> Self {
        let template = support::template("alerts-shown", |url| async move {
            let url = url.into();
            database::migrate(&url).await?;
            read_models::schema::install(&url).await
        })
        .await;
        let database = support::fresh_database(Some(&template)).await;
        let url = database.url.clone().into();
        // A copied database does not inherit the privileges on the one it was copied from.
        read_models::schema::install(&url).await.unwrap();
        let projector = Pool::open(&url, Role::Projector, 1).unwrap();
        Self {
            _database: database,
            projector: projector.get().await.unwrap(),
            api: Pool::open(&url, Role::Api, 1).unwrap(),
            position: 0,
        }
    }

    /// What the API shows after this log: of warehouses those that count.
    async fn after(&mut self, shop: Shop, log: &[Recorded]) -> BTreeMap<Uuid, Numbers> {
        let cursor = take_over::<Inventory>(&self.projector, Inventory::SCHEMA)
            .await
            .unwrap();
        let applied = apply::<Inventory>(&mut self.projector, Inventory::SCHEMA, cursor, log).await;
        let applied = applied.unwrap();
        assert_eq!(applied.parked, 0);
        self.position = applied.position;
        let mut session = self.api.tenant(shop.tenant).await.unwrap();
        let tx = session.begin().await.unwrap();
        let query = ProductQuery {
            delisted: true,
            ..ProductQuery::new(now(), 100)
        };
        let mut all = BTreeMap::new();
        for item in products(&tx, &query).await.unwrap().items {
            let detail = product(&tx, item.product_id, now(), false)
                .await
                .unwrap()
                .unwrap();
            let levels = detail.levels.into_iter();
            let counts = levels.filter(|level| level.excluded.is_none() && level.source.is_some());
            let numbers = Numbers {
                available: item.available,
                orders: item.orders_known.last_7.then_some(item.outlook.orders.last_7),
                places: counts
                    .map(|level| (level.warehouse, (level.available, level.orders.last_7)))
                    .collect(),
            };
            all.insert(item.product_id, numbers);
        }
        all
    }
}

#[test]
fn the_policy_counts_what_the_api_shows() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let read_models = RefCell::new(runtime.block_on(Shown::new()));
    let config = ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let told = prop::collection::vec(op(), 1..60);
    TestRunner::new(config)
        .run(&told, |ops| {
            let mut read_models = read_models.borrow_mut();
            let own = Uuid::from_u128(u128::try_from(read_models.position).unwrap());
            let shop = Shop {
                tenant: TenantId(own),
                cabinet: CabinetId(own),
            };
            let log = log(shop, read_models.position, &ops);
            let mut shown = runtime.block_on(read_models.after(shop, &log));
            let counted = counted(shop, &log);
            for (id, numbers) in &mut shown {
                // What is told by its name although a warehouse with an id has that name is counted, but is
                // no place of its own for the policy.
                let places = counted.get(id).map(|counted| &counted.places);
                numbers.places.retain(|key, _| {
                    !key.contains(":name:") || places.is_some_and(|places| places.contains_key(key))
                });
            }
            prop_assert_eq!(counted, shown);
            Ok(())
        })
        .unwrap();
}
