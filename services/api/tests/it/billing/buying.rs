//! The checkout: one at a time, and never beside a subscription.

use application::billing::ObserveError;
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::json;
use simulators::stripe::{Card, Failure};

use super::Shop;
use super::world::RETURN_URL;
use crate::world::fresh_key;

#[tokio::test]
async fn everybody_sees_the_plans_with_their_prices_and_limits() {
    let shop = Shop::open().await;
    let plans = shop.api.ask(Method::GET, "/api/v1/billing/plans").send().await;
    plans.is(StatusCode::OK);
    let shown: Vec<String> = plans.body["plans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| {
            let limit = |name: &str| plan[name].to_string();
            format!(
                "{} {} {} {} {} {}",
                plan["name"].as_str().unwrap(),
                plan["price_monthly"],
                limit("max_products"),
                limit("max_cabinets"),
                limit("sync_frequency_minutes"),
                limit("api_calls_limit")
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "FREE 0 100 1 1440 100",
            "STARTER 990 100 1 120 1000",
            "PRO 2990 1000 2 30 10000",
            "ENTERPRISE 9990 10000 null 10 100000",
        ]
    );
    assert_eq!(plans.body["trial"], json!({"plan": "pro", "days": 14}));
    assert_eq!(plans.body["by_card"], true);
}

#[tokio::test]
async fn a_new_user_has_pro_for_fourteen_days_and_then_the_plan_that_costs_nothing() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    let trial = shop.subscription(&anna).await;
    assert_eq!(super::world::stands(&trial), "pro trialing trial");
    let ends: chrono::DateTime<chrono::Utc> = trial["trial_end_date"].as_str().unwrap().parse().unwrap();
    assert_eq!(ends, shop.api.now() + TimeDelta::days(14));
    assert_eq!(trial["next"], json!(["checkout", "cancel"]));
    assert_eq!(trial["sync_frequency_minutes"], 30);
    assert_eq!(
        (&trial["api_calls_used"], &trial["api_calls_limit"]),
        (&json!(0), &json!(10_000))
    );
    shop.post(&anna, "cancel", json!({"immediately": true}))
        .await
        .is(StatusCode::OK);
    assert_eq!(shop.stands(&anna).await, "none");
    shop.api.project().await;
    let tenant = shop
        .api
        .get(&shop.seller(&anna).await, "/api/v1/tenants/me")
        .send()
        .await;
    assert_eq!(tenant.body["plan"], "free");
}

#[tokio::test]
async fn the_trial_goes_on_at_stripe_and_the_plan_is_paid_when_it_ends() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    let trial_end = shop.subscription(&anna).await["trial_end_date"].clone();
    shop.advance(TimeDelta::days(3));
    shop.bought(&anna, "pro").await;
    let paid = shop.subscription(&anna).await;
    assert_eq!(super::world::stands(&paid), "pro trialing stripe");
    assert_eq!(paid["trial_end_date"], trial_end);
    shop.advance(TimeDelta::days(12));
    shop.news(&anna).await;
    assert_eq!(shop.stands(&anna).await, "pro active stripe");
    assert_eq!(
        shop.happened(&anna).await,
        [
            "subscription_started",
            "subscription_started",
            "subscription_ended",
            "subscription_changed"
        ],
        "the trial makes room for what is paid"
    );
}

#[tokio::test]
async fn a_trial_that_ends_within_two_days_is_not_prolonged_by_buying() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    shop.advance(TimeDelta::days(13));
    shop.bought(&anna, "pro").await;
    assert_eq!(shop.stands(&anna).await, "pro active stripe");
}

#[tokio::test]
async fn asking_again_gives_the_same_page_and_another_plan_closes_it() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    let ask = async |plan: &str| shop.post(&anna, "checkout-session", json!({"plan": plan})).await;
    let first = ask("pro").await;
    let again = ask("pro").await;
    assert_eq!(first.is(StatusCode::CREATED).body, again.body);
    let other = ask("starter").await;
    assert_ne!(first.body["session_id"], other.body["session_id"]);
    let session = |answer: &crate::world::Answer| answer.body["session_id"].as_str().unwrap().to_owned();
    let state = |id: &str| shop.stripe.object(id).unwrap()["status"].clone();
    assert_eq!(state(&session(&first)), "expired");
    assert_eq!(state(&session(&other)), "open");
    let shown = shop.stripe.object(&session(&other)).unwrap();
    let success = shown["success_url"].as_str().unwrap();
    assert!(success.starts_with(RETURN_URL), "{success}");
}

#[tokio::test]
async fn requests_at_the_same_moment_end_with_one_page_that_can_be_paid() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    let ask = async || shop.post(&anna, "checkout-session", json!({"plan": "pro"})).await;
    let answers = tokio::join!(ask(), ask(), ask());
    let mut sessions: Vec<String> = [answers.0, answers.1, answers.2]
        .iter()
        .filter(|answer| answer.status == StatusCode::CREATED)
        .map(|answer| answer.body["session_id"].as_str().unwrap().to_owned())
        .collect();
    sessions.dedup();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_page() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    let key = fresh_key();
    let ask = async || {
        let path = "/api/v1/billing/checkout-session";
        let ask = shop
            .api
            .ask(Method::POST, path)
            .token(&shop.seller(&anna).await.access)
            .key(&key);
        ask.json(&json!({"plan": "pro"})).send().await
    };
    let first = ask().await;
    let again = ask().await;
    assert_eq!(first.is(StatusCode::CREATED).body, again.body);
    assert_eq!(again.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn nobody_pays_twice_whatever_became_of_the_first_payment() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    shop.post(&anna, "cancel", json!({"immediately": true})).await;
    let session = shop.checkout(&anna, "pro").await;
    assert!(shop.stripe.complete_checkout(&session, Card::Pays));
    // No news has come yet: Stripe itself is asked.
    let refused = shop.post(&anna, "checkout-session", json!({"plan": "pro"})).await;
    refused.is(StatusCode::CONFLICT).is_problem("subscription-exists");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("change-plan") && detail.contains("portal-session"),
        "{detail}"
    );

    shop.card(&anna, Card::Declines).await;
    shop.advance(TimeDelta::days(32));
    shop.news(&anna).await;
    assert_eq!(shop.stands(&anna).await, "pro past_due stripe");
    let refused = shop
        .post(&anna, "checkout-session", json!({"plan": "enterprise"}))
        .await;
    refused.is(StatusCode::CONFLICT).is_problem("subscription-exists");
    let shown = shop.subscription(&anna).await;
    assert_eq!(shown["next"], json!(["portal", "cancel"]));
    assert!(shown["grace_until"].is_string());
}

#[tokio::test]
async fn a_second_subscription_that_came_to_be_all_the_same_is_ended() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    shop.bought(&anna, "pro").await;
    let customer = shop.customer(&anna).await.customer;
    let first = shop.subscription(&anna).await["id"].as_str().unwrap().to_owned();
    // Somebody at Stripe's dashboard opens another one for the same customer.
    shop.advance(TimeDelta::minutes(1));
    let second = shop.second_checkout(&customer).await;
    assert!(shop.stripe.complete_checkout(&second, Card::Pays));
    let second = shop.stripe.object(&second).unwrap()["subscription"]
        .as_str()
        .unwrap()
        .to_owned();
    shop.news(&anna).await;
    assert_eq!(shop.subscription(&anna).await["id"], first.as_str());
    assert_eq!(shop.stripe.object(&first).unwrap()["status"], "trialing");
    assert_eq!(shop.stripe.object(&second).unwrap()["status"], "canceled");
}

impl Shop {
    async fn second_checkout(&self, customer: &str) -> String {
        let card = self.app.card.as_ref().unwrap();
        let checkout = connectors::stripe::Checkout {
            customer: &connectors::stripe::CustomerId::parse(customer).unwrap(),
            price: card.prices.of(events::subscription::Plan::Pro).unwrap(),
            metadata: &connectors::stripe::Metadata {
                tenant_id: None,
                user_id: Some("dashboard".to_owned()),
            },
            reference: "dashboard",
            success_url: RETURN_URL,
            cancel_url: RETURN_URL,
            trial_days: None,
            trial_end: None,
            promotion_codes: false,
            expires_at: None,
        };
        let key = runtime::Ids::system().next().into();
        let session = card.stripe.create_checkout(&key, &checkout).await.unwrap();
        session.id.as_str().to_owned()
    }
}

#[tokio::test]
async fn while_stripe_is_away_nothing_is_sold_and_the_same_request_succeeds_later() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    shop.stripe.fail(Failure {
        times: 1,
        ..Failure::default()
    });
    let key = fresh_key();
    let ask = async || {
        let path = "/api/v1/billing/checkout-session";
        let ask = shop
            .api
            .ask(Method::POST, path)
            .token(&shop.seller(&anna).await.access)
            .key(&key);
        ask.json(&json!({"plan": "pro"})).send().await
    };
    let failed = ask().await;
    failed.is(StatusCode::BAD_GATEWAY).is_problem("upstream-failed");
    ask().await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn prices_and_addresses_are_never_the_clients() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    let body = json!({"plan": "pro", "price_id": "price_evil", "success_url": "https://evil.example"});
    let refused = shop.post(&anna, "checkout-session", body).await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.pointers(), ["#/price_id", "#/success_url"]);
    let refused = shop
        .post(&anna, "checkout-session", json!({"plan": "free"}))
        .await;
    assert_eq!(refused.pointers(), ["#/plan"]);
}

#[tokio::test]
async fn an_administrator_sees_the_owners_contract_and_cannot_touch_it() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    let vera = shop
        .api
        .joined(&shop.seller(&anna).await, "admin", "vera@shop.ru")
        .await;
    let vera = shop.buyer("vera@shop.ru", vera);
    let shown = shop.subscription(&vera).await;
    assert_eq!(super::world::stands(&shown), "pro trialing trial");
    assert_eq!((&shown["is_yours"], &shown["next"]), (&json!(false), &json!([])));
    let refused = shop.post(&vera, "cancel", json!({})).await;
    refused.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn stripe_leads_back_to_a_page_that_runs_nothing() {
    let shop = Shop::open().await;
    let page = shop
        .api
        .ask(Method::GET, "/billing/done?session_id=cs_1")
        .send()
        .await;
    page.is(StatusCode::OK);
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    assert!(!page.text.contains("cs_1"));
}

#[tokio::test]
async fn a_customer_whom_another_process_reads_is_not_read_meanwhile() {
    let shop = Shop::open().await;
    let anna = shop.registered("anna@shop.ru").await;
    shop.bought(&anna, "pro").await;
    let customer = shop.customer(&anna).await;
    let minute = std::time::Duration::from_secs(60);
    let customers = &shop.app.customers;
    let lease = customers.take(&customer, minute).await.unwrap().unwrap();
    let before = shop.happened(&anna).await;
    assert!(matches!(shop.read(&anna).await, Err(ObserveError::Busy)));
    assert_eq!(shop.happened(&anna).await, before);
    customers.release(&customer, lease).await.unwrap();
    assert!(shop.read(&anna).await.is_ok());
}
