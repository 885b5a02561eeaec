//! Too many failures are refused with when to come again; nobody is told who exists.

use auth::attempts::{PER_LOGIN, PER_STRANGER};
use reqwest::StatusCode;
use serde_json::json;

use crate::people::PASSWORD;
use crate::world::{Answer, world};

/// What a refusal says, without what belongs to the request.
fn said(answer: &Answer) -> (u16, serde_json::Value) {
    let mut body = answer.body.clone();
    body["trace_id"] = json!(null);
    (answer.status.as_u16(), body)
}

#[tokio::test]
async fn the_eleventh_wrong_password_is_429_and_the_right_one_then_too_from_there() {
    let world = world().await;
    world.registered("anna@shop.ru").await;
    for _ in 0..PER_LOGIN {
        world
            .login("anna@shop.ru", "wrong horse")
            .await
            .is_problem("wrong-credentials");
    }
    let refused = world.login("ANNA@shop.ru", PASSWORD).await;
    refused
        .is(StatusCode::TOO_MANY_REQUESTS)
        .is_problem("too-many-attempts");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=1800).contains(&wait), "{wait}");
    assert_eq!(refused.body["retryable"], true);
    world.registered("boris@shop.ru").await;
    world.logged_in("boris@shop.ru").await;
    world.clock.advance(chrono::TimeDelta::seconds(wait));
    world.logged_in("anna@shop.ru").await;
}

#[tokio::test]
async fn an_unknown_address_is_answered_like_a_known_one_in_text_status_work_and_limits() {
    let world = world().await;
    let (known, unknown) = ("anna@shop.ru", "nobody@shop.ru");
    world.registered(known).await;
    for _ in 0..=PER_LOGIN {
        let (one, other) = (
            world.login(known, "wrong horse").await,
            world.login(unknown, "wrong horse").await,
        );
        assert_eq!(said(&one), said(&other));
    }
}

#[tokio::test]
async fn the_password_that_is_asked_for_again_cannot_be_guessed_either() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let guess = async |password: &str| {
        let body = json!({"current_password": password, "new_password": "another horse"});
        world.post(&anna, "/api/v1/auth/password", &body).await
    };
    for _ in 0..PER_LOGIN {
        guess("wrong horse").await.is_problem("reauthentication-failed");
    }
    guess(PASSWORD).await.is_problem("too-many-attempts");
    let body = json!({"name": "x", "scopes": ["self:read"], "current_password": PASSWORD});
    world
        .post(&anna, "/api/v1/api-keys", &body)
        .await
        .is_problem("too-many-attempts");
}

#[tokio::test]
async fn codes_and_taken_addresses_cannot_be_tried_for_long() {
    let world = world().await;
    world.registered("anna@shop.ru").await;
    for number in 0..PER_STRANGER {
        let answer = match number % 3 {
            0 => {
                let body = json!({"code": "str_x", "new_password": "another horse"});
                world.public("/api/v1/auth/password/reset", &body).await
            }
            1 => world.accept("sti_x", "vera@shop.ru").await,
            _ => {
                let body = json!({"email": "anna@shop.ru", "password": PASSWORD, "company_name": "Shop"});
                world.public("/api/v1/auth/register", &body).await
            }
        };
        assert_ne!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{number}");
    }
    let body = json!({"email": "new@shop.ru", "password": PASSWORD, "company_name": "Shop"});
    world
        .public("/api/v1/auth/register", &body)
        .await
        .is_problem("too-many-attempts");
    world.logged_in("anna@shop.ru").await;
}
