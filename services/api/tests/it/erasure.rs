//! To be forgotten over HTTP: the password once more, the act as the answer, and nobody comes in afterwards.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::people::PASSWORD;
use crate::world::world;

const TENANT: &str = "/api/v1/tenants/me/erase";
const USER: &str = "/api/v1/auth/erase";

#[tokio::test]
async fn an_erased_tenant_gets_its_act_and_every_token_of_it_is_refused_at_once() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "admin", "vera@shop.ru").await;
    let other = world.registered("boris@shop.ru").await;
    world.me(&vera).await.is(StatusCode::OK);
    let wrong = json!({ "current_password": "not the password" });
    let right = json!({ "current_password": PASSWORD });
    world
        .command(&anna, Method::POST, TENANT, &wrong)
        .send()
        .await
        .is_problem("reauthentication-failed");
    world
        .command(&vera, Method::POST, TENANT, &right)
        .send()
        .await
        .is(StatusCode::FORBIDDEN);
    let answer = world.command(&anna, Method::POST, TENANT, &right).send().await;
    let act = &answer.is(StatusCode::OK).body;
    assert_eq!(act["subject"]["type"], "tenant");
    assert_eq!(act["rows_destroyed"]["accounts"], 2, "{act:#}");
    assert!(!answer.text.contains("shop.ru"), "the act names somebody");
    for gone in [&anna, &vera] {
        world.me(gone).await.is(StatusCode::UNAUTHORIZED);
    }
    world.me(&other).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_member_erases_themselves_and_the_last_owner_is_told_to_erase_the_tenant() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "viewer", "vera@shop.ru").await;
    let right = json!({ "current_password": PASSWORD });
    world
        .command(&anna, Method::POST, USER, &right)
        .send()
        .await
        .is_problem("last-owner");
    world.me(&anna).await.is(StatusCode::OK);
    let answer = world.command(&vera, Method::POST, USER, &right).send().await;
    let act = &answer.is(StatusCode::OK).body;
    assert_eq!(
        (&act["subject"]["type"], &act["users"]),
        (&json!("user"), &json!([]))
    );
    world.me(&vera).await.is(StatusCode::UNAUTHORIZED);
    world.me(&anna).await.is(StatusCode::OK);
}

#[tokio::test]
async fn an_erased_tenant_does_not_come_back_when_its_registration_is_repeated() {
    let world = world().await;
    let register = async |key: &str| {
        let body = json!({ "email": "anna@shop.ru", "password": PASSWORD, "company_name": "Shop" });
        let asked = world.ask(Method::POST, "/api/v1/auth/register").key(key);
        asked.json(&body).send().await
    };
    let first = register("the key of a script").await;
    let anna = world.seller(first.is(StatusCode::CREATED));
    let erase = json!({ "current_password": PASSWORD });
    let erased = world.command(&anna, Method::POST, TENANT, &erase).send().await;
    erased.is(StatusCode::OK);
    // Kept answers are purged after a day; the log remembers the command for ever.
    for later in [TimeDelta::zero(), TimeDelta::hours(25)] {
        world.clock.advance(later);
        let repeated = register("the key of a script").await;
        repeated.is(StatusCode::UNPROCESSABLE_ENTITY);
        repeated.is_problem("idempotency-key-reused");
        for table in ["accounts", "profiles", "sessions", "tenant_keys"] {
            let nothing = format!(
                "DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM core.{table} WHERE tenant_id = '{}'), '{table}'; END $$",
                anna.tenant
            );
            world.sql(&nothing).await;
        }
    }
    register("a new key").await.is(StatusCode::CREATED);
}
