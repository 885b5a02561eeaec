//! The receiver of webhooks: what it takes, what it refuses, and how it fails when it is told to.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use simulators::receiver::{Count, Delivery, Verdict};
use simulators::{Clock, Receiver, ReceiverConfig};

use super::client::staying_client;

const KEY: [u8; 24] = [3; 24];
const NEW_KEY: [u8; 48] = [4; 48];
const NOW: i64 = 1_796_115_600;

struct World {
    receiver: Receiver,
    http: Client,
}

impl World {
    async fn start() -> Self {
        let config = ReceiverConfig {
            clock: Clock::manual(chrono::DateTime::from_timestamp(NOW, 0).unwrap()),
            ..ReceiverConfig::default()
        };
        let receiver = Receiver::start(config).await.unwrap();
        Self {
            receiver,
            http: staying_client(),
        }
    }

    /// Delivers a message signed with these keys; none if the connection was closed.
    async fn deliver(&self, path: &str, id: &str, keys: &[&[u8]]) -> Option<reqwest::Response> {
        let body = json!({"type": "ping", "data": {"of": id}}).to_string();
        let request = self.http.post(self.receiver.url(path));
        let request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", NOW)
            .header("webhook-signature", signatures(id, &body, keys));
        request.body(body).send().await.ok()
    }

    async fn status(&self, path: &str, id: &str) -> Option<u16> {
        let answer = self.deliver(path, id, &[&KEY]).await?;
        Some(answer.status().as_u16())
    }

    async fn tell(&self, control: &str, body: Value) {
        let answer = self.http.post(self.receiver.url(control)).json(&body).send();
        assert_eq!(answer.await.unwrap().status(), StatusCode::NO_CONTENT, "{body}");
    }
}

fn signatures(id: &str, body: &str, keys: &[&[u8]]) -> String {
    let sign = |key: &&[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let made = hmac::sign(&key, format!("{id}.{NOW}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(made))
    };
    keys.iter().map(sign).collect::<Vec<_>>().join(" ")
}

fn secret(key: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(key))
}

fn count(accepted: u64, attempts: u64) -> Count {
    Count { accepted, attempts }
}

#[tokio::test]
async fn deliveries_are_kept_in_order_and_counted_by_endpoint_and_message() {
    let world = World::start().await;
    for (path, id) in [("/a", "m1"), ("/b", "m1"), ("/a", "m2"), ("/a", "m1")] {
        assert_eq!(world.status(path, id).await, Some(204));
    }
    let seen: Vec<Delivery> = world.receiver.deliveries();
    let order: Vec<(u64, &str, &str)> = seen
        .iter()
        .map(|delivery| (delivery.number, delivery.path.as_str(), delivery.id.as_str()))
        .collect();
    assert_eq!(
        order,
        [(1, "/a", "m1"), (2, "/b", "m1"), (3, "/a", "m2"), (4, "/a", "m1")]
    );
    assert_eq!(seen[2].body, r#"{"data":{"of":"m2"},"type":"ping"}"#);
    assert_eq!(world.receiver.count("/a", "m1"), count(2, 2));
    assert_eq!(world.receiver.count("/b", "m1"), count(1, 1));
    assert_eq!(world.receiver.count("/b", "m2"), count(0, 0));

    let get = |path: &str| world.http.get(world.receiver.url(path)).send();
    let listed: Vec<Delivery> = get("/_sim/deliveries?path=/a&after=1")
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(listed, [seen[2].clone(), seen[3].clone()]);
    let counts: Value = get("/_sim/counts").await.unwrap().json().await.unwrap();
    assert_eq!(counts["/a"]["m1"], json!({"accepted": 2, "attempts": 2}));
    world.receiver.forget();
    assert_eq!(world.receiver.count("/a", "m1"), count(0, 0));
}

#[tokio::test]
async fn what_no_secret_of_an_endpoint_signed_is_refused() {
    let world = World::start().await;
    world
        .tell(
            "/_sim/endpoints",
            json!({"path": "/a", "secrets": [secret(&KEY)]}),
        )
        .await;
    let tried: [(&[&[u8]], u16, Verdict); 4] = [
        (&[&KEY], 204, Verdict::Valid),
        (&[&NEW_KEY, &KEY], 204, Verdict::Valid),
        (&[&NEW_KEY], 401, Verdict::Mismatch),
        (&[], 401, Verdict::MissingHeader),
    ];
    for (keys, status, verdict) in tried {
        let answer = world.deliver("/a", "m1", keys).await.unwrap();
        assert_eq!(answer.status(), status);
        let last = world.receiver.deliveries().pop().unwrap();
        assert_eq!((last.verdict, last.signatures), (verdict, keys.len()));
    }
    assert_eq!(world.receiver.count("/a", "m1"), count(2, 4));
    world.receiver.secrets("/a", &[&secret(&NEW_KEY)]);
    assert_eq!(
        world.status("/a", "m2").await,
        Some(401),
        "the old one counts no more"
    );
}

#[tokio::test]
async fn an_endpoint_fails_as_it_is_told_as_often_as_it_is_told() {
    let world = World::start().await;
    let rule = |reaction: Value| json!({"path": "/a", "times": 1, "reaction": reaction});
    for (reaction, status, header) in [
        (json!({"kind": "fail", "status": 503}), Some(503), None),
        (json!({"kind": "gone"}), Some(410), None),
        (
            json!({"kind": "rate_limited", "retry_seconds": 7}),
            Some(429),
            Some(("retry-after", "7")),
        ),
        (
            json!({"kind": "redirect", "status": 307, "location": "/b"}),
            Some(307),
            Some(("location", "/b")),
        ),
        (json!({"kind": "close"}), None, None),
    ] {
        world.tell("/_sim/rules", rule(reaction.clone())).await;
        let answer = world.deliver("/a", "m1", &[&KEY]).await;
        let seen = answer.as_ref().map(|answer| answer.status().as_u16());
        assert_eq!(seen, status, "{reaction}");
        if let (Some(answer), Some((name, value))) = (answer, header) {
            assert_eq!(answer.headers()[name], value);
        }
        assert_eq!(world.receiver.count("/a", "m1").accepted, 0, "{reaction}");
        assert_eq!(world.status("/a", "m2").await, Some(204), "after {reaction}");
    }
    assert_eq!(world.receiver.count("/a", "m1").attempts, 5);

    // For good, and only there.
    world
        .tell(
            "/_sim/rules",
            json!([{"path": "/a", "reaction": {"kind": "fail", "status": 500}}]),
        )
        .await;
    for _ in 0..3 {
        assert_eq!(world.status("/a", "m3").await, Some(500));
    }
    assert_eq!(world.status("/ab", "m3").await, Some(204));
    let url = world.receiver.url("/_sim/rules?path=/a");
    world.http.delete(url).send().await.unwrap();
    assert_eq!(world.status("/a", "m3").await, Some(204));
}

#[tokio::test]
async fn a_slow_endpoint_answers_when_it_is_let_go() {
    let world = World::start().await;
    let slow = json!({"path": "/a", "reaction": {"kind": "slow", "millis": 600_000}});
    world.tell("/_sim/rules", slow).await;
    let (status, ()) = tokio::join!(world.status("/a", "m1"), async {
        world.receiver.until_held(1).await;
        assert_eq!(
            world.receiver.count("/a", "m1"),
            count(1, 1),
            "it was taken at once"
        );
        world.receiver.release();
    });
    assert_eq!(status, Some(204));
}

#[tokio::test]
async fn two_hundred_endpoints_are_kept_apart() {
    let world = World::start().await;
    for number in 0..200 {
        let path = format!("/hooks/{number}");
        let own = secret(&[u8::try_from(number).unwrap(); 24]);
        world.receiver.secrets(&path, &[&own]);
    }
    for number in 0..200_u8 {
        let (path, key) = (format!("/hooks/{number}"), [number; 24]);
        let answer = world.deliver(&path, "m1", &[&key]).await.unwrap();
        assert_eq!(answer.status(), 204, "{path}");
    }
    let deliveries = world.receiver.deliveries();
    assert_eq!(deliveries.len(), 200);
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery.verdict == Verdict::Valid)
    );
    let other = world.deliver("/hooks/7", "m2", &[&[8; 24]]).await.unwrap();
    assert_eq!(other.status(), 401);
}

#[tokio::test]
async fn the_page_shows_the_last_fifty_deliveries_and_runs_nothing_of_them() {
    let world = World::start().await;
    let page = || async {
        let answer = world.http.get(world.receiver.url("/")).send().await.unwrap();
        answer.text().await.unwrap()
    };
    assert!(page().await.contains("Nothing has arrived yet"));
    for number in 1..=51 {
        world.status("/a", &format!("message-{number}-end")).await;
    }
    let hostile = "<script>alert(1)</script>";
    let request = world.http.post(world.receiver.url("/x")).body(hostile);
    request.timeout(Duration::from_secs(10)).send().await.unwrap();
    let shown = page().await;
    assert!(shown.contains("52 deliveries have arrived"));
    assert!(shown.contains("message-3-end") && !shown.contains("message-2-end"));
    assert!(shown.find("message-51-end") < shown.find("message-50-end"));
    assert!(!shown.contains(hostile) && shown.contains("&lt;script&gt;"));
}
