//! Rows of the stock report and what becomes of them.

use std::collections::HashMap;

use super::{Gathered, grade};
use crate::error::CallFailure;
use crate::json;
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
        offers: HashMap::new(),
        articles: HashMap::from([(SKU, SKU), (SKU + 1, SKU)]),
        outcome: Tally::default().finish("ozon.cards"),
        complete: true,
    }
}

fn snapshot(body: &str) -> Result<StockSnapshot, CallFailure> {
    let catalogue = catalogue();
    let mut gathered = Gathered::new(&catalogue)?;
    let page: AnalyticsStocks = json::decode(body.as_bytes())?;
    gathered.page(&[SKU, SKU + 1], &page.items)?;
    Ok(gathered.builder.finish())
}

#[test]
fn a_row_gives_its_level_its_buckets_and_both_turnovers() {
    let stock = snapshot(samples::STOCKS).unwrap();
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
    let stock = snapshot(&format!(r#"{{"items":[{}]}}"#, both.join(","))).unwrap();
    assert_eq!(stock.product(SKU).unwrap().available(), 80);
}

#[test]
fn a_repeated_row_and_a_row_nobody_asked_for_are_contradictions() {
    let value: serde_json::Value = serde_json::from_str(samples::STOCKS).unwrap();
    let row = &value["items"][0];
    let twice = serde_json::json!({"items": [row, row]}).to_string();
    let strange = samples::STOCKS.replace("800000001", "800000009");
    for body in [twice, strange] {
        let failure = snapshot(&body).unwrap_err();
        assert!(matches!(failure, CallFailure::Inconsistent { .. }), "{failure:?}");
    }
}

#[test]
fn a_grade_that_is_new_is_kept_as_other() {
    assert_eq!(grade("DEFICIT"), Some(Grade::Deficit));
    assert_eq!(grade("TURNOVER_GRADE_NONE"), None);
    assert_eq!(grade("GLORIOUS"), Some(Grade::Other));
}
