//! One bad row, one empty answer, one page of a gate: none of them loses what the others tell, and none is
//! taken for the vendor's word.

use std::collections::BTreeMap;

use connectors::error::{CallFailure, FailureClass};
use connectors::marketplace::{CategoryStatus, Marketplace, OrderObservation, StockSnapshot};
use connectors::wildberries::{Options, Wildberries};
use simulators::wildberries::{TokenKind, scope};
use simulators::{Damage, Effect, Fault, SellerConfig};

use crate::world::{World, cards, options, sizes};

const CARDS: &str = "/content-api/content/v2/get/cards/list";
const STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/wb-warehouses";
const FEED: &str = "/seller-analytics-api/api/analytics/v1/order-feed";
const SUPPLIER: &str = "/statistics-api/api/v1/supplier/orders";
const WAREHOUSES: &str = "/marketplace-api/api/v3/warehouses";
const PAGE: &str = "<html><head><title>403 Forbidden</title></head><body></body></html>";
const WORDS: &str = r#"{"title":"forbidden","detail":"token type is not allowed","status":403}"#;

async fn world() -> World {
    World::start(SellerConfig {
        articles: 40,
        // A level is one row then, so what is told of it is all of it.
        sizes_per_article: 1,
        fbs_warehouses: 2,
        ..SellerConfig::default()
    })
    .await
}

fn answer(status: u16, body: &str) -> Effect {
    Effect::Status {
        status,
        body: body.to_owned(),
        content_type: None,
    }
}

/// Everything on few pages, so that damage has many rows at once.
fn whole() -> Options {
    Options {
        card_page: 100,
        stock_page: 10_000,
        order_page: 1_000,
        ..options()
    }
}

fn client(world: &World) -> Wildberries {
    let token = world.simulator.personal_token(world.simulator.sellers()[0]);
    world.client(&token, whole())
}

fn levels(stock: &StockSnapshot) -> BTreeMap<(i64, String), i64> {
    let rows = stock.levels();
    // By name: a row that lost its warehouse's id still has the name.
    rows.map(|row| ((row.nm_id, row.warehouse.name.clone()), row.level.available))
        .collect()
}

fn by_id(orders: &[OrderObservation]) -> BTreeMap<&str, &OrderObservation> {
    orders.iter().map(|order| (order.srid.as_str(), order)).collect()
}

#[tokio::test]
async fn of_damaged_answers_everything_else_is_told_as_it_is_and_absences_only_where_they_are_proven() {
    let world = world().await;
    let clean = client(&world);
    let all_cards = cards(&clean).await;
    let sizes = sizes(&all_cards);
    let (fbo, orders) = (
        clean.fbo_stock().await.unwrap(),
        clean.orders(world.week()).await.unwrap(),
    );
    let fbs = world.base().fbs_stock(&sizes).await.unwrap();
    let (mut left_out, mut proven, mut unproven) = (0, 0, 0);
    for seed in 0..40 {
        world.simulator.damage(Damage { seed, per_mille: 8 });
        for (told, truth) in [
            (client(&world).fbo_stock().await.unwrap(), &fbo),
            (world.base().fbs_stock(&sizes).await.unwrap(), &fbs),
        ] {
            let (known, truth) = (levels(&told.items), levels(&truth.items));
            for (level, units) in &known {
                assert_eq!(truth.get(level), Some(units), "seed {seed}: {level:?}");
            }
            left_out += told.outcome.left_out;
            assert_eq!(
                told.outcome.left_out > 0,
                told.outcome.trouble.is_some(),
                "seed {seed}"
            );
            for (nm_id, warehouse) in truth.keys().filter(|level| !known.contains_key(*level)) {
                let product = told.items.product(*nm_id);
                let named = |index: &u32| told.items.warehouses[*index as usize].name.as_str();
                let is_unread = product.is_some_and(|product| {
                    product.torn || product.unread.iter().any(|index| named(index) == warehouse)
                });
                let is_unknown = !told.complete || is_unread;
                assert!(
                    is_unknown,
                    "seed {seed}: {nm_id} at {warehouse} would become a zero"
                );
            }
            if told.complete {
                proven += 1;
            } else {
                unproven += 1;
            }
        }
        let told = client(&world).orders(world.week()).await.unwrap();
        let (known, truth) = (by_id(&told.items), by_id(&orders.items));
        for (id, order) in &known {
            // A damaged price is none; everything else is as it is or not told.
            assert!(
                truth.get(id).is_some_and(|whole| whole.nm_id == order.nm_id),
                "seed {seed}: {id}"
            );
        }
        assert_eq!(told.complete, told.outcome.left_out == 0, "seed {seed}");
        assert_eq!(
            known.len() as u64,
            truth.len() as u64 - told.outcome.left_out,
            "seed {seed}"
        );
        let mut listed = Vec::new();
        let fetched = client(&world)
            .cards(&mut |page| listed.extend(page))
            .await
            .unwrap();
        for card in &listed {
            assert!(all_cards.contains(card), "seed {seed}: {card:?}");
        }
        let missing = all_cards.len() - listed.len();
        assert_eq!(missing as u64, fetched.outcome.left_out, "seed {seed}");
        assert!(
            !fetched.complete || fetched.outcome.unread.len() == missing,
            "seed {seed}"
        );
    }
    assert!(
        left_out > 20 && proven > 5 && unproven > 5,
        "{left_out} {proven} {unproven}"
    );
}

#[tokio::test]
async fn a_page_of_a_gate_closes_no_source_and_is_no_verdict() {
    let world = world().await;
    let client = client(&world);
    for (status, body) in [(403, PAGE), (401, PAGE), (302, "backend error"), (498, WORDS)] {
        world.simulator.script(Fault::on("", answer(status, body)));
        for failure in [
            client.fbo_stock().await.map(drop),
            client.orders(world.week()).await.map(drop),
            client.cards(&mut |_| {}).await.map(drop),
            client.check().await.map(drop),
        ] {
            let error = failure.unwrap_err();
            assert_eq!(error.class(), FailureClass::Transient, "{status}: {error}");
        }
        world.simulator.clear_faults();
        let stock = client.fbo_stock().await.unwrap();
        assert_eq!(stock.outcome.source, "wb.stock.sync", "after {status}");
        let orders = client.orders(world.week()).await.unwrap();
        assert_eq!(orders.outcome.source, "wb.orders.feed", "after {status}");
        // One that is over before the request is sent again is not even seen.
        world
            .simulator
            .script(Fault::on(STOCK, answer(status, body)).times(1));
        assert!(client.fbo_stock().await.unwrap().complete);
    }
}

#[tokio::test]
async fn a_refusal_in_the_vendors_own_words_closes_a_source_to_that_token_only() {
    let world = world().await;
    world
        .simulator
        .script(Fault::on(FEED, answer(403, WORDS)).times(1));
    let source = async |client: &Wildberries| client.orders(world.week()).await.unwrap().outcome.source;
    let client = client(&world);
    assert_eq!(source(&client).await, "wb.orders.supplier");
    assert_eq!(source(&client).await, "wb.orders.supplier");
    assert_eq!(world.simulator.calls().count(FEED), 1, "it is left alone for now");
    let other = world.simulator.token(
        world.simulator.sellers()[0],
        TokenKind::Personal,
        scope::ALL,
        world.now + chrono::TimeDelta::days(9),
    );
    assert_eq!(source(&world.client(&other, whole())).await, "wb.orders.feed");
}

#[tokio::test]
async fn a_probe_that_fails_hides_nothing_and_only_several_methods_refuse_a_token() {
    let world = world().await;
    let client = client(&world);
    for (path, effect) in [
        ("/common-api", answer(503, "")),
        ("/common-api", answer(404, WORDS)),
        ("/common-api", answer(401, WORDS)),
        ("/common-api", answer(200, PAGE)),
    ] {
        world.simulator.script(Fault::on(path, effect.clone()));
        let check = client.check().await.unwrap();
        assert!(check.is_sufficient(), "{effect:?}: {check:?}");
        world.simulator.clear_faults();
    }
    world
        .simulator
        .script(Fault::on("/content-api/ping", answer(401, WORDS)));
    let check = client.check().await.unwrap();
    assert_eq!(check.categories[0].status, CategoryStatus::Unauthorized);
    world.simulator.clear_faults();
    world.simulator.script(Fault::on("", answer(401, WORDS)));
    let error = client.check().await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Unauthorized { .. }),
        "{error}"
    );
    // One that only seems to answer says nothing against the token.
    world.simulator.clear_faults();
    world
        .simulator
        .script(Fault::on("/statistics-api", answer(503, "")));
    world.simulator.script(Fault::on("", answer(401, WORDS)));
    let error = client.check().await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient, "{error}");
}

#[tokio::test]
async fn a_base_token_is_asked_for_its_sellers_name_once_a_day_and_checked_all_the_same() {
    let world = world().await;
    for _ in 0..3 {
        let check = world.base().check().await.unwrap();
        assert!(check.is_sufficient(), "{check:?}");
        assert_eq!(check.seller_id, world.simulator.sellers()[0].to_string());
    }
    assert_eq!(world.simulator.calls().count("/common-api/api/v1/seller-info"), 1);
}

#[tokio::test]
async fn one_empty_answer_empties_neither_the_catalogue_nor_the_sellers_warehouses() {
    let world = world().await;
    let client = world.personal();
    let empty_page = answer(200, r#"{"cards":[],"cursor":{"nmID":0,"total":0}}"#);
    for page in [0, 1] {
        world
            .simulator
            .script(Fault::on(CARDS, empty_page.clone()).after(page).times(1));
        assert_eq!(cards(&client).await.len(), 40, "page {page} was empty once");
    }
    let sizes = sizes(&cards(&client).await);
    let truth = world.base().fbs_stock(&sizes).await.unwrap();
    for empty in [answer(200, "[]"), answer(204, "")] {
        world.simulator.script(Fault::on(WAREHOUSES, empty).times(1));
        let told = world.base().fbs_stock(&sizes).await.unwrap();
        assert_eq!(levels(&told.items), levels(&truth.items));
    }
    world.simulator.script(Fault::on(WAREHOUSES, answer(200, "null")));
    let told = world.base().fbs_stock(&sizes).await.unwrap();
    assert!(!told.complete, "no list proves nothing");
    world.simulator.clear_faults();
    let none = answer(200, r#"{"stocks":null}"#);
    world
        .simulator
        .script(Fault::on("/marketplace-api/api/v3/stocks", none).times(1));
    assert!(!world.base().fbs_stock(&sizes).await.unwrap().complete);
}

#[tokio::test]
async fn a_card_page_that_holds_fewer_cards_than_it_says_proves_nothing() {
    let world = world().await;
    let body = r#"{"cards":[{"nmID":1}],"cursor":{"updatedAt":"2026-10-01T00:00:00Z","nmID":1,"total":20}}"#;
    world
        .simulator
        .script(Fault::on(CARDS, answer(200, body)).times(1));
    let fetched = world.personal().cards(&mut |_| {}).await.unwrap();
    assert!(!fetched.complete);
}

#[tokio::test]
async fn a_feed_that_is_cut_by_an_unstated_cap_is_read_to_its_end() {
    let world = world().await;
    let whole = client(&world).orders(world.week()).await.unwrap();
    for cap in [7, 50] {
        world.simulator.cap_feed(Some(cap));
        let token = world.simulator.personal_token(world.simulator.sellers()[0]);
        let client = world.client(
            &token,
            Options {
                feed_pages: 1_000,
                order_page: 1_000,
                ..options()
            },
        );
        let told = client.orders(world.week()).await.unwrap();
        assert_eq!(by_id(&told.items).len(), by_id(&whole.items).len(), "cap {cap}");
        assert!(told.complete);
    }
}

#[tokio::test]
async fn pages_of_stock_that_do_not_fit_each_other_are_read_as_one_report() {
    let world = world().await;
    let truth = client(&world).fbo_stock().await.unwrap();
    world.simulator.restless(true);
    let told = world.personal().fbo_stock().await.unwrap();
    assert_eq!((told.outcome.source, told.complete), ("wb.stock.remains", true));
    let units = |stock: &StockSnapshot| levels(stock).values().sum::<i64>();
    assert_eq!(units(&told.items), units(&truth.items));
}

#[tokio::test]
async fn orders_of_thirty_and_of_thirty_one_days_are_read_from_the_feed() {
    let world = world().await;
    for days in [30, 31, 40] {
        let period = connectors::marketplace::Period {
            from: world.now - chrono::TimeDelta::days(days),
            to: world.now,
        };
        let told = client(&world).orders(period).await.unwrap();
        assert_eq!(told.outcome.source, "wb.orders.feed", "{days} days");
        assert!(!told.items.is_empty());
    }
    assert_eq!(world.simulator.calls().count_status(FEED, 400), 0);
}

#[tokio::test]
async fn an_older_report_that_ends_after_a_page_near_its_cap_is_not_called_whole() {
    let world = world().await;
    let row = |number: usize| {
        serde_json::json!({"date": "2026-10-14T10:00:31", "lastChangeDate": "2026-10-14T10:20:07",
            "nmId": 1, "isCancel": false, "srid": format!("s{number}")})
    };
    let token = world.simulator.token(
        world.simulator.sellers()[0],
        TokenKind::Personal,
        scope::STATISTICS,
        world.now + chrono::TimeDelta::days(1),
    );
    for (rows, is_whole) in [(40_000, false), (100, true)] {
        let page = serde_json::Value::from((0..rows).map(row).collect::<Vec<_>>()).to_string();
        world
            .simulator
            .script(Fault::on(SUPPLIER, answer(200, &page)).times(1));
        world.simulator.script(Fault::on(SUPPLIER, answer(200, "[]")));
        let told = world.client(&token, whole()).orders(world.week()).await.unwrap();
        assert_eq!((told.items.len(), told.complete), (rows, is_whole));
        world.simulator.clear_faults();
    }
    for nothing in ["null", ""] {
        world
            .simulator
            .script(Fault::on(SUPPLIER, answer(200, nothing)).after(1));
        let told = world.client(&token, whole()).orders(world.week()).await.unwrap();
        assert!(!told.complete && !told.items.is_empty(), "{nothing:?}");
        world.simulator.clear_faults();
    }
}
