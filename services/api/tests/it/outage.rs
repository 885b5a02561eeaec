//! A database that goes away is told as such, and the API goes on by itself when it is back.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::world_on;

#[tokio::test]
async fn without_its_database_the_api_answers_503_and_goes_on_when_it_is_back() {
    let postgres = support::own_postgres().await;
    let world = world_on(&postgres).await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    world.project().await;
    let path = format!("/api/v1/cabinets/{cabinet}");
    let sync = format!("{path}/syncs");
    postgres.stop().await.unwrap();
    for answer in [
        world.get(&anna, &path).send().await,
        world.command(&anna, Method::POST, &sync, &json!({})).send().await,
    ] {
        answer
            .is(StatusCode::SERVICE_UNAVAILABLE)
            .is_problem("unavailable");
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.body["retryable"], true);
    }
    postgres.start_again().await.unwrap();
    let back = Duration::from_secs(20);
    support::eventually("the API finds its database again", back, || async {
        let answer = world.get(&anna, &path).send().await;
        if answer.status == StatusCode::OK {
            Ok(())
        } else {
            Err(format!("{} {}", answer.status, answer.text))
        }
    })
    .await;
    world
        .command(&anna, Method::POST, &sync, &json!({}))
        .send()
        .await
        .is(StatusCode::ACCEPTED);
}
