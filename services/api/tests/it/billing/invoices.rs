//! What is sold without a card.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Shop;
use super::world::Buyer;
use crate::world::{Answer, listening, world_and_state};

impl Shop {
    async fn paid(&self, root: &Buyer, seller: &Buyer, change: &[(&str, Value)]) -> Answer {
        let mut invoice = json!({
            "plan": "enterprise", "until": (self.api.now() + TimeDelta::days(90)).to_rfc3339(),
            "invoice": "2026-117", "amount": 2_700_000, "currency": "rub", "reason": "three months in advance"
        });
        for (name, value) in change {
            invoice[name] = value.clone();
        }
        let path = format!("/api/v1/admin/users/{}/payments", seller.user);
        self.api.post(&self.seller(root).await, &path, &invoice).await
    }
}

#[tokio::test]
async fn a_paid_invoice_gives_the_plan_and_takes_the_place_of_the_trial() {
    let shop = Shop::open().await;
    let root = shop.administrator().await;
    let anna = shop.registered("anna@shop.ru").await;
    shop.paid(&root, &anna, &[]).await.is(StatusCode::OK);
    let shown = shop.subscription(&anna).await;
    assert_eq!(super::world::stands(&shown), "enterprise active invoice");
    assert_eq!(shown["id"], "2026-117");
    assert_eq!(shown["cancel_at"], shown["end_date"]);
    assert_eq!(
        shop.happened(&anna).await,
        [
            "subscription_started",
            "subscription_changed",
            "payment_succeeded"
        ]
    );
    // A correction of the end is no second payment.
    let later = json!((shop.api.now() + TimeDelta::days(120)).to_rfc3339());
    shop.paid(&root, &anna, &[("until", later)])
        .await
        .is(StatusCode::OK);
    let payments = shop.happened(&anna).await;
    let payments = payments
        .iter()
        .filter(|kind| *kind == "payment_succeeded")
        .count();
    assert_eq!(payments, 1);
}

#[tokio::test]
async fn wrong_invoices_are_refused_by_their_fields() {
    let shop = Shop::open().await;
    let root = shop.administrator().await;
    let anna = shop.registered("anna@shop.ru").await;
    for (field, value) in [
        ("plan", json!("free")),
        ("until", json!("tomorrow")),
        ("until", json!((shop.api.now() - TimeDelta::days(1)).to_rfc3339())),
        ("invoice", json!("")),
        ("amount", json!(-1)),
        ("currency", json!("rubles")),
        ("reason", json!("x".repeat(201))),
    ] {
        let refused = shop.paid(&root, &anna, &[(field, value.clone())]).await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.pointers(), [format!("#/{field}")], "{value}");
    }
    assert_eq!(shop.stands(&anna).await, "pro trialing trial");
}

#[tokio::test]
async fn whoever_pays_at_stripe_pays_no_invoice_and_the_other_way_round() {
    let shop = Shop::open().await;
    let root = shop.administrator().await;
    let anna = shop.registered("anna@shop.ru").await;
    let boris = shop.registered("boris@shop.ru").await;
    shop.bought(&anna, "pro").await;
    shop.paid(&root, &anna, &[]).await.is(StatusCode::CONFLICT);
    let payments = shop.happened(&anna).await;
    assert!(
        !payments.contains(&"payment_succeeded".to_owned()),
        "{payments:?}"
    );

    shop.paid(&root, &boris, &[("plan", json!("pro"))])
        .await
        .is(StatusCode::OK);
    let covered = shop
        .post(&boris, "checkout-session", json!({"plan": "pro"}))
        .await;
    covered.is(StatusCode::CONFLICT);
    shop.bought(&boris, "enterprise").await;
    assert_eq!(shop.stands(&boris).await, "enterprise active stripe");
}

#[tokio::test]
async fn a_grant_keeps_its_reason_and_ends_only_at_once_where_it_has_no_end() {
    let shop = Shop::open().await;
    let root = shop.administrator().await;
    let anna = shop.registered("anna@shop.ru").await;
    let path = format!("/api/v1/admin/users/{}/access", anna.user);
    let grant = json!({"plan": "enterprise", "plan_reason": "partner"});
    shop.api
        .patch(&shop.seller(&root).await, &path, &grant)
        .await
        .is(StatusCode::OK);
    let events = shop.api.events().await;
    let granted = events
        .iter()
        .rfind(|event| event.event_type == "subscription_changed")
        .unwrap();
    assert!(granted.payload.to_string().contains(r#""note":"partner""#));
    assert_eq!(shop.subscription(&anna).await["next"], json!(["cancel"]));
    let refused = shop.post(&anna, "cancel", json!({})).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    let change = shop.post(&anna, "change-plan", json!({"plan": "pro"})).await;
    change.is(StatusCode::CONFLICT);
    shop.post(&anna, "cancel", json!({"immediately": true}))
        .await
        .is(StatusCode::OK);
    assert_eq!(shop.stands(&anna).await, "none");
}

#[tokio::test]
async fn without_an_account_at_stripe_nothing_is_sold_by_card_and_that_is_said() {
    let (world, mut state) = world_and_state().await;
    let table = limits::Table::built_in().unwrap();
    state.app = state.app.clone().selling(table.plans().unwrap());
    let world = listening((world, state));
    let anna = world.registered("anna@shop.ru").await;
    for (path, body) in [
        ("checkout-session", json!({"plan": "pro"})),
        ("portal-session", json!({})),
    ] {
        let refused = world.post(&anna, &format!("/api/v1/billing/{path}"), &body).await;
        refused.is(StatusCode::CONFLICT).is_problem("conflict");
        assert!(refused.text.contains("not sold by card here"), "{}", refused.text);
    }
    let shown = world.get(&anna, "/api/v1/billing/subscription").send().await;
    assert_eq!(shown.body["next"], json!(["cancel"]));
}
