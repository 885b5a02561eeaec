//! To be forgotten over HTTP: the password once more, the act as the answer, and nobody comes in afterwards.

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
