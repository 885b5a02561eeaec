//! The simulated Telegram.

mod pages;
mod people;
mod rules;
mod updates;

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use simulators::telegram::Person;
use simulators::{Clock, Telegram, TelegramConfig};

use crate::client::client;

/// A started Telegram whose clock stands still, and a client that plays the bot.
struct World {
    sim: Telegram,
    http: Client,
}

impl World {
    async fn start(config: TelegramConfig) -> Self {
        let config = TelegramConfig {
            clock: Clock::manual("2026-11-01T09:00:00Z".parse().unwrap()),
            retry_pause: Duration::from_millis(20),
            conflict_pause: Duration::from_millis(20),
            ..config
        };
        Self {
            sim: Telegram::start(config).await.unwrap(),
            http: client(),
        }
    }

    /// Somebody who has started the bot.
    fn anna(&self) -> Person {
        let anna = self.sim.person("Анна");
        anna.sends("/start");
        anna
    }

    async fn call(&self, method: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/bot{}/{method}", self.sim.url(), self.sim.token());
        let response = self.http.post(url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn ok(&self, method: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, body).await;
        assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
        answer["result"].clone()
    }

    /// Status and description of a call that is refused.
    async fn refused(&self, method: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.call(method, body).await;
        assert_eq!(
            (&answer["ok"], &answer["error_code"]),
            (&json!(false), &json!(status)),
            "{answer}"
        );
        (status, answer["description"].as_str().unwrap().to_owned())
    }

    async fn send(&self, chat: i64, text: &str) -> i32 {
        let sent = self
            .ok("sendMessage", json!({"chat_id": chat, "text": text}))
            .await;
        i32::try_from(sent["message_id"].as_i64().unwrap()).unwrap()
    }
}
