//! What Ozon in trouble sends never becomes a number: every damage is an error of its own kind.

use std::time::Duration;

use connectors::error::{CallFailure, FailureClass};
use connectors::marketplace::Marketplace;
use connectors::ozon::Options;
use simulators::ozon::{METHODS, ROLE_PRODUCTS};
use simulators::{Effect, Fault, OzonSellerConfig};

use crate::ozon_world::{World, cards, options};

const LIST: &str = "/v3/product/list";
const STOCKS: &str = "/v1/analytics/stocks";
const FBO: &str = "/v3/posting/fbo/list";
const FBS: &str = "/v4/posting/fbs/list";

async fn world() -> World {
    World::start(OzonSellerConfig::default()).await
}

async fn stock_failure(effect: Effect) -> CallFailure {
    let world = world().await;
    world.simulator.script(Fault::on(STOCKS, effect));
    world.client().fbo_stock().await.unwrap_err().failure
}

fn answer(status: u16, body: &str) -> Effect {
    Effect::Status {
        status,
        body: body.to_owned(),
        content_type: None,
    }
}

#[tokio::test]
async fn a_429_is_obeyed_to_the_told_second() {
    let world = world().await;
    let limited = Effect::RateLimited { retry_seconds: 1 };
    world.simulator.script(Fault::on(LIST, limited).after(1).times(1));
    assert_eq!(cards(&world.client()).await.len(), world.listed().len());
    let calls = world.simulator.calls().calls;
    let listing: Vec<_> = calls.iter().filter(|call| call.path == LIST).collect();
    let refused = listing.iter().position(|call| call.status == 429).unwrap();
    let waited = listing[refused + 1].at_millis - listing[refused].at_millis;
    assert!(waited >= 1000, "asked again after {waited} ms");
}

#[tokio::test]
async fn a_told_delay_beyond_the_patience_goes_back_to_the_caller() {
    let world = world().await;
    world
        .simulator
        .script(Fault::on(STOCKS, Effect::RateLimited { retry_seconds: 3600 }));
    let error = world.client().fbo_stock().await.unwrap_err();
    assert!(
        error.class().told_delay().unwrap() > Duration::from_secs(3590),
        "{error}"
    );
    // The next attempt knows without asking, and the other methods go on.
    let again = world.client().fbo_stock().await.unwrap_err();
    assert!(
        matches!(again.failure, CallFailure::RateLimited { told: false, .. }),
        "{again}"
    );
    assert_eq!(world.simulator.calls().count(STOCKS), 1);
    assert!(world.client().orders(world.week()).await.is_ok());
}

#[tokio::test]
async fn an_open_circle_rests_the_whole_cabinet() {
    let world = world().await;
    let circle = answer(403, r#"{"code":8,"message":"Circle is open","details":[]}"#);
    world.simulator.script(Fault::on(STOCKS, circle));
    let error = world.client().fbo_stock().await.unwrap_err();
    assert!(
        error.class().told_delay().unwrap() > Duration::from_secs(100),
        "{error}"
    );
    let asked = world.simulator.calls().total;
    let error = world.client().orders(world.week()).await.unwrap_err();
    assert!(matches!(error.class(), FailureClass::Wait { .. }), "{error}");
    assert_eq!(world.simulator.calls().total, asked);
}

#[tokio::test]
async fn keys_that_do_not_open_are_failures_of_the_credential() {
    let world = world().await;
    let wrong = world.client_with("0c9f1b0e-6a52-4a36-8c1e-0f4dbe3a7b11", options());
    let error = wrong.fbo_stock().await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Unauthorized { .. }),
        "a 404 that is no missing method: {error}"
    );

    let key = world.simulator.api_key(world.client_id());
    world.simulator.deactivate(&key);
    let error = world.client_with(&key, options()).check().await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Unauthorized { .. }),
        "{error}"
    );
    assert!(!error.to_string().contains(&key));

    let ended = world.simulator.key(
        world.client_id(),
        &METHODS,
        world.now - chrono::TimeDelta::days(1),
    );
    let error = world.client_with(&ended, options()).check().await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Credential, "{error}");

    let narrow = world.simulator.key(
        world.client_id(),
        &ROLE_PRODUCTS,
        world.now + chrono::TimeDelta::days(1),
    );
    let narrow = world.client_with(&narrow, options());
    assert_eq!(cards(&narrow).await.len(), world.listed().len());
    let error = narrow.fbo_stock().await.unwrap_err();
    assert!(matches!(error.failure, CallFailure::Forbidden { .. }), "{error}");

    world.simulator.block(world.client_id(), true);
    let error = world.client().check().await.unwrap_err();
    assert!(matches!(error.failure, CallFailure::Forbidden { .. }), "{error}");
}

#[tokio::test]
async fn a_page_that_was_cut_is_asked_for_again_and_a_source_that_stays_cut_gives_nothing() {
    let world = world().await;
    world
        .simulator
        .script(Fault::on(LIST, Effect::CutBody).after(1).times(1));
    assert_eq!(cards(&world.client()).await.len(), world.listed().len());
    let failure = stock_failure(Effect::CutBody).await;
    assert!(matches!(failure, CallFailure::Network(_)), "{failure:?}");
    assert_eq!(failure.class(), FailureClass::Transient);
}

#[tokio::test]
async fn a_server_that_hangs_runs_into_the_deadline() {
    let world = world().await;
    world
        .simulator
        .script(Fault::on("", Effect::Hang { millis: None }));
    let deadline = Duration::from_millis(300);
    let options = Options {
        deadline,
        ..options()
    };
    let client = world.client_with(&world.simulator.api_key(world.client_id()), options);
    let error = client
        .cards(&mut |_| panic!("a page out of nothing"))
        .await
        .unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Timeout { deadline: told } if told == deadline),
        "{error}"
    );
    world.simulator.clear_faults();
}

#[tokio::test]
async fn a_5xx_is_repeated_a_little_and_then_reported() {
    let world = world().await;
    let broken = answer(503, "<html>");
    world.simulator.script(Fault::on(LIST, broken.clone()).times(2));
    assert_eq!(cards(&world.client()).await.len(), world.listed().len());
    world.simulator.script(Fault::on(LIST, broken));
    world.simulator.clear_calls();
    let error = world.client().cards(&mut |_| {}).await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Unavailable { status: 503 }),
        "{error}"
    );
    assert_eq!(world.simulator.calls().count(LIST), 3);
}

#[tokio::test]
async fn what_is_not_the_contract_is_named() {
    let renamed = Effect::RenameField {
        from: "available_stock_count".into(),
        to: "available".into(),
    };
    let failure = stock_failure(renamed).await;
    let named = "unexpected answer: field `items[].available_stock_count` is missing (there are ads, ";
    assert!(failure.to_string().starts_with(named), "{failure}");
    assert_eq!(failure.class(), FailureClass::Contract);
    let failure = stock_failure(Effect::HtmlPage).await;
    assert_eq!(failure.to_string(), "unexpected answer: HTML instead of JSON");
    let failure = stock_failure(Effect::EmptyBody).await;
    assert_eq!(failure.to_string(), "unexpected answer: an empty body");
}

#[tokio::test]
async fn rows_that_come_twice_are_a_contradiction_and_not_more_stock() {
    let failure = stock_failure(Effect::DuplicateRows).await;
    assert!(matches!(failure, CallFailure::Inconsistent { .. }), "{failure:?}");
    assert_eq!(failure.class(), FailureClass::Transient);
}

#[tokio::test]
async fn a_list_that_is_shorter_than_it_says_or_does_not_move_on_is_no_catalogue() {
    let world = world().await;
    let short = r#"{"result":{"items":[{"product_id":1}],"total_items":50,"last_id":""}}"#;
    world
        .simulator
        .script(Fault::on(LIST, answer(200, short)).times(1));
    let stuck = r#"{"result":{"items":[{"product_id":1}],"total_items":50,"last_id":"WzEsMV0="}}"#;
    world.simulator.script(Fault::on(LIST, answer(200, stuck)));
    for _ in 0..2 {
        let error = world.client().cards(&mut |_| {}).await.unwrap_err();
        assert!(
            matches!(error.failure, CallFailure::Inconsistent { .. }),
            "{error}"
        );
    }
    assert_eq!(world.simulator.calls().count(LIST), 3);
}

#[tokio::test]
async fn a_product_that_the_details_leave_out_makes_the_catalogue_and_its_stock_incomplete() {
    let world = world().await;
    let none = answer(200, r#"{"items":[]}"#);
    world
        .simulator
        .script(Fault::on("/v3/product/info/list", none).after(1).times(1));
    let client = world.client();
    let fetched = client.cards(&mut |_| {}).await.unwrap();
    assert!(!fetched.complete);
    assert!(!client.fbo_stock().await.unwrap().complete);
}

#[tokio::test]
async fn a_400_for_fbs_orders_is_a_failure_where_there_are_warehouses() {
    let world = world().await;
    let refused = answer(400, r#"{"code":3,"message":"invalid","details":[]}"#);
    world.simulator.script(Fault::on(FBS, refused.clone()).times(1));
    let error = world.client().orders(world.week()).await.unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Rejected { status: 400, .. }),
        "{error}"
    );
    world.simulator.script(Fault::on(FBO, refused));
    let error = world.client().orders(world.week()).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Refused);
}
