//! Wildberries as an HTTP server: all its hosts behind one address, because every base address is a setting.
//!
//! Facts are those of the official OpenAPI files and the release notes to October 2026.

mod cards;
mod control;
mod errors;
mod ledger;
mod life;
mod limits;
mod marketplace;
mod names;
mod orders;
mod past;
mod remains;
mod seller;
mod service;
mod stocks;
mod tokens;
mod truth;
mod world;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub use limits::{Host, Limits};
pub use seller::SellerConfig;
pub use tokens::{TokenKind, scope, token};
pub use truth::{ProductTruth, Truth};

use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::server::{Listener, Market as _, SimulatorError};
use service::Service;

/// How the simulated Wildberries starts.
#[derive(Debug, Clone)]
pub struct WildberriesConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The cabinets.
    pub sellers: Vec<SellerConfig>,
    /// Its time. A manual clock moves by `step` with every step of [`Wildberries::advance`].
    pub clock: Clock,
    /// Length of one step under a manual clock.
    pub step: TimeDelta,
    /// Request limits.
    pub limits: Limits,
    /// Whether warehouses are masked as since 15.08.2026.
    pub masked: bool,
    /// Polls that a stock report task answers before it is done.
    pub polls_until_done: u32,
    /// Seconds between automatic steps; none if absent.
    pub auto_seconds: Option<f64>,
    /// Folder that keeps when the cabinets were made and lived; the next start lives the same life again.
    pub data_dir: Option<PathBuf>,
}

impl Default for WildberriesConfig {
    fn default() -> Self {
        Self {
            port: 0,
            sellers: vec![SellerConfig::default()],
            clock: Clock::system(),
            step: TimeDelta::minutes(1),
            limits: Limits::Speed(1.0),
            masked: false,
            polls_until_done: 2,
            auto_seconds: None,
            data_dir: None,
        }
    }
}

/// A running simulated Wildberries; dropping it stops the server.
pub struct Wildberries {
    listener: Listener,
    service: Arc<Service>,
}

impl Wildberries {
    /// Makes the cabinets and listens.
    ///
    /// # Errors
    /// [`SimulatorError`] if the port is taken or the data folder cannot be used.
    pub async fn start(config: WildberriesConfig) -> Result<Self, SimulatorError> {
        let (socket, _address) = Listener::bind(config.port)?;
        let service = Arc::new(Service::new(config)?);
        let listener = Listener::start(socket, Arc::clone(&service) as Arc<_>, 2).await?;
        Ok(Self { listener, service })
    }

    /// Address that answers only for one host, as in reality (matters for `/ping`).
    #[must_use]
    pub fn host_url(&self, host: Host) -> String {
        format!("{}/{}", self.listener.base_url(), host.label())
    }

    /// Closes the socket and waits until the server's thread has ended.
    pub async fn stop(self) {
        self.listener.stop().await;
        self.service.save();
    }

    /// Ids of the sellers in the order of the configuration.
    #[must_use]
    pub fn sellers(&self) -> Vec<Uuid> {
        self.service.sellers()
    }

    /// A token of a seller; see [`token`].
    #[must_use]
    pub fn token(&self, sid: Uuid, kind: TokenKind, scope: u32, expires: DateTime<Utc>) -> String {
        tokens::token(sid, kind, scope, expires)
    }

    /// A Personal token with every needed category, valid for the documented 180 days.
    #[must_use]
    pub fn personal_token(&self, sid: Uuid) -> String {
        self.token(
            sid,
            TokenKind::Personal,
            scope::ALL,
            self.service.now() + TimeDelta::days(180),
        )
    }

    /// The same as a Base token, with its far lower limits.
    #[must_use]
    pub fn base_token(&self, sid: Uuid) -> String {
        self.token(
            sid,
            TokenKind::Base,
            scope::ALL,
            self.service.now() + TimeDelta::days(180),
        )
    }

    /// From now on the service with this secret is known: base tokens that come with it have the full limits.
    pub fn know_service(&self, secret: &str) {
        self.service.know_service(secret);
    }

    /// How often something was called that Wildberries has switched off.
    #[must_use]
    pub fn removed_calls(&self) -> u64 {
        self.service.removed_calls()
    }

    /// From now on this token is refused with 401, as if the seller had deleted it.
    pub fn revoke(&self, token: &str) {
        self.service.revoke(token);
    }

    /// Lets all cabinets live for some steps.
    pub fn advance(&self, steps: usize) {
        self.service.advance(steps);
    }

    /// Lets all cabinets live for some hours, at the rates of their [`Life`](crate::Life).
    pub fn live(&self, hours: u32) {
        self.service.live(hours);
    }

    /// Changes the amount in a fraction of all cells that hold stock; returns how many cells changed.
    pub fn mutate_fraction(&self, fraction: f64) -> usize {
        self.service.mutate_fraction(fraction)
    }

    /// Sets an article's units at one warehouse; false if either is unknown.
    pub fn set_stock(&self, sid: Uuid, nm_id: u64, warehouse: &str, units: u32) -> bool {
        self.service.set_stock(sid, nm_id, warehouse, units)
    }

    /// Moves a card to the trash; its stock becomes 0.
    pub fn delist(&self, sid: Uuid, nm_id: u64) {
        self.service.delist(sid, nm_id);
    }

    /// Adds a new card and returns its article.
    pub fn add_card(&self, sid: Uuid) -> Option<u64> {
        self.service.add_card(sid)
    }

    /// Switches the masking of warehouses.
    pub fn mask(&self, masked: bool) {
        self.service.mask(masked);
    }

    /// From now on the stock report is refreshed before every page and tells its rows in another order
    /// then, or no more.
    pub fn restless(&self, restless: bool) {
        self.service.restless(restless);
    }

    /// From now on a page of the order feed holds at most so many rows, whatever is asked for: a cap that the
    /// vendor does not state.
    pub fn cap_feed(&self, cap: Option<usize>) {
        self.service.cap_feed(cap);
    }

    /// From now on the older order report spells the ids of orders without their prefix, or no more.
    pub fn bare_order_ids(&self, bare: bool) {
        self.service.bare_ids(bare);
    }

    /// Switches or speeds up the limits; full buckets again.
    pub fn limits(&self, limits: Limits) {
        self.service.limits(limits);
    }

    /// Deletes the bodies of all stock report tasks, as Wildberries does after two hours.
    pub fn purge_tasks(&self) {
        self.service.purge_tasks();
    }

    /// What is really in a cabinet; orders counted from `since` or for seven days.
    #[must_use]
    pub fn truth(&self, sid: Uuid, since: Option<DateTime<Utc>>) -> Option<Truth> {
        self.service.truth(sid, since)
    }

    /// The same, row by row and in the form of all marketplaces; orders from `since` or of a month.
    #[must_use]
    pub fn ledger(&self, sid: Uuid, since: Option<DateTime<Utc>>) -> Option<Ledger> {
        self.service.ledger(sid, since)
    }
}

impl std::ops::Deref for Wildberries {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        &self.listener
    }
}
