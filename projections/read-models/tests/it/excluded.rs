//! A warehouse that is left out: its own numbers stay, every total is without them, and both together are all
//! there is.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use database::Role;
use deadpool_postgres::Transaction;
use events::cabinet::{CabinetDisconnected, WarehouseExcluded, WarehouseIncluded};
use events::catalog::CabinetEvent;
use events::ids::ProductId;
use read_models::Inventory;
use read_models::inventory::queries::{
    Distribution, ProductQuery, SheetRows, Sort, distribution, excludable, product, products, sheet_rows,
    sheet_rows_known_at, totals, warehouse_totals, warehouses,
};

use crate::world::{Log, World, at, cabinet, day, level, order, tenant};

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

fn exclude(log: &mut Log, of: u128, warehouse: &str, reason: &str) -> DateTime<Utc> {
    let (warehouse, reason) = (warehouse.to_owned(), reason.to_owned());
    let told = CabinetEvent::from(WarehouseExcluded { warehouse, reason });
    log.push(tenant(1), cabinet(of).uuid(), told);
    log.events.last().unwrap().recorded_at
}

fn include(log: &mut Log, of: u128, warehouse: &str) {
    let warehouse = warehouse.to_owned();
    let told = CabinetEvent::from(WarehouseIncluded { warehouse });
    log.push(tenant(1), cabinet(of).uuid(), told);
}

/// Two articles of one cabinet, the first at two warehouses with an order from each, and one of another
/// cabinet at a warehouse with the same key.
fn shop() -> (Log, [ProductId; 3]) {
    let mut log = Log::default();
    let who = tenant(1);
    let ids = [
        log.list(who, cabinet(1), 1),
        log.list(who, cabinet(1), 2),
        log.list(who, cabinet(2), 3),
    ];
    let both = vec![level("fbo:507", "Коледино", 20), level("fbo:1", "Казань", 4)];
    log.stock(who, ids[0], both, &[]);
    log.stock(who, ids[1], vec![level("fbo:507", "Коледино", 7)], &[]);
    log.stock(who, ids[2], vec![level("fbo:507", "Коледино", 100)], &[]);
    let from = |id, warehouse, name| order(id, "2026-10-01T01:00:00Z", warehouse, name, false);
    let orders = vec![from("o1", "fbo:507", "Коледино"), from("o2", "fbo:1", "Казань")];
    log.orders(who, ids[0], orders);
    (log, ids)
}

/// What a product's list says: units that can be sold, units that are left out, orders of 7 days.
async fn listed(world: &World, query: &ProductQuery) -> Vec<(i64, i64, i64, i64)> {
    let page = ask!(world, |tx| products(tx, query));
    let items = page.items.iter();
    let one = |item: &read_models::inventory::queries::ProductSummary| {
        (
            item.nm_id,
            item.available,
            item.excluded_units,
            item.outlook.orders.last_7,
        )
    };
    items.map(one).collect()
}

fn by_stock() -> ProductQuery {
    ProductQuery {
        sort: Sort::Available,
        ..ProductQuery::new(now(), 10)
    }
}

fn in_sheet(rows: &SheetRows) -> Vec<(i64, i64, i64, i64)> {
    let one = |product: &read_models::inventory::queries::SheetProduct| {
        let cells: i64 = product.cells.iter().map(|cell| cell.available).sum();
        (product.nm_id, product.available, product.excluded_units, cells)
    };
    rows.products.iter().map(one).collect()
}

#[tokio::test]
async fn every_total_is_without_it_and_its_own_numbers_and_orders_stay() {
    let (mut log, ids) = shop();
    let since = exclude(&mut log, 1, "fbo:507", "stuck");
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    assert_eq!(
        listed(&world, &by_stock()).await,
        [(3, 100, 0, 0), (1, 4, 20, 2), (2, 0, 7, 0)],
        "of the cabinet that left it out, orders included"
    );
    let low = ProductQuery {
        low_stock: Some(10),
        ..by_stock()
    };
    assert_eq!(listed(&world, &low).await, [(1, 4, 20, 2)]);
    let there = ProductQuery {
        warehouse: Some("fbo:507".to_owned()),
        min_stock: Some(8),
        ..by_stock()
    };
    let units = listed(&world, &there).await;
    assert_eq!(units.len(), 2, "the level there is what it was: {units:?}");
    let sums = ask!(world, |tx| totals(tx, today(), 10));
    assert_eq!(
        (
            sums.available,
            sums.excluded_units,
            sums.low_stock,
            sums.out_of_stock,
            sums.orders_last_7
        ),
        (104, 27, 1, 1, 2)
    );
    let spread = ask!(world, |tx| distribution(tx));
    let expected = Distribution {
        out_of_stock: 1,
        critical: 1,
        good: 1,
        ..Distribution::default()
    };
    assert_eq!(spread, expected);
    let places = ask!(world, |tx| warehouse_totals(tx, None, today()));
    let counted = places.iter().filter(|place| place.warehouse.excluded.is_none());
    assert_eq!(counted.map(|place| place.available).sum::<i64>(), sums.available);
    assert_eq!(
        places.iter().map(|place| place.available).sum::<i64>(),
        sums.available + sums.excluded_units
    );
    let marked: Vec<_> = (places.iter())
        .filter_map(|place| Some((place, place.warehouse.excluded.as_ref()?)))
        .collect();
    let [(place, why)] = marked.as_slice() else {
        panic!("{marked:?}")
    };
    assert_eq!(
        (place.available, place.warehouse.warehouse.as_str()),
        (27, "fbo:507")
    );
    assert_eq!(
        (why.reason.as_str(), why.since, why.by.as_str()),
        ("stuck", since, "worker")
    );
    let whole = ask!(world, |tx| product(tx, ids[0].uuid(), now(), false)).unwrap();
    assert_eq!((whole.summary.available, whole.summary.excluded_units), (4, 20));
    let levels = whole.levels.iter();
    let levels: Vec<_> = levels
        .map(|level| (level.available, level.excluded.is_some(), level.orders.last_7))
        .collect();
    assert_eq!(levels, [(20, true, 1), (4, false, 1)]);
    let rows = ask!(world, |tx| sheet_rows(tx, today()));
    assert_eq!(in_sheet(&rows), [(1, 4, 20, 24), (2, 0, 7, 7), (3, 100, 0, 100)]);
    assert_eq!(
        rows.warehouses
            .iter()
            .filter(|place| place.excluded.is_some())
            .count(),
        1
    );
}

#[tokio::test]
async fn it_counts_again_and_a_new_reason_keeps_the_first_day() {
    let (mut log, _) = shop();
    let since = exclude(&mut log, 1, "fbo:507", "stuck");
    exclude(&mut log, 1, "fbo:507", "closed");
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let places = ask!(world, |tx| warehouses(tx, Some(cabinet(1).uuid())));
    let marked = places.iter().find_map(|place| place.excluded.as_ref()).unwrap();
    assert_eq!((marked.reason.as_str(), marked.since), ("closed", since));
    include(&mut log, 1, "fbo:507");
    world.fold::<Inventory>(&log.events, 100).await;
    let sums = ask!(world, |tx| totals(tx, today(), 10));
    assert_eq!((sums.available, sums.excluded_units), (131, 0));
    let again = exclude(&mut log, 1, "fbo:507", "stuck");
    world.fold::<Inventory>(&log.events, 100).await;
    let places = ask!(world, |tx| warehouses(tx, Some(cabinet(1).uuid())));
    let marked = places.iter().find_map(|place| place.excluded.as_ref()).unwrap();
    assert_eq!(marked.since, again);
}

#[tokio::test]
async fn an_earlier_instant_shows_what_was_left_out_then() {
    let (mut log, ids) = shop();
    let since = exclude(&mut log, 1, "fbo:507", "stuck");
    let stock = vec![level("fbo:507", "Коледино", 50)];
    log.stock(tenant(1), ids[1], stock, &[]);
    include(&mut log, 1, "fbo:507");
    let until = log.events.last().unwrap().recorded_at;
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let moment = TimeDelta::microseconds(1);
    for (instant, first, second) in [
        (since - moment, (24, 0), (7, 0)),
        (since, (4, 20), (0, 7)),
        (until - moment, (4, 20), (0, 50)),
        (until, (24, 0), (50, 0)),
    ] {
        for sort in [Sort::NmId, Sort::DaysOfStock] {
            let query = ProductQuery {
                as_known: true,
                sort,
                ..ProductQuery::new(instant, 10)
            };
            let mut found = listed(&world, &query).await;
            found.sort_unstable();
            let numbers: Vec<_> = found.iter().map(|row| (row.1, row.2)).collect();
            assert_eq!(numbers, [first, second, (100, 0)], "{instant} {sort:?}");
        }
        let rows = ask!(world, |tx| sheet_rows_known_at(tx, instant));
        let sheet: Vec<_> = in_sheet(&rows).iter().map(|row| (row.1, row.2)).collect();
        assert_eq!(sheet, [first, second, (100, 0)], "{instant}");
        let whole = ask!(world, |tx| product(tx, ids[0].uuid(), instant, true)).unwrap();
        assert_eq!((whole.summary.available, whole.summary.excluded_units), first);
        let marked = whole
            .levels
            .iter()
            .filter(|level| level.excluded.is_some())
            .count();
        assert_eq!(marked, usize::from(first.1 > 0), "{instant}");
    }
}

#[tokio::test]
async fn a_warehouse_stays_left_out_under_another_name_an_id_and_after_a_mask() {
    let mut log = Log::default();
    let who = tenant(1);
    let one = log.list(who, cabinet(1), 1);
    log.stock(who, one, vec![level("fbo:name:Казань", "Казань", 3)], &[]);
    exclude(&mut log, 1, "fbo:name:Казань", "stuck");
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let numbers = async |log: &Log| {
        world.fold::<Inventory>(&log.events, 100).await;
        let sums = ask!(world, |tx| totals(tx, today(), 10));
        (sums.available, sums.excluded_units)
    };
    assert_eq!(numbers(&log).await, (0, 3));
    // Told by its id from now on.
    log.stock(who, one, vec![level("fbo:7", "Казань", 5)], &["fbo:name:Казань"]);
    assert_eq!(numbers(&log).await, (0, 5));
    let found = ask!(world, |tx| excludable(tx, cabinet(1).uuid(), "fbo:name:Казань")).unwrap();
    assert_eq!(
        (found.warehouse.as_str(), found.excluded_as),
        ("fbo:7", vec!["fbo:name:Казань".to_owned()])
    );
    log.stock(who, one, vec![level("fbo:7", "Казань (новый)", 6)], &[]);
    assert_eq!(numbers(&log).await, (0, 6));
    // Behind the mask its units count, because which they are cannot be told; shown again, they do not.
    log.stock(who, one, vec![level("fbo:masked", "Скрытые", 6)], &["fbo:7"]);
    assert_eq!(numbers(&log).await, (6, 0));
    log.stock(who, one, vec![level("fbo:7", "Казань", 6)], &["fbo:masked"]);
    assert_eq!(numbers(&log).await, (0, 6));
    log.push(who, cabinet(1).uuid(), CabinetEvent::from(CabinetDisconnected {}));
    assert_eq!(
        numbers(&log).await,
        (0, 0),
        "with its cabinet it leaves every sum"
    );
    let gone = ask!(world, |tx| excludable(tx, cabinet(1).uuid(), "fbo:7"));
    assert_eq!(gone, None);
    let strange = ask!(world, |tx| excludable(tx, cabinet(2).uuid(), "fbo:7"));
    assert_eq!(strange, None);
}

#[tokio::test]
async fn left_out_and_counted_in_one_batch_or_several_is_the_same() {
    let (mut log, _) = shop();
    for _ in 0..2 {
        exclude(&mut log, 1, "fbo:507", "stuck");
        exclude(&mut log, 1, "fbo:507", "closed");
        include(&mut log, 1, "fbo:507");
    }
    exclude(&mut log, 2, "fbo:507", "stuck");
    let (one, many) = (World::new().await, World::new().await);
    one.fold::<Inventory>(&log.events, 100).await;
    many.fold::<Inventory>(&log.events, 1).await;
    assert_eq!(one.dump::<Inventory>().await, many.dump::<Inventory>().await);
    assert_eq!(one.count("rm_inventory.warehouse_exclusions").await, 3);
}
