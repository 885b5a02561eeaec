//! The truth about an Ozon cabinet, row by row.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::names::CLUSTERS;
use super::truth::{KINDS, Kind};
use super::world::{Posting, Product, Site, Stage, World};
use crate::ledger::{Ledger, LedgerLevel, LedgerOrder, LedgerProduct, LedgerWarehouse};
use crate::server::Stall;
use crate::text::from_millis;

impl Stall for World {
    fn step(&mut self, now: i64) {
        self.push_on(now);
    }

    fn mutate_fraction(&mut self, fraction: f64) -> usize {
        self.change_fraction(fraction)
    }

    fn ledger(&self, now: DateTime<Utc>, since: i64, _hidden: bool) -> Ledger {
        let here = self.sites.iter().map(|site| warehouse(site, false));
        let own = self.fbs.iter().map(|site| warehouse(site, true));
        Ledger {
            now,
            happened: self.lived.clone(),
            warehouses: here.chain(own).collect(),
            products: self.products.iter().map(product_row).collect(),
            levels: (0..self.products.len())
                .flat_map(|product| self.level_rows(product))
                .collect(),
            orders: self
                .postings
                .iter()
                .filter(|posting| posting.created >= since)
                .flat_map(|posting| self.order_rows(posting))
                .collect(),
        }
    }
}

fn warehouse(site: &Site, own: bool) -> LedgerWarehouse {
    let cluster = CLUSTERS.get(site.cluster).filter(|_| !own);
    LedgerWarehouse {
        id: site.id,
        name: site.name.clone(),
        own,
        open: site.open,
        hidden_in_stock: false,
        hidden_in_orders: false,
        cluster: cluster.map_or("", |cluster| cluster.1).to_owned(),
    }
}

fn status(stage: Stage) -> &'static str {
    match stage {
        Stage::Packaging | Stage::Deliver | Stage::Delivering => "created",
        Stage::Delivered => "buyout",
        Stage::Cancelled => "cancelled",
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn product_row(product: &Product) -> LedgerProduct {
    LedgerProduct {
        article: signed(product.sku),
        vendor_code: product.offer_id.clone(),
        brand: product.brand().to_owned(),
        subject: product.kind().to_owned(),
        title: product.name.clone(),
        barcodes: vec![format!("OZN{}", product.sku)],
        listed: !product.archived,
        price_minor: product.crossed_out(),
        discounted_minor: product.price,
        sizes: Vec::new(),
    }
}

impl World {
    fn level_rows(&self, index: usize) -> Vec<LedgerLevel> {
        let Some(product) = self.products.get(index).filter(|product| !product.archived) else {
            return Vec::new();
        };
        let (sites, own) = (self.sites.len(), self.fbs.len());
        let cells = self.cells.get(index * sites..(index + 1) * sites);
        let here = self
            .sites
            .iter()
            .zip(cells.unwrap_or_default())
            .map(|(site, cell)| {
                let units = |(name, of): (&str, Kind)| (name.to_owned(), i64::from(of(cell)));
                LedgerLevel {
                    article: signed(product.sku),
                    size: product.sku,
                    warehouse: site.id,
                    available: i64::from(cell.available),
                    to_client: i64::from(cell.to_client),
                    from_client: i64::from(cell.from_client),
                    buckets: KINDS
                        .map(units)
                        .into_iter()
                        .filter(|(_, units)| *units > 0)
                        .collect(),
                }
            });
        let cells = self.fbs_cells.get(index * own..(index + 1) * own);
        let fbs = self
            .fbs
            .iter()
            .zip(cells.unwrap_or_default())
            .filter_map(|(site, cell)| {
                let cell = (*cell)?;
                let reserved = ("reserved".to_owned(), i64::from(cell.reserved));
                Some(LedgerLevel {
                    article: signed(product.sku),
                    size: product.sku_of(true),
                    warehouse: site.id,
                    available: i64::from(cell.present - cell.reserved),
                    to_client: 0,
                    from_client: 0,
                    buckets: BTreeMap::from_iter((cell.reserved > 0).then_some(reserved)),
                })
            });
        here.chain(fbs)
            .filter(|level| {
                level.available + level.to_client + level.from_client > 0 || !level.buckets.is_empty()
            })
            .collect()
    }

    fn order_rows(&self, posting: &Posting) -> Vec<LedgerOrder> {
        let sites = if posting.from_fbs { &self.fbs } else { &self.sites };
        let Some(site) = sites.get(posting.site) else {
            return Vec::new();
        };
        let rows = posting.lines.iter().filter_map(|line| {
            let product = self.products.get(line.product)?;
            Some(LedgerOrder {
                id: format!("{}:{}", posting.number, self.told_sku(posting, product)),
                article: signed(product.sku),
                warehouse: site.id,
                ordered_at: from_millis(posting.created),
                changed_at: from_millis(posting.handed.unwrap_or(posting.created)),
                quantity: i64::from(line.quantity),
                status: status(posting.stage).to_owned(),
                size: None,
                price_minor: line.price,
            })
        });
        rows.collect()
    }
}
