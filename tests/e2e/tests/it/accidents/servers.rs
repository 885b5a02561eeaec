//! Servers that die, forget everything and come back while the system runs under load.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use support::{SOON, connect, eventually};

use crate::checks;
use crate::load::Load;
use crate::seller::Seller;
use crate::world::{World, shop};

// invariant 1
// invariant 5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_or_wiped_and_a_database_stopped_at_once_cost_nothing_but_time() {
    let world = Arc::new(World::start(vec![shop(31), shop(32)]).await);
    let mut sellers = [Seller::enter(&world, 0).await, Seller::enter(&world, 1).await];
    for seller in &mut sellers {
        seller.first_sync().await;
    }
    let load = Load::begin(&world, &sellers).await;
    grows(&world).await;

    world.nats.kill().await.unwrap();
    grows(&world).await;
    world.nats.start_again().await.unwrap();
    caught_up(&world).await;

    // The broker forgets everything, jobs that are under way included.
    world.nats.stop().await.unwrap();
    std::fs::remove_dir_all(world.nats.store_dir()).unwrap();
    grows(&world).await;
    world.nats.start_again().await.unwrap();
    caught_up(&world).await;

    world.postgres.stop_immediate().await.unwrap();
    refuses_while_the_database_is_away(&sellers[0]).await;
    world.postgres.start_again().await.unwrap();
    world.ready().await;
    grows(&world).await;

    load.end(&world).await;
    checks::everything(&world, &mut sellers).await;
}

/// Waits until the log is some events longer: work goes on.
async fn grows(world: &World) {
    let client = connect(&world.database()).await;
    let before = checks::head(&client).await;
    eventually("the log to grow", SOON, || async {
        match checks::head(&client).await {
            head if head >= before + 20 => Ok(()),
            head => Err(format!("{head} after {before}")),
        }
    })
    .await;
}

/// Waits until the broker holds what the log held when this began.
async fn caught_up(world: &World) {
    let client = connect(&world.database()).await;
    let wanted = u64::try_from(checks::head(&client).await).unwrap();
    eventually(
        "the broker to have caught up",
        Duration::from_secs(60),
        || async {
            match world.stream("EVENTS").await?.last_sequence {
                last if last >= wanted => Ok(()),
                last => Err(format!("{last} of {wanted}")),
            }
        },
    )
    .await;
}

/// Every answer is a problem that says to come again.
async fn refuses_while_the_database_is_away(seller: &Seller) {
    for turn in 0..5 {
        let read = crate::seller::send(seller.request(Method::GET, "/products"))
            .await
            .unwrap();
        let body = json!({ "name": format!("While away {turn}") });
        let key = format!("away {turn}");
        let command = seller
            .command(Method::PATCH, "/tenants/me", &key, &body)
            .await
            .unwrap();
        let ready = crate::seller::send(seller.request(Method::GET, "/health/ready"))
            .await
            .unwrap();
        assert_eq!(ready.status, 503, "{ready:?}");
        for answer in [read, command] {
            assert_eq!(
                (answer.status, answer.kind.as_str()),
                (503, "application/problem+json"),
                "{answer:?}"
            );
            assert_eq!(answer.body["retryable"], json!(true), "{answer:?}");
        }
    }
}
