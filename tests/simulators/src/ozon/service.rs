//! Routes a call: path, then key, then limit, then role, then the method itself.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};

use super::account::{self, Key, Keys};
use super::limits::{OzonLimits, Windows};
use super::truth::OzonTruth;
use super::wire::{Dialect, Quirks};
use super::world::World;
use super::{OzonConfig, descriptions, errors, postings, products, stocks};
use crate::dice::Dice;
use crate::server::{Answer, Call, Market, Simulated, Time, Ways, lock};

/// Methods that were switched off by November 2026.
const REMOVED: [&str; 9] = [
    "/v1/warehouse/list",
    "/v1/product/info/stocks-by-warehouse/fbs",
    "/v3/posting/fbs/list",
    "/v2/posting/fbo/list",
    "/v3/posting/fbs/unfulfilled/list",
    "/v3/finance/transaction/list",
    "/v3/finance/transaction/totals",
    "/v2/posting/fbs/act/create",
    "/v1/product/pictures/import",
];
/// Methods that any key opens.
const OPEN: [&str; 2] = ["/v1/roles", "/v1/seller/info"];

/// The simulator's whole state.
pub(crate) struct Service {
    order: Vec<u64>,
    worlds: HashMap<u64, Mutex<World>>,
    keys: Mutex<Keys>,
    time: Time,
    limits: Mutex<OzonLimits>,
    windows: Windows,
    dialect: Mutex<Dialect>,
    quirks: Mutex<Quirks>,
}

impl Service {
    pub(crate) fn new(config: OzonConfig) -> Self {
        let now = config.clock.now();
        let seed = config.sellers.first().map_or(1, |seller| seller.seed);
        let worlds: Vec<World> = config
            .sellers
            .into_iter()
            .map(|seller| World::generate(seller, now))
            .collect();
        Self {
            order: worlds.iter().map(|world| world.client_id).collect(),
            worlds: worlds
                .into_iter()
                .map(|world| (world.client_id, Mutex::new(world)))
                .collect(),
            keys: Mutex::new(Keys::new(seed)),
            time: Time::new(config.clock, config.step, config.auto_seconds),
            limits: Mutex::new(config.limits),
            windows: Windows::default(),
            dialect: Mutex::new(config.dialect),
            quirks: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.time.now()
    }

    pub(crate) fn key(&self, client_id: u64, methods: &[&str], expires: DateTime<Utc>) -> String {
        lock(&self.keys).make(Key {
            client_id,
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            expires,
        })
    }

    pub(crate) fn deactivate(&self, key: &str) {
        lock(&self.keys).deactivate(key);
    }

    pub(crate) fn block(&self, client_id: u64, blocked: bool) {
        lock(&self.keys).block(client_id, blocked);
    }

    pub(crate) fn set_stock(&self, client_id: u64, sku: u64, warehouse: &str, units: u32) -> bool {
        self.with_world(client_id, |world| world.set_stock(sku, warehouse, units))
            .unwrap_or(false)
    }

    pub(crate) fn archive(&self, client_id: u64, sku: u64) {
        self.with_world(client_id, |world| {
            if let Some(index) = world.product_of(sku) {
                world.archive(index);
            }
        });
    }

    pub(crate) fn add_product(&self, client_id: u64) -> Option<u64> {
        let now = self.now().timestamp_millis();
        self.with_world(client_id, |world| {
            let seed = world.dice.bits();
            world.add_product(&mut Dice::new(seed), now);
            world.products.last().map(|product| product.sku)
        })
        .flatten()
    }

    pub(crate) fn limits(&self, limits: OzonLimits) {
        *lock(&self.limits) = limits;
    }

    pub(crate) fn dialect(&self, dialect: Dialect) {
        *lock(&self.dialect) = dialect;
    }

    pub(crate) fn quirks(&self, change: impl FnOnce(&mut Quirks)) {
        change(&mut lock(&self.quirks));
    }

    pub(crate) fn truth(&self, client_id: u64, since: Option<DateTime<Utc>>) -> Option<OzonTruth> {
        let now = self.now().timestamp_millis();
        self.with_world(client_id, |world| {
            world.truth(now, since.map(|since| since.timestamp_millis()))
        })
    }

    fn serve(&self, call: &Call, key: &Key) -> Answer {
        let Some(world) = self.worlds.get(&key.client_id) else {
            return errors::wrong_key();
        };
        let (world, dialect, quirks) = (lock(world), *lock(&self.dialect), *lock(&self.quirks));
        match call.path.as_str() {
            "/v1/roles" => account::roles(key),
            "/v1/seller/info" => account::seller(&world),
            "/v3/product/list" => products::list(&world, dialect, quirks, call),
            "/v3/product/info/list" => products::info(&world, dialect, call),
            "/v4/product/info/attributes" => descriptions::attributes(&world, dialect, call),
            "/v1/description-category/tree" => descriptions::tree(dialect, call),
            "/v4/product/info/stocks" => stocks::totals(&world, dialect, call),
            "/v1/analytics/stocks" => stocks::analytics(&world, dialect, call),
            "/v2/product/info/stocks-by-warehouse/fbs" => stocks::fbs(&world, dialect, quirks, call),
            "/v2/warehouse/list" => stocks::warehouses(&world, dialect, call),
            "/v1/cluster/list" => stocks::clusters(&world, dialect),
            "/v2/cluster/list" => stocks::macrolocal_clusters(&world, dialect),
            "/v3/posting/fbo/list" => postings::list(&world, dialect, (false, quirks), call),
            "/v4/posting/fbs/list" => postings::list(&world, dialect, (true, quirks), call),
            _ => errors::no_page(),
        }
    }
}

impl Simulated for Service {
    fn respond(&self, call: &Call) -> Answer {
        let path = call.path.as_str();
        if REMOVED.contains(&path) {
            return errors::removed();
        }
        let known = OPEN.contains(&path) || account::METHODS.contains(&path);
        if call.method != "POST" || !known {
            return errors::no_page();
        }
        let key = match lock(&self.keys).authorize(call, self.now()) {
            Ok(key) => key,
            Err(answer) => return answer,
        };
        let limits = *lock(&self.limits);
        let left = match self.windows.take(limits, key.client_id, path) {
            Ok(left) => left,
            Err(seconds) => return errors::too_many(seconds),
        };
        let opens = OPEN.contains(&path) || key.methods.iter().any(|method| method == path);
        let answer = if opens {
            self.serve(call, &key)
        } else {
            errors::no_role()
        };
        answer.header("Ratelimit-Remaining", &left)
    }

    fn control(&self, call: &Call) -> Answer {
        super::control::answer(self, call)
    }

    fn principal(&self, call: &Call) -> Option<String> {
        call.header("client-id").map(str::to_owned)
    }

    fn rate_limited(&self, _call: &Call, retry_seconds: u64) -> Answer {
        errors::too_many(retry_seconds)
    }

    fn tick(&self) {
        if self.time.is_step_due() {
            self.advance(1);
        }
    }

    fn date(&self) -> Option<DateTime<Utc>> {
        Some(self.now())
    }

    fn exposed(&self, call: &Call) -> Option<(&'static str, Ways)> {
        let (source, from, to) = match call.path.as_str() {
            "/v3/product/list" => ("products", "items", "entries"),
            "/v3/product/info/list" => ("product details", "items", "entries"),
            "/v1/analytics/stocks" => ("stock", "available_stock_count", "available_count"),
            "/v2/product/info/stocks-by-warehouse/fbs" => ("own stock", "free_stock", "free"),
            "/v2/warehouse/list" => ("own warehouses", "warehouse_id", "id"),
            "/v3/posting/fbo/list" => ("parcels", "posting_number", "number"),
            "/v4/posting/fbs/list" => ("own parcels", "posting_number", "number"),
            _ => return None,
        };
        // Nothing can be asked without the catalogue: who refuses that refuses the key, which is no weather.
        let refusal = match source {
            "products" | "product details" => (409, r#"{"code":6,"message":"conflict","details":[]}"#),
            _ => {
                let body = r#"{"code":7,"message":"Api-Key is missing a required role for a method"}"#;
                (403, body)
            }
        };
        let field = (from, to);
        Some((source, Ways { refusal, field }))
    }
}

impl Market for Service {
    type Id = u64;
    type Stall = World;

    fn time(&self) -> &Time {
        &self.time
    }

    fn sellers(&self) -> Vec<u64> {
        self.order.clone()
    }

    fn with_world<T>(&self, seller: u64, work: impl FnOnce(&mut World) -> T) -> Option<T> {
        self.worlds.get(&seller).map(|world| work(&mut lock(world)))
    }

    fn set_speed(&self, speed: Option<f64>) {
        self.limits(speed.map_or(OzonLimits::Off, OzonLimits::Speed));
    }

    fn hides_warehouses(&self) -> bool {
        false
    }
}
