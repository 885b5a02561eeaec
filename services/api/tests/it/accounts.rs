//! One's own sessions and password.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use crate::people::PASSWORD;
use crate::world::{fresh_key, world};

const NEW: &str = "another horse";

#[tokio::test]
async fn sessions_are_listed_page_by_page_and_ended_one_by_one_or_all_others() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let mut sessions = vec![anna];
    for _ in 0..3 {
        world.clock.advance(TimeDelta::seconds(1));
        sessions.push(world.logged_in("anna@shop.ru").await);
    }
    let last = sessions.last().unwrap();
    let first_page = world.get(last, "/api/v1/auth/sessions?limit=3").send().await;
    let shown = first_page.is(StatusCode::OK).body["data"].as_array().unwrap();
    assert_eq!((shown.len(), &first_page.body["has_more"]), (3, &json!(true)));
    assert_eq!(
        (&shown[0]["current"], &shown[1]["current"]),
        (&json!(true), &json!(false))
    );
    let link = first_page.header("link");
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    let second_page = world.get(last, next).send().await;
    let rest = second_page.is(StatusCode::OK).body["data"].as_array().unwrap();
    assert_eq!((rest.len(), &second_page.body["has_more"]), (1, &json!(false)));

    let oldest = format!("/api/v1/auth/sessions/{}", rest[0]["id"].as_str().unwrap());
    world.delete(last, &oldest).await.is(StatusCode::OK);
    world.delete(last, &oldest).await.is(StatusCode::NOT_FOUND);
    world.me(&sessions[0]).await.is(StatusCode::UNAUTHORIZED);
    world.me(&sessions[1]).await.is(StatusCode::OK);
    world
        .delete(last, "/api/v1/auth/sessions")
        .await
        .is(StatusCode::OK);
    for ended in &sessions[..3] {
        world.me(ended).await.is(StatusCode::UNAUTHORIZED);
    }
    world.me(last).await.is(StatusCode::OK);
}

#[tokio::test]
async fn nobody_sees_or_ends_a_colleague_s_session() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    world.clock.advance(TimeDelta::seconds(1));
    world.logged_in("anna@shop.ru").await;
    let vera = world.joined(&anna, "admin", "vera@shop.ru").await;
    let own = world.get(&vera, "/api/v1/auth/sessions").send().await;
    assert_eq!(own.body["data"].as_array().unwrap().len(), 1);
    let page = world.get(&anna, "/api/v1/auth/sessions?limit=1").send().await;
    let path = format!(
        "/api/v1/auth/sessions/{}",
        page.body["data"][0]["id"].as_str().unwrap()
    );
    world.delete(&vera, &path).await.is(StatusCode::NOT_FOUND);
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let borrowed = format!("/api/v1/auth/sessions?limit=1&cursor={cursor}");
    world
        .get(&vera, &borrowed)
        .send()
        .await
        .is_problem("invalid-input");
    world.get(&anna, &borrowed).send().await.is(StatusCode::OK);
}

#[tokio::test]
async fn changing_the_password_needs_the_present_one_and_ends_every_other_session() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let other = world.logged_in("anna@shop.ru").await;
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        world.post(&anna, "/api/v1/auth/password", &body).await
    };
    let wrong = change("wrong horse", NEW).await;
    wrong
        .is(StatusCode::FORBIDDEN)
        .is_problem("reauthentication-failed");
    assert_eq!(wrong.pointers(), ["#/current_password"]);
    for weak in ["short", "password123", "QWERTY123"] {
        let refused = change(PASSWORD, weak).await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.pointers(), ["#/new_password"], "{weak}");
    }
    world.me(&other).await.is(StatusCode::OK);
    let changed = change(PASSWORD, NEW).await;
    changed.is(StatusCode::OK);
    world.me(&anna).await.is(StatusCode::OK);
    world.me(&other).await.is(StatusCode::UNAUTHORIZED);
    let refresh = json!({"refresh_token": other.refresh});
    world
        .public("/api/v1/auth/refresh", &refresh)
        .await
        .is_problem("refresh-refused");
    world
        .login("anna@shop.ru", PASSWORD)
        .await
        .is_problem("wrong-credentials");
    world.login("anna@shop.ru", NEW).await.is(StatusCode::OK);
    let last = world.events().await.pop().unwrap();
    assert_eq!(last.event_type, "password_changed");
    assert!(!last.payload.contains("horse"), "{}", last.payload);
}

#[tokio::test]
async fn a_repeated_password_change_gets_the_first_answer() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = fresh_key();
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    let change = async || {
        world
            .ask(reqwest::Method::POST, "/api/v1/auth/password")
            .token(&anna.access)
            .key(&key)
            .json(&body)
            .send()
            .await
    };
    let (first, second) = (change().await, change().await);
    assert_eq!(first.is(StatusCode::OK).text, second.is(StatusCode::OK).text);
    assert_eq!(world.events().await.len(), 3, "one password_changed");
}

#[tokio::test]
async fn a_forgotten_password_is_set_by_a_code_that_works_once() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "member", "vera@shop.ru").await;
    let path = format!("/api/v1/tenants/me/members/{}/password-reset", world.user(&vera));
    let issued = world.post(&anna, &path, &json!({})).await;
    let code = issued.is(StatusCode::CREATED).body["code"].as_str().unwrap();
    let reset = async |code: &str, new: &str| {
        let body = json!({"code": code, "new_password": new});
        world.public("/api/v1/auth/password/reset", &body).await
    };
    reset(code, "12345678").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    reset("str_nonsense", NEW)
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("code-refused");
    world.me(&vera).await.is(StatusCode::OK);
    reset(code, NEW).await.is(StatusCode::OK);
    world.me(&vera).await.is(StatusCode::UNAUTHORIZED);
    world.login("vera@shop.ru", NEW).await.is(StatusCode::OK);
    reset(code, "third horse").await.is_problem("code-refused");
    world.login("vera@shop.ru", NEW).await.is(StatusCode::OK);
    let code = issued.body["code"].as_str().unwrap();
    for event in world.events().await {
        assert!(!event.payload.contains(code) && !event.payload.contains("vera@"));
    }
}

#[tokio::test]
async fn a_reset_code_ends_after_ten_minutes_and_a_repeated_request_replaces_it() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let path = format!("/api/v1/tenants/me/members/{}/password-reset", world.user(&anna));
    let key = fresh_key();
    let issue = async || {
        let answer = world
            .ask(reqwest::Method::POST, &path)
            .token(&anna.access)
            .key(&key)
            .json(&json!({}))
            .send()
            .await;
        answer.is(StatusCode::CREATED).body["code"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (issue().await, issue().await);
    let reset = async |code: &str| {
        let body = json!({"code": code, "new_password": NEW});
        world.public("/api/v1/auth/password/reset", &body).await
    };
    reset(&first).await.is_problem("code-refused");
    world.clock.advance(TimeDelta::minutes(10));
    reset(&second).await.is_problem("code-refused");
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token_and_the_other_way_round() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let body = json!({"refresh_token": anna.access});
    world
        .public("/api/v1/auth/refresh", &body)
        .await
        .is_problem("refresh-refused");
    let swapped = crate::world::Seller {
        access: anna.refresh.clone(),
        ..anna
    };
    world.me(&swapped).await.is(StatusCode::UNAUTHORIZED);
}
