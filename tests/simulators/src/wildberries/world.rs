//! One seller's true state and how it moves: sales, deliveries, returns, cancellations, new and removed
//! cards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::life::Next;
use super::seller::SellerConfig;
use crate::dice::Dice;
use crate::life::Agenda;

/// The seller's discount on every card.
pub(crate) const DISCOUNT_PERCENT: i64 = 30;

/// A warehouse, Wildberries' or the seller's own.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) russian: bool,
    pub(crate) bulky: bool,
    /// A closed one holds nothing and takes nothing; it is never forgotten, because orders point to it.
    pub(crate) open: bool,
    /// A warehouse of the seller that is on its way out.
    pub(crate) leaving: bool,
}

pub(crate) struct Card {
    pub(crate) nm_id: u64,
    pub(crate) imt_id: u64,
    pub(crate) subject: usize,
    pub(crate) brand: usize,
    pub(crate) vendor_code: String,
    pub(crate) title: String,
    pub(crate) photo: bool,
    /// Whole roubles.
    pub(crate) price: i64,
    pub(crate) first_size: usize,
    /// Milliseconds since 1970, like every time in this file.
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) listed: bool,
}

pub(crate) struct Size {
    pub(crate) card: usize,
    pub(crate) chrt_id: u64,
    pub(crate) tech_size: String,
    pub(crate) barcodes: Vec<String>,
}

/// What is left of a price, in whole roubles: every seller here gives the same discount.
pub(crate) const fn discounted(price: i64) -> i64 {
    price * (100 - DISCOUNT_PERCENT) / 100
}

/// The same to the kopeck, as the list of prices tells it.
pub(crate) const fn discounted_minor(price: i64) -> i64 {
    price * (100 - DISCOUNT_PERCENT)
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Created,
    Buyout,
    Cancelled,
    Returned,
    Defective,
}

impl Status {
    /// The order feed's word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Buyout => "buyout",
            Self::Cancelled => "cancel",
            Self::Returned => "return",
            Self::Defective => "returnDefective",
        }
    }
}

pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) size: usize,
    pub(crate) site: usize,
    pub(crate) from_fbs: bool,
    /// Whole roubles, as the card said then.
    pub(crate) price: i64,
    pub(crate) date: i64,
    pub(crate) changed: i64,
    pub(crate) status: Status,
    /// The same before the last change.
    pub(crate) changed_before: i64,
    pub(crate) status_before: Status,
}

impl Order {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.status == Status::Cancelled
    }

    /// What was known at that time: the status and when it had last changed.
    pub(crate) fn known_at(&self, moment: i64) -> (Status, i64) {
        if self.changed <= moment {
            (self.status, self.changed)
        } else {
            (self.status_before, self.changed_before)
        }
    }
}

/// Rows of one size in the synchronous stock report, ready to send.
#[derive(Clone)]
pub(crate) struct Rendered {
    pub(crate) masked: bool,
    pub(crate) rows: usize,
    pub(crate) bytes: Arc<[u8]>,
}

pub(crate) struct World {
    pub(crate) sid: Uuid,
    pub(crate) config: SellerConfig,
    pub(crate) sites: Vec<Site>,
    pub(crate) fbs: Vec<Site>,
    pub(crate) cards: Vec<Card>,
    /// Sizes of all cards, in the cards' order.
    pub(crate) sizes: Vec<Size>,
    /// Units at `size * sites + site`; the same index for what is on its way.
    pub(crate) stock: Vec<u32>,
    pub(crate) to_client: Vec<u32>,
    pub(crate) from_client: Vec<u32>,
    /// At `size * fbs + site`; `None` is "no record", which differs from 0.
    pub(crate) fbs_stock: Vec<Option<u32>>,
    pub(crate) orders: Vec<Order>,
    /// Orders by time of last change.
    pub(crate) by_change: BTreeSet<(i64, usize)>,
    /// Listed cards by update time and article.
    pub(crate) by_update: BTreeSet<(i64, u64, usize)>,
    /// Rendered rows per size; `None` after a change.
    pub(crate) rows: Vec<Option<Rendered>>,
    /// The stock report as it was when its first page was asked for: the next ones are cut from the same.
    pub(crate) report: Vec<Rendered>,
    /// What was begun in this life and ends later.
    pub(crate) agenda: Agenda<Next>,
    /// What happened in this life, and how often.
    pub(crate) lived: BTreeMap<String, u64>,
    pub(crate) dice: Dice,
}

impl World {
    pub(crate) fn cell(&self, size: usize, site: usize) -> usize {
        size * self.sites.len() + site
    }

    pub(crate) fn card_of(&self, size: usize) -> Option<&Card> {
        self.sizes.get(size).and_then(|size| self.cards.get(size.card))
    }

    /// The sizes of one card.
    pub(crate) fn sizes_of(&self, card: &Card) -> &[Size] {
        let end = card.first_size + self.config.sizes_per_article.max(1);
        self.sizes.get(card.first_size..end).unwrap_or_default()
    }

    pub(crate) fn push_order(&mut self, order: Order) {
        self.by_change.insert((order.changed, self.orders.len()));
        self.orders.push(order);
    }

    pub(crate) fn touch(&mut self, cell: usize) {
        if let Some(row) = self.rows.get_mut(cell / self.sites.len().max(1)) {
            *row = None;
        }
    }

    /// Changes a counter of one cell and forgets the size's rendered rows.
    pub(crate) fn change(&mut self, counter: Counter, cell: usize, by: i64) {
        let counters = match counter {
            Counter::Stock => &mut self.stock,
            Counter::ToClient => &mut self.to_client,
            Counter::FromClient => &mut self.from_client,
        };
        if let Some(value) = counters.get_mut(cell) {
            *value = u32::try_from((i64::from(*value) + by).max(0)).unwrap_or(u32::MAX);
        }
        self.touch(cell);
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
            self.deliver();
        }
        if self.dice.percent(30) {
            self.cancel(now);
        }
        if self.dice.percent(40) {
            self.restock();
        }
        if self.dice.percent(self.config.card_change_percent) {
            self.change_card(now);
        }
    }

    /// A random cell that satisfies `wanted`; gives up after some misses on a nearly empty cabinet.
    pub(crate) fn find_cell(&mut self, wanted: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        for _ in 0..200 {
            let cell = self.dice.below(self.stock.len());
            if wanted(self, cell) {
                return Some(cell);
            }
        }
        None
    }

    fn sell(&mut self, now: i64) {
        let Some(cell) = self.find_cell(|world, cell| world.stock.get(cell).is_some_and(|&units| units > 0))
        else {
            return;
        };
        self.change(Counter::Stock, cell, -1);
        self.change(Counter::ToClient, cell, 1);
        let sites = self.sites.len().max(1);
        self.order(cell / sites, cell % sites, false, now);
    }

    /// Somebody orders one unit; returns the order's index.
    pub(crate) fn order(&mut self, size: usize, site: usize, from_fbs: bool, now: i64) -> usize {
        let number = self.dice.bits();
        self.push_order(Order {
            number,
            size,
            site,
            from_fbs,
            price: self.card_of(size).map_or(0, |card| card.price),
            date: now / 1000 * 1000,
            changed: now,
            status: Status::Created,
            changed_before: now,
            status_before: Status::Created,
        });
        self.orders.len() - 1
    }

    /// Units on their way to a buyer arrive; some come back, and what comes back returns to stock.
    fn deliver(&mut self) {
        if let Some(cell) =
            self.find_cell(|world, cell| world.to_client.get(cell).is_some_and(|&units| units > 0))
        {
            self.change(Counter::ToClient, cell, -1);
            if self.dice.percent(25) {
                self.change(Counter::FromClient, cell, 1);
            }
        }
        if self.dice.percent(30)
            && let Some(cell) =
                self.find_cell(|world, cell| world.from_client.get(cell).is_some_and(|&units| units > 0))
        {
            self.change(Counter::FromClient, cell, -1);
            self.change(Counter::Stock, cell, 1);
        }
    }

    /// Cancels a recent order: its `lastChangeDate` moves and the unit travels back.
    fn cancel(&mut self, now: i64) {
        let recent = self.orders.len().min(500);
        let index = self.orders.len() - recent + self.dice.below(recent);
        self.cancel_order(index, now);
    }

    /// Cancels one order; false if it is unknown or already cancelled.
    pub(crate) fn cancel_order(&mut self, index: usize, now: i64) -> bool {
        let Some((size, site, from_fbs)) = self.become_of(index, Status::Cancelled, now) else {
            return false;
        };
        let cell = self.cell(size, site);
        if !from_fbs && self.to_client.get(cell).is_some_and(|&units| units > 0) {
            self.change(Counter::ToClient, cell, -1);
            self.change(Counter::FromClient, cell, 1);
        }
        true
    }

    /// Gives an order another status and moves its `lastChangeDate`; its size, site and scheme, or none where
    /// it is unknown or has that status.
    pub(crate) fn become_of(
        &mut self,
        index: usize,
        status: Status,
        now: i64,
    ) -> Option<(usize, usize, bool)> {
        let order = self
            .orders
            .get_mut(index)
            .filter(|order| order.status != status)?;
        self.by_change.remove(&(order.changed, index));
        (order.changed_before, order.status_before) = (order.changed, order.status);
        (order.changed, order.status) = (now, status);
        self.by_change.insert((now, index));
        Some((order.size, order.site, order.from_fbs))
    }

    fn restock(&mut self) {
        let cell = self.dice.below(self.stock.len());
        let listed = self
            .card_of(cell / self.sites.len().max(1))
            .is_some_and(|card| card.listed);
        if listed {
            let units = 5 + i64::try_from(self.dice.below(40)).unwrap_or(0);
            self.change(Counter::Stock, cell, units);
        }
    }

    fn change_card(&mut self, now: i64) {
        if self.cards.is_empty() {
            return;
        }
        let index = self.dice.below(self.cards.len());
        match self.dice.below(4) {
            0 => {
                let next = self.cards.len();
                let seed = self.dice.bits();
                self.add_card(&mut Dice::new(seed), next, now);
            }
            1 => self.delist(index),
            _ => self.retitle(index, now),
        }
    }

    /// Moves a card to the trash; Wildberries lets only sold-out cards go there, so its stock becomes 0.
    pub(crate) fn delist(&mut self, index: usize) {
        let sites = self.sites.len();
        let own = self.fbs.len();
        let per = self.config.sizes_per_article.max(1);
        let Some(card) = self.cards.get_mut(index).filter(|card| card.listed) else {
            return;
        };
        card.listed = false;
        self.by_update.remove(&(card.updated, card.nm_id, index));
        let sizes = card.first_size..card.first_size + per;
        for counters in [&mut self.stock, &mut self.to_client, &mut self.from_client] {
            if let Some(cells) = counters.get_mut(sizes.start * sites..sizes.end * sites) {
                cells.fill(0);
            }
        }
        if let Some(cells) = self.fbs_stock.get_mut(sizes.start * own..sizes.end * own) {
            cells.fill(None);
        }
        if let Some(rows) = self.rows.get_mut(sizes) {
            rows.fill(None);
        }
    }

    fn retitle(&mut self, index: usize, now: i64) {
        self.edit(index, now, |card| {
            card.title = format!("{} (обновлено)", card.title.trim_end_matches(" (обновлено)"));
        });
    }

    /// Changes a listed card and moves it to the end of the list of changes.
    pub(crate) fn edit(&mut self, index: usize, now: i64, change: impl FnOnce(&mut Card)) {
        if let Some(card) = self.cards.get_mut(index).filter(|card| card.listed) {
            self.by_update.remove(&(card.updated, card.nm_id, index));
            card.updated = now;
            change(card);
            self.by_update.insert((now, card.nm_id, index));
        }
    }

    /// Gives a fraction of the cells that hold stock another amount; returns how many changed.
    pub(crate) fn change_fraction(&mut self, fraction: f64) -> usize {
        let filled: Vec<usize> = self
            .stock
            .iter()
            .enumerate()
            .filter(|(_, units)| **units > 0)
            .map(|(cell, _)| cell)
            .collect();
        let threshold = (fraction.clamp(0.0, 1.0) * 1_000_000.0) as usize;
        let mut changed = 0;
        for cell in filled {
            if self.dice.below(1_000_000) < threshold {
                let by = 1 + i64::try_from(self.dice.below(9)).unwrap_or(0);
                self.change(Counter::Stock, cell, by);
                changed += 1;
            }
        }
        changed
    }

    /// Sets the units of an article at one warehouse (all on its first size); false if either is unknown.
    pub(crate) fn set_stock(&mut self, nm_id: u64, warehouse: &str, units: u32) -> bool {
        let site = self.sites.iter().position(|site| site.name == warehouse);
        let card = self.cards.iter().find(|card| card.nm_id == nm_id);
        let (Some(site), Some(card)) = (site, card) else {
            return false;
        };
        let first = card.first_size;
        for size in first..first + self.config.sizes_per_article.max(1) {
            let cell = self.cell(size, site);
            if let Some(value) = self.stock.get_mut(cell) {
                *value = if size == first { units } else { 0 };
            }
            self.touch(cell);
        }
        true
    }
}

/// Which counter of a cell changes.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    Stock,
    ToClient,
    FromClient,
}
