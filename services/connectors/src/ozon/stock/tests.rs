//! Rows of the stock report and what becomes of them.

use std::collections::HashMap;

use serde_json::json;

use super::{Gathered, grade};
use crate::marketplace::{Bucket, Grade, StockSnapshot, Tally};
use crate::ozon::catalogue::Catalogue;
use crate::ozon::wire::{AnalyticsStocks, samples};

const SKU: i64 = 800_000_001;

fn catalogue() -> Catalogue {
    Catalogue {
        prices: vec![],
        price_lost: false,
        cards: Vec::new(),
        ids: Vec::new(),
        offers: HashMap::from([("ART-1".to_owned(), Some(SKU))]),
        articles: HashMap::from([(SKU, SKU), (SKU + 1, SKU)]),
        outcome: Tally::default().finish("ozon.cards"),
        complete: true,
    }
}

/// The stock, how many rows were left out, and whether absences are proven.
fn read(body: &str) -> (StockSnapshot, u64, bool) {
    let catalogue = catalogue();
    let mut gathered = Gathered::new(&catalogue).unwrap();
    let page: AnalyticsStocks = crate::json::decode(body.as_bytes()).unwrap();
    gathered.page(&[SKU, SKU + 1], &page.items);
    let (left_out, is_proven) = (gathered.left_out.count(), gathered.is_proven);
    (gathered.builder.finish(), left_out, is_proven)
}

fn snapshot(body: &str) -> StockSnapshot {
    let (stock, left_out, is_proven) = read(body);
    assert_eq!((left_out, is_proven), (0, true));
    stock
}

/// The documented row with some fields changed.
fn row(changes: serde_json::Value) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(samples::STOCKS).unwrap();
    let mut row = value["items"][0].clone();
    let serde_json::Value::Object(changes) = changes else {
        panic!("{changes}")
    };
    for (field, value) in changes {
        row[field] = value;
    }
    row
}

#[test]
fn a_row_gives_its_level_its_buckets_and_both_turnovers() {
    let stock = snapshot(samples::STOCKS);
    let product = stock.product(SKU).unwrap();
    assert_eq!(product.levels.len(), 1, "the sum of the cluster is no warehouse");
    assert_eq!(product.available(), 40);
    assert_eq!(
        (
            product.in_way_total().to_client,
            product.in_way_total().from_client
        ),
        (6, 2)
    );
    let warehouse = &stock.warehouses[0];
    assert_eq!(
        (warehouse.key.as_str(), warehouse.region.as_deref()),
        ("fbo:1020000000000123", Some("Москва, МО и Дальние регионы"))
    );
    let units = |bucket| {
        let row = product.buckets.iter().find(|row| row.bucket == bucket)?;
        Some(row.units)
    };
    assert_eq!(units(Bucket::Preparing), Some(5));
    assert_eq!(units(Bucket::SupplyTransit), Some(30));
    assert_eq!(units(Bucket::NotSold), Some(1));
    assert_eq!(units(Bucket::Expiring), None);
    let figures: Vec<_> = stock
        .turnover
        .iter()
        .map(|row| {
            (
                row.cluster,
                row.turnover.daily_sales_milli,
                row.turnover.days_of_stock_milli,
            )
        })
        .collect();
    assert_eq!(
        figures,
        [(None, Some(667), Some(60_000)), (Some(0), Some(500), None)]
    );
    assert_eq!(stock.clusters[0].id, 154);
}

#[test]
fn two_skus_of_one_product_are_summed() {
    let other = samples::STOCKS.replace("800000001", "800000002");
    let both = [samples::STOCKS, &other].map(|body| {
        let inner = body
            .trim()
            .strip_prefix(r#"{"items":["#)
            .and_then(|body| body.strip_suffix("]}"));
        inner.unwrap().to_owned()
    });
    let stock = snapshot(&format!(r#"{{"items":[{}]}}"#, both.join(",")));
    assert_eq!(stock.product(SKU).unwrap().available(), 80);
}

#[test]
fn the_same_row_once_more_is_no_more_stock() {
    let twice = json!({"items": [row(json!({})), row(json!({}))]}).to_string();
    assert_eq!(snapshot(&twice).product(SKU).unwrap().available(), 40);
}

#[test]
fn a_row_that_cannot_be_read_leaves_only_its_own_level_unknown() {
    let good = row(json!({"warehouse_id": 77, "warehouse_name": "КАЗАНЬ_РФЦ"}));
    for bad in [
        json!({"available_stock_count": null}),
        json!({"available_stock_count": -1}),
        json!({"outbound_pending_delivery": -6}),
        json!({"outbound_pending_delivery": null}),
        json!({"transit_stock_count": "many"}),
        json!({"available_stock_count": 18_446_744_073_709_551_615_u64}),
        json!({"cluster_id": "x"}),
    ] {
        let body = json!({"items": [row(bad.clone()), good]}).to_string();
        let (stock, left_out, is_proven) = read(&body);
        assert_eq!((left_out, is_proven), (1, true), "{bad}");
        let product = stock.product(SKU).unwrap();
        let known: Vec<_> = product.levels.iter().map(|level| level.available).collect();
        assert_eq!(known, [40], "{bad}");
        let unread: Vec<&str> = stock.unread_warehouses(product).collect();
        assert_eq!(unread, ["fbo:1020000000000123"], "{bad}");
    }
    let contradiction = json!({"items": [row(json!({})), row(json!({"available_stock_count": 41})), good]});
    let (stock, left_out, _) = read(&contradiction.to_string());
    let product = stock.product(SKU).unwrap();
    assert_eq!((left_out, product.available()), (1, 40));
    assert_eq!(stock.unread_warehouses(product).count(), 1);
}

#[test]
fn a_row_that_says_neither_whose_nor_where_it_is_proves_no_absence() {
    let good = row(json!({}));
    for bad in [
        json!(null),
        json!(7),
        row(json!({"sku": null, "offer_id": null})),
        row(json!({"sku": 9, "offer_id": "NOBODY"})),
    ] {
        let (stock, left_out, is_proven) = read(&json!({"items": [bad, good]}).to_string());
        assert_eq!((left_out, is_proven), (1, false), "{bad}");
        assert_eq!(stock.product(SKU).unwrap().available(), 40, "{bad}");
    }
    // Of a product without a place, nothing is known.
    let torn = row(json!({"warehouse_id": null}));
    let (stock, left_out, is_proven) = read(&json!({"items": [torn]}).to_string());
    assert_eq!((left_out, is_proven), (1, true));
    assert!(stock.product(SKU).unwrap().torn);
}

#[test]
fn a_sku_that_no_card_shows_is_its_products_by_the_sellers_article() {
    let other = row(json!({"sku": 9, "offer_id": "ART-1"}));
    let stock = snapshot(&json!({"items": [other]}).to_string());
    assert_eq!(stock.product(SKU).unwrap().available(), 40);
}

#[test]
fn figures_that_cannot_be_read_take_no_units_with_them() {
    let odd = row(json!({"ads": "much", "idc": [1], "turnover_grade": 5, "days_without_sales": {}}));
    assert_eq!(
        snapshot(&json!({"items": [odd]}).to_string())
            .product(SKU)
            .unwrap()
            .available(),
        40
    );
}

#[test]
fn a_grade_that_is_new_is_kept_as_other() {
    assert_eq!(grade("DEFICIT"), Some(Grade::Deficit));
    assert_eq!(grade("TURNOVER_GRADE_NONE"), None);
    assert_eq!(grade("GLORIOUS"), Some(Grade::Other));
}
