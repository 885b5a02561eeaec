//! A seller's way through the whole system.

use reqwest::Method;
use serde_json::{Value, json};
use support::{SOON, eventually};

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_connects_and_finds_true_numbers_in_the_api_and_in_the_sheet_as_the_shop_lives_on() {
    let world = World::start(1).await;
    let seller = world.seller(0).await;
    // The schedule makes the first sync by itself.
    eventually("the first sync has been made", SOON, || async {
        let syncs = seller.get("/syncs").await;
        match syncs.body["data"][0]["status"].as_str() {
            Some("succeeded") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    world.wait_quiet().await;
    let first = seller.products().await;
    assert!(first.len() >= 60);
    seller.write_sheet("first").await;
    world.assert_truth(&seller).await;

    world.wildberries.mutate_fraction(0.5);
    let done = seller.wait(&seller.ask_sync("second").await).await;
    assert_eq!(done.text("/status"), "succeeded", "{done:?}");
    world.wait_quiet().await;
    seller.write_sheet("second").await;
    world.assert_truth(&seller).await;

    // Some product changed, and its history tells from what to what.
    let second = seller.products().await;
    let stock = |products: &[Value], id: &Value| {
        products
            .iter()
            .find(|product| product["id"] == *id)
            .map(|product| product["total_stock"].clone())
    };
    let changed = second
        .iter()
        .find(|product| stock(&first, &product["id"]) != stock(&second, &product["id"]));
    let id = changed.unwrap()["id"].as_str().unwrap();
    let history = seller.get(&format!("/products/{id}/history")).await;
    let changes = history.body["data"].as_array().unwrap();
    assert!(
        changes.iter().any(|change| change["kind"] == "stock"),
        "{changes:?}"
    );
    assert!(
        seller.get("/warehouses").await.body["data"]
            .as_array()
            .unwrap()
            .len()
            >= 6
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_names_the_position_of_its_command_reads_its_own_write() {
    let world = World::start(1).await;
    let seller = world.seller(0).await;
    for number in 0..10 {
        let name = format!("Name {number}");
        let renamed = seller
            .command(Method::PATCH, "/tenants/me", &name, &json!({ "name": name }))
            .await;
        assert_eq!(renamed.status, 200, "{renamed:?}");
        let answer = crate::seller::client()
            .get(format!("{}/tenants/me", seller.api))
            .bearer_auth(&seller.token)
            .header("Stock-Min-Position", renamed.position.to_string())
            .header("Prefer", "wait=5")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let shown: i64 = answer.headers()["stock-position"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(shown >= renamed.position);
    }
}
