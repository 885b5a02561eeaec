//! Ozon's Seller API as an HTTP server: one address, POST for everything, a `Client-Id` and an `Api-Key`.
//!
//! Facts are those of the official documentation to October 2026 and of published live calls. Where these
//! contradict each other a [`Dialect`] says which of them is spoken.

mod account;
mod control;
mod descriptions;
mod errors;
mod ledger;
mod life;
mod limits;
mod names;
mod postings;
mod products;
mod seller;
mod service;
mod stocks;
mod truth;
mod wire;
mod world;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

pub use account::{METHODS, ROLE_PRODUCTS};
pub use limits::OzonLimits;
pub use seller::OzonSellerConfig;
pub use truth::{OzonProductTruth, OzonTruth};
pub use wire::Dialect;

use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::server::{Listener, Market as _, SimulatorError};
use service::Service;

/// How the simulated Ozon starts.
#[derive(Debug, Clone)]
pub struct OzonConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The cabinets.
    pub sellers: Vec<OzonSellerConfig>,
    /// Its time. A manual clock moves by `step` with every step of [`Ozon::advance`].
    pub clock: Clock,
    /// Length of one step under a manual clock.
    pub step: TimeDelta,
    /// Request limits.
    pub limits: OzonLimits,
    /// Which of the contradicting documents it follows.
    pub dialect: Dialect,
    /// Seconds between automatic steps; none if absent.
    pub auto_seconds: Option<f64>,
}

impl Default for OzonConfig {
    fn default() -> Self {
        Self {
            port: 0,
            sellers: vec![OzonSellerConfig::default()],
            clock: Clock::system(),
            step: TimeDelta::minutes(1),
            limits: OzonLimits::Speed(1.0),
            dialect: Dialect::October,
            auto_seconds: None,
        }
    }
}

/// A running simulated Ozon; dropping it stops the server.
pub struct Ozon {
    listener: Listener,
    service: Arc<Service>,
}

impl Ozon {
    /// Makes the cabinets and listens.
    ///
    /// # Errors
    /// [`SimulatorError`] if the port is taken.
    pub async fn start(config: OzonConfig) -> Result<Self, SimulatorError> {
        let (socket, _address) = Listener::bind(config.port)?;
        let service = Arc::new(Service::new(config));
        let listener = Listener::start(socket, Arc::clone(&service) as Arc<_>, 2).await?;
        Ok(Self { listener, service })
    }

    /// Closes the socket and waits until the server's thread has ended.
    pub async fn stop(self) {
        self.listener.stop().await;
    }

    /// `Client-Id`s of the sellers in the order of the configuration.
    #[must_use]
    pub fn sellers(&self) -> Vec<u64> {
        self.service.sellers()
    }

    /// A key with every method, valid for the three months that new keys have.
    #[must_use]
    pub fn api_key(&self, client_id: u64) -> String {
        self.key(client_id, &METHODS, self.service.now() + TimeDelta::days(90))
    }

    /// A key whose one role opens these methods.
    #[must_use]
    pub fn key(&self, client_id: u64, methods: &[&str], expires: DateTime<Utc>) -> String {
        self.service.key(client_id, methods, expires)
    }

    /// From now on this key is refused as deactivated.
    pub fn deactivate(&self, key: &str) {
        self.service.deactivate(key);
    }

    /// Blocks a cabinet, or lets it go.
    pub fn block(&self, client_id: u64, blocked: bool) {
        self.service.block(client_id, blocked);
    }

    /// Lets all cabinets live for some steps.
    pub fn advance(&self, steps: usize) {
        self.service.advance(steps);
    }

    /// Lets all cabinets live for some hours, at the rates of their [`Life`](crate::Life).
    pub fn live(&self, hours: u32) {
        self.service.live(hours);
    }

    /// Changes the units for sale in a fraction of all cells that hold some; returns how many changed.
    pub fn mutate_fraction(&self, fraction: f64) -> usize {
        self.service.mutate_fraction(fraction)
    }

    /// Sets the units for sale of a product at one of Ozon's warehouses; false if either is unknown.
    pub fn set_stock(&self, client_id: u64, sku: u64, warehouse: &str, units: u32) -> bool {
        self.service.set_stock(client_id, sku, warehouse, units)
    }

    /// Moves a product to the archive; its stock becomes 0.
    pub fn archive(&self, client_id: u64, sku: u64) {
        self.service.archive(client_id, sku);
    }

    /// Adds a product and returns its SKU.
    pub fn add_product(&self, client_id: u64) -> Option<u64> {
        self.service.add_product(client_id)
    }

    /// Switches or speeds up the limits.
    pub fn limits(&self, limits: OzonLimits) {
        self.service.limits(limits);
    }

    /// Switches the dialect.
    pub fn dialect(&self, dialect: Dialect) {
        self.service.dialect(dialect);
    }

    /// From now on the list of products gives its last page again for ever in place of an end, or not.
    pub fn repeats_last_page(&self, repeats: bool) {
        self.service.quirks(|quirks| quirks.repeats_last_page = repeats);
    }

    /// From now on a full page of parcels or of own stock says that it is the last one, or not.
    pub fn hides_next_page(&self, hides: bool) {
        self.service.quirks(|quirks| quirks.hides_next_page = hides);
    }

    /// What is really in a cabinet; orders counted from `since` or for seven days.
    #[must_use]
    pub fn truth(&self, client_id: u64, since: Option<DateTime<Utc>>) -> Option<OzonTruth> {
        self.service.truth(client_id, since)
    }

    /// The same, row by row and in the form of all marketplaces; orders from `since` or of a month.
    #[must_use]
    pub fn ledger(&self, client_id: u64, since: Option<DateTime<Utc>>) -> Option<Ledger> {
        self.service.ledger(client_id, since)
    }
}

impl std::ops::Deref for Ozon {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        &self.listener
    }
}
