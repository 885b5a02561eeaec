//! How updates reach the bot: polls, offsets, conflicts, and deliveries to a webhook.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use simulators::TelegramConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::World;

fn ids(updates: &Value) -> Vec<i64> {
    updates
        .as_array()
        .unwrap()
        .iter()
        .map(|update| update["update_id"].as_i64().unwrap())
        .collect()
}

fn texts(updates: &[Value]) -> Vec<&str> {
    updates
        .iter()
        .map(|update| update["message"]["text"].as_str().unwrap_or("-"))
        .collect()
}

#[tokio::test]
async fn an_offset_confirms_what_came_before_it() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.sim.person("Анна");
    for number in 0..5 {
        anna.sends(&number.to_string());
    }
    let first = world.ok("getUpdates", json!({"limit": 2})).await;
    assert_eq!(ids(&first), [10_000, 10_001]);
    let next = world.ok("getUpdates", json!({"offset": 10_002})).await;
    assert_eq!(ids(&next), [10_002, 10_003, 10_004]);
    let last = world.ok("getUpdates", json!({"offset": -1})).await;
    assert_eq!(
        ids(&last),
        [10_004],
        "a negative offset forgets everything before"
    );
    assert_eq!(world.sim.pending(), 1);
    world.sim.advance(TimeDelta::hours(25));
    assert_eq!(
        ids(&world.ok("getUpdates", json!({})).await),
        [0_i64; 0],
        "kept for a day"
    );
}

#[tokio::test]
async fn ids_may_begin_anywhere_after_a_quiet_week() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.sim.person("Анна");
    anna.sends("before");
    world.ok("getUpdates", json!({"offset": 10_001})).await;
    world.sim.next_update_id(300);
    anna.sends("after");
    let updates = world.ok("getUpdates", json!({})).await;
    assert_eq!(ids(&updates), [300]);
    assert_eq!(
        ids(&world.ok("getUpdates", json!({"offset": 301})).await),
        [0_i64; 0]
    );
}

#[tokio::test]
async fn only_wanted_kinds_come_from_then_on() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    let wanted = json!({"allowed_updates": ["callback_query"], "offset": 10_001});
    world.ok("getUpdates", wanted).await;
    anna.sends("not wanted");
    anna.blocks();
    assert_eq!(world.sim.pending(), 0);
}

#[tokio::test]
async fn the_newer_of_two_polls_stays() {
    let world = World::start(TelegramConfig::default()).await;
    let url = format!(
        "{}/bot{}/getUpdates?timeout=30",
        world.sim.url(),
        world.sim.token()
    );
    let (http, first) = (world.http.clone(), url.clone());
    let first = tokio::spawn(async move { http.get(first).send().await.unwrap() });
    // A second one comes once the first one waits, which its conflict shows.
    let answer = loop {
        world.ok("getUpdates", json!({})).await;
        if first.is_finished() {
            break first.await.unwrap();
        }
    };
    assert_eq!(answer.status(), 409);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body["description"],
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    );
    assert_eq!(world.sim.conflicts(), 1);
}

#[tokio::test]
async fn a_webhook_and_polls_exclude_each_other() {
    let world = World::start(TelegramConfig::default()).await;
    let set = json!({"url": "http://127.0.0.1:9/", "secret_token": "a-b_C1"});
    world.ok("setWebhook", set).await;
    let (status, words) = world.refused("getUpdates", json!({})).await;
    assert_eq!(status, 409);
    assert!(words.starts_with("Conflict: can't use getUpdates method while webhook is active"));
    world.ok("deleteWebhook", json!({})).await;
    world.ok("getUpdates", json!({})).await;
    for (secret, words) in [
        ("ä", "contains unallowed characters"),
        (&"a".repeat(257), "is too long"),
    ] {
        let set = json!({"url": "http://127.0.0.1:9/", "secret_token": secret});
        assert_eq!(
            world.refused("setWebhook", set).await.1,
            format!("Bad Request: secret token {words}")
        );
    }
}

#[tokio::test]
async fn a_strict_webhook_needs_https_and_one_of_four_ports() {
    let world = World::start(TelegramConfig {
        strict_webhook: true,
        ..TelegramConfig::default()
    })
    .await;
    let set = async |url: &str| world.call("setWebhook", json!({"url": url})).await.0;
    assert_eq!(set("http://example.org/").await, 400);
    assert_eq!(set("https://example.org:9443/").await, 400);
    assert_eq!(set("https://example.org:8443/").await, 200);
}

/// What a webhook got, and what it is to answer; the last answer for ever.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    async fn start(answers: Vec<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let kept = Arc::clone(&got);
        tokio::spawn(async move {
            for number in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                let (head, body) = loop {
                    let mut piece = [0; 4096];
                    let count = stream.read(&mut piece).await.unwrap();
                    bytes.extend_from_slice(&piece[..count]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    if let Ok(body) = serde_json::from_str(body) {
                        break (head.to_lowercase(), body);
                    }
                };
                kept.lock().unwrap().push((head, body));
                let answer = answers[number.min(answers.len() - 1)];
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { url, got }
    }

    /// Waits until so many deliveries have come.
    async fn until(&self, count: usize) -> Vec<(String, Value)> {
        let all = async {
            loop {
                let got = self.got.lock().unwrap().clone();
                if got.len() >= count {
                    return got;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap()
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_delivery_that_is_refused_comes_again_before_the_next_one_of_its_chat() {
    let world = World::start(TelegramConfig::default()).await;
    let receiver = Receiver::start(vec![BROKEN, BROKEN, OK]).await;
    let set = json!({"url": receiver.url, "secret_token": "s3cret", "max_connections": 10});
    world.ok("setWebhook", set).await;
    let anna = world.sim.person("Анна");
    anna.sends("first");
    anna.sends("second");
    let got = receiver.until(4).await;
    assert!(
        got[0].0.contains("x-telegram-bot-api-secret-token: s3cret"),
        "{}",
        got[0].0
    );
    let bodies: Vec<Value> = got.into_iter().map(|(_, body)| body).collect();
    assert_eq!(texts(&bodies), ["first", "first", "first", "second"]);
    let info = world.ok("getWebhookInfo", json!({})).await;
    assert_eq!(info["last_error_message"], "Wrong response from the webhook: 500");
}

#[tokio::test]
async fn a_chat_that_waits_holds_no_other_one() {
    let world = World::start(TelegramConfig::default()).await;
    let wait = "HTTP/1.1 503 Busy\r\nretry-after: 60\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let receiver = Receiver::start(vec![wait, OK]).await;
    world
        .ok("setWebhook", json!({"url": receiver.url, "max_connections": 1}))
        .await;
    world.sim.person("Анна").sends("told to wait");
    receiver.until(1).await;
    world.sim.person("Борис").sends("goes on");
    let bodies: Vec<Value> = receiver
        .until(2)
        .await
        .into_iter()
        .map(|(_, body)| body)
        .collect();
    assert_eq!(texts(&bodies), ["told to wait", "goes on"]);
}

#[tokio::test]
async fn the_answer_of_a_webhook_may_be_a_call() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    let call = json!({"method": "sendMessage", "chat_id": anna.id(), "text": "from the answer"}).to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{call}",
        call.len()
    );
    let receiver = Receiver::start(vec![answer.leak(), OK]).await;
    world.ok("setWebhook", json!({"url": receiver.url})).await;
    receiver.until(1).await;
    anna.sends("one more, after the call was made");
    receiver.until(2).await;
    assert_eq!(anna.last().unwrap().text, "from the answer");
}
