//! Products, stock and orders: what the questions answer.

use chrono::{DateTime, NaiveDate, Utc};
use database::Role;
use deadpool_postgres::Transaction;
use events::catalog::ProductEvent;
use events::ids::ProductId;
use events::product::{ProductDelisted, ProductDetailsChanged};
use read_models::inventory::queries::{
    HistoryQuery, ProductQuery, Sort, distribution, history, product, products, sheet_rows, totals,
    warehouse_totals, warehouses,
};
use read_models::{Inventory, QueryError};
use uuid::Uuid;

use crate::world::{Log, World, at, cabinet, day, details, level, order, sync_id, tenant};

const TODAY: &str = "2026-10-01";

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
    day(TODAY)
}

/// The last instant of it.
fn now() -> DateTime<Utc> {
    at("2026-10-01T20:59:59.999999Z")
}

async fn folded(log: &Log) -> World {
    let world = World::new().await;
    let applied = world.fold::<Inventory>(&log.events, 100).await;
    assert_eq!((applied.parked, applied.unknown), (0, 0));
    world
}

/// Three products: 5, 50 and 0 units; the first two at Коледино, the third nowhere.
fn three() -> (Log, [ProductId; 3]) {
    let (who, place) = (tenant(1), cabinet(1));
    let mut log = Log::default();
    let ids = [1, 2, 3].map(|nm_id| log.list(who, place, nm_id));
    log.stock(who, ids[0], vec![level("fbo:507", "Коледино", 5)], &[]);
    log.stock(
        who,
        ids[1],
        vec![level("fbo:507", "Коледино", 20), level("fbs:1", "Подольск", 30)],
        &[],
    );
    (log, ids)
}

async fn listed(world: &World, query: &ProductQuery) -> Vec<i64> {
    ask!(world, |tx| products(tx, query))
        .items
        .iter()
        .map(|item| item.nm_id)
        .collect()
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let (log, _) = three();
    let world = folded(&log).await;
    let all = || ProductQuery {
        sort: Sort::NmId,
        descending: false,
        ..ProductQuery::new(now(), 10)
    };
    assert_eq!(listed(&world, &all()).await, [1, 2, 3]);
    let cases = [
        (
            ProductQuery {
                search: Some("платье летнее 2".into()),
                ..all()
            },
            vec![2],
        ),
        (
            ProductQuery {
                search: Some("PL-3/КРАСНЫЙ".into()),
                ..all()
            },
            vec![3],
        ),
        (
            ProductQuery {
                search: Some("204000001".into()),
                ..all()
            },
            vec![1],
        ),
        (
            ProductQuery {
                search: Some("100%".into()),
                ..all()
            },
            vec![],
        ),
        (
            ProductQuery {
                cabinet_id: Some(cabinet(1).uuid()),
                ..all()
            },
            vec![1, 2, 3],
        ),
        (
            ProductQuery {
                cabinet_id: Some(cabinet(2).uuid()),
                ..all()
            },
            vec![],
        ),
        (
            ProductQuery {
                warehouse: Some("fbo:507".into()),
                ..all()
            },
            vec![1, 2],
        ),
        (
            ProductQuery {
                warehouse: Some("fbo:507".into()),
                min_stock: Some(30),
                ..all()
            },
            vec![],
        ),
        (
            ProductQuery {
                min_stock: Some(5),
                max_stock: Some(49),
                ..all()
            },
            vec![1],
        ),
        (all().running_out(), vec![1]),
    ];
    for (query, expected) in cases {
        assert_eq!(listed(&world, &query).await, expected, "{query:?}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_in_every_order_without_gap_or_repetition() {
    let (mut log, ids) = three();
    log.orders(
        tenant(1),
        ids[0],
        vec![order("a", "2026-10-01T01:00:00Z", "fbo:507", "Коледино", false)],
    );
    let world = folded(&log).await;
    for sort in [
        Sort::NmId,
        Sort::VendorCode,
        Sort::Available,
        Sort::Orders,
        Sort::Updated,
    ] {
        for descending in [false, true] {
            let query = |limit| ProductQuery {
                sort,
                descending,
                ..ProductQuery::new(now(), limit)
            };
            let whole = listed(&world, &query(10)).await;
            let (mut paged, mut next) = (Vec::new(), None);
            loop {
                let page = ask!(world, |tx| products(
                    tx,
                    &ProductQuery {
                        after: next.clone(),
                        ..query(1)
                    }
                ));
                paged.extend(page.items.iter().map(|item| item.nm_id));
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            assert_eq!(paged, whole, "{sort:?} {descending}");
            assert_eq!(whole.len(), 3);
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_order_is_refused() {
    let (log, _) = three();
    let world = folded(&log).await;
    let page = ask!(world, |tx| products(tx, &ProductQuery::new(now(), 1)));
    let other = ProductQuery {
        after: page.next,
        sort: Sort::NmId,
        ..ProductQuery::new(now(), 1)
    };
    let pool = world.pool(Role::Api);
    let mut session = pool.tenant(tenant(1)).await.unwrap();
    let tx = session.begin().await.unwrap();
    assert!(matches!(products(&tx, &other).await, Err(QueryError::Cursor)));
}

#[tokio::test]
async fn orders_count_once_by_moscow_day_and_not_when_cancelled() {
    let (mut log, ids) = three();
    let who = tenant(1);
    let koledino = |id: &str, time: &str, cancelled| order(id, time, "fbo:507", "Коледино", cancelled);
    log.orders(
        who,
        ids[0],
        vec![
            koledino("today", "2026-09-30T21:00:00Z", false),
            koledino("first of seven", "2026-09-24T21:00:00Z", false),
            koledino("eighth", "2026-09-24T20:59:59Z", false),
            koledino("fifteenth", "2026-09-16T12:00:00Z", false),
            koledino("too old", "2026-09-03T12:00:00Z", false),
            koledino("tomorrow", "2026-10-01T21:00:00Z", false),
            koledino("cancelled later", "2026-09-30T22:00:00Z", false),
        ],
    );
    // The same orders again, one of them cancelled now.
    log.orders(
        who,
        ids[0],
        vec![
            koledino("today", "2026-09-30T21:00:00Z", false),
            koledino("cancelled later", "2026-09-30T22:00:00Z", true),
        ],
    );
    let world = folded(&log).await;
    let detail = ask!(world, |tx| product(tx, ids[0].uuid(), now(), false)).unwrap();
    let counts = detail.summary.outlook.orders;
    assert_eq!((counts.last_7, counts.last_14, counts.last_28), (2, 3, 4));
    assert_eq!(detail.levels[0].orders, counts);
    assert_eq!(ask!(world, |tx| totals(tx, today(), 10)).orders_last_7, 2);
}

#[tokio::test]
async fn orders_told_by_name_belong_to_the_warehouse_whose_stock_has_that_name() {
    let (mut log, ids) = three();
    let who = tenant(1);
    log.orders(
        who,
        ids[0],
        vec![
            order(
                "a",
                "2026-10-01T01:00:00Z",
                "fbo:name:Коледино",
                "Коледино",
                false,
            ),
            order("b", "2026-10-01T01:00:00Z", "fbo:name:Тула", "Тула", false),
            // The seller's own warehouse of the same name is another one.
            order(
                "c",
                "2026-10-01T01:00:00Z",
                "fbo:name:Подольск",
                "Подольск",
                false,
            ),
            order("d", "2026-10-01T01:00:00Z", "fbo:masked", "Склад WB РФ", false),
        ],
    );
    let world = folded(&log).await;
    let detail = ask!(world, |tx| product(tx, ids[0].uuid(), now(), false)).unwrap();
    let levels: Vec<_> = detail
        .levels
        .iter()
        .map(|level| (level.warehouse.as_str(), level.available, level.orders.last_7))
        .collect();
    assert_eq!(
        levels,
        [
            ("fbo:507", 5, 1),
            ("fbo:name:Тула", 0, 1),
            ("fbo:name:Подольск", 0, 1),
            ("fbo:masked", 0, 1)
        ]
    );
    let keys: Vec<_> = ask!(world, |tx| warehouses(tx, None))
        .into_iter()
        .map(|w| w.warehouse)
        .collect();
    assert_eq!(
        keys,
        [
            "fbo:507",
            "fbs:1",
            "fbo:name:Тула",
            "fbo:name:Подольск",
            "fbo:masked"
        ]
    );
    let sums = ask!(world, |tx| warehouse_totals(tx, None, today()));
    assert_eq!(sums[0].warehouse.warehouse, "fbs:1");
    assert_eq!(
        (sums[1].available, sums[1].orders_last_7, sums[1].products),
        (25, None, 2),
        "whether orders are missing is not known before they were read"
    );
}

#[tokio::test]
async fn a_sheet_has_every_product_and_warehouse_in_the_order_seen_and_its_sums_are_the_totals() {
    let (mut log, ids) = three();
    let who = tenant(1);
    log.orders(
        who,
        ids[2],
        vec![
            order(
                "a",
                "2026-10-01T01:00:00Z",
                "fbo:name:Коледино",
                "Коледино",
                false,
            ),
            order("b", "2026-10-01T01:00:00Z", "fbo:name:Тула", "Тула", false),
        ],
    );
    let last = log.stock(who, ids[1], vec![level("fbo:507", "Коледино ЭС", 21)], &[]);
    let world = folded(&log).await;
    let rows = ask!(world, |tx| sheet_rows(tx, today()));
    assert_eq!(rows.position, last);
    assert_eq!(
        rows.products.iter().map(|row| row.nm_id).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let columns: Vec<_> = rows
        .warehouses
        .iter()
        .map(|w| (w.warehouse.as_str(), w.name.as_str()))
        .collect();
    // Renamed after the orders were told: who tells the former name still means it.
    assert_eq!(
        columns,
        [
            ("fbo:507", "Коледино ЭС"),
            ("fbs:1", "Подольск"),
            ("fbo:name:Тула", "Тула")
        ]
    );
    for row in &rows.products {
        assert_eq!(
            row.available,
            row.cells.iter().map(|cell| cell.available).sum::<i64>()
        );
        assert_eq!(
            row.orders_last_7,
            row.cells.iter().map(|cell| cell.orders_last_7).sum::<i64>()
        );
        for cell in &row.cells {
            assert!(columns.iter().any(|(key, _)| *key == cell.warehouse));
        }
    }
    assert_eq!(rows.products[1].available, 51);
}

#[tokio::test]
async fn a_tenant_without_products_has_an_empty_sheet_at_the_present_position() {
    let (log, _) = three();
    let world = folded(&log).await;
    let pool = world.pool(Role::Sheets);
    let mut session = pool.tenant(tenant(2)).await.unwrap();
    let tx = session.begin().await.unwrap();
    let rows = sheet_rows(&tx, today()).await.unwrap();
    assert_eq!(
        (rows.position, rows.products.len(), rows.warehouses.len()),
        (5, 0, 0)
    );
}

#[tokio::test]
async fn regrouping_moves_no_stock() {
    let (mut log, ids) = three();
    let position = log.stock(
        tenant(1),
        ids[0],
        vec![level("fbo:masked", "Склад WB", 5)],
        &["fbo:507"],
    );
    let world = folded(&log).await;
    let detail = ask!(world, |tx| product(tx, ids[0].uuid(), now(), false)).unwrap();
    assert_eq!(detail.summary.available, 5);
    assert_eq!(
        detail
            .levels
            .iter()
            .map(|level| level.warehouse.as_str())
            .collect::<Vec<_>>(),
        ["fbo:masked"]
    );
    assert!(detail.levels[0].masked);
    let changes = ask!(world, |tx| history(tx, &about(ids[0].uuid())));
    let newest: Vec<_> = changes
        .iter()
        .filter(|change| change.position == position)
        .map(|change| {
            (
                change.kind.as_str(),
                change.available_before,
                change.available_after,
                change.total_available,
            )
        })
        .collect();
    assert_eq!(
        newest,
        [("regrouped", None, Some(5), 5), ("regrouped", Some(5), None, 5)]
    );
}

fn about(product_id: Uuid) -> HistoryQuery {
    HistoryQuery {
        product_id,
        warehouse: None,
        kind: None,
        since: None,
        until: None,
        before: None,
        limit: 100,
    }
}

#[tokio::test]
async fn history_tells_every_change_newest_first_and_in_pages() {
    let (mut log, ids) = three();
    let who = tenant(1);
    log.stock(who, ids[0], vec![level("fbo:507", "Коледино", 0)], &[]);
    // The same numbers once more are no change.
    log.stock(who, ids[0], vec![level("fbo:507", "Коледино", 0)], &[]);
    let mut changed = details(1);
    changed.title = "Сарафан".to_owned();
    let event = ProductDetailsChanged {
        details: changed,
        sync_id: sync_id(2),
    };
    log.push(who, ids[0].uuid(), ProductEvent::from(event));
    log.push(
        who,
        ids[0].uuid(),
        ProductEvent::from(ProductDelisted { sync_id: sync_id(3) }),
    );
    let world = folded(&log).await;
    let changes = ask!(world, |tx| history(tx, &about(ids[0].uuid())));
    let kinds: Vec<_> = changes
        .iter()
        .map(|change| {
            (
                change.kind.as_str(),
                change.available_before,
                change.available_after,
                change.detail.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("delisted", None, None, None),
            ("details_changed", None, None, Some("title")),
            ("stock", Some(5), Some(0), None),
            ("stock", None, Some(5), None),
            ("listed", None, None, None),
        ]
    );
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = ask!(world, |tx| history(
            tx,
            &HistoryQuery {
                before,
                limit: 2,
                ..about(ids[0].uuid())
            }
        ));
        let Some(last) = page.last() else { break };
        before = Some((last.position, last.index));
        paged.extend(page);
    }
    assert_eq!(paged, changes);
    // A level that became zero stays, so that its age can be shown.
    assert_eq!(world.count("rm_inventory.stock_levels").await, 3);
    assert_eq!(listed(&world, &ProductQuery::new(now(), 10)).await, [2, 3]);
    let spread = ask!(world, |tx| distribution(tx));
    assert_eq!((spread.out_of_stock, spread.medium), (1, 1));
}

#[tokio::test]
async fn a_list_can_be_asked_as_it_was_known_earlier() {
    let (mut log, ids) = three();
    let known_at = log.events.last().unwrap().recorded_at;
    log.stock(tenant(1), ids[0], vec![level("fbo:507", "Коледино", 400)], &[]);
    log.push(
        tenant(1),
        ids[1].uuid(),
        ProductEvent::from(ProductDelisted { sync_id: sync_id(3) }),
    );
    let world = folded(&log).await;
    let then = ProductQuery {
        as_known: true,
        sort: Sort::NmId,
        descending: false,
        ..ProductQuery::new(known_at, 10)
    };
    let page = ask!(world, |tx| products(tx, &then));
    let numbers: Vec<_> = page
        .items
        .iter()
        .map(|item| (item.nm_id, item.available))
        .collect();
    assert_eq!(numbers, [(1, 5), (2, 50), (3, 0)]);
    let there = ProductQuery {
        warehouse: Some("fbo:507".into()),
        min_stock: Some(6),
        ..then
    };
    assert_eq!(listed(&world, &there).await, [2]);
}
