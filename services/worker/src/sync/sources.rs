//! Reads every source of a cabinet, side by side where their limits allow, and keeps each one's outcome
//! apart: one that fails takes none of the others with it.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::time::Duration;

use application::domain::product::DetailPart;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::error::{CallError, CallFailure, FailureClass};
use connectors::marketplace::{
    Card, CardPart, Fetched, Marketplace as _, MarketplaceClient, OrderObservation, Period, PriceObservation,
    SizeRef, StockSnapshot,
};
use events::product::{Details, ProductSize};
use events::sync::{SourceOutcome, SourceReport};
use messaging::Cache;
use tokio::time::Instant;

use crate::SyncJob;
use crate::memory::is_made_from_name;
use crate::sync::Syncs;
use crate::sync::marks;

/// The catalogue.
pub const CARDS: &str = "cards";
/// Stock in the marketplace's warehouses.
pub const STOCK_FBO: &str = "stock_fbo";
/// Stock in the seller's warehouses.
pub const STOCK_FBS: &str = "stock_fbs";
/// Orders.
pub const ORDERS: &str = "orders";
/// What the articles are sold for.
pub const PRICES: &str = "prices";

/// Why a source gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Name of the class, for events.
    pub name: &'static str,
    /// What to do about it.
    pub class: FailureClass,
    /// In words, without secrets.
    pub detail: String,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let name = match &error.failure {
            CallFailure::Unauthorized { .. } => "unauthorized",
            CallFailure::Forbidden { .. } => "forbidden",
            CallFailure::PaymentRequired { .. } => "payment_required",
            CallFailure::RateLimited { .. } => "rate_limited",
            CallFailure::ReportPending { .. } => "report_pending",
            CallFailure::Timeout { .. } => "timeout",
            CallFailure::Malformed { .. } | CallFailure::TooLarge { .. } => "malformed",
            CallFailure::Inconsistent { .. } => "inconsistent",
            CallFailure::Rejected { .. } | CallFailure::NotFound { .. } => "rejected",
            _ => "unavailable",
        };
        Self {
            name,
            class: error.class(),
            detail: error.to_string(),
        }
    }
}

/// How one source came out.
#[derive(Debug)]
pub enum Source<T> {
    /// It answered.
    Read(Fetched<T>),
    /// It did not.
    Failed(Failure),
    /// Another sync recorded it less than five minutes ago, and it was not asked again.
    Cached,
    /// The credential does not open it and the seller never meant it to, or it does not apply.
    NotAsked,
}

impl<T> Source<T> {
    pub(super) const fn read(&self) -> Option<&Fetched<T>> {
        if let Self::Read(fetched) = self {
            Some(fetched)
        } else {
            None
        }
    }

    const fn failure(&self) -> Option<&Failure> {
        if let Self::Failed(failure) = self {
            Some(failure)
        } else {
            None
        }
    }

    fn report(&self, name: &str) -> Option<SourceReport> {
        let report = |outcome, error: Option<String>| SourceReport {
            source: name.to_owned(),
            outcome,
            rows: 0,
            as_of: None,
            payload_sha256: String::new(),
            left_out: None,
            payload_bytes: None,
            error,
            doubts: Vec::new(),
            covers_since: None,
        };
        Some(match self {
            Self::NotAsked => return None,
            Self::Cached => report(SourceOutcome::Cached, None),
            Self::Failed(failure) => report(
                SourceOutcome::Failed,
                Some(format!("{}: {}", failure.name, failure.detail)),
            ),
            Self::Read(fetched) => SourceReport {
                source: name.to_owned(),
                outcome: if fetched.complete {
                    SourceOutcome::Complete
                } else {
                    SourceOutcome::Partial
                },
                rows: fetched.outcome.rows,
                as_of: fetched.outcome.as_of,
                payload_sha256: fetched.outcome.payload_sha256.clone(),
                left_out: Some(fetched.outcome.left_out).filter(|rows| *rows > 0),
                payload_bytes: Some(fetched.outcome.payload_bytes),
                error: fetched.outcome.trouble.clone().or_else(|| {
                    let said = "the answer does not prove that it is all";
                    (!fetched.complete).then(|| said.to_owned())
                }),
                doubts: Vec::new(),
                covers_since: None,
            },
        })
    }
}

/// The catalogue as far as it was read: pages that came before a failure are kept.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Details by article.
    pub cards: HashMap<i64, Details>,
    /// Parts of the details that were not reported, of articles that lack some.
    pub unreported: HashMap<i64, Vec<DetailPart>>,
    sizes: Vec<SizeRef>,
}

/// What all sources said.
#[derive(Debug)]
pub struct Seen {
    /// What the catalogue pages said.
    pub catalogue: Catalogue,
    /// How the catalogue came out.
    pub cards: Source<()>,
    /// Stock in the marketplace's warehouses.
    pub fbo: Source<StockSnapshot>,
    /// Stock in the seller's warehouses.
    pub fbs: Source<StockSnapshot>,
    /// Orders.
    pub orders: Source<Vec<OrderObservation>>,
    /// Since when orders were asked for.
    pub orders_since: DateTime<Utc>,
    /// Prices.
    pub prices: Source<Vec<PriceObservation>>,
}

/// Reads all sources, at most until the soft limit.
pub async fn read(syncs: &Syncs, job: &SyncJob, forced: bool, client: &MarketplaceClient) -> Seen {
    let asking = Asking {
        cache: &syncs.cache,
        job,
        forced,
        until: Instant::now() + syncs.limits.soft,
    };
    let now = syncs.clock.now();
    let period = Period {
        from: now - TimeDelta::days(syncs.order_days),
        to: now,
    };
    let catalogue_and_fbs = async {
        let mut catalogue = Catalogue::default();
        let fbs_is_due = opens_fbs(client) && !asking.recorded_lately(STOCK_FBS).await;
        let reading = read_cards(client, &mut catalogue);
        // Stock that is asked for by size needs the catalogue anew, however lately that was recorded.
        let cards = if fbs_is_due && needs_catalogue(client) {
            Box::pin(asking.ask_anew(CARDS, reading)).await
        } else {
            Box::pin(asking.ask(CARDS, reading)).await
        };
        let fbs = match &cards {
            _ if !opens_fbs(client) => Source::NotAsked,
            _ if !fbs_is_due => Source::Cached,
            Source::Failed(failure) if needs_catalogue(client) && catalogue.sizes.is_empty() => {
                Source::Failed(Failure {
                    detail: "the catalogue, by which it is asked for, did not answer".to_owned(),
                    ..failure.clone()
                })
            }
            _ if needs_catalogue(client) && catalogue.sizes.is_empty() => Source::NotAsked,
            cards => {
                // What was asked by half a catalogue says nothing about the other half.
                let is_whole = |cards: &Fetched<()>| cards.complete && cards.outcome.unread.is_empty();
                let whole = matches!(cards, Source::Read(cards) if is_whole(cards));
                let stock = async {
                    let mut fetched = client.fbs_stock(&catalogue.sizes).await?;
                    let is_asked_whole = whole || !needs_catalogue(client);
                    fetched.complete &= is_asked_whole;
                    fetched.outcome.is_unlisted &= is_asked_whole;
                    Ok(fetched)
                };
                asking.ask_anew(STOCK_FBS, stock).await
            }
        };
        (catalogue, cards, fbs)
    };
    let prices = async {
        if opens_prices(client) {
            asking.ask(PRICES, client.prices()).await
        } else {
            Source::NotAsked
        }
    };
    let ((catalogue, cards, fbs), fbo, orders, prices) = tokio::join!(
        catalogue_and_fbs,
        asking.ask(STOCK_FBO, client.fbo_stock()),
        asking.ask(ORDERS, client.orders(period)),
        prices,
    );
    Seen {
        catalogue,
        cards,
        fbo,
        fbs,
        orders,
        orders_since: period.from,
        prices,
    }
}

async fn read_cards(client: &MarketplaceClient, catalogue: &mut Catalogue) -> Result<Fetched<()>, CallError> {
    let has_sizes = matches!(client, MarketplaceClient::Wildberries(_));
    let mut take = |page: Vec<Card>| {
        for card in page {
            catalogue.sizes.extend(card.sizes.iter().map(|size| SizeRef {
                chrt_id: size.chrt_id,
                nm_id: card.nm_id,
            }));
            let parts: Vec<DetailPart> = card.unreported.iter().map(part).collect();
            // A card that changed meanwhile comes twice; the later one holds.
            if parts.is_empty() {
                catalogue.unreported.remove(&card.nm_id);
            } else {
                catalogue.unreported.insert(card.nm_id, parts);
            }
            catalogue.cards.insert(card.nm_id, details(card, has_sizes));
        }
    };
    client.cards(&mut take).await
}

fn part(part: &CardPart) -> DetailPart {
    match part {
        CardPart::VendorCode => DetailPart::VendorCode,
        CardPart::Brand => DetailPart::Brand,
        CardPart::Subject => DetailPart::Subject,
        CardPart::Title => DetailPart::Title,
    }
}

/// What is recorded of a card, in an order that does not depend on the answer's. Ozon's SKUs of one card are
/// schemes of sale and no sizes.
fn details(card: Card, has_sizes: bool) -> Details {
    let sorted = |mut barcodes: Vec<String>| {
        barcodes.sort_unstable();
        barcodes.dedup();
        barcodes
    };
    let mut sizes: Vec<ProductSize> = card
        .sizes
        .into_iter()
        .filter(|_| has_sizes)
        .filter_map(|size| {
            Some(ProductSize {
                size_id: i64::try_from(size.chrt_id).ok()?,
                name: size.tech_size,
                barcodes: sorted(size.skus),
            })
        })
        .collect();
    sizes.sort_unstable_by_key(|size| size.size_id);
    Details {
        vendor_code: card.vendor_code,
        brand: card.brand,
        subject: card.subject,
        title: card.title,
        barcodes: sorted(card.barcodes),
        sizes,
        price: None,
    }
}

/// Whether the key was made for the seller's own warehouses. One that was not is no failure: most sellers
/// have none.
fn opens_fbs(client: &MarketplaceClient) -> bool {
    match client {
        MarketplaceClient::Wildberries(client) => client.opens_fbs(),
        // The keys there do not say; the roles were looked at when the cabinet was connected.
        MarketplaceClient::Ozon(_) => true,
    }
}

/// Whether stock in the seller's own warehouses was asked for by the sizes of the catalogue.
fn needs_catalogue(client: &MarketplaceClient) -> bool {
    !matches!(client, MarketplaceClient::Wildberries(client) if client.has_seller_report())
}

/// Whether the key was made for prices; without them an article is shown without one.
fn opens_prices(client: &MarketplaceClient) -> bool {
    match client {
        MarketplaceClient::Wildberries(client) => client
            .token()
            .scopes()
            .has(connectors::wildberries::Scope::Prices),
        MarketplaceClient::Ozon(_) => true,
    }
}

struct Asking<'a> {
    cache: &'a Cache,
    job: &'a SyncJob,
    forced: bool,
    until: Instant,
}

impl Asking<'_> {
    async fn ask<T>(
        &self,
        source: &'static str,
        call: impl Future<Output = Result<Fetched<T>, CallError>>,
    ) -> Source<T> {
        if self.recorded_lately(source).await {
            return Source::Cached;
        }
        self.ask_anew(source, call).await
    }

    async fn ask_anew<T>(
        &self,
        source: &'static str,
        call: impl Future<Output = Result<Fetched<T>, CallError>>,
    ) -> Source<T> {
        match tokio::time::timeout_at(self.until, call).await {
            Ok(Ok(fetched)) => Source::Read(fetched),
            Ok(Err(error)) => {
                tracing::info!(error = ?error, source, cabinet.id = %self.job.cabinet_id, "source failed");
                Source::Failed(error.into())
            }
            Err(_elapsed) => Source::Failed(Failure {
                name: "timeout",
                class: FailureClass::Transient,
                detail: "no answer before the sync's soft limit".to_owned(),
            }),
        }
    }

    /// Whether the source need not be asked again.
    async fn recorded_lately(&self, source: &str) -> bool {
        !self.forced && marks::has(self.cache, self.job, source).await
    }
}

impl Seen {
    /// The reports of all sources that were asked.
    #[must_use]
    pub fn reports(&self) -> Vec<SourceReport> {
        [
            self.cards.report(CARDS),
            self.fbo.report(STOCK_FBO),
            self.fbs.report(STOCK_FBS),
            self.orders.report(ORDERS).map(|report| SourceReport {
                covers_since: (report.outcome == SourceOutcome::Complete).then_some(self.orders_since),
                ..report
            }),
            self.prices.report(PRICES),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        [
            self.cards.failure(),
            self.fbo.failure(),
            self.fbs.failure(),
            self.orders.failure(),
            self.prices.failure(),
        ]
        .into_iter()
        .flatten()
    }

    fn any_usable(&self) -> bool {
        !matches!(self.cards, Source::Failed(_))
            || !matches!(self.fbo, Source::Failed(_))
            || !matches!(self.orders, Source::Failed(_))
    }

    /// The failure that stands for all, when no source is usable: the one that says most about when to come
    /// back.
    #[must_use]
    pub fn nothing_usable(&self) -> Option<Failure> {
        if self.any_usable() {
            return None;
        }
        self.failures()
            .max_by_key(|failure| match failure.class {
                FailureClass::Credential => (3, Duration::ZERO),
                FailureClass::Payment => (2, Duration::ZERO),
                FailureClass::Wait { delay } => (1, delay),
                _ => (0, Duration::ZERO),
            })
            .cloned()
    }

    /// The reason, when every source that was asked refused the key.
    #[must_use]
    pub fn credential_refused(&self) -> Option<&'static str> {
        if self.any_usable() {
            return None;
        }
        let mut reasons = self.failures().map(|failure| match failure.class {
            FailureClass::Credential | FailureClass::Payment => Some(failure.name),
            _ => None,
        });
        let first = reasons.next()??;
        reasons.all(|reason| reason.is_some()).then_some(first)
    }

    /// Whether a source refused the key.
    #[must_use]
    pub fn refuses_a_part(&self) -> bool {
        self.failures()
            .any(|failure| matches!(failure.class, FailureClass::Credential | FailureClass::Payment))
    }

    /// Whether the marketplace answered anything with this key.
    #[must_use]
    pub const fn credential_taken(&self) -> bool {
        self.cards.read().is_some() || self.fbo.read().is_some() || self.orders.read().is_some()
    }

    /// Whether no source was read: all of them were recorded lately, failed, or are not opened by the key.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.cards.read().is_none()
            && self.fbo.read().is_none()
            && self.fbs.read().is_none()
            && self.orders.read().is_none()
            && self.prices.read().is_none()
    }

    /// Every article that any source told of, but for those sources that are left out.
    #[must_use]
    pub fn articles(&self, leave_out: impl Fn(&str) -> bool) -> Vec<i64> {
        let stocked = [(STOCK_FBO, &self.fbo), (STOCK_FBS, &self.fbs)]
            .into_iter()
            .filter(|(name, _)| !leave_out(name))
            .filter_map(|(_, source)| source.read())
            .flat_map(|fetched| fetched.items.products.iter().map(|product| product.nm_id));
        let ordered = self
            .orders
            .read()
            .filter(|_| !leave_out(ORDERS))
            .into_iter()
            .flat_map(|fetched| fetched.items.iter().map(|order| order.nm_id));
        let mut articles: Vec<i64> = self
            .catalogue
            .cards
            .keys()
            .copied()
            .chain(stocked)
            .chain(ordered)
            .collect();
        articles.sort_unstable();
        articles.dedup();
        articles
    }

    /// Every warehouse any stock source told of: key and name.
    #[must_use]
    pub fn warehouses(&self) -> BTreeMap<String, String> {
        [&self.fbo, &self.fbs]
            .into_iter()
            .filter_map(|source| source.read())
            .flat_map(|fetched| &fetched.items.warehouses)
            .map(|warehouse| (warehouse.key.clone(), warehouse.name.clone()))
            .collect()
    }

    /// Replaces keys that were made from names by the ids these names are known under.
    pub fn resolve_warehouses(&mut self, keys: &HashMap<String, String>) {
        for source in [&mut self.fbo, &mut self.fbs] {
            if let Source::Read(fetched) = source {
                for warehouse in fetched
                    .items
                    .warehouses
                    .iter_mut()
                    .filter(|known| is_made_from_name(&known.key))
                {
                    if let Some(key) = keys.get(&warehouse.key) {
                        warehouse.key.clone_from(key);
                    }
                }
            }
        }
    }

    /// When the catalogue or stock was read, as the marketplace tells it.
    pub(crate) fn as_of<T>(source: &Fetched<T>, now: DateTime<Utc>) -> DateTime<Utc> {
        source.outcome.as_of.unwrap_or(now)
    }
}
