//! Products: filtered, sorted, paged while they change, and nobody else's.

use chrono::Utc;
use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::ids::{CabinetId, ProductId, SyncId};
use events::product::{Details, Fulfilment, ProductListed, StockLevel, StockObserved};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, world};

pub(crate) const SYNC: SyncId = SyncId(Uuid::from_u128(0x5));

impl World {
    /// An article with stock, as a sync records it.
    pub(crate) async fn product(&self, seller: &Seller, cabinet: Uuid, nm_id: i64, units: i64) -> Uuid {
        let product = self.listed(seller, cabinet, nm_id).await;
        self.stock_changed(seller, product, 1, units).await;
        product
    }

    /// An article of which no stock is told.
    pub(crate) async fn listed(&self, seller: &Seller, cabinet: Uuid, nm_id: i64) -> Uuid {
        let product = ProductId::of(CabinetId(cabinet), nm_id);
        let listed = ProductListed {
            cabinet_id: CabinetId(cabinet),
            marketplace: Marketplace::Wildberries,
            nm_id,
            details: Details {
                vendor_code: format!("art-{nm_id}"),
                brand: "Brand".to_owned(),
                subject: "Футболки".to_owned(),
                title: format!("Товар {nm_id}"),
                barcodes: vec![format!("20{nm_id}")],
                sizes: vec![],
                price: None,
            },
            sync_id: SYNC,
        };
        let events = vec![ProductEvent::from(listed).into()];
        self.record(seller.tenant, product.uuid(), 0, events).await;
        product.uuid()
    }

    async fn stock_changed(&self, seller: &Seller, product: Uuid, version: i64, units: i64) {
        let event = ProductEvent::from(stock(units)).into();
        self.record(seller.tenant, product, version, vec![event]).await;
    }
}

fn stock(units: i64) -> StockObserved {
    let level = StockLevel {
        warehouse: "fbo:507".to_owned(),
        name: "Коледино".to_owned(),
        fulfilment: Fulfilment::Fbo,
        available: units,
        in_way_to_client: 2,
        in_way_from_client: 1,
        buckets: std::collections::BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    };
    StockObserved {
        sync_id: SYNC,
        source: "stock_fbo".to_owned(),
        as_of: chrono::DateTime::<Utc>::from_timestamp(1_790_000_000, 0).unwrap(),
        levels: vec![level],
        regrouped: Vec::new(),
        unassigned_in_way: None,
        turnover: None,
    }
}

fn articles(answer: &Answer) -> Vec<i64> {
    let data = answer.body["data"].as_array().unwrap();
    data.iter()
        .map(|product| product["marketplace_article"].as_i64().unwrap())
        .collect()
}

async fn shop() -> (World, Seller, Uuid) {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    for (nm_id, units) in [(101, 0), (102, 5), (103, 50), (104, 500), (105, 9)] {
        world.product(&anna, cabinet, nm_id, units).await;
    }
    world.project().await;
    (world, anna, cabinet)
}

#[tokio::test]
async fn products_are_filtered_and_sorted_as_asked() {
    let (world, anna, cabinet) = shop().await;
    for (query, expected) in [
        (
            "sort=marketplace_article&order=asc",
            vec![101, 102, 103, 104, 105],
        ),
        ("sort=total_stock", vec![104, 103, 105, 102, 101]),
        ("low_stock=true&sort=total_stock&order=asc", vec![102, 105]),
        ("min_stock=9&max_stock=50&sort=total_stock", vec![103, 105]),
        ("search=ART-104", vec![104]),
        ("search=20102", vec![102]),
        ("warehouse=fbo:507&max_stock=0", vec![101]),
        ("warehouse=fbo:1", vec![]),
        (
            &format!("cabinet={cabinet}&search=%D1%82%D0%BE%D0%B2%D0%B0%D1%80%20103"),
            vec![103],
        ),
    ] {
        let answer = world
            .get(&anna, &format!("/api/v1/products?{query}"))
            .send()
            .await;
        answer.is(StatusCode::OK);
        assert_eq!(articles(&answer), expected, "{query}");
    }
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_numbers_change() {
    let (world, anna, cabinet) = shop().await;
    let mut path = "/api/v1/products?sort=marketplace_article&order=asc&limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get(&anna, &path).send().await;
        page.is(StatusCode::OK);
        seen.extend(articles(&page));
        let Some(link) = page.headers.get("link") else {
            assert_eq!(
                (&page.body["has_more"], &page.body["next_cursor"]),
                (&json!(false), &Value::Null)
            );
            break;
        };
        path = link
            .to_str()
            .unwrap()
            .strip_prefix('<')
            .unwrap()
            .split('>')
            .next()
            .unwrap()
            .to_owned();
        let product = ProductId::of(CabinetId(cabinet), 101).uuid();
        let version = 1 + i64::try_from(seen.len() / 2).unwrap();
        world.stock_changed(&anna, product, version, 1000 + version).await;
        world.project().await;
    }
    assert_eq!(seen, [101, 102, 103, 104, 105]);
}

#[tokio::test]
async fn a_cursor_works_for_its_own_list_only() {
    let (world, anna, _) = shop().await;
    let boris = world.registered("boris@shop.ru").await;
    let page = world
        .get(&anna, "/api/v1/products?limit=2&sort=total_stock")
        .send()
        .await;
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let last = cursor.chars().last().unwrap();
    let edited = format!(
        "{}{}",
        &cursor[..cursor.len() - 1],
        if last == 'A' { 'B' } else { 'A' }
    );
    let good = format!("/api/v1/products?sort=total_stock&limit=3&cursor={cursor}");
    world.get(&anna, &good).send().await.is(StatusCode::OK);
    for (seller, path) in [
        (&boris, good.clone()),
        (
            &anna,
            format!("/api/v1/products?sort=total_orders&limit=2&cursor={cursor}"),
        ),
        (
            &anna,
            format!("/api/v1/products?sort=total_stock&order=asc&cursor={cursor}"),
        ),
        (
            &anna,
            format!("/api/v1/products?sort=total_stock&search=a&cursor={cursor}"),
        ),
        (&anna, format!("/api/v1/syncs?cursor={cursor}")),
        (
            &anna,
            format!("/api/v1/products?sort=total_stock&limit=2&cursor={edited}"),
        ),
    ] {
        let refused = world.get(seller, &path).send().await;
        assert_eq!(
            refused.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
            ["?cursor"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_product_is_shown_whole_with_how_it_came_about() {
    let (world, anna, cabinet) = shop().await;
    let product = ProductId::of(CabinetId(cabinet), 102).uuid();
    world.stock_changed(&anna, product, 2, 3).await;
    world.project().await;
    let shown = world
        .get(&anna, &format!("/api/v1/products/{product}"))
        .send()
        .await;
    shown.is(StatusCode::OK);
    assert_eq!(
        (&shown.body["total_stock"], &shown.body["turnover_days"]),
        (&json!(3), &Value::Null)
    );
    assert_eq!(shown.body["warehouse_data"][0]["name"], "Коледино");
    assert_eq!(shown.body["warehouse_data"][0]["stock"], 3);
    let path = format!("/api/v1/products/{product}/history?kind=stock&limit=1");
    let newest = world.get(&anna, &path).send().await;
    assert_eq!(newest.body["data"][0]["stock"], json!({"before": 5, "after": 3}));
    let link = newest
        .header("link")
        .strip_prefix('<')
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    let older = world.get(&anna, &link).send().await;
    assert_eq!(
        older.body["data"][0]["stock"],
        json!({"before": null, "after": 5})
    );
    assert_eq!(older.body["has_more"], false);
    let warehouses = world.get(&anna, "/api/v1/warehouses").send().await;
    assert_eq!(warehouses.body["data"][0]["warehouse"], "fbo:507");
    assert_eq!(warehouses.body["data"][0]["total_stock"], 562);
}

#[tokio::test]
async fn another_tenant_sees_none_of_it() {
    let (world, _anna, cabinet) = shop().await;
    let boris = world.registered("boris@shop.ru").await;
    let product = ProductId::of(CabinetId(cabinet), 102).uuid();
    for path in [
        format!("/api/v1/products/{product}"),
        format!("/api/v1/products/{product}/history"),
    ] {
        world
            .get(&boris, &path)
            .send()
            .await
            .is(StatusCode::NOT_FOUND)
            .is_problem("not-found");
    }
    for path in [
        "/api/v1/products".to_owned(),
        "/api/v1/warehouses".to_owned(),
        format!("/api/v1/products?cabinet={cabinet}"),
    ] {
        assert_eq!(
            world.get(&boris, &path).send().await.body["data"],
            json!([]),
            "{path}"
        );
    }
}
