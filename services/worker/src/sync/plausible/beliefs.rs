//! What is believed of a cabinet's sources between syncs, and what one sync saw of them, in numbers small
//! enough to be kept beside the cabinet.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use events::ids::SyncId;
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::sync::sources::{CARDS, ORDERS, PRICES, STOCK_FBO, STOCK_FBS};

/// What is believed. A source that was never believed is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beliefs {
    /// The catalogue.
    pub catalogue: Option<Catalogue>,
    /// Stock in the marketplace's warehouses.
    pub fbo: Option<Stock>,
    /// Stock in the seller's warehouses.
    pub fbs: Option<Stock>,
    /// Orders.
    pub orders: Option<Orders>,
    /// Prices.
    pub prices: Option<Prices>,
    /// What is doubted at present.
    pub open: Vec<Open>,
}

/// A believed catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// Articles in it.
    pub articles: i64,
    /// Articles that other sources named and it did not: cards in the bin keep their stock for a while.
    pub strays: i64,
}

/// Believed stock of one kind of warehouses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// Articles with something to sell.
    pub stocked: i64,
    /// Warehouses with something to sell, by key.
    pub warehouses: BTreeMap<String, Warehouse>,
}

/// A warehouse with something to sell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warehouse {
    /// Its name.
    pub name: String,
    /// Units that can be sold there.
    pub units: i64,
    /// When that was believed.
    pub at: DateTime<Utc>,
}

/// Believed orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// How many were placed on each day, cancelled ones included: orders never vanish.
    pub days: BTreeMap<NaiveDate, i64>,
    /// The day of the answer; later ones may still grow.
    pub until: NaiveDate,
}

/// Believed prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// Articles with a price.
    pub articles: i64,
    /// Their average, in minor units.
    pub mean_minor: i64,
}

/// What is doubted, until a later answer or a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Which source.
    pub source: String,
    /// Keys of warehouses; none: the source as a whole.
    pub keys: Option<BTreeSet<String>>,
    /// Name of the rule.
    pub rule: String,
    /// When it was first doubted.
    pub since: DateTime<Utc>,
    /// The sync whose result is held for it; none where nothing has to be held.
    #[serde(default)]
    pub held_by: Option<SyncId>,
}

impl Open {
    pub(super) fn of(finding: &Finding) -> Self {
        Self {
            source: finding.source.to_owned(),
            keys: finding.keys.clone(),
            rule: finding.rule.to_owned(),
            since: finding.since,
            held_by: None,
        }
    }

    /// Whether this is the same doubt, or one that contains it.
    pub(super) fn covers(&self, source: &str, is_fall: bool, keys: Option<&BTreeSet<String>>) -> bool {
        let contains = match (&self.keys, keys) {
            (None, _) => true,
            (Some(ours), Some(keys)) => keys.is_subset(ours),
            (Some(_), None) => false,
        };
        self.source == source && contains && super::rules::is_fall(&self.rule) == is_fall
    }
}

/// What one sync saw; none for what was not read completely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The catalogue.
    pub catalogue: Option<CatalogueSeen>,
    /// Stock in the marketplace's warehouses.
    pub fbo: Option<StockSeen>,
    /// Stock in the seller's warehouses.
    pub fbs: Option<StockSeen>,
    /// Orders.
    pub orders: Option<OrdersSeen>,
    /// Orders of an answer that is not all: each of them was placed, and none that it lacks is missing.
    pub some_orders: Option<OrdersSeen>,
    /// Prices.
    pub prices: Option<PricesSeen>,
}

/// A catalogue that was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CatalogueSeen {
    /// Articles in it.
    pub articles: i64,
    /// Articles that stock or prices name and it does not.
    pub strays: i64,
    /// Whether prices were told, so that they can confirm what is gone.
    pub is_witnessed: bool,
}

/// Stock that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StockSeen {
    /// Warehouses that the answer shows, by key.
    pub warehouses: BTreeMap<String, Told>,
    /// Articles with something to sell.
    pub stocked: i64,
    /// Articles told that the catalogue or an earlier sync knows.
    pub known: i64,
    /// Articles told that no one knows.
    pub unknown: i64,
    /// Whether this sync's catalogue can tell who they are.
    pub catalogue_speaks: bool,
}

/// A warehouse that an answer shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub name: String,
    /// Units that can be sold there.
    pub units: i64,
    /// Whether any row tells of it; one that is only listed says nothing of its units.
    pub has_rows: bool,
}

/// Orders that were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrdersSeen {
    /// How many were placed on each day.
    pub days: BTreeMap<NaiveDate, i64>,
    /// First day that the answer covers wholly.
    pub from: NaiveDate,
    /// When and how many units were ordered from each warehouse, by key, cancelled ones left out.
    pub by_warehouse: BTreeMap<String, Vec<(DateTime<Utc>, i64)>>,
}

impl OrdersSeen {
    /// Units ordered after `from` and not after `to`, from these warehouses or from all of the source's kind.
    pub(super) fn units(
        &self,
        source: &str,
        keys: Option<&BTreeSet<String>>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> i64 {
        let kind = if source == STOCK_FBS { "fbs:" } else { "fbo:" };
        (self.by_warehouse.iter())
            .filter(|(key, _)| keys.map_or_else(|| key.starts_with(kind), |keys| keys.contains(*key)))
            .flat_map(|(_, orders)| orders)
            .filter(|(at, _)| *at > from && *at <= to)
            .map(|(_, units)| units)
            .sum()
    }
}

/// Prices that were seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PricesSeen {
    /// Articles with a price.
    pub articles: i64,
    /// Their average, in minor units; 0 without any.
    pub mean_minor: i64,
}

impl Facts {
    /// The sources that were seen.
    pub(super) fn sources(&self) -> impl Iterator<Item = &'static str> {
        let seen = [
            (CARDS, self.catalogue.is_some()),
            (STOCK_FBO, self.fbo.is_some()),
            (STOCK_FBS, self.fbs.is_some()),
            (ORDERS, self.orders.is_some()),
            (PRICES, self.prices.is_some()),
        ];
        seen.into_iter()
            .filter_map(|(source, is_seen)| is_seen.then_some(source))
    }
}

impl Stock {
    fn of(seen: &StockSeen, at: DateTime<Utc>) -> Self {
        let with_units = seen.warehouses.iter().filter(|(_, told)| told.units > 0);
        Self {
            stocked: seen.stocked,
            warehouses: with_units
                .map(|(key, told)| {
                    let warehouse = Warehouse {
                        name: told.name.clone(),
                        units: told.units,
                        at,
                    };
                    (key.clone(), warehouse)
                })
                .collect(),
        }
    }

    /// Units that can be sold.
    #[must_use]
    pub fn units(&self) -> i64 {
        self.warehouses.values().map(|warehouse| warehouse.units).sum()
    }
}

impl Beliefs {
    /// What was seen, all of it believed.
    pub(super) fn of(facts: &Facts, at: DateTime<Utc>) -> Self {
        Self {
            catalogue: facts.catalogue.map(|seen| Catalogue {
                articles: seen.articles,
                strays: seen.strays,
            }),
            fbo: facts.fbo.as_ref().map(|seen| Stock::of(seen, at)),
            fbs: facts.fbs.as_ref().map(|seen| Stock::of(seen, at)),
            orders: facts.orders.as_ref().map(|seen| Orders {
                days: seen.days.clone(),
                until: at.date_naive(),
            }),
            prices: facts.prices.map(|seen| Prices {
                articles: seen.articles,
                mean_minor: seen.mean_minor,
            }),
            open: Vec::new(),
        }
    }

    /// Takes over what was seen of a source, but for these warehouses.
    pub(super) fn take_all_but(&mut self, seen: &Self, source: &str, except: &BTreeSet<String>) {
        match source {
            CARDS => self.catalogue.clone_from(&seen.catalogue),
            ORDERS => self.orders.clone_from(&seen.orders),
            PRICES => self.prices.clone_from(&seen.prices),
            _ => {
                let before = self.stock_mut(source).take().unwrap_or_default();
                let Some(mut stock) = seen.stock(source).cloned() else {
                    return;
                };
                stock.warehouses.retain(|key, _| !except.contains(key));
                let kept = (before.warehouses.into_iter()).filter(|(key, _)| except.contains(key));
                stock.warehouses.extend(kept);
                if !except.is_empty() {
                    stock.stocked = before.stocked;
                }
                *self.stock_mut(source) = Some(stock);
            }
        }
    }

    /// Takes over what a person released: what was seen of a source, wholly or of these warehouses only.
    pub fn take(&mut self, seen: &Self, source: &str, keys: Option<&BTreeSet<String>>) {
        self.open.retain(|open| open.source != source);
        let Some(keys) = keys else {
            self.take_all_but(seen, source, &BTreeSet::new());
            return;
        };
        let Some(stock) = self.stock_mut(source) else {
            return;
        };
        stock.warehouses.retain(|key, _| !keys.contains(key));
        let seen = seen.stock(source).map(|stock| &stock.warehouses);
        let released = (seen.into_iter().flatten()).filter(|(key, _)| keys.contains(*key));
        stock
            .warehouses
            .extend(released.map(|(key, warehouse)| (key.clone(), warehouse.clone())));
    }

    /// Forgets doubts that a person has done away with: those whose held result is held no longer.
    pub fn forget_decided(&mut self, still_held: impl Fn(SyncId, &str) -> bool) {
        self.open
            .retain(|open| open.held_by.is_none_or(|by| still_held(by, &open.source)));
    }

    /// Says which sync's result is held for the doubts of these sources.
    pub fn held_by(&mut self, sync_id: SyncId, sources: &BTreeSet<&str>) {
        for open in &mut self.open {
            if sources.contains(open.source.as_str()) {
                open.held_by = Some(sync_id);
            }
        }
    }

    pub(super) fn stock(&self, source: &str) -> Option<&Stock> {
        if source == STOCK_FBS {
            self.fbs.as_ref()
        } else {
            self.fbo.as_ref()
        }
    }

    fn stock_mut(&mut self, source: &str) -> &mut Option<Stock> {
        if source == STOCK_FBS {
            &mut self.fbs
        } else {
            &mut self.fbo
        }
    }
}
