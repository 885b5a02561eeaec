//! Alerts as they are listed: those that go on, what they cost so far, filters and pages.

use chrono::TimeDelta;
use events::alert::{AlertClosed, AlertEnd};
use events::catalog::AlertEvent;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, world};

impl World {
    async fn alerts(&self, seller: &Seller, query: &str) -> Answer {
        let answer = self.get(seller, &format!("/api/v1/alerts?{query}")).send().await;
        answer.is(StatusCode::OK);
        answer
    }

    async fn alert_closed(&self, seller: &Seller, product: Uuid) {
        let closed = AlertClosed {
            warehouse: None,
            reason: AlertEnd::Delisted,
            position: 3,
            at: self.now(),
        };
        let events = vec![AlertEvent::from(closed).into()];
        self.record(seller.tenant, product, 1, events).await;
    }
}

fn articles(answer: &Answer) -> Vec<i64> {
    let rows = answer.body["data"].as_array().unwrap();
    let article = |row: &Value| row["product"]["nm_id"].as_i64().unwrap();
    rows.iter().map(article).collect()
}

/// A shop in which three products ran out, 101 first.
async fn shop() -> (World, Seller, Uuid, Vec<Uuid>) {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    let mut products = Vec::new();
    for nm_id in [101, 102, 103] {
        let product = world.product(&anna, cabinet, nm_id, 0).await;
        world.ran_out(&anna, cabinet, product, nm_id).await;
        products.push(product);
    }
    world.project().await;
    (world, anna, cabinet, products)
}

#[tokio::test]
async fn an_alert_names_its_product_and_tells_what_it_has_cost_so_far() {
    let (world, _, cabinet, products) = shop().await;
    world.clock.advance(TimeDelta::hours(12));
    // The first token has ended.
    let anna = world.logged_in("anna@shop.ru").await;
    let listed = world.alerts(&anna, &format!("product={}", products[0])).await;
    let alert = &listed.body["data"][0];
    assert_eq!(
        (
            &alert["state"],
            &alert["product"]["title"],
            &alert["product"]["vendor_code"]
        ),
        (&json!("out"), &json!("Товар 101"), &json!("art-101"))
    );
    assert_eq!(alert["product"]["cabinet_id"], json!(cabinet));
    assert_eq!(alert["warehouse"], Value::Null);
    assert_eq!(
        alert["lost"],
        json!({"seconds": 43_200, "orders": 1.0, "turnover_minor": 150_000, "currency": "RUB"}),
        "half a day at two a day"
    );
    assert!(listed.position() > 0);
}

#[tokio::test]
async fn those_that_go_on_are_listed_unless_others_are_asked_for() {
    let (world, anna, cabinet, products) = shop().await;
    world.alert_closed(&anna, products[1]).await;
    world.project().await;
    let other = Uuid::from_u128(7);
    for (query, expected) in [
        (String::new(), vec![103, 101]),
        ("state=closed".to_owned(), vec![102]),
        ("state=recovered".to_owned(), vec![]),
        ("state=all".to_owned(), vec![103, 102, 101]),
        ("kind=out".to_owned(), vec![103, 101]),
        ("kind=low".to_owned(), vec![]),
        ("state=all&kind=out".to_owned(), vec![103, 102, 101]),
        (format!("cabinet={cabinet}"), vec![103, 101]),
        (format!("cabinet={other}"), vec![]),
        (format!("product={}", products[2]), vec![103]),
        ("warehouse=total".to_owned(), vec![103, 101]),
        ("warehouse=fbo:507".to_owned(), vec![]),
        ("subject=%D0%9D%D0%BE%D1%81%D0%BA%D0%B8".to_owned(), vec![]),
        ("since=2099-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        let listed = world.alerts(&anna, &query).await;
        assert_eq!(articles(&listed), expected, "{query}");
    }
    let closed = world.alerts(&anna, "state=closed").await;
    assert_eq!(closed.body["data"][0]["end_reason"], "delisted");
    let wrong = world.get(&anna, "/api/v1/alerts?state=on&kind=bad").send().await;
    wrong.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.pointers(), ["?state", "?kind"]);
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_alerts_come_and_change() {
    let (world, anna, cabinet, products) = shop().await;
    let first = world.alerts(&anna, "state=all&limit=2").await;
    assert_eq!(articles(&first), [103, 102]);
    let product = world.product(&anna, cabinet, 104, 0).await;
    world.ran_out(&anna, cabinet, product, 104).await;
    world.alert_closed(&anna, products[0]).await;
    world.project().await;
    let link = first.header("link");
    let next = link.split(['<', '>']).nth(1).unwrap();
    let second = world.get(&anna, next).send().await;
    assert_eq!(articles(second.is(StatusCode::OK)), [101]);
    assert_eq!(second.body["data"][0]["state"], "closed");
    assert_eq!(second.body["has_more"], false);
}
