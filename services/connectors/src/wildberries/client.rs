//! One seller's client: where the hosts are, how long it waits for its turn, and the loop that sends a
//! request inside the vendor's limits.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderName;
use secrecy::{ExposeSecret, SecretString};

use super::error;
use super::limits::{Category, Closed, Group, Seller, Sellers};
use super::token::{Scope, Token, TokenKind};
use crate::error::{CallError, CallFailure};
use crate::http::{Call, HttpClient, Opened, Reply};
use crate::marketplace::{
    AccountCheck, Card, Fetched, Marketplace, OrderObservation, Period, PriceObservation, SizeRef,
    StockSnapshot, Tally,
};
use crate::payload::{PayloadSink, Payloads};
use crate::repeat::Repeats;

/// Names the service to the vendor; <https://dev.wildberries.ru/en/news/144>.
const SERVICE_SECRET: HeaderName = HeaderName::from_static("x-client-secret");

/// How long a method that the vendor refused in its own words is left alone. Kinds of tokens get further
/// rights now and then, and one answer is not believed for ever.
const CLOSED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Base addresses of the vendor's categories.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Cards.
    pub content: String,
    /// Stock reports and the order feed.
    pub analytics: String,
    /// The older order report.
    pub statistics: String,
    /// The seller's own warehouses.
    pub marketplace: String,
    /// Prices.
    pub prices: String,
    /// The seller's name.
    pub common: String,
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            content: "https://content-api.wildberries.ru".to_owned(),
            analytics: "https://seller-analytics-api.wildberries.ru".to_owned(),
            statistics: "https://statistics-api.wildberries.ru".to_owned(),
            marketplace: "https://marketplace-api.wildberries.ru".to_owned(),
            prices: "https://discounts-prices-api.wildberries.ru".to_owned(),
            common: "https://common-api.wildberries.ru".to_owned(),
        }
    }
}

impl Hosts {
    pub(super) fn of(&self, category: Category) -> &str {
        match category {
            Category::Content => &self.content,
            Category::Analytics => &self.analytics,
            Category::Statistics => &self.statistics,
            Category::Marketplace => &self.marketplace,
            Category::Prices => &self.prices,
            Category::Common => &self.common,
        }
    }
}

/// How a client behaves; the defaults are for the real vendor.
#[derive(Debug, Clone)]
pub struct Options {
    /// Longest time a single request waits for its turn; beyond it the call fails with the missing time, so
    /// that a worker can put the job back instead of sleeping through it.
    pub patience: Duration,
    /// Deadline of an ordinary request, body included.
    pub deadline: Duration,
    /// Deadline of a request that brings a whole report.
    pub report_deadline: Duration,
    /// Repeats after a 5xx or a failed connection before the failure is reported.
    pub repeats: u32,
    /// Pause before the first repeat; it doubles with each.
    pub repeat_pause: Duration,
    /// Least time between two questions for a background report, should the vendor's own interval be shorter.
    pub report_poll: Duration,
    /// Cards per page (the vendor's most is 100).
    pub card_page: u32,
    /// Rows per page of the synchronous stock report (the vendor's most is 250,000).
    pub stock_page: u64,
    /// Products per page of the prices (the vendor's most is 1000).
    pub price_page: usize,
    /// Rows per page of the order feed. The vendor states no limit; 1000 is what live callers use.
    pub order_page: u64,
    /// Pages of the order feed after which the older report, with its 80,000 rows a request, is taken.
    pub feed_pages: u32,
    /// Largest report in bytes, decompressed: 250,000 rows are about 50 MB.
    pub report_bytes: u64,
    /// The secret by which the vendor recognises this service, where it has one: it goes with every
    /// request, and base tokens get the full limits by it.
    pub service_secret: Option<SecretString>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // One interval of the once-a-minute reports, and a little.
            patience: Duration::from_secs(65),
            deadline: Duration::from_secs(30),
            report_deadline: Duration::from_secs(180),
            repeats: 2,
            repeat_pause: Duration::from_secs(1),
            report_poll: Duration::ZERO,
            card_page: 100,
            stock_page: 250_000,
            price_page: 1000,
            order_page: 1000,
            feed_pages: 4,
            report_bytes: 512 * 1024 * 1024,
            service_secret: None,
        }
    }
}

/// A client for one Wildberries cabinet.
#[derive(Debug)]
pub struct Wildberries {
    http: HttpClient,
    pub(super) hosts: Hosts,
    pub(super) token: Token,
    pub(super) seller: Arc<Seller>,
    pub(super) options: Options,
    payloads: Payloads,
}

impl Wildberries {
    /// `sellers` is shared by the whole process, so that two jobs of one seller share the vendor's limits.
    #[must_use]
    pub fn new(http: HttpClient, hosts: Hosts, token: Token, sellers: &Sellers, options: Options) -> Self {
        let seller = sellers.of(&token, options.service_secret.is_some());
        Self {
            http,
            hosts,
            token,
            seller,
            options,
            payloads: Payloads::default(),
        }
    }

    /// The same, where a copy of every answer is handed to `sink`.
    #[must_use]
    pub fn keeping(self, sink: Arc<dyn PayloadSink>) -> Self {
        Self {
            payloads: Payloads::to(sink),
            ..self
        }
    }

    /// Counts a source's answers, and copies them where they are kept.
    pub(super) fn tally(&self, source: &'static str, fields: &'static [&'static str]) -> Tally {
        Tally::copying(self.payloads.copy(source, fields))
    }

    /// What the token says about itself.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// How long a request may wait for its turn.
    pub(super) fn patience(&self) -> Duration {
        self.seller.patience(self.options.patience)
    }

    /// Whether stock in the seller's own warehouses can be asked for: by the report, which needs no list
    /// of sizes, or warehouse by warehouse.
    #[must_use]
    pub fn opens_fbs(&self) -> bool {
        self.token.scopes().has(Scope::Marketplace) || self.has_seller_report()
    }

    /// Whether stock in the seller's own warehouses comes without a list of sizes.
    #[must_use]
    pub fn has_seller_report(&self) -> bool {
        matches!(self.token.kind(), TokenKind::Personal | TokenKind::Service)
            && self.token.scopes().has(Scope::Analytics)
            && !self.is_closed(&self.seller.no_seller_report)
    }

    /// Whether a method is left alone for now, because it was refused to this token.
    pub(super) fn is_closed(&self, method: &Closed) -> bool {
        method.is_closed_to(&self.token, self.seller.pace(CLOSED_FOR))
    }

    /// Leaves a method alone for a while: until then, or until there is another token.
    pub(super) fn close(&self, method: &Closed) {
        method.close_to(&self.token);
    }

    /// Fails without a request when the token does not open a category at all.
    pub(super) fn require(&self, scope: Scope, endpoint: &'static str) -> Result<(), CallError> {
        if self.token.scopes().has(scope) {
            return Ok(());
        }
        let detail = format!("the token does not open the category {scope:?}");
        Err(CallError::new(endpoint, CallFailure::Forbidden { detail }))
    }

    /// A call with this seller's token.
    pub(super) fn call(
        &self,
        endpoint: &'static str,
        category: Category,
        path: &str,
    ) -> Result<Call, CallError> {
        let method = if endpoint.starts_with("POST ") {
            Method::POST
        } else {
            Method::GET
        };
        let call = Call::new(endpoint, method, self.hosts.of(category), path)?;
        // The raw token: the documentation knows no scheme word.
        let call = call
            .authorization(self.token.expose())?
            .deadline(self.options.deadline);
        match &self.options.service_secret {
            Some(secret) => call.secret(SERVICE_SECRET, secret.expose_secret()),
            None => Ok(call),
        }
    }

    /// The same for an answer that can be large.
    pub(super) fn report_call(
        &self,
        endpoint: &'static str,
        category: Category,
        path: &str,
    ) -> Result<Call, CallError> {
        let call = self.call(endpoint, category, path)?;
        Ok(call
            .deadline(self.options.report_deadline)
            .limit(self.options.report_bytes))
    }

    /// Sends inside the limits and reads the whole body; only success comes back.
    pub(super) async fn fetch(&self, group: Group, call: &Call) -> Result<Reply, CallError> {
        let mut attempt = 0;
        loop {
            match self.fetch_once(group, call).await {
                Ok(reply) => return Ok(reply),
                Err(error) => self.pause_after(group, error, &mut attempt).await?,
            }
        }
    }

    /// Sends inside the limits and leaves the body of a success to the caller. A body that is cut later is
    /// not asked for again here: what was decoded from it cannot be taken back.
    pub(super) async fn open<'a>(&'a self, group: Group, call: &'a Call) -> Result<Opened<'a>, CallError> {
        let mut attempt = 0;
        loop {
            match self.open_once(group, call).await {
                Ok(opened) => return Ok(opened),
                Err(error) => self.pause_after(group, error, &mut attempt).await?,
            }
        }
    }

    async fn fetch_once(&self, group: Group, call: &Call) -> Result<Reply, CallError> {
        self.open_once(group, call).await?.read().await
    }

    async fn open_once<'a>(&'a self, group: Group, call: &'a Call) -> Result<Opened<'a>, CallError> {
        let bucket = self.seller.bucket(group);
        if let Err(missing) = bucket.acquire(self.patience()).await {
            let failure = CallFailure::RateLimited {
                retry_after: missing,
                told: false,
            };
            return Err(CallError::new(call.endpoint(), failure));
        }
        let opened = self.http.open(call).await;
        bucket.answered().await;
        let opened = opened?;
        if (200..300).contains(&opened.status()) {
            opened.expect_json()?;
            return Ok(opened);
        }
        let reply = opened.read().await?;
        let failure = error::failure(&reply, self.token.expose(), bucket.limit().interval);
        if let CallFailure::RateLimited { retry_after, .. } = &failure {
            bucket.close_for(*retry_after).await;
        }
        if (400..500).contains(&reply.status) {
            bucket
                .charge(self.seller.refusal_cost(group).saturating_sub(1))
                .await;
        }
        Err(CallError::new(call.endpoint(), failure))
    }

    /// Waits before a repeat, or gives the failure back when a repeat is useless or too far away.
    async fn pause_after(&self, group: Group, error: CallError, attempt: &mut u32) -> Result<(), CallError> {
        let repeats = Repeats {
            patience: self.patience(),
            count: self.options.repeats,
            pause: self.options.repeat_pause,
        };
        repeats
            .pause_after(error, async { self.seller.bucket(group).wait().await }, attempt)
            .await
    }
}

impl Marketplace for Wildberries {
    async fn check(&self) -> Result<AccountCheck, CallError> {
        self.fetch_check().await
    }

    async fn cards(&self, on_page: &mut (dyn FnMut(Vec<Card>) + Send)) -> Result<Fetched<()>, CallError> {
        self.fetch_cards(on_page).await
    }

    async fn prices(&self) -> Result<Fetched<Vec<PriceObservation>>, CallError> {
        self.fetch_prices().await
    }

    async fn fbo_stock(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        self.fetch_fbo_stock().await
    }

    async fn fbs_stock(&self, sizes: &[SizeRef]) -> Result<Fetched<StockSnapshot>, CallError> {
        self.fetch_fbs_stock(sizes).await
    }

    async fn orders(&self, period: Period) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        self.fetch_orders(period).await
    }
}
