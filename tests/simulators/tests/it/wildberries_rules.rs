//! Tokens, limits and scripted faults of the simulated Wildberries.

use chrono::TimeDelta;
use reqwest::{Method, Response};
use serde_json::Value;
use simulators::wildberries::{Host, Limits, TokenKind, scope};
use simulators::{Clock, Effect, Fault, SellerConfig, Wildberries, WildberriesConfig};

use crate::client::Shop;

const SYNC: &str = "/api/analytics/v1/stocks-report/wb-warehouses";
const CARDS: &str = "/content/v2/get/cards/list";

async fn shop(limits: Limits) -> Shop {
    Shop::open(
        SellerConfig {
            articles: 12,
            ..SellerConfig::default()
        },
        limits,
    )
    .await
}

fn header(response: &Response, name: &str) -> u64 {
    response.headers()[name].to_str().unwrap().parse().unwrap()
}

async fn detail(response: Response) -> String {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    response.json::<Value>().await.unwrap()["detail"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_switched_off_is_gone_and_its_calls_are_counted() {
    let shop = shop(Limits::Off).await;
    for path in [
        "/api/v1/supplier/stocks?dateFrom=2026-10-01",
        "/api/v1/supplier/incomes?dateFrom=2026-10-01",
        "/api/v5/supplier/reportDetailByPeriod?dateFrom=2026-10-01&dateTo=2026-10-02",
    ] {
        assert_eq!(shop.call(Method::GET, path, None).await.status(), 404, "{path}");
    }
    let warehouses = shop.get("/api/v3/warehouses").await;
    let path = format!("/api/v3/stocks/{}", warehouses[0]["id"]);
    let by_sku = serde_json::json!({"skus": ["2040000000017"]});
    let answer = shop.call(Method::POST, &path, Some(by_sku)).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "SKUUploadDisabled");
    assert_eq!(shop.sim.removed_calls(), 4);
    let sizes = serde_json::json!({"chrtIds": [1]});
    assert_eq!(shop.call(Method::POST, &path, Some(sizes)).await.status(), 200);
    assert_eq!(shop.sim.removed_calls(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_bad_token_gets_its_own_answer() {
    let shop = shop(Limits::Off).await;
    let sid = shop.sim.sellers()[0];
    let now = Clock::manual("2026-11-01T09:00:00Z".parse().unwrap()).now();
    let token = |kind, scope, days| shop.sim.token(sid, kind, scope, now + TimeDelta::days(days));
    let get = |token: String| {
        let shop = &shop;
        async move {
            shop.call_as(&token, Method::POST, SYNC, Some(serde_json::json!({})))
                .await
        }
    };
    for (token, expected) in [
        ("abc".to_owned(), "token is malformed"),
        (token(TokenKind::Personal, scope::ALL, -1), "token is expired"),
        (
            token(TokenKind::Personal, scope::CONTENT, 1),
            "token scope not allowed",
        ),
        (token(TokenKind::Test, scope::ALL, 1), "test token"),
    ] {
        let answer = get(token).await;
        assert_eq!(answer.status(), 401);
        let text = detail(answer).await;
        assert!(text.contains(expected), "{text}");
    }
    let base = get(token(TokenKind::Base, scope::ALL, 1)).await;
    assert_eq!(base.status(), 403);
    assert_eq!(detail(base).await, "base token is not allowed");
    assert_eq!(get(token(TokenKind::Service, scope::ALL, 1)).await.status(), 200);

    let bare = shop
        .http
        .get(format!("{}/ping", shop.sim.base_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), 401);
    assert_eq!(detail(bare).await, "empty Authorization header");

    shop.sim.revoke(&shop.token);
    assert_eq!(get(shop.token.clone()).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_answers_for_the_category_of_its_host() {
    let shop = shop(Limits::Off).await;
    let expires = Clock::manual("2026-12-01T09:00:00Z".parse().unwrap()).now();
    let token = shop.sim.token(
        shop.sim.sellers()[0],
        TokenKind::Personal,
        scope::CONTENT,
        expires,
    );
    for (host, status) in [(Host::Content, 200), (Host::Statistics, 401)] {
        let url = format!("{}/ping", shop.sim.host_url(host));
        let answer = shop
            .http
            .get(url)
            .header("Authorization", &token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_burst_is_answered_with_the_documented_headers() {
    let shop = shop(Limits::Speed(1.0)).await;
    let orders = "/api/v1/supplier/orders?dateFrom=2026-10-31";
    for left in (0..10).rev() {
        let answer = shop.call(Method::GET, orders, None).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "X-Ratelimit-Remaining"), left);
    }
    let second = shop.call(Method::GET, orders, None).await;
    assert_eq!(second.status(), 429);
    assert_eq!(header(&second, "X-Ratelimit-Limit"), 10);
    assert!((58..=60).contains(&header(&second, "X-Ratelimit-Retry")));
    assert!((590..=600).contains(&header(&second, "X-Ratelimit-Reset")));
    assert!(second.headers().get("Retry-After").is_none());

    // Another group of methods has a bucket of its own, another kind of token too, with its own limit.
    assert_eq!(
        shop.call(Method::GET, "/api/v1/seller-info", None).await.status(),
        200
    );
    let base = shop.sim.base_token(shop.sim.sellers()[0]);
    assert_eq!(shop.call_as(&base, Method::GET, orders, None).await.status(), 200);
    let refused = shop.call_as(&base, Method::GET, orders, None).await;
    assert!(header(&refused, "X-Ratelimit-Retry") > 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_to_the_marketplace_costs_ten() {
    let shop = shop(Limits::Speed(0.001)).await;
    let first = shop.call(Method::GET, "/api/v3/warehouses", None).await;
    assert_eq!(header(&first, "X-Ratelimit-Remaining"), 19);
    let warehouses: Value = first.json().await.unwrap();
    let body = || Some(serde_json::json!({"chrtIds": [1]}));
    let wrong = shop.call(Method::POST, "/api/v3/stocks/1", body()).await;
    assert_eq!(wrong.status(), 404);
    let path = format!("/api/v3/stocks/{}", warehouses[0]["id"]);
    let next = shop.call(Method::POST, &path, body()).await;
    assert_eq!(header(&next, "X-Ratelimit-Remaining"), 9);
    // Warehouses have a bucket of their own.
    let list = shop.call(Method::GET, "/api/v3/warehouses", None).await;
    assert_eq!(header(&list, "X-Ratelimit-Remaining"), 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_hit_the_calls_they_name_and_no_others() {
    let shop = shop(Limits::Off).await;
    shop.sim.script(
        Fault::on(CARDS, Effect::RateLimited { retry_seconds: 7 })
            .after(1)
            .times(1),
    );
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(shop.call(Method::POST, CARDS, Some(serde_json::json!({}))).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses, [200, 429, 200]);
    assert_eq!(header(&answers[1], "X-Ratelimit-Retry"), 7);
    let calls = shop.sim.calls();
    assert_eq!((calls.count(CARDS), calls.count_status(CARDS, 429)), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_body_is_an_error_and_not_a_shorter_answer() {
    let shop = shop(Limits::Off).await;
    shop.sim.script(Fault::on(SYNC, Effect::CutBody).times(1));
    let answer = shop.call(Method::POST, SYNC, Some(serde_json::json!({}))).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn distorted_answers_look_like_the_real_accidents() {
    let shop = shop(Limits::Off).await;
    let whole = shop.post(SYNC, serde_json::json!({})).await;
    let count = |value: &Value| value["data"]["items"].as_array().map_or(0, Vec::len);
    shop.sim.script(Fault::on(SYNC, Effect::DuplicateRows).times(1));
    assert_eq!(
        count(&shop.post(SYNC, serde_json::json!({})).await),
        2 * count(&whole)
    );
    let rename = Effect::RenameField {
        from: "quantity".to_owned(),
        to: "amount".to_owned(),
    };
    shop.sim.script(Fault::on(SYNC, rename).times(1));
    let renamed = shop.post(SYNC, serde_json::json!({})).await;
    assert!(
        renamed["data"]["items"][0]["quantity"].is_null() && renamed["data"]["items"][0]["amount"].is_u64()
    );
    shop.sim.script(Fault::on(SYNC, Effect::EmptyBody).times(1));
    let empty = shop.call(Method::POST, SYNC, Some(serde_json::json!({}))).await;
    assert_eq!(
        (empty.status().as_u16(), empty.bytes().await.unwrap().len()),
        (200, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_call_answers_only_after_it_is_released() {
    let shop = shop(Limits::Off).await;
    shop.sim
        .script(Fault::on("/ping", Effect::Hang { millis: None }).times(1));
    let (base, token) = (shop.sim.base_url(), shop.token.clone());
    let hanging = tokio::spawn(
        shop.http
            .get(format!("{base}/ping"))
            .header("Authorization", token)
            .send(),
    );
    // The call is in the simulator's hands once it counts as running beside the next one.
    while shop.sim.calls().max_concurrency < 1 {
        tokio::task::yield_now().await;
    }
    assert!(!hanging.is_finished());
    while !hanging.is_finished() {
        shop.sim.release();
        tokio::task::yield_now().await;
    }
    assert_eq!(hanging.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_can_script_and_compare_over_http() {
    let shop = shop(Limits::Off).await;
    let fault = serde_json::json!({"path": CARDS, "count": 1, "effect": {"kind": "status", "status": 503}});
    assert_eq!(
        shop.call(Method::POST, "/_sim/faults", Some(fault))
            .await
            .status(),
        204
    );
    assert_eq!(
        shop.call(Method::POST, CARDS, Some(serde_json::json!({})))
            .await
            .status(),
        503
    );
    assert_eq!(
        shop.call(Method::POST, CARDS, Some(serde_json::json!({})))
            .await
            .status(),
        200
    );
    shop.post("/_sim/advance", serde_json::json!({"steps": 3, "fraction": 0.1}))
        .await;
    let truth = shop.get("/_sim/truth").await;
    assert_eq!(
        truth,
        serde_json::to_value(shop.sim.truth(shop.sim.sellers()[0], None)).unwrap()
    );
    let calls = shop.get("/_sim/calls").await;
    assert_eq!(calls["total"], 2);
    assert!(calls["handlerMillis"].as_f64().unwrap() > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_shop_has_lived_the_same_life() {
    let folder = tempfile::tempdir().unwrap();
    let config = |start: &str| WildberriesConfig {
        clock: Clock::manual(start.parse().unwrap()),
        data_dir: Some(folder.path().to_path_buf()),
        ..WildberriesConfig::default()
    };
    let first = Wildberries::start(config("2026-11-01T09:00:00Z")).await.unwrap();
    first.advance(15);
    let sid = first.sellers()[0];
    let before = first.truth(sid, None).unwrap();
    first.stop().await;
    let second = Wildberries::start(config("2026-11-01T09:15:00Z")).await.unwrap();
    assert_eq!(second.truth(sid, None).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_begins_before_31_days_ago_is_refused_and_one_without_an_end_is_not() {
    let shop = shop(Limits::Off).await;
    let path = "/api/analytics/v1/order-feed";
    let ask = |start: &str| {
        let first = serde_json::json!({"limit": 1000, "offset": 0});
        let body = serde_json::json!({"selectedPeriod": {"start": start}, "pagination": first});
        let shop = &shop;
        async move { shop.call(Method::POST, path, Some(body)).await.status() }
    };
    // The shop's clock stands at 2026-11-01T09:00:00Z.
    assert_eq!(ask("2026-10-01T09:00:00Z").await, 200);
    assert_eq!(ask("2026-10-01T08:59:59Z").await, 400);
    let later = serde_json::json!({"selectedPeriod": {"start": "2026-10-20"}, "pagination": {"offset": 5}});
    let answer = shop.call(Method::POST, path, Some(later)).await;
    assert_eq!(answer.status(), 400, "a later page without the snapshot's time");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_is_by_the_time_of_the_present_status_newest_first() {
    let shop = shop(Limits::Off).await;
    shop.sim.advance(30);
    let first = serde_json::json!({"limit": 5000, "offset": 0});
    let body = serde_json::json!({"selectedPeriod": {"start": "2026-11-01T09:00:00Z"}, "pagination": first});
    let page = shop.post("/api/analytics/v1/order-feed", body).await;
    let rows = page["data"]["orders"].as_array().unwrap();
    let changed: Vec<&str> = rows
        .iter()
        .map(|row| row["updatedAt"].as_str().unwrap())
        .collect();
    assert!(changed.windows(2).all(|pair| pair[0] >= pair[1]), "{changed:?}");
    let older = |row: &&Value| row["createdAt"].as_str().unwrap() < "2026-11-01T09:00:00Z";
    assert!(rows.iter().filter(older).all(|row| row["status"] != "created"));
    let cancelled = rows.iter().filter(|row| row["status"] == "cancel");
    for row in cancelled {
        let kind = row["cancelType"].as_str().unwrap();
        assert!(["app", "receipt", "expire", "other"].contains(&kind), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_name_in_an_upload_of_stock_changes_nothing_and_is_no_error() {
    let shop = shop(Limits::Off).await;
    let warehouses = shop.get("/api/v3/warehouses").await;
    let path = format!("/api/v3/stocks/{}", warehouses[0]["id"]);
    let sid = shop.sim.sellers()[0];
    let expires = Clock::manual("2026-12-01T09:00:00Z".parse().unwrap()).now();
    let writing = shop
        .sim
        .token(sid, TokenKind::Personal, scope::MARKETPLACE, expires);
    let before = shop.sim.truth(sid, None).unwrap();
    for body in [
        serde_json::json!({"stocks": [{"chrtID": 1, "amount": 5}]}),
        serde_json::json!({"stocks": [{"chrtId": 1, "quantity": 5}]}),
        serde_json::json!({"items": []}),
    ] {
        let answer = shop.call_as(&writing, Method::PUT, &path, Some(body)).await;
        assert_eq!(answer.status(), 204);
    }
    assert_eq!(shop.sim.truth(sid, None).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_can_be_damaged_by_a_seed_over_http_as_well() {
    let shop = shop(Limits::Off).await;
    let whole = shop.post(SYNC, serde_json::json!({})).await;
    let damage = serde_json::json!({"seed": 3, "perMille": 500});
    shop.call(Method::POST, "/_sim/damage", Some(damage)).await;
    let damaged = shop.post(SYNC, serde_json::json!({})).await;
    assert_ne!(damaged, whole);
    assert_eq!(damaged, shop.post(SYNC, serde_json::json!({})).await);
    let rows = |page: &Value| page["data"]["items"].as_array().unwrap().len();
    assert_eq!(rows(&damaged), rows(&whole));
    assert!(!shop.get("/_sim/damage").await.as_object().unwrap().is_empty());
    shop.sim.damage(simulators::Damage::default());
    assert_eq!(shop.post(SYNC, serde_json::json!({})).await, whole);
}
