//! Histories of products, made by the aggregate itself from what syncs might see.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::Decider as _;
use domain::product::{Card, Observation, Product, ProductCommand, Scope, StockSeen, fulfilment_of};
use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::ids::{CabinetId, SyncId};
use events::product::{Details, Fulfilment, OrderLine, StockLevel};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, option};
use uuid::Uuid;

/// What one sync saw.
#[derive(Debug, Clone)]
pub(crate) struct Glimpse {
    card: Card,
    levels: Vec<StockLevel>,
    complete: bool,
    orders: Vec<OrderLine>,
    /// Whether the state is kept after it.
    pub(crate) keep: bool,
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
}

pub(crate) fn details(title: &str) -> Details {
    Details {
        vendor_code: "А-1".into(),
        brand: "Тёплый дом".into(),
        subject: "Носки".into(),
        title: title.into(),
        barcodes: vec!["2000000000001".into()],
        sizes: vec![],
        price: None,
    }
}

fn level(warehouse: &str, available: i64) -> StockLevel {
    StockLevel {
        warehouse: warehouse.into(),
        name: format!("Склад {warehouse}"),
        fulfilment: fulfilment_of(warehouse),
        available,
        in_way_to_client: available % 3,
        in_way_from_client: 0,
        buckets: std::collections::BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    }
}

fn order(id: u8, changed: i64, status: &str) -> OrderLine {
    OrderLine {
        order_id: format!("srid-{id}"),
        ordered_at: at(i64::from(id)),
        changed_at: at(changed),
        warehouse: "fbo:507".into(),
        warehouse_name: "Коледино".into(),
        fulfilment: Fulfilment::Fbo,
        quantity: 1,
        status: status.into(),
        cancelled: status == "cancelled",
        price_minor: Some(149_900),
        currency: Some("RUB".into()),
        size_id: None,
        cluster: None,
    }
}

/// The article and what stands at two warehouses.
pub(crate) fn glimpse(title: &str, koledino: i64, kazan: i64) -> Glimpse {
    Glimpse {
        card: Card::Seen(details(title)),
        levels: vec![level("fbo:507", koledino), level("fbo:117986", kazan)],
        complete: true,
        orders: vec![],
        keep: false,
    }
}

/// The command that tells the product of it.
pub(crate) fn observe(glimpse: &Glimpse, minute: i64) -> ProductCommand {
    let visible: BTreeSet<String> = glimpse
        .levels
        .iter()
        .map(|level| level.warehouse.clone())
        .collect();
    ProductCommand::Observe(Box::new(Observation {
        sync_id: SyncId(Uuid::from_u128(7)),
        cabinet_id: CabinetId(Uuid::from_u128(8)),
        marketplace: Marketplace::Wildberries,
        nm_id: 168_100_200,
        card: glimpse.card.clone(),
        price: None,
        stock: vec![StockSeen {
            source: "stock_fbo".into(),
            fulfilment: Fulfilment::Fbo,
            as_of: at(minute),
            complete: glimpse.complete,
            levels: glimpse.levels.clone(),
            unassigned_in_way: None,
            turnover: None,
            visible: Arc::new(visible),
            unread: BTreeSet::new(),
            scope: Scope::All,
        }],
        orders: glimpse.orders.clone(),
        orders_source: "orders".into(),
        at: at(minute),
    }))
}

/// What happens to a product when a sync sees this; folded into it at once.
pub(crate) fn tell(product: &mut Product, glimpse: &Glimpse, minute: i64) -> Vec<ProductEvent> {
    let happened = product.decide(observe(glimpse, minute)).unwrap();
    for event in &happened {
        product.evolve(event);
    }
    happened
}

/// Some syncs one after the other: cards come, change and go, warehouses fill, empty and get masked, orders
/// change.
pub(crate) fn history() -> impl Strategy<Value = Vec<Glimpse>> {
    let card = prop_oneof![
        3 => (0..3_u8).prop_map(|n| Card::Seen(details(&format!("Носки, {n}")))),
        1 => Just(Card::Missing),
        1 => Just(Card::Unknown),
    ];
    let warehouses = ["fbo:507", "fbo:117986", "fbo:masked"];
    let levels = [(); 3].map(|()| option::of(0..5_i64));
    let levels = levels.prop_map(move |counts| {
        warehouses
            .into_iter()
            .zip(counts)
            .filter_map(|(warehouse, count)| Some(level(warehouse, count?)))
            .collect()
    });
    let status = prop_oneof![Just("created"), Just("buyout"), Just("cancelled")];
    let orders = collection::vec(
        (0..4_u8, 0..9_i64, status).prop_map(|(id, changed, status)| order(id, changed, status)),
        0..4,
    );
    let seen = (card, levels, any::<bool>(), orders, any::<bool>()).prop_map(
        |(card, levels, complete, orders, keep)| Glimpse {
            card,
            levels,
            complete,
            orders,
            keep,
        },
    );
    collection::vec(seen, 1..12)
}
