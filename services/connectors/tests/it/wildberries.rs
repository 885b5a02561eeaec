//! What a healthy vendor has comes out whole: the catalogue, stock by either report, FBS stock, orders.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connectors::error::CallFailure;
use connectors::marketplace::{
    CategoryStatus, MASKED_KEY, Marketplace, OrderObservation, ProductStock, StockSnapshot,
};
use connectors::wildberries::Options;
use simulators::SellerConfig;
use simulators::wildberries::{ProductTruth, TokenKind, scope};

use crate::world::{World, cards, options, sizes};

fn seller() -> SellerConfig {
    SellerConfig {
        articles: 90,
        ..SellerConfig::default()
    }
}

/// Units per article and warehouse name; zeros left out.
fn by_name(snapshot: &StockSnapshot) -> BTreeMap<i64, BTreeMap<String, i64>> {
    let mut stock: BTreeMap<i64, BTreeMap<String, i64>> = BTreeMap::new();
    for row in snapshot.levels().filter(|row| row.level.available != 0) {
        *stock
            .entry(row.nm_id)
            .or_default()
            .entry(row.warehouse.name.clone())
            .or_default() += row.level.available;
    }
    stock
}

fn expected(
    products: &[ProductTruth],
    of: impl Fn(&ProductTruth) -> &BTreeMap<String, u64>,
) -> BTreeMap<i64, BTreeMap<String, i64>> {
    let levels = |product: &ProductTruth| {
        of(product)
            .iter()
            .map(|(name, units)| (name.clone(), i64::try_from(*units).unwrap()))
            .collect()
    };
    products
        .iter()
        .filter(|product| !of(product).is_empty())
        .map(|product| (i64::try_from(product.nm_id).unwrap(), levels(product)))
        .collect()
}

fn totals(snapshot: &StockSnapshot) -> BTreeMap<i64, (i64, i64, i64)> {
    let of = |product: &ProductStock| {
        let in_way = product.in_way_total();
        (
            product.nm_id,
            (product.available(), in_way.to_client, in_way.from_client),
        )
    };
    snapshot
        .products
        .iter()
        .map(of)
        .filter(|(_, sums)| *sums != (0, 0, 0))
        .collect()
}

#[tokio::test]
async fn the_whole_catalogue_comes_through_paging() {
    let world = World::start(seller()).await;
    let client = world.personal();
    let cards = cards(&client).await;
    let seen: BTreeSet<u64> = cards
        .iter()
        .map(|card| u64::try_from(card.nm_id).unwrap())
        .collect();
    let listed: BTreeSet<u64> = world.listed().iter().map(|product| product.nm_id).collect();
    assert_eq!(seen, listed);
    assert!(
        world
            .simulator
            .calls()
            .count("/content-api/content/v2/get/cards/list")
            >= 5
    );
    assert!(
        cards
            .iter()
            .all(|card| card.sizes.len() == 2 && !card.barcodes.is_empty())
    );
}

#[tokio::test]
async fn the_synchronous_report_gives_every_unit_at_its_warehouse() {
    let world = World::start(seller()).await;
    let fetched = world.personal().fbo_stock().await.unwrap();
    assert!(fetched.complete);
    assert_eq!(fetched.outcome.source, "wb.stock.sync");
    assert!(fetched.outcome.pages > 3, "{:?}", fetched.outcome);
    assert_eq!(
        by_name(&fetched.items),
        expected(&world.listed(), |product| &product.stock)
    );
    assert_eq!(fetched.outcome.payload_sha256.len(), 64);
    assert!(
        fetched
            .items
            .warehouses
            .iter()
            .all(|warehouse| !warehouse.key.contains("name:"))
    );
}

#[tokio::test]
async fn a_base_token_gets_the_same_stock_from_the_background_report() {
    let world = World::start(seller()).await;
    let by_report = world.base().fbo_stock().await.unwrap();
    assert_eq!(
        (by_report.outcome.source, by_report.complete),
        ("wb.stock.remains", true)
    );
    assert_eq!(
        by_name(&by_report.items),
        expected(&world.listed(), |product| &product.stock)
    );
    let direct = world.personal().fbo_stock().await.unwrap();
    assert_eq!(totals(&by_report.items), totals(&direct.items));
    // The keys differ because one source knows no ids; names lead from one to the other.
    let known = direct.items.keys_by_name();
    for warehouse in &by_report.items.warehouses {
        assert!(known.contains_key(warehouse.name.as_str()), "{}", warehouse.name);
    }
}

#[tokio::test]
async fn a_refused_report_is_not_asked_for_twice() {
    let world = World::start(seller()).await;
    for _ in 0..2 {
        world.base().fbo_stock().await.unwrap();
    }
    let calls = world.simulator.calls();
    assert_eq!(
        calls.count_status("/seller-analytics-api/api/analytics/v1/stocks-report", 403),
        1
    );
    assert_eq!(
        calls.count("/seller-analytics-api/api/analytics/v1/stocks-report"),
        1
    );
}

#[tokio::test]
async fn an_unfinished_report_is_taken_up_again_by_the_next_attempt() {
    let world = World::start(seller()).await;
    let token = world.simulator.base_token(world.simulator.sellers()[0]);
    let hasty = world.client(
        &token,
        Options {
            report_poll: Duration::from_secs(900),
            ..options()
        },
    );
    let error = hasty.fbo_stock().await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::ReportPending { .. }),
        "{error}"
    );
    assert_eq!(error.class().told_delay(), Some(Duration::from_secs(900)));
    world.base().fbo_stock().await.unwrap();
    let created = "/seller-analytics-api/api/v1/warehouse_remains";
    let paths = world.simulator.calls().paths;
    let creations: u64 = paths[&format!("GET {created}")].values().sum();
    assert_eq!(creations, 1, "{paths:?}");
}

#[tokio::test]
async fn masking_collapses_warehouses_and_keeps_every_sum() {
    let world = World::start(seller()).await;
    let before = world.personal().fbo_stock().await.unwrap().items;
    world.simulator.mask(true);
    let direct = world.personal().fbo_stock().await.unwrap().items;
    let background = world.base().fbo_stock().await.unwrap().items;
    for masked in [&direct, &background] {
        assert_eq!(totals(masked), totals(&before));
        let masks: Vec<_> = masked
            .warehouses
            .iter()
            .filter(|warehouse| warehouse.masked)
            .collect();
        assert_eq!(masks.len(), 1, "{:?}", masked.warehouses);
        assert_eq!(masks[0].key, MASKED_KEY);
        assert!(masked.warehouses.len() < before.warehouses.len());
    }
}

#[tokio::test]
async fn fbs_stock_is_asked_for_by_size_and_summed_by_product() {
    // A base token has no report of the seller's stock.
    let world = World::start(SellerConfig {
        fbs_warehouses: 2,
        ..seller()
    })
    .await;
    let client = world.base();
    let sizes = sizes(&cards(&client).await);
    let fetched = client.fbs_stock(&sizes).await.unwrap();
    assert!(fetched.complete);
    assert_eq!(
        by_name(&fetched.items),
        expected(&world.listed(), |product| &product.fbs)
    );
    assert!(
        fetched
            .items
            .warehouses
            .iter()
            .all(|warehouse| warehouse.key.starts_with("fbs:"))
    );
    assert_eq!(fetched.items.products.len(), world.listed().len());
}

#[tokio::test]
async fn both_order_reports_give_the_same_orders_once() {
    let world = World::start(seller()).await;
    let by_feed = world.personal().orders(world.week()).await.unwrap();
    assert_eq!(
        (by_feed.outcome.source, by_feed.complete),
        ("wb.orders.feed", true)
    );
    assert!(by_feed.outcome.pages > 2, "{:?}", by_feed.outcome);

    let statistics_only = world.simulator.token(
        world.simulator.sellers()[0],
        TokenKind::Personal,
        scope::STATISTICS,
        world.now + chrono::TimeDelta::days(1),
    );
    let by_report = world
        .client(&statistics_only, options())
        .orders(world.week())
        .await
        .unwrap();
    assert_eq!(
        (by_report.outcome.source, by_report.complete),
        ("wb.orders.supplier", true)
    );

    let since = world.week().from;
    let placed = |orders: &[OrderObservation]| {
        let all: BTreeSet<&str> = orders.iter().map(|order| order.srid.as_str()).collect();
        assert_eq!(all.len(), orders.len(), "an order came twice");
        let placed = orders.iter().filter(|order| order.ordered_at >= since);
        placed
            .map(|order| (order.srid.clone(), order.cancelled, order.price_minor))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(placed(&by_feed.items), placed(&by_report.items));

    let mut counted: BTreeMap<u64, u64> = BTreeMap::new();
    for order in by_feed
        .items
        .iter()
        .filter(|order| !order.cancelled && order.ordered_at >= since)
    {
        *counted.entry(u64::try_from(order.nm_id).unwrap()).or_default() += 1;
    }
    let truth = world.truth().products.into_iter();
    let expected: BTreeMap<u64, u64> = truth
        .map(|product| (product.nm_id, product.orders.values().sum()))
        .filter(|(_, orders)| *orders > 0)
        .collect();
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn a_feed_of_too_many_pages_gives_way_to_the_older_report_for_a_while() {
    let world = World::start(seller()).await;
    let token = world.simulator.personal_token(world.simulator.sellers()[0]);
    let client = world.client(
        &token,
        Options {
            feed_pages: 2,
            ..options()
        },
    );
    for _ in 0..2 {
        let fetched = client.orders(world.week()).await.unwrap();
        assert_eq!(
            (fetched.outcome.source, fetched.complete),
            ("wb.orders.supplier", true)
        );
        assert!(fetched.items.len() > 100);
    }
    assert_eq!(
        world
            .simulator
            .calls()
            .count("/seller-analytics-api/api/analytics/v1/order-feed"),
        2
    );
}

#[tokio::test]
async fn a_base_token_gets_many_orders_in_the_one_request_it_has() {
    let world = World::start(seller()).await;
    let token = world.simulator.base_token(world.simulator.sellers()[0]);
    // A second request would be a second away at this speed: three hours in reality.
    let client = world.client(
        &token,
        Options {
            patience: Duration::from_millis(500),
            ..options()
        },
    );
    let fetched = client.orders(world.week()).await.unwrap();
    assert_eq!(
        (fetched.outcome.source, fetched.outcome.pages),
        ("wb.orders.supplier", 1)
    );
    assert!(fetched.complete);
    let placed = fetched
        .items
        .iter()
        .filter(|order| !order.cancelled && order.ordered_at >= world.week().from);
    let expected: u64 = world
        .truth()
        .products
        .iter()
        .flat_map(|product| product.orders.values())
        .sum();
    assert_eq!(u64::try_from(placed.count()).unwrap(), expected);
}

#[tokio::test]
async fn a_check_names_the_seller_and_the_categories_that_are_closed() {
    let world = World::start(seller()).await;
    let check = world.personal().check().await.unwrap();
    assert_eq!(check.seller_id, world.simulator.sellers()[0].to_string());
    assert!(check.is_sufficient(), "{check:?}");

    let narrow = world.simulator.token(
        world.simulator.sellers()[0],
        TokenKind::Personal,
        scope::CONTENT | scope::ANALYTICS,
        world.now + chrono::TimeDelta::days(1),
    );
    let check = world.client(&narrow, options()).check().await.unwrap();
    let closed: Vec<&str> = check
        .categories
        .iter()
        .filter(|c| c.status != CategoryStatus::Open)
        .map(|c| c.category)
        .collect();
    assert_eq!(closed, ["marketplace", "statistics"]);
}

#[tokio::test]
async fn an_empty_account_is_empty_everywhere() {
    let empty = SellerConfig {
        articles: 0,
        orders_per_day: 0,
        ..SellerConfig::default()
    };
    let world = World::start(empty).await;
    let client = world.personal();
    assert!(cards(&client).await.is_empty());
    assert!(client.fbo_stock().await.unwrap().items.products.is_empty());
    assert!(client.orders(world.week()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_category_that_is_refused_or_silent_hides_none_of_the_others() {
    let world = World::start(seller()).await;
    let answer = |status: u16, body: &str| simulators::Effect::Status {
        status,
        body: body.to_owned(),
        content_type: None,
    };
    for (host, effect) in [
        (
            "/content-api/ping",
            answer(402, r#"{"title":"payment required","detail":"top up"}"#),
        ),
        (
            "/seller-analytics-api/ping",
            answer(
                401,
                r#"{"title":"unauthorized","detail":"token scope not allowed"}"#,
            ),
        ),
        ("/statistics-api/ping", answer(503, "<html>")),
    ] {
        world.simulator.script(simulators::Fault::on(host, effect));
    }
    let check = world.personal().check().await.unwrap();
    let found: Vec<_> = check
        .categories
        .iter()
        .map(|category| (category.category, category.status))
        .collect();
    assert_eq!(
        found,
        [
            ("content", CategoryStatus::PaymentRequired),
            ("analytics", CategoryStatus::Unauthorized),
            ("marketplace", CategoryStatus::Open),
            ("statistics", CategoryStatus::NoAnswer),
        ]
    );
}
