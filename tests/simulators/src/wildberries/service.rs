//! Routes a call: path, then token, then category, then limit, then the method itself, as the gateway does.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::limits::{Buckets, Group, Host, Limits, Refused};
use super::past::Past;
use super::remains::Tasks;
use super::tokens::{Claims, TokenKind, parse, scope};
use super::truth::Truth;
use super::world::World;
use super::{WildberriesConfig, cards, errors, marketplace, orders, stocks};
use crate::server::{Answer, Call, Market, Simulated, SimulatorError, Time, Ways, lock};
use crate::text;

struct Seller {
    world: World,
    tasks: Tasks,
}

/// The simulator's whole state.
pub(crate) struct Service {
    order: Vec<Uuid>,
    sellers: HashMap<Uuid, Mutex<Seller>>,
    time: Time,
    limits: Mutex<(Limits, Buckets)>,
    masked: AtomicBool,
    polls_until_done: u32,
    /// Whether the pages of the stock report do not fit each other.
    restless: AtomicBool,
    /// Whether the older order report spells ids without their prefix.
    bare_ids: AtomicBool,
    /// Most rows of a page of the order feed.
    feed_cap: AtomicUsize,
    revoked: Mutex<HashSet<Uuid>>,
    past: Mutex<Past>,
    /// Steps that are on disk already.
    saved: AtomicUsize,
    data_dir: Option<PathBuf>,
    /// The secret by which a service is known; base tokens that come with it have the full limits.
    service_secret: Mutex<Option<String>>,
    /// Calls of what was switched off.
    removed: AtomicU64,
}

/// Methods that Wildberries has switched off (contracts A.6 c, A.7, and what went in autumn 2026): they
/// answer like a path that never was.
const REMOVED: [&str; 6] = [
    "/api/v1/analytics/goods-return",
    "/api/v1/analytics/region-sale",
    "/adv/v1/budget",
    "/api/v1/supplier/stocks",
    "/api/v1/supplier/incomes",
    "/api/v5/supplier/reportDetailByPeriod",
];

/// A method that exists.
enum Method<'a> {
    Ping(Option<Host>),
    SellerInfo,
    Cards,
    Prices,
    WbWarehouses,
    SellerWarehouses,
    RemainsCreate,
    RemainsTask { id: &'a str, download: bool },
    Warehouses,
    Stocks(&'a str),
    Orders,
    OrderFeed,
}

impl<'a> Method<'a> {
    fn find(method: &str, path: &'a str, host: Option<Host>) -> Option<Self> {
        let found = match (method, path) {
            ("GET", "/ping") => return Some(Self::Ping(host)),
            ("GET", "/api/v1/seller-info") => Self::SellerInfo,
            ("POST", "/content/v2/get/cards/list") => Self::Cards,
            ("GET" | "POST", "/api/v2/list/goods/filter") => Self::Prices,
            ("POST", "/api/analytics/v1/stocks-report/wb-warehouses") => Self::WbWarehouses,
            ("POST", "/api/analytics/v1/stocks-report/seller-warehouses") => Self::SellerWarehouses,
            ("POST", "/api/analytics/v1/order-feed") => Self::OrderFeed,
            ("GET", "/api/v1/warehouse_remains") => Self::RemainsCreate,
            ("GET", "/api/v3/warehouses") => Self::Warehouses,
            ("GET", "/api/v1/supplier/orders") => Self::Orders,
            ("GET", _) => {
                let (id, end) = path
                    .strip_prefix("/api/v1/warehouse_remains/tasks/")?
                    .split_once('/')?;
                match end {
                    "status" => Self::RemainsTask { id, download: false },
                    "download" => Self::RemainsTask { id, download: true },
                    _ => return None,
                }
            }
            ("POST" | "PUT", _) => Self::Stocks(path.strip_prefix("/api/v3/stocks/")?),
            _ => return None,
        };
        // With a host prefix in the address, a method of another host does not exist there.
        host.is_none_or(|host| host == found.host()).then_some(found)
    }

    fn host(&self) -> Host {
        match self {
            Self::Ping(host) => host.unwrap_or(Host::Common),
            Self::SellerInfo => Host::Common,
            Self::Cards => Host::Content,
            Self::Prices => Host::Prices,
            Self::WbWarehouses
            | Self::SellerWarehouses
            | Self::RemainsCreate
            | Self::RemainsTask { .. }
            | Self::OrderFeed => Host::Analytics,
            Self::Warehouses | Self::Stocks(_) => Host::Marketplace,
            Self::Orders => Host::Statistics,
        }
    }

    fn group(&self) -> Group {
        match self {
            Self::Ping(host) => Group::Ping(*host),
            Self::SellerInfo => Group::SellerInfo,
            Self::Cards => Group::Content,
            Self::Prices => Group::Prices,
            Self::WbWarehouses => Group::WbWarehouses,
            Self::SellerWarehouses => Group::SellerWarehouses,
            Self::RemainsCreate => Group::RemainsCreate,
            Self::RemainsTask { download: false, .. } => Group::RemainsStatus,
            Self::RemainsTask { download: true, .. } => Group::RemainsDownload,
            Self::Warehouses => Group::Warehouses,
            Self::Stocks(_) => Group::Marketplace,
            Self::Orders => Group::Orders,
            Self::OrderFeed => Group::OrderFeed,
        }
    }
}

/// Splits an address that names the host first (`/content-api/ping`).
fn split_host(path: &str) -> (Option<Host>, &str) {
    for host in Host::ALL {
        let rest = path
            .strip_prefix('/')
            .and_then(|path| path.strip_prefix(host.label()));
        if let Some(rest) = rest.filter(|rest| rest.starts_with('/')) {
            return (Some(host), rest);
        }
    }
    (None, path)
}

impl Service {
    pub(crate) fn new(config: WildberriesConfig) -> Result<Self, SimulatorError> {
        let past = Past::load(config.data_dir.as_deref(), config.clock.now().timestamp_millis())?;
        let mut order = Vec::new();
        let mut sellers = HashMap::new();
        for seller in config.sellers {
            let mut world = World::generate(seller, text::from_millis(past.start));
            for &at in &past.steps {
                world.push_on(at);
            }
            order.push(world.sid);
            sellers.insert(
                world.sid,
                Mutex::new(Seller {
                    world,
                    tasks: Tasks::default(),
                }),
            );
        }
        Ok(Self {
            order,
            sellers,
            time: Time::new(config.clock, config.step, config.auto_seconds),
            limits: Mutex::new((config.limits, Buckets::new())),
            masked: AtomicBool::new(config.masked),
            polls_until_done: config.polls_until_done,
            restless: AtomicBool::new(false),
            bare_ids: AtomicBool::new(false),
            feed_cap: AtomicUsize::new(usize::MAX),
            revoked: Mutex::new(HashSet::new()),
            saved: AtomicUsize::new(if past.steps.is_empty() {
                usize::MAX
            } else {
                past.steps.len()
            }),
            past: Mutex::new(past),
            data_dir: config.data_dir,
            service_secret: Mutex::new(None),
            removed: AtomicU64::new(0),
        })
    }

    /// Writes down what the cabinets have lived through, if there is something new.
    pub(crate) fn save(&self) {
        let Some(folder) = &self.data_dir else { return };
        let past = lock(&self.past).clone();
        if self.saved.swap(past.steps.len(), Ordering::SeqCst) == past.steps.len() {
            return;
        }
        if let Err(error) = past.save(folder) {
            tracing::warn!(%error, "the simulated cabinets' past could not be saved");
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.time.now()
    }

    pub(crate) fn millis(&self) -> i64 {
        self.now().timestamp_millis()
    }

    pub(crate) fn know_service(&self, secret: &str) {
        *lock(&self.service_secret) = Some(secret.to_owned());
    }

    pub(crate) fn removed_calls(&self) -> u64 {
        self.removed.load(Ordering::SeqCst)
    }

    /// The kind by which limits count: a service that is known lifts a base token.
    fn kind_of(&self, call: &Call, claims: &Claims) -> TokenKind {
        let known = lock(&self.service_secret);
        match call.header("x-client-secret") {
            Some(given) if claims.kind == TokenKind::Base && known.as_deref() == Some(given) => {
                TokenKind::Service
            }
            _ => claims.kind,
        }
    }

    pub(crate) fn revoke(&self, token: &str) {
        if let Ok(claims) = parse(Some(token)) {
            lock(&self.revoked).insert(claims.id);
        }
    }

    pub(crate) fn set_stock(&self, sid: Uuid, nm_id: u64, warehouse: &str, units: u32) -> bool {
        self.with_world(sid, |world| world.set_stock(nm_id, warehouse, units))
            .unwrap_or(false)
    }

    pub(crate) fn delist(&self, sid: Uuid, nm_id: u64) {
        self.with_world(sid, |world| {
            if let Some(index) = world.cards.iter().position(|card| card.nm_id == nm_id) {
                world.delist(index);
            }
        });
    }

    pub(crate) fn add_card(&self, sid: Uuid) -> Option<u64> {
        let now = self.millis();
        self.with_world(sid, |world| {
            let seed = world.dice.bits();
            world.add_card(&mut crate::dice::Dice::new(seed), world.cards.len(), now);
            world.cards.last().map(|card| card.nm_id)
        })
        .flatten()
    }

    pub(crate) fn mask(&self, masked: bool) {
        self.masked.store(masked, Ordering::SeqCst);
    }

    pub(crate) fn restless(&self, restless: bool) {
        self.restless.store(restless, Ordering::SeqCst);
    }

    pub(crate) fn bare_ids(&self, bare: bool) {
        self.bare_ids.store(bare, Ordering::SeqCst);
    }

    pub(crate) fn cap_feed(&self, cap: Option<usize>) {
        self.feed_cap.store(cap.unwrap_or(usize::MAX), Ordering::SeqCst);
    }

    pub(crate) fn masked(&self) -> bool {
        self.masked.load(Ordering::SeqCst)
    }

    pub(crate) fn limits(&self, limits: Limits) {
        *lock(&self.limits) = (limits, Buckets::new());
    }

    pub(crate) fn purge_tasks(&self) {
        for seller in self.sellers.values() {
            lock(seller).tasks.purge();
        }
    }

    pub(crate) fn truth(&self, sid: Uuid, since: Option<DateTime<Utc>>) -> Option<Truth> {
        let now = self.millis();
        self.with_world(sid, |world| {
            world.truth(now, since.map(|since| since.timestamp_millis()))
        })
    }

    /// The token's claims, or the gateway's refusal.
    fn authorize(&self, call: &Call, method: &Method) -> Result<Claims, Answer> {
        let now = self.millis();
        let claims =
            parse(call.authorization.as_deref()).map_err(|detail| errors::unauthorized(&detail, now))?;
        let detail = if claims.exp <= now / 1000 {
            "token problem; token is expired"
        } else if lock(&self.revoked).contains(&claims.id) {
            "token problem; token is withdrawn"
        } else if !self.sellers.contains_key(&claims.sid) {
            "token problem; seller not found"
        } else if claims.kind == TokenKind::Test {
            "token problem; test token is not allowed here"
        } else if claims.scope & method.host().scope() != method.host().scope() {
            "token scope not allowed"
        } else if claims.kind == TokenKind::Base
            && method
                .group()
                .refuses_base(self.kind_of(call, &claims) != TokenKind::Base)
        {
            return Err(errors::forbidden("base token is not allowed", now));
        } else {
            return Ok(claims);
        };
        Err(errors::unauthorized(detail, now))
    }

    fn serve(&self, call: &Call, method: &Method, claims: &Claims) -> Answer {
        let Some(seller) = self.sellers.get(&claims.sid) else {
            return errors::unauthorized("token problem; seller not found", self.millis());
        };
        let (now, masked) = (self.millis(), self.masked());
        let mut seller = lock(seller);
        let Seller { world, tasks } = &mut *seller;
        match method {
            Method::Ping(_) => Answer::json(200, &json!({"TS": text::moscow_zoned(now), "Status": "OK"})),
            Method::SellerInfo => {
                let name = match world.config.name.as_str() {
                    "" => format!("ИП Продавец {}", world.config.seed),
                    name => name.to_owned(),
                };
                let tin = format!("77{:010}", world.config.seed % 10_000_000_000);
                Answer::json(
                    200,
                    &json!({"name": name, "sid": world.sid, "tin": tin, "tradeMark": name}),
                )
            }
            Method::Cards => cards::list(world, call),
            Method::Prices => cards::prices(world, call),
            Method::WbWarehouses => {
                stocks::wb_warehouses(world, masked, self.restless.load(Ordering::SeqCst), call)
            }
            Method::SellerWarehouses => stocks::seller_warehouses(world, call),
            Method::RemainsCreate => tasks.create(world, masked, call, now),
            Method::RemainsTask { id, download } => tasks.task(id, *download, self.polls_until_done, now),
            Method::Warehouses => marketplace::warehouses(world),
            Method::Stocks(warehouse) => {
                marketplace::stocks(world, call, warehouse, claims.scope & scope::READ_ONLY != 0)
            }
            Method::Orders => orders::report(world, masked, self.bare_ids.load(Ordering::SeqCst), call, now),
            Method::OrderFeed => orders::feed(world, masked, self.feed_cap.load(Ordering::SeqCst), call, now),
        }
    }
}

impl Simulated for Service {
    fn respond(&self, call: &Call) -> Answer {
        let (host, path) = split_host(&call.path);
        let old_stock =
            path.starts_with("/api/v3/stocks/") && call.body.windows(4).any(|word| word == b"\"sku");
        if REMOVED.contains(&path) || old_stock {
            self.removed.fetch_add(1, Ordering::SeqCst);
        }
        let Some(method) = Method::find(&call.method, path, host) else {
            return errors::path_not_found(path, self.millis());
        };
        let claims = match self.authorize(call, &method) {
            Ok(claims) => claims,
            Err(answer) => return answer,
        };
        let (group, kind) = (method.group(), self.kind_of(call, &claims));
        let taken = {
            let limits = lock(&self.limits);
            limits.1.take(limits.0, claims.sid, kind, group)
        };
        let left = match taken {
            Ok(left) => left,
            Err(refused) => return errors::too_many(refused, self.millis()),
        };
        let answer = self.serve(call, &method, &claims);
        lock(&self.limits)
            .1
            .charge(claims.sid, kind, group, answer.status);
        answer.header("X-Ratelimit-Remaining", &left)
    }

    fn control(&self, call: &Call) -> Answer {
        super::control::answer(self, call)
    }

    fn principal(&self, call: &Call) -> Option<String> {
        parse(call.authorization.as_deref())
            .ok()
            .map(|claims| claims.sid.to_string())
    }

    fn rate_limited(&self, _call: &Call, retry_seconds: u64) -> Answer {
        errors::too_many(
            Refused {
                retry: retry_seconds,
                limit: 1,
                reset: retry_seconds,
            },
            self.millis(),
        )
    }

    fn tick(&self) {
        if self.time.is_step_due() {
            self.advance(1);
            self.save();
        }
    }

    fn date(&self) -> Option<DateTime<Utc>> {
        Some(self.now())
    }

    fn exposed(&self, call: &Call) -> Option<(&'static str, Ways)> {
        let (host, path) = split_host(&call.path);
        let (source, from, to) = match Method::find(&call.method, path, host)? {
            Method::Cards => ("cards", "nmID", "nmIdentifier"),
            Method::WbWarehouses => ("stock", "nmId", "nmIdentifier"),
            Method::RemainsCreate | Method::RemainsTask { .. } => ("remains", "data", "content"),
            Method::Warehouses => ("own warehouses", "id", "identifier"),
            Method::Stocks(_) => ("own stock", "chrtId", "sizeId"),
            Method::Orders => ("orders", "srid", "orderUid"),
            Method::OrderFeed => ("order feed", "srid", "orderUid"),
            Method::Ping(_) | Method::SellerInfo | Method::Prices | Method::SellerWarehouses => return None,
        };
        let refusal = (
            401,
            r#"{"title":"unauthorized","detail":"token problem","status":401}"#,
        );
        let field = (from, to);
        Some((source, Ways { refusal, field }))
    }
}

impl Market for Service {
    type Id = Uuid;
    type Stall = World;

    fn time(&self) -> &Time {
        &self.time
    }

    fn sellers(&self) -> Vec<Uuid> {
        self.order.clone()
    }

    fn with_world<T>(&self, seller: Uuid, work: impl FnOnce(&mut World) -> T) -> Option<T> {
        self.sellers
            .get(&seller)
            .map(|seller| work(&mut lock(seller).world))
    }

    fn set_speed(&self, speed: Option<f64>) {
        self.limits(speed.map_or(Limits::Off, Limits::Speed));
    }

    fn hides_warehouses(&self) -> bool {
        self.masked()
    }

    fn stepped(&self, now: i64) {
        lock(&self.past).steps.push(now);
    }
}
