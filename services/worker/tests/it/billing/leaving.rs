//! Customers that go: erased here, deleted at Stripe, or with a contract whose time seems to be over.

use application::erasure;
use auth::erasures::{Erasure, Subject};
use chrono::TimeDelta;
use events::subscription::{Plan, SubscriptionStatus};
use messaging::{Broker, BrokerOptions, topology};
use serde_json::Value;
use simulators::stripe::{Card, Failure, PRICE_PRO, PRICE_STARTER};
use support::Own;
use uuid::Uuid;
use worker::erasures::Erasures;
use worker::maintenance::end_contracts;

use super::shop::{PAYER, Seller, Shop, row};

async fn broker() -> (Own<embedded::Nats>, Broker) {
    let nats = support::own_nats().await;
    let broker = Broker::connect(BrokerOptions::new(nats.url(), "billing test"))
        .await
        .unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    topology::apply(&broker).await.unwrap();
    (nats, broker)
}

fn erasures(shop: &Shop, broker: &Broker) -> Erasures {
    Erasures {
        app: shop.deliveries.taking.app.clone(),
        broker: broker.clone(),
        clock: shop.clock.clone(),
    }
}

fn wanted(shop: &Shop, seller: &Seller) -> Erasure {
    Erasure {
        tenant_id: seller.tenant_id,
        erasure_id: Uuid::from_u128(0xE7A5E),
        subject: Subject::Tenant(seller.tenant_id),
        requested_by: format!("user:{}", seller.user_id),
        requested_at: shop.clock.now(),
    }
}

async fn bodies_with(shop: &Shop, text: &str) -> i64 {
    let admin = support::connect(&shop.database.url).await;
    let sql = "SELECT count(*) FROM core.stripe_events WHERE position($1 IN convert_from(body, 'UTF8')) > 0";
    admin.query_one(sql, &[&text]).await.unwrap().get(0)
}

fn state_of(shop: &Shop, id: &str) -> String {
    let object = shop.stripe.object(id).unwrap();
    object["status"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn whoever_is_erased_is_deleted_at_stripe_before_the_act_is_closed_and_no_body_is_left() {
    let shop = Shop::open().await;
    let (_nats, broker) = broker().await;
    let (anna, boris) = (
        shop.seller("anna@example.com").await,
        shop.seller("boris@example.com").await,
    );
    let of_anna = shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    let of_boris = shop.buys(&boris, PRICE_PRO, Card::Pays).await;
    shop.deliver_all().await;
    shop.handled().await;
    assert!(bodies_with(&shop, &anna.customer).await > 0);
    let wanted = wanted(&shop, &anna);
    let ledger = erasure::ledger(&shop.api);
    ledger.request(&wanted).await.unwrap();
    erasure::carry_out(&shop.api, &wanted, shop.clock.now())
        .await
        .unwrap();
    shop.clock.advance(TimeDelta::seconds(150));
    let worker = erasures(&shop, &broker);
    let no = Failure {
        path: format!("/v1/customers/{}", anna.customer),
        method: Some("DELETE".to_owned()),
        status: 503,
        should_retry: Some(false),
        done: true,
        ..Failure::default()
    };
    shop.stripe.fail(no);
    worker.round().await.unwrap_err();
    let act = async || ledger.act(anna.tenant_id, wanted.subject).await.unwrap().unwrap();
    assert_eq!(act().await.get("finished_at"), None, "Stripe may still know her");

    worker.round().await.unwrap();
    assert!(act().await["finished_at"].is_string());
    assert_eq!(state_of(&shop, of_anna.as_str()), "canceled");
    let deleted = shop.client.customer(&anna.customer.parse_id()).await.unwrap();
    assert!(deleted.deleted);
    assert_eq!(bodies_with(&shop, &anna.customer).await, 0);
    // Stripe tells of the end that we brought about.
    shop.deliver_all().await;
    shop.handled().await;
    assert_eq!(bodies_with(&shop, &anna.customer).await, 0);
    assert!(bodies_with(&shop, PAYER).await > 0, "of others");
    assert_eq!(state_of(&shop, of_boris.as_str()), "active");
    assert_eq!(
        shop.contracts().await,
        [row(&boris, Plan::Pro, SubscriptionStatus::Active)]
    );
}

trait ParseId {
    fn parse_id(&self) -> connectors::stripe::CustomerId;
}

impl ParseId for String {
    fn parse_id(&self) -> connectors::stripe::CustomerId {
        connectors::stripe::CustomerId::parse(self).unwrap()
    }
}

#[tokio::test]
async fn a_customer_deleted_at_stripe_ends_the_contract_and_late_payments_still_count() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_PRO, Card::Pays).await;
    let paid = shop.events_of("invoice.paid");
    for event in shop.events().iter().filter(|event| **event != paid[0]) {
        shop.deliver(event).await;
    }
    shop.handled().await;
    let key = connectors::stripe::IdempotencyKey::new("by hand").unwrap();
    shop.client
        .delete_customer(&key, &anna.customer.parse_id())
        .await
        .unwrap();
    for event in shop.events().iter().filter(|event| **event != paid[0]) {
        shop.deliver(event).await;
    }
    shop.handled().await;
    assert!(shop.contracts().await.is_empty());
    let known = shop
        .api
        .customers
        .of_user(anna.tenant_id, anna.user_id)
        .await
        .unwrap();
    assert_eq!(known, None, "the next purchase makes another customer");
    shop.deliver(&paid[0]).await;
    shop.handled().await;
    assert_eq!(shop.happened(&anna).await.last().unwrap(), "payment_succeeded");
}

#[tokio::test]
async fn a_contract_at_stripe_lapses_only_after_stripe_was_asked() {
    let shop = Shop::open().await;
    let anna = shop.seller("anna@example.com").await;
    shop.buys(&anna, PRICE_STARTER, Card::Pays).await;
    shop.deliver_all().await;
    shop.handled().await;
    let active = [row(&anna, Plan::Starter, SubscriptionStatus::Active)];
    // The renewal is not delivered.
    shop.advance(TimeDelta::days(35));
    shop.stripe.fail(Failure {
        path: "/v1/subscriptions".to_owned(),
        status: 503,
        should_retry: Some(false),
        ..Failure::default()
    });
    end_contracts(&shop.deliveries.taking.app, &shop.clock)
        .await
        .unwrap();
    assert_eq!(shop.contracts().await, active, "nobody could be asked");
    end_contracts(&shop.deliveries.taking.app, &shop.clock)
        .await
        .unwrap();
    assert_eq!(shop.contracts().await, active, "Stripe says that it goes on");
    let end: Value = shop.stripe.object(&reference(&shop).await).unwrap();
    assert_eq!(end["status"], "active");
    let asked = shop.happened(&anna).await;
    assert_eq!(asked.last().unwrap(), "subscription_changed", "{asked:?}");
}

async fn reference(shop: &Shop) -> String {
    let admin = support::connect(&shop.database.url).await;
    let sql = "SELECT reference FROM core.subscriptions";
    admin.query_one(sql, &[]).await.unwrap().get(0)
}
