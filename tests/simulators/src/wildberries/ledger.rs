//! The truth about a Wildberries cabinet, row by row.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::names::{BRANDS, SUBJECTS};
use super::orders::srid;
use super::world::{Card, Site, Status, World, discounted, discounted_minor};
use crate::ledger::{Ledger, LedgerLevel, LedgerOrder, LedgerProduct, LedgerSize, LedgerWarehouse};
use crate::server::Stall;
use crate::text::from_millis;

impl Stall for World {
    fn step(&mut self, now: i64) {
        self.push_on(now);
    }

    fn mutate_fraction(&mut self, fraction: f64) -> usize {
        self.change_fraction(fraction)
    }

    fn ledger(&self, now: DateTime<Utc>, since: i64, hidden: bool) -> Ledger {
        let here = self.sites.iter().map(|site| LedgerWarehouse {
            hidden_in_stock: hidden && site.russian,
            hidden_in_orders: hidden && site.russian,
            ..warehouse(site, false)
        });
        let own = self.fbs.iter().map(|site| warehouse(site, true));
        let from = self
            .orders
            .partition_point(|order| order.date < since - 86_400_000);
        Ledger {
            now,
            happened: self.lived.clone(),
            warehouses: here.chain(own).collect(),
            products: self.cards.iter().map(|card| self.product_row(card)).collect(),
            levels: (0..self.sizes.len())
                .flat_map(|size| self.level_rows(size))
                .collect(),
            orders: (from..self.orders.len())
                .filter_map(|index| self.order_row(index))
                .filter(|order| order.ordered_at.timestamp_millis() >= since)
                .collect(),
        }
    }
}

fn warehouse(site: &Site, own: bool) -> LedgerWarehouse {
    LedgerWarehouse {
        id: site.id,
        name: site.name.clone(),
        own,
        open: site.open,
        hidden_in_stock: false,
        hidden_in_orders: false,
        cluster: site.region.clone(),
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Created => "created",
        Status::Buyout => "buyout",
        Status::Cancelled => "cancelled",
        Status::Returned => "returned",
        Status::Defective => "returned_defective",
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl World {
    fn product_row(&self, card: &Card) -> LedgerProduct {
        let sizes = self.sizes_of(card);
        let sorted = |mut barcodes: Vec<String>| {
            barcodes.sort_unstable();
            barcodes
        };
        LedgerProduct {
            article: signed(card.nm_id),
            vendor_code: card.vendor_code.clone(),
            brand: BRANDS.get(card.brand).copied().unwrap_or_default().to_owned(),
            subject: SUBJECTS
                .get(card.subject)
                .map_or("", |subject| subject.1)
                .to_owned(),
            title: card.title.clone(),
            barcodes: sorted(sizes.iter().flat_map(|size| size.barcodes.clone()).collect()),
            listed: card.listed,
            price_minor: card.price * 100,
            discounted_minor: discounted_minor(card.price),
            sizes: sizes
                .iter()
                .map(|size| LedgerSize {
                    id: size.chrt_id,
                    name: size.tech_size.clone(),
                    barcodes: sorted(size.barcodes.clone()),
                })
                .collect(),
        }
    }

    fn level_rows(&self, index: usize) -> Vec<LedgerLevel> {
        let (Some(size), Some(card)) = (self.sizes.get(index), self.card_of(index)) else {
            return Vec::new();
        };
        let empty = |warehouse| LedgerLevel {
            article: signed(card.nm_id),
            size: size.chrt_id,
            warehouse,
            buckets: BTreeMap::new(),
            ..LedgerLevel::default()
        };
        let here = self.sites.iter().enumerate().map(|(at, site)| {
            let cell = self.cell(index, at);
            let read = |counters: &[u32]| i64::from(counters.get(cell).copied().unwrap_or(0));
            LedgerLevel {
                available: read(&self.stock),
                to_client: read(&self.to_client),
                from_client: read(&self.from_client),
                ..empty(site.id)
            }
        });
        let own = self.fbs.iter().enumerate().map(|(at, site)| {
            let amount = self.fbs_stock.get(index * self.fbs.len() + at).copied();
            LedgerLevel {
                available: i64::from(amount.flatten().unwrap_or(0)),
                ..empty(site.id)
            }
        });
        here.chain(own)
            .filter(|level| level.available + level.to_client + level.from_client > 0)
            .collect()
    }

    fn order_row(&self, index: usize) -> Option<LedgerOrder> {
        let order = self.orders.get(index)?;
        let sites = if order.from_fbs { &self.fbs } else { &self.sites };
        Some(LedgerOrder {
            id: srid(order),
            article: signed(self.card_of(order.size)?.nm_id),
            warehouse: sites.get(order.site)?.id,
            ordered_at: from_millis(order.date),
            changed_at: from_millis(order.changed),
            quantity: 1,
            status: status(order.status).to_owned(),
            size: Some(self.sizes.get(order.size)?.chrt_id),
            price_minor: discounted(order.price) * 100,
        })
    }
}
