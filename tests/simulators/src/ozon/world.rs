//! One seller's true state and how it moves: sales, deliveries, returns, cancellations, supplies, new and
//! archived products.

use std::collections::BTreeMap;

use super::life::Next;
use super::names::{GOODS, Goods};
use super::seller::OzonSellerConfig;
use crate::dice::Dice;
use crate::life::Agenda;

/// A warehouse, Ozon's or the seller's own.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// Index into the list of clusters; means nothing for the seller's own.
    pub(crate) cluster: usize,
    /// A closed one holds nothing and takes nothing; it is never forgotten, because parcels point to it.
    pub(crate) open: bool,
}

pub(crate) struct Product {
    pub(crate) product_id: u64,
    pub(crate) offer_id: String,
    pub(crate) name: String,
    pub(crate) sku: u64,
    /// Cards from before 2023 have another SKU for sales from the seller's own warehouses.
    pub(crate) fbs_sku: Option<u64>,
    /// Kopecks.
    pub(crate) price: i64,
    /// Milliseconds since 1970, like every time in this file.
    pub(crate) updated: i64,
    pub(crate) archived: bool,
    /// Index of its kind.
    pub(crate) goods: usize,
}

impl Product {
    pub(crate) fn goods(&self) -> Option<&'static Goods> {
        GOODS.get(self.goods)
    }

    /// Who makes it; the vendor's own word where nobody is named.
    pub(crate) fn brand(&self) -> &'static str {
        let brands = self.goods().map_or(&[] as &[_], |goods| goods.brands);
        let at = self.product_id % (brands.len().max(1) as u64);
        usize::try_from(at)
            .ok()
            .and_then(|at| brands.get(at).copied())
            .unwrap_or_default()
    }

    /// What kind of thing it is: the name of its type.
    pub(crate) fn kind(&self) -> &'static str {
        self.goods().map_or("", |goods| goods.type_name)
    }

    pub(crate) fn sku_of(&self, fbs: bool) -> u64 {
        self.fbs_sku.filter(|_| fbs).unwrap_or(self.sku)
    }

    /// The price that is shown crossed out beside the one that is asked, in kopecks.
    pub(crate) const fn crossed_out(&self) -> i64 {
        self.price * 2
    }
}

/// Units of one product at one of Ozon's warehouses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) available: u32,
    pub(crate) preparing: u32,
    pub(crate) requested: u32,
    pub(crate) transit: u32,
    pub(crate) to_client: u32,
    pub(crate) from_client: u32,
    pub(crate) checking: u32,
    pub(crate) defective: u32,
    pub(crate) not_sold: u32,
}

/// Units of one product at one of the seller's warehouses; `present` includes `reserved`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FbsCell {
    pub(crate) present: u32,
    pub(crate) reserved: u32,
}

/// Where a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Packaging,
    Deliver,
    Delivering,
    Delivered,
    Cancelled,
}

impl Stage {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Packaging => "awaiting_packaging",
            Self::Deliver => "awaiting_deliver",
            Self::Delivering => "delivering",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A product in a parcel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) product: usize,
    pub(crate) quantity: u32,
    /// Kopecks, as the product said then.
    pub(crate) price: i64,
}

/// A parcel.
pub(crate) struct Posting {
    pub(crate) number: String,
    /// Each product once.
    pub(crate) lines: Vec<Line>,
    pub(crate) site: usize,
    pub(crate) from_fbs: bool,
    pub(crate) created: i64,
    pub(crate) handed: Option<i64>,
    pub(crate) stage: Stage,
}

pub(crate) struct World {
    pub(crate) client_id: u64,
    pub(crate) config: OzonSellerConfig,
    pub(crate) sites: Vec<Site>,
    pub(crate) fbs: Vec<Site>,
    pub(crate) products: Vec<Product>,
    /// At `product * sites + site`.
    pub(crate) cells: Vec<Cell>,
    /// At `product * fbs + site`; `None` is "no record", which differs from 0.
    pub(crate) fbs_cells: Vec<Option<FbsCell>>,
    /// By time of creation.
    pub(crate) postings: Vec<Posting>,
    /// Parcels of steps (not of the history) that still move.
    pub(crate) open: Vec<usize>,
    /// What was begun in a life and ends later.
    pub(crate) agenda: Agenda<Next>,
    /// What happened in this life, and how often.
    pub(crate) lived: BTreeMap<String, u64>,
    pub(crate) dice: Dice,
}

impl World {
    /// The SKU that a parcel tells of a product.
    pub(crate) fn told_sku(&self, posting: &Posting, product: &Product) -> u64 {
        let percent = self.config.foreign_sku_percent as i64;
        if (posting.created / 1000).rem_euclid(100) < percent {
            // The third of the numbers that belong to a product; the others are its own and its old one.
            return product.sku + 2;
        }
        product.sku_of(posting.from_fbs)
    }

    pub(crate) fn product_of(&self, sku: u64) -> Option<usize> {
        let has = |product: &Product| product.sku == sku || product.fbs_sku == Some(sku);
        self.products.iter().position(has)
    }

    pub(crate) fn line(&self, product: usize, quantity: u32) -> Line {
        Line {
            product,
            quantity,
            price: self.products.get(product).map_or(0, |product| product.price),
        }
    }

    /// One step at the moment `now`.
    pub(crate) fn push_on(&mut self, now: i64) {
        for _ in 0..self.config.sold_per_step {
            self.sell(now);
        }
        if !self.config.lively {
            return;
        }
        for _ in 0..self.config.sold_per_step.div_ceil(2) {
            self.deliver(now);
            self.supply();
        }
        if self.dice.percent(self.config.product_change_percent) {
            self.change_product(now);
        }
    }

    /// A random cell that satisfies `wanted`; gives up after some misses on a nearly empty cabinet.
    pub(crate) fn find_cell(&mut self, wanted: impl Fn(&Cell) -> bool) -> Option<usize> {
        for _ in 0..200 {
            let cell = self.dice.below(self.cells.len());
            if self.cells.get(cell).is_some_and(&wanted) {
                return Some(cell);
            }
        }
        None
    }

    fn sell(&mut self, now: i64) {
        let from_fbs = !self.fbs.is_empty() && self.dice.percent(20);
        let (product, site) = if from_fbs {
            let own = self.fbs.len();
            let at = self.dice.below(self.fbs_cells.len());
            match self.fbs_cells.get_mut(at) {
                Some(Some(cell)) if cell.present > cell.reserved => cell.reserved += 1,
                _ => return,
            }
            (at / own, at % own)
        } else {
            let Some(at) = self.find_cell(|cell| cell.available > 0) else {
                return;
            };
            if let Some(cell) = self.cells.get_mut(at) {
                cell.available -= 1;
                cell.to_client += 1;
            }
            let sites = self.sites.len().max(1);
            (at / sites, at % sites)
        };
        self.open.push(self.postings.len());
        let number = self.dice.below(100_000_000);
        self.postings.push(Posting {
            number: format!("{number:08}-{:04}-1", self.postings.len()),
            lines: vec![self.line(product, 1)],
            site,
            from_fbs,
            created: now,
            handed: None,
            stage: Stage::Packaging,
        });
    }

    /// Moves one parcel on: packed, handed over, arrived; some are cancelled on the way and come back.
    fn deliver(&mut self, now: i64) {
        let at = self.dice.below(self.open.len());
        let cancel = self.dice.percent(10);
        let Some(posting) = self.open.get(at).and_then(|&index| self.postings.get_mut(index)) else {
            return;
        };
        let before = posting.stage;
        posting.stage = match before {
            _ if cancel => Stage::Cancelled,
            Stage::Packaging => Stage::Deliver,
            Stage::Deliver => Stage::Delivering,
            Stage::Delivering | Stage::Delivered => Stage::Delivered,
            Stage::Cancelled => Stage::Cancelled,
        };
        if posting.stage == Stage::Delivering {
            posting.handed = Some(now);
        }
        let (stage, from_fbs, site) = (posting.stage, posting.from_fbs, posting.site);
        let product = posting.lines.first().map_or(0, |line| line.product);
        if matches!(stage, Stage::Delivered | Stage::Cancelled) {
            self.open.swap_remove(at);
        }
        if from_fbs {
            self.move_fbs(product, site, before, stage);
        } else {
            self.move_fbo(product, site, stage);
        }
    }

    fn move_fbo(&mut self, product: usize, site: usize, stage: Stage) {
        let at = product * self.sites.len() + site;
        let Some(cell) = self.cells.get_mut(at) else {
            return;
        };
        if matches!(stage, Stage::Delivered | Stage::Cancelled) {
            cell.to_client = cell.to_client.saturating_sub(1);
        }
        if stage == Stage::Cancelled {
            cell.from_client += 1;
        }
    }

    pub(crate) fn move_fbs(&mut self, product: usize, site: usize, before: Stage, stage: Stage) {
        let at = product * self.fbs.len() + site;
        let Some(Some(cell)) = self.fbs_cells.get_mut(at) else {
            return;
        };
        let waits = matches!(before, Stage::Packaging | Stage::Deliver);
        match stage {
            Stage::Delivering => {
                cell.reserved = cell.reserved.saturating_sub(1);
                cell.present = cell.present.saturating_sub(1);
            }
            Stage::Cancelled if waits => cell.reserved = cell.reserved.saturating_sub(1),
            Stage::Packaging | Stage::Deliver | Stage::Delivered | Stage::Cancelled => {}
        }
    }

    /// Units move along the chain: applied for, on the road, being prepared, for sale; returns are checked
    /// first.
    fn supply(&mut self) {
        let at = self.dice.below(self.cells.len());
        let units = 1 + u32::try_from(self.dice.below(30)).unwrap_or(0);
        let product = self.products.get(at / self.sites.len().max(1));
        if product.is_none_or(|product| product.archived) {
            return;
        }
        let Some(cell) = self.cells.get_mut(at) else {
            return;
        };
        cell.available += std::mem::take(&mut cell.preparing) + std::mem::take(&mut cell.checking);
        cell.preparing = std::mem::take(&mut cell.transit);
        cell.transit = std::mem::take(&mut cell.requested);
        cell.requested = if units > 20 { units } else { 0 };
        cell.checking = std::mem::take(&mut cell.from_client);
    }

    fn change_product(&mut self, now: i64) {
        if self.products.is_empty() {
            return;
        }
        if self.dice.percent(60) {
            let seed = self.dice.bits();
            self.add_product(&mut Dice::new(seed), now);
        } else {
            let index = self.dice.below(self.products.len());
            self.archive(index);
        }
    }

    /// Moves a product to the archive; Ozon takes only those without stock, so its stock becomes 0.
    pub(crate) fn archive(&mut self, index: usize) {
        let listed = self.products.get_mut(index).filter(|product| !product.archived);
        let Some(product) = listed else { return };
        product.archived = true;
        let (sites, own) = (self.sites.len(), self.fbs.len());
        if let Some(cells) = self.cells.get_mut(index * sites..(index + 1) * sites) {
            cells.fill(Cell::default());
        }
        if let Some(cells) = self.fbs_cells.get_mut(index * own..(index + 1) * own) {
            cells.fill(None);
        }
        let postings = &self.postings;
        self.open.retain(|&at| {
            postings
                .get(at)
                .is_some_and(|posting| posting.lines.iter().all(|line| line.product != index))
        });
    }

    /// Gives a fraction of the cells that hold stock another amount; returns how many changed.
    pub(crate) fn change_fraction(&mut self, fraction: f64) -> usize {
        let threshold = (fraction.clamp(0.0, 1.0) * 1_000_000.0) as usize;
        let mut changed = 0;
        for cell in self.cells.iter_mut().filter(|cell| cell.available > 0) {
            if self.dice.below(1_000_000) < threshold {
                cell.available += 1 + u32::try_from(self.dice.below(9)).unwrap_or(0);
                changed += 1;
            }
        }
        changed
    }

    /// Sets the units for sale of a product at one warehouse; false if either is unknown.
    pub(crate) fn set_stock(&mut self, sku: u64, warehouse: &str, units: u32) -> bool {
        let site = self.sites.iter().position(|site| site.name == warehouse);
        let (Some(site), Some(product)) = (site, self.product_of(sku)) else {
            return false;
        };
        match self.cells.get_mut(product * self.sites.len() + site) {
            Some(cell) => cell.available = units,
            None => return false,
        }
        true
    }
}
