//! Plain HTTP for the tests, and assertions of service accounts signed like a real client signs them.

use std::sync::Once;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use reqwest::{Client, Method, Response};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use simulators::google::{Quotas, Role};
use simulators::wildberries::Limits;
use simulators::{Clock, Google, GoogleConfig, SellerConfig, Wildberries, WildberriesConfig};

static PROVIDER: Once = Once::new();

/// A client of its own for every test.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate may not use the product's client builder"
)]
pub(crate) fn client() -> Client {
    provider();
    Client::new()
}

/// As [`client`], without following redirects.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate may not use the product's client builder"
)]
pub(crate) fn staying_client() -> Client {
    provider();
    let builder = Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.build().unwrap()
}

fn provider() {
    PROVIDER.call_once(|| {
        // Another test of the process may have been first; either way a provider is there.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}

/// A started Wildberries with one seller, its token, and a client.
pub(crate) struct Shop {
    pub(crate) sim: Wildberries,
    pub(crate) token: String,
    pub(crate) http: Client,
}

impl Shop {
    pub(crate) async fn open(seller: SellerConfig, limits: Limits) -> Self {
        let clock = Clock::manual("2026-11-01T09:00:00Z".parse().unwrap());
        let config = WildberriesConfig {
            sellers: vec![seller],
            limits,
            clock,
            ..WildberriesConfig::default()
        };
        let sim = Wildberries::start(config).await.unwrap();
        let token = sim.personal_token(sim.sellers()[0]);
        Self {
            sim,
            token,
            http: client(),
        }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        self.call_as(&self.token, method, path, body).await
    }

    pub(crate) async fn call_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Response {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.sim.base_url()));
        request = request.header("Authorization", token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body))
            .await
            .json()
            .await
            .unwrap()
    }
}

/// A started Google with one spreadsheet shared with the service account.
pub(crate) struct Office {
    pub(crate) sim: Google,
    pub(crate) book: String,
    pub(crate) token: String,
    pub(crate) http: Client,
}

pub(crate) const SHEETS_AND_DRIVE: &str =
    "https://www.googleapis.com/auth/spreadsheets https://www.googleapis.com/auth/drive.file";

impl Office {
    pub(crate) async fn open(quotas: Quotas) -> Self {
        let sim = Google::start(GoogleConfig {
            quotas,
            ..GoogleConfig::default()
        })
        .await
        .unwrap();
        let email = sim.service_account_email(0);
        let book = sim.create_spreadsheet("Склад", &[(email.as_str(), Role::Writer)]);
        let http = client();
        let answer = exchange(&http, &sim, &assertion(&sim, SHEETS_AND_DRIVE, 3595)).await;
        let token = answer["access_token"]
            .as_str()
            .expect("an access token")
            .to_owned();
        Self {
            sim,
            book,
            token,
            http,
        }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.sim.base_url()).replace("{book}", &self.book);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (
            response.status().as_u16(),
            response.json().await.unwrap_or(Value::Null),
        )
    }

    pub(crate) async fn batch(&self, requests: Value) -> (u16, Value) {
        let path = "/v4/spreadsheets/{book}:batchUpdate";
        self.call(Method::POST, path, Some(json!({"requests": requests})))
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, value) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{value}");
        value
    }
}

/// A signed assertion, padded like `yup-oauth2` pads it.
pub(crate) fn assertion(sim: &Google, scope: &str, life: i64) -> String {
    let key: Value = serde_json::from_str(&sim.service_account_json()).unwrap();
    let now = Clock::system().now().timestamp();
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let claims = json!({
        "iss": key["client_email"], "scope": scope, "aud": key["token_uri"], "iat": now, "exp": now + life,
    });
    let signed = format!(
        "{}.{}",
        URL_SAFE.encode(header.to_string()),
        URL_SAFE.encode(claims.to_string())
    );
    let pem = key["private_key"].as_str().unwrap();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", URL_SAFE.encode(signature))
}

pub(crate) async fn exchange(http: &Client, sim: &Google, assertion: &str) -> Value {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion),
    ];
    let response = http
        .post(format!("{}/token", sim.base_url()))
        .form(&form)
        .send()
        .await
        .unwrap();
    response.json().await.unwrap()
}
