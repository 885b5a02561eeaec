//! One article of one cabinet: its details, its stock per warehouse, its orders. It is told what a sync saw
//! and answers with what differs from what was known. A failed fetch never becomes a zero: only a complete
//! answer may say that something is gone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use events::StreamType;
use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::ids::{CabinetId, SyncId};
use events::product::{
    Details, Fulfilment, InWay, MarketplaceTurnover, OrderLine, Price, ProductDelisted,
    ProductDetailsChanged, ProductListed, ProductRelisted, SizeUnits, StockLevel,
};
use serde::{Deserialize, Serialize};

mod orders;
mod sizes;
mod stock;

use crate::Decider;
use crate::decider::aggregate;

/// Key of the one warehouse that stands for all masked ones (`contracts` A.6): since 2026-08-15 Wildberries
/// tells most Russian warehouses under a shared name that differs by source.
pub const MASKED_WAREHOUSE: &str = "fbo:masked";

/// Days an order is remembered for recognising it again. Syncs ask for fewer days than this, so an order that
/// was forgotten never comes back as a new one.
pub const ORDER_MEMORY_DAYS: i64 = 60;

/// Units at one warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Units that can be sold.
    #[serde(rename = "a", default)]
    pub available: i64,
    /// Units on the way to buyers.
    #[serde(rename = "t", default)]
    pub in_way_to_client: i64,
    /// Units on the way back.
    #[serde(rename = "f", default)]
    pub in_way_from_client: i64,
}

impl Level {
    const fn of(level: &StockLevel) -> Self {
        Self {
            available: level.available,
            in_way_to_client: level.in_way_to_client,
            in_way_from_client: level.in_way_from_client,
        }
    }

    /// Units of every kind.
    const fn all(self) -> i64 {
        self.available + self.in_way_to_client + self.in_way_from_client
    }

    const fn is_zero(self) -> bool {
        self.available == 0 && self.in_way_to_client == 0 && self.in_way_from_client == 0
    }
}

/// A warehouse as the product remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Name last told.
    #[serde(rename = "n")]
    pub name: String,
    /// Units last told.
    #[serde(flatten)]
    pub level: Level,
    /// Units of further kinds last told.
    #[serde(rename = "b", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub buckets: BTreeMap<String, i64>,
    /// Region last told; an answer without one does not take it away.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Units for sale by size last told.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<SizeUnits>,
}

impl Known {
    fn of(level: &StockLevel) -> Self {
        Self {
            name: level.name.clone(),
            level: Level::of(level),
            buckets: level.buckets.clone(),
            cluster: level.cluster.clone(),
            sizes: level.sizes.clone(),
        }
    }

    fn says(&self, level: &StockLevel) -> bool {
        self.level == Level::of(level)
            && self.name == level.name
            && self.buckets == level.buckets
            && self.sizes == level.sizes
            && (level.cluster.is_none() || self.cluster == level.cluster)
    }

    /// Whether units of a size are known here of which the level says nothing, though it tells sizes.
    fn has_more_sizes_than(&self, level: &StockLevel) -> bool {
        let is_told = |known: &SizeUnits| {
            let mut told = level.sizes.iter();
            told.any(|told| (told.size_id, &told.name) == (known.size_id, &known.name))
        };
        !level.sizes.is_empty()
            && self
                .sizes
                .iter()
                .any(|known| known.available > 0 && !is_told(known))
    }

    fn is_empty(&self) -> bool {
        self.level.is_zero() && self.buckets.values().all(|units| *units == 0)
    }
}

/// Whether a level tells no units of any kind.
fn is_empty(level: &StockLevel) -> bool {
    Level::of(level).is_zero() && level.buckets.values().all(|units| *units == 0)
}

/// What is remembered of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen(
    /// When it was ordered, unix seconds.
    pub i64,
    /// When the marketplace last changed it, unix milliseconds.
    pub i64,
    /// Fingerprint of everything that is recorded of it; its last two bits are how much that is.
    pub u64,
);

/// What the product aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// What it is; none until it is listed.
    pub details: Option<Details>,
    /// Whether the last complete catalogue lacked it.
    pub delisted: bool,
    /// Units per warehouse key.
    pub levels: BTreeMap<String, Known>,
    /// Units on the way that no warehouse was given for.
    pub unassigned_in_way: InWay,
    /// The marketplace's own figures, as last told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turnover: Vec<MarketplaceTurnover>,
    /// Orders of the last [`ORDER_MEMORY_DAYS`], by the hash of their id.
    pub orders: BTreeMap<u64, Seen>,
}

/// What the catalogue said about the article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Card {
    /// It is there. A price in the details counts where no source of prices told another.
    Seen(Details),
    /// It is there, and the catalogue did not report these parts of it: what was known of them holds.
    SeenInPart {
        /// The details; the parts that were not reported are empty.
        details: Details,
        /// Which parts.
        unreported: Vec<DetailPart>,
    },
    /// The catalogue was complete and it is not there.
    Missing,
    /// The catalogue could not be read completely.
    Unknown,
}

/// A part of an article's details that an answer can lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetailPart {
    /// The seller's article.
    VendorCode,
    /// Brand.
    Brand,
    /// Kind of thing.
    Subject,
    /// Title.
    Title,
}

impl Card {
    /// What the catalogue shows; parts that it did not report are as they were known.
    fn shown(&self, known: Option<&Details>) -> Option<Cow<'_, Details>> {
        match self {
            Self::Seen(details) => Some(Cow::Borrowed(details)),
            Self::SeenInPart { details, unreported } => {
                let mut details = details.clone();
                let Some(known) = known else {
                    return Some(Cow::Owned(details));
                };
                for part in unreported {
                    match part {
                        DetailPart::VendorCode => details.vendor_code.clone_from(&known.vendor_code),
                        DetailPart::Brand => details.brand.clone_from(&known.brand),
                        DetailPart::Subject => details.subject.clone_from(&known.subject),
                        DetailPart::Title => details.title.clone_from(&known.title),
                    }
                }
                Some(Cow::Owned(details))
            }
            Self::Missing | Self::Unknown => None,
        }
    }
}

/// What one stock source said about the article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockSeen {
    /// `stock_fbo` or `stock_fbs`.
    pub source: String,
    /// Whose warehouses it speaks of; levels of the others are none of its business.
    pub fulfilment: Fulfilment,
    /// The marketplace's time when it tells it, else the time of the fetch.
    pub as_of: DateTime<Utc>,
    /// Whether everything was read, so that what is absent is gone.
    pub complete: bool,
    /// Levels told, each warehouse once. Of a size either the id is told, or only the name and 0 as the id.
    pub levels: Vec<StockLevel>,
    /// Product-level units on the way; none when the source tells them per warehouse or not at all.
    pub unassigned_in_way: Option<InWay>,
    /// The marketplace's own figures, all of them; none when the source tells no such thing.
    pub turnover: Option<Vec<MarketplaceTurnover>>,
    /// Keys of all warehouses that occur anywhere in this answer: tells a masked warehouse from an empty one.
    pub visible: Arc<BTreeSet<String>>,
    /// Keys of warehouses whose level of this article was told and could not be read: the last known one
    /// holds.
    #[serde(default)]
    pub unread: BTreeSet<String>,
    /// Which warehouses are taken from this answer.
    #[serde(default)]
    pub scope: Scope,
}

/// Which warehouses are taken from an answer, where a part of it is held back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// All that the source speaks of.
    #[default]
    All,
    /// These.
    Only(Arc<BTreeSet<String>>),
    /// All but these, which keep what is known of them.
    Except(Arc<BTreeSet<String>>),
}

impl Scope {
    fn includes(&self, warehouse: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(keys) => keys.contains(warehouse),
            Self::Except(keys) => !keys.contains(warehouse),
        }
    }
}

/// What a sync saw of one article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Which sync.
    pub sync_id: SyncId,
    /// Whose article.
    pub cabinet_id: CabinetId,
    /// Where.
    pub marketplace: Marketplace,
    /// The marketplace's article number.
    pub nm_id: i64,
    /// What the catalogue said.
    pub card: Card,
    /// What the price source said; none when it failed or knows no price, which keeps the last one.
    pub price: Option<Price>,
    /// What each stock source said; sources that failed are absent.
    pub stock: Vec<StockSeen>,
    /// Orders told; empty when the source failed, which loses nothing, because orders never vanish.
    pub orders: Vec<OrderLine>,
    /// Name of the order source.
    pub orders_source: String,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What a product can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProductCommand {
    /// A sync saw this.
    Observe(Box<Observation>),
}

/// A level that cannot be taken; the article keeps what was known there, and the rest of the answer counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductRefusal {
    /// A count that cannot be.
    #[error("warehouse `{warehouse}` was told with a negative count")]
    NegativeCount {
        /// Which.
        warehouse: String,
        /// By whom.
        source_name: String,
    },
    /// One source told one warehouse twice.
    #[error("warehouse `{warehouse}` was told twice")]
    ToldTwice {
        /// Which.
        warehouse: String,
        /// By whom.
        source_name: String,
    },
}

impl ProductRefusal {
    /// The source that told it.
    #[must_use]
    pub fn source_name(&self) -> &str {
        match self {
            Self::NegativeCount { source_name, .. } | Self::ToldTwice { source_name, .. } => source_name,
        }
    }

    fn warehouse(&self) -> &str {
        match self {
            Self::NegativeCount { warehouse, .. } | Self::ToldTwice { warehouse, .. } => warehouse,
        }
    }
}

impl Product {
    /// Units that can be sold, over all warehouses.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.levels.values().map(|known| known.level.available).sum()
    }

    fn card_events(&self, seen: &Observation) -> Vec<ProductEvent> {
        let sync_id = seen.sync_id;
        let shown = seen.card.shown(self.details.as_ref());
        let Some(known) = &self.details else {
            if let Some(details) = shown {
                return vec![listed(seen, with_price(&details, seen, None))];
            }
            return match &seen.card {
                // Stock or orders of an article that no catalogue has shown (in the trash, or the catalogue
                // failed): its numbers count, its details follow when they are told.
                Card::Missing | Card::Unknown if seen.tells_numbers() => {
                    let mut happened = vec![listed(seen, with_price(&Details::default(), seen, None))];
                    if seen.card == Card::Missing {
                        happened.push(ProductDelisted { sync_id }.into());
                    }
                    happened
                }
                _ => vec![],
            };
        };
        let mut happened = Vec::new();
        if shown.is_some() && self.delisted {
            happened.push(ProductRelisted { sync_id }.into());
        }
        if seen.card == Card::Missing && !self.delisted {
            happened.push(ProductDelisted { sync_id }.into());
        }
        let told = shown.as_deref().unwrap_or(known);
        let details = with_price(told, seen, known.price.as_ref());
        if details != *known {
            happened.push(ProductDetailsChanged { details, sync_id }.into());
        }
        happened
    }

    fn forget_orders_before(&mut self, as_of: DateTime<Utc>) {
        let oldest = (as_of - Duration::days(ORDER_MEMORY_DAYS)).timestamp();
        self.orders
            .retain(|_, Seen(ordered_at, ..)| *ordered_at >= oldest);
    }
}

impl Observation {
    /// The levels that cannot be taken; everything else of the observation can.
    #[must_use]
    pub fn refusals(&self) -> Vec<ProductRefusal> {
        self.stock.iter().flat_map(StockSeen::refusals).collect()
    }

    /// Only what the catalogue says: no stock, no orders, and no price of a source of its own.
    #[must_use]
    pub fn without_numbers(self) -> Self {
        Self {
            price: None,
            stock: vec![],
            orders: vec![],
            ..self
        }
    }

    /// Whether the catalogue shows the article.
    #[must_use]
    pub const fn is_in_catalogue(&self) -> bool {
        matches!(self.card, Card::Seen(_) | Card::SeenInPart { .. })
    }

    /// Whether an article of which nothing is known would be listed.
    #[must_use]
    pub fn lists(&self) -> bool {
        self.is_in_catalogue() || self.tells_numbers()
    }

    fn tells_numbers(&self) -> bool {
        !self.orders.is_empty()
            || self
                .stock
                .iter()
                .any(|stock| stock.levels.iter().any(|level| !is_empty(level)))
    }
}

fn listed(seen: &Observation, details: Details) -> ProductEvent {
    ProductListed {
        cabinet_id: seen.cabinet_id,
        marketplace: seen.marketplace,
        nm_id: seen.nm_id,
        details,
        sync_id: seen.sync_id,
    }
    .into()
}

/// The details with the price told now, else the one the card carries, else the last known one.
fn with_price(details: &Details, seen: &Observation, known: Option<&Price>) -> Details {
    let told = seen.price.as_ref().or(details.price.as_ref()).or(known);
    Details {
        price: told.cloned(),
        ..details.clone()
    }
}

/// Who ships from a warehouse: its key says so.
#[must_use]
pub fn fulfilment_of(key: &str) -> Fulfilment {
    if key.starts_with("fbs:") {
        Fulfilment::Fbs
    } else {
        Fulfilment::Fbo
    }
}

/// FNV-1a, 64 bits: stable over versions and machines, which a kept state needs and the standard library's
/// hasher does not promise.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Decider for Product {
    const STREAM: StreamType = StreamType::Product;
    const FOLD_VERSION: i32 = 3;
    type Command = ProductCommand;
    type Happened = ProductEvent;
    type Refusal = Infallible;

    fn decide(&self, command: ProductCommand) -> Result<Vec<ProductEvent>, Infallible> {
        let ProductCommand::Observe(seen) = command;
        let mut happened = self.card_events(&seen);
        if self.details.is_none() && happened.is_empty() {
            return Ok(happened); // nothing is known of it and nothing was told
        }
        for stock in &seen.stock {
            happened.extend(self.stock_event(&seen, stock));
        }
        happened.extend(self.orders_event(&seen));
        Ok(happened)
    }

    fn evolve(&mut self, event: &ProductEvent) {
        match event {
            ProductEvent::ProductListed(listed) => self.details = Some(listed.details.clone()),
            ProductEvent::ProductDetailsChanged(changed) => self.details = Some(changed.details.clone()),
            ProductEvent::ProductDelisted(_) => self.delisted = true,
            ProductEvent::ProductRelisted(_) => self.delisted = false,
            ProductEvent::StockObserved(observed) => {
                for key in &observed.regrouped {
                    self.levels.remove(key);
                }
                for level in &observed.levels {
                    self.levels.insert(level.warehouse.clone(), Known::of(level));
                }
                if let Some(in_way) = observed.unassigned_in_way {
                    self.unassigned_in_way = in_way;
                }
                if let Some(turnover) = &observed.turnover {
                    self.turnover.clone_from(turnover);
                }
            }
            ProductEvent::OrdersObserved(observed) => {
                for order in &observed.orders {
                    self.orders.insert(hash(&order.order_id), Seen::of(order));
                }
                self.forget_orders_before(observed.as_of);
            }
        }
    }
}

aggregate!(Product, "product");

#[cfg(test)]
mod tests;
