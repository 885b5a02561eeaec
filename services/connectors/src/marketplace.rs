//! What a sync can see at a marketplace, in words that no marketplace owns, so that the worker does not know
//! whether it talks to Wildberries or to Ozon.

mod figures;
mod observation;
mod stock;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

pub use figures::{Bucket, BucketUnits, Cluster, Grade, SizeLabel, SizeUnits, Turnover, TurnoverFigures};
pub(crate) use observation::PriceLost;
pub use observation::{
    AccountCheck, Card, CardPart, CardSize, CategoryCheck, CategoryStatus, OrderObservation, OrderStatus,
    PriceObservation,
};
pub use stock::{
    Fulfilment, InWay, MASKED_KEY, MASKED_NAME, ProductStock, SizeRef, StockBuilder, StockLevel,
    StockLevelObservation, StockOverflow, StockSnapshot, WarehouseRef,
};

use crate::error::CallError;
use crate::json::LeftOut;
use crate::ozon::Ozon;
use crate::payload::{PayloadCopy, PayloadSink};
use crate::wildberries::Wildberries;

/// A half-open span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First moment inside.
    pub from: DateTime<Utc>,
    /// First moment after.
    pub to: DateTime<Utc>,
}

/// Where numbers came from: enough to find the payload again and to prove that it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOutcome {
    /// Name of the source, stable: it goes into events.
    pub source: &'static str,
    /// Rows in the payload (not products: a row can be a size at a warehouse), those left out included.
    pub rows: u64,
    /// Rows, and items in rows, that could not be read. The others were kept.
    pub left_out: u64,
    /// Articles that the answer holds and that could not be read, ascending: they are not absent, and nothing
    /// new is known of them. A stock source says it in its snapshot in place of here.
    pub unread: Vec<i64>,
    /// The marketplace's time of the answer.
    pub as_of: Option<DateTime<Utc>>,
    /// SHA-256, in hex, over the bodies of all pages in their order, decompressed.
    pub payload_sha256: String,
    /// Size of these bodies in bytes.
    pub payload_bytes: u64,
    /// How many answers it took.
    pub pages: u32,
    /// Why what came is not complete, or what was left out of it: the first kinds with field and JSON
    /// pointer, without values.
    pub trouble: Option<String>,
    /// True where nothing but lists is missing that did not come at all: a body without a byte, or `null` for
    /// a list. Vendors answer so where there is nothing, and broken ones answer the same; whether it means
    /// none is for whoever knows what there was.
    pub is_unlisted: bool,
}

/// What a source gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched<T> {
    /// The observations.
    pub items: T,
    /// Where they came from.
    pub outcome: SourceOutcome,
    /// False when the answer does not prove that what is absent is zero; only complete answers make zeros. A
    /// row that was left out makes it false where its article is unknown. Where the article is known, only
    /// that article is unread, and the rest stays complete.
    pub complete: bool,
}

/// Sees every byte of a source's answers: hashes it, and hands out a copy where answers are kept.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    hasher: Sha256,
    copy: Option<PayloadCopy>,
}

impl Meter {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if let Some(copy) = &mut self.copy {
            copy.push(bytes);
        }
    }
}

/// Gathers a [`SourceOutcome`] page by page.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) meter: Meter,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) pages: u32,
    pub(crate) as_of: Option<DateTime<Utc>>,
    pub(crate) left_out: LeftOut,
    unread: BTreeSet<i64>,
    trouble: Option<String>,
}

impl Tally {
    /// For a source whose answers are kept where `copy` is some.
    pub(crate) fn copying(copy: Option<PayloadCopy>) -> Self {
        Self {
            meter: Meter {
                copy,
                ..Meter::default()
            },
            ..Self::default()
        }
    }

    /// Says why the answer is not complete; the first reason stays.
    pub(crate) fn trouble(&mut self, what: impl Into<String>) {
        self.trouble.get_or_insert_with(|| what.into());
    }

    /// Says that the answer holds this article, and that it could not be read.
    pub(crate) fn unread(&mut self, nm_id: i64) {
        self.unread.insert(nm_id);
    }

    /// Counts a page that was held in memory.
    pub(crate) fn page(&mut self, body: &[u8], rows: usize, as_of: Option<DateTime<Utc>>) {
        self.meter.update(body);
        self.streamed(body.len() as u64, rows as u64, as_of);
    }

    /// Counts a page whose bytes went through the hasher already.
    pub(crate) fn streamed(&mut self, bytes: u64, rows: u64, as_of: Option<DateTime<Utc>>) {
        self.bytes += bytes;
        self.rows += rows;
        self.pages += 1;
        self.as_of = as_of.or(self.as_of);
        if let Some(copy) = &mut self.meter.copy {
            copy.end_page();
        }
    }

    pub(crate) fn finish(self, source: &'static str) -> SourceOutcome {
        let payload_sha256 = hex::encode(self.meter.hasher.finalize());
        if let Some(copy) = self.meter.copy {
            copy.finish(&payload_sha256, self.bytes);
        }
        let trouble = match (self.trouble, self.left_out.said()) {
            (Some(trouble), Some(said)) => Some(format!("{trouble}; {said}")),
            (trouble, said) => trouble.or(said),
        };
        SourceOutcome {
            source,
            rows: self.rows,
            left_out: self.left_out.count(),
            unread: self.unread.into_iter().collect(),
            as_of: self.as_of,
            payload_sha256,
            payload_bytes: self.bytes,
            pages: self.pages,
            trouble,
            is_unlisted: false,
        }
    }
}

/// What every marketplace can be asked for. All methods only read.
pub trait Marketplace {
    /// Does the credential open the account, and which of the categories that a sync needs?
    ///
    /// # Errors
    /// When the account itself does not answer; a refused category is a finding, not an error.
    fn check(&self) -> impl Future<Output = Result<AccountCheck, CallError>> + Send;

    /// All product cards, page by page in the order they come. A card that changed meanwhile may come twice;
    /// the later one holds.
    ///
    /// # Errors
    /// The first page that failed. The pages before it have been handed out.
    fn cards(
        &self,
        on_page: &mut (dyn FnMut(Vec<Card>) + Send),
    ) -> impl Future<Output = Result<Fetched<()>, CallError>> + Send;

    /// What every product is sold for.
    ///
    /// # Errors
    /// The first page that failed.
    fn prices(&self) -> impl Future<Output = Result<Fetched<Vec<PriceObservation>>, CallError>> + Send;

    /// Stock in the marketplace's own warehouses, for every product of the account.
    ///
    /// # Errors
    /// The first answer that failed; nothing is returned then, so that no part is taken for the whole.
    fn fbo_stock(&self) -> impl Future<Output = Result<Fetched<StockSnapshot>, CallError>> + Send;

    /// Stock in the seller's own warehouses for these sizes.
    ///
    /// # Errors
    /// The first answer that failed.
    fn fbs_stock(
        &self,
        sizes: &[SizeRef],
    ) -> impl Future<Output = Result<Fetched<StockSnapshot>, CallError>> + Send;

    /// Every order that was placed in the period, once, in its last known state. Some sources add older ones
    /// that changed in the period; count by `ordered_at`.
    ///
    /// # Errors
    /// The first page that failed.
    fn orders(
        &self,
        period: Period,
    ) -> impl Future<Output = Result<Fetched<Vec<OrderObservation>>, CallError>> + Send;
}

/// A client for one cabinet, whatever its marketplace.
#[derive(Debug)]
pub enum MarketplaceClient {
    /// A Wildberries cabinet.
    Wildberries(Wildberries),
    /// An Ozon cabinet.
    Ozon(Ozon),
}

impl MarketplaceClient {
    /// The same, where a copy of every answer is handed to `sink`.
    #[must_use]
    pub fn keeping(self, sink: Arc<dyn PayloadSink>) -> Self {
        match self {
            Self::Wildberries(client) => Self::Wildberries(client.keeping(sink)),
            Self::Ozon(client) => Self::Ozon(client.keeping(sink)),
        }
    }
}

impl Marketplace for MarketplaceClient {
    async fn check(&self) -> Result<AccountCheck, CallError> {
        match self {
            Self::Wildberries(client) => client.check().await,
            Self::Ozon(client) => client.check().await,
        }
    }

    async fn cards(&self, on_page: &mut (dyn FnMut(Vec<Card>) + Send)) -> Result<Fetched<()>, CallError> {
        match self {
            Self::Wildberries(client) => client.cards(on_page).await,
            Self::Ozon(client) => client.cards(on_page).await,
        }
    }

    async fn prices(&self) -> Result<Fetched<Vec<PriceObservation>>, CallError> {
        match self {
            Self::Wildberries(client) => client.prices().await,
            Self::Ozon(client) => client.prices().await,
        }
    }

    async fn fbo_stock(&self) -> Result<Fetched<StockSnapshot>, CallError> {
        match self {
            Self::Wildberries(client) => client.fbo_stock().await,
            Self::Ozon(client) => client.fbo_stock().await,
        }
    }

    async fn fbs_stock(&self, sizes: &[SizeRef]) -> Result<Fetched<StockSnapshot>, CallError> {
        match self {
            Self::Wildberries(client) => client.fbs_stock(sizes).await,
            Self::Ozon(client) => client.fbs_stock(sizes).await,
        }
    }

    async fn orders(&self, period: Period) -> Result<Fetched<Vec<OrderObservation>>, CallError> {
        match self {
            Self::Wildberries(client) => client.orders(period).await,
            Self::Ozon(client) => client.orders(period).await,
        }
    }
}
