//! HTTP to the product: bearer token, idempotency keys, answers as JSON.

use std::sync::OnceLock;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::Failure;

/// The client of the whole program.
pub(crate) fn plain() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Fails only when somebody installed one before, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        #[expect(
            clippy::disallowed_methods,
            reason = "a program of its own, outside the product"
        )]
        Client::new()
    })
}

/// An answer: its status and its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The body, if the status says that all is well.
    pub(crate) fn ok(self) -> Result<Value, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        Err(format!("the API answered {}: {}", self.status, self.body).into())
    }
}

/// Sends a request; `key` makes a command happen once.
pub(crate) async fn send(
    method: Method,
    address: &str,
    token: Option<&str>,
    key: Option<&str>,
    body: Option<&Value>,
) -> Result<Answer, Failure> {
    let mut request: RequestBuilder = plain().request(method, address);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok(Answer {
        status,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    })
}
