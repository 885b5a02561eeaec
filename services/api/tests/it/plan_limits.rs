//! What the plan does not allow, as a customer meets it: a problem that names the limit and the way out, a
//! quota in every answer, and everything still readable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use application::domain::product::{Card, Observation, Scope, StockSeen};
use application::{App, Context, record_observations};
use chrono::{DateTime, TimeDelta, Utc};
use events::cabinet::{CabinetPaused, Marketplace, PauseReason};
use events::catalog::CabinetEvent;
use events::ids::{CabinetId, CommandId, SyncId};
use events::product::{Details, Fulfilment, OrderLine, StockLevel};
use limits::Table;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, fresh_key, world_and_state};

const PRODUCTS: &str = "/api/v1/products";
const CABINETS: &str = "/api/v1/cabinets";
const USAGE: &str = "/api/v1/billing/usage";

/// An installation that sells what the program's own table says.
async fn selling() -> (World, App) {
    let (mut world, mut state) = world_and_state().await;
    let plans = Table::built_in().unwrap().plans().unwrap();
    state.app = state.app.clone().selling(plans);
    let app = state.app.clone();
    let bound = api::build(state, "127.0.0.1:0".parse().unwrap()).unwrap();
    world.base = format!("http://127.0.0.1:{}", bound.port());
    tokio::spawn(bound.run());
    (world, app)
}

/// A seller with a plan, and the administrator who grants them.
async fn seller_with(world: &World, plan: &str) -> (Seller, Seller) {
    let root = world.administrator("root@platform.ru").await;
    let anna = world.registered("anna@shop.ru").await;
    world.grant(&root, &anna, plan).await;
    (anna, root)
}

/// The item `month` of `RateLimit`: calls that are left and seconds until the month ends.
fn month(answer: &Answer) -> (u64, i64) {
    let header = answer.header("ratelimit");
    let item = header
        .split(", ")
        .find_map(|item| item.strip_prefix("\"month\";r="));
    let (left, until) = item.unwrap().split_once(";t=").unwrap();
    (left.parse().unwrap(), until.parse().unwrap())
}

/// What a problem says about the plan.
fn limit(answer: &Answer) -> Value {
    answer.is(StatusCode::PAYMENT_REQUIRED).is_problem("plan-limit");
    let fields = ["limit", "used", "allowed", "plan", "lifted_by"];
    fields.map(|field| answer.body[field].clone()).into()
}

impl World {
    async fn connect(&self, seller: &Seller, account: u128, key: &str) -> Answer {
        let body = json!({"marketplace": "wildberries", "credential": self.wildberries_token(account)});
        let ask = self.ask(Method::POST, CABINETS).token(&seller.access);
        ask.key(key).json(&body).send().await
    }

    async fn usage(&self, seller: &Seller) -> Value {
        let shown = self.get(seller, USAGE).send().await;
        shown.is(StatusCode::OK).body.clone()
    }
}

#[tokio::test]
async fn the_last_call_of_a_month_is_answered_and_the_next_one_waits_for_the_month_or_a_better_plan() {
    let (world, _) = selling().await;
    let (anna, root) = seller_with(&world, "free").await;
    let key = world.api_key(&anna, &["products:read", "billing:read"]).await;
    for left in (0..100).rev() {
        let answer = world.get(&key, PRODUCTS).send().await;
        assert_eq!(month(answer.is(StatusCode::OK)).0, left);
    }
    let refused = world.get(&key, PRODUCTS).send().await;
    assert_eq!(limit(&refused), json!(["api_calls", 100, 100, "free", "starter"]));
    let (left, until) = month(&refused);
    let ends: DateTime<Utc> = "2026-10-01T00:00:00Z".parse().unwrap();
    assert_eq!((left, until), (0, (ends - world.now()).num_seconds()));
    assert!(
        refused
            .header("ratelimit-policy")
            .contains("\"month\";q=100;w=2592000")
    );
    assert!(refused.text.contains("2026-10-01T00:00:00Z"), "{}", refused.text);

    // A program can ask why, and people are not counted.
    let usage = world.usage(&key).await;
    assert_eq!(
        (
            &usage["api_calls_used"],
            &usage["remaining"],
            &usage["usage_percentage"]
        ),
        (&json!(100), &json!(0), &json!(100.0))
    );
    let person = world.get(&anna, PRODUCTS).send().await;
    assert_eq!(month(person.is(StatusCode::OK)).0, 0);

    world.grant(&root, &anna, "starter").await;
    let answer = world.get(&key, PRODUCTS).send().await;
    assert_eq!(
        month(answer.is(StatusCode::OK)).0,
        899,
        "a better plan counts at once"
    );
    world.clock.advance(TimeDelta::seconds(until));
    let answer = world.get(&key, PRODUCTS).send().await;
    assert_eq!(month(answer.is(StatusCode::OK)).0, 999, "a new month");
}

#[tokio::test]
async fn a_call_counts_when_it_is_answered_and_not_when_it_is_refused_or_nothing_has_changed() {
    let (world, _) = selling().await;
    let (anna, _) = seller_with(&world, "free").await;
    world.project().await;
    let cabinet = world.cabinet(&anna).await;
    world.project().await;
    let key = world.api_key(&anna, &["products:read", "cabinets:read"]).await;
    let path = format!("{CABINETS}/{cabinet}");
    let used = async || world.usage(&anna).await["api_calls_used"].as_u64().unwrap();
    let shown = world.get(&key, &path).send().await;
    assert_eq!(used().await, 1);
    let tag = shown.header("etag").to_owned();
    let same = world.get(&key, &path).header("if-none-match", &tag).send().await;
    assert_eq!(month(same.is(StatusCode::NOT_MODIFIED)).0, 99, "not counted");
    world
        .get(&key, "/api/v1/syncs")
        .send()
        .await
        .is(StatusCode::FORBIDDEN);
    world
        .get(&key, "/api/v1/health/live")
        .send()
        .await
        .is(StatusCode::OK);
    world.get(&anna, PRODUCTS).send().await.is(StatusCode::OK);
    assert_eq!(used().await, 1);
    let nobody = format!("{CABINETS}/{}", Uuid::nil());
    world.get(&key, &nobody).send().await.is(StatusCode::NOT_FOUND);
    world
        .get(&key, "/api/v1/products?limit=0")
        .send()
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(used().await, 3, "what was wrong was answered, too");
}

#[tokio::test]
async fn where_nothing_is_sold_nothing_is_limited_and_calls_are_counted_all_the_same() {
    let world = crate::world::world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = world.api_key(&anna, &["products:read"]).await;
    let answer = world.get(&key, PRODUCTS).send().await;
    assert!(answer.is(StatusCode::OK).headers.get("ratelimit").is_none());
    let usage = world.usage(&anna).await;
    assert_eq!(usage["api_calls_used"], 1);
    for none in [
        "plan",
        "api_calls_limit",
        "remaining",
        "usage_percentage",
        "history_days",
    ] {
        assert_eq!(usage[none], Value::Null, "{none}");
    }
    assert_eq!(usage["products"]["limit"], Value::Null);
}

#[tokio::test]
async fn a_cabinet_beyond_the_plan_is_refused_with_the_plan_that_takes_it_and_the_same_request_works_then() {
    let (world, _) = selling().await;
    let (anna, root) = seller_with(&world, "starter").await;
    let (first, second) = (fresh_key(), fresh_key());
    world.connect(&anna, 1, &first).await.is(StatusCode::CREATED);
    let refused = world.connect(&anna, 2, &second).await;
    assert_eq!(limit(&refused), json!(["cabinets", 1, 1, "starter", "pro"]));
    assert_eq!(refused.body["retryable"], false);
    world.connect(&anna, 1, &first).await.is(StatusCode::CREATED);
    world.grant(&root, &anna, "pro").await;
    world.connect(&anna, 2, &second).await.is(StatusCode::CREATED);
    let refused = world.connect(&anna, 3, &fresh_key()).await;
    assert_eq!(limit(&refused), json!(["cabinets", 2, 2, "pro", "enterprise"]));
    let usage = world.usage(&anna).await;
    assert_eq!(usage["cabinets"], json!({"used": 2, "limit": 2, "paused": 0}));
    assert_eq!(
        (&usage["webhooks_allowed"], &usage["history_days"]),
        (&json!(true), &json!(365))
    );
}

#[tokio::test]
async fn a_cabinet_that_rests_because_of_the_plan_says_so_and_is_left_out_of_a_sync_of_all() {
    let (world, _) = selling().await;
    let (anna, root) = seller_with(&world, "pro").await;
    let (oldest, newest) = (world.cabinet_of(&anna, 1).await, world.cabinet_of(&anna, 2).await);
    world.grant(&root, &anna, "starter").await;
    // As the policy does.
    let reason = PauseReason::Plan;
    let paused = CabinetEvent::from(CabinetPaused { reason });
    world.record(anna.tenant, newest, 1, vec![paused.into()]).await;
    world.project().await;
    let listed = world.get(&anna, CABINETS).send().await;
    let rests = |row: usize| &listed.body["data"][row]["schedule"]["paused_by_plan"];
    assert_eq!((rests(0), rests(1)), (&json!(false), &json!(true)));
    let path = format!("{CABINETS}/{newest}/syncs");
    let refused = world.post(&anna, &path, &json!({})).await;
    assert_eq!(limit(&refused), json!(["cabinets", 2, 1, "starter", "pro"]));
    let all = world.post(&anna, "/api/v1/products/sync", &json!({})).await;
    all.is(StatusCode::ACCEPTED);
    assert_eq!(all.body["operations"][0]["cabinet_id"], json!(oldest));
    assert_eq!(
        all.body["skipped"],
        json!([{"cabinet_id": newest, "code": "plan-limit"}])
    );
    assert_eq!(
        world.usage(&anna).await["cabinets"],
        json!({"used": 2, "limit": 1, "paused": 1})
    );
}

#[tokio::test]
async fn products_beyond_the_plan_stay_readable_and_say_that_they_are_not_updated() {
    let (world, _) = selling().await;
    let (anna, _) = seller_with(&world, "starter").await;
    let cabinet = world.cabinet(&anna).await;
    let mut newest = Uuid::nil();
    for nm_id in 1..=102 {
        newest = world.product(&anna, cabinet, nm_id, 5).await;
    }
    world.project().await;
    let list = "/api/v1/products?sort=marketplace_article&order=desc&limit=4";
    let listed = world.get(&anna, list).send().await;
    let marks: Vec<&Value> = (0..4)
        .map(|row| &listed.body["data"][row]["paused_by_plan"])
        .collect();
    assert_eq!(marks, [true, true, false, false]);
    let one = world.get(&anna, &format!("{PRODUCTS}/{newest}")).send().await;
    assert_eq!(
        (&one.body["paused_by_plan"], &one.body["total_stock"]),
        (&json!(true), &json!(5))
    );
    let top = world
        .get(&anna, "/api/v1/analytics/top-products?limit=100")
        .send()
        .await;
    let rows = top.body["data"].as_array().unwrap();
    assert_eq!(rows.len(), 100);
    let paused = rows.iter().filter(|row| row["paused_by_plan"] == true).count();
    assert!(paused <= 2, "{paused}");
    assert_eq!(
        world.usage(&anna).await["products"],
        json!({"used": 102, "limit": 100, "paused": 2})
    );
}

/// What a sync sees of an article.
fn seen(cabinet: Uuid, nm_id: i64, units: i64, at: DateTime<Utc>) -> Observation {
    let level = StockLevel {
        warehouse: "fbo:507".into(),
        name: "Коледино".into(),
        fulfilment: Fulfilment::Fbo,
        available: units + nm_id % 7,
        in_way_to_client: 1,
        in_way_from_client: 0,
        buckets: BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    };
    // A sync is told all orders of many days, not only those since the last one.
    let order = |number: i64| OrderLine {
        order_id: format!("{nm_id}:{number}"),
        ordered_at: DateTime::UNIX_EPOCH + TimeDelta::hours(497_000 + number),
        changed_at: DateTime::UNIX_EPOCH + TimeDelta::hours(497_000 + number),
        warehouse: "fbo:507".into(),
        warehouse_name: "Коледино".into(),
        fulfilment: Fulfilment::Fbo,
        quantity: 1,
        status: "created".into(),
        cancelled: false,
        price_minor: None,
        currency: None,
        size_id: None,
        cluster: None,
    };
    Observation {
        sync_id: SyncId(Uuid::from_u128(7)),
        cabinet_id: CabinetId(cabinet),
        marketplace: Marketplace::Wildberries,
        nm_id,
        card: Card::Seen(Details {
            vendor_code: format!("art-{nm_id}"),
            ..Details::default()
        }),
        price: None,
        stock: vec![StockSeen {
            source: "stock_fbo".into(),
            fulfilment: Fulfilment::Fbo,
            as_of: at,
            complete: true,
            levels: vec![level],
            unassigned_in_way: None,
            turnover: None,
            visible: Arc::new(BTreeSet::from(["fbo:507".to_owned()])),
            unread: BTreeSet::new(),
            scope: Scope::All,
        }],
        orders: (0..units).map(order).collect(),
        orders_source: "orders".into(),
        at,
    }
}

/// All products of a seller as the read model has them, without what names the seller, and without when and
/// where in the log they changed.
async fn read(world: &World, seller: &Seller) -> String {
    let mut rows = Vec::new();
    let mut path = "/api/v1/products?sort=marketplace_article&order=asc&limit=100".to_owned();
    loop {
        let page = world.get(seller, &path).send().await;
        for row in page.is(StatusCode::OK).body["data"].as_array().unwrap() {
            let id = row["id"].as_str().unwrap();
            let whole = world.get(seller, &format!("{PRODUCTS}/{id}")).send().await;
            let mut whole = whole.is(StatusCode::OK).body.clone();
            let fields = whole.as_object_mut().unwrap();
            for other in ["id", "cabinet_id", "created_at", "updated_at", "position"] {
                fields.remove(other).unwrap();
            }
            for level in fields["warehouse_data"].as_array_mut().unwrap() {
                let level = level.as_object_mut().unwrap();
                level.remove("changed_at").unwrap();
                level.remove("position").unwrap();
            }
            rows.push(whole.to_string());
        }
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            return rows.join("\n");
        };
        path = format!("/api/v1/products?sort=marketplace_article&order=asc&limit=100&cursor={cursor}");
    }
}

#[tokio::test]
async fn after_a_worse_and_a_better_plan_and_a_sync_the_read_model_is_byte_for_byte_as_without() {
    let (world, app) = selling().await;
    let (anna, root) = seller_with(&world, "pro").await;
    let boris = world.registered("boris@shop.ru").await;
    world.grant(&root, &boris, "pro").await;
    let shops = [
        (&anna, world.cabinet_of(&anna, 1).await),
        (&boris, world.cabinet_of(&boris, 2).await),
    ];
    let sync = async |count: i64, units: i64, at: DateTime<Utc>| {
        for (seller, cabinet) in shops {
            let command = runtime::Ids::system().next();
            let context = Context {
                tenant_id: seller.tenant,
                actor: "worker".to_owned(),
                command_id: CommandId(command),
                correlation_id: command,
                causation_id: None,
                traceparent: None,
                now: at,
            };
            let seen = (1..=count).map(|nm_id| seen(cabinet, nm_id, units, at));
            record_observations::execute(&app, &context, seen.collect())
                .await
                .unwrap();
        }
    };
    let began = world.now();
    sync(105, 5, began).await;
    world.grant(&root, &anna, "starter").await;
    // Nothing new at the marketplace but five articles, of which only Boris gets the numbers.
    sync(110, 5, began).await;
    world.project().await;
    assert_ne!(read(&world, &anna).await, read(&world, &boris).await);
    world.grant(&root, &anna, "pro").await;
    sync(110, 9, began + TimeDelta::hours(1)).await;
    world.project().await;
    let (had_less, had_all) = (read(&world, &anna).await, read(&world, &boris).await);
    assert_eq!(had_less.lines().count(), 110);
    for (less, all) in had_less.lines().zip(had_all.lines()) {
        assert_eq!(less, all);
    }
}
