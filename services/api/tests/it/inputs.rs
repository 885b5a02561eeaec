//! Wrong input is named by its place, and nothing comes of it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{fresh_key, world};

#[tokio::test]
async fn every_wrong_field_of_a_body_is_named() {
    let world = world().await;
    let register = async |body: Value| {
        world
            .ask(Method::POST, "/api/v1/auth/register")
            .key(&fresh_key())
            .json(&body)
            .send()
            .await
    };
    let good = json!({"email": "a@b.ru", "password": "correct horse", "company_name": "Shop"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, pointers) in [
        (json!({}), vec!["#/email", "#/password", "#/company_name"]),
        (with("email", json!("nobody")), vec!["#/email"]),
        (with("email", json!(5)), vec!["#/email"]),
        (with("password", json!("short")), vec!["#/password"]),
        (with("company_name", json!("x")), vec!["#/company_name"]),
        (with("company_name", json!(["Shop"])), vec!["#/company_name"]),
        (with("company_name", json!("Sh\u{0}op")), vec!["#/company_name"]),
        (with("is_admin", json!(true)), vec!["#/is_admin"]),
        (json!([1]), vec!["#"]),
    ] {
        let answer = register(body.clone()).await;
        answer
            .is(StatusCode::UNPROCESSABLE_ENTITY)
            .is_problem("invalid-input");
        assert_eq!(answer.pointers(), pointers, "{body}");
        assert!(!answer.text.contains("correct horse"), "{}", answer.text);
    }
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn what_is_no_json_or_too_large_or_of_another_type_is_refused() {
    let world = world().await;
    let post = || world.ask(Method::POST, "/api/v1/auth/login");
    let broken = post().raw("application/json", "{\"email\": ").send().await;
    broken.is(StatusCode::BAD_REQUEST).is_problem("malformed-request");
    let form = post()
        .raw("application/x-www-form-urlencoded", "email=a")
        .send()
        .await;
    form.is(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .is_problem("unsupported-media-type");
    let huge = post()
        .raw("application/json", format!("\"{}\"", "x".repeat(70_000)))
        .send()
        .await;
    huge.is(StatusCode::PAYLOAD_TOO_LARGE)
        .is_problem("body-too-large");
    let charset = post().raw("application/json; charset=utf-8", "{}").send().await;
    charset.is(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn every_wrong_parameter_of_a_query_is_named() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    world.project().await;
    for (query, pointers) in [
        ("limit=0", vec!["?limit"]),
        ("limit=101", vec!["?limit"]),
        ("limit=ten", vec!["?limit"]),
        ("page=2", vec!["?page"]),
        ("limit=5&limit=6", vec!["?limit"]),
        ("sort=price&order=up", vec!["?sort", "?order"]),
        (
            "cabinet=mine&min_stock=-1&max_stock=x&low_stock=yes",
            vec!["?cabinet", "?min_stock", "?max_stock", "?low_stock"],
        ),
        ("cursor=AAAA", vec!["?cursor"]),
        ("cursor=%00", vec!["?cursor"]),
    ] {
        let answer = world
            .get(&anna, &format!("/api/v1/products?{query}"))
            .send()
            .await;
        answer
            .is(StatusCode::UNPROCESSABLE_ENTITY)
            .is_problem("invalid-input");
        assert_eq!(answer.pointers(), pointers, "{query}");
    }
    for path in [
        "/api/v1/auth/me",
        "/api/v1/sheets/link",
        "/api/v1/warehouses",
        "/api/v1/cabinets",
    ] {
        let answer = world.get(&anna, &format!("{path}?nonsense=1")).send().await;
        answer.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.pointers(), ["?nonsense"], "{path}");
    }
}

#[tokio::test]
async fn a_credential_that_cannot_be_used_is_explained_and_never_shown() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let before = world.events().await.len();
    let connect = async |marketplace: &str, credential: &str| {
        let body = json!({"marketplace": marketplace, "credential": credential});
        world
            .command(&anna, Method::POST, "/api/v1/cabinets", &body)
            .send()
            .await
    };
    let canary = "canary-secret-value";
    let nonsense = connect("wildberries", canary).await;
    nonsense
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .is_problem("credential-refused");
    assert_eq!(nonsense.pointers(), ["#/credential"]);
    assert!(!nonsense.text.contains(canary), "{}", nonsense.text);
    // Ozon counts by Client-Id, so a key alone opens nothing.
    let elsewhere = connect("ozon", canary).await;
    assert_eq!(
        elsewhere.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["#/client_id"]
    );
    assert!(!elsewhere.text.contains(canary), "{}", elsewhere.text);
    let nowhere = connect("amazon", canary).await;
    assert_eq!(
        nowhere.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["#/marketplace"]
    );
    assert_eq!(world.events().await.len(), before);
}
