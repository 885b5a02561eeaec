//! What an event of a life does to an Ozon cabinet.

use std::collections::BTreeMap;

use super::names::GOODS;
use super::seller::{fbs_site, site};
use super::world::{Cell, FbsCell, Posting, Site, Stage, World};
use crate::dice::Dice;
use crate::life::{Happening, Life, Shop, hours, widen};

/// Of parcels, so many per cent are shipped by the seller.
const OWN_PERCENT: usize = 20;
/// Of supplies, so many per cent go to the seller's own warehouses.
const OWN_SUPPLIES_PERCENT: usize = 30;
/// Of what comes back, so many per cent are no good.
const DEFECTIVE_PERCENT: usize = 10;
/// What a warehouse is called after it was renamed, behind its former name.
const RENAMED: &str = "_НОВЫЙ";

/// What was begun and ends later: to a parcel, or to a cell of stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Next {
    Pack,
    HandOver,
    Deliver,
    Cancel,
    /// A buyer brings it back.
    Return,
    /// What came back is looked at.
    Check,
    /// What was looked at is for sale again, or not.
    Accept,
    /// A cell's supply goes one station on.
    Supply,
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
            Happening::Supply => self.live_supply(now),
            Happening::Move => self.live_move(),
            Happening::Loss => {
                if let Some(at) = self.find_cell(|cell| cell.available > 0)
                    && let Some(cell) = self.cells.get_mut(at)
                {
                    cell.available -= 1;
                    cell.not_sold += 1;
                }
            }
            Happening::Price => {
                let (at, price) = (self.dice.below(self.products.len()), self.dice.below(5_000));
                if let Some(product) = self.products.get_mut(at) {
                    product.price = 30_000 + i64::try_from(price).unwrap_or(0) * 100;
                }
            }
            Happening::Appearance => {
                let seed = self.dice.bits();
                self.add_product(&mut Dice::new(seed), now);
            }
            Happening::Delisting => {
                if let Some(at) = self.some_product(false) {
                    self.archive(at);
                }
            }
            Happening::Relisting => {
                let at = self.some_product(true);
                if let Some(product) = at.and_then(|at| self.products.get_mut(at)) {
                    (product.archived, product.updated) = (false, now);
                }
            }
            Happening::Rename => self.live_rename(now),
            Happening::Opening => self.open_warehouse(),
            Happening::Closing => self.close_warehouse(),
            Happening::WarehouseRename => self.rename_warehouse(),
            Happening::Clearance => {
                for cell in &mut self.cells {
                    cell.available = 0;
                }
                let back = hours(&mut self.dice, 48, 96);
                self.agenda.add(now + back, 0, Next::Refill);
            }
        }
    }

    fn come_due(&mut self, now: i64) {
        while let Some((at, whom, what)) = self.agenda.due(now) {
            match what {
                Next::Pack => self.go_on(whom, Stage::Deliver, at),
                Next::HandOver => self.go_on(whom, Stage::Delivering, at),
                Next::Deliver => self.go_on(whom, Stage::Delivered, at),
                Next::Cancel => self.go_on(whom, Stage::Cancelled, at),
                Next::Return => self.come_back(whom, at),
                Next::Check => self.check(whom, at),
                Next::Accept => self.accept(whom),
                Next::Supply => self.next_station(whom, at),
                Next::Refill => self.refill(),
            }
        }
    }
}

impl World {
    fn live_sale(&mut self, now: i64) {
        let own = self.dice.percent(OWN_PERCENT);
        let taken = if own { self.take_own() } else { self.take_here() };
        let Some((site, taken)) = taken else { return };
        let lines = taken
            .into_iter()
            .map(|(product, quantity)| self.line(product, quantity))
            .collect();
        let (index, number) = (self.postings.len(), self.dice.below(100_000_000));
        self.postings.push(Posting {
            number: format!("{number:08}-{index:04}-1"),
            lines,
            site,
            from_fbs: own,
            created: now,
            handed: None,
            stage: Stage::Packaging,
        });
        let life = self.config.life.clone();
        let dice = &mut self.dice;
        let packed = now + hours(dice, 1, 12);
        let handed = packed + hours(dice, 6, 48);
        let delivered = handed + hours(dice, 24, 240);
        if dice.percent(life.cancelled_percent) {
            // Before it is packed, before it is handed over, or days later on the way.
            let at = [packed, handed, delivered][dice.below(3)] - 1;
            self.agenda.add(at, index, Next::Cancel);
        } else if dice.percent(life.returned_percent) {
            let back = delivered + hours(dice, 120, 480);
            self.agenda.add(back, index, Next::Return);
        }
        for (at, next) in [
            (packed, Next::Pack),
            (handed, Next::HandOver),
            (delivered, Next::Deliver),
        ] {
            self.agenda.add(at, index, next);
        }
    }

    /// One or two products out of one warehouse of Ozon.
    fn take_here(&mut self) -> Option<(usize, Vec<(usize, u32)>)> {
        let first = self.find_cell(|cell| cell.available > 0)?;
        let sites = self.sites.len().max(1);
        let (product, site) = (first / sites, first % sites);
        let wanted = 1 + u32::from(self.dice.percent(10));
        let mut taken = vec![(product, wanted)];
        let second = self.dice.below(self.products.len());
        if self.dice.percent(15) && second != product {
            taken.push((second, 1));
        }
        taken.retain_mut(|(product, quantity)| {
            let Some(cell) = self.cells.get_mut(*product * sites + site) else {
                return false;
            };
            *quantity = cell.available.min(*quantity);
            cell.available -= *quantity;
            cell.to_client += *quantity;
            *quantity > 0
        });
        Some((site, taken))
    }

    fn take_own(&mut self) -> Option<(usize, Vec<(usize, u32)>)> {
        let own = self.fbs.len();
        for _ in 0..50 {
            let at = self.dice.below(self.fbs_cells.len());
            if let Some(Some(cell)) = self.fbs_cells.get_mut(at)
                && cell.present > cell.reserved
            {
                cell.reserved += 1;
                return Some((at % own, vec![(at / own, 1)]));
            }
        }
        None
    }

    fn go_on(&mut self, index: usize, stage: Stage, at: i64) {
        let Some(posting) = self.postings.get_mut(index) else {
            return;
        };
        let before = posting.stage;
        if matches!(before, Stage::Cancelled | Stage::Delivered) {
            return;
        }
        posting.stage = stage;
        if stage == Stage::Delivering {
            posting.handed = Some(at);
        }
        let (site, own, lines) = (posting.site, posting.from_fbs, posting.lines.clone());
        for line in lines {
            if own {
                for _ in 0..line.quantity {
                    self.move_fbs(line.product, site, before, stage);
                }
                continue;
            }
            let cell = line.product * self.sites.len() + site;
            if self.is_archived(line.product) {
                continue;
            }
            if let Some(cell) = self.cells.get_mut(cell)
                && matches!(stage, Stage::Delivered | Stage::Cancelled)
            {
                cell.to_client = cell.to_client.saturating_sub(line.quantity);
            }
            if stage == Stage::Cancelled {
                self.send_back(cell, line.quantity, at);
            }
        }
    }

    fn come_back(&mut self, index: usize, at: i64) {
        let Some(posting) = self.postings.get(index) else {
            return;
        };
        if posting.stage != Stage::Delivered || posting.from_fbs {
            return;
        }
        let (site, lines) = (posting.site, posting.lines.clone());
        for line in lines {
            if !self.is_archived(line.product) {
                self.send_back(line.product * self.sites.len() + site, line.quantity, at);
            }
        }
    }

    fn send_back(&mut self, cell: usize, quantity: u32, at: i64) {
        if let Some(cell) = self.cells.get_mut(cell) {
            cell.from_client += quantity;
        }
        let after = hours(&mut self.dice, 24, 120);
        self.agenda.add(at + after, self.place(cell), Next::Check);
    }

    /// A cell in a form that stays when warehouses are added.
    fn place(&self, cell: usize) -> usize {
        let sites = self.sites.len().max(1);
        (cell / sites) << 16 | (cell % sites)
    }

    fn at_place(&mut self, place: usize) -> Option<&mut Cell> {
        let (product, site) = (place >> 16, place & 0xffff);
        if self.is_archived(product) {
            return None;
        }
        self.cells.get_mut(product * self.sites.len() + site)
    }

    fn check(&mut self, place: usize, at: i64) {
        let after = hours(&mut self.dice, 12, 48);
        let Some(cell) = self.at_place(place) else { return };
        cell.checking += std::mem::take(&mut cell.from_client);
        self.agenda.add(at + after, place, Next::Accept);
    }

    fn accept(&mut self, place: usize) {
        let bad = self.dice.percent(DEFECTIVE_PERCENT);
        let Some(cell) = self.at_place(place) else { return };
        let units = std::mem::take(&mut cell.checking);
        if bad {
            cell.defective += units;
        } else {
            self.for_sale(place, units);
        }
    }

    /// For sale where it lies, or where there is room instead.
    fn for_sale(&mut self, place: usize, units: u32) {
        let (product, site) = (place >> 16, place & 0xffff);
        let open = self.sites.get(site).is_some_and(|site| site.open);
        let there = if open { Some(site) } else { self.some_site() };
        let sites = self.sites.len();
        if let Some(cell) = there.and_then(|site| self.cells.get_mut(product * sites + site)) {
            cell.available += units;
        }
    }

    fn live_supply(&mut self, now: i64) {
        let product = self.dice.below(self.products.len());
        let units = 1 + u32::try_from(self.dice.below(40)).unwrap_or(0);
        if self.is_archived(product) {
            return;
        }
        if self.dice.percent(OWN_SUPPLIES_PERCENT) && !self.fbs.is_empty() {
            let (site, none) = (self.dice.below(self.fbs.len()), self.dice.percent(10));
            if !self.fbs.get(site).is_some_and(|site| site.open) {
                return;
            }
            if let Some(cell) = self.fbs_cells.get_mut(product * self.fbs.len() + site) {
                let reserved = cell.map_or(0, |cell| cell.reserved);
                let present = reserved + units - 1;
                *cell = (!none).then_some(FbsCell { present, reserved });
            }
        } else if let Some(site) = self.some_site() {
            let place = product << 16 | site;
            if let Some(cell) = self.at_place(place) {
                cell.requested += units;
            }
            let after = hours(&mut self.dice, 12, 72);
            self.agenda.add(now + after, place, Next::Supply);
        }
    }

    /// Applied for, on the road, being prepared, for sale.
    fn next_station(&mut self, place: usize, at: i64) {
        let after = hours(&mut self.dice, 12, 72);
        let Some(cell) = self.at_place(place) else { return };
        let ready = std::mem::take(&mut cell.preparing);
        cell.preparing = std::mem::take(&mut cell.transit);
        cell.transit = std::mem::take(&mut cell.requested);
        let more = cell.preparing + cell.transit > 0;
        self.for_sale(place, ready);
        if more {
            self.agenda.add(at + after, place, Next::Supply);
        }
    }

    fn live_move(&mut self) {
        let (Some(from), Some(site)) = (self.find_cell(|cell| cell.available > 0), self.some_site()) else {
            return;
        };
        let to = from / self.sites.len().max(1) * self.sites.len() + site;
        let units = self.cells.get_mut(from).map_or(0, |cell| {
            let units = cell.available.div_ceil(2);
            cell.available -= units;
            units
        });
        if let Some(cell) = self.cells.get_mut(to) {
            cell.available += units;
        }
    }

    fn refill(&mut self) {
        let sites = self.sites.len();
        for at in 0..self.cells.len() {
            let open = self.sites.get(at % sites).is_some_and(|site| site.open);
            if open && !self.is_archived(at / sites) && self.dice.percent(self.config.filled_percent) {
                let units = 1 + u32::try_from(self.dice.below(100)).unwrap_or(0);
                if let Some(cell) = self.cells.get_mut(at) {
                    cell.available += units;
                }
            }
        }
    }

    fn is_archived(&self, product: usize) -> bool {
        self.products.get(product).is_none_or(|product| product.archived)
    }

    fn some_product(&mut self, archived: bool) -> Option<usize> {
        let at: Vec<usize> = (0..self.products.len())
            .filter(|&at| self.is_archived(at) == archived)
            .collect();
        self.dice.pick(&at).copied()
    }

    fn some_site(&mut self) -> Option<usize> {
        let open = positions(&self.sites, |site| site.open);
        self.dice.pick(&open).copied()
    }

    fn live_rename(&mut self, now: i64) {
        let at = self.some_product(false);
        let goods = self.dice.below(GOODS.len());
        let (what, number) = (self.dice.below(2), self.dice.below(100_000));
        if let Some(product) = at.and_then(|at| self.products.get_mut(at)) {
            product.updated = now;
            match what {
                0 => {
                    let title = GOODS.get(goods).map_or("", |goods| goods.title);
                    product.name = format!("{title}, модель {number}");
                    product.goods = goods;
                }
                _ => product.offer_id = format!("ART-{:05}-{number}", product.product_id % 100_000),
            }
        }
    }

    /// A warehouse that was closed opens again, or a new one.
    fn open_warehouse(&mut self) {
        let own = self.dice.percent(30);
        let sites = if own { &self.fbs } else { &self.sites };
        let closed = positions(sites, |site| !site.open);
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
            widen(&mut self.fbs_cells, width, &None);
        } else {
            self.sites.push(site(width));
            widen(&mut self.cells, width, &Cell::default());
        }
    }

    /// A warehouse closes; what is for sale there goes to another one, the rest stays where it is told.
    fn close_warehouse(&mut self) {
        if self.dice.percent(30) {
            let open = positions(&self.fbs, |site| site.open);
            let (Some(&at), width) = (self.dice.pick(&open), self.fbs.len()) else {
                return;
            };
            // Without any warehouse of its own a cabinet answers otherwise; that is another story.
            if open.len() < 2 {
                return;
            }
            if let Some(site) = self.fbs.get_mut(at) {
                site.open = false;
            }
            for cell in self.fbs_cells.iter_mut().skip(at).step_by(width) {
                *cell = None;
            }
            return;
        }
        let open = positions(&self.sites, |site| site.open);
        if open.len() < 3 {
            return;
        }
        let Some(&at) = self.dice.pick(&open) else { return };
        if let Some(site) = self.sites.get_mut(at) {
            site.open = false;
        }
        let Some(to) = self.some_site() else { return };
        for row in self.cells.chunks_mut(self.sites.len()) {
            let units = row
                .get_mut(at)
                .map_or(0, |cell| std::mem::take(&mut cell.available));
            if let Some(cell) = row.get_mut(to) {
                cell.available += units;
            }
        }
    }

    fn rename_warehouse(&mut self) {
        let own = self.dice.percent(30);
        let sites = if own { &self.fbs } else { &self.sites };
        let open = positions(sites, |site| site.open);
        let at = self.dice.pick(&open).copied();
        let sites = if own { &mut self.fbs } else { &mut self.sites };
        if let Some(site) = at.and_then(|at| sites.get_mut(at)) {
            site.name = match site.name.strip_suffix(RENAMED) {
                Some(former) => former.to_owned(),
                None => format!("{}{RENAMED}", site.name),
            };
        }
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
