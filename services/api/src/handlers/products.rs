//! Products, their stock and orders.

pub mod history;
pub mod list;
pub mod show;
pub mod sync_all;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use read_models::inventory::queries::{OrderCounts, ProductSummary};
use read_models::measure::turnover;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A product in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductView {
    /// Its id.
    pub id: Uuid,
    /// Its cabinet.
    pub cabinet_id: Uuid,
    /// `wildberries` or `ozon`.
    pub marketplace: String,
    /// The marketplace's article number.
    pub marketplace_article: i64,
    /// The seller's article.
    pub seller_article: String,
    /// Title of the card.
    pub product_name: String,
    /// Brand; may be empty.
    pub brand: String,
    /// Category.
    pub subject: String,
    /// Whether it left the catalogue.
    pub delisted: bool,
    /// Units that can be sold, over all warehouses.
    pub total_stock: i64,
    /// Units that can be sold at the warehouse asked for.
    pub warehouse_stock: Option<i64>,
    /// Units ordered in the last 7 days.
    pub total_orders: i64,
    /// Units ordered in the last 7, 14 and 28 days.
    pub orders: OrdersView,
    /// Days the stock lasts: units × 7 ÷ orders of 7 days, one decimal; none where either is zero.
    pub turnover_days: Option<f64>,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// How old each source's last recorded change is, by the marketplace's time.
    pub as_of: BTreeMap<String, DateTime<Utc>>,
    /// When it was first seen.
    pub created_at: DateTime<Utc>,
    /// When a change was last recorded.
    pub updated_at: DateTime<Utc>,
    /// Position of that change.
    pub position: i64,
}

/// Units ordered and not cancelled, in Moscow days up to today.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrdersView {
    /// In 7 days.
    pub last_7: i64,
    /// In 14 days.
    pub last_14: i64,
    /// In 28 days.
    pub last_28: i64,
}

impl From<OrderCounts> for OrdersView {
    fn from(counts: OrderCounts) -> Self {
        Self {
            last_7: counts.last_7,
            last_14: counts.last_14,
            last_28: counts.last_28,
        }
    }
}

impl From<ProductSummary> for ProductView {
    fn from(product: ProductSummary) -> Self {
        Self {
            id: product.product_id,
            cabinet_id: product.cabinet_id,
            marketplace: product.marketplace,
            marketplace_article: product.nm_id,
            seller_article: product.vendor_code,
            product_name: product.title,
            brand: product.brand,
            subject: product.subject,
            delisted: product.delisted,
            total_stock: product.available,
            warehouse_stock: product.available_at_warehouse,
            total_orders: product.orders.last_7,
            orders: product.orders.into(),
            turnover_days: days(product.available, product.orders.last_7),
            in_way_to_client: product.in_way_to_client,
            in_way_from_client: product.in_way_from_client,
            as_of: product.as_of,
            created_at: product.listed_at,
            updated_at: product.updated_at,
            position: product.position,
        }
    }
}

/// Turnover with its one decimal, as a JSON number.
#[expect(clippy::cast_precision_loss, reason = "tenths of days stay far below 2^53")]
fn days(available: i64, orders: i64) -> Option<f64> {
    turnover(available, orders).map(|days| days.0 as f64 / 10.0)
}
