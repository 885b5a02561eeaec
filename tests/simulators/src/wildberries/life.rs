//! What an event of a life does to a Wildberries cabinet.

use std::collections::BTreeMap;

use super::names::{BRANDS, COLOURS, STEADY, SUBJECTS};
use super::seller::{fbs_site, site};
use super::world::{Counter, Site, Status, World};
use crate::dice::Dice;
use crate::life::{Happening, Life, Shop, hours, widen};

/// Of orders, so many per cent are shipped by the seller.
const OWN_PERCENT: usize = 15;
/// Of supplies, so many per cent go to the seller's own warehouses.
const OWN_SUPPLIES_PERCENT: usize = 30;
/// What a warehouse is called after it was renamed, behind its former name.
const RENAMED: &str = " (новый)";

/// What was begun and ends later; to an order, unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Next {
    Buyout,
    Cancel,
    Return,
    ReturnDefective,
    /// What came back is for sale again.
    Arrive,
    /// What came back is no good.
    Scrap,
    /// A warehouse of the seller is gone for good.
    Leave,
    /// The seller brings everything back.
    Refill,
}

impl Shop for World {
    fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    fn life(&self) -> &Life {
        &self.config.life
    }

    fn lived(&mut self) -> &mut BTreeMap<String, u64> {
        &mut self.lived
    }

    fn happen(&mut self, what: Happening, now: i64) {
        match what {
            Happening::Sale => self.live_sale(now),
            Happening::Supply => self.live_supply(),
            Happening::Move => self.live_move(),
            Happening::Loss => self.live_loss(),
            Happening::Price => {
                let (card, price) = (self.dice.below(self.cards.len()), 500 + self.dice.below(90) * 50);
                if let Some(card) = self.cards.get_mut(card) {
                    card.price = i64::try_from(price).unwrap_or(0);
                }
            }
            Happening::Appearance => {
                let seed = self.dice.bits();
                self.add_card(&mut Dice::new(seed), self.cards.len(), now);
            }
            Happening::Delisting => {
                if let Some(card) = self.some_card(true) {
                    self.delist(card);
                }
            }
            Happening::Relisting => self.relist(now),
            Happening::Rename => self.live_rename(now),
            Happening::Opening => self.open(),
            Happening::Closing => self.close(now),
            Happening::WarehouseRename => self.rename_warehouse(),
            Happening::Clearance => {
                for cell in 0..self.stock.len() {
                    if let Some(units) = self.stock.get_mut(cell) {
                        *units = 0;
                    }
                    self.touch(cell);
                }
                let back = hours(&mut self.dice, 48, 96);
                self.agenda.add(now + back, 0, Next::Refill);
            }
        }
    }

    fn come_due(&mut self, now: i64) {
        while let Some((at, whom, what)) = self.agenda.due(now) {
            match what {
                Next::Buyout => self.buy_out(whom, at),
                Next::Cancel => {
                    if self.cancel_order(whom, at) {
                        self.bring_back(whom, at, Next::Arrive);
                    }
                }
                Next::Return => self.send_back(whom, at, Status::Returned, Next::Arrive),
                Next::ReturnDefective => self.send_back(whom, at, Status::Defective, Next::Scrap),
                Next::Arrive => self.arrive(whom, true),
                Next::Scrap => self.arrive(whom, false),
                Next::Leave => {
                    if let Some(site) = self.fbs.get_mut(whom) {
                        site.leaving = false;
                    }
                }
                Next::Refill => self.refill(),
            }
        }
    }
}

impl World {
    fn live_sale(&mut self, now: i64) {
        let own = self.dice.percent(OWN_PERCENT);
        let order = if own {
            self.sell_own(now)
        } else {
            self.sell_here(now)
        };
        let Some(order) = order else { return };
        let life = self.config.life.clone();
        let dice = &mut self.dice;
        // Some orders are cancelled at once, some after days; some never hear of their end.
        if dice.percent(life.cancelled_percent) {
            let after = if dice.percent(50) {
                hours(dice, 0, 6)
            } else {
                hours(dice, 24, 240)
            };
            self.agenda.add(now + after, order, Next::Cancel);
        } else if dice.percent(95) {
            let bought = now + hours(dice, 48, 288);
            let returned = dice.percent(life.returned_percent);
            let back = bought + hours(dice, 120, 480);
            let how = if dice.percent(25) {
                Next::ReturnDefective
            } else {
                Next::Return
            };
            self.agenda.add(bought, order, Next::Buyout);
            if returned {
                self.agenda.add(back, order, how);
            }
        }
    }

    fn sell_here(&mut self, now: i64) -> Option<usize> {
        let cell = self.find_cell(|world, cell| world.stock.get(cell).is_some_and(|&units| units > 0))?;
        self.change(Counter::Stock, cell, -1);
        self.change(Counter::ToClient, cell, 1);
        let sites = self.sites.len().max(1);
        Some(self.order(cell / sites, cell % sites, false, now))
    }

    fn sell_own(&mut self, now: i64) -> Option<usize> {
        let own = self.fbs.len();
        for _ in 0..50 {
            let cell = self.dice.below(self.fbs_stock.len());
            if let Some(Some(units)) = self.fbs_stock.get_mut(cell).filter(|units| **units > Some(0)) {
                *units -= 1;
                return Some(self.order(cell / own, cell % own, true, now));
            }
        }
        None
    }

    fn buy_out(&mut self, order: usize, at: i64) {
        if let Some((size, site, false)) = self.become_of(order, Status::Buyout, at) {
            let cell = self.cell(size, site);
            self.change(Counter::ToClient, cell, -1);
        }
    }

    fn send_back(&mut self, order: usize, at: i64, status: Status, then: Next) {
        if let Some((size, site, own)) = self.become_of(order, status, at) {
            if !own {
                let cell = self.cell(size, site);
                self.change(Counter::FromClient, cell, 1);
            }
            self.bring_back(order, at, then);
        }
    }

    fn bring_back(&mut self, order: usize, at: i64, then: Next) {
        let after = hours(&mut self.dice, 24, 120);
        self.agenda.add(at + after, order, then);
    }

    /// What came back is there: for sale where it came from, or where there is room instead.
    fn arrive(&mut self, order: usize, good: bool) {
        let Some(order) = self.orders.get(order) else {
            return;
        };
        let (size, site, own) = (order.size, order.site, order.from_fbs);
        if own {
            let cell = size * self.fbs.len() + site;
            let open = self.fbs.get(site).is_some_and(|site| site.open);
            if let Some(Some(units)) = self.fbs_stock.get_mut(cell).filter(|_| good && open) {
                *units += 1;
            }
            return;
        }
        let cell = self.cell(size, site);
        self.change(Counter::FromClient, cell, -1);
        let open = self.sites.get(site).is_some_and(|site| site.open);
        let there = if open { Some(site) } else { self.some_site() };
        if let Some(site) = there.filter(|_| good) {
            let cell = self.cell(size, site);
            self.change(Counter::Stock, cell, 1);
        }
    }

    fn live_supply(&mut self) {
        let size = self.dice.below(self.sizes.len());
        if self.card_of(size).is_none_or(|card| !card.listed) {
            return;
        }
        let units = 5 + self.dice.below(55);
        if self.dice.percent(OWN_SUPPLIES_PERCENT) && !self.fbs.is_empty() {
            let site = self.dice.below(self.fbs.len());
            let amount = if self.dice.percent(10) {
                None
            } else {
                u32::try_from(units - 5).ok()
            };
            let cell = size * self.fbs.len() + site;
            let open = self.fbs.get(site).is_some_and(|site| site.open);
            if let Some(known) = self.fbs_stock.get_mut(cell).filter(|_| open) {
                *known = amount;
            }
        } else if let Some(site) = self.some_site() {
            let cell = self.cell(size, site);
            self.change(Counter::Stock, cell, i64::try_from(units).unwrap_or(0));
        }
    }

    fn live_move(&mut self) {
        let from = self.find_cell(|world, cell| world.stock.get(cell).is_some_and(|&units| units > 0));
        let (Some(from), Some(site)) = (from, self.some_site()) else {
            return;
        };
        let held = self.stock.get(from).copied().unwrap_or(0);
        let units = 1 + i64::try_from(self.dice.below(usize::try_from(held).unwrap_or(1))).unwrap_or(0);
        let to = self.cell(from / self.sites.len().max(1), site);
        self.change(Counter::Stock, from, -units);
        self.change(Counter::Stock, to, units);
    }

    fn live_loss(&mut self) {
        let cell = self.find_cell(|world, cell| world.stock.get(cell).is_some_and(|&units| units > 0));
        let units = 1 + i64::try_from(self.dice.below(5)).unwrap_or(0);
        if let Some(cell) = cell {
            self.change(Counter::Stock, cell, -units);
        }
    }

    fn refill(&mut self) {
        for size in 0..self.sizes.len() {
            if self.card_of(size).is_none_or(|card| !card.listed) {
                continue;
            }
            for site in 0..self.sites.len() {
                let open = self.sites.get(site).is_some_and(|site| site.open);
                if open && self.dice.percent(self.config.filled_percent) {
                    let units = 1 + i64::try_from(self.dice.below(100)).unwrap_or(0);
                    let cell = self.cell(size, site);
                    self.change(Counter::Stock, cell, units);
                }
            }
        }
    }

    fn some_card(&mut self, listed: bool) -> Option<usize> {
        let at: Vec<usize> = (0..self.cards.len())
            .filter(|&at| self.cards.get(at).is_some_and(|card| card.listed == listed))
            .collect();
        self.dice.pick(&at).copied()
    }

    fn some_site(&mut self) -> Option<usize> {
        let open: Vec<usize> = positions(&self.sites, |site| site.open);
        self.dice.pick(&open).copied()
    }

    fn relist(&mut self, now: i64) {
        let Some(index) = self.some_card(false) else {
            return;
        };
        if let Some(card) = self.cards.get_mut(index) {
            card.listed = true;
            card.updated = now;
            self.by_update.insert((now, card.nm_id, index));
        }
    }

    fn live_rename(&mut self, now: i64) {
        let Some(index) = self.some_card(true) else { return };
        let (what, brand, subject) = (
            self.dice.below(5),
            self.dice.below(BRANDS.len()),
            self.dice.below(SUBJECTS.len()),
        );
        let colour = self.dice.pick(COLOURS).copied().unwrap_or_default();
        let first = self.cards.get(index).map_or(0, |card| card.first_size);
        let number = self.dice.below(1_000_000_000);
        self.edit(index, now, |card| match what {
            0 => card.title = format!("Товар {number} {colour}"),
            1 => card.brand = brand,
            2 => card.subject = subject,
            3 => {
                let start = card.vendor_code.split('/').next().unwrap_or_default().to_owned();
                card.vendor_code = format!("{start}/{colour}");
            }
            _ => {}
        });
        if what == 4
            && let Some(size) = self.sizes.get_mut(first)
        {
            size.barcodes.push(format!("4600{number:09}"));
        }
    }

    /// A warehouse that was closed opens again, or a new one.
    fn open(&mut self) {
        let own = self.dice.percent(30);
        let sites = if own { &self.fbs } else { &self.sites };
        let closed = positions(sites, |site| !site.open && !site.leaving);
        let again = if self.dice.percent(40) {
            self.dice.pick(&closed).copied()
        } else {
            None
        };
        let sites = if own { &mut self.fbs } else { &mut self.sites };
        if let Some(site) = again.and_then(|at| sites.get_mut(at)) {
            site.open = true;
            return;
        }
        let width = sites.len();
        if own {
            self.fbs.push(fbs_site(self.config.seed, width));
            widen(&mut self.fbs_stock, width, &None);
        } else {
            self.sites.push(site(width));
            for counters in [&mut self.stock, &mut self.to_client, &mut self.from_client] {
                widen(counters, width, &0);
            }
            self.rows.fill(None);
        }
    }

    /// A warehouse closes; what lies there goes to another one, what is on its way stays where it is told.
    fn close(&mut self, now: i64) {
        if self.dice.percent(30) {
            let open = positions(&self.fbs, |site| site.open);
            let Some(&at) = self.dice.pick(&open) else { return };
            let width = self.fbs.len();
            if let Some(site) = self.fbs.get_mut(at) {
                (site.open, site.leaving) = (false, true);
            }
            for amount in self.fbs_stock.iter_mut().skip(at).step_by(width) {
                *amount = None;
            }
            let gone = hours(&mut self.dice, 24, 72);
            self.agenda.add(now + gone, at, Next::Leave);
            return;
        }
        let open = positions(&self.sites, |site| site.open && site.name != STEADY);
        if open.len() < 3 {
            return;
        }
        let Some(&at) = self.dice.pick(&open) else { return };
        if let Some(site) = self.sites.get_mut(at) {
            site.open = false;
        }
        let Some(to) = self.some_site() else { return };
        for size in 0..self.sizes.len() {
            let (from, to) = (self.cell(size, at), self.cell(size, to));
            let units = i64::from(self.stock.get(from).copied().unwrap_or(0));
            if units > 0 {
                self.change(Counter::Stock, from, -units);
                self.change(Counter::Stock, to, units);
            }
        }
    }

    /// Orders of before are shown under the new name too: reports take it from the warehouse.
    fn rename_warehouse(&mut self) {
        let own = self.dice.percent(30);
        let sites = if own { &self.fbs } else { &self.sites };
        let open = positions(sites, |site| site.open && site.name != STEADY);
        let at = self.dice.pick(&open).copied();
        let sites = if own { &mut self.fbs } else { &mut self.sites };
        if let Some(site) = at.and_then(|at| sites.get_mut(at)) {
            site.name = match site.name.strip_suffix(RENAMED) {
                Some(former) => former.to_owned(),
                None => format!("{}{RENAMED}", site.name),
            };
        }
        self.rows.fill(None);
    }
}

fn positions(sites: &[Site], wanted: impl Fn(&Site) -> bool) -> Vec<usize> {
    sites
        .iter()
        .enumerate()
        .filter(|(_, site)| wanted(site))
        .map(|(at, _)| at)
        .collect()
}
