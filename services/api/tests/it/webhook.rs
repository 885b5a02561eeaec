//! Stripe's deliveries: what is signed is stored once and acknowledged, what is not changes nothing and says
//! why.

use std::time::Duration;

use api::{ServerOptions, Webhook};
use billing::Inbox;
use chrono::{DateTime, TimeDelta, Utc};
use database::{Pool, Role};
use reqwest::{Method, StatusCode};
use simulators::stripe::{sign, signature_header};

use crate::edge::{limiter, table};
use crate::world::{Answer, World, listening, world, world_and_state};

const PATH: &str = "/api/v1/billing/webhook";
const SECRETS: [&str; 2] = ["whsec_old", "whsec_new"];

fn body(id: &str) -> String {
    format!(
        r#"{{
  "id": "{id}",
  "object": "event",
  "api_version": "2026-09-30.endive",
  "created": 1790000000,
  "data": {{"object": {{"id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active"}}}},
  "type": "customer.subscription.updated"
}}"#
    )
}

async fn open() -> World {
    with(|_| ()).await
}

async fn with(change: impl FnOnce(&mut ServerOptions)) -> World {
    let (mut world, mut state) = world_and_state().await;
    let pool = Pool::open(&world.database_url().to_owned().into(), Role::Api, 4).unwrap();
    state.webhook = Some(Webhook {
        inbox: Inbox::new(pool),
        secrets: SECRETS.map(Into::into).to_vec(),
        tolerance: Duration::from_secs(300),
    });
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap());
    change(&mut options);
    let bound = api::build_with(state, options).unwrap();
    world.base = format!("http://127.0.0.1:{}", bound.port());
    tokio::spawn(bound.run());
    world
}

async fn send(world: &World, body: &str, signature: &str) -> Answer {
    world
        .ask(Method::POST, PATH)
        .header("stripe-signature", signature)
        .raw("application/json; charset=utf-8", body)
        .send()
        .await
}

fn signed(body: &str, at: DateTime<Utc>) -> String {
    signature_header(&["whsec_new".to_owned()], at.timestamp(), body)
}

async fn stored(world: &World) -> Vec<(String, String, Option<String>)> {
    let admin = support::connect(world.database_url()).await;
    let sql = "SELECT event_id, event_type, customer FROM core.stripe_events ORDER BY event_id";
    let rows = admin.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

#[tokio::test]
async fn a_signed_delivery_is_stored_byte_for_byte_and_a_repeated_one_gets_the_same_answer() {
    let world = open().await;
    let body = body("evt_1");
    for _ in 0..3 {
        let answer = send(&world, &body, &signed(&body, world.now())).await;
        answer.is(StatusCode::OK);
        assert_eq!(answer.text, r#"{"status":"success"}"#);
    }
    let kind = "customer.subscription.updated".to_owned();
    assert_eq!(
        stored(&world).await,
        [("evt_1".to_owned(), kind, Some("cus_1".to_owned()))]
    );
    let admin = support::connect(world.database_url()).await;
    let row = admin
        .query_one("SELECT body FROM core.stripe_events", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Vec<u8>>(0), body.as_bytes());
    assert!(world.events().await.is_empty(), "nothing else happens");
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_count_and_any_of_several_signatures_is_enough() {
    let world = open().await;
    let at = world.now().timestamp();
    for (id, secret) in ["evt_1", "evt_2"].into_iter().zip(SECRETS) {
        let body = body(id);
        let right = sign(secret, at, &body);
        let wrong = "0".repeat(64);
        let header = format!("t={at},v0={wrong},v1={wrong},v1={right}");
        send(&world, &body, &header).await.is(StatusCode::OK);
    }
    assert_eq!(stored(&world).await.len(), 2);
}

#[tokio::test]
async fn what_stripe_did_not_sign_changes_nothing_and_says_why() {
    let world = open().await;
    let (body, now) = (body("evt_1"), world.now());
    let at = now.timestamp();
    let foreign = signature_header(&["whsec_foreign".to_owned()], at, &body);
    let cases = [
        (body.clone(), String::new(), "missing or empty"),
        (body.clone(), foreign, "does not fit"),
        (
            body.replace("active", "activE"),
            signed(&body, now),
            "does not fit",
        ),
        (
            body.clone(),
            signed(&body, now - TimeDelta::seconds(301)),
            "301 s ago",
        ),
        (
            body.clone(),
            signed(&body, now + TimeDelta::seconds(301)),
            "in the future",
        ),
        (
            body.clone(),
            format!("t={at},v0={}", sign("whsec_new", at, &body)),
            "no signature of version 1",
        ),
        (
            body.clone(),
            format!("v1={}", sign("whsec_new", at, &body)),
            "no time",
        ),
    ];
    for (body, header, why) in cases {
        let answer = send(&world, &body, &header).await;
        answer.is(StatusCode::BAD_REQUEST).is_problem("signature-refused");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{detail}");
        assert!(!answer.text.contains("whsec"), "{}", answer.text);
    }
    let without = world
        .ask(Method::POST, PATH)
        .raw("application/json", body.clone())
        .send()
        .await;
    without
        .is(StatusCode::BAD_REQUEST)
        .is_problem("signature-refused");
    assert!(stored(&world).await.is_empty());
    let border = now - TimeDelta::seconds(300);
    send(&world, &body, &signed(&body, border))
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn what_is_signed_and_is_no_event_is_refused_with_the_reason() {
    let world = open().await;
    for (body, why) in [
        ("[]", "no JSON object"),
        ("{\"type\": \"a\"}", "`id` is missing"),
        ("{", "no JSON object"),
    ] {
        let answer = send(&world, body, &signed(body, world.now())).await;
        answer.is(StatusCode::BAD_REQUEST).is_problem("malformed-request");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{detail}");
    }
    assert!(stored(&world).await.is_empty());
}

#[tokio::test]
async fn a_delivery_of_256_kib_is_taken_and_a_larger_one_is_not_even_read() {
    let world = open().await;
    let padded = |bytes: usize| {
        let body = body("evt_1");
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    let most = padded(256 * 1024);
    send(&world, &most, &signed(&most, world.now()))
        .await
        .is(StatusCode::OK);
    let more = padded(256 * 1024 + 1);
    let answer = send(&world, &more, &signed(&more, world.now())).await;
    answer
        .is(StatusCode::PAYLOAD_TOO_LARGE)
        .is_problem("body-too-large");
    assert_eq!(stored(&world).await.len(), 1);
}

#[tokio::test]
async fn other_kinds_and_foreign_events_are_stored_and_acknowledged_too() {
    let world = open().await;
    let thin = r#"{"id": "evt_thin", "object": "v2.core.event", "type": "v1.customer.subscription.updated",
        "created": "2026-10-01T00:00:00Z", "related_object": {"id": "sub_1", "type": "subscription"}}"#;
    let other =
        r#"{"id": "evt_other", "object": "event", "type": "a.kind.of.tomorrow", "data": {"object": {}}}"#;
    let invoice = r#"{"id": "evt_foreign", "object": "event", "type": "invoice.paid",
        "data": {"object": {"id": "in_1", "customer": "cus_stranger"}}}"#;
    for body in [thin, other, invoice] {
        send(&world, body, &signed(body, world.now()))
            .await
            .is(StatusCode::OK);
    }
    let ids: Vec<_> = stored(&world).await.into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, ["evt_foreign", "evt_other", "evt_thin"]);
}

#[tokio::test]
async fn a_burst_of_stripes_is_never_limited_and_a_stranger_is() {
    let limiter = limiter(table(3)).await;
    let world = with(|options| options.limiter = Some(limiter)).await;
    for number in 0..10 {
        let body = body(&format!("evt_{number}"));
        send(&world, &body, &signed(&body, world.now()))
            .await
            .is(StatusCode::OK);
    }
    assert_eq!(stored(&world).await.len(), 10);
    let mut refused = Vec::new();
    for _ in 0..5 {
        refused.push(send(&world, &body("evt_x"), "t=1,v1=00").await.status);
    }
    assert_eq!(refused[0], StatusCode::BAD_REQUEST);
    assert_eq!(refused[4], StatusCode::TOO_MANY_REQUESTS);
    let body = body("evt_late");
    send(&world, &body, &signed(&body, world.now()))
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn where_nothing_is_sold_by_card_there_is_no_such_path() {
    let world = world().await;
    let body = body("evt_1");
    let answer = send(&world, &body, &signed(&body, world.now())).await;
    answer.is(StatusCode::NOT_FOUND).is_problem("not-found");
}

#[tokio::test]
async fn without_the_database_a_delivery_is_refused_so_that_stripe_sends_it_again() {
    let (world, mut state) = world_and_state().await;
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing".to_owned();
    let pool = Pool::open(&nowhere.into(), Role::Api, 1).unwrap();
    state.webhook = Some(Webhook {
        inbox: Inbox::new(pool),
        secrets: SECRETS.map(Into::into).to_vec(),
        tolerance: Duration::from_secs(300),
    });
    let world = listening((world, state));
    let body = body("evt_1");
    let answer = send(&world, &body, &signed(&body, world.now())).await;
    answer
        .is(StatusCode::SERVICE_UNAVAILABLE)
        .is_problem("unavailable");
}
