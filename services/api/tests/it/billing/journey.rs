//! A seller's whole way through the plans, with a moving clock: once by card and once by invoice. What Stripe
//! sends is delivered to the webhook, stored, and taken up as the worker does it.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use simulators::stripe::Card;

use super::Shop;
use super::world::Buyer;

impl Shop {
    /// What the seller has, and the plan that the business has by it.
    async fn has(&self, buyer: &Buyer) -> (String, String) {
        (self.stands(buyer).await, self.plan(buyer).await)
    }

    async fn changes_plan(&self, buyer: &Buyer, plan: &str) -> Value {
        let preview = self.post(buyer, "change-plan", json!({"plan": plan})).await;
        let preview = preview.is(StatusCode::OK).body["preview"].clone();
        let agreed = json!({"plan": plan, "confirm": true, "proration_date": preview["proration_date"],
            "amount_due_now": preview["amount_due_now"]});
        self.post(buyer, "change-plan", agreed).await.is(StatusCode::OK);
        self.arrived().await;
        preview
    }
}

fn has(contract: &str, plan: &str) -> (String, String) {
    (contract.to_owned(), plan.to_owned())
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn from_registration_to_the_end_by_card() {
    let shop = Shop::open().await;

    // Registered: fourteen days of PRO, without a card.
    let anna = shop.registered("anna@shop.ru").await;
    assert_eq!(shop.has(&anna).await, has("pro trialing trial", "pro"));

    // Five days later a checkout is paid. The trial goes on at Stripe, and nothing is charged yet.
    shop.pass(TimeDelta::days(5)).await;
    let session = shop.checkout(&anna, "pro").await;
    assert!(shop.stripe.complete_checkout(&session, Card::Pays));
    shop.arrived().await;
    assert_eq!(shop.has(&anna).await, has("pro trialing stripe", "pro"));

    // The trial ends, and the first month is paid.
    shop.pass(TimeDelta::days(10)).await;
    assert_eq!(shop.has(&anna).await, has("pro active stripe", "pro"));

    // A month later the card is declined: nothing is taken away for seven days.
    shop.card(&anna, Card::Declines).await;
    shop.pass(TimeDelta::days(31)).await;
    assert_eq!(shop.has(&anna).await, has("pro past_due stripe", "pro"));
    let late = shop.subscription(&anna).await;
    let grace_until = time(&late["grace_until"]);
    assert!(grace_until > shop.api.now(), "{late}");
    assert_eq!(late["next"], json!(["portal", "cancel"]));

    // An hour before the grace is over the plan still holds.
    shop.pass(grace_until - shop.api.now() - TimeDelta::hours(1))
        .await;
    assert_eq!(shop.plan(&anna).await, "pro");

    // The card pays again, and the late invoice is paid.
    shop.card(&anna, Card::Pays).await;
    shop.pay_what_is_open(&anna).await;
    assert_eq!(shop.has(&anna).await, has("pro active stripe", "pro"));
    assert_eq!(shop.subscription(&anna).await["grace_until"], Value::Null);

    // A better plan is charged at once, at the price that was shown.
    let upgrade = shop.changes_plan(&anna, "enterprise").await;
    assert!(upgrade["amount_due_now"].as_i64().unwrap() > 0, "{upgrade}");
    assert_eq!(
        shop.has(&anna).await,
        has("enterprise active stripe", "enterprise")
    );

    // A lesser plan is credited.
    shop.pass(TimeDelta::days(1)).await;
    let downgrade = shop.changes_plan(&anna, "starter").await;
    assert_eq!(downgrade["amount_due_now"], 0);
    assert!(downgrade["credit"].as_i64().unwrap() > 0, "{downgrade}");
    assert_eq!(shop.has(&anna).await, has("starter active stripe", "starter"));

    // Cancelled, it lasts to the end of what is paid, and then costs nothing.
    let ending = shop.post(&anna, "cancel", json!({})).await;
    let end = time(&ending.is(StatusCode::OK).body["cancel_at"]);
    shop.pass(end - shop.api.now() - TimeDelta::hours(1)).await;
    assert_eq!(shop.has(&anna).await, has("starter active stripe", "starter"));
    shop.pass(TimeDelta::hours(2)).await;
    assert_eq!(shop.has(&anna).await, has("none", "free"));

    let happened = shop.happened(&anna).await;
    assert_eq!(happened.last().map(String::as_str), Some("subscription_ended"));
    let count = |kind: &str| happened.iter().filter(|event| *event == kind).count();
    assert!(count("payment_succeeded") >= 3, "{happened:?}");
    assert!(count("payment_failed") >= 1, "{happened:?}");
}

impl Shop {
    /// The seller pays the open invoice, as one does on Stripe's page.
    async fn pay_what_is_open(&self, buyer: &Buyer) {
        let id = self.subscription(buyer).await["id"].as_str().unwrap().to_owned();
        let invoice = self.stripe.object(&id).unwrap()["latest_invoice"].clone();
        let url = format!(
            "{}/v1/invoices/{}/pay",
            self.stripe.url(),
            invoice.as_str().unwrap()
        );
        let paid = self.api.elsewhere(&url, self.stripe.api_key()).await;
        assert_eq!(paid, StatusCode::OK);
        self.arrived().await;
    }
}

#[tokio::test]
async fn a_payment_that_stays_late_takes_the_plan_after_seven_days_and_gives_it_back_when_it_comes() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    shop.post(&anna, "cancel", json!({"immediately": true})).await;
    let session = shop.checkout(&anna, "pro").await;
    assert!(shop.stripe.complete_checkout(&session, Card::PaysThenDeclines));
    shop.arrived().await;
    shop.pass(TimeDelta::days(31)).await;
    let grace_until = time(&shop.subscription(&anna).await["grace_until"]);
    shop.pass(grace_until - shop.api.now() + TimeDelta::minutes(1))
        .await;
    assert_eq!(shop.has(&anna).await, has("pro unpaid stripe", "free"));
    let refused = shop.post(&anna, "checkout-session", json!({"plan": "pro"})).await;
    refused.is_problem("subscription-exists");
    shop.card(&anna, Card::Pays).await;
    shop.pay_what_is_open(&anna).await;
    assert_eq!(shop.has(&anna).await, has("pro active stripe", "pro"));
}

#[tokio::test]
async fn from_registration_to_the_end_by_invoice() {
    let shop = Shop::open().await;
    let root = shop.administrator().await;

    // Registered, tried, and the trial ends: what costs nothing stays.
    let anna = shop.registered("anna@shop.ru").await;
    shop.pass(TimeDelta::days(12)).await;
    assert_eq!(shop.has(&anna).await, has("pro trialing trial", "pro"));
    shop.pass(TimeDelta::days(3)).await;
    assert_eq!(shop.has(&anna).await, has("none", "free"));

    // An invoice for three months is paid by bank transfer, and recorded.
    let pay = async |plan: &str, number: &str, days: i64| {
        let until = (shop.api.now() + TimeDelta::days(days)).to_rfc3339();
        let paid =
            json!({"plan": plan, "until": until, "invoice": number, "amount": 810_000, "currency": "RUB"});
        let path = format!("/api/v1/admin/users/{}/payments", anna.user.uuid());
        let recorded = shop.api.post(&shop.seller(&root).await, &path, &paid).await;
        recorded.is(StatusCode::OK);
    };
    pay("pro", "2026-117", 90).await;
    assert_eq!(shop.has(&anna).await, has("pro active invoice", "pro"));

    // The next invoice is for a better plan, the one after it for a lesser one.
    shop.pass(TimeDelta::days(80)).await;
    pay("enterprise", "2026-180", 90).await;
    assert_eq!(
        shop.has(&anna).await,
        has("enterprise active invoice", "enterprise")
    );
    shop.pass(TimeDelta::days(80)).await;
    pay("starter", "2026-240", 30).await;
    assert_eq!(shop.has(&anna).await, has("starter active invoice", "starter"));

    // Nothing is paid after that: it ends to the hour.
    shop.pass(TimeDelta::days(30) - TimeDelta::hours(1)).await;
    assert_eq!(shop.plan(&anna).await, "starter");
    shop.pass(TimeDelta::hours(2)).await;
    assert_eq!(shop.has(&anna).await, has("none", "free"));
    assert_eq!(
        shop.happened(&anna).await,
        [
            "subscription_started",
            "trial_ending",
            "subscription_ended",
            "subscription_started",
            "payment_succeeded",
            "subscription_changed",
            "payment_succeeded",
            "subscription_changed",
            "payment_succeeded",
            "subscription_ended",
        ]
    );
}
