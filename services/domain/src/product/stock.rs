//! Stock of a product: what of an answer is news, what is empty now, and what was only renamed by masking.

use std::collections::{BTreeMap, BTreeSet};

use events::catalog::ProductEvent;
use events::product::{Fulfilment, StockLevel, StockObserved};

use super::{
    Known, Level, MASKED_WAREHOUSE, Observation, Product, ProductRefusal, Scope, StockSeen, fulfilment_of,
    is_empty, sizes,
};

impl Product {
    pub(super) fn stock_event(&self, seen: &Observation, stock: &StockSeen) -> Option<ProductEvent> {
        let sizes = sizes::Sizes::of(seen, self.details.as_ref(), &stock.levels);
        let refusals = stock.refusals();
        let refused: BTreeSet<&str> = refusals.iter().map(ProductRefusal::warehouse).collect();
        // A level that was told and cannot be taken is no empty warehouse.
        let mut told: BTreeSet<&str> = stock.unread.iter().map(String::as_str).collect();
        told.extend(&refused);
        let mut levels = Vec::new();
        let takes = |level: &&StockLevel| {
            stock.scope.includes(&level.warehouse) && !refused.contains(level.warehouse.as_str())
        };
        for level in stock.levels.iter().filter(takes) {
            told.insert(level.warehouse.as_str());
            let now = sizes.named(level);
            let known = self.levels.get(&level.warehouse);
            // What an answer that is not whole leaves out is not gone, a size of a level included.
            if !stock.complete && known.is_some_and(|known| known.has_more_sizes_than(&now)) {
                continue;
            }
            if !known.map_or_else(|| is_empty(&now), |known| known.says(&now)) {
                let cluster = known.and_then(|known| known.cluster.clone());
                levels.push(StockLevel {
                    cluster: now.cluster.clone().or(cluster),
                    ..now.into_owned()
                });
            }
        }
        let mut regrouped = Vec::new();
        if stock.complete {
            let has_moved = self.units_moved(stock, &told);
            for (key, known) in self.gone(stock, &told) {
                if has_moved && stock.may_regroup(key) {
                    regrouped.push(key.clone());
                } else {
                    levels.push(zero(key, known, stock.fulfilment));
                }
            }
        }
        // What belongs to no warehouse goes with the part that is not about single ones.
        let is_whole = stock.complete && !matches!(stock.scope, Scope::Only(_));
        let unassigned_in_way = stock
            .unassigned_in_way
            .filter(|in_way| is_whole && *in_way != self.unassigned_in_way);
        let turnover = stock
            .turnover
            .as_ref()
            .filter(|turnover| is_whole && **turnover != self.turnover)
            .cloned();
        if levels.is_empty() && regrouped.is_empty() && unassigned_in_way.is_none() && turnover.is_none() {
            return None;
        }
        Some(
            StockObserved {
                sync_id: seen.sync_id,
                source: stock.source.clone(),
                as_of: stock.as_of,
                levels,
                regrouped,
                unassigned_in_way,
                turnover,
            }
            .into(),
        )
    }

    /// Whether the units of the warehouses that vanished by masking or unmasking are told elsewhere now:
    /// where they may have moved to there are units that were none before, or at least half as many more.
    /// Between two answers some are sold; a warehouse that sold out leaves no trace at all.
    fn units_moved(&self, stock: &StockSeen, told: &BTreeSet<&str>) -> bool {
        let vanished: i64 = (self.gone(stock, told))
            .filter(|(key, _)| stock.may_regroup(key))
            .map(|(_, known)| known.level.all())
            .sum();
        let is_goal = |key: &str| {
            if stock.visible.contains(MASKED_WAREHOUSE) {
                key == MASKED_WAREHOUSE
            } else {
                fulfilment_of(key) == Fulfilment::Fbo && key != MASKED_WAREHOUSE
            }
        };
        let before: i64 = (self.levels.iter())
            .filter(|(key, _)| is_goal(key))
            .map(|(_, known)| known.level.all())
            .sum();
        let now: i64 = (stock.levels.iter())
            .filter(|level| is_goal(&level.warehouse))
            .map(|level| Level::of(level).all())
            .sum();
        (before == 0 && now > 0) || (now - before).saturating_mul(2) >= vanished.max(1)
    }

    /// Warehouses of the source's kind that hold something as far as we know and were not told of this time.
    fn gone<'a>(
        &'a self,
        stock: &'a StockSeen,
        told: &'a BTreeSet<&str>,
    ) -> impl Iterator<Item = (&'a String, &'a Known)> {
        self.levels.iter().filter(move |(key, known)| {
            fulfilment_of(key) == stock.fulfilment
                && stock.scope.includes(key)
                && !known.is_empty()
                && !told.contains(key.as_str())
        })
    }
}

impl StockSeen {
    /// Whether a warehouse that is absent from this answer may have been renamed by masking or unmasking,
    /// rather than emptied. Masked: the answer shows the masked warehouse and this one nowhere. Unmasked: the
    /// answer shows warehouses, but the masked one nowhere.
    fn may_regroup(&self, key: &str) -> bool {
        if self.fulfilment != Fulfilment::Fbo || self.visible.contains(key) {
            return false;
        }
        if key == MASKED_WAREHOUSE {
            !self.visible.is_empty()
        } else {
            self.visible.contains(MASKED_WAREHOUSE)
        }
    }

    /// The levels that make no sense.
    pub(super) fn refusals(&self) -> Vec<ProductRefusal> {
        let (mut told, mut refusals) = (BTreeSet::new(), Vec::new());
        for level in &self.levels {
            let named = || (level.warehouse.clone(), self.source.clone());
            if !told.insert(level.warehouse.as_str()) {
                let (warehouse, source_name) = named();
                refusals.push(ProductRefusal::ToldTwice {
                    warehouse,
                    source_name,
                });
            } else if is_negative(level) {
                let (warehouse, source_name) = named();
                refusals.push(ProductRefusal::NegativeCount {
                    warehouse,
                    source_name,
                });
            }
        }
        refusals
    }
}

fn zero(key: &str, known: &Known, fulfilment: Fulfilment) -> StockLevel {
    StockLevel {
        warehouse: key.to_owned(),
        name: known.name.clone(),
        fulfilment,
        available: 0,
        in_way_to_client: 0,
        in_way_from_client: 0,
        buckets: BTreeMap::new(),
        cluster: known.cluster.clone(),
        sizes: vec![],
    }
}

fn is_negative(level: &StockLevel) -> bool {
    let further = level.buckets.values().copied();
    let by_size = level.sizes.iter().map(|size| size.available);
    [level.available, level.in_way_to_client, level.in_way_from_client]
        .into_iter()
        .chain(further)
        .chain(by_size)
        .any(|units| units < 0)
}
