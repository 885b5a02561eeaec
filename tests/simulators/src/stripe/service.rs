//! Routes a call: key, version, idempotency, scripted failures, then the method itself.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

use super::errors::Refusal;
use super::form::Params;
use super::idempotency::Keys;
use super::versions::{self, Version};
use super::world::{Cause, World};
use super::{
    Signing, StripeConfig, agenda, catalog, checkout, control, customers, events, expand, invoices, pages,
    portal, signature, subscriptions,
};
use crate::clock::Clock;
use crate::kept;
use crate::server::{Answer, Call, Simulated, SimulatorError, lock};

/// The account is kept between two starts, so that subscriptions of an earlier one go on.
const FILE: &str = "stripe-account.json";

/// A failure of Stripe's, with or without the header that says whether to try again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// Beginning of the path; empty matches every call.
    pub path: String,
    /// HTTP method, any if absent.
    pub method: Option<String>,
    /// 429 or a 5xx.
    pub status: u16,
    /// Value of `Stripe-Should-Retry`; no header if absent.
    pub should_retry: Option<bool>,
    /// Calls that fail.
    pub times: u32,
    /// Whether the work is done before it fails.
    pub done: bool,
}

impl Default for Failure {
    fn default() -> Self {
        Self {
            path: String::new(),
            method: None,
            status: 500,
            should_retry: None,
            times: 1,
            done: false,
        }
    }
}

/// A signed request as it goes to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The raw body, which is what the signature is over.
    pub body: String,
    /// Value of the header `Stripe-Signature`.
    pub signature: String,
}

/// The simulator's whole state.
pub(crate) struct Service {
    world: Mutex<World>,
    clock: Clock,
    real: Clock,
    signing: Mutex<Signing>,
    api_key: String,
    pub(crate) version: Version,
    keys: Mutex<Keys>,
    failures: Mutex<Vec<Failure>>,
    /// Something may be due for sending.
    pub(crate) wake: Notify,
    /// Something was sent.
    settled: Notify,
    stopped: AtomicBool,
    data_dir: Option<PathBuf>,
    /// Whether something happened since the account was kept.
    dirty: AtomicBool,
}

impl Service {
    pub(crate) fn new(config: StripeConfig, base_url: String) -> Result<Self, SimulatorError> {
        let kept = match &config.data_dir {
            Some(folder) => kept::load::<World>(folder, FILE)?,
            None => None,
        };
        let now = config.clock.now().timestamp();
        let mut world = match kept {
            Some(mut world) => {
                // Its clock may have been moved; time does not go back.
                let ahead = chrono::TimeDelta::seconds((world.now - now).max(0));
                config.clock.add(ahead);
                world.base_url = base_url;
                world.mail.restart();
                world
            }
            None => World::new(now, base_url, config.settings, config.seed),
        };
        for price in &config.prices {
            if world.prices.get(&price.id).is_none() {
                catalog::seed(&mut world, &price.name, &price.id, price.cents);
            }
        }
        world.mail.endpoints = config.endpoints;
        Ok(Self {
            world: Mutex::new(world),
            clock: config.clock,
            real: Clock::system(),
            signing: Mutex::new(config.signing),
            api_key: config.api_key,
            version: config.version,
            keys: Mutex::default(),
            failures: Mutex::default(),
            wake: Notify::new(),
            settled: Notify::new(),
            stopped: AtomicBool::new(false),
            data_dir: config.data_dir,
            dirty: AtomicBool::new(true),
        })
    }

    /// Keeps the account for the next start, if there is a folder for it and something happened.
    pub(crate) fn save(&self) {
        let Some(folder) = &self.data_dir else { return };
        if !self.dirty.swap(false, Ordering::SeqCst) {
            return;
        }
        let world = lock(&self.world).clone();
        if let Err(error) = kept::save(folder, FILE, &world) {
            tracing::warn!(%error, "the simulated account could not be kept");
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Brings the world up to the present, changes it, and wakes the sender.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.world);
        let now = self.now().timestamp();
        agenda::run(&mut world, now);
        let result = work(&mut world);
        agenda::run(&mut world, now);
        drop(world);
        self.dirty.store(true, Ordering::SeqCst);
        self.wake.notify_one();
        result
    }

    /// Moves the time. When this returns, what was due has happened; it may not be delivered yet.
    pub(crate) fn advance(&self, by: chrono::TimeDelta) {
        self.clock.add(by.max(chrono::TimeDelta::zero()));
        self.with(|_| ());
    }

    pub(crate) fn fail(&self, failure: Failure) {
        lock(&self.failures).push(failure);
    }

    pub(crate) fn sign_with(&self, signing: Signing) {
        *lock(&self.signing) = signing;
    }

    fn failure(&self, call: &Call) -> Option<Failure> {
        let mut failures = lock(&self.failures);
        let at = failures.iter().position(|failure| {
            call.path.starts_with(&failure.path)
                && failure
                    .method
                    .as_ref()
                    .is_none_or(|method| method.eq_ignore_ascii_case(&call.method))
        })?;
        let failure = failures[at].clone();
        failures[at].times = failure.times.saturating_sub(1);
        failures.retain(|failure| failure.times > 0);
        Some(failure)
    }

    /// The request that brings an event to an endpoint now.
    pub(crate) fn signed(&self, event: &str, endpoint: usize) -> Option<Signed> {
        let at = match *lock(&self.signing) {
            Signing::Simulated => self.now(),
            Signing::Real => self.real.now(),
        };
        let world = lock(&self.world);
        let event = world.events.get(event)?;
        let endpoint = world.mail.endpoints.get(endpoint)?;
        let value = if endpoint.thin {
            events::thin(event, endpoint.version)
        } else {
            events::snapshot(event, endpoint.version)
        };
        let body = format!("{value:#}");
        let signature = signature::header(&endpoint.secrets, at.timestamp(), &body);
        Some(Signed { body, signature })
    }

    /// The next delivery that is due: its number, address and request.
    pub(crate) fn take(&self) -> Option<(usize, String, Signed)> {
        let (number, url, event, endpoint) = {
            let mut world = lock(&self.world);
            let now = self.now().timestamp();
            let (number, url) = world.mail.take(now)?;
            let delivery = &world.mail.deliveries[number];
            (number, url, delivery.event.clone(), delivery.endpoint)
        };
        self.signed(&event, endpoint).map(|signed| (number, url, signed))
    }

    /// A delivery came back.
    pub(crate) fn done(&self, number: usize, url: String, status: Option<u16>) {
        let now = self.now().timestamp();
        lock(&self.world).mail.done(number, url, status, now);
        self.dirty.store(true, Ordering::SeqCst);
        self.settled.notify_waiters();
    }

    /// Waits until nothing is on its way and nothing is due.
    pub(crate) async fn until_quiet(&self) {
        loop {
            let settled = self.settled.notified();
            if lock(&self.world).mail.is_quiet(self.now().timestamp()) {
                return;
            }
            self.wake.notify_one();
            settled.await;
        }
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn authorize(&self, call: &Call) -> Result<(), Refusal> {
        let header = call.authorization.as_deref().unwrap_or_default();
        let key = match header.split_once(' ') {
            Some((kind, key)) if kind.eq_ignore_ascii_case("bearer") => key.trim(),
            _ => return Err(Refusal::no_key()),
        };
        if key == self.api_key {
            Ok(())
        } else {
            Err(Refusal::wrong_key(key))
        }
    }

    fn asked_version(&self, call: &Call) -> Result<Version, Refusal> {
        match call.header("stripe-version") {
            None => Ok(self.version),
            Some(name) => Version::parse(name).ok_or_else(|| Refusal::wrong_version(name)),
        }
    }

    fn api(&self, call: &Call) -> Answer {
        let request = self.with(|world| world.id("req_", 14));
        let mut answer = match self.authorize(call).and_then(|()| self.asked_version(call)) {
            Ok(version) => self
                .once(call, version, &request)
                .header("Stripe-Version", &version.name()),
            Err(refusal) => refusal.answer(&request),
        };
        if let Some(key) = call.header("idempotency-key") {
            answer = answer.header("Idempotency-Key", &key);
        }
        answer.header("Request-Id", &request)
    }

    /// The first answer to an idempotency key, or the one that was given before.
    fn once(&self, call: &Call, version: Version, request: &str) -> Answer {
        let key = call
            .header("idempotency-key")
            .filter(|_| call.method == "POST")
            .map(str::to_owned);
        let params = Params::of(call);
        let fingerprint = format!("{} {} {}", call.method, call.path, params.fingerprint());
        let now = self.now().timestamp();
        if let Some(key) = &key {
            match lock(&self.keys).find(key, &fingerprint, now) {
                Ok(None) => {}
                Ok(Some(kept)) => {
                    return Answer::raw(kept.status, "application/json", kept.body)
                        .header("Idempotent-Replayed", &true)
                        .header("Original-Request", &kept.request);
                }
                Err(refusal) => return refusal.answer(request),
            }
        }
        let failure = self.failure(call);
        if let Some(failure) = failure.as_ref().filter(|failure| !failure.done) {
            return failed(failure, request);
        }
        let cause = Cause {
            request: Some(request.to_owned()),
            idempotency_key: key.clone(),
        };
        let result = self.with(|world| {
            world.cause = cause;
            let result = route(world, call, &params, version, self.version);
            world.cause = Cause::default();
            result
        });
        let answer = match result {
            Ok(value) => Answer::raw(200, "application/json", format!("{value:#}")),
            Err(refusal) => refusal.answer(request),
        };
        if let Some(key) = key {
            let kept = Keys::kept(
                now,
                fingerprint,
                answer.status,
                answer.body.clone(),
                request.to_owned(),
            );
            lock(&self.keys).keep(&key, kept);
        }
        match failure {
            // The client cannot know that the work was done; the same key shows it.
            Some(failure) => failed(&failure, request),
            None => answer,
        }
    }
}

fn failed(failure: &Failure, request: &str) -> Answer {
    let mut refusal = match failure.status {
        429 => Refusal::too_many(),
        status => Refusal::server_error(status),
    };
    refusal.should_retry = failure.should_retry;
    refusal.answer(request)
}

fn route(
    world: &mut World,
    call: &Call,
    params: &Params,
    version: Version,
    account: Version,
) -> Result<Value, Refusal> {
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    // Events keep the version in which they were made.
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["v1", "events"]) => return events::list(world, account, params),
        ("GET", ["v1", "events", id]) => return events::retrieve(world, id, account, params),
        ("GET", ["v2", "core", "events", id]) => return events::retrieve_thin(world, id, version),
        _ => {}
    }
    let mut value = methods(world, call, &parts, params)?;
    expand::expand(world, params, &mut value)?;
    versions::rewrite(&mut value, version);
    Ok(value)
}

fn methods(world: &mut World, call: &Call, parts: &[&str], params: &Params) -> Result<Value, Refusal> {
    match (call.method.as_str(), parts) {
        ("POST", ["v1", "customers"]) => customers::create(world, params),
        ("GET", ["v1", "customers"]) => customers::list(world, params),
        ("GET", ["v1", "customers", "search"]) => customers::search(world, params),
        ("GET", ["v1", "customers", id]) => customers::retrieve(world, id, params),
        ("POST", ["v1", "customers", id]) => customers::update(world, id, params),
        ("DELETE", ["v1", "customers", id]) => customers::delete(world, id, params),
        ("POST", ["v1", "products"]) => catalog::create_product(world, params),
        ("GET", ["v1", "products"]) => catalog::products(world, params),
        ("GET", ["v1", "products", id]) => catalog::product(world, id, params),
        ("POST", ["v1", "prices"]) => catalog::create_price(world, params),
        ("GET", ["v1", "prices"]) => catalog::prices(world, params),
        ("GET", ["v1", "prices", id]) => catalog::price(world, id, params),
        ("POST", ["v1", "prices", id]) => catalog::update_price(world, id, params),
        ("POST", ["v1", "checkout", "sessions"]) => checkout::create(world, params),
        ("GET", ["v1", "checkout", "sessions"]) => checkout::list(world, params),
        ("GET", ["v1", "checkout", "sessions", id]) => checkout::retrieve(world, id, params),
        ("POST", ["v1", "checkout", "sessions", id, "expire"]) => checkout::expire_now(world, id, params),
        ("POST", ["v1", "billing_portal", "sessions"]) => portal::create(world, params),
        ("POST", ["v1", "subscriptions"]) => subscriptions::create(world, params),
        ("GET", ["v1", "subscriptions"]) => subscriptions::list(world, params),
        ("GET", ["v1", "subscriptions", id]) => subscriptions::retrieve(world, id, params),
        ("POST", ["v1", "subscriptions", id]) => subscriptions::update(world, id, params),
        ("DELETE", ["v1", "subscriptions", id]) => subscriptions::cancel(world, id, params),
        ("POST", ["v1", "subscriptions", id, "resume"]) => subscriptions::resume(world, id, params),
        ("POST", ["v1", "invoices", "create_preview"]) => invoices::preview(world, params),
        ("GET", ["v1", "invoices"]) => invoices::list(world, params),
        ("GET", ["v1", "invoices", id]) => invoices::retrieve(world, id, params),
        ("POST", ["v1", "invoices", id, "pay"]) => invoices::pay(world, id, params),
        ("GET", ["v1", "invoice_payments"]) => invoices::payments_of(world, params),
        ("POST", ["v1", "refunds"]) => invoices::refund(world, params),
        (method, _) => Err(Refusal::no_such_url(method, &call.path)),
    }
}

impl Simulated for Service {
    fn respond(&self, call: &Call) -> Answer {
        if call.path.starts_with("/v1/") || call.path.starts_with("/v2/") {
            self.api(call)
        } else {
            pages::answer(self, call)
        }
    }

    fn control(&self, call: &Call) -> Answer {
        control::answer(self, call)
    }

    fn principal(&self, call: &Call) -> Option<String> {
        call.authorization
            .as_deref()
            .and_then(|header| header.split_once(' '))
            .map(|(_, key)| key.to_owned())
    }

    fn rate_limited(&self, _call: &Call, retry_seconds: u64) -> Answer {
        Refusal::too_many()
            .answer("req_limited")
            .header("Retry-After", &retry_seconds)
    }

    fn tick(&self) {
        let now = self.now().timestamp();
        let mut world = lock(&self.world);
        let before = world.events.len();
        agenda::run(&mut world, now);
        let happened = world.events.len() > before;
        drop(world);
        self.wake.notify_one();
        if happened {
            self.dirty.store(true, Ordering::SeqCst);
        }
        self.save();
    }

    fn enter(&self, call: &Call) -> Option<Answer> {
        let key = call.header("idempotency-key").filter(|_| call.method == "POST")?;
        if lock(&self.keys).enter(key) {
            return None;
        }
        let request = self.with(|world| world.id("req_", 14));
        let answer = Refusal::key_in_use(key).answer(&request);
        Some(answer.header("Request-Id", &request))
    }

    fn leave(&self, call: &Call) {
        if let Some(key) = call.header("idempotency-key") {
            lock(&self.keys).leave(key);
        }
    }
}
