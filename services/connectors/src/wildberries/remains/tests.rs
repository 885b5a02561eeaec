//! The background report's decoder: pseudo-warehouses, totals, masking, damage.

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::Report;
use crate::error::CallFailure;
use crate::json::Rows;
use crate::marketplace::{InWay, MASKED_KEY};
use crate::wildberries::wire::RemainsEnvelope;

const SAMPLE: &str = r#"[{"brand":"Пример","subjectName":"Платья","vendorCode":"PL-001/красный","nmId":100000001,
    "barcode":"2040000000017","techSize":"42","volume":1.2,"warehouses":[
    {"warehouseName":"В пути до получателей","quantity":3},
    {"warehouseName":"В пути возвраты на склад WB","quantity":1},
    {"warehouseName":"Всего находится на складах","quantity":10},
    {"warehouseName":"Коледино","quantity":7},{"warehouseName":"Казань","quantity":3}]},
    {"nmId":100000001,"warehouses":[{"warehouseName":"Всего находится на складах","quantity":6},
    {"warehouseName":"Остальные","quantity":6}]},
    {"nmId":100000002,"warehouses":[{"warehouseName":"В пути до получателей","quantity":2}]}]"#;

/// Feeds a report in small pieces; what it holds and whether it had a list.
fn feed(body: &[u8]) -> Result<(Report, bool), CallFailure> {
    let (mut report, mut rows) = (Report::default(), Rows::new(&[]));
    for chunk in body.chunks(100) {
        rows.push(chunk, &mut |row| report.row(row))?;
    }
    let has_list = rows.finish::<RemainsEnvelope>()?;
    Ok((report, has_list))
}

fn decode(body: &str) -> Report {
    feed(body.as_bytes()).unwrap().0
}

#[test]
fn pseudo_warehouses_become_units_on_the_road_and_the_rest_is_stock() {
    let report = decode(SAMPLE);
    assert_eq!((report.rows, report.left_out.count()), (3, 0));
    let snapshot = report.builder.finish();
    let keys: Vec<&str> = snapshot
        .warehouses
        .iter()
        .map(|warehouse| warehouse.key.as_str())
        .collect();
    assert_eq!(
        keys,
        ["fbo:name:Коледино", "fbo:name:Казань", "fbo:name:Остальные"]
    );
    let first = snapshot.product(100_000_001).unwrap();
    assert_eq!(first.available(), 16);
    assert_eq!(
        first.in_way_total(),
        InWay {
            to_client: 3,
            from_client: 1
        }
    );
    let second = snapshot.product(100_000_002).unwrap();
    assert_eq!((second.levels.len(), second.in_way.to_client), (0, 2));
}

#[test]
fn both_masked_sums_become_the_one_masked_warehouse_with_their_sum() {
    let report = decode(
        r#"[{"nmId":1,"warehouses":[{"warehouseName":"Склад WB РФ","quantity":30},
            {"warehouseName":"Склад WB СГТ РФ","quantity":12},{"warehouseName":"Астана","quantity":5},
            {"warehouseName":"Всего находится на складах","quantity":47}]}]"#,
    );
    assert_eq!(report.left_out.count(), 0);
    let snapshot = report.builder.finish();
    assert_eq!(snapshot.warehouses[0].key, MASKED_KEY);
    let levels = &snapshot.product(1).unwrap().levels;
    assert_eq!(
        levels.iter().map(|level| level.available).collect::<Vec<_>>(),
        [42, 5]
    );
}

#[test]
fn a_total_that_does_not_fit_leaves_out_its_article_and_no_other() {
    let report = decode(
        r#"[{"nmId":7,"warehouses":[{"warehouseName":"Казань","quantity":3},
            {"warehouseName":"Всего находится на складах","quantity":4}]},
            {"nmId":8,"warehouses":[{"warehouseName":"Казань","quantity":5}]}]"#,
    );
    let said = report.left_out.said().unwrap();
    assert!(
        said.contains("article 7: the total is 4, its warehouses hold 3 (first at /0"),
        "{said}"
    );
    assert!(!report.is_unproven);
    let stock = report.builder.finish();
    assert!(stock.product(7).unwrap().torn);
    assert_eq!(stock.product(8).unwrap().available(), 5);
}

#[test]
fn a_damaged_entry_makes_its_own_level_unknown_and_a_damaged_row_its_article() {
    let with = |row: &str| {
        decode(&format!(
            r#"[{row},{{"nmId":8,"warehouses":[{{"warehouseName":"Казань","quantity":5}}]}}]"#
        ))
    };
    for bad in ["null", "\"три\"", "-3", "9223372036854775808"] {
        let report = with(&format!(
            r#"{{"nmId":7,"warehouses":[{{"warehouseName":"Казань","quantity":{bad}}},
                {{"warehouseName":"Тула","quantity":2}},{{"warehouseName":"Всего находится на складах","quantity":5}}]}}"#
        ));
        assert_eq!((report.left_out.count(), report.is_unproven), (1, false), "{bad}");
        let stock = report.builder.finish();
        let seven = stock.product(7).unwrap();
        let unread: Vec<&str> = stock.unread_warehouses(seven).collect();
        assert!(
            seven.torn || (unread == ["fbo:name:Казань"] && seven.available() == 2),
            "{bad}"
        );
        assert_eq!(stock.product(8).unwrap().available(), 5, "{bad}");
    }
    let report = with(r#"{"nmId":7,"warehouses":null}"#);
    let torn = report
        .builder
        .finish()
        .product(7)
        .is_some_and(|seven| seven.torn || seven.levels.is_empty());
    assert!(torn);
    for bad in [
        "null",
        r#"{"warehouses":[{"warehouseName":"Казань","quantity":3}]}"#,
    ] {
        let report = with(bad);
        assert!(report.is_unproven, "{bad}");
        assert_eq!(
            report.builder.finish().product(8).unwrap().available(),
            5,
            "{bad}"
        );
    }
}

#[test]
fn an_empty_body_is_no_list_and_an_empty_list_is_one() {
    assert!(!feed(b"").unwrap().1);
    assert!(!feed(b"null").unwrap().1);
    assert!(feed(b"[]").unwrap().1);
    assert!(feed(b"{}").is_err());
}

#[test]
fn a_cut_body_is_an_error_wherever_it_is_cut() {
    for end in 1..SAMPLE.len() {
        assert!(feed(&SAMPLE.as_bytes()[..end]).is_err(), "cut at {end}");
    }
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
        drop(feed(&body));
    }
}
