//! A cabinet that was taken away is in no list and no sum, by its id its products still are, and when it is
//! back so is everything.

use chrono::{DateTime, NaiveDate, Utc};
use database::Role;
use deadpool_postgres::Transaction;
use events::cabinet::{CabinetDisconnected, CabinetReconnected, CredentialFacts, TokenKind};
use events::catalog::{CabinetEvent, SyncEvent};
use events::ids::{CredentialId, ProductId};
use events::sync::{SourceOutcome, SourceReport, SyncCompleted};
use read_models::Inventory;
use read_models::inventory::queries::{
    ProductQuery, distribution, freshness, product, products, sheet_rows, sheet_rows_known_at, totals,
    warehouse_totals, warehouses,
};
use uuid::Uuid;

use crate::world::{Log, World, at, cabinet, day, level, order, sync_id, tenant};

/// Runs a question in the tenant's transaction.
macro_rules! ask {
    ($world:expr, |$tx:ident| $question:expr) => {{
        let pool = $world.pool(Role::Api);
        let mut session = pool.tenant(tenant(1)).await.unwrap();
        let owned = session.begin().await.unwrap();
        let $tx: &Transaction<'_> = &owned;
        $question.await.unwrap()
    }};
}

fn today() -> NaiveDate {
    day("2026-10-01")
}

fn now() -> DateTime<Utc> {
    at("2026-10-01T20:59:59.999999Z")
}

/// Two cabinets with an article, orders and a sync each.
fn two_cabinets() -> (Log, [ProductId; 2]) {
    let mut log = Log::default();
    let who = tenant(1);
    let ids = [1, 2].map(|number| {
        let product = log.list(who, cabinet(number), i64::try_from(number).unwrap());
        let warehouse = format!("fbo:50{number}");
        log.stock(who, product, vec![level(&warehouse, "Коледино", 20)], &[]);
        let id = format!("o{number}");
        let line = order(&id, "2026-10-01T01:00:00Z", &warehouse, "Коледино", false);
        log.orders(who, product, vec![line]);
        let completed = SyncCompleted {
            sync_id: sync_id(number),
            attempt: 1,
            sources: vec![SourceReport {
                source: "stock_fbo".to_owned(),
                outcome: SourceOutcome::Complete,
                rows: 1,
                as_of: Some(at("2026-10-01T09:00:00Z")),
                payload_sha256: String::new(),
                payload_bytes: None,
                left_out: None,
                error: None,
                doubts: Vec::new(),
                covers_since: None,
            }],
            products_seen: 1,
            products_changed: 1,
            completed_at: at("2026-10-01T09:00:00Z"),
        };
        log.push(who, cabinet(number).uuid(), SyncEvent::from(completed));
        product
    });
    (log, ids)
}

fn leave(log: &mut Log, number: u128) -> DateTime<Utc> {
    let gone = CabinetEvent::from(CabinetDisconnected {});
    log.push(tenant(1), cabinet(number).uuid(), gone);
    log.events.last().unwrap().recorded_at
}

fn come_back(log: &mut Log, number: u128) {
    let credential = CredentialFacts {
        credential_id: CredentialId(Uuid::from_u128(9)),
        fingerprint: "f".to_owned(),
        token_kind: TokenKind::Personal,
        seller_id: Some("a".to_owned()),
        expires_at: None,
        scopes: vec![],
    };
    let back = CabinetEvent::from(CabinetReconnected { credential });
    log.push(tenant(1), cabinet(number).uuid(), back);
}

/// What is seen of the tenant: articles in the list, units, orders, warehouses, sources with an age, articles
/// in the sheet.
async fn seen(world: &World) -> (Vec<i64>, i64, i64, usize, usize, Vec<i64>) {
    let page = ask!(world, |tx| products(tx, &ProductQuery::new(now(), 10)));
    let mut articles: Vec<i64> = page.items.iter().map(|item| item.nm_id).collect();
    articles.sort_unstable();
    let sums = ask!(world, |tx| totals(tx, today(), 10));
    let spread = ask!(world, |tx| distribution(tx));
    let places = ask!(world, |tx| warehouses(tx, None));
    let there = ask!(world, |tx| warehouse_totals(tx, None, today()));
    let rows = ask!(world, |tx| sheet_rows(tx, today()));
    let ages = ask!(world, |tx| freshness(tx));
    assert_eq!(sums.products, i64::try_from(articles.len()).unwrap());
    assert_eq!(spread.low, sums.products);
    assert_eq!(there.len(), places.len());
    assert_eq!(
        there.iter().map(|total| total.available).sum::<i64>(),
        sums.available
    );
    assert_eq!(rows.warehouses.len(), places.len());
    assert_eq!(rows.products.len(), 2, "rows that may be in the sheet are known");
    let shown = rows.products.iter().filter(|product| !product.delisted);
    (
        articles,
        sums.available,
        sums.orders_last_7,
        places.len(),
        ages.len(),
        shown.map(|product| product.nm_id).collect(),
    )
}

#[tokio::test]
async fn a_cabinet_that_was_taken_away_leaves_lists_totals_warehouses_and_sheet_until_it_is_back() {
    let (mut log, ids) = two_cabinets();
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let whole = (vec![1, 2], 40, 2, 2, 2, vec![1, 2]);
    assert_eq!(seen(&world).await, whole);

    leave(&mut log, 1);
    world.fold::<Inventory>(&log.events, 100).await;
    assert_eq!(seen(&world).await, (vec![2], 20, 1, 1, 1, vec![2]));
    let detail = ask!(world, |tx| product(tx, ids[0].uuid(), now(), false)).unwrap();
    assert_eq!((detail.disconnected, detail.summary.available), (true, 20));
    let other = ask!(world, |tx| product(tx, ids[1].uuid(), now(), false)).unwrap();
    assert!(!other.disconnected);

    come_back(&mut log, 1);
    world.fold::<Inventory>(&log.events, 100).await;
    assert_eq!(seen(&world).await, whole);
}

#[tokio::test]
async fn gone_and_back_in_one_batch_or_several_is_the_same() {
    let (mut log, _) = two_cabinets();
    for _ in 0..2 {
        leave(&mut log, 1);
        come_back(&mut log, 1);
    }
    leave(&mut log, 2);
    let (one, many) = (World::new().await, World::new().await);
    one.fold::<Inventory>(&log.events, 100).await;
    many.fold::<Inventory>(&log.events, 1).await;
    assert_eq!(one.dump::<Inventory>().await, many.dump::<Inventory>().await);
    assert_eq!(seen(&one).await.0, [1]);
    assert_eq!(one.count("rm_inventory.cabinet_absences").await, 3);
}

#[tokio::test]
async fn an_earlier_instant_shows_the_cabinets_that_were_connected_then() {
    let (mut log, ids) = two_cabinets();
    let left_at = leave(&mut log, 1);
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let before = left_at - chrono::TimeDelta::microseconds(1);
    for (instant, articles) in [(before, vec![1, 2]), (left_at, vec![2])] {
        let query = ProductQuery {
            as_known: true,
            ..ProductQuery::new(instant, 10)
        };
        let page = ask!(world, |tx| products(tx, &query));
        let mut listed: Vec<i64> = page.items.iter().map(|item| item.nm_id).collect();
        listed.sort_unstable();
        assert_eq!(listed, articles, "{instant}");
        let rows = ask!(world, |tx| sheet_rows_known_at(tx, instant));
        let shown = rows.products.iter().filter(|product| !product.delisted);
        assert_eq!(shown.map(|product| product.nm_id).collect::<Vec<_>>(), articles);
        assert_eq!(rows.warehouses.len(), articles.len());
        let detail = ask!(world, |tx| product(tx, ids[0].uuid(), instant, true)).unwrap();
        assert_eq!(detail.disconnected, articles.len() == 1);
    }
}
