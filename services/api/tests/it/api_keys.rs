//! Keys for programs.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::people::PASSWORD;
use crate::world::{Seller, fresh_key, world};

const KEYS: &str = "/api/v1/api-keys";

#[tokio::test]
async fn a_key_is_shown_once_works_within_its_scopes_and_is_listed_without_its_secret() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = world.api_key(&anna, &["products:read", "self:read"]).await;
    assert!(key.access.starts_with("stk_") && key.access.len() > 40);
    world
        .get(&key, "/api/v1/products")
        .send()
        .await
        .is(StatusCode::OK);
    world
        .get(&key, "/api/v1/cabinets")
        .send()
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("scope-missing");
    let listed = world.get(&anna, KEYS).send().await;
    let row = &listed.is(StatusCode::OK).body["data"][0];
    assert_eq!(row["scopes"], json!(["products:read", "self:read"]));
    assert!(row["last_used_at"].is_string());
    assert!(key.access.ends_with(row["hint"].as_str().unwrap()));
    assert!(!listed.text.contains(&key.access));
    let client = support::connect(world.database_url()).await;
    let dump: String = client
        .query_one("SELECT string_agg(k::text, ' ') FROM core.api_keys k", &[])
        .await
        .unwrap()
        .get(0);
    assert!(!dump.contains(&key.access), "the key itself is stored");
}

#[tokio::test]
async fn making_a_key_needs_the_password_and_no_scope_above_one_s_role() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let boss = world.joined(&anna, "admin", "boss@shop.ru").await;
    let make = async |who: &Seller, scopes: Value, password: &str| {
        let body = json!({"name": "script", "scopes": scopes, "current_password": password});
        world.post(who, KEYS, &body).await
    };
    make(&anna, json!(["self:read"]), "wrong horse")
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("reauthentication-failed");
    make(&boss, json!(["tenant:rename"]), PASSWORD)
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("forbidden");
    for wrong in [
        json!([]),
        json!(["everything"]),
        json!(["self:read", "self:read"]),
        json!("self:read"),
    ] {
        let refused = make(&anna, wrong, PASSWORD).await;
        assert_eq!(
            refused.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
            ["#/scopes"]
        );
    }
    let listed = world.get(&anna, KEYS).send().await;
    assert_eq!(listed.body["data"], json!([]));
}

#[tokio::test]
async fn a_key_is_never_more_than_its_maker_is_at_that_moment() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let boss = world.joined(&anna, "admin", "boss@shop.ru").await;
    let key = world.api_key(&boss, &["cabinets:manage", "cabinets:read"]).await;
    let path = format!("/api/v1/cabinets/{}", uuid::Uuid::from_u128(1));
    world.delete(&key, &path).await.is(StatusCode::NOT_FOUND);
    let member = format!("/api/v1/tenants/me/members/{}", world.user(&boss));
    world
        .patch(&anna, &member, &json!({"role": "viewer"}))
        .await
        .is(StatusCode::OK);
    world
        .delete(&key, &path)
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("forbidden");
    world
        .get(&key, "/api/v1/cabinets")
        .send()
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn keys_are_replaced_without_a_pause_and_end_by_revocation_or_by_themselves() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let old = world.api_key(&anna, &["self:read"]).await;
    let new = world.api_key(&anna, &["self:read"]).await;
    world.me(&old).await.is(StatusCode::OK);
    world.me(&new).await.is(StatusCode::OK);
    let listed = world.get(&anna, KEYS).send().await;
    let rows = listed.body["data"].as_array().unwrap();
    let first = rows
        .iter()
        .find(|row| old.access.ends_with(row["hint"].as_str().unwrap()))
        .unwrap();
    let path = format!("{KEYS}/{}", first["id"].as_str().unwrap());
    let boris = world.registered("boris@shop.ru").await;
    world.delete(&boris, &path).await.is(StatusCode::NOT_FOUND);
    world.delete(&anna, &path).await.is(StatusCode::OK);
    world.delete(&anna, &path).await.is(StatusCode::NOT_FOUND);
    world
        .me(&old)
        .await
        .is(StatusCode::UNAUTHORIZED)
        .is_problem("unauthenticated");
    world.me(&new).await.is(StatusCode::OK);

    let end = world.now() + TimeDelta::seconds(60);
    let body = json!({"name": "short", "scopes": ["self:read"], "expires_at": end,
        "current_password": PASSWORD});
    let made = world.post(&anna, KEYS, &body).await;
    let short = Seller {
        access: made.is(StatusCode::CREATED).body["key"]
            .as_str()
            .unwrap()
            .to_owned(),
        ..anna.clone()
    };
    world.me(&short).await.is(StatusCode::OK);
    world.clock.advance(TimeDelta::seconds(60));
    world.me(&short).await.is(StatusCode::UNAUTHORIZED);
    world
        .post(&anna, KEYS, &body)
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_repeated_creation_shows_another_secret_of_the_same_key_until_one_is_used() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = fresh_key();
    let body = json!({"name": "script", "scopes": ["self:read"], "current_password": PASSWORD});
    let make = async || {
        world
            .ask(Method::POST, KEYS)
            .token(&anna.access)
            .key(&key)
            .json(&body)
            .send()
            .await
    };
    let (lost, shown) = (make().await, make().await);
    assert_eq!(lost.id("id"), shown.is(StatusCode::CREATED).id("id"));
    let with = |answer: &crate::world::Answer| Seller {
        access: answer.body["key"].as_str().unwrap().to_owned(),
        ..anna.clone()
    };
    world.me(&with(&lost)).await.is(StatusCode::UNAUTHORIZED);
    world.me(&with(&shown)).await.is(StatusCode::OK);
    make().await.is(StatusCode::CONFLICT).is_problem("conflict");
    world.me(&with(&shown)).await.is(StatusCode::OK);
}

#[tokio::test]
async fn what_a_key_did_carries_the_key_s_name_in_the_log() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = world.api_key(&anna, &["tenant:rename"]).await;
    world
        .patch(&key, "/api/v1/tenants/me", &json!({"name": "By script"}))
        .await
        .is(StatusCode::OK);
    let renamed = world.events().await.pop().unwrap();
    assert!(
        renamed.metadata.actor.starts_with("api_key:"),
        "{}",
        renamed.metadata.actor
    );
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = world.api_key(&anna, &["self:read"]).await;
    let last = key.access.chars().last().unwrap();
    let other = if last == 'A' { 'Q' } else { 'A' };
    let changed = format!("{}{other}", &key.access[..key.access.len() - 1]);
    for access in [
        "stk_".to_owned(),
        "stk_x".to_owned(),
        changed,
        format!("stk_{}", anna.refresh),
    ] {
        let stranger = Seller {
            access,
            ..anna.clone()
        };
        world
            .me(&stranger)
            .await
            .is(StatusCode::UNAUTHORIZED)
            .is_problem("unauthenticated");
    }
}
