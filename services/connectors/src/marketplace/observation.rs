//! Cards, orders and the result of a credential check. Nothing here can hold a buyer's data: the wire shapes
//! drop it before it gets this far.

use chrono::{DateTime, Utc};

use super::stock::{Fulfilment, WarehouseRef};
use crate::error::CallFailure;

/// A product card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The marketplace's article.
    pub nm_id: i64,
    /// The seller's article.
    pub vendor_code: String,
    /// Brand, empty when the card has none.
    pub brand: String,
    /// Kind of thing, such as `Платья`.
    pub subject: String,
    /// Title, empty when the card has none.
    pub title: String,
    /// Barcodes of all sizes, in the card's order.
    pub barcodes: Vec<String>,
    /// Sizes.
    pub sizes: Vec<CardSize>,
    /// Last change of the card at the marketplace.
    pub updated_at: Option<DateTime<Utc>>,
    /// Parts that were not reported this time. Their fields above are empty, and what was known of them
    /// before still holds.
    pub unreported: Vec<CardPart>,
}

/// A part of a card that can be missing from an answer while the rest of it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardPart {
    /// [`Card::vendor_code`].
    VendorCode,
    /// [`Card::brand`].
    Brand,
    /// [`Card::subject`].
    Subject,
    /// [`Card::title`].
    Title,
}

/// A size of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSize {
    /// The marketplace's id of the size.
    pub chrt_id: u64,
    /// The seller's name of the size.
    pub tech_size: String,
    /// Barcodes of the size.
    pub skus: Vec<String>,
}

/// What the seller asks for a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceObservation {
    /// The marketplace's article.
    pub nm_id: i64,
    /// Before any discount, in minor units; of the sizes the highest.
    pub price_minor: i64,
    /// After the seller's discount, in minor units, where the source tells it.
    pub discounted_minor: Option<i64>,
    /// ISO 4217 code.
    pub currency: String,
}

/// A price that was told and cannot be taken: it makes no sense, or its currency is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PriceLost;

impl PriceLost {
    /// For the outcome of the source: the product keeps the price it had.
    pub(crate) const SAID: &'static str = "a price that makes no sense or has no currency is left out";
}

/// One ordered unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderObservation {
    /// The marketplace's id of the unit: the same order never counts twice.
    pub srid: String,
    /// The marketplace's article.
    pub nm_id: i64,
    /// When it was ordered.
    pub ordered_at: DateTime<Utc>,
    /// When its status last changed.
    pub changed_at: DateTime<Utc>,
    /// Warehouse as the order report names it; the names differ from the stock report's, so join by
    /// [`OrderObservation::warehouse`].
    pub warehouse_name: Option<String>,
    /// The warehouse's id, where the source gives one: the surer way to the stock report's warehouse.
    pub warehouse_id: Option<i64>,
    /// True when the seller ships it.
    pub is_fbs: bool,
    /// Units: always 1 at Wildberries.
    pub quantity: u32,
    /// True when it does not count as an order any more.
    pub cancelled: bool,
    /// Where it stands.
    pub status: OrderStatus,
    /// The seller's price after the seller's discount, in minor units.
    pub price_minor: Option<i64>,
    /// ISO 4217 code of the price; the older report names none.
    pub currency: Option<String>,
    /// The marketplace's id of the ordered size, where the source gives one.
    pub size_id: Option<i64>,
    /// Region of the warehouses it ships from, where the source names it.
    pub cluster: Option<String>,
}

impl OrderObservation {
    /// The warehouse by its id, else by the name in the order; see [`WarehouseRef::named`].
    #[must_use]
    pub fn warehouse(&self) -> Option<WarehouseRef> {
        let fulfilment = if self.is_fbs {
            Fulfilment::Fbs
        } else {
            Fulfilment::Fbo
        };
        match (self.warehouse_id, self.warehouse_name.as_deref()) {
            (Some(id), name) => {
                let name = name.map_or_else(|| id.to_string(), str::to_owned);
                Some(WarehouseRef::with_id(id, name, fulfilment, None))
            }
            (None, name) => Some(WarehouseRef::named(name?, fulfilment)),
        }
    }
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderStatus {
    /// Ordered and neither bought, cancelled nor returned.
    Created,
    /// The buyer kept it.
    Buyout,
    /// Cancelled before it was bought.
    Cancelled,
    /// Returned by the buyer.
    Returned,
    /// Returned by the buyer as defective.
    ReturnedDefective,
    /// A status that did not exist when this was written.
    Other(String),
}

impl OrderStatus {
    /// Stable word for events.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Buyout => "buyout",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
            Self::ReturnedDefective => "returned_defective",
            Self::Other(word) => word,
        }
    }
}

/// What a credential opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountCheck {
    /// The marketplace's id of the seller; two credentials with the same id open the same cabinet.
    pub seller_id: String,
    /// The seller's name at the marketplace.
    pub name: String,
    /// When the credential ends, if it says so or the marketplace does.
    pub expires_at: Option<DateTime<Utc>>,
    /// True when it can only read; none where the marketplace does not tell.
    pub read_only: Option<bool>,
    /// One entry per category that a sync asks, whatever became of the others.
    pub categories: Vec<CategoryCheck>,
}

impl AccountCheck {
    /// True when every category that a sync asks is open.
    #[must_use]
    pub fn is_sufficient(&self) -> bool {
        self.categories
            .iter()
            .all(|category| category.status == CategoryStatus::Open)
    }
}

/// Whether one category of methods is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryCheck {
    /// Name of the category, such as `content`.
    pub category: &'static str,
    /// Whether products, stock or orders cannot be read without it.
    pub needed: bool,
    /// How it answered.
    pub status: CategoryStatus,
}

/// How a category of methods answered to a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CategoryStatus {
    /// The credential opens it.
    Open,
    /// The credential was made without it; nobody was asked.
    NotInCredential,
    /// The credential is not taken there.
    Unauthorized,
    /// The credential is known and may not.
    Forbidden,
    /// The vendor asks for payment first.
    PaymentRequired,
    /// The vendor did not answer, or said something else.
    NoAnswer,
}

impl CategoryStatus {
    /// What a failed trial says of the credential.
    pub(crate) fn of(failure: &CallFailure) -> Self {
        match failure {
            CallFailure::Unauthorized { .. } => Self::Unauthorized,
            CallFailure::Forbidden { .. } => Self::Forbidden,
            CallFailure::PaymentRequired { .. } => Self::PaymentRequired,
            _ => Self::NoAnswer,
        }
    }
}
