//! Syncs and the operations that show them.

use chrono::{DateTime, TimeDelta, Utc};
use events::catalog::SyncEvent;
use events::ids::SyncId;
use events::sync::{
    Doubt, DoubtState, SourceOutcome, SourceReport, SyncCompleted, SyncQuarantined, SyncStarted,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, world};

impl World {
    async fn sync_requested(&self, seller: &Seller, cabinet: Uuid) -> Answer {
        let path = format!("/api/v1/cabinets/{cabinet}/syncs");
        let answer = self
            .command(seller, Method::POST, &path, &json!({"forced": true}))
            .send()
            .await;
        answer.is(StatusCode::ACCEPTED);
        answer
    }

    async fn started(&self, seller: &Seller, cabinet: Uuid, sync: Uuid, version: i64) {
        let started = SyncStarted {
            sync_id: SyncId(sync),
            attempt: 1,
            started_at: self.now(),
        };
        self.record(
            seller.tenant,
            cabinet,
            version,
            vec![SyncEvent::from(started).into()],
        )
        .await;
    }

    async fn completed(&self, seller: &Seller, cabinet: Uuid, sync: Uuid, version: i64) {
        let completed = SyncCompleted {
            sync_id: SyncId(sync),
            attempt: 1,
            completed_at: self.now() + TimeDelta::seconds(3),
            sources: Vec::new(),
            products_seen: 7,
            products_changed: 2,
        };
        self.record(
            seller.tenant,
            cabinet,
            version,
            vec![SyncEvent::from(completed).into()],
        )
        .await;
    }
}

#[tokio::test]
async fn a_sync_is_accepted_and_the_second_request_finds_the_first() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    let first = world.sync_requested(&anna, cabinet).await;
    let operation = first.id("operation_id");
    assert_eq!(
        first.header("location"),
        format!("/api/v1/operations/{operation}")
    );
    assert_eq!(
        (first.header("retry-after"), &first.body["was_waiting"]),
        ("1", &json!(false))
    );
    let second = world.sync_requested(&anna, cabinet).await;
    assert_eq!(
        (second.id("operation_id"), &second.body["was_waiting"]),
        (operation, &json!(true))
    );

    let path = format!("/api/v1/operations/{operation}");
    world.get(&anna, &path).send().await.is(StatusCode::NOT_FOUND);
    world.project().await;
    let pending = world.get(&anna, &path).send().await;
    assert_eq!(
        (&pending.body["kind"], &pending.body["status"]),
        (&json!("sync"), &json!("pending"))
    );
    assert_eq!(pending.header("retry-after"), "1");
    world.started(&anna, cabinet, operation, 1).await;
    world.completed(&anna, cabinet, operation, 2).await;
    world.project().await;
    let done = world.get(&anna, &path).send().await;
    assert_eq!(done.body["status"], "succeeded");
    assert_eq!(
        done.body["result"],
        json!({"products_synced": 7, "products_changed": 2})
    );
    let sync = world
        .get(&anna, &format!("/api/v1/syncs/{operation}"))
        .send()
        .await;
    assert_eq!(
        (&sync.body["status"], &sync.body["duration_ms"]),
        (&json!("succeeded"), &json!(3000))
    );
}

#[tokio::test]
async fn all_cabinets_are_synced_with_one_command() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let (one, two) = (world.cabinet(&anna).await, world.cabinet_of(&anna, 2).await);
    world.project().await;
    let answer = world
        .command(&anna, Method::POST, "/api/v1/products/sync", &json!({}))
        .send()
        .await;
    answer.is(StatusCode::ACCEPTED);
    let begun: Vec<&Value> = answer.body["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| &each["cabinet_id"])
        .collect();
    assert_eq!(begun, [&json!(one), &json!(two)]);
}

#[tokio::test]
async fn syncs_are_listed_in_pages_and_another_tenant_s_are_not() {
    let world = world().await;
    let (anna, boris) = (
        world.registered("anna@shop.ru").await,
        world.registered("boris@shop.ru").await,
    );
    let mut ids = Vec::new();
    for account in 1..=3 {
        let cabinet = world.cabinet_of(&anna, account).await;
        ids.insert(0, world.sync_requested(&anna, cabinet).await.id("operation_id"));
    }
    world.project().await;
    let first = world.get(&anna, "/api/v1/syncs?limit=2").send().await;
    let link = first
        .header("link")
        .strip_prefix('<')
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(first.body["has_more"], true);
    let second = world.get(&anna, &link).send().await;
    assert!(second.headers.get("link").is_none() && second.body["next_cursor"].is_null());
    let listed: Vec<Uuid> = [&first, &second]
        .into_iter()
        .flat_map(|page| page.body["data"].as_array().unwrap())
        .map(|sync| sync["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(listed, ids);
    assert_eq!(
        world.get(&boris, "/api/v1/syncs").send().await.body["data"],
        json!([])
    );
    for path in [
        format!("/api/v1/syncs/{}", ids[0]),
        format!("/api/v1/operations/{}", ids[0]),
    ] {
        world.get(&boris, &path).send().await.is(StatusCode::NOT_FOUND);
        world
            .get(&boris, &format!("{path}/events"))
            .send()
            .await
            .is(StatusCode::NOT_FOUND);
    }
}

/// Reads the stream until it holds as many events as wanted, or ends.
pub(crate) async fn events_of(response: &mut reqwest::Response, wanted: usize) -> Vec<(i64, Value)> {
    let mut text = String::new();
    loop {
        let events: Vec<(i64, Value)> = text
            .split("\n\n")
            .filter_map(|block| {
                let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                Some((
                    line("id: ")?.parse().ok()?,
                    serde_json::from_str(line("data: ")?).ok()?,
                ))
            })
            .collect();
        if events.len() >= wanted {
            return events;
        }
        match response.chunk().await.unwrap() {
            Some(chunk) => text.push_str(std::str::from_utf8(&chunk).unwrap()),
            None => return events,
        }
    }
}

#[tokio::test]
async fn an_operation_is_watched_until_it_ends_and_goes_on_after_a_cut() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    let operation = world.sync_requested(&anna, cabinet).await.id("operation_id");
    world.project().await;
    let path = format!("/api/v1/operations/{operation}/events");
    let mut stream = world.get(&anna, &path).open().await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = events_of(&mut stream, 1).await;
    assert_eq!(first[0].1["status"], "pending");
    world.started(&anna, cabinet, operation, 1).await;
    world.project().await;
    let second = events_of(&mut stream, 1).await;
    assert_eq!(second[0].1["status"], "running");
    assert!(second[0].0 > first[0].0);
    drop(stream);

    world.completed(&anna, cabinet, operation, 2).await;
    world.project().await;
    let resume = |id: i64| world.get(&anna, &path).header("last-event-id", &id.to_string());
    let mut stream = resume(second[0].0).open().await;
    let last = events_of(&mut stream, usize::MAX).await;
    assert_eq!(
        (last.len(), &last[0].1["status"]),
        (1, &json!("succeeded")),
        "the stream ended by itself"
    );
    resume(last[0].0).send().await.is(StatusCode::NO_CONTENT);
    let wrong = world.get(&anna, &path).header("last-event-id", "x").send().await;
    wrong.is(StatusCode::BAD_REQUEST).is_problem("malformed-header");
}

/// Stock of which one warehouse is held back.
fn held_stock(since: DateTime<Utc>) -> SourceReport {
    SourceReport {
        covers_since: None,
        source: "stock_fbo".to_owned(),
        outcome: SourceOutcome::Partial,
        rows: 40,
        as_of: None,
        payload_sha256: String::new(),
        payload_bytes: None,
        left_out: None,
        error: Some("600 units before, 0 now".to_owned()),
        doubts: vec![Doubt {
            state: DoubtState::Held,
            warehouses: vec!["fbo:507".to_owned()],
            warehouse_name: Some("Коледино".to_owned()),
            rule: "warehouse_empty".to_owned(),
            before: 600,
            now: 0,
            since,
            contradicted: false,
            evidence: "600 units before, 0 now".to_owned(),
        }],
    }
}

#[tokio::test]
async fn an_operation_ends_only_when_products_and_exports_show_what_its_sync_recorded() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    let operation = world.sync_requested(&anna, cabinet).await.id("operation_id");
    world.started(&anna, cabinet, operation, 1).await;
    let before = world.project().await;
    world.product(&anna, cabinet, 101, 5).await;
    world.completed(&anna, cabinet, operation, 2).await;
    let head = world.project_operations().await;

    let path = format!("/api/v1/operations/{operation}");
    let told = world.get(&anna, &path).send().await;
    assert_eq!(
        (&told.body["status"], &told.body["result"]),
        (&json!("running"), &json!(null)),
        "the list of products is still empty"
    );
    assert_eq!(told.position(), before, "no more than products show");
    assert_eq!(told.header("retry-after"), "1");
    let events = format!("{path}/events");
    let resume = || {
        world
            .get(&anna, &events)
            .header("last-event-id", &before.to_string())
    };
    let mut stream = resume().open().await;
    world.project().await;
    let last = events_of(&mut stream, usize::MAX).await;
    assert_eq!(
        (last.len(), last[0].0, &last[0].1["status"]),
        (1, head, &json!("succeeded"))
    );
    let told = world.get(&anna, &path).send().await;
    assert_eq!(
        (&told.body["status"], told.position()),
        (&json!("succeeded"), head)
    );
    let listed = world
        .get(&anna, "/api/v1/products")
        .header("stock-min-position", &told.position().to_string())
        .send()
        .await;
    assert_eq!(listed.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_held_result_is_decided_by_a_person_once_and_it_is_shown_by_whom() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    let held = async |version: i64| {
        let sync = world.sync_requested(&anna, cabinet).await.id("operation_id");
        world.started(&anna, cabinet, sync, version).await;
        let quarantined = SyncQuarantined {
            sync_id: SyncId(sync),
            attempt: 1,
            quarantined_at: world.now(),
            reason: "all_stock_gone".to_owned(),
            evidence: "1000 units before, 0 now".to_owned(),
            sources: vec![held_stock(world.now())],
        };
        let events = vec![SyncEvent::from(quarantined).into()];
        world.record(anna.tenant, cabinet, version + 1, events).await;
        world.project().await;
        sync
    };
    let decide = async |sync: Uuid, what: &str| {
        let path = format!("/api/v1/syncs/{sync}/{what}");
        world.command(&anna, Method::POST, &path, &json!({})).send().await
    };
    let shown = async |sync: Uuid| {
        world.project().await;
        let answer = world.get(&anna, &format!("/api/v1/syncs/{sync}")).send().await;
        (
            answer.body["status"].clone(),
            answer.body["decided_by"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let first = held(1).await;
    let path = format!("/api/v1/syncs/{first}");
    let sync = world.get(&anna, &path).send().await.body;
    let doubt = &sync["sources"][0]["doubts"][0];
    assert_eq!(
        [
            &doubt["state"],
            &doubt["warehouse"],
            &doubt["before"],
            &doubt["now"],
            &doubt["since"]
        ],
        [
            &json!("held"),
            &json!("Коледино"),
            &json!(600),
            &json!(0),
            &sync["held_since"]
        ]
    );
    let of_cabinet = async || {
        let path = format!("/api/v1/cabinets/{cabinet}");
        let answer = world.get(&anna, &path).send().await;
        let sources = answer.body["sources"].as_array().unwrap().clone();
        (
            sources[0]["held"].as_array().unwrap().len(),
            sources[0]["held_by"].clone(),
        )
    };
    assert_eq!(of_cabinet().await, (1, json!(first)));
    decide(first, "discard").await.is(StatusCode::OK);
    let (status, by) = shown(first).await;
    assert_eq!(status, "discarded");
    assert_eq!(by, format!("user:{}", world.user(&anna)));
    assert_eq!(of_cabinet().await, (0, Value::Null));
    for again in ["discard", "release"] {
        decide(first, again)
            .await
            .is(StatusCode::CONFLICT)
            .is_problem("conflict");
    }
    let second = held(5).await;
    decide(second, "release").await.is(StatusCode::ACCEPTED);
    let (status, by) = shown(second).await;
    assert_eq!(status, "pending");
    assert!(by.starts_with("user:"), "{by}");
    decide(Uuid::from_u128(9), "release")
        .await
        .is(StatusCode::NOT_FOUND);
}
