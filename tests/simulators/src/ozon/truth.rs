//! What is really in the cabinet, for a test to compare with what a client made of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::world::{Cell, Stage, World};
use crate::text::utc_text;

/// Units of one kind in a cell.
pub(super) type Kind = fn(&Cell) -> u32;

/// Units that are neither for sale nor on the road to or from buyers, by Stock Tracker's names.
pub(super) const KINDS: [(&str, Kind); 6] = [
    ("preparing", |cell| cell.preparing),
    ("requested", |cell| cell.requested),
    ("supply_transit", |cell| cell.transit),
    ("in_check", |cell| cell.checking),
    ("stock_defective", |cell| cell.defective),
    ("not_sold", |cell| cell.not_sold),
];
/// Milliseconds of the last seven days.
const WEEK: i64 = 7 * 86_400_000;

/// The whole cabinet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OzonTruth {
    /// The seller.
    pub client_id: u64,
    /// The simulator's time, RFC 3339 UTC.
    pub now: String,
    /// Start of the period that `orders` counts, RFC 3339 UTC.
    pub orders_since: String,
    /// All products ever made, also archived ones.
    pub products: Vec<OzonProductTruth>,
}

/// One product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OzonProductTruth {
    /// SKU; the first one of an old card.
    pub sku: u64,
    /// Seller's article.
    pub offer_id: String,
    /// Whether it is in the archive.
    pub archived: bool,
    /// Units for sale per warehouse of Ozon; zeros are left out.
    pub stock: BTreeMap<String, u64>,
    /// Free units per warehouse of the seller; zeros are left out.
    pub fbs: BTreeMap<String, u64>,
    /// Reserved units over all warehouses of the seller.
    pub fbs_reserved: u64,
    /// Units on their way to buyers.
    pub in_way_to_client: u64,
    /// Units on their way back.
    pub in_way_from_client: u64,
    /// Units of the other kinds by Stock Tracker's names, zeros left out.
    pub buckets: BTreeMap<String, u64>,
    /// Ordered units that were not cancelled, per warehouse.
    pub orders: BTreeMap<String, u64>,
    /// Ordered units of the same period that were cancelled.
    pub cancelled: u64,
}

impl World {
    /// The truth with orders counted from `since` (milliseconds) or for the last seven days.
    pub(crate) fn truth(&self, now: i64, since: Option<i64>) -> OzonTruth {
        let since = since.unwrap_or(now - WEEK);
        let mut products: Vec<OzonProductTruth> = (0..self.products.len())
            .filter_map(|index| self.product_truth(index))
            .collect();
        for posting in self.postings.iter().filter(|posting| posting.created >= since) {
            let sites = if posting.from_fbs { &self.fbs } else { &self.sites };
            let Some(site) = sites.get(posting.site) else {
                continue;
            };
            for line in &posting.lines {
                let Some(product) = products.get_mut(line.product) else {
                    continue;
                };
                if posting.stage == Stage::Cancelled {
                    product.cancelled += u64::from(line.quantity);
                } else {
                    *product.orders.entry(site.name.clone()).or_default() += u64::from(line.quantity);
                }
            }
        }
        OzonTruth {
            client_id: self.client_id,
            now: utc_text(now),
            orders_since: utc_text(since),
            products,
        }
    }

    fn product_truth(&self, index: usize) -> Option<OzonProductTruth> {
        let product = self.products.get(index)?;
        let (sites, own) = (self.sites.len(), self.fbs.len());
        let cells = self.cells.get(index * sites..(index + 1) * sites)?;
        let fbs = self.fbs_cells.get(index * own..(index + 1) * own)?;
        let sum = |of: fn(&Cell) -> u32| cells.iter().map(|cell| u64::from(of(cell))).sum::<u64>();
        let kinds = KINDS.map(|(name, of)| (name, sum(of)));
        let named = |(name, units): (&str, u64)| (units > 0).then(|| (name.to_owned(), units));
        Some(OzonProductTruth {
            sku: product.sku,
            offer_id: product.offer_id.clone(),
            archived: product.archived,
            stock: self
                .sites
                .iter()
                .zip(cells)
                .filter_map(|(site, cell)| named((&site.name, u64::from(cell.available))))
                .collect(),
            fbs: self
                .fbs
                .iter()
                .zip(fbs)
                .filter_map(|(site, cell)| {
                    let cell = (*cell)?;
                    named((&site.name, u64::from(cell.present - cell.reserved)))
                })
                .collect(),
            fbs_reserved: fbs.iter().flatten().map(|cell| u64::from(cell.reserved)).sum(),
            in_way_to_client: sum(|cell| cell.to_client),
            in_way_from_client: sum(|cell| cell.from_client),
            buckets: kinds.into_iter().filter_map(named).collect(),
            orders: BTreeMap::new(),
            cancelled: 0,
        })
    }
}
