//! The rows a batch touches, in memory. Keys are ordered, so that two runs write in the same order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use events::product::{MarketplaceTurnover, Price, ProductSize, SizeUnits};
use uuid::Uuid;

use super::in_stock::Tallies;
use crate::held::Held;

/// Tenant and product.
pub(super) type ProductKey = (Uuid, Uuid);
/// Tenant, product, warehouse.
pub(super) type LevelKey = (Uuid, Uuid, String);
/// Tenant, cabinet, and a name inside the cabinet (warehouse, order, source).
pub(super) type CabinetKey = (Uuid, Uuid, String);

/// Tenant, product, Moscow day.
pub(super) type Day = (Uuid, Uuid, NaiveDate);

/// Everything a batch touches.
#[derive(Default)]
pub struct Rows {
    pub(super) products: BTreeMap<ProductKey, Product>,
    pub(super) levels: BTreeMap<LevelKey, Slot>,
    pub(super) warehouses: BTreeMap<CabinetKey, Warehouse>,
    pub(super) orders: BTreeMap<CabinetKey, Order>,
    pub(super) days: BTreeSet<Day>,
    pub(super) freshness: BTreeMap<CabinetKey, Fresh>,
    pub(super) history: Vec<Change>,
    pub(super) spells: Vec<Spell>,
    pub(super) absences: Vec<Absence>,
    pub(super) exclusions: Vec<Exclusion>,
}

impl Rows {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.products.len()
            + self.levels.len()
            + self.warehouses.len()
            + self.orders.len()
            + self.days.len()
            + self.freshness.len()
            + self.history.len()
            + self.spells.len()
            + self.absences.len()
            + self.exclusions.len()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) cabinet_id: Uuid,
    pub(super) marketplace: String,
    pub(super) nm_id: i64,
    pub(super) vendor_code: String,
    pub(super) brand: String,
    pub(super) subject: String,
    pub(super) title: String,
    pub(super) barcodes: Vec<String>,
    pub(super) sizes: Vec<ProductSize>,
    pub(super) price: Option<Price>,
    pub(super) figures: Vec<MarketplaceTurnover>,
    pub(super) delisted: bool,
    pub(super) available: i64,
    pub(super) in_way: Pair,
    pub(super) unassigned: Pair,
    pub(super) as_of: BTreeMap<String, DateTime<Utc>>,
    pub(super) stock_sources: Tallies,
    pub(super) observed_since: Option<DateTime<Utc>>,
    pub(super) listed_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) first_position: i64,
    pub(super) position: i64,
    pub(super) changed: bool,
}

/// Units on the way: to buyers, and back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) to: i64,
    pub(super) from: i64,
}

/// A level as it was found, or as it became.
#[derive(Debug, Clone)]
pub(super) enum Slot {
    Found(Level),
    Written(Level),
    Removed,
}

impl Slot {
    pub(super) const fn level(&self) -> Option<&Level> {
        match self {
            Self::Found(level) | Self::Written(level) => Some(level),
            Self::Removed => None,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Level {
    pub(super) cabinet_id: Uuid,
    pub(super) available: i64,
    pub(super) in_way: Pair,
    pub(super) buckets: BTreeMap<String, i64>,
    pub(super) cluster: Option<String>,
    pub(super) sizes: Vec<SizeUnits>,
    pub(super) source: String,
    pub(super) as_of: DateTime<Utc>,
    pub(super) sync_id: Uuid,
    pub(super) changed_at: DateTime<Utc>,
    pub(super) position: i64,
}

/// Sightings of a warehouse, merged. The same merge is done in SQL with what is stored.
#[derive(Debug, Clone)]
pub(super) struct Warehouse {
    pub(super) name: String,
    /// All names under which stock was told.
    pub(super) names: BTreeSet<String>,
    pub(super) fulfilment: &'static str,
    pub(super) masked: bool,
    pub(super) in_stock: bool,
    pub(super) in_orders: bool,
    pub(super) first: (i64, i32),
    pub(super) named: (i64, i32),
}

impl Warehouse {
    pub(super) fn merge(&mut self, other: Self) {
        if (other.in_stock, other.named) > (self.in_stock, self.named) {
            self.name = other.name;
            self.named = other.named;
            self.fulfilment = other.fulfilment;
        }
        self.names.extend(other.names);
        self.first = self.first.min(other.first);
        self.in_stock |= other.in_stock;
        self.in_orders |= other.in_orders;
    }
}

#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) product_id: Uuid,
    pub(super) day: NaiveDate,
    pub(super) ordered_at: DateTime<Utc>,
    pub(super) changed_at: DateTime<Utc>,
    pub(super) warehouse: String,
    pub(super) warehouse_name: String,
    pub(super) fulfilment: &'static str,
    pub(super) quantity: i64,
    pub(super) status: String,
    pub(super) cancelled: bool,
    pub(super) price_minor: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) size_id: Option<i64>,
    pub(super) cluster: Option<String>,
    pub(super) as_of: DateTime<Utc>,
    pub(super) sync_id: Uuid,
    pub(super) position: i64,
}

/// How a source is doing.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    pub(super) as_of: Option<DateTime<Utc>>,
    pub(super) complete_at: Option<DateTime<Utc>>,
    pub(super) complete_by: Option<Uuid>,
    pub(super) covers_since: Option<DateTime<Utc>>,
    pub(super) outcome: String,
    pub(super) outcome_at: DateTime<Utc>,
    pub(super) error: Option<String>,
    pub(super) sync_id: Uuid,
    pub(super) held: Held,
    pub(super) position: i64,
    /// Whether it differs from what is stored.
    pub(super) changed: bool,
}

/// A time during which a source told units, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spell {
    pub(super) tenant_id: Uuid,
    pub(super) product_id: Uuid,
    pub(super) source: String,
    pub(super) began_at: DateTime<Utc>,
    pub(super) ended_at: DateTime<Utc>,
    pub(super) position: i64,
}

/// A cabinet was taken away, or is back. In the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Absence {
    pub(super) tenant_id: Uuid,
    pub(super) cabinet_id: Uuid,
    /// Whether it went; else it came back.
    pub(super) left: bool,
    pub(super) position: i64,
    pub(super) at: DateTime<Utc>,
}

/// A warehouse was left out of what can be sold, or counts again. In the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exclusion {
    pub(super) tenant_id: Uuid,
    pub(super) cabinet_id: Uuid,
    pub(super) warehouse: String,
    /// Why it is left out; none where it counts again.
    pub(super) reason: Option<String>,
    pub(super) by: String,
    pub(super) position: i64,
    pub(super) at: DateTime<Utc>,
}

/// One row of the history.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) tenant_id: Uuid,
    pub(super) product_id: Uuid,
    pub(super) position: i64,
    pub(super) index: i32,
    pub(super) cabinet_id: Uuid,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) as_of: Option<DateTime<Utc>>,
    pub(super) kind: &'static str,
    pub(super) source: Option<String>,
    pub(super) sync_id: Uuid,
    pub(super) warehouse: Option<String>,
    pub(super) warehouse_name: Option<String>,
    pub(super) available: (Option<i64>, Option<i64>),
    pub(super) to_client: (Option<i64>, Option<i64>),
    pub(super) from_client: (Option<i64>, Option<i64>),
    pub(super) orders: Option<i64>,
    pub(super) detail: Option<String>,
    pub(super) total_available: i64,
    pub(super) total: Pair,
    pub(super) delisted: bool,
}
