//! Orders from both reports: the documented rows, deduplication, prices, and that no buyer's data gets
//! through.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::{FEED_ROWS, MARGIN, Orders, feed_order, minor_units, not_too_old, supplier_order};
use crate::json::{self, LeftOut, Told};
use crate::marketplace::{MASKED_KEY, OrderObservation, OrderStatus, Period};
use crate::wildberries::wire::{Data, FeedPage, SupplierOrder};

const SUPPLIER: &str = r#"[{"date":"2026-10-01T10:00:31","lastChangeDate":"2026-10-01T10:20:07","warehouseName":"Коледино",
    "warehouseType":"Склад WB","countryName":"Россия","oblastOkrugName":"Центральный федеральный округ",
    "regionName":"Московская","supplierArticle":"PL-001/красный","nmId":100000001,"barcode":"2040000000017",
    "category":"Одежда","subject":"Платья","brand":"Пример","techSize":"42","incomeID":1,"isSupply":false,
    "isRealization":true,"totalPrice":5000,"discountPercent":30,"spp":10,"finishedPrice":3150,
    "priceWithDisc":3500.5,"isCancel":false,"cancelDate":"0001-01-01T00:00:00","sticker":"926912515",
    "gNumber":"34343462218572569531","srid":"ebf1.r0001.0.0"}]"#;

const FEED: &str = r#"{"data":{"snapshotTime":"2026-10-02T00:00:00Z","currency":"RUB","orders":[{"nmId":1,"chrtId":2,
    "srid":"s-1","createdAt":"2026-10-01T10:00:31Z","updatedAt":"2026-10-01T12:00:00Z","status":"cancel",
    "cancelType":"app","warehouseName":"Склад WB РФ","warehouseRegion":"Склад WB","isMp":false,
    "destinationCity":"Тверь","destinationDistrict":"Центральный","sellerPrice":3500,"isB2b":false}]}}"#;

fn fed(page: Data<FeedPage>, currency: Option<&str>) -> Vec<OrderObservation> {
    let Told::Value(rows) = page.data.orders else {
        return Vec::new();
    };
    let mut left_out = LeftOut::default();
    let orders = rows.read(FEED_ROWS, &[], &mut left_out, |row| feed_order(row, currency));
    assert_eq!(left_out.count(), 0);
    orders
}

#[test]
fn the_documented_row_of_the_older_report_is_read_in_moscow_time_and_kopecks() {
    let rows: Vec<SupplierOrder> = json::decode(SUPPLIER.as_bytes()).unwrap();
    let order = supplier_order(rows.into_iter().next().unwrap()).unwrap();
    assert_eq!(order.ordered_at.to_rfc3339(), "2026-10-01T07:00:31+00:00");
    assert_eq!(order.changed_at.to_rfc3339(), "2026-10-01T07:20:07+00:00");
    assert_eq!(
        (order.price_minor, order.cancelled, order.is_fbs),
        (Some(350_050), false, false)
    );
    assert_eq!(order.warehouse().unwrap().key, "fbo:name:Коледино");
    let shown = format!("{order:?}");
    for private in ["Московская", "926912515", "34343462218572569531", "Центральный"] {
        assert!(!shown.contains(private), "{shown}");
    }
}

#[test]
fn the_documented_row_of_the_feed_is_read() {
    let page: Data<FeedPage> = json::decode(FEED.as_bytes()).unwrap();
    let currency = page.data.currency.clone();
    let order = fed(page, currency.as_deref()).remove(0);
    assert_eq!((order.srid.as_str(), order.nm_id, order.quantity), ("s-1", 1, 1));
    assert_eq!(
        (order.status.clone(), order.cancelled),
        (OrderStatus::Cancelled, true)
    );
    assert_eq!(
        (order.price_minor, order.currency.as_deref()),
        (Some(350_000), Some("RUB"))
    );
    assert_eq!(order.warehouse().unwrap().key, MASKED_KEY);
    assert!(!format!("{order:?}").contains("Тверь"));
}

#[test]
fn a_seller_warehouse_makes_the_order_fbs() {
    let text = SUPPLIER.replace("\"Склад WB\"", "\"Склад продавца\"");
    let rows: Vec<SupplierOrder> = json::decode(text.as_bytes()).unwrap();
    let order = supplier_order(rows.into_iter().next().unwrap()).unwrap();
    assert!(order.is_fbs);
    assert_eq!(order.warehouse().unwrap().key, "fbs:name:Коледино");
}

#[test]
fn an_order_that_comes_twice_counts_once_in_its_last_state() {
    let order = |changed: &str, cancel: bool| {
        let text = SUPPLIER
            .replace("2026-10-01T10:20:07", changed)
            .replace("\"isCancel\":false", &format!("\"isCancel\":{cancel}"));
        let rows: Vec<SupplierOrder> = json::decode(text.as_bytes()).unwrap();
        supplier_order(rows.into_iter().next().unwrap()).unwrap()
    };
    let mut orders = Orders::default();
    orders.add(order("2026-10-01T11:00:00", true));
    orders.add(order("2026-10-01T10:20:07", false));
    let orders = orders.finish();
    assert_eq!(orders.len(), 1);
    assert!(orders[0].cancelled);
}

#[test]
fn of_two_rows_with_one_time_the_cancelled_one_holds_whichever_comes_first() {
    let order = |cancel: bool| {
        let text = SUPPLIER.replace("\"isCancel\":false", &format!("\"isCancel\":{cancel}"));
        let rows: Vec<SupplierOrder> = json::decode(text.as_bytes()).unwrap();
        supplier_order(rows.into_iter().next().unwrap()).unwrap()
    };
    for cancels in [[true, false], [false, true]] {
        let mut orders = Orders::default();
        cancels.map(order).into_iter().for_each(|order| orders.add(order));
        assert!(orders.finish()[0].cancelled, "{cancels:?}");
    }
}

#[test]
fn a_row_without_an_id_or_a_time_says_which_field_is_wrong() {
    let error = |from: &str, to: &str| {
        let text = SUPPLIER.replace(from, to);
        let rows: Vec<SupplierOrder> = json::decode(text.as_bytes()).unwrap();
        supplier_order(rows.into_iter().next().unwrap())
            .unwrap_err()
            .to_string()
    };
    let no_time = error("2026-10-01T10:20:07", "soon");
    assert!(
        no_time.contains("field `[].lastChangeDate` is no time"),
        "{no_time}"
    );
    let never = error("2026-10-01T10:00:31", "0001-01-01T00:00:00");
    assert!(never.contains("field `[].date` is no time"), "{never}");
    let no_id = error("ebf1.r0001.0.0", " ");
    assert!(no_id.contains("field `[].srid` is empty"), "{no_id}");
}

#[test]
fn one_damaged_order_of_the_feed_loses_none_of_the_others() {
    let good = r#"{"nmId":9,"srid":"s-9","createdAt":"2026-10-01T10:00:31Z","status":"created"}"#;
    for bad in [
        "null",
        "17",
        r#"{"nmId":null,"srid":"s","createdAt":"2026-10-01T10:00:31Z","status":"created"}"#,
        r#"{"nmId":"x","srid":"s","createdAt":"2026-10-01T10:00:31Z","status":"created"}"#,
        r#"{"nmId":9223372036854775808,"srid":"s","createdAt":"2026-10-01T10:00:31Z","status":"created"}"#,
        r#"{"nmId":1,"createdAt":"2026-10-01T10:00:31Z","status":"created"}"#,
        r#"{"nmId":1,"srid":"","createdAt":"2026-10-01T10:00:31Z","status":"created"}"#,
        r#"{"nmId":1,"srid":"s","status":"created"}"#,
        r#"{"nmId":1,"srid":"s","createdAt":"","status":"created"}"#,
    ] {
        let body = format!(r#"{{"data":{{"orders":[{bad},{good}]}}}}"#);
        let page: Data<FeedPage> = json::decode(body.as_bytes()).unwrap();
        let Told::Value(rows) = page.data.orders else {
            panic!("{body}")
        };
        let mut left_out = LeftOut::default();
        let orders = rows.read(FEED_ROWS, &[], &mut left_out, |row| feed_order(row, None));
        assert_eq!((orders.len(), orders[0].nm_id), (1, 9), "{bad}");
        assert_eq!(left_out.count(), 1, "{bad}");
        assert!(left_out.said().unwrap().contains("/data/orders/0"), "{bad}");
    }
}

#[test]
fn the_feed_is_never_asked_for_more_than_the_vendor_takes_however_long_the_request_waited() {
    let to = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
    let start = |days: i64, waited: TimeDelta| {
        let from = to - TimeDelta::days(days);
        not_too_old(Period { from, to }, waited) - from
    };
    assert_eq!(start(7, TimeDelta::zero()), TimeDelta::zero());
    assert_eq!(start(30, TimeDelta::hours(3)), TimeDelta::zero());
    assert_eq!(start(31, TimeDelta::zero()), MARGIN);
    assert_eq!(start(31, TimeDelta::minutes(7)), MARGIN + TimeDelta::minutes(7));
    assert_eq!(start(40, TimeDelta::zero()), TimeDelta::days(9) + MARGIN);
}

#[test]
fn prices_become_whole_minor_units() {
    assert_eq!(minor_units(3150.0), Some(315_000));
    assert_eq!(minor_units(0.29), Some(29));
    assert_eq!(minor_units(1_234_567.89), Some(123_456_789));
    assert_eq!(minor_units(f64::INFINITY), None);
    assert_eq!(minor_units(1e300), None);
}

#[test]
fn an_unknown_status_is_kept_and_counts() {
    let text = FEED.replace("\"cancel\"", "\"lost\"");
    let page: Data<FeedPage> = json::decode(text.as_bytes()).unwrap();
    let order = fed(page, None).remove(0);
    assert_eq!((order.status.as_str(), order.cancelled), ("lost", false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_bodies_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let damage = |text: &str| {
            let mut body = text.as_bytes().to_vec();
            for (at, byte) in &changes {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            body
        };
        if let Ok(rows) = json::decode::<Vec<SupplierOrder>>(&damage(SUPPLIER)) {
            rows.into_iter().for_each(|row| drop(supplier_order(row)));
        }
        if let Ok(Data { data: FeedPage { orders: Told::Value(rows), .. } }) = json::decode(&damage(FEED)) {
            let read = |row| feed_order(row, None);
            drop(rows.read(FEED_ROWS, &[], &mut LeftOut::default(), read));
        }
    }
}
