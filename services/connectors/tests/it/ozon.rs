//! What a healthy Ozon has comes out whole, in both dialects of its documents: the catalogue, stock of both
//! schemes with all its kinds, orders, and what a key opens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connectors::marketplace::{CategoryStatus, Marketplace, MarketplaceClient, StockSnapshot};
use simulators::OzonSellerConfig;
use simulators::ozon::{Dialect, OzonProductTruth, ROLE_PRODUCTS};

use crate::ozon_world::{World, cards, options, sizes};

const STOCKS: &str = "/v1/analytics/stocks";

fn seller() -> OzonSellerConfig {
    OzonSellerConfig {
        products: 90,
        fbs_warehouses: 2,
        ..OzonSellerConfig::default()
    }
}

type Levels = BTreeMap<i64, BTreeMap<String, i64>>;

/// Units per article and warehouse name; zeros left out.
fn by_name(snapshot: &StockSnapshot) -> Levels {
    let mut stock = Levels::new();
    for row in snapshot.levels().filter(|row| row.level.available != 0) {
        let levels = stock.entry(row.nm_id).or_default();
        *levels.entry(row.warehouse.name.clone()).or_default() += row.level.available;
    }
    stock
}

fn article(product: &OzonProductTruth) -> i64 {
    i64::try_from(product.sku).unwrap()
}

fn expected(
    products: &[OzonProductTruth],
    of: impl Fn(&OzonProductTruth) -> &BTreeMap<String, u64>,
) -> Levels {
    let units = |map: &BTreeMap<String, u64>| {
        let pair = |(name, units): (&String, &u64)| (name.clone(), i64::try_from(*units).unwrap());
        map.iter().map(pair).collect()
    };
    let held = products.iter().filter(|product| !of(product).is_empty());
    held.map(|product| (article(product), units(of(product))))
        .collect()
}

/// Everything that a sync would read is what the cabinet holds.
async fn assert_whole(world: &World, late_fields: bool) {
    let client = world.client();
    let cards = cards(&client).await;
    let listed = world.listed();
    let seen: BTreeSet<i64> = cards.iter().map(|card| card.nm_id).collect();
    assert_eq!(seen, listed.iter().map(article).collect());
    assert_eq!(seen.len(), cards.len(), "a card came twice");

    let fbo = client.fbo_stock().await.unwrap();
    assert_eq!((fbo.outcome.source, fbo.complete), ("ozon.stock.fbo", true));
    assert_eq!(by_name(&fbo.items), expected(&listed, |product| &product.stock));
    assert_eq!(fbo.items.products.len(), listed.len(), "no stock is a zero too");
    for product in &listed {
        let seen = fbo.items.product(article(product)).unwrap().in_way_total();
        let to_client = if late_fields { product.in_way_to_client } else { 0 };
        assert_eq!(seen.to_client, i64::try_from(to_client).unwrap());
        assert_eq!(
            seen.from_client,
            i64::try_from(product.in_way_from_client).unwrap()
        );
        let mut buckets: BTreeMap<String, u64> = BTreeMap::new();
        for row in &fbo.items.product(article(product)).unwrap().buckets {
            *buckets.entry(row.bucket.as_str().to_owned()).or_default() += u64::try_from(row.units).unwrap();
        }
        let mut kinds = product.buckets.clone();
        if !late_fields {
            kinds.remove("not_sold");
        }
        assert_eq!(buckets, kinds, "{}", product.sku);
    }

    let fbs = client.fbs_stock(&sizes(&cards)).await.unwrap();
    assert!(fbs.complete);
    assert_eq!(by_name(&fbs.items), expected(&listed, |product| &product.fbs));
    let reserved: i64 = fbs
        .items
        .products
        .iter()
        .flat_map(|product| &product.buckets)
        .map(|row| i64::from(row.units))
        .sum();
    let truth: u64 = listed.iter().map(|product| product.fbs_reserved).sum();
    assert_eq!(reserved, i64::try_from(truth).unwrap());

    let orders = client.orders(world.week()).await.unwrap();
    assert!(
        orders.complete && orders.outcome.pages > 4,
        "{:?}",
        orders.outcome
    );
    let since = chrono::DateTime::parse_from_rfc3339(&world.truth().orders_since).unwrap();
    let ids: BTreeSet<&str> = orders.items.iter().map(|order| order.srid.as_str()).collect();
    assert_eq!(ids.len(), orders.items.len(), "an order came twice");
    let mut counted = Levels::new();
    let mut cancelled = 0;
    let placed = orders.items.iter().filter(|order| order.ordered_at >= since);
    for order in placed {
        if order.cancelled {
            cancelled += u64::from(order.quantity);
            continue;
        }
        let levels = counted.entry(order.nm_id).or_default();
        *levels.entry(order.warehouse_name.clone().unwrap()).or_default() += i64::from(order.quantity);
        assert!(order.price_minor.is_some_and(|price| price >= 30_000));
        assert_eq!(order.currency.as_deref(), Some("RUB"));
    }
    // Parcels of products that went to the archive meanwhile count as well.
    let all = world.truth().products;
    let known: BTreeSet<i64> = seen;
    let of_listed = |levels: Levels| -> Levels {
        levels
            .into_iter()
            .filter(|(nm_id, _)| known.contains(nm_id))
            .collect()
    };
    assert_eq!(
        of_listed(counted),
        of_listed(expected(&all, |product| &product.orders))
    );
    assert_eq!(
        cancelled,
        all.iter().map(|product| product.cancelled).sum::<u64>()
    );
}

#[tokio::test]
async fn a_complete_read_equals_the_cabinet() {
    let world = World::start(seller()).await;
    assert_whole(&world, true).await;
    assert!(world.simulator.calls().count("/v3/product/list") >= 5);
}

#[tokio::test]
async fn the_other_dialect_of_the_documents_is_read_as_well() {
    let world = World::start(seller()).await;
    world.simulator.dialect(Dialect::April);
    assert_whole(&world, false).await;
}

#[tokio::test]
async fn a_shop_that_lives_on_is_followed() {
    let world = World::start(seller()).await;
    for _ in 0..3 {
        world.simulator.advance(40);
        assert_whole(&world, true).await;
    }
    assert!(world.truth().products.iter().any(|product| product.archived));
}

#[tokio::test]
async fn warehouses_have_ids_and_clusters_and_orders_lead_to_them() {
    let world = World::start(seller()).await;
    let client = MarketplaceClient::Ozon(world.client());
    let stock = client.fbo_stock().await.unwrap().items;
    assert!(stock.warehouses.iter().all(|warehouse| {
        warehouse.key.starts_with("fbo:")
            && !warehouse.key.contains("name:")
            && warehouse.region.is_some()
            && !warehouse.masked
    }));
    assert!(stock.clusters.len() > 3);
    assert!(
        stock
            .turnover
            .iter()
            .any(|row| row.cluster.is_some() && row.turnover.daily_sales_milli > Some(0))
    );
    let keys: BTreeSet<&str> = stock
        .warehouses
        .iter()
        .map(|warehouse| warehouse.key.as_str())
        .collect();
    let orders = client.orders(world.week()).await.unwrap().items;
    for order in orders.iter().filter(|order| !order.is_fbs) {
        assert!(keys.contains(order.warehouse().unwrap().key.as_str()));
    }
    assert!(orders.iter().any(|order| order.is_fbs));
}

#[tokio::test]
async fn the_catalogue_is_read_once_for_all_sources_of_a_sync() {
    let world = World::start(seller()).await;
    let client = world.client();
    let (cards, stock, orders) =
        tokio::join!(cards(&client), client.fbo_stock(), client.orders(world.week()));
    assert_eq!(cards.len(), world.listed().len());
    assert!(stock.is_ok() && orders.is_ok());
    assert_eq!(world.simulator.calls().count("/v3/product/list"), 5);
}

#[tokio::test]
async fn a_cabinet_without_warehouses_of_its_own_has_no_such_orders_and_no_failure() {
    let world = World::start(OzonSellerConfig {
        fbs_warehouses: 0,
        ..seller()
    })
    .await;
    let client = world.client();
    let orders = client.orders(world.week()).await.unwrap();
    assert!(orders.complete && !orders.items.is_empty());
    assert_eq!(
        world.simulator.calls().count_status("/v4/posting/fbs/list", 400),
        1
    );
    let fbs = client.fbs_stock(&sizes(&cards(&client).await)).await.unwrap();
    assert!(fbs.complete && fbs.items.warehouses.is_empty());
    assert_eq!(
        fbs.items.products.len(),
        world.listed().len(),
        "no stock is a zero too"
    );
}

#[tokio::test]
async fn an_empty_cabinet_is_empty_everywhere() {
    let world = World::start(OzonSellerConfig {
        products: 0,
        orders_per_day: 0,
        ..seller()
    })
    .await;
    let client = world.client();
    assert!(cards(&client).await.is_empty());
    assert!(client.fbo_stock().await.unwrap().items.products.is_empty());
    assert!(client.orders(world.week()).await.unwrap().items.is_empty());
    assert_eq!(world.simulator.calls().count(STOCKS), 0);
}

#[tokio::test]
async fn a_check_names_the_cabinet_its_end_and_what_is_closed() {
    let world = World::start(seller()).await;
    let check = world.client().check().await.unwrap();
    assert_eq!(check.seller_id, world.client_id().to_string());
    assert!(
        check.is_sufficient() && check.name.contains("Продавец"),
        "{check:?}"
    );
    assert_eq!(check.expires_at, Some(world.now + chrono::TimeDelta::days(90)));

    let narrow = world
        .simulator
        .key(world.client_id(), &ROLE_PRODUCTS, check.expires_at.unwrap());
    let check = world.client_with(&narrow, options()).check().await.unwrap();
    let closed: Vec<&str> = check
        .categories
        .iter()
        .filter(|category| category.status != CategoryStatus::Open)
        .map(|category| category.category)
        .collect();
    assert_eq!(closed, ["stock", "warehouses", "postings"]);
}

#[tokio::test]
async fn the_limits_are_kept_without_a_single_refusal() {
    // A fifth of a second for fifty requests, a tenth between two for stock.
    let world = World::at_speed(
        OzonSellerConfig {
            products: 120,
            orders_per_day: 200,
            ..seller()
        },
        5.0,
    )
    .await;
    let client = world.client();
    let (stock, orders) = tokio::join!(client.fbo_stock(), client.orders(world.week()));
    assert!(stock.is_ok() && orders.is_ok());
    let calls = world.simulator.calls();
    assert!(calls.total > 60, "{}", calls.total);
    assert!(calls.calls.iter().all(|call| call.status == 200));
    let asked: Vec<u64> = calls
        .calls
        .iter()
        .filter(|call| call.path == STOCKS)
        .map(|call| call.at_millis)
        .collect();
    assert!(asked.len() >= 4);
    let apart = u64::try_from(Duration::from_millis(99).as_millis()).unwrap();
    assert!(
        asked.windows(2).all(|pair| pair[1] - pair[0] >= apart),
        "{asked:?}"
    );
}

#[tokio::test]
async fn an_order_with_a_sku_that_no_card_shows_is_its_products_by_the_sellers_article() {
    let world = World::start(OzonSellerConfig {
        foreign_sku_percent: 40,
        ..seller()
    })
    .await;
    // The card of one of them is in the archive by now.
    let ledger = world.simulator.ledger(world.client_id(), None).unwrap();
    let foreign = |order: &&simulators::LedgerOrder| !order.id.ends_with(&format!(":{}", order.article));
    let archived = ledger.orders.iter().find(foreign).unwrap().article;
    world
        .simulator
        .archive(world.client_id(), u64::try_from(archived).unwrap());
    let orders = world.client().orders(world.week()).await.unwrap();
    assert!(orders.complete);
    assert_eq!(orders.outcome.trouble, None);
    let truth: BTreeMap<&str, i64> = ledger
        .orders
        .iter()
        .map(|order| (order.id.as_str(), order.article))
        .collect();
    let mut joined = 0;
    for order in &orders.items {
        assert_eq!(order.nm_id, truth[order.srid.as_str()], "{}", order.srid);
        joined += usize::from(!order.srid.ends_with(&format!(":{}", order.nm_id)));
    }
    assert!(joined > 20, "{joined}");
    assert!(orders.items.iter().any(|order| order.nm_id == archived));
}

#[tokio::test]
async fn orders_that_lead_to_no_card_are_kept_and_the_source_says_so() {
    let world = World::start(seller()).await;
    let body = r#"{"postings":[{"posting_number":"1-1","status":"delivering","created_at":"2026-10-14T09:00:00Z",
        "in_process_at":"2026-10-14T09:01:00Z","products":[{"sku":999,"offer_id":"NOBODY","quantity":2,
        "price":"10","currency":"RUB"}]}],"cursor":"","has_next":false}"#;
    let answer = simulators::Effect::Status {
        status: 200,
        body: body.to_owned(),
        content_type: None,
    };
    world
        .simulator
        .script(simulators::Fault::on("/v3/posting/fbo/list", answer));
    let orders = world.client().orders(world.week()).await.unwrap();
    let strange = orders.items.iter().find(|order| order.nm_id == 999).unwrap();
    assert_eq!((strange.srid.as_str(), strange.quantity), ("1-1:999", 2));
    let trouble = orders
        .outcome
        .trouble
        .map(|words| words.to_string())
        .unwrap_or_default();
    assert!(trouble.contains("SKUs that no card has"), "{trouble}");
}
