//! Postings in every shape that was documented or seen.

use std::collections::HashMap;

use super::{Orders, status};
use crate::error::CallFailure;
use crate::json::LeftOut;
use crate::marketplace::{OrderObservation, OrderStatus, Period, Tally};
use crate::ozon::catalogue::Catalogue;
use crate::ozon::wire::{self, samples};

fn catalogue() -> Catalogue {
    Catalogue {
        prices: vec![],
        price_lost: false,
        cards: Vec::new(),
        ids: Vec::new(),
        offers: HashMap::new(),
        articles: HashMap::from([(123_456, 123_000)]),
        outcome: Tally::default().finish("ozon.cards"),
        complete: true,
    }
}

fn period() -> Period {
    let at = |text: &str| super::time(text).unwrap();
    Period {
        from: at("2025-01-01T00:00:00Z"),
        to: at("2026-12-31T00:00:00Z"),
    }
}

/// The orders, and what is said of rows that were left out.
fn read_all(is_fbs: bool, body: &str) -> Result<(Vec<OrderObservation>, Option<String>), CallFailure> {
    let catalogue = catalogue();
    let mut orders = Orders::new(&catalogue, period());
    let mut left_out = LeftOut::default();
    orders.page(is_fbs, &wire::postings(body.as_bytes())?, &mut left_out);
    left_out.is_drift()?;
    Ok((orders.finish(), left_out.said()))
}

fn read(is_fbs: bool, body: &str) -> Result<Vec<OrderObservation>, CallFailure> {
    read_all(is_fbs, body).map(|(orders, _)| orders)
}

#[test]
fn a_parcel_gives_an_order_per_product_with_its_warehouse_and_price() {
    let orders = read(false, samples::FBO_POSTINGS).unwrap();
    assert_eq!(orders.len(), 2);
    let first = &orders[0];
    assert_eq!(
        (first.srid.as_str(), first.nm_id, first.quantity),
        ("42776709-0200-5:123456", 123_000, 1)
    );
    assert_eq!(first.ordered_at.to_rfc3339(), "2026-02-08T13:56:07.751+00:00");
    assert_eq!(first.warehouse().unwrap().key, "fbo:123");
    assert_eq!(
        (first.price_minor, first.currency.as_deref()),
        (Some(2_999_000), Some("RUB"))
    );
    assert_eq!((orders[1].nm_id, orders[1].quantity), (789_012, 2));
}

#[test]
fn the_wrapped_shape_with_texts_for_numbers_is_the_same_to_us() {
    let orders = read(true, samples::FBS_POSTINGS_WRAPPED).unwrap();
    assert_eq!(orders.len(), 1);
    let order = &orders[0];
    assert_eq!((order.is_fbs, order.nm_id), (true, 1_904_686_181));
    assert_eq!(order.warehouse().unwrap().key, "fbs:20605650762000");
    assert_eq!(order.price_minor, Some(120_000));
    assert_eq!(
        order.changed_at.to_rfc3339(),
        "2025-12-20T05:50:26+00:00",
        "handed over later than begun"
    );
}

#[test]
fn prices_come_as_objects_texts_and_numbers() {
    for (shape, minor) in [
        (r#"{"amount":"28990","currency":"RUB"}"#, Some(2_899_000)),
        (r#""29990.05""#, Some(2_999_005)),
        ("1530.5", Some(153_050)),
        ("null", None),
    ] {
        let body = samples::FBO_POSTINGS.replacen(r#""29990.00""#, shape, 1);
        assert_eq!(read(false, &body).unwrap()[0].price_minor, minor, "{shape}");
    }
    let wrong = samples::FBO_POSTINGS.replacen(r#""29990.00""#, r#"["29990"]"#, 1);
    let (orders, said) = read_all(false, &wrong).unwrap();
    assert_eq!(orders.len(), 1, "the other product of the parcel");
    let said = said.unwrap();
    assert!(
        said.contains("field `postings[].products[].price` has another type or value: a list seen"),
        "{said}"
    );
    assert!(said.contains("/postings/0/products/0"), "{said}");
}

#[test]
fn one_product_on_two_lines_of_a_parcel_is_one_order() {
    let body = samples::FBO_POSTINGS.replace("789012", "123456");
    let orders = read(false, &body).unwrap();
    assert_eq!((orders.len(), orders[0].quantity), (1, 3));
}

#[test]
fn a_repeated_posting_replaces_what_was_known() {
    let cancelled = samples::FBO_POSTINGS.replace("awaiting_packaging", "cancelled");
    let value = |body: &str| serde_json::from_str::<serde_json::Value>(body).unwrap()["postings"][0].clone();
    let both =
        serde_json::json!({"postings": [value(samples::FBO_POSTINGS), value(&cancelled)], "has_next": false});
    let orders = read(false, &both.to_string()).unwrap();
    assert_eq!(orders.len(), 2);
    assert!(orders.iter().all(|order| order.cancelled));
}

#[test]
fn statuses_say_whether_the_order_still_stands() {
    assert_eq!(status("delivering"), OrderStatus::Created);
    assert_eq!(status("delivered"), OrderStatus::Buyout);
    assert_eq!(status("cancelled"), OrderStatus::Cancelled);
    assert_eq!(status("beamed_up"), OrderStatus::Other("beamed_up".into()));
}

#[test]
fn a_posting_without_a_number_or_a_time_is_refused_by_name() {
    let unnamed = samples::FBO_POSTINGS.replace("42776709-0200-5", "");
    assert!(
        read(false, &unnamed)
            .unwrap_err()
            .to_string()
            .contains("posting_number")
    );
    let untimed = samples::FBO_POSTINGS
        .replace("created_at", "made_at")
        .replace("in_process_at", "x_at");
    assert!(
        read(false, &untimed)
            .unwrap_err()
            .to_string()
            .contains("in_process_at")
    );
    let garbled = samples::FBO_POSTINGS.replace("2026-02-08T13:56:07.751Z", "yesterday");
    assert!(
        read(false, &garbled)
            .unwrap_err()
            .to_string()
            .contains("created_at")
    );
}

#[test]
fn a_parcel_of_the_period_without_products_is_seen() {
    let catalogue = catalogue();
    let period = period();
    let saw_empty = |created: &str, products: &str| {
        let body = format!(
            r#"{{"postings":[{{"posting_number":"1-1","status":"delivered","created_at":"{created}","products":{products}}}],
                "has_next":false}}"#
        );
        let mut orders = Orders::new(&catalogue, period);
        let page = wire::postings(body.as_bytes()).unwrap();
        orders.page(false, &page, &mut LeftOut::default());
        orders.saw_empty
    };
    let of_the_period = "2026-02-08T13:56:07Z";
    assert!(saw_empty(of_the_period, "[]"));
    assert!(!saw_empty(of_the_period, r#"[{"sku":123456,"quantity":1}]"#));
    assert!(!saw_empty("2027-02-08T13:56:07Z", "[]"));
}

#[test]
fn one_bad_parcel_of_every_kind_loses_none_of_the_others() {
    let good: serde_json::Value = serde_json::from_str(samples::FBO_POSTINGS).unwrap();
    let good = &good["postings"][0];
    let with = |field: &str, value: serde_json::Value| {
        let mut posting = good.clone();
        posting["posting_number"] = serde_json::json!("1-1");
        posting[field] = value;
        posting
    };
    for bad in [
        serde_json::json!(null),
        serde_json::json!(7),
        with("posting_number", serde_json::json!(null)),
        with("posting_number", serde_json::json!("")),
        with("status", serde_json::json!(null)),
        with("created_at", serde_json::json!("yesterday")),
        with("products", serde_json::json!(null)),
        with("products", serde_json::json!([null])),
        with("products", serde_json::json!([{"sku": null, "quantity": 1}])),
        with("products", serde_json::json!([{"sku": 5, "quantity": -1}])),
        with("analytics_data", serde_json::json!("x")),
    ] {
        let body = serde_json::json!({"postings": [bad, good], "has_next": false}).to_string();
        let (orders, said) = read_all(false, &body).unwrap();
        assert_eq!(orders.len(), 2, "{bad}");
        assert!(said.unwrap().starts_with("1 rows left out"), "{bad}");
    }
    let odd = with("financial_data", serde_json::json!("x"));
    let body = serde_json::json!({"postings": [odd, good], "has_next": false}).to_string();
    let (orders, said) = read_all(false, &body).unwrap();
    assert_eq!((orders.len(), said), (4, None), "a region only decorates");
}
