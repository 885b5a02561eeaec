//! What the cabinet says through its different doors is one and the same truth.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use simulators::SellerConfig;
use simulators::wildberries::Limits;

use crate::client::Shop;

const SYNC: &str = "/api/analytics/v1/stocks-report/wb-warehouses";
const GROUPED: &str = "/api/v1/warehouse_remains?locale=ru&groupByNm=true&groupBySa=true";

fn seller(articles: usize) -> SellerConfig {
    SellerConfig {
        articles,
        ..SellerConfig::default()
    }
}

async fn cards_page(shop: &Shop, ascending: bool, cursor: Value) -> Value {
    let settings = json!({"sort": {"ascending": ascending}, "filter": {"withPhoto": -1}, "cursor": cursor});
    shop.post("/content/v2/get/cards/list", json!({"settings": settings}))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cursor_leads_through_all_cards_exactly_once() {
    let shop = Shop::open(seller(257), Limits::Off).await;
    for ascending in [true, false] {
        let mut seen = Vec::new();
        let mut cursor = json!({"limit": 100});
        loop {
            let page = cards_page(&shop, ascending, cursor).await;
            let total = page["cursor"]["total"].as_u64().unwrap();
            seen.extend(
                page["cards"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|card| card["nmID"].as_u64().unwrap()),
            );
            if total < 100 {
                break;
            }
            cursor = json!({"limit": 100, "updatedAt": page["cursor"]["updatedAt"], "nmID": page["cursor"]["nmID"]});
        }
        assert_eq!(seen.len(), 257);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 257);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_cards_is_ten_unless_asked_and_never_more_than_a_hundred() {
    let shop = Shop::open(seller(120), Limits::Off).await;
    let page = shop.post("/content/v2/get/cards/list", json!({})).await;
    assert_eq!(page["cards"].as_array().unwrap().len(), 10);
    let body = json!({"settings": {"cursor": {"limit": 101}}});
    let refused = shop
        .call(Method::POST, "/content/v2/get/cards/list", Some(body))
        .await;
    assert_eq!(refused.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_account_has_a_cursor_without_a_time() {
    let shop = Shop::open(seller(0), Limits::Off).await;
    let page = shop.post("/content/v2/get/cards/list", json!({})).await;
    assert_eq!(page, json!({"cards": [], "cursor": {"nmID": 0, "total": 0}}));
}

/// Units per article in the synchronous report.
async fn sync_sums(shop: &Shop) -> (BTreeMap<u64, u64>, BTreeSet<String>) {
    let report = shop.post(SYNC, json!({})).await;
    let (mut sums, mut names) = (BTreeMap::new(), BTreeSet::new());
    for row in report["data"]["items"].as_array().unwrap() {
        *sums.entry(row["nmId"].as_u64().unwrap()).or_default() += row["quantity"].as_u64().unwrap();
        names.insert(row["warehouseName"].as_str().unwrap().to_owned());
    }
    sums.retain(|_, units| *units > 0);
    (sums, names)
}

/// A finished asynchronous report.
async fn remains(shop: &Shop, query: &str) -> Vec<Value> {
    let task = shop.get(query).await["data"]["taskId"]
        .as_str()
        .unwrap()
        .to_owned();
    let base = format!("/api/v1/warehouse_remains/tasks/{task}");
    let mut seen = Vec::new();
    while seen.last().map(String::as_str) != Some("done") {
        let status = shop.get(&format!("{base}/status")).await;
        seen.push(status["data"]["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, ["new", "processing", "done"]);
    shop.get(&format!("{base}/download"))
        .await
        .as_array()
        .unwrap()
        .clone()
}

/// Units per article in the asynchronous report, and the names that are no pseudo-warehouses.
async fn async_sums(shop: &Shop) -> (BTreeMap<u64, u64>, BTreeSet<String>) {
    let (mut sums, mut names) = (BTreeMap::new(), BTreeSet::new());
    for row in remains(shop, GROUPED).await {
        let (mut sum, mut total) = (0, 0);
        for place in row["warehouses"].as_array().unwrap() {
            let units = place["quantity"].as_u64().unwrap();
            assert!(units > 0, "only non-zero entries are sent");
            match place["warehouseName"].as_str().unwrap() {
                "Всего находится на складах" => total = units,
                "В пути до получателей" | "В пути возвраты на склад WB" =>
                    {}
                name => {
                    names.insert(name.to_owned());
                    sum += units;
                }
            }
        }
        assert_eq!(sum, total);
        if sum > 0 {
            sums.insert(row["nmId"].as_u64().unwrap(), sum);
        }
    }
    (sums, names)
}

#[tokio::test(flavor = "multi_thread")]
async fn masking_changes_names_and_never_sums() {
    let config = SellerConfig {
        warehouses: 24,
        ..seller(40)
    };
    let shop = Shop::open(config, Limits::Off).await;
    let truth = shop.sim.truth(shop.sim.sellers()[0], None).unwrap();
    let true_sums: BTreeMap<u64, u64> = truth
        .products
        .iter()
        .map(|product| (product.nm_id, product.stock.values().sum()))
        .filter(|(_, units)| *units > 0)
        .collect();
    let (open_sync, open_names) = sync_sums(&shop).await;
    assert_eq!(open_sync, true_sums);
    assert_eq!(open_names.len(), 24);
    assert_eq!(async_sums(&shop).await.0, true_sums);

    shop.sim.mask(true);
    let (masked_sync, sync_names) = sync_sums(&shop).await;
    let (masked_async, async_names) = async_sums(&shop).await;
    assert_eq!(masked_sync, true_sums);
    assert_eq!(masked_async, true_sums);
    assert!(sync_names.contains("Склад WB") && !sync_names.contains("Коледино"));
    assert!(async_names.contains("Склад WB РФ") && async_names.contains("Склад WB СГТ РФ"));
    assert!(!async_names.contains("Коледино") && async_names.contains("Астана Карагандинское шоссе"));

    shop.sim.mask(false);
    assert_eq!(sync_sums(&shop).await, (open_sync, open_names));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_stock_report_add_up_to_the_whole() {
    let shop = Shop::open(seller(30), Limits::Off).await;
    let whole = shop.post(SYNC, json!({})).await["data"]["items"]
        .as_array()
        .unwrap()
        .clone();
    let mut parts = Vec::new();
    loop {
        let page = shop.post(SYNC, json!({"limit": 7, "offset": parts.len()})).await;
        let rows = page["data"]["items"].as_array().unwrap().clone();
        if rows.is_empty() {
            break;
        }
        parts.extend(rows);
    }
    assert_eq!(parts, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_fraction_shows_up_in_the_next_report() {
    let shop = Shop::open(seller(100), Limits::Off).await;
    let rows = |report: Value| report["data"]["items"].as_array().unwrap().clone();
    let before = rows(shop.post(SYNC, json!({})).await);
    let changed = shop.sim.mutate_fraction(0.05);
    let after = rows(shop.post(SYNC, json!({})).await);
    assert!(changed > 0);
    assert_eq!(before.len(), after.len());
    assert_eq!(
        before.iter().zip(&after).filter(|(old, new)| old != new).count(),
        changed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_parameter_of_the_asynchronous_report_is_refused() {
    let shop = Shop::open(seller(3), Limits::Off).await;
    let answer = shop
        .call(Method::GET, "/api/v1/warehouse_remains?groupByNm=", None)
        .await;
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body["detail"],
        "parameter \"groupByNm\" in query has an error: empty value is not allowed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_report_is_gone() {
    let shop = Shop::open(seller(3), Limits::Off).await;
    let task = shop.get(GROUPED).await["data"]["taskId"]
        .as_str()
        .unwrap()
        .to_owned();
    shop.sim.purge_tasks();
    let base = format!("/api/v1/warehouse_remains/tasks/{task}");
    assert_eq!(
        shop.get(&format!("{base}/status")).await["data"]["status"],
        "purged"
    );
    assert_eq!(
        shop.call(Method::GET, &format!("{base}/download"), None)
            .await
            .status(),
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_paged_by_their_last_change_and_the_border_comes_again() {
    let shop = Shop::open(seller(20), Limits::Off).await;
    let all = shop.get("/api/v1/supplier/orders?dateFrom=2026-10-01").await;
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 40 * 14);
    let middle = all[300]["lastChangeDate"].as_str().unwrap();
    let rest = shop
        .get(&format!("/api/v1/supplier/orders?dateFrom={middle}&flag=0"))
        .await;
    let rest = rest.as_array().unwrap();
    assert_eq!(rest[0]["lastChangeDate"], middle);
    assert_eq!(rest.last(), all.last());

    shop.sim.advance(30);
    let last = all.last().unwrap()["lastChangeDate"].as_str().unwrap();
    let fresh = shop
        .get(&format!("/api/v1/supplier/orders?dateFrom={last}"))
        .await;
    let fresh = fresh.as_array().unwrap();
    let cancelled = fresh.iter().filter(|order| order["isCancel"] == true).count();
    assert!(
        fresh.len() > 100 && cancelled > 0,
        "{} orders, {cancelled} cancelled",
        fresh.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_day_of_orders_is_that_moscow_day() {
    let shop = Shop::open(seller(20), Limits::Off).await;
    let day = shop
        .get("/api/v1/supplier/orders?dateFrom=2026-10-25T15:00:00&flag=1")
        .await;
    let day = day.as_array().unwrap();
    assert!(!day.is_empty());
    assert!(
        day.iter()
            .all(|order| order["date"].as_str().unwrap().starts_with("2026-10-25T"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_the_order_feed_stays_the_same_while_orders_arrive() {
    let shop = Shop::open(seller(20), Limits::Off).await;
    let period = json!({"start": "2026-10-20"});
    let page = |snapshot: Value, offset: usize| {
        json!({"selectedPeriod": period,
               "pagination": {"snapshotTime": snapshot, "offset": offset, "limit": 1000}})
    };
    let path = "/api/analytics/v1/order-feed";
    let first = shop.post(path, page(Value::Null, 0)).await;
    shop.sim.advance(20);
    let again = shop
        .post(path, page(first["data"]["snapshotTime"].clone(), 0))
        .await;
    assert_eq!(first["data"]["orders"], again["data"]["orders"]);
    let newer = shop.post(path, page(Value::Null, 0)).await;
    let count = |answer: &Value| answer["data"]["orders"].as_array().unwrap().len();
    assert!(count(&newer) > count(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_is_the_same_cabinet() {
    let one = Shop::open(seller(30), Limits::Off).await;
    let two = Shop::open(seller(30), Limits::Off).await;
    one.sim.advance(10);
    two.sim.advance(10);
    let truth = |shop: &Shop| shop.sim.truth(shop.sim.sellers()[0], None).unwrap();
    assert_eq!(truth(&one), truth(&two));
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_without_a_record_are_absent_from_the_sellers_own_stock() {
    let shop = Shop::open(seller(30), Limits::Off).await;
    let warehouses = shop.get("/api/v3/warehouses").await;
    let id = warehouses[0]["id"].as_i64().unwrap();
    let page = cards_page(&shop, true, json!({"limit": 100})).await;
    let sizes: Vec<Value> = page["cards"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|card| {
            card["sizes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|size| size["chrtID"].clone())
        })
        .collect();
    let stocks = shop
        .post(&format!("/api/v3/stocks/{id}"), json!({"chrtIds": sizes}))
        .await;
    let found = stocks["stocks"].as_array().unwrap();
    assert!(!found.is_empty() && found.len() < sizes.len());
    let truth = shop.sim.truth(shop.sim.sellers()[0], None).unwrap();
    let expected: u64 = truth
        .products
        .iter()
        .flat_map(|product| product.fbs.values())
        .sum();
    assert_eq!(
        found
            .iter()
            .map(|row| row["amount"].as_u64().unwrap())
            .sum::<u64>(),
        expected
    );
    let body = json!({"skus": ["2040000000017"]});
    let refused = shop
        .call(Method::POST, &format!("/api/v3/stocks/{id}"), Some(body))
        .await;
    assert_eq!(refused.status(), 400);
    assert_eq!(
        refused.json::<Value>().await.unwrap()["code"],
        "SKUUploadDisabled"
    );
}
