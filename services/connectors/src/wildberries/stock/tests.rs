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
    let error = decode(br#"{"data":{"items":[{"nmId":1,"quantity":2}]}}"#)
        .err()
        .unwrap();
    assert!(error.to_string().contains("without warehouseId"), "{error}");
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
