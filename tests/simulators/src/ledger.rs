//! The whole truth about one cabinet in the same form for every marketplace: what lies where, what was
//! ordered from where and what became of it. Row by row, so that whoever compares can count as they like.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A cabinet at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The simulator's time.
    pub now: DateTime<Utc>,
    /// What happened in this life, and how often.
    pub happened: BTreeMap<String, u64>,
    /// Every warehouse that there ever was.
    pub warehouses: Vec<LedgerWarehouse>,
    /// Every article that there ever was.
    pub products: Vec<LedgerProduct>,
    /// Cells that hold something, by article, size and warehouse.
    pub levels: Vec<LedgerLevel>,
    /// Orders since the asked time, one for each article of an order.
    pub orders: Vec<LedgerOrder>,
}

/// A warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerWarehouse {
    /// The marketplace's id.
    pub id: i64,
    /// Its present name.
    pub name: String,
    /// Whether it is the seller's.
    pub own: bool,
    /// Whether it works.
    pub open: bool,
    /// Whether reports of stock hide which warehouse it is at present.
    pub hidden_in_stock: bool,
    /// Whether reports of orders do.
    pub hidden_in_orders: bool,
    /// Name of its cluster, or of its region where there are none; empty where reports tell neither.
    pub cluster: String,
}

/// An article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerProduct {
    /// The marketplace's article.
    pub article: i64,
    /// The seller's.
    pub vendor_code: String,
    /// Brand, or empty.
    pub brand: String,
    /// Category, or empty.
    pub subject: String,
    /// Title.
    pub title: String,
    /// Barcodes of all sizes, sorted.
    pub barcodes: Vec<String>,
    /// Whether the catalogue shows it.
    pub listed: bool,
    /// Price before the seller's discount, in kopecks.
    pub price_minor: i64,
    /// Price after it.
    pub discounted_minor: i64,
    /// Sizes by id; none where the marketplace has no sizes of one article.
    pub sizes: Vec<LedgerSize>,
}

/// A size of an article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSize {
    /// The marketplace's id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its barcodes, sorted.
    pub barcodes: Vec<String>,
}

/// Units of one size of one article at one warehouse.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerLevel {
    /// The article.
    pub article: i64,
    /// The marketplace's id of the size.
    pub size: u64,
    /// The warehouse.
    pub warehouse: i64,
    /// Units for sale.
    pub available: i64,
    /// Units on the way to buyers.
    pub to_client: i64,
    /// Units on the way back.
    pub from_client: i64,
    /// Units of other kinds, by Stock Tracker's names, zeros left out.
    pub buckets: BTreeMap<String, i64>,
}

/// One article of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerOrder {
    /// Id that never changes.
    pub id: String,
    /// The article.
    pub article: i64,
    /// The warehouse.
    pub warehouse: i64,
    /// When it was ordered.
    pub ordered_at: DateTime<Utc>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
    /// Units.
    pub quantity: i64,
    /// What became of it, in Stock Tracker's word.
    pub status: String,
    /// The marketplace's id of the size; none where an article has no sizes.
    pub size: Option<u64>,
    /// What the seller asked then after the discount, in kopecks.
    pub price_minor: i64,
}

/// Units for sale, on the way to buyers and on the way back.
pub type Units = [i64; 3];

/// What holds something, in its parts: units for sale by size, units of other kinds, and the warehouse's
/// cluster. Zeros are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Units for sale by the marketplace's id of the size.
    pub sizes: BTreeMap<u64, i64>,
    /// Units of other kinds, by Stock Tracker's names.
    pub buckets: BTreeMap<String, i64>,
    /// Name of the cluster; empty where it is hidden or there is none.
    pub cluster: String,
}

impl Ledger {
    /// Stock Tracker's key of a warehouse: its scheme and id, or the one that stands for all hidden ones.
    /// Reports of stock and of orders hide different warehouses.
    #[must_use]
    pub fn key(&self, warehouse: i64, in_orders: bool) -> String {
        let known = self.warehouses.iter().find(|known| known.id == warehouse);
        match known {
            Some(known) if in_orders && known.hidden_in_orders => "fbo:masked".to_owned(),
            Some(known) if !in_orders && known.hidden_in_stock => "fbo:masked".to_owned(),
            Some(known) if known.own => format!("fbs:{warehouse}"),
            _ => format!("fbo:{warehouse}"),
        }
    }

    /// Units by article and key, over all sizes; what holds nothing is left out.
    #[must_use]
    pub fn stock(&self) -> BTreeMap<i64, BTreeMap<String, Units>> {
        let mut stock: BTreeMap<i64, BTreeMap<String, Units>> = BTreeMap::new();
        for level in &self.levels {
            let units = [level.available, level.to_client, level.from_client];
            if units == [0; 3] {
                continue;
            }
            let key = self.key(level.warehouse, false);
            let cell = stock.entry(level.article).or_default().entry(key).or_default();
            for (sum, units) in cell.iter_mut().zip(units) {
                *sum += units;
            }
        }
        stock
    }

    /// The parts of everything that holds something, by article and key of stock.
    #[must_use]
    pub fn parts(&self) -> BTreeMap<i64, BTreeMap<String, Parts>> {
        let mut parts: BTreeMap<i64, BTreeMap<String, Parts>> = BTreeMap::new();
        for level in &self.levels {
            let of_article = parts.entry(level.article).or_default();
            let cell = of_article.entry(self.key(level.warehouse, false)).or_default();
            let place = self.warehouses.iter().find(|known| known.id == level.warehouse);
            if let Some(place) = place.filter(|place| !place.hidden_in_stock) {
                cell.cluster.clone_from(&place.cluster);
            }
            if level.available > 0 {
                *cell.sizes.entry(level.size).or_default() += level.available;
            }
            for (kind, units) in &level.buckets {
                *cell.buckets.entry(kind.clone()).or_default() += units;
            }
        }
        parts
    }

    /// Articles that the catalogue shows.
    pub fn listed(&self) -> impl Iterator<Item = &LedgerProduct> {
        self.products.iter().filter(|product| product.listed)
    }
}
