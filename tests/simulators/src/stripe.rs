//! Stripe as an HTTP server, as far as subscriptions go: customers, checkout, portal, subscriptions, invoices
//! and events, with signed deliveries to webhook endpoints, a clock that can be moved, and pages to click.
//!
//! The base address stands in for `https://api.stripe.com`. Shapes are those of Stripe's published fixtures
//! (2026-08) with what the changelogs to 2026-10-28 add; what is not published is marked `Unknown:` at its
//! place. A card has a behaviour and no number.

mod agenda;
mod catalog;
mod checkout;
mod control;
mod customers;
mod errors;
mod events;
mod expand;
mod foreign;
mod form;
mod idempotency;
mod invoices;
mod lifecycle;
mod lists;
mod mail;
mod model;
mod pages;
mod payments;
mod portal;
mod proration;
mod render;
mod sender;
mod service;
mod signature;
mod subscriptions;
mod versions;
mod world;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use mail::{Attempt, Delivery, DeliveryState, EndpointConfig, Order, Release};
pub use model::{AfterRetries, Card, Settings};
pub use service::{Failure, Signed};
pub use signature::{header as signature_header, sign};
pub use versions::Version;

use crate::clock::Clock;
use crate::server::{Listener, SimulatorError};
use sender::Sender;
use service::Service;

/// Id of the seeded price of the plan STARTER, $9.90 a month.
pub const PRICE_STARTER: &str = "price_1SimulatedStarterMonth00";
/// Id of the seeded price of the plan PRO, $29.90 a month.
pub const PRICE_PRO: &str = "price_1SimulatedProMonth000000";
/// Id of the seeded price of the plan ENTERPRISE, $99.90 a month.
pub const PRICE_ENTERPRISE: &str = "price_1SimulatedEnterprise0000";

/// Which time stands in signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// The machine's, for a product that runs with the real time while the simulator's clock is moved.
    #[default]
    Real,
    /// The simulator's, for a product that shares its clock.
    Simulated,
}

/// A price that is there from the start, with a product of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceConfig {
    /// The price's id.
    pub id: String,
    /// The product's name.
    pub name: String,
    /// Cents (USD) a month.
    pub cents: i64,
}

impl PriceConfig {
    fn new(id: &str, name: &str, cents: i64) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            cents,
        }
    }
}

/// How the simulated Stripe starts.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Its time, which [`Stripe::advance`] moves.
    pub clock: Clock,
    /// Which time stands in signatures.
    pub signing: Signing,
    /// All ids follow from it.
    pub seed: u64,
    /// The one key that is accepted.
    pub api_key: String,
    /// The account's version: that of listed events, and of answers to requests that name none.
    pub version: Version,
    /// What is for sale.
    pub prices: Vec<PriceConfig>,
    /// Where events go.
    pub endpoints: Vec<EndpointConfig>,
    /// Settings of the account.
    pub settings: Settings,
    /// Folder that keeps the account between two starts; endpoints are always those of the configuration.
    pub data_dir: Option<PathBuf>,
}

impl Default for StripeConfig {
    fn default() -> Self {
        Self {
            port: 0,
            clock: Clock::system(),
            signing: Signing::default(),
            seed: 1,
            api_key: "sk_test_simulated".to_owned(),
            version: Version::Endive,
            prices: vec![
                PriceConfig::new(PRICE_STARTER, "Starter", 990),
                PriceConfig::new(PRICE_PRO, "Pro", 2_990),
                PriceConfig::new(PRICE_ENTERPRISE, "Enterprise", 9_990),
            ],
            endpoints: Vec::new(),
            settings: Settings::default(),
            data_dir: None,
        }
    }
}

/// A running simulated Stripe; dropping it stops the server.
pub struct Stripe {
    listener: Listener,
    service: Arc<Service>,
    sender: Sender,
    url: String,
}

impl Stripe {
    /// Makes the account and listens.
    ///
    /// # Errors
    /// [`SimulatorError`] if the port is taken, no thread can be started, or the kept account cannot be read.
    pub async fn start(config: StripeConfig) -> Result<Self, SimulatorError> {
        let (socket, address) = Listener::bind(config.port)?;
        let url = format!("http://{address}");
        let service = Arc::new(Service::new(config, url.clone())?);
        let listener = Listener::start(socket, Arc::clone(&service) as Arc<_>, 2).await?;
        let sender = Sender::start(Arc::clone(&service))?;
        Ok(Self {
            listener,
            service,
            sender,
            url,
        })
    }

    /// Closes the socket and waits until the server's threads have ended.
    pub async fn stop(self) {
        self.sender.stop().await;
        self.listener.stop().await;
        self.service.save();
    }

    /// Address that stands in for `https://api.stripe.com`, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key of the account's API.
    #[must_use]
    pub fn api_key(&self) -> &str {
        self.service.api_key()
    }

    /// Its time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.service.now()
    }

    /// Moves its time. When this returns, everything that was due by then has happened, in order. Deliveries
    /// follow: see [`Stripe::until_quiet`]. A negative duration moves nothing.
    pub fn advance(&self, by: TimeDelta) {
        self.service.advance(by);
    }

    /// Chooses which time stands in signatures.
    pub fn sign_with(&self, signing: Signing) {
        self.service.sign_with(signing);
    }

    /// Changes the account's settings.
    pub fn settings(&self, settings: Settings) {
        self.service.with(|world| world.settings = settings);
    }

    /// Lets calls fail as Stripe does.
    pub fn fail(&self, failure: Failure) {
        self.service.fail(failure);
    }

    /// Adds an endpoint and returns its number. It gets what happens from now on.
    pub fn add_endpoint(&self, endpoint: EndpointConfig) -> usize {
        self.service.with(|world| {
            world.mail.endpoints.push(endpoint);
            world.mail.endpoints.len() - 1
        })
    }

    /// Gives an endpoint other addresses, which take turns; false if there is no such endpoint.
    pub fn set_urls(&self, endpoint: usize, urls: &[String]) -> bool {
        control::change_endpoint(&self.service, endpoint, Some(urls.to_vec()), None)
    }

    /// Gives an endpoint other secrets; two while one is being rolled. False if there is no such endpoint.
    pub fn set_secrets(&self, endpoint: usize, secrets: &[String]) -> bool {
        control::change_endpoint(&self.service, endpoint, None, Some(secrets.to_vec()))
    }

    /// The first secret of an endpoint.
    #[must_use]
    pub fn secret(&self, endpoint: usize) -> Option<String> {
        self.service
            .with(|world| world.mail.endpoints.get(endpoint)?.secrets.first().cloned())
    }

    /// Sets how a customer's card behaves, or takes it away; false if there is no such customer.
    pub fn card(&self, customer: &str, card: Option<Card>) -> bool {
        control::set_card(&self.service, customer, card)
    }

    /// Pays for an open checkout session, as the customer does on its page. The card is kept for renewals.
    /// False if the session is not open, or the card is declined.
    pub fn complete_checkout(&self, session: &str, card: Card) -> bool {
        self.service
            .with(|world| checkout::complete(world, session, None, Some(card)))
            == checkout::Paid::Yes
    }

    /// Starts a subscription to another product of the account; returns its id.
    pub fn foreign_subscription(&self) -> String {
        self.service.with(foreign::subscription)
    }

    /// Makes and charges an invoice without a subscription, for this customer or a new one; returns its id.
    pub fn foreign_invoice(&self, customer: Option<&str>) -> String {
        self.service.with(|world| foreign::invoice(world, customer))
    }

    /// Any customer, product, price, session, subscription or invoice, in the newest version.
    #[must_use]
    pub fn object(&self, id: &str) -> Option<Value> {
        self.service.with(|world| world.object(id))
    }

    /// Ids and kinds of all events, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<(String, String)> {
        self.service.with(|world| {
            world
                .events
                .iter()
                .map(|event| (event.id.clone(), event.kind.clone()))
                .collect()
        })
    }

    /// An event as an endpoint would get it now, signed; none if there is no such event or endpoint.
    #[must_use]
    pub fn signed(&self, event: &str, endpoint: usize) -> Option<Signed> {
        self.service.signed(event, endpoint)
    }

    /// From now on new deliveries wait for [`Stripe::deliver_held`], or are sent by themselves.
    pub fn hold(&self, hold: bool) {
        self.service.with(|world| world.mail.hold = hold);
    }

    /// How many deliveries may be on their way at the same time; 1 keeps their order.
    pub fn concurrency(&self, most: usize) {
        self.service.with(|world| world.mail.concurrency = most);
    }

    /// Whether refused deliveries are sent again, for three simulated days.
    pub fn retry(&self, retry: bool) {
        self.service.with(|world| world.mail.retry = retry);
    }

    /// Lets held deliveries go; returns how many that makes, copies included.
    pub fn deliver_held(&self, release: &Release) -> usize {
        let now = self.now().timestamp();
        self.service.with(|world| world.mail.release(release, now))
    }

    /// Loses deliveries that were not sent yet, by number; returns how many.
    pub fn lose(&self, deliveries: &[usize]) -> usize {
        self.service.with(|world| world.mail.lose(deliveries))
    }

    /// Sends an event once more, as the dashboard does; false if no endpoint takes its kind.
    pub fn resend(&self, event: &str) -> bool {
        control::resend(&self.service, event)
    }

    /// Every delivery with what came of it.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.service.with(|world| world.mail.deliveries.clone())
    }

    /// Waits until no delivery is on its way or due.
    pub async fn until_quiet(&self) {
        self.service.until_quiet().await;
    }
}

impl std::ops::Deref for Stripe {
    type Target = Listener;

    fn deref(&self) -> &Listener {
        &self.listener
    }
}
