//! A seller at the API: what the product's users send, and how a careful client repeats what was not
//! answered.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use simulators::google::Role;
use support::{SOON, eventually};
use uuid::Uuid;

use crate::world::World;

/// Longest anything may take here: a command whose process was killed is taken up again 90 s later, a job
/// whose worker was killed 30 s later, and either may happen more than once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
pub(crate) const PASSWORD: &str = "a password of tests";

/// The client of all tests.
pub(crate) fn plain() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Fails only when somebody installed one before, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        #[expect(clippy::disallowed_methods, reason = "tests stand outside the product")]
        // A connection that belongs to another test's runtime dies with it.
        Client::builder()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(40))
            .build()
            .unwrap()
    })
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) position: Option<i64>,
    /// It was given before, and is only repeated.
    pub(crate) replayed: bool,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        text(&self.body, name)
    }
}

/// A text field.
#[track_caller]
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// A number field.
#[track_caller]
pub(crate) fn number(value: &Value, name: &str) -> i64 {
    value[name]
        .as_i64()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// A request and its answer.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let answer = request.send().await?;
    let header = |name: &str| {
        answer
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let (kind, position) = (
        header("content-type").unwrap_or_default(),
        header("stock-position"),
    );
    let (status, replayed) = (answer.status().as_u16(), header("idempotent-replayed").is_some());
    let text = answer.text().await?;
    Ok(Answer {
        status,
        kind,
        position: position.map(|text| text.parse().unwrap()),
        replayed,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    })
}

/// A seller who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Seller {
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) tenant: Uuid,
    pub(crate) cabinet: String,
    pub(crate) spreadsheet: String,
    /// Place among the simulated marketplace's sellers.
    pub(crate) number: usize,
    /// Position of the last thing done.
    pub(crate) position: i64,
}

impl Seller {
    /// Signs up.
    pub(crate) async fn register(address: &str, number: usize) -> Self {
        let base = format!("{address}/api/v1");
        let body = json!({
            "email": format!("seller{number}@example.com"), "password": PASSWORD,
            "company_name": format!("Company {number}"),
        });
        let request = plain()
            .post(format!("{base}/auth/register"))
            .header("Idempotency-Key", format!("register {number}"));
        let registered = send(request.json(&body)).await.unwrap();
        assert_eq!(registered.status, 201, "{registered:?}");
        let mut seller = Self {
            base,
            token: registered.text("access_token").to_owned(),
            tenant: Uuid::nil(),
            cabinet: String::new(),
            spreadsheet: String::new(),
            number,
            position: registered.position.unwrap(),
        };
        seller.tenant = text(&seller.read("/tenants/me").await, "id").parse().unwrap();
        seller
    }

    /// Signs up, connects the shop of that number and links a spreadsheet.
    pub(crate) async fn enter(world: &World, number: usize) -> Self {
        let mut seller = Self::register(world.address(), number).await;
        seller.link(world).await;
        seller.connect(world).await;
        seller
    }

    pub(crate) async fn connect(&mut self, world: &World) {
        let sid = world.wildberries.sellers()[self.number];
        let credential = world.wildberries.personal_token(sid);
        let body = json!({ "marketplace": "wildberries", "credential": credential, "title": "Shop" });
        let connected = self.insist(Method::POST, "/cabinets", "connect", &body).await;
        assert_eq!(connected.status, 201, "{connected:?}");
        self.position = connected.position.unwrap();
        connected.text("id").clone_into(&mut self.cabinet);
    }

    /// Connects the shop at Ozon; what is asked of a cabinet is asked of this one from now on.
    pub(crate) async fn connect_ozon(&mut self, world: &World) {
        let id = world.ozon.sellers()[0];
        let body = json!({
            "marketplace": "ozon", "client_id": id.to_string(), "credential": world.ozon.api_key(id), "title": "Ozon",
        });
        let connected = self
            .insist(Method::POST, "/cabinets", "connect at Ozon", &body)
            .await;
        assert_eq!(connected.status, 201, "{connected:?}");
        self.position = connected.position.unwrap();
        connected.text("id").clone_into(&mut self.cabinet);
    }

    pub(crate) async fn link(&mut self, world: &World) {
        let account = world.google.service_account_email(0);
        self.spreadsheet = world.google.create_spreadsheet(
            &format!("Shop {}", self.number),
            &[(account.as_str(), Role::Writer)],
        );
        let body = json!({ "spreadsheet_id": self.spreadsheet });
        let linked = self.insist(Method::PUT, "/sheets/link", "link", &body).await;
        assert_eq!(linked.status, 200, "{linked:?}");
        self.position = linked.position.unwrap();
    }

    /// A request as this seller.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        plain()
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }

    /// A command, sent once.
    pub(crate) async fn command(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Result<Answer, reqwest::Error> {
        send(
            self.request(method, path)
                .header("Idempotency-Key", key)
                .json(body),
        )
        .await
    }

    /// A command, repeated with the same key until it is answered. Whatever is not an answer has to say that
    /// it may be repeated.
    pub(crate) async fn insist(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        eventually(&format!("an answer to {method} {path}"), PATIENCE, || async {
            match self.command(method.clone(), path, key, body).await {
                Err(error) => Err(format!("{error:?}")),
                Ok(answer) if answer.status == 503 || answer.text_code() == Some("request-running") => {
                    assert_eq!(answer.kind, "application/problem+json", "{answer:?}");
                    assert_eq!(answer.body["retryable"], json!(true), "{answer:?}");
                    Err(format!("{answer:?}"))
                }
                Ok(answer) => Ok(answer),
            }
        })
        .await
    }

    /// Reads what is at least as new as the last thing this seller did.
    pub(crate) async fn read(&self, path: &str) -> Value {
        self.read_at(path, self.position).await.unwrap().ok()
    }

    /// Reads what is at least as new as a position.
    pub(crate) async fn read_at(&self, path: &str, position: i64) -> Result<Answer, reqwest::Error> {
        let request = self.request(Method::GET, path);
        send(
            request
                .header("Stock-Min-Position", position.to_string())
                .header("Prefer", "wait=10"),
        )
        .await
    }

    /// Reads as it is, repeated while the API is away.
    pub(crate) async fn look(&self, path: &str) -> Result<Value, String> {
        let answer = send(self.request(Method::GET, path))
            .await
            .map_err(|error| format!("{error:?}"))?;
        match answer.status {
            200 => Ok(answer.body),
            _ => Err(format!("{answer:?}")),
        }
    }

    /// Asks for a forced sync; returns its id and the answer.
    pub(crate) async fn ask_for_sync(&self, key: &str) -> (String, Answer) {
        let path = format!("/cabinets/{}/syncs", self.cabinet);
        let asked = self
            .insist(Method::POST, &path, key, &json!({ "forced": true }))
            .await;
        assert_eq!(asked.status, 202, "{asked:?}");
        (asked.text("operation_id").to_owned(), asked)
    }

    /// Waits until a sync has ended; returns it.
    pub(crate) async fn ended(&self, sync: &str) -> Value {
        eventually(&format!("the end of sync {sync}"), PATIENCE, || async {
            let sync = self.look(&format!("/syncs/{sync}")).await?;
            match text(&sync, "status") {
                "succeeded" | "failed" | "quarantined" => Ok(sync),
                _ => Err(sync.to_string()),
            }
        })
        .await
    }

    /// A sync from the request to its success; what it saw is read from here on. One that was outstanding
    /// already is waited for first, because it may have read before.
    pub(crate) async fn sync(&mut self, key: &str) -> Value {
        let mut turn = 0;
        loop {
            let (sync, asked) = self.ask_for_sync(&format!("{key} {turn}")).await;
            let ended = self.ended(&sync).await;
            self.position = self.position.max(number(&ended, "position"));
            if asked.body["was_waiting"] == json!(false) {
                assert_eq!(text(&ended, "status"), "succeeded", "{ended}");
                return ended;
            }
            turn += 1;
        }
    }

    /// Waits for the beginning of the first sync, which nobody asked for.
    pub(crate) async fn first_sync_id(&self) -> String {
        let path = format!("/syncs?cabinet={}", self.cabinet);
        let found = eventually("a first sync by itself", SOON, || async {
            let syncs = self.look(&path).await?;
            syncs["data"].get(0).cloned().ok_or_else(|| syncs.to_string())
        })
        .await;
        text(&found, "id").to_owned()
    }

    /// Waits for its end.
    pub(crate) async fn first_sync(&mut self) -> Value {
        let ended = self.ended(&self.first_sync_id().await).await;
        self.position = self.position.max(number(&ended, "position"));
        ended
    }

    /// All listed products, whole.
    pub(crate) async fn products(&self) -> Vec<Value> {
        let mut ids = Vec::new();
        let mut path = "/products?limit=100&sort=marketplace_article&order=asc".to_owned();
        loop {
            let page = self.read(&path).await;
            ids.extend(
                page["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| text(row, "id").to_owned()),
            );
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            path = format!("/products?limit=100&sort=marketplace_article&order=asc&cursor={cursor}");
        }
        let mut products = Vec::new();
        for id in ids {
            products.push(self.read(&format!("/products/{id}")).await);
        }
        products
    }
}

impl Answer {
    fn text_code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }
}
