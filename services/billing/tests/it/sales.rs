//! Customers with their lease, and checkouts.

use std::time::Duration;

use billing::{Checkout, Checkouts, Customer, Customers};
use chrono::DateTime;
use database::{Pool, Role};
use events::ids::{TenantId, UserId};
use events::subscription::Plan;
use uuid::Uuid;

const MINUTE: Duration = Duration::from_secs(60);

struct World {
    _database: support::Database,
    api: Customers,
    worker: Customers,
    checkouts: Checkouts,
}

async fn world() -> World {
    let migrate = |url: String| async move { database::migrate(&url.into()).await.map(drop) };
    let template = support::template("core", migrate).await;
    let database = support::fresh_database(Some(&template)).await;
    let pool = |role| Pool::open(&database.url.clone().into(), role, 2).unwrap();
    let api = pool(Role::Api);
    World {
        api: Customers::new(api.clone()),
        worker: Customers::new(pool(Role::Worker)),
        checkouts: Checkouts::new(api),
        _database: database,
    }
}

fn anna(customer: &str) -> Customer {
    Customer {
        tenant_id: TenantId(Uuid::from_u128(0xA)),
        user_id: UserId(Uuid::from_u128(0xA1)),
        customer: customer.to_owned(),
    }
}

fn checkout(session: &str, plan: Plan) -> Checkout {
    Checkout {
        session: session.to_owned(),
        plan,
        url: format!("https://checkout.stripe.com/{session}"),
        expires_at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
    }
}

#[tokio::test]
async fn a_user_is_one_customer_even_if_two_were_made_at_once() {
    let world = world().await;
    let first = world.api.insert(&anna("cus_1")).await.unwrap();
    let second = world.api.insert(&anna("cus_2")).await.unwrap();
    assert_eq!((first.customer.as_str(), &second), ("cus_1", &first));
    let found = world.api.of_user(first.tenant_id, first.user_id).await.unwrap();
    assert_eq!(found, Some(first.clone()));
    assert_eq!(world.worker.by_id("cus_1").await.unwrap(), Some(first));
    assert_eq!(world.worker.by_id("cus_2").await.unwrap(), None);
}

#[tokio::test]
async fn a_customer_is_nobody_elses_and_the_api_sees_none_without_a_tenant() {
    let world = world().await;
    world.api.insert(&anna("cus_1")).await.unwrap();
    let boris = Customer {
        tenant_id: TenantId(Uuid::from_u128(0xB)),
        ..anna("cus_1")
    };
    assert!(world.api.insert(&boris).await.is_err());
    let found = world.api.of_user(boris.tenant_id, boris.user_id).await.unwrap();
    assert_eq!(found, None);
    assert_eq!(world.api.by_id("cus_1").await.unwrap(), None);
}

#[tokio::test]
async fn one_process_at_a_time_reads_a_customer() {
    let world = world().await;
    let anna = world.api.insert(&anna("cus_1")).await.unwrap();
    let lease = world.api.take(&anna, MINUTE).await.unwrap().unwrap();
    assert_eq!(world.worker.take(&anna, MINUTE).await.unwrap(), None);
    assert!(world.api.keep(&anna, lease, MINUTE).await.unwrap());
    world.api.release(&anna, lease).await.unwrap();
    assert!(!world.api.keep(&anna, lease, MINUTE).await.unwrap());
    let next = world.worker.take(&anna, MINUTE).await.unwrap().unwrap();
    assert_ne!(next, lease);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_anothers_and_does_not_come_back() {
    let world = world().await;
    let anna = world.api.insert(&anna("cus_1")).await.unwrap();
    let dead = world.api.take(&anna, Duration::ZERO).await.unwrap().unwrap();
    let next = world.worker.take(&anna, MINUTE).await.unwrap().unwrap();
    assert!(!world.api.keep(&anna, dead, MINUTE).await.unwrap());
    world.api.release(&anna, dead).await.unwrap();
    assert!(world.worker.keep(&anna, next, MINUTE).await.unwrap());
}

#[tokio::test]
async fn a_customer_that_was_deleted_is_forgotten_and_a_newer_one_is_not() {
    let world = world().await;
    world.api.insert(&anna("cus_2")).await.unwrap();
    world.worker.delete(&anna("cus_1")).await.unwrap();
    assert!(world.worker.by_id("cus_2").await.unwrap().is_some());
    world.worker.delete(&anna("cus_2")).await.unwrap();
    assert_eq!(world.worker.by_id("cus_2").await.unwrap(), None);
}

#[tokio::test]
async fn a_user_has_one_open_checkout_and_the_slower_of_two_requests_hears_of_it() {
    let world = world().await;
    let Customer {
        tenant_id, user_id, ..
    } = anna("cus_1");
    let (pro, starter) = (checkout("cs_1", Plan::Pro), checkout("cs_2", Plan::Starter));
    let replace = async |before: Option<&str>, by: &Checkout| {
        world
            .checkouts
            .replace(tenant_id, user_id, before, by)
            .await
            .unwrap()
    };
    assert!(replace(None, &pro).await);
    assert!(replace(None, &pro).await, "a repetition");
    assert!(!replace(None, &starter).await, "another one was faster");
    assert!(replace(Some("cs_1"), &starter).await);
    assert!(!replace(Some("cs_1"), &pro).await);
    let open = async || world.checkouts.of_user(tenant_id, user_id).await.unwrap();
    assert_eq!(open().await, Some(starter));
    world.checkouts.delete(tenant_id, user_id, "cs_1").await.unwrap();
    assert!(open().await.is_some());
    world.checkouts.delete(tenant_id, user_id, "cs_2").await.unwrap();
    assert_eq!(open().await, None);
}
