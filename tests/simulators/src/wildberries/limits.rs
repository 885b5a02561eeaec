//! Wildberries' request limits (contracts A.3, vendor's pages of 2026-10-30) as one table, and the token
//! buckets over it. Whether there is a limit per address as well, and which, is unknown: the vendor states
//! none.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use uuid::Uuid;

use super::tokens::{TokenKind, scope};
use crate::server::lock;

/// Where a method lives; a host has its own `ping` and its own error style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host {
    /// content-api
    Content,
    /// discounts-prices-api
    Prices,
    /// marketplace-api
    Marketplace,
    /// statistics-api
    Statistics,
    /// seller-analytics-api
    Analytics,
    /// common-api
    Common,
}

impl Host {
    pub(crate) const ALL: [Self; 6] = [
        Self::Content,
        Self::Prices,
        Self::Marketplace,
        Self::Statistics,
        Self::Analytics,
        Self::Common,
    ];

    /// First label of the real host, also the path prefix under which the simulator separates hosts.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Content => "content-api",
            Self::Prices => "discounts-prices-api",
            Self::Marketplace => "marketplace-api",
            Self::Statistics => "statistics-api",
            Self::Analytics => "seller-analytics-api",
            Self::Common => "common-api",
        }
    }

    /// Category bit a token needs here; 0 accepts any token.
    pub(crate) const fn scope(self) -> u32 {
        match self {
            Self::Content => scope::CONTENT,
            Self::Prices => scope::PRICES,
            Self::Marketplace => scope::MARKETPLACE,
            Self::Statistics => scope::STATISTICS,
            Self::Analytics => scope::ANALYTICS,
            Self::Common => 0,
        }
    }
}

/// A group of methods that share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Group {
    Content,
    Prices,
    RemainsCreate,
    RemainsStatus,
    RemainsDownload,
    WbWarehouses,
    SellerWarehouses,
    Orders,
    OrderFeed,
    /// Warehouses of the seller and offices; stock has a bucket of its own.
    Warehouses,
    Marketplace,
    SellerInfo,
    Ping(Option<Host>),
}

/// One refill every `interval_ms`, up to `burst`.
#[derive(Debug, Clone, Copy)]
struct Limit {
    interval_ms: f64,
    burst: f64,
}

const fn every(interval_ms: f64, burst: f64) -> Limit {
    Limit { interval_ms, burst }
}

const QUARTER_HOUR: f64 = 900_000.0;
const THREE_HOURS: f64 = 10_800_000.0;
const DAY: f64 = 86_400_000.0;

/// The table: full limits (Personal, Service) and those of Base and Test tokens.
const fn table(group: Group) -> (Limit, Limit) {
    match group {
        Group::Content => (every(600.0, 5.0), every(600.0, 5.0)),
        Group::Prices => (every(600.0, 5.0), every(QUARTER_HOUR, 1.0)),
        Group::RemainsCreate => (every(60_000.0, 5.0), every(QUARTER_HOUR, 1.0)),
        Group::RemainsStatus => (every(5_000.0, 5.0), every(QUARTER_HOUR, 1.0)),
        Group::RemainsDownload => (every(60_000.0, 1.0), every(QUARTER_HOUR, 1.0)),
        Group::WbWarehouses | Group::SellerWarehouses => (every(20_000.0, 1.0), every(20_000.0, 1.0)),
        Group::Orders => (every(60_000.0, 10.0), every(THREE_HOURS, 1.0)),
        Group::OrderFeed => (every(60_000.0, 1.0), every(THREE_HOURS, 1.0)),
        // The pages of the methods name no numbers of their own for base tokens any more.
        Group::Warehouses | Group::Marketplace => (every(200.0, 20.0), every(200.0, 20.0)),
        Group::SellerInfo => (every(60_000.0, 10.0), every(DAY, 1.0)),
        Group::Ping(_) => (every(10_000.0, 99.0), every(10_000.0, 99.0)),
    }
}

impl Group {
    /// Methods that answer 403 to a Base token, alone or together with a service's secret.
    pub(crate) const fn refuses_base(self, with_secret: bool) -> bool {
        match self {
            Self::WbWarehouses => !with_secret,
            Self::SellerWarehouses => true,
            _ => false,
        }
    }

    /// What a reply with a 4xx status costs beyond the request itself.
    const fn extra_cost(self, status: u16) -> f64 {
        let failed = status >= 400 && status < 500 && status != 429;
        if matches!(self, Self::Marketplace | Self::Warehouses) && failed {
            9.0
        } else {
            0.0
        }
    }
}

/// Whether and how fast limits count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limits {
    /// No limit at all.
    Off,
    /// Buckets refill this many times faster than in reality; 1.0 is reality.
    Speed(f64),
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

/// A refused request: values of the three headers, in seconds where they are times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) retry: u64,
    pub(crate) limit: u64,
    pub(crate) reset: u64,
}

type Key = (Uuid, Group, bool);

/// All buckets.
pub(crate) struct Buckets {
    buckets: Mutex<HashMap<Key, Bucket>>,
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self {
            buckets: Mutex::new(HashMap::new()),
        }
    }

    fn parts(kind: TokenKind, group: Group) -> (bool, Limit) {
        let low = matches!(kind, TokenKind::Base | TokenKind::Test);
        let (full, base) = table(group);
        (low, if low { base } else { full })
    }

    /// Takes one token; `Ok` carries what is left of the burst.
    pub(crate) fn take(
        &self,
        limits: Limits,
        sid: Uuid,
        kind: TokenKind,
        group: Group,
    ) -> Result<u64, Refused> {
        let (low, limit) = Self::parts(kind, group);
        let Limits::Speed(speed) = limits else {
            return Ok(limit.burst as u64);
        };
        let interval = limit.interval_ms / speed;
        let now = Instant::now();
        let mut buckets = lock(&self.buckets);
        let bucket = buckets.entry((sid, group, low)).or_insert(Bucket {
            tokens: limit.burst,
            at: now,
        });
        let refilled = now.duration_since(bucket.at).as_secs_f64() * 1000.0 / interval;
        bucket.tokens = (bucket.tokens + refilled).min(limit.burst);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(bucket.tokens as u64);
        }
        let seconds = |tokens: f64| (tokens * interval / 1000.0).ceil().max(1.0) as u64;
        Err(Refused {
            retry: seconds(1.0 - bucket.tokens),
            limit: limit.burst as u64,
            reset: seconds(limit.burst - bucket.tokens),
        })
    }

    /// Charges what the reply's status costs on top.
    pub(crate) fn charge(&self, sid: Uuid, kind: TokenKind, group: Group, status: u16) {
        let cost = group.extra_cost(status);
        if cost > 0.0
            && let Some(bucket) = lock(&self.buckets).get_mut(&(sid, group, Self::parts(kind, group).0))
        {
            bucket.tokens -= cost;
        }
    }
}
