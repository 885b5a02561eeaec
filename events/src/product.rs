//! What was observed of one article: its details, its stock per warehouse, its orders. Numbers are absolute
//! and only what differs from what was known is recorded, so a repeated observation writes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::cabinet::Marketplace;
use crate::ids::{CabinetId, SyncId};

/// What an article is, in the seller's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Details {
    /// The seller's own article.
    pub vendor_code: String,
    /// Brand; empty when the marketplace has none.
    pub brand: String,
    /// Category (`Предмет`).
    pub subject: String,
    /// Title of the card.
    pub title: String,
    /// Barcodes of all sizes, sorted.
    pub barcodes: Vec<String>,
    /// Its sizes, in the order of their ids; empty when the source has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<ProductSize>,
    /// What it is sold for; none when no source has told it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// A size of an article, which has stock and barcodes of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductSize {
    /// The marketplace's id of the size (`chrtId`).
    pub size_id: i64,
    /// The seller's name of the size.
    pub name: String,
    /// Barcodes of the size, sorted.
    pub barcodes: Vec<String>,
}

/// What the seller asks for an article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Price {
    /// Before any discount, in minor units; the highest of the sizes.
    pub price_minor: i64,
    /// After the seller's discount, in minor units, when told.
    pub discounted_minor: Option<i64>,
    /// ISO 4217 code.
    pub currency: String,
}

/// The article was seen for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductListed {
    /// Whose article.
    pub cabinet_id: CabinetId,
    /// Where.
    pub marketplace: Marketplace,
    /// The marketplace's article number.
    pub nm_id: i64,
    /// What it is.
    pub details: Details,
    /// Sync that saw it.
    pub sync_id: SyncId,
}

/// The card changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductDetailsChanged {
    /// All details, as they are now.
    pub details: Details,
    /// Sync that saw it.
    pub sync_id: SyncId,
}

/// A complete catalogue did not contain the article any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductDelisted {
    /// Sync that missed it.
    pub sync_id: SyncId,
}

/// The article is in the catalogue again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductRelisted {
    /// Sync that saw it.
    pub sync_id: SyncId,
}

/// Who stores and ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Fulfilment {
    /// The marketplace's warehouse.
    Fbo,
    /// The seller's warehouse.
    Fbs,
}

impl Fulfilment {
    /// The name used in JSON and SQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fbo => "fbo",
            Self::Fbs => "fbs",
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
const fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// Units of the product at one warehouse, absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockLevel {
    /// Key of the warehouse inside the marketplace: `fbo:507`, `fbs:1`, `fbo:name:Коледино`, `fbo:masked`.
    pub warehouse: String,
    /// The name the marketplace gave it with this observation.
    pub name: String,
    /// Who ships from it.
    pub fulfilment: Fulfilment,
    /// Units that can be sold.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub available: i64,
    /// Units on the way to buyers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_way_to_client: i64,
    /// Units on the way back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_way_from_client: i64,
    /// Units of further kinds (`reserved`, `in_check`, `supply_transit`, …) that are none of the above; a
    /// kind without units is not listed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub buckets: BTreeMap<String, i64>,
    /// Name of the marketplace's region of warehouses, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The units for sale by size, in the order of their ids: only where the source tells sizes and the
    /// article has more than one. A size without units here is not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<SizeUnits>,
}

/// Units of one size at one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SizeUnits {
    /// The marketplace's id of the size.
    pub size_id: i64,
    /// Its name; empty when not known.
    pub name: String,
    /// Units that can be sold.
    pub available: i64,
}

/// Turnover as the marketplace itself counts it. It is kept beside our own figures and never in their place.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MarketplaceTurnover {
    /// Region of warehouses; none for all of them together.
    pub cluster: Option<String>,
    /// Average sales per day, in thousandths of a unit.
    pub daily_sales_milli: Option<u32>,
    /// Days that the stock lasts at that rate, in thousandths of a day.
    pub days_of_stock_milli: Option<u32>,
    /// Days since the last sale.
    pub days_without_sales: Option<u32>,
    /// The marketplace's grade: `deficit`, `popular`, `actual`, `surplus`, `no_sales`, …
    pub grade: Option<String>,
}

/// Units on the way that the source does not assign to a warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InWay {
    /// Units on the way to buyers.
    pub to_client: i64,
    /// Units on the way back.
    pub from_client: i64,
}

/// Stock was observed and differs from what was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockObserved {
    /// Sync that saw it.
    pub sync_id: SyncId,
    /// Source that told it: `stock_fbo` or `stock_fbs`.
    pub source: String,
    /// The marketplace's time when it tells it, else the time of the fetch.
    pub as_of: DateTime<Utc>,
    /// Changed levels only, absolute values.
    pub levels: Vec<StockLevel>,
    /// Warehouses whose identity was masked or unmasked by the marketplace: their levels are closed because
    /// their units are now told under other names. No stock moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regrouped: Vec<String>,
    /// Product-level units on the way, when they changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unassigned_in_way: Option<InWay>,
    /// The marketplace's own figures, all of them as they are now, when any of them changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turnover: Option<Vec<MarketplaceTurnover>>,
}

/// One order (one unit) as the marketplace tells it now. No buyer's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderLine {
    /// The marketplace's id of the unit (`srid`).
    pub order_id: String,
    /// When it was ordered.
    pub ordered_at: DateTime<Utc>,
    /// When the marketplace last changed it.
    pub changed_at: DateTime<Utc>,
    /// Key of the warehouse it ships from; `fbo:name:…` or `fbs:name:…` when only a name is told.
    pub warehouse: String,
    /// Name of that warehouse.
    pub warehouse_name: String,
    /// Who ships.
    pub fulfilment: Fulfilment,
    /// Units.
    pub quantity: i64,
    /// `created`, `buyout`, `cancelled`, `returned`, `returned_defective`, or the marketplace's own word.
    pub status: String,
    /// Whether it no longer counts.
    pub cancelled: bool,
    /// Price in minor units, when told.
    pub price_minor: Option<i64>,
    /// ISO 4217 code of the price.
    pub currency: Option<String>,
    /// The marketplace's id of the size, when told.
    pub size_id: Option<i64>,
    /// Region of the warehouses it ships from, when told.
    pub cluster: Option<String>,
}

/// Orders were observed that are new or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrdersObserved {
    /// Sync that saw them.
    pub sync_id: SyncId,
    /// Source that told them.
    pub source: String,
    /// Time of the fetch.
    pub as_of: DateTime<Utc>,
    /// New or changed orders.
    pub orders: Vec<OrderLine>,
}
