//! What is really in the cabinet, for a test to compare with what a client made of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::world::World;
use crate::text::utc_text;

/// Milliseconds of the last seven days, the period of Stock Tracker's order counts.
const WEEK: i64 = 7 * 86_400_000;

/// The whole cabinet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Truth {
    /// The seller.
    pub sid: Uuid,
    /// The simulator's time, RFC 3339 UTC.
    pub now: String,
    /// Start of the period that `orders` counts, RFC 3339 UTC; seven days before `now` unless asked
    /// otherwise.
    pub orders_since: String,
    /// All cards ever made, also removed ones.
    pub products: Vec<ProductTruth>,
}

/// One card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductTruth {
    /// Article.
    pub nm_id: u64,
    /// Seller's article.
    pub vendor_code: String,
    /// Whether the card is in the list of cards.
    pub listed: bool,
    /// Units per Wildberries warehouse by its true name; zeros are left out.
    pub stock: BTreeMap<String, u64>,
    /// Units per warehouse of the seller; zeros are left out.
    pub fbs: BTreeMap<String, u64>,
    /// Units on their way to buyers.
    pub in_way_to_client: u64,
    /// Units on their way back.
    pub in_way_from_client: u64,
    /// Orders that were not cancelled, per warehouse by its true name.
    pub orders: BTreeMap<String, u64>,
    /// Orders of the same period that were cancelled.
    pub cancelled: u64,
}

impl World {
    /// The truth with orders counted from `since` (milliseconds) or for the last seven days.
    pub(crate) fn truth(&self, now: i64, since: Option<i64>) -> Truth {
        let since = since.unwrap_or(now - WEEK);
        let mut products: Vec<ProductTruth> = self.cards.iter().map(|card| self.product(card)).collect();
        for order in self.orders.iter().filter(|order| order.date >= since) {
            let site = if order.from_fbs {
                self.fbs.get(order.site)
            } else {
                self.sites.get(order.site)
            };
            let product = self
                .sizes
                .get(order.size)
                .and_then(|size| products.get_mut(size.card));
            let (Some(site), Some(product)) = (site, product) else {
                continue;
            };
            if order.is_cancelled() {
                product.cancelled += 1;
            } else {
                *product.orders.entry(site.name.clone()).or_default() += 1;
            }
        }
        Truth {
            sid: self.sid,
            now: utc_text(now),
            orders_since: utc_text(since),
            products,
        }
    }

    fn product(&self, card: &super::world::Card) -> ProductTruth {
        let sizes = card.first_size..card.first_size + self.config.sizes_per_article.max(1);
        let mut product = ProductTruth {
            nm_id: card.nm_id,
            vendor_code: card.vendor_code.clone(),
            listed: card.listed,
            stock: BTreeMap::new(),
            fbs: BTreeMap::new(),
            in_way_to_client: 0,
            in_way_from_client: 0,
            orders: BTreeMap::new(),
            cancelled: 0,
        };
        for (at, site) in self.sites.iter().enumerate() {
            let sum = |counters: &[u32]| -> u64 {
                sizes
                    .clone()
                    .filter_map(|size| counters.get(self.cell(size, at)))
                    .map(|&n| u64::from(n))
                    .sum()
            };
            let units = sum(&self.stock);
            if units > 0 {
                product.stock.insert(site.name.clone(), units);
            }
            product.in_way_to_client += sum(&self.to_client);
            product.in_way_from_client += sum(&self.from_client);
        }
        for (at, site) in self.fbs.iter().enumerate() {
            let own = self.fbs.len();
            let units: u64 = sizes
                .clone()
                .filter_map(|size| self.fbs_stock.get(size * own + at).copied().flatten())
                .map(u64::from)
                .sum();
            if units > 0 {
                product.fbs.insert(site.name.clone(), units);
            }
        }
        product
    }
}
