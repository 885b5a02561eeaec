//! What a vendor in trouble sends never becomes a number: every damage is an error of its own kind, or an
//! answer that says it is not complete.

use std::time::Duration;

use connectors::error::{CallFailure, FailureClass};
use connectors::marketplace::{Marketplace, ProductStock, StockSnapshot};
use connectors::wildberries::Options;
use simulators::{Effect, Fault, SellerConfig};

use crate::world::{World, cards, options};

const CARDS: &str = "/content-api/content/v2/get/cards/list";
const STOCK: &str = "/seller-analytics-api/api/analytics/v1/stocks-report/wb-warehouses";
const REMAINS: &str = "/seller-analytics-api/api/v1/warehouse_remains";

async fn world() -> World {
    World::start(SellerConfig {
        articles: 50,
        ..SellerConfig::default()
    })
    .await
}

fn units(stock: &StockSnapshot) -> i64 {
    stock.products.iter().map(ProductStock::available).sum()
}

async fn stock_failure(effect: Effect) -> CallFailure {
    let world = world().await;
    world.simulator.script(Fault::on(STOCK, effect));
    world.personal().fbo_stock().await.unwrap_err().failure
}

#[tokio::test]
async fn a_429_is_obeyed_to_the_told_second() {
    let world = world().await;
    let limited = Effect::RateLimited { retry_seconds: 1 };
    world
        .simulator
        .script(Fault::on(CARDS, limited).after(1).times(1));
    assert_eq!(cards(&world.personal()).await.len(), world.listed().len());
    let calls = world.simulator.calls().calls;
    let listing: Vec<_> = calls
        .iter()
        .filter(|call| call.path.contains("cards/list"))
        .collect();
    let refused = listing.iter().position(|call| call.status == 429).unwrap();
    let waited = listing[refused + 1].at_millis - listing[refused].at_millis;
    assert!(waited >= 1000, "asked again after {waited} ms");
}

#[tokio::test]
async fn a_told_delay_beyond_the_patience_goes_back_to_the_caller() {
    let world = world().await;
    world
        .simulator
        .script(Fault::on(STOCK, Effect::RateLimited { retry_seconds: 3600 }));
    let error = world.personal().fbo_stock().await.unwrap_err();
    assert!(
        error.class().told_delay().unwrap() > Duration::from_secs(3590),
        "{error}"
    );
    // The next attempt knows without asking.
    let again = world.personal().fbo_stock().await.unwrap_err();
    assert!(
        matches!(again.failure, CallFailure::RateLimited { told: false, .. }),
        "{again}"
    );
    assert_eq!(world.simulator.calls().count(STOCK), 1);
}

#[tokio::test]
async fn a_cut_body_is_a_failed_connection_and_gives_no_stock() {
    let failure = stock_failure(Effect::CutBody).await;
    assert!(matches!(failure, CallFailure::Network(_)), "{failure:?}");
    assert_eq!(failure.class(), FailureClass::Transient);
}

#[tokio::test]
async fn a_page_that_was_cut_once_is_asked_for_again() {
    let world = world().await;
    world
        .simulator
        .script(Fault::on(CARDS, Effect::CutBody).after(1).times(1));
    assert_eq!(cards(&world.personal()).await.len(), world.listed().len());
}

#[tokio::test]
async fn a_server_that_hangs_runs_into_the_deadline() {
    let world = world().await;
    world
        .simulator
        .script(Fault::on("", Effect::Hang { millis: None }));
    let short = Duration::from_millis(300);
    let token = world.simulator.personal_token(world.simulator.sellers()[0]);
    let client = world.client(
        &token,
        Options {
            deadline: short,
            report_deadline: short,
            ..options()
        },
    );
    let error = client.fbo_stock().await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Timeout { deadline } if deadline == short),
        "{error:?}"
    );
    let error = client
        .cards(&mut |_| panic!("a page out of nothing"))
        .await
        .unwrap_err();
    assert!(matches!(error.failure, CallFailure::Timeout { .. }), "{error:?}");
    world.simulator.clear_faults();
}

#[tokio::test]
async fn an_empty_body_is_no_complete_answer() {
    let world = world().await;
    world.simulator.script(Fault::on(STOCK, Effect::EmptyBody));
    let fetched = world.personal().fbo_stock().await.unwrap();
    assert!(!fetched.complete);
    assert!(fetched.items.products.is_empty());
}

#[tokio::test]
async fn a_renamed_field_and_a_page_of_html_are_named() {
    let renamed = Effect::RenameField {
        from: "quantity".into(),
        to: "qty".into(),
    };
    let failure = stock_failure(renamed).await;
    assert_eq!(
        failure.to_string(),
        "unexpected answer: field `data.items[].quantity` is missing (there are chrtId, inWayFromClient, \
         inWayToClient, nmId, qty, regionName, warehouseId, warehouseName)"
    );
    assert_eq!(failure.class(), FailureClass::Contract);
    let failure = stock_failure(Effect::HtmlPage).await;
    assert_eq!(failure.to_string(), "unexpected answer: HTML instead of JSON");
}

#[tokio::test]
async fn a_5xx_is_repeated_a_little_and_then_reported() {
    let world = world().await;
    let broken = Effect::Status {
        status: 503,
        body: "<html>".into(),
        content_type: None,
    };
    world.simulator.script(Fault::on(CARDS, broken.clone()).times(2));
    assert_eq!(cards(&world.personal()).await.len(), world.listed().len());
    world.simulator.script(Fault::on(CARDS, broken));
    world.simulator.clear_calls();
    let error = world.personal().cards(&mut |_| {}).await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Unavailable { status: 503 }),
        "{error}"
    );
    assert_eq!(world.simulator.calls().count(CARDS), 3);
}

#[tokio::test]
async fn a_report_that_was_purged_is_lost_and_the_next_attempt_makes_a_new_one() {
    let world = world().await;
    let gone = Effect::Status {
        status: 404,
        body: r#"{"detail":"not found"}"#.into(),
        content_type: None,
    };
    world
        .simulator
        .script(Fault::on(REMAINS, gone).containing("/download").times(1));
    let error = world.base().fbo_stock().await.unwrap_err();
    assert!(matches!(error.failure, CallFailure::ReportLost { .. }), "{error}");
    assert!(error.class().is_retryable());
    assert!(world.base().fbo_stock().await.unwrap().complete);
}

#[tokio::test]
async fn a_token_that_ended_is_refused_as_a_credential() {
    let world = world().await;
    let seller = world.simulator.sellers()[0];
    let ended = world.simulator.token(
        seller,
        simulators::wildberries::TokenKind::Personal,
        simulators::wildberries::scope::ALL,
        world.now - chrono::TimeDelta::days(1),
    );
    let error = world.client(&ended, options()).fbo_stock().await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Credential, "{error}");
    assert!(!error.to_string().contains(&ended));
}

#[tokio::test]
async fn a_cursor_that_does_not_move_ends_the_listing_with_an_error() {
    let world = world().await;
    let card = |nm_id: u32| {
        serde_json::json!({"nmID": nm_id, "vendorCode": "x", "brand": "", "subjectName": "",
        "title": "", "sizes": []})
    };
    let cursor = serde_json::json!({"updatedAt": "2026-10-01T00:00:00Z", "nmID": 7, "total": 20});
    let body = serde_json::json!({"cards": (1..=20).map(card).collect::<Vec<_>>(), "cursor": cursor});
    let stuck = Effect::Status {
        status: 200,
        body: body.to_string(),
        content_type: None,
    };
    world.simulator.script(Fault::on(CARDS, stuck));
    let error = world.personal().cards(&mut |_| {}).await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Inconsistent { .. }),
        "{error}"
    );
    assert_eq!(world.simulator.calls().count(CARDS), 2);
}

#[tokio::test]
async fn a_refused_order_feed_gives_way_to_the_older_report() {
    let world = world().await;
    let body = r#"{"title":"forbidden","detail":"token type is not allowed","status":403}"#;
    let refused = Effect::Status {
        status: 403,
        body: body.into(),
        content_type: None,
    };
    world.simulator.script(Fault::on(
        "/seller-analytics-api/api/analytics/v1/order-feed",
        refused,
    ));
    let fetched = world.personal().orders(world.week()).await.unwrap();
    assert_eq!(fetched.outcome.source, "wb.orders.supplier");
    assert!(fetched.complete && !fetched.items.is_empty());
}

#[tokio::test]
async fn a_report_that_repeats_rows_on_the_next_page_is_not_counted_twice() {
    let world = world().await;
    let whole = world.personal().fbo_stock().await.unwrap();
    let token = world.simulator.personal_token(world.simulator.sellers()[0]);
    let half = Options {
        stock_page: whole.outcome.rows / 2 + 1,
        ..options()
    };
    let row = serde_json::json!({"nmId": 1, "chrtId": 2, "warehouseId": 3, "warehouseName": "Казань",
        "regionName": "x", "quantity": 5, "inWayToClient": 0, "inWayFromClient": 0});
    let rows = vec![row; usize::try_from(half.stock_page).unwrap()];
    let body = serde_json::json!({"data": {"items": rows}}).to_string();
    world.simulator.script(Fault::on(
        STOCK,
        Effect::Status {
            status: 200,
            body,
            content_type: None,
        },
    ));
    let read = world.client(&token, half).fbo_stock().await.unwrap();
    assert_eq!(read.outcome.source, "wb.stock.remains");
    assert_eq!(units(&read.items), units(&whole.items));
}

#[tokio::test]
async fn a_report_that_is_refreshed_between_two_pages_is_not_believed() {
    let world = world().await;
    let whole = world.personal().fbo_stock().await.unwrap();
    let token = world.simulator.personal_token(world.simulator.sellers()[0]);
    let paged = |stock_page| {
        let options = Options {
            stock_page,
            ..options()
        };
        world.client(&token, options)
    };
    // Read in pages, also where the last one is full, it is the same, and no row counts twice.
    let rows = whole.outcome.rows;
    for page in [7, rows / 2 + 1, rows - 1, rows] {
        let read = paged(page).fbo_stock().await.unwrap();
        assert_eq!(read.outcome.rows, rows, "{page} a page");
        assert_eq!(read.items, whole.items, "{page} a page");
    }
    // A row went meanwhile: the second page begins one row further on, so a row would be nowhere. What does
    // not fit is read as a whole by the background report.
    let other = serde_json::json!({"nmId": 1, "chrtId": 2, "warehouseId": 3, "warehouseName": "Казань",
        "regionName": "x", "quantity": 5, "inWayToClient": 0, "inWayFromClient": 0});
    let moved = serde_json::json!({"data": {"items": [other]}}).to_string();
    for (status, body) in [
        (200, moved),
        (200, r#"{"data":{"items":[]}}"#.to_owned()),
        (204, String::new()),
    ] {
        let effect = Effect::Status {
            status,
            body,
            content_type: None,
        };
        world.simulator.script(Fault::on(STOCK, effect).after(1));
        let read = paged(rows / 2 + 1).fbo_stock().await.unwrap();
        assert_eq!((read.outcome.source, read.complete), ("wb.stock.remains", true));
        assert_eq!(units(&read.items), units(&whole.items));
        world.simulator.clear_faults();
    }
}
