//! What a plan allows, how it is granted, and that a change counts at once.

use std::sync::Arc;

use api::ServerOptions;
use chrono::TimeDelta;
use limits::{Limiter, Store, Table};
use messaging::{Broker, BrokerOptions, Bucket};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{Seller, World, world_and_state};

/// Starter admits three requests, Pro six; the schedule is the one that is sold.
const TABLE: &str = "default_plan = \"starter\"\n\
    [address]\nrequests = 10000\nwindow_seconds = 60\n\
    [user]\nrequests = 10000\nwindow_seconds = 60\n\
    [plan.free]\nsync_interval_minutes = 1440\nrequests = 2\nwindow_seconds = 60\n\
    [plan.starter]\nsync_interval_minutes = 120\nrequests = 3\nwindow_seconds = 60\n\
    [plan.pro]\nsync_interval_minutes = 30\nrequests = 6\nwindow_seconds = 60\n\
    [plan.enterprise]\nsync_interval_minutes = 10\nrequests = 9\nwindow_seconds = 60\n";

async fn selling(counted: bool) -> World {
    let table = Table::parse(TABLE).unwrap();
    let (mut world, mut state) = world_and_state().await;
    state.app = state.app.clone().selling(table.plans().unwrap());
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap());
    if counted {
        let broker = Broker::connect(BrokerOptions::new(support::nats().await.url(), "plans"))
            .await
            .unwrap();
        assert!(broker.wait_connected(support::SOON).await);
        let bucket = Bucket::limits(&broker);
        // Made by the first use, which takes longer than a request would wait.
        bucket.get("any").await.unwrap();
        let store: Arc<dyn Store> = Arc::new(bucket);
        let salt = runtime::Ids::system().next().as_bytes().to_vec();
        options.limiter = Some(Arc::new(Limiter::new(store, table, salt, Arc::new(|_| {}))));
    }
    let bound = api::build_with(state, options).unwrap();
    world.base = format!("http://127.0.0.1:{}", bound.port());
    tokio::spawn(bound.run());
    world
}

impl World {
    pub(crate) async fn grant(&self, root: &Seller, to: &Seller, plan: &str) {
        let path = format!("/api/v1/admin/users/{}/access", self.user(to));
        let granted = self.patch(root, &path, &json!({"plan": plan})).await;
        granted.is(StatusCode::OK);
    }

    /// Somebody who registered, and whose trial is over.
    async fn after_the_trial(&self, email: &str) -> Seller {
        let seller = self.registered(email).await;
        let ended = events::subscription::SubscriptionEnded {
            slot: events::subscription::Slot::Manual,
            reference: None,
            reason: "trial_ended".to_owned(),
        };
        let ended = events::catalog::SubscriptionEvent::from(ended);
        self.record(seller.tenant, self.user(&seller), 1, vec![ended.into()])
            .await;
        seller
    }

    /// Requests that are admitted before one is refused.
    async fn admitted(&self, seller: &Seller) -> usize {
        for count in 0..20 {
            if self.me(seller).await.status == StatusCode::TOO_MANY_REQUESTS {
                return count;
            }
        }
        panic!("never refused")
    }

    /// The plan that the business is shown to have.
    async fn plan(&self, seller: &Seller) -> String {
        let shown = self.get(seller, "/api/v1/tenants/me").send().await;
        shown.is(StatusCode::OK).body["plan"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_better_plan_admits_more_requests_and_a_change_counts_at_once() {
    let world = selling(true).await;
    let root = world.administrator("root@platform.ru").await;
    let (anna, boris) = (
        world.after_the_trial("anna@shop.ru").await,
        world.after_the_trial("boris@shop.ru").await,
    );
    world.grant(&root, &anna, "pro").await;
    assert_eq!(world.admitted(&boris).await, 3);
    assert_eq!(world.admitted(&anna).await, 6);
    // The clock stands still: the very next request of somebody who was refused a moment ago.
    world.grant(&root, &boris, "pro").await;
    assert_eq!(world.admitted(&boris).await, 3, "three more");
    let refused = world.me(&boris).await;
    assert!(refused.header("ratelimit-policy").contains("\"tenant\";q=6;w=60"));
}

#[tokio::test]
async fn another_replica_counts_a_changed_plan_within_a_second() {
    let world = selling(true).await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.after_the_trial("anna@shop.ru").await;
    assert_eq!(world.admitted(&anna).await, 3);
    // Granted elsewhere: this replica is not told, and looks again a second later.
    let contract = events::subscription::Contract {
        plan: events::subscription::Plan::Enterprise,
        status: events::subscription::SubscriptionStatus::Active,
        period_end: None,
        cancel_at: None,
        basis: events::subscription::Basis::Grant,
        reference: None,
        trial_end: None,
        grace_until: None,
        note: None,
    };
    let started = events::subscription::SubscriptionStarted { contract };
    let started = events::catalog::SubscriptionEvent::from(started);
    world
        .record(anna.tenant, world.user(&anna), 2, vec![started.into()])
        .await;
    assert_eq!(world.me(&anna).await.status, StatusCode::TOO_MANY_REQUESTS);
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(world.admitted(&anna).await, 6, "nine less the three of before");
    drop(root);
}

#[tokio::test]
async fn a_business_has_the_best_plan_of_its_owners_and_of_nobody_else() {
    let world = selling(false).await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.after_the_trial("anna@shop.ru").await;
    let (boris, vera) = (
        world.joined(&anna, "owner", "boris@shop.ru").await,
        world.joined(&anna, "admin", "vera@shop.ru").await,
    );
    world.project().await;
    assert_eq!(
        world.plan(&anna).await,
        "starter",
        "the plan of those who have none"
    );
    world.grant(&root, &vera, "enterprise").await;
    assert_eq!(
        world.plan(&anna).await,
        "starter",
        "an administrator's plan is his own"
    );
    world.grant(&root, &anna, "free").await;
    assert_eq!(world.plan(&anna).await, "free");
    world.grant(&root, &boris, "pro").await;
    assert_eq!(world.plan(&anna).await, "pro");
    let path = format!("/api/v1/tenants/me/members/{}", world.user(&vera));
    world
        .patch(&anna, &path, &json!({"role": "owner"}))
        .await
        .is(StatusCode::OK);
    assert_eq!(world.plan(&anna).await, "enterprise", "now she owns it");
    world.delete(&anna, &path).await.is(StatusCode::OK);
    assert_eq!(world.plan(&anna).await, "pro");
    world.grant(&root, &boris, "none").await;
    assert_eq!(world.plan(&anna).await, "free");
    let rows = world.get(&root, "/api/v1/admin/users").send().await;
    let of = |email: &str| {
        let rows = rows.body["data"].as_array().unwrap();
        rows.iter().find(|row| row["email"] == email).unwrap()["plan"].clone()
    };
    assert_eq!(
        (of("anna@shop.ru"), of("boris@shop.ru")),
        (json!("free"), json!(null))
    );
}

#[tokio::test]
async fn a_rhythm_shorter_than_the_plan_allows_is_refused_by_its_field_until_a_better_plan_is_granted() {
    let world = selling(false).await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.after_the_trial("anna@shop.ru").await;
    let path = format!("/api/v1/cabinets/{}", world.cabinet(&anna).await);
    world.project().await;
    let tag = world.get(&anna, &path).send().await.header("etag").to_owned();
    let change = async |body: serde_json::Value| {
        world
            .command(&anna, Method::PATCH, &path, &body)
            .header("if-match", &tag)
            .send()
            .await
    };
    let refused = change(json!({"interval_seconds": 1800})).await;
    refused.is(StatusCode::PAYMENT_REQUIRED).is_problem("plan-limit");
    assert_eq!(refused.pointers(), ["#/interval_seconds"]);
    let fields = ["limit", "used", "allowed", "plan", "lifted_by"].map(|field| &refused.body[field]);
    let named = json!(["sync_interval_seconds", 1800, 7200, "starter", "pro"]);
    assert_eq!(json!(fields), named);
    world.grant(&root, &anna, "pro").await;
    change(json!({"interval_seconds": 1800})).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_plan_that_would_be_over_and_a_plan_that_nobody_sells_are_refused_by_their_fields() {
    let world = selling(false).await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.after_the_trial("anna@shop.ru").await;
    let path = format!("/api/v1/admin/users/{}/access", world.user(&anna));
    let yesterday = (world.clock.now() - TimeDelta::days(1)).to_rfc3339();
    let pointer = async |body: serde_json::Value| {
        let refused = world.patch(&root, &path, &body).await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY).body["errors"][0]["pointer"].clone()
    };
    assert_eq!(
        pointer(json!({"plan": "pro", "plan_until": yesterday})).await,
        "#/plan_until"
    );
    assert_eq!(pointer(json!({"plan": "gold"})).await, "#/plan");
    assert_eq!(
        pointer(json!({"is_active": true, "plan_until": yesterday})).await,
        "#/plan_until"
    );
    let until = world.clock.now() + TimeDelta::days(30);
    let granted = json!({"plan": "pro", "plan_until": until.to_rfc3339()});
    world.patch(&root, &path, &granted).await.is(StatusCode::OK);
    let rows = world.get(&root, "/api/v1/admin/users").send().await;
    let ends = rows.body["data"][1]["plan_ends_at"].as_str().unwrap();
    assert_eq!(ends.parse::<chrono::DateTime<chrono::Utc>>().unwrap(), until);
}

#[tokio::test]
async fn a_business_keeps_its_days_by_a_zone_that_exists() {
    let world = selling(false).await;
    let anna = world.after_the_trial("anna@shop.ru").await;
    world.project().await;
    let me = "/api/v1/tenants/me";
    let zone = async || world.get(&anna, me).send().await.body["time_zone"].clone();
    assert_eq!(zone().await, "Europe/Moscow");
    let refused = world
        .patch(&anna, me, &json!({"time_zone": "Mars/Olympus"}))
        .await;
    refused.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["errors"][0]["pointer"], "#/time_zone");
    let both = json!({"name": "Shop East", "time_zone": "Asia/Vladivostok"});
    world.patch(&anna, me, &both).await.is(StatusCode::OK);
    world.project().await;
    assert_eq!(zone().await, "Asia/Vladivostok");
    world
        .patch(&anna, me, &json!({}))
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
}
