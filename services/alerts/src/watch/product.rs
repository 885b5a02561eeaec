//! One product as the policy knows it: its stock by warehouse and source, its orders of the last days, and
//! how it stands with its alerts.

use std::collections::BTreeMap;

use application::domain::alert::Alert;
use chrono::NaiveDate;
use events::product::{Details, OrderLine};
use measures::{before_window, moscow_day};
use serde::{Deserialize, Serialize};

use super::warehouses::{Index, Views};

/// Days of the window in which orders are counted, the present one included.
const WINDOW_DAYS: u64 = 7;
/// Days for which orders are remembered: the window, and something for an event that comes late.
const KEPT_DAYS: u64 = 9;

/// Units at one warehouse.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Level {
    #[serde(rename = "w")]
    pub(super) warehouse: Index,
    #[serde(rename = "s")]
    pub(super) source: u8,
    #[serde(rename = "a")]
    pub(super) available: i64,
    /// Whether there were units at the last judgement, or since: only then the warehouse can run out.
    #[serde(rename = "h", default, skip_serializing_if = "is_false")]
    pub(super) had_units: bool,
    /// The level came with a change of names and has not changed since: that nothing is left, or little, is
    /// no news.
    #[serde(rename = "q", default, skip_serializing_if = "is_false")]
    pub(super) renamed: bool,
}

/// Units ordered and not cancelled.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order(NaiveDate, Index, i64);

/// What is known of one product.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Product {
    #[serde(rename = "n")]
    pub(super) nm_id: i64,
    #[serde(rename = "c")]
    pub(super) subject: String,
    /// What a unit is sold for, in minor units, and the currency.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<(i64, String)>,
    #[serde(rename = "d", default, skip_serializing_if = "is_false")]
    pub(super) delisted: bool,
    /// Whether units were ever seen: what never had stock cannot run out.
    #[serde(rename = "e", default, skip_serializing_if = "is_false")]
    pub(super) had_stock: bool,
    /// Something changed that was not judged yet.
    #[serde(rename = "u", default, skip_serializing_if = "is_false")]
    pub(super) unjudged: bool,
    /// An event of it could not be read or makes no sense: its numbers mean nothing any more.
    #[serde(rename = "b", default, skip_serializing_if = "is_false")]
    pub(super) broken: bool,
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) levels: Vec<Level>,
    #[serde(rename = "o", default, skip_serializing_if = "BTreeMap::is_empty")]
    orders: BTreeMap<String, Order>,
    /// Its alerts, as they follow from what was judged.
    #[serde(rename = "a", default, skip_serializing_if = "is_quiet")]
    pub(super) alert: Alert,
    /// Events in its alert stream.
    #[serde(rename = "v", default, skip_serializing_if = "is_zero")]
    pub(super) version: i64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
const fn is_zero(n: &i64) -> bool {
    *n == 0
}

fn is_quiet(alert: &Alert) -> bool {
    alert.places.is_empty()
}

impl Product {
    pub(super) fn new(nm_id: i64, details: &Details) -> Self {
        let mut product = Self {
            nm_id,
            unjudged: true,
            ..Self::default()
        };
        product.adopt(details);
        product
    }

    pub(super) fn adopt(&mut self, details: &Details) {
        self.subject.clone_from(&details.subject);
        let price = details.price.as_ref();
        self.price = price.map(|price| {
            let asked = price.discounted_minor.unwrap_or(price.price_minor);
            (asked, price.currency.clone())
        });
    }

    /// Sets the units at a warehouse. `renamed`: by an event that tells old units under new names.
    pub(super) fn set_level(&mut self, warehouse: Index, source: u8, available: i64, renamed: bool) {
        self.had_stock |= available > 0;
        match (self.levels.iter_mut()).find(|level| level.warehouse == warehouse) {
            Some(level) => {
                level.source = source;
                level.available = available;
                level.had_units |= available > 0;
                level.renamed &= renamed;
            }
            None => self.levels.push(Level {
                warehouse,
                source,
                available,
                had_units: available > 0,
                renamed,
            }),
        }
    }

    /// A warehouse is told under another name from now on.
    pub(super) fn drop_level(&mut self, warehouse: Index) {
        self.levels.retain(|level| level.warehouse != warehouse);
    }

    /// Takes an order in as it is now; one that was cancelled no longer counts.
    pub(super) fn order(&mut self, line: &OrderLine, warehouse: Index) {
        if line.cancelled {
            self.orders.remove(&line.order_id);
            return;
        }
        let order = Order(moscow_day(line.ordered_at), warehouse, line.quantity);
        self.orders.insert(line.order_id.clone(), order);
    }

    /// Forgets orders that no window reaches any more.
    pub(super) fn forget_before(&mut self, today: NaiveDate) {
        let before = before_window(today, KEPT_DAYS);
        self.orders.retain(|_, Order(day, ..)| *day > before);
    }

    /// Whether the passing of days alone can change what it is judged by.
    pub(super) fn sells(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Units ordered in the seven Moscow days that end with `today`: by warehouse, names resolved.
    pub(super) fn ordered(&self, today: NaiveDate, views: &Views) -> Ordered {
        let before = before_window(today, WINDOW_DAYS);
        let mut ordered = Ordered::default();
        for Order(day, warehouse, units) in self.orders.values() {
            if *day > before && *day <= today {
                ordered.total = ordered.total.saturating_add(*units);
                let place = ordered.places.entry(views.of(*warehouse)).or_insert(0_i64);
                *place = place.saturating_add(*units);
            }
        }
        ordered
    }
}

/// Units ordered in a window.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    pub(super) total: i64,
    places: BTreeMap<Index, i64>,
}

impl Ordered {
    /// From one warehouse.
    pub(super) fn at(&self, warehouse: Index) -> i64 {
        self.places.get(&warehouse).copied().unwrap_or(0)
    }
}
