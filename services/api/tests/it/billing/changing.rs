//! Another plan at the price that was shown, the end of a subscription, and the portal.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use simulators::stripe::Card;

use super::Shop;
use super::world::Buyer;

/// A seller who pays for a plan, without a trial.
async fn paying(shop: &Shop, plan: &str) -> Buyer {
    let anna = shop.registered("anna@shop.ru").await;
    shop.post(&anna, "cancel", json!({"immediately": true})).await;
    shop.bought(&anna, plan).await;
    assert_eq!(shop.stands(&anna).await, format!("{plan} active stripe"));
    anna
}

impl Shop {
    async fn preview(&self, seller: &Buyer, plan: &str) -> Value {
        let shown = self.post(seller, "change-plan", json!({"plan": plan})).await;
        shown.is(StatusCode::OK).body["preview"].clone()
    }
}

fn confirmed(plan: &str, preview: &Value) -> Value {
    json!({"plan": plan, "confirm": true, "proration_date": preview["proration_date"],
        "amount_due_now": preview["amount_due_now"]})
}

#[tokio::test]
async fn a_better_plan_costs_just_what_was_shown() {
    let shop = Shop::open().await;
    let anna = paying(&shop, "pro").await;
    shop.advance(TimeDelta::days(10));
    let preview = shop.preview(&anna, "enterprise").await;
    assert_eq!(
        shop.stands(&anna).await,
        "pro active stripe",
        "a preview changes nothing"
    );
    let due = preview["amount_due_now"].as_i64().unwrap();
    assert!(
        (4_000..7_000).contains(&due),
        "two thirds of 70 dollars: {preview}"
    );
    // The seller thinks for ten minutes; the sum stays.
    shop.advance(TimeDelta::minutes(10));
    let changed = shop
        .post(&anna, "change-plan", confirmed("enterprise", &preview))
        .await;
    changed.is(StatusCode::OK);
    assert_eq!(changed.body["subscription"]["plan_name"], "enterprise");
    assert_eq!(shop.stands(&anna).await, "enterprise active stripe");
    let id = shop.subscription(&anna).await["id"].as_str().unwrap().to_owned();
    let invoice = shop.stripe.object(&id).unwrap()["latest_invoice"].clone();
    let invoice = shop.stripe.object(invoice.as_str().unwrap()).unwrap();
    assert_eq!(invoice["amount_paid"], due);
}

#[tokio::test]
async fn a_lesser_plan_is_credited_and_costs_nothing_now() {
    let shop = Shop::open().await;
    let anna = paying(&shop, "enterprise").await;
    shop.advance(TimeDelta::days(10));
    let preview = shop.preview(&anna, "starter").await;
    assert_eq!(preview["amount_due_now"], 0);
    assert!(preview["credit"].as_i64().unwrap() > 5_000, "{preview}");
    shop.post(&anna, "change-plan", confirmed("starter", &preview))
        .await
        .is(StatusCode::OK);
    assert_eq!(shop.stands(&anna).await, "starter active stripe");
}

#[tokio::test]
async fn another_price_or_an_old_one_is_refused_and_changes_nothing() {
    let shop = Shop::open().await;
    let anna = paying(&shop, "pro").await;
    shop.advance(TimeDelta::days(10));
    let preview = shop.preview(&anna, "enterprise").await;
    let mut cheaper = confirmed("enterprise", &preview);
    cheaper["amount_due_now"] = json!(1);
    let refused = shop.post(&anna, "change-plan", cheaper).await;
    refused.is(StatusCode::CONFLICT).is_problem("conflict");

    // From the begin of the period more would be credited than is left.
    let mut early = confirmed("starter", &preview);
    early["proration_date"] = json!((shop.api.now() - TimeDelta::days(9)).to_rfc3339());
    shop.post(&anna, "change-plan", early)
        .await
        .is(StatusCode::CONFLICT);

    shop.advance(TimeDelta::minutes(16));
    let late = confirmed("enterprise", &preview);
    shop.post(&anna, "change-plan", late)
        .await
        .is(StatusCode::CONFLICT);

    let incomplete = json!({"plan": "enterprise", "confirm": true});
    let refused = shop.post(&anna, "change-plan", incomplete).await;
    assert_eq!(refused.pointers(), ["#/proration_date", "#/amount_due_now"]);
    assert_eq!(shop.stands(&anna).await, "pro active stripe");
}

#[tokio::test]
async fn a_declined_card_changes_nothing_and_the_way_on_is_told() {
    let shop = Shop::open().await;
    let anna = paying(&shop, "pro").await;
    shop.advance(TimeDelta::days(10));
    let preview = shop.preview(&anna, "enterprise").await;
    shop.card(&anna, Card::Declines).await;
    let declined = shop
        .post(&anna, "change-plan", confirmed("enterprise", &preview))
        .await;
    declined
        .is(StatusCode::PAYMENT_REQUIRED)
        .is_problem("payment-declined");
    assert!(declined.text.contains("portal-session"));
    assert_eq!(shop.stands(&anna).await, "pro active stripe");
}

#[tokio::test]
async fn the_plan_that_one_has_and_a_plan_without_a_subscription_are_refused() {
    let shop = Shop::open().await;
    let anna = paying(&shop, "pro").await;
    let same = shop.post(&anna, "change-plan", json!({"plan": "pro"})).await;
    same.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(same.pointers(), ["#/plan"]);
    let boris = shop.registered("boris@shop.ru").await;
    let without = shop.post(&boris, "change-plan", json!({"plan": "pro"})).await;
    without.is(StatusCode::NOT_FOUND);
    assert!(without.text.contains("checkout-session"), "{}", without.text);
}

#[tokio::test]
async fn a_subscription_ends_with_its_period_unless_that_is_taken_back() {
    let shop = Shop::open().await;
    let anna = paying(&shop, "pro").await;
    let ending = shop.post(&anna, "cancel", json!({})).await;
    let end: DateTime<Utc> = ending.is(StatusCode::OK).body["cancel_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(end > shop.api.now() + TimeDelta::days(27));
    assert_eq!(
        ending.body["next"],
        json!(["portal", "change_plan", "resume", "cancel"])
    );
    let kept = shop.post(&anna, "resume", json!({})).await;
    assert_eq!(kept.is(StatusCode::OK).body["cancel_at"], Value::Null);
    let nothing = shop.post(&anna, "resume", json!({})).await;
    nothing.is(StatusCode::CONFLICT);

    shop.post(&anna, "cancel", json!({})).await.is(StatusCode::OK);
    shop.advance(TimeDelta::days(32));
    shop.news(&anna).await;
    assert_eq!(shop.stands(&anna).await, "none");
}

#[tokio::test]
async fn a_subscription_that_ends_at_once_is_gone_and_another_can_be_bought() {
    let shop = Shop::open().await;
    let anna = paying(&shop, "pro").await;
    let ended = shop.post(&anna, "cancel", json!({"immediately": true})).await;
    assert_eq!(ended.is(StatusCode::OK).body, Value::Null);
    shop.post(&anna, "cancel", json!({}))
        .await
        .is(StatusCode::NOT_FOUND);
    shop.bought(&anna, "starter").await;
    assert_eq!(shop.stands(&anna).await, "starter active stripe");
}

#[tokio::test]
async fn the_portal_opens_for_whoever_has_bought_something() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    let early = shop.post(&anna, "portal-session", json!({})).await;
    early.is(StatusCode::NOT_FOUND);
    shop.bought(&anna, "pro").await;
    for body in [json!({}), json!({"payment_method": true})] {
        let portal = shop.post(&anna, "portal-session", body).await;
        let url = portal.is(StatusCode::CREATED).body["portal_url"]
            .as_str()
            .unwrap();
        assert!(url.starts_with(shop.stripe.url()), "{url}");
    }
}
