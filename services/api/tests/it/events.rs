//! The stream of what happens in a tenant: what comes, in which order, after which cut, for whom, and how it
//! ends.

use std::time::Duration;

use api::Streams;
use chrono::TimeDelta;
use events::alert::{AlertCause, Seen, StockOut};
use events::catalog::AlertEvent;
use events::ids::CabinetId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Seller, World, listening, world, world_and_state};

const EVENTS: &str = "/api/v1/events";

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    id: Option<i64>,
    name: String,
    data: Value,
}

/// A stream that is read on.
struct Listener {
    response: reqwest::Response,
    text: String,
}

impl Listener {
    /// The next block of lines; none at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event; comments and settings are passed over.
    async fn next(&mut self) -> Option<Told> {
        loop {
            let block = self.block().await?;
            let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            if let Some(name) = line("event: ") {
                return Some(Told {
                    id: line("id: ").map(|id| id.parse().unwrap()),
                    name: name.to_owned(),
                    data: serde_json::from_str(line("data: ").unwrap()).unwrap(),
                });
            }
        }
    }

    async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.next().await.unwrap().name);
        }
        names
    }

    /// The reason for which the stream ends next, and that it does end.
    async fn end(&mut self) -> String {
        let last = self.next().await.unwrap();
        assert_eq!((last.name.as_str(), last.id), ("end", None));
        assert_eq!(self.next().await, None);
        last.data["reason"].as_str().unwrap().to_owned()
    }
}

impl World {
    async fn listen(&self, seller: &Seller, query: &str) -> Listener {
        self.listen_after(seller, query, None).await
    }

    async fn listen_after(&self, seller: &Seller, query: &str, last: Option<i64>) -> Listener {
        let ask = self.get(seller, &format!("{EVENTS}?{query}"));
        let ask = match last {
            Some(last) => ask.header("last-event-id", &last.to_string()),
            None => ask,
        };
        let response = ask.open().await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let text = String::new();
        let mut listener = Listener { response, text };
        assert_eq!(listener.block().await.unwrap(), "retry: 3000");
        listener
    }

    /// Runs a product out of stock, as the policy would tell.
    pub(crate) async fn ran_out(&self, seller: &Seller, cabinet: Uuid, product: Uuid, nm_id: i64) {
        let seen = Seen {
            cabinet_id: CabinetId(cabinet),
            nm_id,
            warehouse: None,
            warehouse_name: None,
            available: 0,
            orders: Some(14),
            days_tenths: None,
            position: 1,
            at: self.now(),
            cause: AlertCause::Sync,
            sync_id: None,
            rule_id: None,
        };
        let out = StockOut {
            seen,
            pace_milli: Some(2_000),
            price_minor: Some(150_000),
            currency: Some("RUB".to_owned()),
        };
        let events = vec![AlertEvent::from(out).into()];
        self.record(seller.tenant, product, 0, events).await;
    }
}

/// A shop with one product.
async fn shop(world: &World, email: &str) -> (Seller, Uuid, Uuid) {
    let seller = world.registered(email).await;
    let cabinet = world.cabinet(&seller).await;
    let product = world.product(&seller, cabinet, 101, 3).await;
    world.project().await;
    (seller, cabinet, product)
}

#[tokio::test]
async fn what_happens_is_told_in_order_and_only_to_its_own_tenant() {
    let world = world().await;
    let (anna, cabinet, product) = shop(&world, "anna@shop.ru").await;
    let (boris, ..) = shop(&world, "boris@shop.ru").await;
    let mut hers = world.listen(&anna, "").await;
    let mut his = world.listen(&boris, "").await;
    let ready = hers.next().await.unwrap();
    assert_eq!(
        (ready.name.as_str(), &ready.data["position"]),
        ("ready", &json!(ready.id))
    );
    assert_eq!(his.names(1).await, ["ready"]);
    let path = format!("/api/v1/cabinets/{cabinet}/syncs");
    let asked = world.command(&anna, Method::POST, &path, &json!({})).send().await;
    let sync = asked.is(StatusCode::ACCEPTED).id("operation_id");
    world.ran_out(&anna, cabinet, product, 101).await;
    world.project().await;

    let requested = hers.next().await.unwrap();
    assert_eq!(requested.name, "sync.requested");
    assert_eq!(
        (&requested.data["sync_id"], &requested.data["cabinet_id"]),
        (&json!(sync), &json!(cabinet))
    );
    let out = hers.next().await.unwrap();
    assert_eq!(out.name, "stock.out");
    assert_eq!(
        (
            &out.data["product_id"],
            &out.data["cabinet_id"],
            &out.data["available"]
        ),
        (&json!(product), &json!(cabinet), &json!(0))
    );
    assert!(ready.id < requested.id && requested.id < out.id);
    assert_eq!(json!(out.id), out.data["position"]);
    // Whoever is told finds it in every answer.
    let listed = world.get(&anna, "/api/v1/alerts").send().await;
    assert_eq!(listed.body["data"][0]["id"], out.data["position"]);

    // The first thing that he is told is his own.
    let own = world.cabinet_of(&boris, 2).await;
    let path = format!("/api/v1/cabinets/{own}/syncs");
    let asked = world
        .command(&boris, Method::POST, &path, &json!({}))
        .send()
        .await;
    asked.is(StatusCode::ACCEPTED);
    world.project().await;
    assert_eq!(his.next().await.unwrap().data["cabinet_id"], json!(own));
}

#[tokio::test]
async fn an_event_comes_only_when_every_answer_shows_it() {
    let world = world().await;
    let (anna, cabinet, product) = shop(&world, "anna@shop.ru").await;
    let mut stream = world.listen(&anna, "").await;
    stream.names(1).await;
    world.ran_out(&anna, cabinet, product, 101).await;
    let head = world.project_operations().await;
    // Products are behind, so the alert waits for them: what was not told yet is what comes again.
    let mut second = world.listen_after(&anna, "", Some(head - 1)).await;
    assert_eq!(second.names(1).await, ["ready"]);
    assert_eq!(world.project().await, head);
    for stream in [&mut stream, &mut second] {
        assert_eq!(stream.next().await.unwrap().id, Some(head));
    }
}

#[tokio::test]
async fn a_client_that_was_cut_off_goes_on_where_it_was() {
    let world = world().await;
    let (anna, cabinet, product) = shop(&world, "anna@shop.ru").await;
    let whole = world.events().await.len();
    let mut all = world.listen(&anna, "after=0").await;
    let first = all.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.id), ("ready", Some(0)));
    let told = all.next().await.unwrap();
    assert_eq!(
        (told.name.as_str(), &told.data["levels"][0]["available"]),
        ("stock.changed", &json!(3))
    );
    assert!(told.id.unwrap() <= i64::try_from(whole).unwrap());
    drop(all);
    world.ran_out(&anna, cabinet, product, 101).await;
    world.project().await;
    let mut again = world.listen_after(&anna, "after=0", told.id).await;
    assert_eq!(
        again.names(2).await,
        ["ready", "stock.out"],
        "the header counts more"
    );
    let wrong = world.get(&anna, EVENTS).header("last-event-id", "x").send().await;
    wrong.is(StatusCode::BAD_REQUEST).is_problem("malformed-header");
}

#[tokio::test]
async fn events_are_filtered_by_type_cabinet_and_product() {
    let world = world().await;
    let (anna, cabinet, product) = shop(&world, "anna@shop.ru").await;
    let other = world.cabinet_of(&anna, 2).await;
    let path = format!("/api/v1/cabinets/{other}/syncs");
    let asked = world.command(&anna, Method::POST, &path, &json!({})).send().await;
    asked.is(StatusCode::ACCEPTED);
    world.product(&anna, other, 202, 7).await;
    world.ran_out(&anna, cabinet, product, 101).await;
    world.project().await;
    for (query, expected) in [
        ("types=alert".to_owned(), vec!["stock.out"]),
        (
            "types=sync.requested, stock.out".to_owned(),
            vec!["sync.requested", "stock.out"],
        ),
        (
            format!("product_id={product}"),
            vec!["stock.changed", "stock.out"],
        ),
        (
            format!("cabinet_id={other}"),
            vec!["sync.requested", "stock.changed"],
        ),
        (format!("types=stock&cabinet_id={other}"), vec!["stock.changed"]),
    ] {
        let mut stream = world.listen(&anna, &format!("after=0&{query}")).await;
        assert_eq!(stream.names(1).await, ["ready"]);
        assert_eq!(stream.names(expected.len()).await, expected, "{query}");
    }
    for (query, pointer) in [
        ("types=sync,planet", "?types"),
        ("types=", "?types"),
        ("after=-1", "?after"),
        ("cabinet_id=x", "?cabinet_id"),
        ("product=x", "?product"),
    ] {
        let answer = world.get(&anna, &format!("{EVENTS}?{query}")).send().await;
        answer
            .is(StatusCode::UNPROCESSABLE_ENTITY)
            .is_problem("invalid-input");
        assert_eq!(answer.pointers(), [pointer], "{query}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_rights_of_whoever_opened_it_and_says_why() {
    let world = world().await;
    let (anna, ..) = shop(&world, "anna@shop.ru").await;
    let elsewhere = world.logged_in("anna@shop.ru").await;
    let vera = world.joined(&anna, "viewer", "vera@shop.ru").await;
    let key = world.api_key(&anna, &["events:read"]).await;
    let mut hers = world.listen(&anna, "").await;
    let mut other = world.listen(&elsewhere, "").await;
    let mut veras = world.listen(&vera, "").await;
    let mut keys = world.listen(&key, "").await;
    for stream in [&mut hers, &mut other, &mut veras, &mut keys] {
        assert_eq!(stream.names(1).await, ["ready"]);
    }

    let out = world.command(&elsewhere, Method::POST, "/api/v1/auth/logout", &json!({}));
    out.send().await.is(StatusCode::OK);
    assert_eq!(other.end().await, "access_ended");

    let path = format!("/api/v1/tenants/me/members/{}", world.user(&vera));
    let removed = world
        .command(&anna, Method::DELETE, &path, &json!({}))
        .send()
        .await;
    removed.is(StatusCode::OK);
    assert_eq!(veras.end().await, "access_ended");

    let listed = world.get(&anna, "/api/v1/api-keys").send().await;
    let id = listed.body["data"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/api-keys/{id}");
    let revoked = world
        .command(&anna, Method::DELETE, &path, &json!({}))
        .send()
        .await;
    revoked.is(StatusCode::OK);
    assert_eq!(keys.end().await, "access_ended");

    let root = world.administrator("root@platform.ru").await;
    let path = format!("/api/v1/admin/tenants/{}", anna.tenant);
    let suspended = json!({"suspended": true, "reason": "abuse"});
    let suspended = world
        .command(&root, Method::PATCH, &path, &suspended)
        .send()
        .await;
    suspended.is(StatusCode::OK);
    assert_eq!(hers.end().await, "tenant_suspended");
}

#[tokio::test]
async fn silence_is_filled_with_comments_and_ends_with_the_token() {
    let (world, mut state) = world_and_state().await;
    state.streams = Streams::default().beating(Duration::from_millis(200));
    let world = listening((world, state));
    let (anna, ..) = shop(&world, "anna@shop.ru").await;
    let mut stream = world.listen(&anna, "").await;
    let ready = stream.next().await.unwrap();
    let comment = stream.block().await.unwrap();
    let id = ready.id.unwrap();
    assert_eq!(comment, format!(": still here\nid: {id}"));
    world.clock.advance(TimeDelta::minutes(11));
    loop {
        let block = stream.block().await.unwrap();
        if !block.starts_with(": still here") {
            assert_eq!(block, "event: end\ndata: {\"reason\":\"token_expired\"}");
            break;
        }
    }
    assert_eq!(stream.block().await, None);
}

#[tokio::test]
async fn a_user_and_a_tenant_have_only_so_many_streams_and_a_closed_one_makes_room() {
    let (world, mut state) = world_and_state().await;
    let streams = Streams::new(limits::Streams { user: 2, tenant: 3 }).beating(Duration::from_millis(200));
    state.streams = streams.clone();
    let world = listening((world, state));
    let (anna, cabinet, _) = shop(&world, "anna@shop.ru").await;
    let vera = world.joined(&anna, "viewer", "vera@shop.ru").await;
    let path = format!("/api/v1/cabinets/{cabinet}/syncs");
    let asked = world.command(&anna, Method::POST, &path, &json!({})).send().await;
    let operation = asked.is(StatusCode::ACCEPTED).id("operation_id");
    world.project().await;
    let operation = format!("/api/v1/operations/{operation}/events");

    let mut first = world.listen(&anna, "").await;
    first.names(1).await;
    let watched = world.get(&anna, &operation).open().await;
    assert_eq!(watched.status(), StatusCode::OK);
    for path in [EVENTS, &operation] {
        let full = world.get(&anna, path).send().await;
        full.is(StatusCode::TOO_MANY_REQUESTS)
            .is_problem("too-many-streams");
        assert_eq!(full.header("retry-after"), "3");
        assert!(full.body["detail"].as_str().unwrap().contains("this user has 2"));
    }
    let _third = world.listen(&vera, "").await;
    let full = world.get(&vera, EVENTS).send().await;
    full.is(StatusCode::TOO_MANY_REQUESTS)
        .is_problem("too-many-streams");
    assert!(
        full.body["detail"]
            .as_str()
            .unwrap()
            .contains("this tenant has 3")
    );
    assert_eq!(streams.open(), 3);

    drop(first);
    drop(watched);
    let soon = Duration::from_secs(10);
    support::eventually("closed streams give their places back", soon, || async {
        let open = streams.open();
        (open == 1).then_some(()).ok_or(format!("{open} are open"))
    })
    .await;
    world.listen(&anna, "").await;
}
