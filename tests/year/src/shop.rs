//! The marketplace of the year, driven from outside: over its own controls, as another process would.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use events::cabinet::Marketplace;
use reqwest::Method;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulators::ozon::OzonLimits;
use simulators::wildberries::{Host, Limits};
use simulators::{
    Clock, Ledger, Life, Ozon, OzonConfig, OzonSellerConfig, SellerConfig, Wildberries, WildberriesConfig,
};

use crate::{Failure, Plan};

/// When the year begins.
const START: &str = "2026-01-12T05:00:00Z";

/// Where the seller sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Market {
    /// Wildberries.
    Wildberries,
    /// Ozon.
    Ozon,
}

impl Market {
    pub(crate) const fn marketplace(self) -> Marketplace {
        match self {
            Self::Wildberries => Marketplace::Wildberries,
            Self::Ozon => Marketplace::Ozon,
        }
    }
}

/// A running simulator; its server lives as long as this.
enum Server {
    Wildberries(Wildberries),
    Ozon(Ozon),
}

/// One seller's shop at a simulated marketplace.
pub(crate) struct Shop {
    pub(crate) market: Market,
    pub(crate) clock: Clock,
    server: Server,
    http: reqwest::Client,
    base: String,
    key: String,
}

/// Warehouses come and go every few weeks, everything is cleared out a few times a year.
fn life() -> Life {
    Life {
        openings: 6,
        closings: 6,
        warehouse_renames: 8,
        clearances: 1,
        ..Life::default()
    }
}

impl Shop {
    pub(crate) async fn open(plan: &Plan) -> Result<Self, Failure> {
        let clock = Clock::manual(START.parse::<DateTime<Utc>>()?);
        let server = match plan.market {
            Market::Wildberries => Server::Wildberries(
                Wildberries::start(WildberriesConfig {
                    sellers: vec![SellerConfig {
                        seed: plan.seed,
                        articles: plan.articles,
                        warehouses: plan.warehouses,
                        fbs_warehouses: 2,
                        orders_per_day: 10,
                        life: life(),
                        ..SellerConfig::default()
                    }],
                    clock: clock.clone(),
                    limits: Limits::Off,
                    ..WildberriesConfig::default()
                })
                .await?,
            ),
            Market::Ozon => Server::Ozon(
                Ozon::start(OzonConfig {
                    sellers: vec![OzonSellerConfig {
                        seed: plan.seed,
                        products: plan.articles,
                        warehouses: plan.warehouses,
                        fbs_warehouses: 3,
                        orders_per_day: 10,
                        life: life(),
                        ..OzonSellerConfig::default()
                    }],
                    clock: clock.clone(),
                    limits: OzonLimits::Off,
                    ..OzonConfig::default()
                })
                .await?,
            ),
        };
        connectors::http::install_crypto();
        #[expect(
            clippy::disallowed_methods,
            reason = "the controls of a simulator are no vendor's"
        )]
        let http = reqwest::Client::new();
        let base = match &server {
            Server::Wildberries(server) => server.base_url(),
            Server::Ozon(server) => server.base_url(),
        };
        let mut shop = Self {
            market: plan.market,
            clock,
            server,
            http,
            base,
            key: String::new(),
        };
        shop.new_key().await?;
        Ok(shop)
    }

    /// Address of a Wildberries host.
    pub(crate) fn host(&self, host: Host) -> String {
        match &self.server {
            Server::Wildberries(server) => server.host_url(host),
            Server::Ozon(server) => server.base_url(),
        }
    }

    /// A key of the documented life, in the form in which the seller gives it to us.
    pub(crate) async fn new_key(&mut self) -> Result<SecretString, Failure> {
        let (path, body, name) = match self.market {
            Market::Wildberries => ("token", json!({"kind": "personal"}), "token"),
            Market::Ozon => ("key", json!({}), "key"),
        };
        let made: Value = self.ask(Method::POST, path, &body).await?;
        self.key = made[name].as_str().ok_or("no key")?.to_owned();
        let given = match self.market {
            Market::Wildberries => self.key.clone(),
            Market::Ozon => format!("{}:{}", made["clientId"], self.key),
        };
        Ok(given.into())
    }

    pub(crate) async fn revoke(&self) -> Result<(), Failure> {
        match self.market {
            Market::Wildberries => self.tell("revoke", &json!({"token": self.key})).await,
            Market::Ozon => self.tell("deactivate", &json!({"key": self.key})).await,
        }
    }

    pub(crate) async fn hide(&self, hidden: bool) -> Result<(), Failure> {
        self.tell("mask", &json!({"masked": hidden})).await
    }

    pub(crate) async fn live(&self, hours: u32) -> Result<(), Failure> {
        self.tell("live", &json!({"hours": hours})).await
    }

    /// Sources fail, and rows of answers are damaged, in so many thousandths.
    pub(crate) async fn weather(&self, seed: u64, per_mille: u32, damaged: u32) -> Result<(), Failure> {
        self.tell("weather", &json!({"seed": seed, "perMille": per_mille}))
            .await?;
        self.tell("damage", &json!({"seed": seed, "perMille": damaged}))
            .await
    }

    /// Rows that were damaged so far, by what was done to them.
    pub(crate) async fn damaged(&self) -> Result<BTreeMap<String, u64>, Failure> {
        self.ask(Method::GET, "damage", &Value::Null).await
    }

    pub(crate) async fn faults(&self) -> Result<BTreeMap<String, u64>, Failure> {
        self.ask(Method::GET, "weather", &Value::Null).await
    }

    pub(crate) async fn ledger(&self) -> Result<Ledger, Failure> {
        self.ask(Method::GET, "ledger", &Value::Null).await
    }

    /// What happened to the shop so far, by name.
    pub(crate) async fn happened(&self) -> Result<BTreeMap<String, u64>, Failure> {
        Ok(self.ledger().await?.happened)
    }

    /// Time goes on without anything happening.
    pub(crate) fn pass(&self, by: TimeDelta) {
        self.clock.add(by);
    }

    async fn tell(&self, control: &str, body: &Value) -> Result<(), Failure> {
        self.send(Method::POST, control, body).await.map(drop)
    }

    async fn ask<Answer: DeserializeOwned>(
        &self,
        method: Method,
        control: &str,
        body: &Value,
    ) -> Result<Answer, Failure> {
        Ok(serde_json::from_slice(&self.send(method, control, body).await?)?)
    }

    async fn send(&self, method: Method, control: &str, body: &Value) -> Result<Vec<u8>, Failure> {
        let mut request = self.http.request(method, format!("{}/_sim/{control}", self.base));
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let reply = request.send().await?;
        if !reply.status().is_success() {
            return Err(format!("/_sim/{control}: {} {}", reply.status(), reply.text().await?).into());
        }
        Ok(reply.bytes().await?.to_vec())
    }
}
