//! What one is notified of is everybody's own choice, and follows one's role.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, fresh_key, world};

const SETTINGS: &str = "/api/v1/notifications/settings";
const SNOOZES: &str = "/api/v1/notifications/snoozes";

impl World {
    /// A kind of notification is snoozed; its id.
    pub(crate) async fn snoozed(&self, seller: &Seller) -> Uuid {
        let until = self.clock.now() + chrono::TimeDelta::days(7);
        let body = json!({"kind": "stock.recovered", "until": until});
        let added = self.post(seller, SNOOZES, &body).await;
        added.is(StatusCode::CREATED).id("id")
    }

    async fn choose(&self, seller: &Seller, tag: &str, choice: &Value) -> Answer {
        let put = self.ask(Method::PUT, SETTINGS).token(&seller.access);
        let put = put.key(&fresh_key()).header("if-match", tag);
        put.json(choice).send().await
    }
}

#[tokio::test]
async fn who_chose_nothing_gets_what_the_role_can_do_something_about() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "viewer", "vera@shop.ru").await;
    let own = world.get(&anna, SETTINGS).send().await;
    let body = &own.is(StatusCode::OK).body;
    assert_eq!(body["telegram_linked"], false);
    assert_eq!(body["telegram"]["subscription.payment_failed"], true);
    assert_eq!(body["telegram"].as_object().unwrap().len(), 15);
    let own = world.get(&vera, SETTINGS).send().await;
    let kinds = &own.is(StatusCode::OK).body["telegram"];
    assert_eq!(
        (&kinds["stock.out"], &kinds["sync.failed"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        kinds["subscription.payment_failed"],
        Value::Null,
        "not for viewers"
    );
}

#[tokio::test]
async fn a_choice_is_kept_and_another_one_made_meanwhile_is_not_lost() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let first = world.get(&anna, SETTINGS).send().await;
    let tag = first.is(StatusCode::OK).header("etag").to_owned();
    let choice = json!({
        "telegram": {"stock.low": false}, "language": "en",
        "quiet_hours": {"from": "22:30", "until": "08:00"}, "digest_hour": 9,
    });
    let chosen = world.choose(&anna, &tag, &choice).await;
    let body = chosen.is(StatusCode::OK).body.clone();
    assert_eq!(
        (&body["telegram"]["stock.low"], &body["telegram"]["stock.out"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(body["quiet_hours"], json!({"from": "22:30", "until": "08:00"}));
    assert_eq!(
        (&body["language"], &body["digest_hour"]),
        (&json!("en"), &json!(9))
    );
    let shown = world.get(&anna, SETTINGS).send().await;
    assert_eq!(shown.is(StatusCode::OK).body, body);
    assert_eq!(shown.header("etag"), chosen.header("etag"));
    let late = world.choose(&anna, &tag, &json!({})).await;
    late.is(StatusCode::PRECONDITION_FAILED);
    let nothing = world.choose(&anna, chosen.header("etag"), &json!({})).await;
    assert_eq!(nothing.is(StatusCode::OK).body["telegram"]["stock.low"], true);
}

#[tokio::test]
async fn what_cannot_be_chosen_is_refused_by_its_field() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    for (choice, field) in [
        (json!({"telegram": {"stock.gone": true}}), "#/telegram"),
        (json!({"telegram": {"stock.low": "yes"}}), "#/telegram"),
        (json!({"language": "de"}), "#/language"),
        (
            json!({"quiet_hours": {"from": "24:00", "until": "08:00"}}),
            "#/quiet_hours",
        ),
        (
            json!({"quiet_hours": {"from": "8:00", "until": "09:00"}}),
            "#/quiet_hours",
        ),
        (
            json!({"quiet_hours": {"from": "08:00", "until": "08:00"}}),
            "#/quiet_hours",
        ),
        (json!({"digest_hour": 24}), "#/digest_hour"),
    ] {
        let refused = world.choose(&anna, "*", &choice).await;
        let body = &refused.is(StatusCode::UNPROCESSABLE_ENTITY).body;
        assert_eq!(body["errors"][0]["pointer"], field, "{choice}");
    }
    let now = world.clock.now();
    for (snooze, field) in [
        (json!({"until": now + chrono::TimeDelta::days(1)}), "#/product_id"),
        (
            json!({"kind": "stock.gone", "until": now + chrono::TimeDelta::days(1)}),
            "#/kind",
        ),
        (json!({"kind": "stock.low", "until": now}), "#/until"),
        (
            json!({"kind": "stock.low", "until": now + chrono::TimeDelta::days(400)}),
            "#/until",
        ),
        (json!({"kind": "stock.low"}), "#/until"),
    ] {
        let refused = world.post(&anna, SNOOZES, &snooze).await;
        let body = &refused.is(StatusCode::UNPROCESSABLE_ENTITY).body;
        assert_eq!(body["errors"][0]["pointer"], field, "{snooze}");
    }
}

#[tokio::test]
async fn a_snooze_is_ones_own_ends_by_itself_and_can_be_ended() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "admin", "vera@shop.ru").await;
    let product = world.listed(&anna, Uuid::from_u128(0xCAB), 700_001).await;
    let strange = json!({"product_id": Uuid::from_u128(7), "until": "2099-01-01T00:00:00Z"});
    let refused = world.post(&anna, SNOOZES, &strange).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    let day = chrono::TimeDelta::days(1);
    let of_product = json!({"product_id": product, "until": world.clock.now() + day});
    let first = world.post(&anna, SNOOZES, &of_product).await;
    let id = first.is(StatusCode::CREATED).id("id");
    let longer = json!({"product_id": product, "until": world.clock.now() + day * 3});
    let again = world.post(&anna, SNOOZES, &longer).await;
    assert_eq!(
        again.is(StatusCode::CREATED).id("id"),
        id,
        "one for the same product"
    );
    let kind = world.snoozed(&anna).await;
    let listed = async |seller: &Seller| -> Vec<Uuid> {
        let page = world.get(seller, SNOOZES).send().await;
        let data = page.is(StatusCode::OK).body["data"].clone();
        let ids = data.as_array().unwrap().iter();
        ids.map(|snooze| snooze["id"].as_str().unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(listed(&anna).await, [id, kind]);
    assert_eq!(listed(&vera).await, Vec::<Uuid>::new());
    let path = format!("{SNOOZES}/{kind}");
    world.delete(&vera, &path).await.is(StatusCode::NOT_FOUND);
    world.delete(&anna, &path).await.is(StatusCode::OK);
    assert_eq!(listed(&anna).await, [id]);
    world.clock.advance(day * 4);
    let anna = world.logged_in("anna@shop.ru").await;
    assert_eq!(listed(&anna).await, Vec::<Uuid>::new());
}
