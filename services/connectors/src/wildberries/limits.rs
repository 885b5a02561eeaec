//! The vendor's request limits as a table, and the buckets that keep them: they count per seller and group of
//! methods, so all clients of one seller in this process share them.
//!
//! Source: the limit boxes of the method pages at <https://dev.wildberries.ru/docs/openapi>, October 2026.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::pending::{PendingReports, Report};
use super::token::{Token, TokenKind};
use crate::bucket::{Bucket, Limit};

/// A category of methods: each has its host and its own ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the vendor's categories")]
pub enum Category {
    Content,
    Analytics,
    Statistics,
    Marketplace,
    Common,
}

impl Category {
    /// Stable word for findings and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Analytics => "analytics",
            Self::Statistics => "statistics",
            Self::Marketplace => "marketplace",
            Self::Common => "common",
        }
    }
}

/// Methods that share one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// All methods of the category Content.
    Content,
    /// `GET /api/v1/warehouse_remains`
    RemainsCreate,
    /// `GET …/tasks/{task_id}/status`
    RemainsStatus,
    /// `GET …/tasks/{task_id}/download`
    RemainsDownload,
    /// `POST /api/analytics/v1/stocks-report/wb-warehouses`
    WbWarehouses,
    /// `POST /api/analytics/v1/order-feed`
    OrderFeed,
    /// `GET /api/v1/supplier/orders`
    SupplierOrders,
    /// Stock and warehouses of the seller.
    Marketplace,
    /// `GET /api/v1/seller-info`
    SellerInfo,
    /// `GET /ping`, one bucket per host.
    Ping(Category),
}

/// Which column of the table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tariff {
    /// Personal and service tokens.
    Full,
    /// Base and test tokens.
    Base,
}

impl From<TokenKind> for Tariff {
    fn from(kind: TokenKind) -> Self {
        match kind {
            TokenKind::Personal | TokenKind::Service => Self::Full,
            TokenKind::Base | TokenKind::Test => Self::Base,
        }
    }
}

const fn limit(interval_ms: u64, burst: u32) -> Limit {
    Limit {
        interval: Duration::from_millis(interval_ms),
        burst,
    }
}

const QUARTER_HOUR: u64 = 15 * 60 * 1000;
const THREE_HOURS: u64 = 3 * 60 * 60 * 1000;

impl Group {
    /// The limit of this group. Where the vendor states none for base tokens, the common one is taken.
    #[must_use]
    pub fn limit(self, tariff: Tariff) -> Limit {
        match (self, tariff) {
            (Self::Content, _) => limit(600, 5),
            (Self::RemainsCreate, Tariff::Full) => limit(60_000, 5),
            (Self::RemainsStatus, Tariff::Full) => limit(5_000, 5),
            (Self::RemainsDownload, Tariff::Full) => limit(60_000, 1),
            (Self::RemainsCreate | Self::RemainsStatus | Self::RemainsDownload, Tariff::Base) => {
                limit(QUARTER_HOUR, 1)
            }
            (Self::WbWarehouses, _) => limit(20_000, 1),
            // One page says a burst of 10 for the older report; 1 is right in any case.
            (Self::OrderFeed | Self::SupplierOrders, Tariff::Full) => limit(60_000, 1),
            (Self::OrderFeed | Self::SupplierOrders, Tariff::Base) => limit(THREE_HOURS, 1),
            (Self::Marketplace, Tariff::Full) => limit(200, 20),
            (Self::Marketplace, Tariff::Base) => limit(400, 10),
            (Self::SellerInfo, _) => limit(60_000, 10),
            (Self::Ping(_), _) => limit(10_000, 99),
        }
    }

    /// How many requests a refused one (4xx) counts as: 10 at Marketplace since 2026-06-04.
    #[must_use]
    pub fn refusal_cost(self) -> u32 {
        if self == Self::Marketplace { 10 } else { 1 }
    }
}

/// What this process remembers about one seller between clients.
#[derive(Debug)]
pub(super) struct Seller {
    tariff: Tariff,
    speed: f64,
    buckets: Mutex<HashMap<Group, Arc<Bucket>>>,
    pub(super) report: Report,
    pub(super) no_sync_report: Flag,
    pub(super) no_order_feed: Flag,
}

/// Something the vendor refuses this seller, learnt once.
#[derive(Debug, Default)]
pub(super) struct Flag(AtomicBool);

impl Flag {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Seller {
    fn new(tariff: Tariff, speed: f64, report: Report) -> Self {
        Self {
            tariff,
            speed,
            buckets: Mutex::default(),
            report,
            no_sync_report: Flag::default(),
            no_order_feed: Flag::default(),
        }
    }

    pub(super) fn bucket(&self, group: Group) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut limit = group.limit(self.tariff).at_speed(self.speed);
        // One of a burst stays in reserve: requests do not arrive as evenly as they are sent.
        limit.burst = limit.burst.saturating_sub(1).max(1);
        let new = || Arc::new(Bucket::new(limit));
        Arc::clone(buckets.entry(group).or_insert_with(new))
    }
}

/// All sellers this process has talked for. One per process: the limits are the vendor's, not a client's.
#[derive(Debug)]
pub struct Sellers {
    speed: f64,
    kept: Option<Arc<dyn PendingReports>>,
    known: Mutex<HashMap<(String, Tariff), Arc<Seller>>>,
}

impl Sellers {
    /// `speed` 1.0 keeps the vendor's limits; simulators are talked to with a clock that runs `speed` times
    /// as fast. Delays that a 429 names are always obeyed as they are.
    #[must_use]
    pub fn new(speed: f64) -> Self {
        Self {
            speed,
            kept: None,
            known: Mutex::default(),
        }
    }

    /// The same, with a place for unfinished reports that outlives the process.
    #[must_use]
    pub fn keeping(self, reports: Arc<dyn PendingReports>) -> Self {
        Self {
            kept: Some(reports),
            ..self
        }
    }

    pub(super) fn of(&self, token: &Token) -> Arc<Seller> {
        let tariff = Tariff::from(token.kind());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let report = Report::new(&format!("{} {tariff:?}", token.seller_id()), self.kept.clone());
            Arc::new(Seller::new(tariff, self.speed, report))
        };
        Arc::clone(
            known
                .entry((token.seller_id().to_owned(), tariff))
                .or_insert_with(new),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Category, Group, Sellers, Tariff};
    use crate::wildberries::token::Token;
    use crate::wildberries::token::tests::token_text;
    use std::sync::Arc;
    use std::time::Duration;

    /// Requests in an hour of steady use, from the vendor's "period / requests" columns.
    fn per_hour(group: Group, tariff: Tariff) -> u64 {
        3_600_000 / u64::try_from(group.limit(tariff).interval.as_millis()).unwrap()
    }

    #[test]
    fn the_table_gives_the_documented_rates() {
        assert_eq!(per_hour(Group::Content, Tariff::Full), 100 * 60);
        assert_eq!(per_hour(Group::WbWarehouses, Tariff::Full), 3 * 60);
        assert_eq!(per_hour(Group::RemainsStatus, Tariff::Full), 12 * 60);
        assert_eq!(per_hour(Group::RemainsCreate, Tariff::Base), 4);
        assert_eq!(per_hour(Group::RemainsStatus, Tariff::Base), 4);
        assert_eq!(per_hour(Group::SupplierOrders, Tariff::Full), 60);
        assert_eq!(per_hour(Group::Marketplace, Tariff::Full), 300 * 60);
        assert_eq!(per_hour(Group::Marketplace, Tariff::Base), 150 * 60);
        assert_eq!(per_hour(Group::Ping(Category::Content), Tariff::Full), 360);
        assert_eq!(
            Group::OrderFeed.limit(Tariff::Base).interval,
            Duration::from_secs(10_800)
        );
        assert_eq!(Group::SellerInfo.limit(Tariff::Full).burst, 10);
        assert_eq!(Group::Marketplace.refusal_cost(), 10);
        assert_eq!(Group::Content.refusal_cost(), 1);
    }

    #[tokio::test]
    async fn two_tokens_of_one_seller_share_buckets_and_two_sellers_do_not() {
        let token = |sid: &str, id: u8| {
            let claims = format!(r#"{{"id":"{id}","sid":"{sid}","s":2,"acc":3,"exp":1}}"#);
            Token::parse(&token_text(&claims)).unwrap()
        };
        let sellers = Sellers::new(1.0);
        let bucket = |token: &Token| sellers.of(token).bucket(Group::Content);
        assert!(Arc::ptr_eq(&bucket(&token("a", 1)), &bucket(&token("a", 2))));
        assert!(!Arc::ptr_eq(&bucket(&token("a", 1)), &bucket(&token("b", 1))));
    }
}
