//! What goes beyond the units of an article: its sizes, its prices, the seller's own warehouses, and what
//! each kind of token gets.

use std::collections::BTreeMap;

use connectors::error::CallFailure;
use connectors::marketplace::{Card, Marketplace, SizeLabel, StockSnapshot};
use connectors::wildberries::{Options, Sellers};
use simulators::wildberries::{TokenKind, scope};
use simulators::{Effect, Fault, SellerConfig};

use crate::world::{World, cards, options, sizes};

const REPORT: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/seller-warehouses";
const STOCKS: &str = "/marketplace-api/api/v3/stocks/";
const PRICES: &str = "/discounts-prices-api/api/v2/list/goods/filter";

async fn world() -> World {
    World::start(SellerConfig {
        articles: 70,
        sizes_per_article: 3,
        fbs_warehouses: 2,
        ..SellerConfig::default()
    })
    .await
}

/// A client with a token of a kind, all categories open.
fn of_kind(world: &World, kind: TokenKind) -> connectors::wildberries::Wildberries {
    world.client(&token(world, kind, scope::ALL), options())
}

fn token(world: &World, kind: TokenKind, scopes: u32) -> String {
    let sid = world.simulator.sellers()[0];
    world
        .simulator
        .token(sid, kind, scopes, world.now + chrono::TimeDelta::days(30))
}

/// Units by article, warehouse name and size id.
fn by_size(snapshot: &StockSnapshot, cards: &[Card]) -> BTreeMap<(i64, String, u64), i64> {
    let mut units = BTreeMap::new();
    for product in &snapshot.products {
        let mut cards = cards.iter();
        let sizes = cards
            .find(|card| card.nm_id == product.nm_id)
            .map_or(&[][..], |card| card.sizes.as_slice());
        for row in &product.sizes {
            let id = match &snapshot.sizes[row.size as usize] {
                SizeLabel::Id(id) => *id,
                SizeLabel::Name(name) => sizes
                    .iter()
                    .find(|size| &size.tech_size == name)
                    .map_or(0, |size| size.chrt_id),
            };
            let name = snapshot.warehouses[row.warehouse as usize].name.clone();
            *units.entry((product.nm_id, name, id)).or_default() += i64::from(row.units);
        }
    }
    units
}

/// Sizes add up to the level they are of.
fn add_up(snapshot: &StockSnapshot) {
    for product in &snapshot.products {
        for level in &product.levels {
            let at = product
                .sizes
                .iter()
                .filter(|row| row.warehouse == level.warehouse);
            assert_eq!(at.map(|row| i64::from(row.units)).sum::<i64>(), level.available);
        }
    }
}

#[tokio::test]
async fn both_stock_reports_tell_the_same_sizes_and_they_add_up() {
    let world = world().await;
    let cards = cards(&world.personal()).await;
    let direct = world.personal().fbo_stock().await.unwrap().items;
    let background = world.base().fbo_stock().await.unwrap().items;
    add_up(&direct);
    add_up(&background);
    let told = by_size(&direct, &cards);
    assert!(told.len() > 500, "{}", told.len());
    assert_eq!(by_size(&background, &cards), told);
}

#[tokio::test]
async fn a_personal_and_a_service_token_read_the_sellers_stock_by_the_report_and_others_by_warehouse() {
    let world = world().await;
    let cards = cards(&world.personal()).await;
    let sizes = sizes(&cards);
    let by_warehouse = of_kind(&world, TokenKind::Base).fbs_stock(&sizes).await.unwrap();
    assert_eq!(by_warehouse.outcome.source, "wb.stock.fbs");
    assert_eq!(world.simulator.calls().count(REPORT), 0);
    add_up(&by_warehouse.items);
    world.simulator.clear_calls();
    for kind in [TokenKind::Personal, TokenKind::Service] {
        let report = of_kind(&world, kind).fbs_stock(&[]).await.unwrap();
        assert_eq!(
            (report.outcome.source, report.complete),
            ("wb.stock.seller", true)
        );
        assert_eq!(
            by_size(&report.items, &cards),
            by_size(&by_warehouse.items, &cards)
        );
        add_up(&report.items);
        let keys: Vec<_> = report
            .items
            .warehouses
            .iter()
            .map(|warehouse| &warehouse.key)
            .collect();
        for warehouse in &by_warehouse.items.warehouses {
            assert!(
                keys.contains(&&warehouse.key),
                "{} is the same warehouse",
                warehouse.key
            );
        }
    }
    assert_eq!(world.simulator.calls().count(STOCKS), 0);
}

#[tokio::test]
async fn a_refused_report_of_the_sellers_stock_gives_way_to_its_warehouses_for_a_while() {
    let world = world().await;
    let client = world.personal();
    let sizes = sizes(&cards(&client).await);
    world.simulator.script(Fault::on(
        REPORT,
        Effect::Status {
            status: 403,
            body: r#"{"title":"forbidden","detail":"token type is not allowed","status":403}"#.to_owned(),
            content_type: None,
        },
    ));
    for _ in 0..2 {
        let fetched = client.fbs_stock(&sizes).await.unwrap();
        assert_eq!(fetched.outcome.source, "wb.stock.fbs");
    }
    assert_eq!(world.simulator.calls().count(REPORT), 1);
    assert!(!client.has_seller_report() && client.opens_fbs());
}

#[tokio::test]
async fn every_listed_product_has_its_price_through_paging() {
    let world = world().await;
    let client = world.client(
        &token(&world, TokenKind::Personal, scope::ALL),
        Options {
            price_page: 20,
            ..options()
        },
    );
    let fetched = client.prices().await.unwrap();
    assert_eq!((fetched.outcome.source, fetched.complete), ("wb.prices", true));
    assert_eq!(fetched.outcome.pages, 4, "70 products by 20");
    let articles: Vec<i64> = fetched.items.iter().map(|price| price.nm_id).collect();
    let mut listed: Vec<i64> = world
        .listed()
        .iter()
        .map(|product| i64::try_from(product.nm_id).unwrap())
        .collect();
    listed.sort_unstable();
    assert_eq!(articles, listed);
    for price in &fetched.items {
        assert_eq!(price.currency, "RUB");
        assert!(price.price_minor > 0, "{price:?}");
        let discounted = price.discounted_minor.unwrap();
        assert!(discounted > 0 && discounted < price.price_minor, "{price:?}");
    }
}

#[tokio::test]
async fn prices_that_are_further_away_than_the_patience_are_taken_as_far_as_they_came() {
    let world = world().await;
    let sellers = Sellers::new(1.0);
    let base = token(&world, TokenKind::Base, scope::ALL);
    let client = connectors::wildberries::Wildberries::new(
        connectors::http::HttpClient::new(std::sync::Arc::new(connectors::http::NoObserver)).unwrap(),
        world.hosts(),
        connectors::wildberries::Token::parse(&base).unwrap(),
        &sellers,
        Options {
            price_page: 20,
            ..options()
        },
    );
    let fetched = client.prices().await.unwrap();
    assert_eq!(
        (fetched.items.len(), fetched.complete),
        (20, false),
        "a quarter of an hour a page"
    );
}

#[tokio::test]
async fn a_token_without_the_category_of_prices_asks_for_none() {
    let world = world().await;
    let client = world.client(
        &token(&world, TokenKind::Personal, scope::ALL & !scope::PRICES),
        options(),
    );
    let error = client.prices().await.unwrap_err();
    assert!(matches!(error.failure, CallFailure::Forbidden { .. }), "{error}");
    assert_eq!(world.simulator.calls().count(PRICES), 0);
}

#[tokio::test]
async fn an_order_of_the_feed_tells_its_size_and_the_region_it_came_from() {
    let world = world().await;
    let client = world.personal();
    let cards = cards(&client).await;
    let orders = client.orders(world.week()).await.unwrap();
    assert_eq!(orders.outcome.source, "wb.orders.feed");
    assert!(!orders.items.is_empty());
    for order in &orders.items {
        let size = u64::try_from(order.size_id.unwrap()).unwrap();
        if let Some(card) = cards.iter().find(|card| card.nm_id == order.nm_id) {
            assert!(card.sizes.iter().any(|known| known.chrt_id == size));
        }
        assert!(order.cluster.as_ref().is_some_and(|region| !region.is_empty()));
    }
    world.simulator.mask(true);
    let masked = client.orders(world.week()).await.unwrap();
    assert!(
        masked
            .items
            .iter()
            .all(|order| order.cluster.as_deref() != Some("Склад WB"))
    );
}

/// Pages are cut from the snapshot that the first answer names, so orders that come meanwhile shift nothing.
#[tokio::test]
async fn the_feed_is_paged_by_its_snapshot_while_orders_go_on_coming() {
    let world = world().await;
    let before: u64 = world
        .truth()
        .products
        .iter()
        .map(|product| product.orders.values().sum::<u64>() + product.cancelled)
        .sum();
    let client = world.client(
        &token(&world, TokenKind::Personal, scope::ALL),
        Options {
            order_page: 50,
            ..options()
        },
    );
    // New orders come before every page but the first.
    let living = async {
        let mut answered = 0;
        loop {
            let calls = world.simulator.calls().total;
            if calls > answered {
                answered = calls;
                world.simulator.advance(1);
            }
            tokio::task::yield_now().await;
        }
    };
    let week = world.week();
    let orders = tokio::select! {
        orders = client.orders(week) => orders.unwrap(),
        () = living => unreachable!("it never ends"),
    };
    assert!(orders.outcome.pages > 3, "{:?}", orders.outcome);
    let mut ids: Vec<&str> = orders.items.iter().map(|order| order.srid.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), orders.items.len(), "no order twice");
    assert!(
        ids.len() as u64 >= before,
        "none is lost: {} of {before}",
        ids.len()
    );
}

#[tokio::test]
async fn with_the_services_secret_a_base_token_gets_the_synchronous_report_and_the_full_limits() {
    let world = world().await;
    world.simulator.know_service("secret-of-tests");
    let with = |secret: &str| {
        world.client(
            &token(&world, TokenKind::Base, scope::ALL),
            Options {
                service_secret: Some(secret.to_owned().into()),
                ..options()
            },
        )
    };
    let stock = with("secret-of-tests").fbo_stock().await.unwrap();
    assert_eq!(stock.outcome.source, "wb.stock.sync");
    let orders = with("secret-of-tests").orders(world.week()).await.unwrap();
    assert_eq!(orders.outcome.source, "wb.orders.feed");
    let alone = world.base().fbo_stock().await.unwrap();
    assert_eq!(alone.outcome.source, "wb.stock.remains");
}

#[tokio::test]
async fn a_test_token_opens_nothing_here() {
    let world = world().await;
    let client = of_kind(&world, TokenKind::Test);
    let error = client.fbo_stock().await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Unauthorized { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_switched_off_is_never_called_whatever_the_token() {
    let world = world().await;
    for kind in [TokenKind::Personal, TokenKind::Service, TokenKind::Base] {
        let client = of_kind(&world, kind);
        let sizes = sizes(&cards(&client).await);
        client.fbo_stock().await.unwrap();
        client.fbs_stock(&sizes).await.unwrap();
        client.orders(world.week()).await.unwrap();
        client.prices().await.unwrap();
        client.check().await.unwrap();
    }
    // Also where the newer ways are refused and the older ones are taken.
    for closed in [
        "/seller-analytics-api/api/analytics/v1/order-feed",
        "/seller-analytics-api/api/analytics/v1/stocks-report",
    ] {
        let refusal = Effect::Status {
            status: 403,
            body: r#"{"title":"forbidden","detail":"token type is not allowed","status":403}"#.to_owned(),
            content_type: None,
        };
        world.simulator.script(Fault::on(closed, refusal));
    }
    let anew = connectors::wildberries::Sellers::new(10_000.0);
    let http = connectors::http::HttpClient::new(std::sync::Arc::new(connectors::http::NoObserver)).unwrap();
    let personal = token(&world, TokenKind::Personal, scope::ALL);
    let parsed = connectors::wildberries::Token::parse(&personal).unwrap();
    let client = connectors::wildberries::Wildberries::new(http, world.hosts(), parsed, &anew, options());
    let sizes = sizes(&cards(&client).await);
    client.fbo_stock().await.unwrap();
    client.fbs_stock(&sizes).await.unwrap();
    client.orders(world.week()).await.unwrap();
    assert_eq!(world.simulator.removed_calls(), 0);
    assert!(world.simulator.calls().total > 30);
}
