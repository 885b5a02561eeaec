//! The demo seller: signs up or logs in, connects a cabinet at each marketplace, links the sheet, and syncs.

use std::time::Duration;

use chrono::Local;
use reqwest::Method;
use serde_json::{Value, json};

use crate::Failure;
use crate::client::{Answer, send};
use crate::product::Place;
use crate::world::World;

/// The demo login.
pub(crate) const EMAIL: &str = "demo@stock-tracker.example";
/// Its password; it opens nothing but the demonstration.
pub(crate) const PASSWORD: &str = "demo seller of this machine";

/// How long a sync or a sheet may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Seller {
    base: String,
    token: String,
    /// Name of the marketplace and id of the cabinet there.
    cabinets: Vec<(&'static str, String)>,
    run: String,
    syncs: u32,
    /// The plan and its state when they were last printed.
    plan: String,
}

impl Seller {
    /// Signs up at the first run, logs in at later ones; connects and links what is missing.
    pub(crate) async fn enter(product: &Place, world: &World) -> Result<Self, Failure> {
        let base = format!("{}/api/v1", product.api());
        let run = Local::now().timestamp_millis().to_string();
        let account = json!({ "email": EMAIL, "password": PASSWORD, "company_name": "Demo seller" });
        let registered = send(
            Method::POST,
            &format!("{base}/auth/register"),
            None,
            Some("demo-register"),
            Some(&account),
        )
        .await?;
        match registered.status {
            201 => println!("the demo seller is {EMAIL}"),
            409 => println!("welcome back, {EMAIL}"),
            _ => drop(registered.ok()?),
        }
        let mut seller = Self {
            base,
            token: String::new(),
            cabinets: Vec::new(),
            run,
            syncs: 0,
            plan: String::new(),
        };
        seller.log_in().await?;
        seller.connect(world).await?;
        seller.link(world).await?;
        Ok(seller)
    }

    async fn log_in(&mut self) -> Result<(), Failure> {
        let login = json!({ "email": EMAIL, "password": PASSWORD });
        let answer = send(
            Method::POST,
            &format!("{}/auth/login", self.base),
            None,
            None,
            Some(&login),
        )
        .await?
        .ok()?;
        text(&answer, "access_token").clone_into(&mut self.token);
        Ok(())
    }

    /// Connects what is not connected yet.
    async fn connect(&mut self, world: &World) -> Result<(), Failure> {
        let known = self.call(Method::GET, "/cabinets", None, None).await?.ok()?;
        let (client_id, api_key) = world.ozon_pair()?;
        let wildberries = json!({
            "marketplace": "wildberries", "credential": world.token()?, "title": "Demo cabinet",
        });
        let ozon = json!({
            "marketplace": "ozon", "client_id": client_id, "credential": api_key, "title": "Demo cabinet at Ozon",
        });
        for (marketplace, body) in [("wildberries", wildberries), ("ozon", ozon)] {
            let mut cabinets = known.get("data").and_then(Value::as_array).into_iter().flatten();
            let cabinet = match cabinets.find(|cabinet| text(cabinet, "marketplace") == marketplace) {
                Some(cabinet) => text(cabinet, "id").to_owned(),
                None => {
                    let key = format!("demo-cabinet-{marketplace}-{}", self.run);
                    let asked = self
                        .call(Method::POST, "/cabinets", Some(&key), Some(&body))
                        .await?;
                    println!("connected a cabinet at {marketplace}");
                    text(&asked.ok()?, "id").to_owned()
                }
            };
            self.cabinets.push((marketplace, cabinet));
        }
        Ok(())
    }

    async fn link(&mut self, world: &World) -> Result<(), Failure> {
        let known = self.call(Method::GET, "/sheets/link", None, None).await?;
        if known.status == 200 && text(&known.body, "spreadsheet_id") == world.spreadsheet() {
            return Ok(());
        }
        let key = format!("demo-link-{}", self.run);
        let body = json!({ "spreadsheet_id": world.spreadsheet() });
        self.call(Method::PUT, "/sheets/link", Some(&key), Some(&body))
            .await?
            .ok()?;
        println!("linked the spreadsheet");
        Ok(())
    }

    /// Asks for a sync of each cabinet, waits for their ends, and tells how each was in one line.
    pub(crate) async fn sync_and_tell(&mut self) -> Result<(), Failure> {
        self.syncs += 1;
        let mut operations = Vec::new();
        for (marketplace, cabinet) in self.cabinets.clone() {
            let key = format!("demo-sync-{marketplace}-{}-{}", self.run, self.syncs);
            let path = format!("/cabinets/{cabinet}/syncs");
            let asked = self
                .call(Method::POST, &path, Some(&key), Some(&json!({ "forced": true })))
                .await?
                .ok()?;
            operations.push((marketplace, text(&asked, "operation_id").to_owned()));
        }
        for (marketplace, operation) in operations {
            self.wait_and_tell(marketplace, &operation).await?;
        }
        Ok(())
    }

    async fn wait_and_tell(&mut self, marketplace: &str, operation: &str) -> Result<(), Failure> {
        let end = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < end {
            let sync = self
                .call(Method::GET, &format!("/syncs/{operation}"), None, None)
                .await?;
            match text(&sync.body, "status") {
                "succeeded" | "failed" | "quarantined" => {
                    tell(marketplace, &sync.body);
                    return Ok(());
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        Err(format!("sync {operation} did not end in time").into())
    }

    /// Has the sheet written now, and waits until it shows what is known.
    pub(crate) async fn write_sheet(&mut self) -> Result<(), Failure> {
        let key = format!("demo-sheet-{}-{}", self.run, self.syncs);
        let asked = self
            .call(Method::POST, "/sheets/sync", Some(&key), Some(&json!({})))
            .await?
            .ok()?;
        let operation = text(&asked, "operation_id").to_owned();
        let end = tokio::time::Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while tokio::time::Instant::now() < end {
            last = self
                .call(Method::GET, &format!("/operations/{operation}"), None, None)
                .await?
                .ok()?;
            match text(&last, "status") {
                "succeeded" => return Ok(()),
                "failed" => break,
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        Err(format!("the sheet was not written: {last}").into())
    }

    /// Opens a checkout and prints where it can be paid; a seller who pays already has no need of it.
    pub(crate) async fn offer_a_plan(&mut self) -> Result<(), Failure> {
        self.tell_plan().await?;
        let key = format!("demo-checkout-{}", self.run);
        let wanted = json!({ "plan": "enterprise" });
        let opened = self
            .call(
                Method::POST,
                "/billing/checkout-session",
                Some(&key),
                Some(&wanted),
            )
            .await?;
        if opened.status != 409 {
            let opened = opened.ok()?;
            println!(
                "pay for the plan `enterprise` (simulated): {}",
                text(&opened, "checkout_url")
            );
        }
        Ok(())
    }

    /// Registers the simulated receiver and has a ping sent there. The receiver forgets its secret when it
    /// ends, so every run has an endpoint of its own.
    pub(crate) async fn register_webhook(&mut self, world: &World) -> Result<(), Failure> {
        let known = self
            .call(Method::GET, "/webhook-endpoints", None, None)
            .await?
            .ok()?;
        for endpoint in known.get("data").and_then(Value::as_array).into_iter().flatten() {
            let id = text(endpoint, "id");
            let key = format!("demo-webhook-remove-{id}");
            let path = format!("/webhook-endpoints/{id}");
            self.call(Method::DELETE, &path, Some(&key), None).await?.ok()?;
        }
        let key = format!("demo-webhook-{}", self.run);
        let wanted = json!({ "url": world.hook_url(), "description": "Demo receiver" });
        let added = self
            .call(Method::POST, "/webhook-endpoints", Some(&key), Some(&wanted))
            .await?;
        if added.status == 402 {
            println!("the plan has no webhooks; one that is paid for has them");
            return Ok(());
        }
        let added = added.ok()?;
        world.verify_with(text(&added, "secret"));
        let path = format!("/webhook-endpoints/{}/ping", text(&added, "id"));
        let key = format!("demo-ping-{}", self.run);
        self.call(Method::POST, &path, Some(&key), Some(&json!({})))
            .await?
            .ok()?;
        println!("a webhook arrives at {}", world.receiver_url());
        Ok(())
    }

    /// Prints the plan where it has changed.
    pub(crate) async fn tell_plan(&mut self) -> Result<(), Failure> {
        let contract = self
            .call(Method::GET, "/billing/subscription", None, None)
            .await?
            .ok()?;
        let (name, status) = (text(&contract, "plan_name"), text(&contract, "status"));
        let plan = if name.is_empty() {
            "the plan is `free`".to_owned()
        } else {
            format!("the plan is `{name}` ({status}, {})", text(&contract, "basis"))
        };
        if self.plan != plan {
            println!("{}  {plan}", Local::now().format("%H:%M:%S"));
            self.plan = plan;
        }
        Ok(())
    }

    /// A request as the demo seller; an access token that ended is replaced.
    async fn call(
        &mut self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let address = format!("{}{path}", self.base);
        let answer = send(method.clone(), &address, Some(&self.token), key, body).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.log_in().await?;
        send(method, &address, Some(&self.token), key, body).await
    }
}

fn tell(marketplace: &str, sync: &Value) {
    let now = Local::now().format("%H:%M:%S");
    let number = |name: &str| sync.get(name).and_then(Value::as_i64).unwrap_or(0);
    let failed: Vec<&str> = sync
        .get("sources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|source| !matches!(text(source, "outcome"), "complete" | "cached"))
        .map(|source| text(source, "source"))
        .collect();
    let trouble = if failed.is_empty() {
        String::new()
    } else {
        format!("; incomplete: {}", failed.join(", "))
    };
    println!(
        "{now}  {marketplace}: sync {}: {} products seen, {} changed, {} ms{trouble}",
        text(sync, "status"),
        number("products_synced"),
        number("products_changed"),
        number("duration_ms"),
    );
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
