//! Endpoints for outgoing webhooks over HTTP: who may, what is shown, and what is never shown again.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, listening, world, world_and_state};

const PATH: &str = "/api/v1/webhook-endpoints";

impl World {
    /// An endpoint of the seller's business, whatever its plan.
    pub(crate) async fn webhook(&self, seller: &Seller, url: &str) -> Uuid {
        self.sql("UPDATE core.tenant_terms SET plan = 'pro'").await;
        let added = self.post(seller, PATH, &json!({ "url": url })).await;
        added.is(StatusCode::CREATED).id("id")
    }

    pub(crate) async fn ping(&self, seller: &Seller, id: Uuid) -> Answer {
        self.post(seller, &format!("{PATH}/{id}/ping"), &json!({})).await
    }

    async fn endpoint(&self, seller: &Seller, id: Uuid) -> Answer {
        self.get(seller, &format!("{PATH}/{id}")).send().await
    }
}

#[tokio::test]
async fn an_endpoint_is_added_changed_rotated_and_removed() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let wanted = json!({
        "url": "https://hooks.shop.ru/canary-7f3a", "types": ["stock.out", "stock.low"], "description": "ERP"
    });
    let added = world.post(&anna, PATH, &wanted).await;
    let id = added.is(StatusCode::CREATED).id("id");
    let secret = added.body["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    let shown = world.endpoint(&anna, id).await;
    assert_eq!(shown.body["host"], "hooks.shop.ru");
    assert_eq!(shown.body["types"], json!(["stock.low", "stock.out"]));
    assert_eq!(shown.body["description"], "ERP");
    let path = format!("{PATH}/{id}");
    let change = world.command(&anna, Method::PATCH, &path, &json!({"enabled": false}));
    let changed = change.header("if-match", shown.header("etag")).send().await;
    changed.is(StatusCode::OK);
    let off = world.endpoint(&anna, id).await;
    assert_eq!(off.body["disabled_reason"], "person");
    world.ping(&anna, id).await.is(StatusCode::CONFLICT);
    let stale = world.command(&anna, Method::PATCH, &path, &json!({"enabled": true}));
    let stale = stale.header("if-match", shown.header("etag")).send().await;
    stale.is(StatusCode::PRECONDITION_FAILED);
    let rotated = world
        .post(&anna, &format!("{path}/rotate-secret"), &json!({}))
        .await;
    let second = rotated.is(StatusCode::OK).body["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(second, secret);
    for answer in [
        world.endpoint(&anna, id).await,
        world.get(&anna, PATH).send().await,
    ] {
        for hidden in [secret.as_str(), second.as_str(), "canary-7f3a"] {
            assert!(!answer.text.contains(hidden), "{}", answer.text);
        }
    }
    world.delete(&anna, &path).await.is(StatusCode::OK);
    world.endpoint(&anna, id).await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn neither_address_nor_secret_is_in_any_table_in_the_clear() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let added = world
        .post(&anna, PATH, &json!({"url": "https://hooks.shop.ru/canary-7f3a"}))
        .await;
    let id = added.is(StatusCode::CREATED).id("id");
    let secret = added.body["secret"].as_str().unwrap().to_owned();
    world.ping(&anna, id).await.is(StatusCode::ACCEPTED);
    let admin = support::connect(world.database_url()).await;
    let tables = "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables \
                   WHERE table_schema = 'core' AND table_type = 'BASE TABLE'";
    let mut found = 0;
    for table in admin.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        let sql = format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t");
        let text: String = admin.query_one(&sql, &[]).await.unwrap().get(0);
        found += usize::from(text.contains("hooks.shop.ru"));
        let kept = hex::encode("canary-7f3a");
        let hidden = [
            secret.as_str(),
            "canary-7f3a",
            kept.as_str(),
            &hex::encode(&secret),
        ];
        assert!(hidden.iter().all(|hidden| !text.contains(hidden)), "in {table}");
    }
    assert!(found >= 2, "the host is in the log and in the table");
}

#[tokio::test]
async fn an_address_of_our_own_network_is_refused_and_the_field_is_named() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    for url in [
        "http://hooks.shop.ru/",
        "https://127.0.0.1/",
        "https://[::ffff:169.254.169.254]/",
        "https://hooks.shop.ru:22/",
        "https://localhost/",
        "nothing",
    ] {
        let refused = world.post(&anna, PATH, &json!({ "url": url })).await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.pointers(), ["#/url"], "{url}");
    }
    let unknown = json!({"url": "https://hooks.shop.ru/", "types": ["stock.gone"]});
    let refused = world.post(&anna, PATH, &unknown).await;
    assert_eq!(refused.pointers(), ["#/types"]);
}

#[tokio::test]
async fn a_business_has_twenty_endpoints_at_most() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    for _endpoint in 0..20 {
        world.webhook(&anna, "https://hooks.shop.ru/").await;
    }
    let more = world
        .post(&anna, PATH, &json!({"url": "https://hooks.shop.ru/"}))
        .await;
    more.is(StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_plan_without_webhooks_refuses_them_and_names_the_one_that_has_them() {
    let (world, mut state) = world_and_state().await;
    let table = limits::Table::built_in().unwrap();
    state.app = state.app.clone().selling(table.plans().unwrap());
    let world = listening((world, state));
    let anna = world.registered("anna@shop.ru").await;
    world.sql("UPDATE core.tenant_terms SET plan = 'starter'").await;
    let refused = world
        .post(&anna, PATH, &json!({"url": "https://hooks.shop.ru/"}))
        .await;
    refused.is(StatusCode::PAYMENT_REQUIRED).is_problem("plan-limit");
    assert_eq!(refused.body["limit"], "webhooks");
    assert_eq!(refused.body["lifted_by"], "pro");
}

#[tokio::test]
async fn deliveries_are_listed_in_pages_and_replayed() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let id = world.webhook(&anna, "https://hooks.shop.ru/").await;
    let first = world.ping(&anna, id).await.is(StatusCode::ACCEPTED).body["message_id"].clone();
    let again = world.ping(&anna, id).await.is(StatusCode::ACCEPTED).body["message_id"].clone();
    assert_eq!(first, again, "one waits already");
    world
        .sql("UPDATE core.webhook_messages SET state = 'delivered'")
        .await;
    let second = world.ping(&anna, id).await.is(StatusCode::ACCEPTED).body["message_id"].clone();
    assert_ne!(first, second);
    let path = format!("{PATH}/{id}");
    let list = async |query: &str| {
        let page = world
            .get(&anna, &format!("{path}/deliveries{query}"))
            .send()
            .await;
        page.is(StatusCode::OK).body.clone()
    };
    let ids = |page: &Value| {
        let rows = page["data"].as_array().unwrap();
        rows.iter()
            .map(|row| row["message_id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&list("?state=delivered").await), std::slice::from_ref(&first));
    assert_eq!(ids(&list("?type=stock.low").await), [] as [Value; 0]);
    let page = list("?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = list(&format!("?limit=1&cursor={cursor}")).await;
    let mut both = [ids(&page), ids(&next)].concat();
    both.sort_by_key(ToString::to_string);
    let mut wanted = vec![first.clone(), second];
    wanted.sort_by_key(ToString::to_string);
    assert_eq!(both, wanted);
    let replay = async |body: Value| world.post(&anna, &format!("{path}/replay"), &body).await;
    let one = replay(json!({ "message_id": first })).await;
    assert_eq!(one.is(StatusCode::ACCEPTED).body["messages"], 1);
    let all = replay(json!({"from_position": 0, "undelivered_only": true})).await;
    assert_eq!(all.is(StatusCode::ACCEPTED).body["messages"], 2);
    let unknown = format!("msg_{}", Uuid::nil().simple());
    replay(json!({ "message_id": unknown }))
        .await
        .is(StatusCode::NOT_FOUND);
    replay(json!({})).await.is(StatusCode::UNPROCESSABLE_ENTITY);
}
