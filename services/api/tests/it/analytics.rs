//! Analytics, exports and earlier states: the numbers add up and agree with each other.

use chrono::{DateTime, TimeDelta, Utc};
use events::catalog::{ProductEvent, SyncEvent};
use events::product::{
    Fulfilment, MarketplaceTurnover, OrderLine, OrdersObserved, Price, ProductDetailsChanged, ProductSize,
    SizeUnits, StockLevel, StockObserved,
};
use events::sync::{SourceOutcome, SourceReport, SyncCompleted, SyncRequested, SyncStarted, Trigger};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::products::SYNC;
use crate::world::{Seller, World, world};

fn ordered(id: &str, at: DateTime<Utc>, warehouse: &str) -> OrderLine {
    OrderLine {
        order_id: id.to_owned(),
        ordered_at: at,
        changed_at: at,
        warehouse: warehouse.to_owned(),
        warehouse_name: "Коледино".to_owned(),
        fulfilment: Fulfilment::Fbo,
        quantity: 1,
        status: "created".to_owned(),
        cancelled: false,
        price_minor: None,
        currency: None,
        size_id: None,
        cluster: None,
    }
}

fn report(source: &str, as_of: DateTime<Utc>) -> SourceReport {
    SourceReport {
        source: source.to_owned(),
        outcome: SourceOutcome::Complete,
        rows: 1,
        as_of: Some(as_of),
        payload_sha256: String::new(),
        left_out: None,
        payload_bytes: None,
        error: None,
        doubts: Vec::new(),
        covers_since: (source == "orders").then(|| as_of - TimeDelta::days(30)),
    }
}

impl World {
    /// Stock told days ago, as many units a day since then sold, and everything known until now.
    async fn sells(&self, seller: &Seller, cabinet: Uuid, product: Uuid, version: i64) {
        let now = self.now();
        let stock = StockObserved {
            sync_id: SYNC,
            source: "stock_fbo".to_owned(),
            as_of: now - TimeDelta::days(10),
            levels: vec![StockLevel {
                warehouse: "fbo:507".to_owned(),
                name: "=HYPERLINK(\"Коледино\")".to_owned(),
                fulfilment: Fulfilment::Fbo,
                available: 20,
                in_way_to_client: 0,
                in_way_from_client: 0,
                buckets: [("reserved".to_owned(), 3)].into(),
                cluster: Some("Москва".to_owned()),
                sizes: vec![SizeUnits {
                    size_id: 7,
                    name: "L".to_owned(),
                    available: 20,
                }],
            }],
            regrouped: Vec::new(),
            unassigned_in_way: None,
            turnover: Some(vec![MarketplaceTurnover {
                days_of_stock_milli: Some(30_000),
                daily_sales_milli: Some(667),
                ..MarketplaceTurnover::default()
            }]),
        };
        let orders = OrdersObserved {
            sync_id: SYNC,
            source: "orders".to_owned(),
            as_of: now,
            orders: (1..=10)
                .map(|n| ordered(&format!("o{n}"), now - TimeDelta::hours(24 * n - 12), "fbo:507"))
                .collect(),
        };
        let mut details = events::product::Details {
            vendor_code: "=1+1".to_owned(),
            title: "Товар".to_owned(),
            ..events::product::Details::default()
        };
        details.sizes.push(ProductSize {
            size_id: 7,
            name: "L".to_owned(),
            barcodes: vec!["207".to_owned()],
        });
        details.price = Some(Price {
            price_minor: 100_000,
            discounted_minor: Some(80_000),
            currency: "RUB".to_owned(),
        });
        let changed = ProductDetailsChanged {
            details,
            sync_id: SYNC,
        };
        let told = vec![
            ProductEvent::from(stock).into(),
            ProductEvent::from(orders).into(),
            ProductEvent::from(changed).into(),
        ];
        self.record(seller.tenant, product, version, told).await;
        let completed = SyncCompleted {
            sync_id: SYNC,
            attempt: 1,
            completed_at: now,
            sources: vec![report("stock_fbo", now), report("orders", now)],
            products_seen: 1,
            products_changed: 1,
        };
        let requested = SyncRequested {
            sync_id: SYNC,
            trigger: Trigger::Manual,
            forced: false,
            requested_at: now,
        };
        let started = SyncStarted {
            sync_id: SYNC,
            attempt: 1,
            started_at: now,
        };
        let synced = vec![
            SyncEvent::from(requested).into(),
            SyncEvent::from(started).into(),
            SyncEvent::from(completed).into(),
        ];
        self.record(seller.tenant, cabinet, 0, synced).await;
        self.project().await;
    }
}

/// A shop with products of 0, 3, 9 and 20 units, of which the last one sells one unit a day.
async fn shop() -> (World, Seller, Uuid) {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    for (nm_id, units) in [(101, 0), (102, 3), (103, 9)] {
        world.product(&anna, cabinet, nm_id, units).await;
    }
    let product = world.listed(&anna, cabinet, 104).await;
    world.sells(&anna, cabinet, product, 1).await;
    (world, anna, product)
}

async fn got(world: &World, seller: &Seller, path: &str) -> Value {
    let answer = world.get(seller, &format!("/api/v1/{path}")).send().await;
    answer.is(StatusCode::OK).body.clone()
}

fn articles(body: &Value) -> Vec<i64> {
    let rows = body["data"].as_array().unwrap();
    rows.iter()
        .map(|row| row["marketplace_article"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn the_dashboard_counts_what_the_lists_show() {
    let (world, anna, _) = shop().await;
    let board = got(&world, &anna, "analytics/dashboard").await;
    for (field, expected) in [
        ("total_products", json!(4)),
        ("total_stock", json!(32)),
        ("total_orders", json!(7)),
        ("orders_last_14", json!(10)),
        ("low_stock_count", json!(2)),
        ("out_of_stock_count", json!(1)),
        ("unprocessed_products", json!(0)),
        ("average_stock_per_product", json!(8.0)),
        ("health_score", json!(25.0)),
    ] {
        assert_eq!(board[field], expected, "{field}: {board}");
    }
    for of in [anna.tenant.to_string(), Uuid::from_u128(1).to_string()] {
        let parked = format!(
            "INSERT INTO rm_inventory.parked_streams VALUES ('{of}', 'product', gen_random_uuid(), 1, 1, 'unreadable')"
        );
        world.sql(&parked).await;
    }
    let board = got(&world, &anna, "analytics/dashboard").await;
    assert_eq!(board["unprocessed_products"], 1, "one's own, and said");
    let spread = got(&world, &anna, "analytics/stock-distribution").await;
    assert_eq!(
        spread,
        json!({"out_of_stock": 1, "critical": 1, "low": 2, "medium": 0, "good": 0, "excellent": 0})
    );
    assert_eq!(
        articles(&got(&world, &anna, "analytics/low-stock").await),
        [101, 102, 103]
    );
    let first = got(&world, &anna, "analytics/low-stock?threshold=4&limit=1").await;
    assert_eq!(articles(&first), [101]);
    let next = format!(
        "analytics/low-stock?threshold=4&limit=1&cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    assert_eq!(articles(&got(&world, &anna, &next).await), [102]);
    let top = got(&world, &anna, "analytics/top-products?limit=1").await;
    assert_eq!(articles(&top), [104]);
    assert_eq!(top["data"][0]["stock_to_orders_ratio"], 2.86);
    let there = got(&world, &anna, "analytics/warehouses").await;
    assert_eq!(there["data"][0]["total_stock"], 32);
    assert_eq!(there["data"][0]["turnover_days"], 32.0);
}

#[tokio::test]
async fn windows_of_which_days_are_missing_are_empty_and_it_is_said_how_many_are_known() {
    let (world, anna, product) = shop().await;
    let path = format!("products/{product}");
    let whole = got(&world, &anna, &path).await;
    assert_eq!(
        whole["orders"],
        json!({"last_7": 7, "last_14": 10, "last_28": 10, "returned_28": 0, "known_days": 28})
    );
    // Two days later nothing was read since: yesterday is missing in every window.
    assert!(world.clock.advance(TimeDelta::days(2)));
    let anna = world.logged_in("anna@shop.ru").await;
    let old = got(&world, &anna, &path).await;
    assert_eq!(
        old["orders"],
        json!({"last_7": null, "last_14": null, "last_28": null, "returned_28": null, "known_days": 26})
    );
    assert_eq!(
        (&old["total_orders"], &old["turnover_days"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(old["warehouse_data"][0]["orders"]["last_7"], Value::Null, "{old}");
    let board = got(&world, &anna, "analytics/dashboard").await;
    assert_eq!(
        (&board["total_orders"], &board["orders_known_days"]),
        (&Value::Null, &json!(26))
    );
    let there = got(&world, &anna, "warehouses").await;
    assert_eq!(there["data"][0]["total_orders"], Value::Null);
    let top = got(&world, &anna, "analytics/top-products?limit=1").await;
    assert_eq!(top["data"][0]["stock_to_orders_ratio"], Value::Null);
}

#[tokio::test]
async fn days_of_stock_come_from_the_time_in_stock_and_a_differing_figure_of_the_marketplace_is_noticed() {
    let (world, anna, product) = shop().await;
    let shown = got(&world, &anna, &format!("products/{product}")).await;
    // 20 units, one a day while in stock: the marketplace divides by days without stock too.
    assert_eq!(shown["days_of_stock"], 20.0, "{shown}");
    assert_eq!(shown["pace"]["last_28"]["units"], 10);
    assert_eq!(shown["pace"]["last_28"]["days_in_stock"], 10.0);
    assert_eq!(shown["pace"]["last_28"]["units_per_day"], 1.0);
    let gone = measures::moscow_day(world.now() + TimeDelta::days(20));
    assert_eq!(shown["stock_out_on"], gone.to_string());
    assert_eq!(shown["marketplace_days_of_stock"], 30.0);
    assert_eq!(shown["notices"], json!(["days_of_stock_differ"]));
    assert_eq!(shown["marketplace_figures"][0]["daily_sales"], 0.667);
    assert_eq!(shown["price"]["discounted_minor"], 80_000);
    assert_eq!(shown["sizes"][0]["barcodes"], json!(["207"]));
    let there = &shown["warehouse_data"][0];
    assert_eq!(there["buckets"], json!({"reserved": 3}));
    assert_eq!(there["cluster"], "Москва");
    assert_eq!(there["sizes"], json!([{"id": 7, "name": "L", "stock": 20}]));
    assert_eq!(there["days_of_stock"], 20.0);
    let listed = got(&world, &anna, "analytics/turnover").await;
    assert_eq!(listed["data"][0]["marketplace_article"], 104);
    assert_eq!(listed["data"][1]["days_of_stock"], Value::Null);
    for (filter, expected) in [
        ("max_days_of_stock=20", vec![104]),
        ("max_days_of_stock=19", vec![]),
        (&format!("stock_out_until={gone}&sort=stock_out_on"), vec![104]),
        ("stock_out_until=2020-01-01", vec![]),
    ] {
        let found = got(&world, &anna, &format!("products?{filter}")).await;
        assert_eq!(articles(&found), expected, "{filter}");
    }
}

#[tokio::test]
async fn an_earlier_state_is_shown_as_it_was_known_and_a_later_one_is_refused() {
    let (world, _, product) = shop().await;
    let recorded = world.events().await;
    let before = recorded
        .iter()
        .find(|event| event.stream_id == product)
        .unwrap()
        .recorded_at;
    // The clock of the test is not the one of the database, which says when something was recorded.
    let ahead = before + TimeDelta::days(1);
    world.clock.advance(ahead - world.now());
    let anna = world.logged_in("anna@shop.ru").await;
    let then = before.to_rfc3339().replace('+', "%2B");
    let shown = got(&world, &anna, &format!("products/{product}?as_of={then}")).await;
    assert_eq!(
        (&shown["total_stock"], &shown["warehouse_data"]),
        (&json!(0), &json!([]))
    );
    let listed = got(
        &world,
        &anna,
        &format!("products?as_of={then}&sort=total_stock&limit=1"),
    )
    .await;
    assert_eq!(articles(&listed), [103]);
    let long_ago = got(&world, &anna, "products?as_of=2020-01-01T00:00:00Z").await;
    assert_eq!(long_ago["data"], json!([]));
    for path in ["products", &format!("products/{product}"), "exports/stock.csv"] {
        let refused = world
            .get(&anna, &format!("/api/v1/{path}?as_of=2999-01-01T00:00:00Z"))
            .send()
            .await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.pointers(), ["?as_of"]);
    }
    let csv = world
        .get(
            &anna,
            &format!("/api/v1/exports/stock.csv?dialect=machine&as_of={then}"),
        )
        .send()
        .await;
    assert!(
        csv.is(StatusCode::OK).text.contains(",104,0,0,0,0,,"),
        "{}",
        csv.text
    );
}

#[tokio::test]
async fn the_exports_show_the_rows_of_the_sheet_and_no_formula() {
    let (world, anna, _) = shop().await;
    let csv = world.get(&anna, "/api/v1/exports/stock.csv").send().await;
    csv.is(StatusCode::OK);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let day = measures::moscow_day(world.now());
    assert_eq!(
        csv.header("content-disposition"),
        format!("attachment; filename=\"stock-{day}.csv\"")
    );
    assert!(csv.position() > 0);
    let lines: Vec<&str> = csv.text.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines.len(), 2 + 4);
    assert!(csv.text.starts_with('\u{feff}'));
    assert!(lines[1].starts_with("Бренд;Предмет;Артикул продавца;Артикул товара (nmid)"));
    assert!(lines[0].contains("'=HYPERLINK"), "{}", lines[0]);
    assert_eq!(lines[5], ";;'=1+1;104;0;0;7;20;20;20;7;20");
    let path = "/api/v1/exports/stock.csv?dialect=";
    let english = world.get(&anna, &format!("{path}en")).send().await;
    assert_eq!(
        english.is(StatusCode::OK).text.lines().last(),
        Some(",,'=1+1,104,0,0,7,20,20,20,7,20")
    );
    let machine = world.get(&anna, &format!("{path}machine")).send().await;
    let read = machine.is(StatusCode::OK).text.clone();
    assert!(!read.starts_with('\u{feff}') && !read.contains('\''), "{read}");
    assert_eq!(read.lines().last(), Some(",,=1+1,104,0,0,7,20,20,20,7,20"));
    let refused = world.get(&anna, &format!("{path}fr")).send().await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.pointers(), ["?dialect"]);
    let xlsx = world.get(&anna, "/api/v1/exports/stock.xlsx").send().await;
    xlsx.is(StatusCode::OK);
    assert!(xlsx.text.starts_with("PK"));
    assert!(xlsx.header("content-type").ends_with("spreadsheetml.sheet"));
    let boris = world.registered("boris@shop.ru").await;
    let empty = world.get(&boris, "/api/v1/exports/stock.csv").send().await;
    assert_eq!(empty.is(StatusCode::OK).text.lines().count(), 2);
}

#[tokio::test]
async fn sync_history_tells_the_newest_first_and_only_of_the_days_asked_for() {
    let (world, anna, _) = shop().await;
    let history = got(&world, &anna, "analytics/sync-history?days=90").await;
    assert_eq!(history["data"].as_array().unwrap().len(), 1);
    assert_eq!(history["data"][0]["status"], "succeeded");
    assert_eq!(history["data"][0]["products_synced"], 1);
    let board = got(&world, &anna, "analytics/dashboard").await;
    assert_eq!(board["last_sync"]["status"], "succeeded");
    for wrong in ["days=0", "days=91", "limit=201"] {
        let path = format!("/api/v1/analytics/sync-history?{wrong}");
        world
            .get(&anna, &path)
            .send()
            .await
            .is(StatusCode::UNPROCESSABLE_ENTITY);
    }
}
