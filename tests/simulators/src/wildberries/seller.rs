//! Makes a cabinet of any size from a seed, in one pass, so that 10,000 articles × 60 warehouses cost no
//! time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::names::{BRANDS, COLOURS, PLACES, SIZES, SUBJECTS, TOWNS};
use super::world::{Card, Order, Site, Size, Status, World};
use crate::dice::Dice;
use crate::life::{Agenda, Life};

/// How large a cabinet is and how lively.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SellerConfig {
    /// Everything about the seller follows from it; also its `sid`.
    pub seed: u64,
    /// Trading name; made from the seed if empty.
    pub name: String,
    /// Product cards; 0 is an empty account.
    pub articles: usize,
    /// Wildberries warehouses that may hold stock.
    pub warehouses: usize,
    /// Sizes of every card, at least 1.
    pub sizes_per_article: usize,
    /// The seller's own (FBS) warehouses.
    pub fbs_warehouses: usize,
    /// Per cent of size × warehouse pairs that hold stock at first.
    pub filled_percent: usize,
    /// Orders per day of the history.
    pub orders_per_day: usize,
    /// Days of history before the start (Wildberries keeps 90).
    pub history_days: usize,
    /// Units sold in one step of [`advance`](super::Wildberries::advance).
    pub sold_per_step: usize,
    /// Per cent chance of one card appearing, disappearing or changing in a step.
    pub card_change_percent: usize,
    /// Whether a step may also deliver, return, restock and cancel; off, a step only sells.
    pub lively: bool,
    /// What happens in an hour of [`live`](super::Wildberries::live).
    pub life: Life,
}

impl Default for SellerConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            name: String::new(),
            articles: 50,
            warehouses: 8,
            sizes_per_article: 2,
            fbs_warehouses: 1,
            filled_percent: 50,
            orders_per_day: 40,
            history_days: 14,
            sold_per_step: 5,
            card_change_percent: 10,
            lively: true,
            life: Life::default(),
        }
    }
}

impl SellerConfig {
    /// The seller's stable id, made from the seed.
    #[must_use]
    pub fn sid(&self) -> Uuid {
        let mut dice = Dice::new(self.seed ^ 0x005e_11e4);
        uuid::Builder::from_random_bytes(
            ((u128::from(dice.bits()) << 64) | u128::from(dice.bits())).to_be_bytes(),
        )
        .into_uuid()
    }
}

/// Distance between two sellers' article numbers, so that two cabinets never share one.
const ARTICLES_APART: u64 = 1_000_000;

impl World {
    /// Makes the cabinet as it is at `start`.
    pub(crate) fn generate(config: SellerConfig, start: DateTime<Utc>) -> Self {
        let mut dice = Dice::new(config.seed);
        let now = start.timestamp_millis();
        let sites = sites(config.warehouses);
        let fbs = (0..config.fbs_warehouses)
            .map(|index| fbs_site(config.seed, index))
            .collect();
        let mut world = Self {
            sid: config.sid(),
            sites,
            fbs,
            cards: Vec::with_capacity(config.articles),
            sizes: Vec::new(),
            stock: Vec::new(),
            to_client: Vec::new(),
            from_client: Vec::new(),
            fbs_stock: Vec::new(),
            orders: Vec::new(),
            by_change: BTreeSet::new(),
            by_update: BTreeSet::new(),
            rows: Vec::new(),
            report: Vec::new(),
            agenda: Agenda::new(),
            lived: BTreeMap::new(),
            dice: Dice::new(config.seed.wrapping_add(1)),
            config,
        };
        for index in 0..world.config.articles {
            let age = 1 + i64::try_from(dice.below(200 * 86_400_000 / 1000)).unwrap_or(0) * 1000;
            world.add_card(&mut dice, index, now - age);
        }
        world.history(&mut dice, now);
        world
    }

    /// Appends one card with its sizes and stock.
    pub(crate) fn add_card(&mut self, dice: &mut Dice, index: usize, updated: i64) {
        let per = self.config.sizes_per_article.max(1);
        let number = self.config.seed.wrapping_mul(ARTICLES_APART) % 900_000_000 + 100_000_000 + index as u64;
        let colour = dice.pick(COLOURS).copied().unwrap_or_default();
        let subject = dice.below(SUBJECTS.len());
        let card = Card {
            nm_id: number,
            imt_id: number / 3 + 1_000,
            subject,
            brand: dice.below(BRANDS.len()),
            vendor_code: format!("ST-{:05}/{colour}", index + 1),
            title: format!(
                "{} {colour}, модель {}",
                SUBJECTS.get(subject).map_or("", |s| s.1),
                index + 1
            ),
            photo: !dice.percent(5),
            price: 500 + i64::try_from(dice.below(90)).unwrap_or(0) * 50,
            first_size: self.sizes.len(),
            created: updated - 86_400_000,
            updated,
            listed: true,
        };
        self.by_update.insert((updated, number, self.cards.len()));
        for size in 0..per {
            let chrt_id = number * 10 + size as u64;
            let mut barcodes = vec![format!("20{chrt_id:011}")];
            if dice.percent(10) {
                barcodes.push(format!("46{chrt_id:011}"));
            }
            let tech_size = match SIZES.get(size) {
                _ if per == 1 => "0".to_owned(),
                Some(name) => (*name).to_owned(),
                None => format!("{}", 58 + size * 2),
            };
            self.sizes.push(Size {
                card: self.cards.len(),
                chrt_id,
                tech_size,
                barcodes,
            });
            self.rows.push(None);
            self.fill(dice);
        }
        self.cards.push(card);
    }

    /// Stock of the size pushed last, for every warehouse.
    fn fill(&mut self, dice: &mut Dice) {
        let filled = self.config.filled_percent as u64;
        for site in &self.sites {
            if !site.open {
                self.stock.push(0);
                self.to_client.push(0);
                self.from_client.push(0);
                continue;
            }
            // One draw per cell: its bits decide presence, amount and what is on its way.
            let bits = dice.bits();
            let part = |shift: u32, mask: u64| u32::try_from(bits >> shift & mask).unwrap_or(0);
            let present = bits % 100 < filled;
            self.stock.push(if present { 1 + part(8, 0x7f) } else { 0 });
            let moving = bits >> 20 & 0xf == 0;
            self.to_client.push(if moving { part(30, 0x7) } else { 0 });
            self.from_client.push(if moving { part(40, 0x3) } else { 0 });
        }
        for site in &self.fbs {
            let amount = u32::try_from(dice.below(60)).unwrap_or(0);
            let present = dice.percent(30) && site.open;
            self.fbs_stock.push(present.then_some(amount));
        }
    }

    /// Orders of the days before the start.
    fn history(&mut self, dice: &mut Dice, now: i64) {
        if self.sizes.is_empty() || self.sites.is_empty() {
            return;
        }
        let total = self.config.orders_per_day * self.config.history_days;
        let span = self.config.history_days * 86_400;
        let mut ages: Vec<usize> = (0..total).map(|_| dice.below(span)).collect();
        ages.sort_unstable_by(|a, b| b.cmp(a));
        for age in ages {
            let date = now - i64::try_from(age).unwrap_or(0) * 1000;
            let size = dice.below(self.sizes.len());
            let from_fbs = !self.fbs.is_empty() && dice.percent(10);
            let site = if from_fbs {
                dice.below(self.fbs.len())
            } else {
                dice.below(self.sites.len())
            };
            let later = i64::try_from(dice.below(age.clamp(1, 7_200))).unwrap_or(0) * 1000;
            let fraction = if dice.percent(20) {
                i64::try_from(dice.below(999)).unwrap_or(0)
            } else {
                0
            };
            let status = if dice.percent(8) {
                Status::Cancelled
            } else {
                Status::Created
            };
            let changed = (date + later + fraction).min(now);
            self.push_order(Order {
                number: dice.bits(),
                size,
                site,
                from_fbs,
                price: self.card_of(size).map_or(0, |card| card.price),
                date,
                changed,
                status,
                changed_before: changed,
                status_before: status,
            });
        }
    }
}

/// Wildberries warehouses: the real names first, then towns with numbers.
fn sites(count: usize) -> Vec<Site> {
    (0..count).map(site).collect()
}

/// The warehouse of that number.
pub(super) fn site(index: usize) -> Site {
    match PLACES.get(index) {
        Some(&(id, name, region, russian, bulky)) => Site {
            id,
            name: name.to_owned(),
            region: region.to_owned(),
            russian,
            bulky,
            open: true,
            leaving: false,
        },
        None => Site {
            id: 400_000 + i64::try_from(index).unwrap_or(0),
            name: format!(
                "{} {}",
                TOWNS.get(index % TOWNS.len()).unwrap_or(&""),
                index / TOWNS.len()
            ),
            region: "Центральный".to_owned(),
            russian: true,
            bulky: false,
            open: true,
            leaving: false,
        },
    }
}

/// The seller's own warehouse of that number.
pub(super) fn fbs_site(seed: u64, index: usize) -> Site {
    let number = i64::try_from(seed % 10_000).unwrap_or(0) * 100 + i64::try_from(index).unwrap_or(0) + 1;
    Site {
        id: 600_000 + number,
        name: format!("Склад продавца {}", index + 1),
        region: "Центральный".to_owned(),
        russian: true,
        bulky: false,
        open: true,
        leaving: false,
    }
}
