//! A warehouse is left out of totals and counted again: by those who may, with a reason that everybody sees.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, fresh_key, world};

impl World {
    pub(crate) async fn exclude(&self, seller: &Seller, cabinet: Uuid, body: Value) -> Answer {
        let path = format!("/api/v1/cabinets/{cabinet}/exclusions");
        self.command(seller, Method::PUT, &path, &body).send().await
    }

    async fn include(&self, seller: &Seller, cabinet: Uuid, warehouse: &str) -> Answer {
        let path = format!("/api/v1/cabinets/{cabinet}/exclusions?warehouse={warehouse}");
        self.command(seller, Method::DELETE, &path, &json!({}))
            .send()
            .await
    }

    async fn shown(&self, seller: &Seller, path: &str) -> Value {
        let answer = self.get(seller, &format!("/api/v1/{path}")).send().await;
        answer.is(StatusCode::OK).body.clone()
    }
}

/// A shop with articles of 3 and 9 units at one warehouse.
async fn shop() -> (World, Seller, Uuid, Uuid) {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    world.product(&anna, cabinet, 101, 3).await;
    let product = world.product(&anna, cabinet, 102, 9).await;
    world.project().await;
    (world, anna, cabinet, product)
}

fn stuck() -> Value {
    json!({"warehouse": "fbo:507", "reason": " Остатки зависли "})
}

#[tokio::test]
async fn a_warehouse_that_is_left_out_is_marked_everywhere_and_in_no_total_until_it_counts_again() {
    let (world, anna, cabinet, product) = shop().await;
    let board = world.shown(&anna, "analytics/dashboard").await;
    assert_eq!(
        (&board["total_stock"], &board["excluded_units"]),
        (&json!(12), &json!(0))
    );
    let told = world.exclude(&anna, cabinet, stuck()).await;
    assert!(told.is(StatusCode::OK).position() > 0);
    world.project().await;

    let board = world.shown(&anna, "analytics/dashboard").await;
    assert_eq!(
        (&board["total_stock"], &board["excluded_units"]),
        (&json!(0), &json!(12))
    );
    assert_eq!(
        (&board["low_stock_count"], &board["out_of_stock_count"]),
        (&json!(0), &json!(2))
    );
    let spread = world.shown(&anna, "analytics/stock-distribution").await;
    assert_eq!(spread["out_of_stock"], 2);
    for list in ["warehouses", "analytics/warehouses"] {
        let there = world.shown(&anna, list).await;
        let place = &there["data"][0];
        assert_eq!(place["total_stock"], 12, "its own number stays: {place}");
        assert_eq!(place["excluded"]["reason"], "Остатки зависли");
        assert_eq!(place["excluded"]["by"], format!("user:{}", world.user(&anna)));
        assert!(place["excluded"]["since"].is_string());
    }
    let whole = world.shown(&anna, &format!("products/{product}")).await;
    assert_eq!(
        (&whole["total_stock"], &whole["excluded_units"]),
        (&json!(0), &json!(9))
    );
    let level = &whole["warehouse_data"][0];
    assert_eq!(
        (&level["stock"], &level["excluded"]["reason"]),
        (&json!(9), &json!("Остатки зависли"))
    );
    let listed = world.shown(&anna, "products?min_stock=1").await;
    assert_eq!(listed["data"], json!([]));
    let preview = world.shown(&anna, "sheets/preview").await;
    let group = preview["groups"].as_array().unwrap().last().unwrap();
    assert_eq!(group["title"], "Коледино (не учитывается)");
    let note = group["note"].as_str().unwrap();
    assert!(
        note.starts_with("Не учитывается в «Остатки (всего)»: Остатки зависли, с "),
        "{note}"
    );
    let note = preview["notes"][0]["text"].as_str().unwrap();
    assert!(
        note.contains("Не учитывается в «Остатки (всего)»: Коледино, 12 ед.: Остатки зависли"),
        "{note}"
    );
    let page = world
        .get(&anna, "/api/v1/sheets/preview")
        .header("accept", "text/html")
        .send()
        .await;
    assert!(
        page.is(StatusCode::OK).text.contains("title=\"Не учитывается в"),
        "{}",
        page.text
    );
    let csv = world.get(&anna, "/api/v1/exports/stock.csv").send().await;
    assert!(
        csv.is(StatusCode::OK)
            .text
            .contains(";Коледино (не учитывается);"),
        "{}",
        csv.text
    );

    world.include(&anna, cabinet, "fbo:507").await.is(StatusCode::OK);
    world.project().await;
    let board = world.shown(&anna, "analytics/dashboard").await;
    assert_eq!(
        (&board["total_stock"], &board["excluded_units"]),
        (&json!(12), &json!(0))
    );
    let there = world.shown(&anna, "warehouses").await;
    assert_eq!(there["data"][0]["excluded"], Value::Null);
}

#[tokio::test]
async fn a_reason_is_needed_and_a_warehouse_that_the_cabinet_has() {
    let (world, anna, cabinet, _) = shop().await;
    for (body, pointers) in [
        (json!({}), vec!["#/warehouse", "#/reason"]),
        (json!({"warehouse": "fbo:507"}), vec!["#/reason"]),
        (json!({"warehouse": "fbo:507", "reason": "  "}), vec!["#/reason"]),
        (
            json!({"warehouse": "fbo:507", "reason": "я".repeat(201)}),
            vec!["#/reason"],
        ),
        (
            json!({"warehouse": "fbo:508", "reason": "r"}),
            vec!["#/warehouse"],
        ),
    ] {
        let refused = world.exclude(&anna, cabinet, body).await;
        refused
            .is(StatusCode::UNPROCESSABLE_ENTITY)
            .is_problem("invalid-input");
        assert_eq!(refused.pointers(), pointers, "{}", refused.text);
    }
    let strange = world.include(&anna, cabinet, "fbo:508").await;
    assert_eq!(
        strange.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["?warehouse"]
    );
    let nowhere = world.exclude(&anna, Uuid::from_u128(7), stuck()).await;
    nowhere.is(StatusCode::NOT_FOUND).is_problem("not-found");
    let path = format!("/api/v1/cabinets/{cabinet}");
    let gone = world
        .command(&anna, Method::DELETE, &path, &json!({}))
        .send()
        .await;
    gone.is(StatusCode::OK);
    world.project().await;
    world
        .exclude(&anna, cabinet, stuck())
        .await
        .is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_key_leaves_it_out_once_and_a_second_reason_replaces_the_first() {
    let (world, anna, cabinet, _) = shop().await;
    let path = format!("/api/v1/cabinets/{cabinet}/exclusions");
    let key = fresh_key();
    let ask = async || {
        let ask = world.ask(Method::PUT, &path).token(&anna.access).key(&key);
        ask.json(&stuck()).send().await
    };
    let (first, again) = (ask().await, ask().await);
    assert_eq!(first.is(StatusCode::OK).text, again.is(StatusCode::OK).text);
    world.exclude(&anna, cabinet, stuck()).await.is(StatusCode::OK);
    let other = json!({"warehouse": "fbo:507", "reason": "Закрыт"});
    world.exclude(&anna, cabinet, other).await.is(StatusCode::OK);
    world.project().await;
    let there = world.shown(&anna, "warehouses").await;
    assert_eq!(there["data"][0]["excluded"]["reason"], "Закрыт");
    world.include(&anna, cabinet, "fbo:507").await.is(StatusCode::OK);
    world.include(&anna, cabinet, "fbo:507").await.is(StatusCode::OK);
    let events = world.events().await;
    let told: Vec<&str> = (events.iter())
        .map(|event| event.event_type.as_str())
        .filter(|name| name.starts_with("warehouse_"))
        .collect();
    assert_eq!(
        told,
        ["warehouse_excluded", "warehouse_excluded", "warehouse_included"]
    );
}

#[tokio::test]
async fn a_cabinet_that_somebody_is_about_to_change_is_still_the_same() {
    let (world, anna, cabinet, _) = shop().await;
    let path = format!("/api/v1/cabinets/{cabinet}");
    let tag = world.get(&anna, &path).send().await.header("etag").to_owned();
    world.exclude(&anna, cabinet, stuck()).await.is(StatusCode::OK);
    world.project().await;
    assert_eq!(world.get(&anna, &path).send().await.header("etag"), tag);
}
