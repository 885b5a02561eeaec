//! A command happens once, however often it is sent.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{Seller, fresh_key, world};

#[tokio::test]
async fn a_repeated_command_gets_the_first_answer_word_by_word() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = fresh_key();
    let body = json!({"marketplace": "wildberries", "credential": world.wildberries_token(1)});
    let connect = async || {
        world
            .ask(Method::POST, "/api/v1/cabinets")
            .token(&anna.access)
            .key(&key)
            .json(&body)
            .send()
            .await
    };
    let first = connect().await;
    first.is(StatusCode::CREATED);
    assert!(first.headers.get("idempotent-replayed").is_none());
    let second = connect().await;
    assert_eq!((second.status, &second.text), (first.status, &first.text));
    assert_eq!(second.header("idempotent-replayed"), "true");
    for header in ["location", "stock-position", "content-type"] {
        assert_eq!(second.header(header), first.header(header));
    }
    let connected = world
        .events()
        .await
        .into_iter()
        .filter(|e| e.event_type == "cabinet_connected")
        .count();
    assert_eq!(connected, 1);
}

#[tokio::test]
async fn a_command_whose_kept_answer_was_lost_still_happens_once() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = fresh_key();
    let body = json!({"marketplace": "wildberries", "credential": world.wildberries_token(1)});
    let connect = async || {
        world
            .ask(Method::POST, "/api/v1/cabinets")
            .token(&anna.access)
            .key(&key)
            .json(&body)
            .send()
            .await
    };
    let first = connect().await;
    world.sql("DELETE FROM core.idempotency_keys").await;
    let second = connect().await;
    assert_eq!((second.status, &second.text), (first.status, &first.text));
    let connected = world
        .events()
        .await
        .into_iter()
        .filter(|e| e.event_type == "cabinet_connected")
        .count();
    assert_eq!(connected, 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = fresh_key();
    let rename = async |name: &str| {
        let body = json!({"name": name});
        world
            .ask(Method::PATCH, "/api/v1/tenants/me")
            .token(&anna.access)
            .key(&key)
            .json(&body)
            .send()
            .await
    };
    rename("One name").await.is(StatusCode::OK);
    let reused = rename("Other name").await;
    reused
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .is_problem("idempotency-key-reused");
    let boris = world.registered("boris@shop.ru").await;
    let body = json!({"name": "Other name"});
    let other = world
        .ask(Method::PATCH, "/api/v1/tenants/me")
        .token(&boris.access)
        .key(&key)
        .json(&body)
        .send()
        .await;
    other.is(StatusCode::OK);
}

#[tokio::test]
async fn a_command_without_a_usable_key_is_not_done() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let before = world.events().await.len();
    let rename = || {
        world
            .ask(Method::PATCH, "/api/v1/tenants/me")
            .token(&anna.access)
            .json(&json!({"name": "New"}))
    };
    for ask in [rename(), rename().key(""), rename().key(&"k".repeat(256))] {
        let answer = ask.send().await;
        answer
            .is(StatusCode::BAD_REQUEST)
            .is_problem("idempotency-key-missing");
        assert_eq!(answer.pointers(), ["header Idempotency-Key"]);
    }
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test]
async fn a_request_that_is_still_running_is_told_so() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = fresh_key();
    let rename = async || {
        let body = json!({"name": "New name"});
        world
            .ask(Method::PATCH, "/api/v1/tenants/me")
            .token(&anna.access)
            .key(&key)
            .json(&body)
            .send()
            .await
    };
    rename().await.is(StatusCode::OK);
    world
        .sql("UPDATE core.idempotency_keys SET state = 'running', status = NULL")
        .await;
    let running = rename().await;
    running.is(StatusCode::CONFLICT).is_problem("request-running");
    assert_eq!(
        (running.header("retry-after"), &running.body["retryable"]),
        ("1", &json!(true))
    );
}

#[tokio::test]
async fn what_was_refused_is_not_kept() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = fresh_key();
    let id = uuid::Uuid::from_u128(5);
    let path = format!("/api/v1/cabinets/{id}");
    for _ in 0..2 {
        let answer = world
            .ask(Method::DELETE, &path)
            .token(&anna.access)
            .key(&key)
            .send()
            .await;
        answer.is(StatusCode::NOT_FOUND).is_problem("not-found");
        assert!(answer.headers.get("idempotent-replayed").is_none());
    }
}

#[tokio::test]
async fn sixteen_copies_at_once_do_one_thing() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let (key, body) = (
        fresh_key(),
        json!({"marketplace": "wildberries", "credential": world.wildberries_token(1)}),
    );
    let copies = (0..16).map(|_| {
        world
            .ask(Method::POST, "/api/v1/cabinets")
            .token(&anna.access)
            .key(&key)
            .json(&body)
            .send()
    });
    for answer in futures_util::future::join_all(copies).await {
        assert!(
            matches!(answer.status, StatusCode::CREATED | StatusCode::CONFLICT),
            "{} {}",
            answer.status,
            answer.text
        );
    }
    let connected = world
        .events()
        .await
        .into_iter()
        .filter(|e| e.event_type == "cabinet_connected")
        .count();
    assert_eq!(connected, 1);
}

#[tokio::test]
async fn a_stranger_s_key_is_in_nobody_else_s_way() {
    let world = world().await;
    let register = async |email: &str| {
        let body = json!({"email": email, "password": "correct horse", "company_name": "Shop"});
        let ask = world
            .ask(Method::POST, "/api/v1/auth/register")
            .key("1")
            .json(&body);
        ask.send().await
    };
    register("anna@shop.ru").await.is(StatusCode::CREATED);
    register("boris@shop.ru").await.is(StatusCode::CREATED);
    let again = register("anna@shop.ru").await;
    again.is(StatusCode::CREATED);
    assert_eq!(again.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn the_key_itself_is_kept_nowhere() {
    let world = world().await;
    let key = "Anna.Canary@example.com";
    let anna = world.registered("anna@shop.ru").await;
    let rename = world.ask(Method::PATCH, "/api/v1/tenants/me").token(&anna.access);
    rename
        .key(key)
        .json(&json!({"name": "New"}))
        .send()
        .await
        .is(StatusCode::OK);
    let body = json!({"email": "boris@shop.ru", "password": "correct horse", "company_name": "Shop"});
    let ask = world.ask(Method::POST, "/api/v1/auth/register").key(key);
    ask.json(&body).send().await.is(StatusCode::CREATED);
    let rows = support::connect(world.database_url())
        .await
        .query("SELECT k::text FROM core.idempotency_keys k", &[])
        .await
        .unwrap();
    assert!(rows.len() >= 3);
    for row in rows {
        let row: String = row.get(0);
        assert!(!row.to_lowercase().contains("canary"), "{row}");
    }
}

#[tokio::test]
async fn somebody_else_s_key_does_not_stand_for_what_was_not_done() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "admin", "vera@shop.ru").await;
    let again = world.logged_in("anna@shop.ru").await;
    let log_out = async |who: &Seller, key: &str| {
        let ask = world.ask(Method::POST, "/api/v1/auth/logout").token(&who.access);
        ask.key(key).send().await
    };
    log_out(&anna, "logout").await.is(StatusCode::OK);
    for other in [&vera, &again] {
        log_out(other, "logout")
            .await
            .is_problem("idempotency-key-reused");
        world.me(other).await.is(StatusCode::OK);
        log_out(other, &fresh_key()).await.is(StatusCode::OK);
    }
    let boris = world.registered("boris@shop.ru").await;
    let galya = world.joined(&boris, "owner", "galya@shop.ru").await;
    let rename = async |who: &Seller| {
        let ask = world.ask(Method::PATCH, "/api/v1/tenants/me").token(&who.access);
        ask.key("rename").json(&json!({"name": "New"})).send().await
    };
    rename(&boris).await.is(StatusCode::OK);
    rename(&galya).await.is_problem("idempotency-key-reused");
    let later = world.logged_in("boris@shop.ru").await;
    assert_eq!(rename(&later).await.header("idempotent-replayed"), "true");
}
