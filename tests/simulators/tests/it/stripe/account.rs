//! A started Stripe, calls to it, and an endpoint that takes its deliveries.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use simulators::stripe::{Card, EndpointConfig, PRICE_STARTER, Signing, Version};
use simulators::{Clock, Stripe, StripeConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::client;

pub(crate) const START: &str = "2026-11-01T09:00:00Z";

/// A form's fields.
pub(crate) type Form<'a> = &'a [(&'a str, &'a str)];

pub(crate) struct Account {
    pub(crate) sim: Stripe,
    pub(crate) http: Client,
}

impl Account {
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut StripeConfig)) -> Self {
        let mut config = StripeConfig {
            clock: Clock::manual(START.parse().unwrap()),
            signing: Signing::Simulated,
            ..StripeConfig::default()
        };
        change(&mut config);
        Self {
            sim: Stripe::start(config).await.unwrap(),
            http: client(),
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        form: Form<'_>,
        key: Option<&str>,
    ) -> Response {
        let url = format!("{}{path}", self.sim.url());
        let mut request = self
            .http
            .request(method.clone(), url)
            .bearer_auth(self.sim.api_key());
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = if method == Method::GET {
            request.query(form)
        } else {
            request.form(form)
        };
        request.send().await.unwrap()
    }

    pub(crate) async fn call(&self, method: Method, path: &str, form: Form<'_>) -> (u16, Value) {
        let response = self.send(method, path, form, None).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, form: Form<'_>) -> Value {
        let (status, value) = self.call(Method::POST, path, form).await;
        assert_eq!(status, 200, "{path}: {value:#}");
        value
    }

    pub(crate) async fn get(&self, path: &str, query: Form<'_>) -> Value {
        let (status, value) = self.call(Method::GET, path, query).await;
        assert_eq!(status, 200, "{path}: {value:#}");
        value
    }

    /// The refusal of a call: status, type, code, param and message.
    pub(crate) async fn refused(&self, method: Method, path: &str, form: Form<'_>) -> (u16, Value) {
        let (status, value) = self.call(method, path, form).await;
        assert!(status >= 400, "{path}: {value:#}");
        (status, value["error"].clone())
    }

    /// A customer with an address.
    pub(crate) async fn customer(&self) -> String {
        let customer = self.post("/v1/customers", &[("email", "ann@example.com")]).await;
        text(&customer, "id")
    }

    /// An open checkout of one price.
    pub(crate) async fn session(&self, customer: &str, price: &str, more: Form<'_>) -> Value {
        let mut form = vec![
            ("mode", "subscription"),
            ("customer", customer),
            ("client_reference_id", "tenant-1"),
            ("line_items[0][price]", price),
            ("line_items[0][quantity]", "1"),
            (
                "success_url",
                "https://app.example/ok?session_id={CHECKOUT_SESSION_ID}",
            ),
            ("cancel_url", "https://app.example/no"),
            ("subscription_data[metadata][tenant_id]", "tenant-1"),
        ];
        form.extend_from_slice(more);
        self.post("/v1/checkout/sessions", &form).await
    }

    /// A customer who has bought STARTER with that card; ids of customer and subscription.
    pub(crate) async fn subscribed(&self, card: Card) -> (String, String) {
        self.subscribed_with(card, &[]).await
    }

    pub(crate) async fn subscribed_with(&self, card: Card, more: Form<'_>) -> (String, String) {
        let customer = self.customer().await;
        let session = text(&self.session(&customer, PRICE_STARTER, more).await, "id");
        assert!(self.sim.complete_checkout(&session, card));
        let session = self.get(&format!("/v1/checkout/sessions/{session}"), &[]).await;
        (customer, text(&session, "subscription"))
    }

    pub(crate) async fn subscription(&self, id: &str) -> Value {
        self.get(&format!("/v1/subscriptions/{id}"), &[]).await
    }

    pub(crate) async fn status(&self, id: &str) -> String {
        text(&self.subscription(id).await, "status")
    }

    pub(crate) fn days(&self, days: i64) {
        self.sim.advance(TimeDelta::days(days));
    }

    /// Kinds of the events since that number of them.
    pub(crate) fn kinds(&self, since: usize) -> Vec<String> {
        self.sim
            .events()
            .into_iter()
            .skip(since)
            .map(|(_, kind)| kind)
            .collect()
    }

    /// The newest event of a kind.
    pub(crate) async fn event(&self, kind: &str) -> Value {
        let list = self.get("/v1/events", &[("type", kind), ("limit", "1")]).await;
        assert!(list["data"][0].is_object(), "no event {kind}");
        list["data"][0].clone()
    }

    /// An endpoint of our own that gets everything in a version.
    pub(crate) fn listen(&self, inbox: &Inbox, version: Version) -> usize {
        self.sim.add_endpoint(EndpointConfig {
            urls: vec![inbox.url.clone()],
            version,
            ..EndpointConfig::default()
        })
    }
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value:#}"))
        .to_owned()
}

pub(crate) fn seconds(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().unwrap().timestamp()
}

/// A delivery as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Letter {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An HTTP server that keeps what it gets and answers with the statuses that it was given, then with 200.
pub(crate) struct Inbox {
    pub(crate) url: String,
    letters: Arc<Mutex<Vec<Letter>>>,
    statuses: Arc<Mutex<Vec<u16>>>,
}

impl Inbox {
    pub(crate) async fn open() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook", socket.local_addr().unwrap());
        let letters = Arc::new(Mutex::new(Vec::new()));
        let statuses = Arc::new(Mutex::new(Vec::<u16>::new()));
        let (kept, script) = (Arc::clone(&letters), Arc::clone(&statuses));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                let (kept, script) = (Arc::clone(&kept), Arc::clone(&script));
                tokio::spawn(async move {
                    if let Some(letter) = read(&mut stream).await {
                        kept.lock().unwrap().push(letter);
                        let status = script.lock().unwrap().pop().unwrap_or(200);
                        let answer =
                            format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self {
            url,
            letters,
            statuses,
        }
    }

    pub(crate) fn answers(&self, statuses: &[u16]) {
        self.statuses.lock().unwrap().extend(statuses.iter().rev());
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }

    /// Ids of the events in the order in which they came.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.letters()
            .iter()
            .map(|letter| text(&letter.json(), "id"))
            .collect()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> Option<Letter> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers: Vec<(String, String)> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let length = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.parse().unwrap());
            if body.len() >= length {
                let body = body.to_owned();
                return Some(Letter { headers, body });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
