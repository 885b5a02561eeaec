//! Linking a spreadsheet: tried first, recorded only when it can be written.

use api::{SheetProgress, SheetSync};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::syncs::events_of;
use crate::world::{Answer, Seller, World, world};

impl World {
    pub(crate) fn key_file(&self) -> Value {
        serde_json::from_str(&self.google.service_account_json()).unwrap()
    }

    pub(crate) async fn link(&self, seller: &Seller, spreadsheet: &str, key: &Value) -> Answer {
        let body = json!({"spreadsheet_id": spreadsheet, "service_account": key});
        self.command(seller, Method::PUT, "/api/v1/sheets/link", &body)
            .send()
            .await
    }
}

#[tokio::test]
async fn a_shared_spreadsheet_is_linked_shown_written_and_unlinked() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let id = world.google.create_spreadsheet("Склад", &[]);
    world.google.share(
        &id,
        &world.google.service_account_email(0),
        Some(simulators::google::Role::Writer),
    );
    world.project().await;
    world
        .get(&anna, "/api/v1/sheets/link")
        .send()
        .await
        .is(StatusCode::NOT_FOUND);
    let address = format!("https://docs.google.com/spreadsheets/d/{id}/edit#gid=0");
    let linked = world.link(&anna, &address, &world.key_file()).await;
    linked.is(StatusCode::OK);
    assert_eq!(
        (&linked.body["spreadsheet_id"], &linked.body["sheet_title"]),
        (&json!(id), &json!("Склад"))
    );
    let head = world.project().await;
    let shown = world.get(&anna, "/api/v1/sheets/link").send().await;
    assert_eq!(
        (&shown.body["spreadsheet_id"], &shown.body["worksheet_name"]),
        (&json!(id), &json!("Products"))
    );

    let sync = world
        .command(&anna, Method::POST, "/api/v1/sheets/sync", &json!({}))
        .send()
        .await;
    sync.is(StatusCode::ACCEPTED);
    let (tenant, asked) = world.others.writes.lock().unwrap()[0];
    assert_eq!((tenant, asked.wanted), (anna.tenant, head));
    let operation = async || {
        let told = world.get(&anna, sync.header("location")).send().await;
        (told.body["status"].clone(), told.body["error"]["code"].clone())
    };
    assert_eq!(operation().await, (json!("running"), json!(null)));
    // Another write's failure, and another write's success, are not its own.
    for (written_position, error) in [(1, Some("отказ".to_owned())), (head + 5, None)] {
        *world.others.progress.lock().unwrap() = SheetProgress {
            written_position: Some(written_position),
            error,
            ..SheetProgress::default()
        };
        assert_eq!(operation().await.0, "running");
    }
    let mut state = SheetSync {
        wanted: head,
        requested_at: asked.at,
        ended_at: None,
        error: Some(("quota".to_owned(), "квота".to_owned())),
        retry_at: Some(asked.at),
        written_position: head + 5,
    };
    *world.others.written.lock().unwrap() = Some(state.clone());
    assert_eq!(operation().await, (json!("running"), json!("quota")));
    state.ended_at = Some(asked.at);
    *world.others.written.lock().unwrap() = Some(state.clone());
    assert_eq!(operation().await, (json!("failed"), json!("quota")));
    state.error = None;
    *world.others.written.lock().unwrap() = Some(state);
    assert_eq!(operation().await.0, "succeeded");
    let boris = world.registered("boris@shop.ru").await;
    let foreign = world.get(&boris, sync.header("location")).send().await;
    foreign.is(StatusCode::NOT_FOUND).is_problem("not-found");

    world
        .command(&anna, Method::DELETE, "/api/v1/sheets/link", &json!({}))
        .send()
        .await
        .is(StatusCode::OK);
    let again = world
        .command(&anna, Method::DELETE, "/api/v1/sheets/link", &json!({}))
        .send()
        .await;
    again.is(StatusCode::NOT_FOUND).is_problem("not-found");
    for event in world.events().await {
        assert!(
            !event.payload.contains("PRIVATE KEY"),
            "a key is in {}",
            event.event_type
        );
    }
}

#[tokio::test]
async fn a_spreadsheet_that_is_not_shared_is_not_linked_and_the_answer_says_with_whom_to_share_it() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let before = world.events().await.len();
    let id = world.google.create_spreadsheet("Чужая", &[]);
    let refused = world.link(&anna, &id, &world.key_file()).await;
    refused
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .is_problem("sheet-refused");
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(
        detail.contains(&world.google.service_account_email(0)),
        "{detail}"
    );
    world.google.share(
        &id,
        &world.google.service_account_email(0),
        Some(simulators::google::Role::Reader),
    );
    world
        .link(&anna, &id, &world.key_file())
        .await
        .is_problem("sheet-refused");
    assert_eq!(world.events().await.len(), before);

    let body = json!({"spreadsheet_id": id, "service_account": world.key_file()});
    let test = world
        .ask(Method::POST, "/api/v1/sheets/test")
        .token(&anna.access)
        .json(&body)
        .send()
        .await;
    assert_eq!(test.is(StatusCode::OK).body["success"], false);
}

#[tokio::test]
async fn a_broken_key_file_is_named_by_its_field_and_never_shown() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let id = world.google.create_spreadsheet("Склад", &[]);
    let mut without = world.key_file();
    without.as_object_mut().unwrap().remove("private_key");
    let missing = world.link(&anna, &id, &without).await;
    assert_eq!(
        missing.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["#/service_account"]
    );
    assert!(missing.text.contains("private_key"), "{}", missing.text);
    let text = world.link(&anna, &id, &json!("canary, no JSON")).await;
    assert!(
        text.is(StatusCode::UNPROCESSABLE_ENTITY)
            .text
            .contains("not JSON")
    );
    assert!(!text.text.contains("canary"), "{}", text.text);
    let number = world.link(&anna, &id, &json!(5)).await;
    assert_eq!(
        number.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["#/service_account"]
    );
    let none = world.link(&anna, &id, &Value::Null).await;
    assert_eq!(
        none.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["#/service_account"]
    );
    let address = world.link(&anna, "not an id!", &world.key_file()).await;
    assert_eq!(
        address.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["#/spreadsheet_id"]
    );
}

#[tokio::test]
async fn a_sheet_being_written_is_watched_over_a_failure_until_its_cells_show_what_they_should() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let id = world.google.create_spreadsheet("Склад", &[]);
    world.google.share(
        &id,
        &world.google.service_account_email(0),
        Some(simulators::google::Role::Writer),
    );
    world.link(&anna, &id, &world.key_file()).await.is(StatusCode::OK);
    let head = world.project().await;
    let sync = world
        .command(&anna, Method::POST, "/api/v1/sheets/sync", &json!({}))
        .send()
        .await;
    let path = format!("{}/events", sync.is(StatusCode::ACCEPTED).header("location"));
    let mut stream = world.get(&anna, &path).open().await;
    let now = |written_position, error: Option<&str>, ended: bool| {
        *world.others.written.lock().unwrap() = Some(SheetSync {
            wanted: head,
            requested_at: world.now(),
            ended_at: ended.then(|| world.now()),
            error: error.map(|error| (error.to_owned(), error.to_owned())),
            retry_at: None,
            written_position,
        });
    };
    let told = |events: Vec<(i64, Value)>| (events[0].0, events[0].1["status"].as_str().unwrap().to_owned());
    assert_eq!(told(events_of(&mut stream, 1).await), (0, "running".to_owned()));
    now(1, Some("quota"), false);
    assert_eq!(told(events_of(&mut stream, 1).await), (1, "running".to_owned()));
    now(head, None, true);
    let last = events_of(&mut stream, usize::MAX).await;
    assert_eq!(last.len(), 1, "the stream ended by itself: {last:?}");
    assert_eq!(told(last), (i64::MAX, "succeeded".to_owned()));
    let again = world
        .get(&anna, &path)
        .header("last-event-id", &i64::MAX.to_string());
    again.send().await.is(StatusCode::NO_CONTENT);
}
