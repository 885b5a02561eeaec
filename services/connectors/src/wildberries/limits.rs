//! Which methods share a bucket, and what a process remembers of a seller between clients. The numbers are
//! in the table ([`crate::limits`]); limits count per seller and group of methods, so all clients of one
//! seller share them, in this process and in the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pending::{PendingReports, Report};
use super::token::{Token, TokenKind};
use crate::bucket::SharedBucket;
use crate::limits::{KeyKind, Limits};

/// Name of the marketplace in the table.
const WILDBERRIES: &str = "wildberries";

/// A category of methods: each has its host and its own ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the vendor's categories")]
pub enum Category {
    Content,
    Analytics,
    Statistics,
    Marketplace,
    Prices,
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
            Self::Prices => "prices",
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
    /// `POST /api/analytics/v1/stocks-report/seller-warehouses`
    SellerWarehouses,
    /// All methods of the category Prices and discounts.
    Prices,
    /// `POST /api/analytics/v1/order-feed`
    OrderFeed,
    /// `GET /api/v1/supplier/orders`
    SupplierOrders,
    /// `GET /api/v3/warehouses` and offices: a bucket of their own since 2026-10.
    SellerWarehouseList,
    /// `POST /api/v3/stocks/{warehouseId}`
    Marketplace,
    /// `GET /api/v1/seller-info`
    SellerInfo,
    /// `GET /ping`, one bucket per host.
    Ping(Category),
}

impl Group {
    /// Its name in the table, and what tells its buckets apart.
    fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Content => ("content", ""),
            Self::RemainsCreate => ("remains_create", ""),
            Self::RemainsStatus => ("remains_status", ""),
            Self::RemainsDownload => ("remains_download", ""),
            Self::WbWarehouses => ("wb_warehouses", ""),
            Self::SellerWarehouses => ("seller_warehouses", ""),
            Self::Prices => ("prices", ""),
            Self::OrderFeed => ("order_feed", ""),
            Self::SupplierOrders => ("supplier_orders", ""),
            Self::SellerWarehouseList => ("marketplace_warehouses", ""),
            Self::Marketplace => ("marketplace", ""),
            Self::SellerInfo => ("seller_info", ""),
            Self::Ping(category) => (
                "ping",
                match category {
                    Category::Content => "-content",
                    Category::Analytics => "-analytics",
                    Category::Statistics => "-statistics",
                    Category::Marketplace => "-marketplace",
                    Category::Prices => "-prices",
                    Category::Common => "-common",
                },
            ),
        }
    }
}

/// The column of the table for a token, sent together with a service's secret or without.
fn key_kind(kind: TokenKind, with_secret: bool) -> KeyKind {
    match kind {
        TokenKind::Personal => KeyKind::Personal,
        TokenKind::Service => KeyKind::Service,
        TokenKind::Base if with_secret => KeyKind::BaseWithSecret,
        TokenKind::Base => KeyKind::Base,
        TokenKind::Test => KeyKind::Test,
    }
}

/// What this process remembers about one seller between clients.
#[derive(Debug)]
pub(super) struct Seller {
    id: String,
    kind: KeyKind,
    limits: Limits,
    pub(super) report: Report,
    pub(super) no_sync_report: Closed,
    pub(super) no_seller_report: Closed,
    pub(super) no_order_feed: Closed,
}

/// A method that the vendor refuses to a token, learnt once and forgotten after a while.
#[derive(Debug, Default)]
pub(super) struct Closed(Mutex<Option<(Instant, u64)>>);

impl Closed {
    /// Whether it was closed to this token less than `rest` ago.
    pub(super) fn is_closed_to(&self, token: &Token, rest: Duration) -> bool {
        let closed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        closed.is_some_and(|(since, to)| to == token.fingerprint() && since.elapsed() < rest)
    }

    pub(super) fn close_to(&self, token: &Token) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), token.fingerprint()));
    }
}

impl Seller {
    pub(super) fn bucket(&self, group: Group) -> Arc<SharedBucket> {
        let (name, part) = group.name();
        self.limits.bucket(WILDBERRIES, name, part, self.kind, &self.id)
    }

    /// A time of the vendor's on the clock of the limits.
    pub(super) fn pace(&self, time: Duration) -> Duration {
        self.limits.pace(time)
    }

    /// How long a request may wait, of what its client allows.
    pub(super) fn patience(&self, allowed: Duration) -> Duration {
        self.limits.patience(allowed)
    }

    /// How many requests a refused one (4xx) counts as.
    pub(super) fn refusal_cost(&self, group: Group) -> u32 {
        self.limits.refusal_cost(WILDBERRIES, group.name().0)
    }
}

/// All sellers this process has talked for. One per process: the limits are the vendor's, not a client's.
#[derive(Debug)]
pub struct Sellers {
    limits: Limits,
    kept: Option<Arc<dyn PendingReports>>,
    known: Mutex<HashMap<(String, KeyKind), Arc<Seller>>>,
}

impl Sellers {
    /// With limits that this process keeps alone, on a clock that runs `speed` times as fast.
    #[must_use]
    pub fn new(speed: f64) -> Self {
        Self::within(Limits::local(speed))
    }

    /// Within these limits.
    #[must_use]
    pub fn within(limits: Limits) -> Self {
        Self {
            limits,
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

    pub(super) fn of(&self, token: &Token, with_secret: bool) -> Arc<Seller> {
        let kind = key_kind(token.kind(), with_secret);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let reduced = matches!(kind, KeyKind::Base | KeyKind::Test);
            let tariff = if reduced { "Base" } else { "Full" };
            let report = Report::new(&format!("{} {tariff}", token.seller_id()), self.kept.clone());
            Arc::new(Seller {
                id: token.seller_id().to_owned(),
                kind,
                limits: self.limits.clone(),
                report,
                no_sync_report: Closed::default(),
                no_seller_report: Closed::default(),
                no_order_feed: Closed::default(),
            })
        };
        Arc::clone(
            known
                .entry((token.seller_id().to_owned(), kind))
                .or_insert_with(new),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Category, Closed, Group, Sellers, key_kind};
    use crate::limits::KeyKind;
    use crate::wildberries::token::tests::token_text;
    use crate::wildberries::token::{Token, TokenKind};
    use std::sync::Arc;
    use std::time::Duration;

    fn token(sid: &str, id: u8, acc: u8) -> Token {
        let claims = format!(r#"{{"id":"{id}","sid":"{sid}","s":2,"acc":{acc},"exp":1}}"#);
        Token::parse(&token_text(&claims)).unwrap()
    }

    #[test]
    fn a_services_secret_lifts_a_base_token_and_no_other() {
        assert_eq!(key_kind(TokenKind::Base, false), KeyKind::Base);
        assert_eq!(key_kind(TokenKind::Base, true), KeyKind::BaseWithSecret);
        assert_eq!(key_kind(TokenKind::Test, true), KeyKind::Test);
        assert_eq!(key_kind(TokenKind::Personal, true), KeyKind::Personal);
    }

    #[tokio::test]
    async fn prices_and_the_sellers_report_have_the_documented_rates() {
        let interval = |acc, group| {
            let seller = Sellers::new(1.0).of(&token("a", 1, acc), false);
            seller.bucket(group).limit().interval.as_millis()
        };
        assert_eq!(interval(3, Group::Prices), 600);
        assert_eq!(interval(1, Group::Prices), 900_000);
        assert_eq!(interval(4, Group::SellerWarehouses), 20_000);
    }

    #[tokio::test]
    async fn two_tokens_of_one_seller_share_buckets_and_two_sellers_do_not() {
        let sellers = Sellers::new(1.0);
        let bucket = |token: &Token| sellers.of(token, false).bucket(Group::Content);
        assert!(Arc::ptr_eq(
            &bucket(&token("a", 1, 3)),
            &bucket(&token("a", 2, 3))
        ));
        assert!(!Arc::ptr_eq(
            &bucket(&token("a", 1, 3)),
            &bucket(&token("b", 1, 3))
        ));
    }

    #[tokio::test]
    async fn kinds_of_tokens_share_a_bucket_where_the_vendor_gives_them_the_same_numbers() {
        let sellers = Sellers::new(1.0);
        let (personal, service, base) = (token("a", 1, 3), token("a", 2, 4), token("a", 3, 1));
        let same = |one: &Token, other: &Token, group| {
            Arc::ptr_eq(
                &sellers.of(one, false).bucket(group),
                &sellers.of(other, false).bucket(group),
            )
        };
        assert!(same(&personal, &service, Group::OrderFeed));
        assert!(same(&personal, &base, Group::Content), "counted per account");
        assert!(!same(&personal, &base, Group::OrderFeed));
        assert_eq!(
            sellers
                .of(&base, false)
                .bucket(Group::OrderFeed)
                .limit()
                .interval
                .as_secs(),
            10_800
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_method_opens_again_after_a_while_and_at_once_to_another_token() {
        let closed = Closed::default();
        let rest = Duration::from_secs(3_600);
        let (one, other) = (token("a", 1, 3), token("a", 2, 3));
        assert!(!closed.is_closed_to(&one, rest));
        closed.close_to(&one);
        assert!(closed.is_closed_to(&one, rest));
        assert!(!closed.is_closed_to(&other, rest));
        tokio::time::advance(rest).await;
        assert!(!closed.is_closed_to(&one, rest));
    }

    #[tokio::test]
    async fn every_group_has_the_numbers_of_the_vendors_pages_of_2026_10_30() {
        let rule = |acc, secret, group| {
            let seller = Sellers::new(1.0).of(&token("a", 1, acc), secret);
            let limit = seller.bucket(group).limit();
            (limit.interval.as_millis(), limit.burst)
        };
        // One of a burst stays in reserve.
        let (personal, service, base, hour) = (3, 4, 1, 3_600_000);
        for acc in [personal, service] {
            assert_eq!(rule(acc, false, Group::SupplierOrders), (60_000, 9));
            assert_eq!(rule(acc, false, Group::SellerInfo), (60_000, 9));
            assert_eq!(rule(acc, false, Group::OrderFeed), (60_000, 1));
        }
        assert_eq!(rule(base, true, Group::SupplierOrders), (60_000, 9));
        assert_eq!(rule(base, false, Group::SupplierOrders), (3 * hour, 1));
        assert_eq!(rule(base, false, Group::SellerInfo), (24 * hour, 1));
        assert_eq!(rule(base, false, Group::OrderFeed), (3 * hour, 1));
        assert_eq!(rule(base, false, Group::Prices), (hour / 4, 1));
        for acc in [personal, service, base] {
            assert_eq!(rule(acc, false, Group::Content), (600, 4));
            assert_eq!(rule(acc, false, Group::Marketplace), (200, 19));
            assert_eq!(rule(acc, false, Group::SellerWarehouseList), (200, 19));
        }
    }

    #[tokio::test]
    async fn every_host_has_a_ping_of_its_own() {
        let seller = Sellers::new(1.0).of(&token("a", 1, 3), false);
        let bucket = |category| seller.bucket(Group::Ping(category));
        assert!(!Arc::ptr_eq(
            &bucket(Category::Content),
            &bucket(Category::Common)
        ));
    }
}
