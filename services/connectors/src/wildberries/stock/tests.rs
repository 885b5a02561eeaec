//! The synchronous report's decoder on the documented shapes and on damaged ones.

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::{Gathered, LIST};
use crate::error::CallFailure;
use crate::json::Rows;
use crate::marketplace::{MASKED_KEY, StockSnapshot};
use crate::wildberries::wire::WbWarehousesEnvelope;

const SAMPLE: &str = r#"{"data":{"items":[
    {"nmId":100000001,"chrtId":316399238,"warehouseId":507,"warehouseName":"Коледино","regionName":"Центральный",
     "quantity":7,"inWayToClient":3,"inWayFromClient":1},
    {"nmId":100000001,"chrtId":316399239,"warehouseId":507,"warehouseName":"Коледино","regionName":"Центральный",
     "quantity":2,"inWayToClient":0,"inWayFromClient":0,"newField":{"a":[1]}},
    {"nmId":100000001,"chrtId":316399238,"warehouseId":-999999,"warehouseName":"Склад WB","regionName":"Склад WB",
     "quantity":40,"inWayToClient":1,"inWayFromClient":2},
    {"nmId":100000002,"chrtId":5,"warehouseId":-999999,"warehouseName":"Склад WB РФ","regionName":null,
     "quantity":5,"inWayToClient":null}]}}"#;

/// Feeds a page in small pieces; whether it had a list.
fn feed(gathered: &mut Gathered, body: &[u8]) -> Result<bool, CallFailure> {
    gathered.begin_page();
    let mut rows = Rows::new(LIST);
    for chunk in body.chunks(100) {
        rows.push(chunk, &mut |row| gathered.row(row))?;
    }
    rows.finish::<Option<WbWarehousesEnvelope>>()
}

fn decode(body: &[u8]) -> Result<Gathered, CallFailure> {
    let mut gathered = Gathered::of(crate::marketplace::Fulfilment::Fbo);
    feed(&mut gathered, body).map(|_| gathered)
}

fn snapshot(body: &str) -> StockSnapshot {
    decode(body.as_bytes()).unwrap().builder.finish()
}

#[test]
fn sizes_are_summed_and_masked_rows_become_one_warehouse() {
    let snapshot = snapshot(SAMPLE);
    let keys: Vec<&str> = snapshot
        .warehouses
        .iter()
        .map(|warehouse| warehouse.key.as_str())
        .collect();
    assert_eq!(keys, ["fbo:507", MASKED_KEY]);
    assert_eq!(snapshot.warehouses[0].region.as_deref(), Some("Центральный"));
    assert!(snapshot.warehouses[1].masked);
    let first = snapshot.product(100_000_001).unwrap();
    assert_eq!(
        first
            .levels
            .iter()
            .map(|level| level.available)
            .collect::<Vec<_>>(),
        [9, 40]
    );
    assert_eq!(
        (first.in_way_total().to_client, first.in_way_total().from_client),
        (4, 3)
    );
    assert_eq!(snapshot.levels().map(|row| row.level.available).sum::<i64>(), 54);
}

#[test]
fn an_empty_list_is_a_list_and_no_list_is_none() {
    let has_list = |body: &str| {
        feed(
            &mut Gathered::of(crate::marketplace::Fulfilment::Fbo),
            body.as_bytes(),
        )
        .unwrap()
    };
    assert!(has_list(r#"{"data":{"items":[]}}"#));
    for body in ["", "null", r#"{"data":null}"#, r#"{"data":{"items":null}}"#] {
        assert!(!has_list(body), "{body}");
    }
}

#[test]
fn a_body_without_the_list_or_with_damage_is_an_error() {
    for body in [
        "{}",
        r#"{"data":{}}"#,
        r#"{"data":[]}"#,
        "[]",
        r#"{"data":{"items":{}}}"#,
        "<html>",
    ] {
        assert!(decode(body.as_bytes()).is_err(), "{body}");
    }
    for end in 1..SAMPLE.len() {
        assert!(decode(&SAMPLE.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_row_that_comes_again_on_a_later_page_is_a_contradiction() {
    let mut gathered = decode(SAMPLE.as_bytes()).unwrap();
    assert_eq!(gathered.contradiction, None);
    feed(&mut gathered, SAMPLE.as_bytes()).unwrap();
    assert!(gathered.contradiction.unwrap().contains("two pages"));
}

#[test]
fn a_row_without_any_warehouse_is_refused() {
    let gathered = decode(br#"{"data":{"items":[{"nmId":1,"quantity":2}]}}"#).unwrap();
    let error = gathered.is_whole().unwrap_err();
    assert!(error.to_string().contains("without warehouseId"), "{error}");
}

/// The first row of the sample in another form, and the level of the article that is not known then.
fn with_damaged(first: &str) -> Gathered {
    let end = SAMPLE.find("},").unwrap() + 1;
    let start = SAMPLE.find("{\"nmId\"").unwrap();
    let body = format!("{}{first}{}", &SAMPLE[..start], &SAMPLE[end..]);
    decode(body.as_bytes()).unwrap()
}

#[test]
fn a_damaged_row_makes_its_own_level_unknown_and_leaves_the_others() {
    for bad in [
        r#"{"nmId":100000001,"warehouseId":507,"warehouseName":"Коледино","quantity":null}"#,
        r#"{"nmId":"100000001","warehouseId":507,"warehouseName":"Коледино","quantity":7}"#,
        r#"{"nmId":100000001,"warehouseId":507,"warehouseName":"Коледино","quantity":"семь"}"#,
        r#"{"nmId":100000001,"warehouseId":507,"warehouseName":"Коледино","quantity":-7}"#,
        r#"{"nmId":100000001,"warehouseId":507,"warehouseName":"Коледино","quantity":9223372036854775807}"#,
        r#"{"nmId":100000001,"warehouseId":507,"warehouseName":"Коледино","quantity":9223372036854775808}"#,
        r#"{"nmId":100000001,"warehouseId":507,"warehouseName":"Коледино"}"#,
    ] {
        let gathered = with_damaged(bad);
        assert!(gathered.is_proven, "{bad}");
        assert_eq!(gathered.left_out.count(), 1, "{bad}");
        let stock = gathered.builder.finish();
        let first = stock.product(100_000_001).unwrap();
        assert_eq!(
            stock.unread_warehouses(first).collect::<Vec<_>>(),
            ["fbo:507"],
            "{bad}"
        );
        assert_eq!((first.levels.len(), first.available()), (1, 40), "{bad}");
        assert_eq!(stock.product(100_000_002).unwrap().available(), 5, "{bad}");
    }
}

#[test]
fn a_damaged_row_of_an_unknown_article_proves_no_absence_and_one_of_an_unknown_warehouse_tears_its_article() {
    for bad in [
        "null",
        "7",
        r#"{"nmId":null,"quantity":1}"#,
        r#"{"nmId":"","quantity":1}"#,
    ] {
        let gathered = with_damaged(bad);
        assert_eq!(
            (gathered.is_proven, gathered.left_out.count()),
            (false, 1),
            "{bad}"
        );
        assert_eq!(
            gathered
                .builder
                .finish()
                .product(100_000_001)
                .unwrap()
                .available(),
            42
        );
    }
    for bad in [
        r#"{"nmId":100000001,"quantity":1}"#,
        // The name is known under an id; by the name alone it would be another warehouse, and the one with
        // the id would have what the other sizes have.
        r#"{"nmId":100000001,"warehouseId":-507,"warehouseName":"Коледино","quantity":1}"#,
    ] {
        let gathered = with_damaged(bad);
        assert!(gathered.is_proven, "{bad}");
        let stock = gathered.builder.finish();
        assert!(stock.product(100_000_001).unwrap().torn, "{bad}");
        assert_eq!(stock.product(100_000_002).unwrap().available(), 5, "{bad}");
    }
}

#[test]
fn the_warehouse_that_is_none_tells_units_on_the_way_only() {
    let body = r#"{"data":{"items":[{"nmId":1,"chrtId":2,"warehouseId":0,"warehouseName":"Остальные",
        "quantity":0,"inWayToClient":3,"inWayFromClient":1}]}}"#;
    let stock = snapshot(body);
    assert!(stock.warehouses.is_empty(), "{:?}", stock.warehouses);
    assert_eq!(stock.product(1).unwrap().in_way_total().to_client, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_bodies_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let mut body = SAMPLE.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        // Whether it decodes depends on what was hit; that it comes back at all is the point.
        drop(decode(&body));
    }
}
