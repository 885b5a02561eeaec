//! What Ozon in trouble sends never becomes a number: every damage is an error of its own kind.

use std::time::Duration;

use connectors::error::{CallFailure, FailureClass};
use connectors::marketplace::{CardPart, CategoryStatus, Marketplace, ProductStock};
use connectors::ozon::Options;
use serde_json::json;
use simulators::ozon::{METHODS, ROLE_PRODUCTS};
use simulators::{Effect, Fault, OzonSellerConfig};

use crate::ozon_world::{World, cards, options};

const LIST: &str = "/v3/product/list";
const INFO: &str = "/v3/product/info/list";
const STOCKS: &str = "/v1/analytics/stocks";
const OWN: &str = "/v2/product/info/stocks-by-warehouse/fbs";
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
async fn rows_that_come_twice_are_not_more_stock() {
    let world = world().await;
    world.simulator.script(Fault::on(STOCKS, Effect::DuplicateRows));
    let stock = world.client().fbo_stock().await.unwrap();
    assert!(stock.complete);
    let told: i64 = stock.items.products.iter().map(ProductStock::available).sum();
    let truth: u64 = world
        .listed()
        .iter()
        .flat_map(|product| product.stock.values())
        .sum();
    assert_eq!(told, i64::try_from(truth).unwrap());
}

#[tokio::test]
async fn a_list_that_is_shorter_than_it_says_or_does_not_move_on_is_no_whole_catalogue() {
    let world = world().await;
    let some = world.simulator.ledger(world.client_id(), None).unwrap();
    let sku = some.listed().next().unwrap().article;
    let id = 1_000_000 * (100 + 1); // the first product of the first seed
    let item = format!(r#"{{"product_id":{id},"sku":{sku}}}"#);
    for body in [
        format!(r#"{{"result":{{"items":[{item}],"total_items":50,"last_id":""}}}}"#),
        format!(r#"{{"result":{{"items":[{item}],"total_items":50,"last_id":"WzEsMV0="}}}}"#),
        format!(r#"{{"result":{{"items":[{item},null],"last_id":""}}}}"#),
    ] {
        world.simulator.script(Fault::on(LIST, answer(200, &body)));
        world.simulator.clear_calls();
        let client = world.client();
        let mut seen = Vec::new();
        let fetched = client.cards(&mut |page| seen.extend(page)).await.unwrap();
        assert_eq!((fetched.complete, seen.len()), (false, 1), "{body}");
        assert!(fetched.outcome.trouble.is_some(), "{body}");
        assert!(!client.fbo_stock().await.unwrap().complete, "{body}");
        assert!(world.simulator.calls().count(LIST) <= 2, "{body}");
        world.simulator.clear_faults();
    }
}

#[tokio::test]
async fn a_last_page_that_comes_again_and_again_ends_the_list() {
    let world = world().await;
    world.simulator.repeats_last_page(true);
    for total in [true, false] {
        if !total {
            let field = Effect::RemoveField {
                name: "total_items".to_owned(),
            };
            world.simulator.script(Fault::on(LIST, field));
        }
        world.simulator.clear_calls();
        let client = world.client();
        let mut seen = Vec::new();
        let fetched = client.cards(&mut |page| seen.extend(page)).await.unwrap();
        assert!(fetched.complete, "{:?}", fetched.outcome);
        assert_eq!(seen.len(), world.listed().len());
        let pages = world.listed().len().div_ceil(20);
        assert_eq!(world.simulator.calls().count(LIST), pages as u64 + 1);
        assert!(client.fbo_stock().await.unwrap().complete);
    }
}

#[tokio::test]
async fn a_full_page_that_calls_itself_the_last_is_not_believed() {
    let world = World::start(OzonSellerConfig {
        fbs_warehouses: 2,
        ..OzonSellerConfig::default()
    })
    .await;
    let whole = world.client().orders(world.week()).await.unwrap();
    let sizes = crate::ozon_world::sizes(&cards(&world.client()).await);
    let own = world.client().fbs_stock(&sizes).await.unwrap();
    world.simulator.hides_next_page(true);
    let cut = world.client().orders(world.week()).await.unwrap();
    assert!(cut.complete, "{:?}", cut.outcome);
    assert_eq!(cut.items, whole.items);
    let cut = world.client().fbs_stock(&sizes).await.unwrap();
    assert!(!cut.complete && cut.outcome.trouble.is_some());
    assert!(cut.items.levels().count() < own.items.levels().count());
}

#[tokio::test]
async fn a_list_that_is_null_is_no_empty_list() {
    let world = World::start(OzonSellerConfig {
        fbs_warehouses: 2,
        ..OzonSellerConfig::default()
    })
    .await;
    let sizes = crate::ozon_world::sizes(&cards(&world.client()).await);
    for (path, body) in [
        (LIST, r#"{"result":{"items":null,"total_items":0,"last_id":""}}"#),
        (INFO, r#"{"items":null}"#),
        (STOCKS, r#"{"items":null}"#),
        (STOCKS, "{}"),
        ("/v2/warehouse/list", r#"{"warehouses":null,"has_next":false}"#),
        (OWN, r#"{"products":null,"has_next":false}"#),
        (FBO, r#"{"postings":null,"has_next":false}"#),
        (FBS, r#"{"postings":null,"has_next":false}"#),
    ] {
        world.simulator.script(Fault::on(path, answer(200, body)));
        let client = world.client();
        let error = match path {
            LIST | INFO => client.cards(&mut |_| {}).await.unwrap_err(),
            STOCKS => client.fbo_stock().await.unwrap_err(),
            FBO | FBS => client.orders(world.week()).await.unwrap_err(),
            _ => client.fbs_stock(&sizes).await.unwrap_err(),
        };
        assert_eq!(error.class(), FailureClass::Contract, "{path}: {error}");
        world.simulator.clear_faults();
    }
}

#[tokio::test]
async fn an_empty_list_of_own_warehouses_is_not_believed_against_the_stock_in_them() {
    let world = World::start(OzonSellerConfig {
        fbs_warehouses: 2,
        ..OzonSellerConfig::default()
    })
    .await;
    let sizes = crate::ozon_world::sizes(&cards(&world.client()).await);
    let before = world.client().fbs_stock(&sizes).await.unwrap();
    assert!(before.complete);
    let none = answer(200, r#"{"warehouses":[],"cursor":"","has_next":false}"#);
    world.simulator.script(Fault::on("/v2/warehouse/list", none));
    let after = world.client().fbs_stock(&sizes).await.unwrap();
    assert!(!after.complete && after.outcome.trouble.is_some());
    assert_eq!(after.items.levels().count(), before.items.levels().count());
}

#[tokio::test]
async fn one_damaged_product_loses_none_of_the_others() {
    let world = world().await;
    let whole = cards(&world.client()).await;
    let ids: Vec<u64> = (0..20).map(|number| 101_000_000 + number).collect();
    let page = world.answer(INFO, &json!({"product_id": ids})).await;
    let rows = page["items"].as_array().unwrap();
    let at = rows.iter().position(|row| row["sku"] != json!(0)).unwrap();
    let sku = rows[at]["sku"].as_i64().unwrap();
    for (field, value, unread) in [
        ("barcodes", json!("x"), vec![sku]),
        ("sources", json!(7), vec![sku]),
        ("id", json!(null), vec![sku]),
        ("id", json!("many"), vec![sku]),
        ("name", json!(null), vec![]),
        ("name", json!(5), vec![]),
        ("offer_id", json!(null), vec![]),
        ("price", json!({"amount": 1}), vec![]),
        ("sku", json!(""), vec![]),
    ] {
        let mut damaged = page.clone();
        damaged["items"][at][field] = value.clone();
        world
            .simulator
            .script(Fault::on(INFO, answer(200, &damaged.to_string())).times(1));
        let client = world.client();
        let mut seen = Vec::new();
        let fetched = client.cards(&mut |page| seen.extend(page)).await.unwrap();
        let what = format!("{field} {value}");
        assert_eq!(fetched.outcome.unread, unread, "{what}");
        assert_eq!(fetched.outcome.left_out, unread.len() as u64, "{what}");
        assert_eq!(seen.len(), whole.len() - unread.len(), "{what}");
        let card = seen.iter().find(|card| card.nm_id == sku);
        assert_eq!(card.is_none(), !unread.is_empty(), "{what}");
        // Its stock is asked for all the same, and whatever is not damaged is as it was.
        let stock = client.fbo_stock().await.unwrap();
        assert!(
            stock
                .items
                .product(sku)
                .is_some_and(|product| product.available() > 0)
                || field == "id"
        );
        let prices = client.prices().await.unwrap();
        assert!(prices.items.len() + 1 >= whole.len(), "{what}");
        assert_eq!(prices.complete, unread.is_empty() && field != "price", "{what}");
        if let Some(card) = card {
            let part = match field {
                "name" => Some(CardPart::Title),
                "offer_id" => Some(CardPart::VendorCode),
                _ => None,
            };
            assert_eq!(card.unreported.first().copied(), part, "{what}");
        }
        world.simulator.clear_faults();
    }
}

#[tokio::test]
async fn a_name_that_no_product_has_any_more_is_another_contract() {
    for field in ["name", "offer_id"] {
        let world = world().await;
        let removed = Effect::RemoveField {
            name: field.to_owned(),
        };
        world.simulator.script(Fault::on(INFO, removed));
        let error = world.client().cards(&mut |_| {}).await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Contract, "{error}");
        assert!(error.to_string().contains(&format!("items[].{field}")), "{error}");
    }
}

#[tokio::test]
async fn orders_whose_cards_cannot_be_looked_for_wait_for_the_next_sync() {
    let world = World::start(OzonSellerConfig {
        foreign_sku_percent: 40,
        ..OzonSellerConfig::default()
    })
    .await;
    let client = world.client();
    let listed = cards(&client).await.len();
    world.simulator.script(Fault::on(INFO, answer(500, "{}")));
    let orders = client.orders(world.week()).await.unwrap();
    assert!(!orders.complete && orders.outcome.trouble.is_some());
    assert!(!orders.items.is_empty() && listed > 0);
    let ledger = world.simulator.ledger(world.client_id(), None).unwrap();
    let articles: Vec<i64> = ledger.listed().map(|product| product.article).collect();
    assert!(orders.items.iter().all(|order| articles.contains(&order.nm_id)));
}

#[tokio::test]
async fn a_product_that_the_details_leave_out_makes_the_catalogue_and_its_stock_incomplete() {
    let world = world().await;
    let none = answer(200, r#"{"items":[]}"#);
    world.simulator.script(Fault::on(INFO, none).after(1).times(1));
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

const ROLES: &str = "/v1/roles";

#[tokio::test]
async fn roles_that_are_switched_off_or_err_say_nothing_of_the_key() {
    let refusal = r#"{"code":7,"message":"method is not allowed","details":[]}"#;
    let wrong = r#"{"code":5,"message":"Invalid Api-Key, please check the key and try again"}"#;
    for effect in [
        answer(404, "404 page not found"),
        answer(404, r#"{"code":5,"message":"not found"}"#),
        answer(500, "{}"),
        answer(403, refusal),
        answer(404, wrong),
        answer(200, r#"{"roles":null}"#),
        answer(200, r#"{"roles":[]}"#),
        Effect::HtmlPage,
        Effect::EmptyBody,
    ] {
        let world = world().await;
        world.simulator.script(Fault::on(ROLES, effect.clone()));
        let check = world.client().check().await.unwrap();
        assert!(check.is_sufficient(), "{effect:?}: {check:?}");
    }
}

#[tokio::test]
async fn a_gate_that_refuses_everybody_is_no_verdict() {
    let world = world().await;
    for gate in [
        answer(403, "<html><h1>403 Forbidden</h1></html>"),
        answer(401, ""),
        answer(302, "backend error"),
        answer(498, ""),
    ] {
        world.simulator.script(Fault::on("", gate.clone()));
        for error in [
            world.client().check().await.unwrap_err(),
            world.client().fbo_stock().await.unwrap_err(),
        ] {
            assert_eq!(error.class(), FailureClass::Transient, "{gate:?}: {error}");
        }
        world.simulator.clear_faults();
    }
}

#[tokio::test]
async fn a_right_is_closed_only_where_the_method_itself_says_so() {
    let world = world().await;
    // The roles do not name what the vendor opens all the same.
    let narrow =
        r#"{"expires_at":"2027-01-01T00:00:00Z","roles":[{"name":"x","methods":["/v3/product/list"]}]}"#;
    world.simulator.script(Fault::on(ROLES, answer(200, narrow)));
    let check = world.client().check().await.unwrap();
    assert!(check.is_sufficient(), "{check:?}");
    assert!(check.expires_at.is_some());
    let no_role = r#"{"code":7,"message":"Api-Key is missing a required role for a method"}"#;
    world.simulator.script(Fault::on(STOCKS, answer(403, no_role)));
    let check = world.client().check().await.unwrap();
    let closed: Vec<_> = check
        .categories
        .iter()
        .filter(|category| category.status != CategoryStatus::Open)
        .map(|category| (category.category, category.status))
        .collect();
    assert_eq!(closed, [("stock", CategoryStatus::NotInCredential)]);
}
