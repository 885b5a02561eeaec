//! Makes a cabinet of any size from a seed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::names::{CLUSTERS, GOODS, PLACES, TOWNS};
use super::world::{Cell, FbsCell, Posting, Product, Site, Stage, World};
use crate::dice::Dice;
use crate::life::{Agenda, Life};

/// How large a cabinet is and how lively.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OzonSellerConfig {
    /// Everything about the seller follows from it; also its `Client-Id`.
    pub seed: u64,
    /// Name of the company; made from the seed if empty.
    pub name: String,
    /// Products; 0 is an empty cabinet.
    pub products: usize,
    /// Ozon's warehouses that may hold stock.
    pub warehouses: usize,
    /// The seller's own warehouses; without one the cabinet sells from Ozon's only.
    pub fbs_warehouses: usize,
    /// Per cent of product × warehouse pairs that hold stock at first.
    pub filled_percent: usize,
    /// Per cent of products from before 2023, with a SKU per scheme of sale.
    pub old_percent: usize,
    /// Per cent of parcels that carry a SKU which no card shows; the seller's article in them is the card's.
    /// Reported by callers of the real service.
    pub foreign_sku_percent: usize,
    /// Postings per day of the history.
    pub orders_per_day: usize,
    /// Days of history before the start.
    pub history_days: usize,
    /// Parcels sold in one step of [`advance`](super::Ozon::advance).
    pub sold_per_step: usize,
    /// Per cent chance of one product appearing or going to the archive in a step.
    pub product_change_percent: usize,
    /// Whether a step may also deliver, return, supply and cancel; off, a step only sells.
    pub lively: bool,
    /// What happens in an hour of [`live`](super::Ozon::live).
    pub life: Life,
}

impl Default for OzonSellerConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            name: String::new(),
            products: 50,
            warehouses: 8,
            fbs_warehouses: 1,
            filled_percent: 50,
            old_percent: 10,
            foreign_sku_percent: 0,
            orders_per_day: 40,
            history_days: 14,
            sold_per_step: 5,
            product_change_percent: 10,
            lively: true,
            life: Life::default(),
        }
    }
}

impl OzonSellerConfig {
    /// The seller's `Client-Id`, made from the seed.
    #[must_use]
    pub fn client_id(&self) -> u64 {
        100_000 + self.seed % 900_000
    }
}

/// The SKUs of a product are its number times this, and up to two more.
pub(super) const SKUS_EACH: u64 = 3;
/// Distance between two sellers' SKUs, so that two cabinets never share one.
const SKUS_APART: u64 = 1_000_000;

impl World {
    /// Makes the cabinet as it is at `start`.
    pub(crate) fn generate(config: OzonSellerConfig, start: DateTime<Utc>) -> Self {
        let mut dice = Dice::new(config.seed);
        let now = start.timestamp_millis();
        let mut world = Self {
            client_id: config.client_id(),
            sites: sites(config.warehouses),
            fbs: fbs_sites(&config),
            products: Vec::with_capacity(config.products),
            cells: Vec::new(),
            fbs_cells: Vec::new(),
            postings: Vec::new(),
            open: Vec::new(),
            agenda: Agenda::new(),
            lived: BTreeMap::new(),
            dice: Dice::new(config.seed.wrapping_add(1)),
            config,
        };
        for _ in 0..world.config.products {
            world.add_product(&mut dice, now);
        }
        world.history(&mut dice, now);
        world
    }

    /// Appends one product with its stock.
    pub(crate) fn add_product(&mut self, dice: &mut Dice, now: i64) {
        let number = self.products.len() as u64;
        let sku = (800 + self.config.seed % 900) * SKUS_APART + number * SKUS_EACH + 1;
        let old = dice.percent(self.config.old_percent);
        let goods = dice.below(GOODS.len());
        let title = GOODS.get(goods).map_or("", |goods| goods.title);
        self.products.push(Product {
            product_id: (100 + self.config.seed % 900) * SKUS_APART + number,
            offer_id: format!("ART-{:05}", number + 1),
            name: format!("{title}, модель {}", number + 1),
            sku,
            fbs_sku: old.then_some(sku + 1),
            price: 30_000 + i64::try_from(dice.below(5_000)).unwrap_or(0) * 100,
            updated: now - i64::try_from(dice.below(200 * 86_400)).unwrap_or(0) * 1000,
            archived: false,
            goods,
        });
        for site in &self.sites {
            if !site.open {
                self.cells.push(Cell::default());
                continue;
            }
            // One draw per cell: its bits decide presence and all amounts.
            let bits = dice.bits();
            let part = |shift: u32, mask: u64| u32::try_from(bits >> shift & mask).unwrap_or(0);
            let mut cell = Cell::default();
            if bits % 100 < self.config.filled_percent as u64 {
                cell.available = 1 + part(8, 0x7f);
            }
            if part(20, 0xf) == 0 {
                cell.to_client = part(24, 0x7);
                cell.from_client = part(28, 0x3);
                cell.preparing = part(32, 0xf);
                cell.checking = part(40, 0x3);
                cell.defective = part(44, 0x1);
                cell.not_sold = part(48, 0x1);
            }
            if part(52, 0x7) == 0 {
                cell.requested = part(55, 0x1f);
                cell.transit = part(58, 0x1f);
            }
            self.cells.push(cell);
        }
        for site in &self.fbs {
            let present = u32::try_from(dice.below(60)).unwrap_or(0);
            let reserved = present.min(u32::try_from(dice.below(3)).unwrap_or(0));
            let stocked = dice.percent(30) && site.open;
            self.fbs_cells
                .push(stocked.then_some(FbsCell { present, reserved }));
        }
    }

    /// Postings of the days before the start.
    fn history(&mut self, dice: &mut Dice, now: i64) {
        if self.products.is_empty() || self.sites.is_empty() {
            return;
        }
        let total = self.config.orders_per_day * self.config.history_days;
        let span = self.config.history_days * 86_400;
        let mut ages: Vec<usize> = (0..total).map(|_| dice.below(span)).collect();
        ages.sort_unstable_by(|a, b| b.cmp(a));
        for age in ages {
            let created = now - i64::try_from(age).unwrap_or(0) * 1000;
            let from_fbs = !self.fbs.is_empty() && dice.percent(20);
            let site = dice.below(if from_fbs {
                self.fbs.len()
            } else {
                self.sites.len()
            });
            let first = dice.below(self.products.len());
            let mut lines = vec![self.line(first, 1 + u32::from(dice.percent(10)))];
            let second = dice.below(self.products.len());
            if dice.percent(15) && second != first {
                lines.push(self.line(second, 1));
            }
            // Old parcels have arrived, young ones are on their way.
            let stage = match age / 86_400 {
                _ if dice.percent(8) => Stage::Cancelled,
                0 => Stage::Packaging,
                1 => Stage::Deliver,
                2..=4 => Stage::Delivering,
                _ => Stage::Delivered,
            };
            let handed = (created + 86_400_000).min(now);
            self.postings.push(Posting {
                number: format!("{:08}-{:04}-1", dice.below(100_000_000), self.postings.len()),
                lines,
                site,
                from_fbs,
                created,
                handed: matches!(stage, Stage::Delivering | Stage::Delivered).then_some(handed),
                stage,
            });
        }
    }
}

/// Ozon's warehouses: real names first, then towns with numbers.
fn sites(count: usize) -> Vec<Site> {
    (0..count).map(site).collect()
}

/// The warehouse of that number.
pub(super) fn site(index: usize) -> Site {
    match PLACES.get(index) {
        Some(&(id, name, cluster)) => Site {
            id,
            name: name.to_owned(),
            cluster,
            open: true,
        },
        None => Site {
            id: 1_020_002_000_000_000 + i64::try_from(index).unwrap_or(0) * 1000,
            name: format!(
                "{}_{}_РФЦ",
                TOWNS.get(index % TOWNS.len()).unwrap_or(&""),
                index / TOWNS.len()
            ),
            cluster: index % CLUSTERS.len(),
            open: true,
        },
    }
}

fn fbs_sites(config: &OzonSellerConfig) -> Vec<Site> {
    (0..config.fbs_warehouses)
        .map(|index| fbs_site(config.seed, index))
        .collect()
}

/// The seller's own warehouse of that number.
pub(super) fn fbs_site(seed: u64, index: usize) -> Site {
    let first = 22_142_605_386_000 + i64::try_from(seed % 10_000).unwrap_or(0) * 1_000_000;
    Site {
        id: first + i64::try_from(index).unwrap_or(0) * 1000,
        name: format!("Склад продавца {}", index + 1),
        cluster: 0,
        open: true,
    }
}
