//! A seller at the API: every command with a key, repeated until it is answered.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use support::{SOON, eventually};
use uuid::Uuid;

pub(crate) struct Seller {
    pub(crate) api: String,
    pub(crate) token: String,
    pub(crate) cabinet: String,
    pub(crate) sheet: String,
    pub(crate) sid: Uuid,
    client: Client,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) position: i64,
}

impl Answer {
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }
}

pub(crate) fn client() -> Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test talks to the product as anybody would"
    )]
    Client::builder()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

impl Seller {
    pub(crate) async fn register(api: &str, number: usize, key: String, sid: Uuid, sheet: String) -> Self {
        let mut seller = Self {
            api: api.to_owned(),
            token: String::new(),
            cabinet: String::new(),
            sheet,
            sid,
            client: client(),
        };
        let account = json!({
            "email": format!("seller{number}@example.com"),
            "password": "correct horse battery staple",
            "company_name": format!("Seller {number}"),
        });
        let registered = seller
            .command(
                Method::POST,
                "/auth/register",
                &format!("register-{number}"),
                &account,
            )
            .await;
        assert_eq!(registered.status, 201, "{registered:?}");
        seller.token = registered.text("/access_token");
        let body = json!({ "marketplace": "wildberries", "credential": key });
        let connected = seller.command(Method::POST, "/cabinets", "connect", &body).await;
        assert_eq!(connected.status, 201, "{connected:?}");
        seller.cabinet = connected.text("/id");
        let link = json!({ "spreadsheet_id": seller.sheet });
        let linked = seller.command(Method::PUT, "/sheets/link", "link", &link).await;
        assert_eq!(linked.status, 200, "{linked:?}");
        seller
    }

    /// One try.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut request = self.client.request(method, format!("{}{path}", self.api));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let position = answer
            .headers()
            .get("stock-position")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer {
            status,
            body,
            position: position.unwrap_or(0),
        })
    }

    /// A command, repeated under its key until it is answered for good.
    pub(crate) async fn command(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        eventually(&format!("an answer to {method} {path}"), SOON * 3, || async {
            let answer = self.send(method.clone(), path, Some(key), Some(body)).await?;
            // Trouble on our side, or the first try still under way: the same again.
            if answer.status >= 500 || answer.status == 409 {
                Err(format!("{answer:?}"))
            } else {
                Ok(answer)
            }
        })
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        eventually(&format!("an answer to GET {path}"), SOON * 3, || async {
            let answer = self.send(Method::GET, path, None, None).await?;
            if answer.status >= 500 {
                Err(format!("{answer:?}"))
            } else {
                Ok(answer)
            }
        })
        .await
    }

    /// Asks for a forced sync; returns the operation.
    pub(crate) async fn ask_sync(&self, key: &str) -> String {
        let path = format!("/cabinets/{}/syncs", self.cabinet);
        let asked = self
            .command(Method::POST, &path, key, &json!({ "forced": true }))
            .await;
        assert_eq!(asked.status, 202, "{asked:?}");
        asked.text("/operation_id")
    }

    /// Waits until an operation has ended, and returns it.
    pub(crate) async fn wait(&self, operation: &str) -> Answer {
        let path = format!("/operations/{operation}");
        eventually(&format!("operation {operation} ends"), SOON * 3, || async {
            let found = self.get(&path).await;
            match found.text("/status").as_str() {
                "succeeded" | "failed" | "cancelled" => Ok(found),
                _ => Err(format!("{found:?}")),
            }
        })
        .await
    }

    /// Has the sheet written up to now.
    pub(crate) async fn write_sheet(&self, key: &str) {
        let asked = self.command(Method::POST, "/sheets/sync", key, &json!({})).await;
        assert_eq!(asked.status, 202, "{asked:?}");
        let path = format!("/operations/{}", asked.text("/operation_id"));
        eventually("the sheet is written", SOON * 3, || async {
            let found = self.get(&path).await;
            // A failed write is tried again by itself.
            if found.text("/status") == "succeeded" {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await;
    }

    /// All products, page by page.
    pub(crate) async fn products(&self) -> Vec<Value> {
        let mut products = Vec::new();
        let mut path = "/products?limit=50".to_owned();
        loop {
            let page = self.get(&path).await;
            assert_eq!(page.status, 200, "{page:?}");
            products.extend(page.body["data"].as_array().unwrap().iter().cloned());
            match page.body["next_cursor"].as_str() {
                Some(cursor) => path = format!("/products?limit=50&cursor={cursor}"),
                None => return products,
            }
        }
    }
}
