//! Orders from both reports: the documented rows, deduplication, prices, and that no buyer's data gets
//! through.

use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::{Orders, feed_order, minor_units, next_date_from, supplier_order};
use crate::json::{self, Told};
use crate::marketplace::{MASKED_KEY, OrderStatus};
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
    let row = page.data.orders.or_default().into_iter().next().unwrap();
    let order = feed_order(row, page.data.currency.as_deref()).unwrap();
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
fn the_next_page_starts_at_the_full_time_of_the_last_row() {
    assert_eq!(
        next_date_from("2026-10-01T10:20:07.123").unwrap(),
        "2026-10-01T10:20:07.123"
    );
    assert_eq!(
        next_date_from("2026-10-01T10:20:07Z").unwrap(),
        "2026-10-01T13:20:07"
    );
    let error = next_date_from("soon").unwrap_err();
    assert!(
        error.to_string().contains("field `lastChangeDate` is no time"),
        "{error}"
    );
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
    let row = page.data.orders.or_default().into_iter().next().unwrap();
    let order = feed_order(row, None).unwrap();
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
            rows.into_iter().for_each(|row| drop(feed_order(row, None)));
        }
    }
}
