//! One cabinet as the policy knows it. Folding an event only takes in what it tells; whether something runs
//! out is judged apart, in [`super::judge`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::Recorded;
use events::catalog::{AlertEvent, CabinetEvent, ProductEvent, SyncEvent};
use events::ids::{CabinetId, TenantId};
use events::product::{OrdersObserved, StockObserved};
use events::sync::{SourceOutcome, SourceReport};
use measures::Known;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use application::domain::Decider as _;

use super::product::Product;
use super::warehouses::Warehouses;

/// The source of orders; those of stock begin with `stock`.
pub(super) const ORDERS: &str = "orders";
const STOCK: &str = "stock";

/// How far one source can be believed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Source {
    #[serde(rename = "n")]
    pub(super) name: String,
    /// Whether its last answer was complete and nothing of it was held.
    #[serde(rename = "w")]
    pub(super) whole: bool,
    /// Whether products were judged by it before; the first time, what it tells is not new.
    #[serde(rename = "j")]
    pub(super) judged: bool,
}

impl Source {
    pub(super) fn is_of_stock(&self) -> bool {
        self.name.starts_with(STOCK)
    }
}

/// All that is known of a cabinet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cabinet {
    pub(super) tenant: TenantId,
    pub(super) id: CabinetId,
    /// Position of the last event that was taken in.
    pub(crate) position: i64,
    pub(super) disconnected: bool,
    pub(super) warehouses: Warehouses,
    pub(super) sources: Vec<Source>,
    /// Since when and until when orders are known without a gap.
    known_orders: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub(super) products: BTreeMap<Uuid, Product>,
}

impl Cabinet {
    pub(super) fn new(tenant: TenantId, id: CabinetId) -> Self {
        Self {
            tenant,
            id,
            position: 0,
            disconnected: false,
            warehouses: Warehouses::default(),
            sources: Vec::new(),
            known_orders: None,
            products: BTreeMap::new(),
        }
    }

    /// The products that it has.
    pub(crate) fn product_ids(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.products.keys().copied()
    }

    /// How many products it has.
    pub(crate) fn size(&self) -> usize {
        self.products.len()
    }

    /// Takes an event of one of its products in.
    pub(super) fn product(&mut self, event: &Recorded, fact: &ProductEvent) {
        if let ProductEvent::ProductListed(listed) = fact {
            let known = self.products.entry(event.stream_id);
            // A second listing makes no sense; the read models park the product as well.
            known
                .and_modify(|product| product.broken = true)
                .or_insert_with(|| Product::new(listed.nm_id, &listed.details));
            return;
        }
        let Some(mut product) = self.products.remove(&event.stream_id) else {
            return;
        };
        if !product.broken {
            product.unjudged = true;
            match fact {
                ProductEvent::ProductListed(_) => {}
                ProductEvent::ProductDetailsChanged(changed) => product.adopt(&changed.details),
                ProductEvent::ProductDelisted(_) => product.delisted = true,
                ProductEvent::ProductRelisted(_) => product.delisted = false,
                ProductEvent::StockObserved(observed) => self.stock(&mut product, observed),
                ProductEvent::OrdersObserved(observed) => self.orders(&mut product, observed),
            }
        }
        self.products.insert(event.stream_id, product);
    }

    fn stock(&mut self, product: &mut Product, observed: &StockObserved) {
        let source = self.source(&observed.source);
        let renames = !observed.regrouped.is_empty();
        for key in &observed.regrouped {
            if let Some(at) = self.warehouses.find(key) {
                product.drop_level(at);
            }
        }
        for told in &observed.levels {
            let at = self
                .warehouses
                .see(&told.warehouse, &told.name, told.fulfilment, true);
            product.set_level(at, source, told.available, renames);
        }
    }

    fn orders(&mut self, product: &mut Product, observed: &OrdersObserved) {
        if observed.orders.iter().any(|order| order.quantity < 0) {
            product.broken = true;
            return;
        }
        for line in &observed.orders {
            let at = self
                .warehouses
                .see(&line.warehouse, &line.warehouse_name, line.fulfilment, false);
            product.order(line, at);
        }
    }

    /// An event of a product cannot be read.
    pub(super) fn is_broken(&mut self, product: Uuid) {
        if let Some(product) = self.products.get_mut(&product) {
            product.broken = true;
        }
    }

    fn source(&mut self, name: &str) -> u8 {
        let found = self.sources.iter().position(|source| source.name == name);
        let at = found.unwrap_or_else(|| {
            self.sources.push(Source {
                name: name.to_owned(),
                ..Source::default()
            });
            self.sources.len() - 1
        });
        u8::try_from(at).unwrap_or(u8::MAX)
    }

    /// Takes an event of the cabinet's own stream in.
    pub(super) fn cabinet(&mut self, fact: &CabinetEvent) {
        match fact {
            CabinetEvent::CabinetDisconnected(_) => {
                self.disconnected = true;
                // What is seen after it was connected again is seen for the first time.
                for source in &mut self.sources {
                    (source.whole, source.judged) = (false, false);
                }
            }
            CabinetEvent::CabinetReconnected(_) => {
                self.disconnected = false;
                for product in self.products.values_mut() {
                    product.unjudged = true;
                }
            }
            CabinetEvent::WarehouseExcluded(told) => self.warehouses.leave_out(&told.warehouse, true),
            CabinetEvent::WarehouseIncluded(told) => self.warehouses.leave_out(&told.warehouse, false),
            _ => {}
        }
    }

    /// Takes in how the sources of a sync came out. What a failed sync tells of them decides nothing.
    pub(super) fn sync(&mut self, fact: &SyncEvent) {
        let (reports, at) = match fact {
            SyncEvent::SyncCompleted(done) => (&done.sources, done.completed_at),
            SyncEvent::SyncQuarantined(held) if held.is_recorded_in_part() => {
                (&held.sources, held.quarantined_at)
            }
            _ => return,
        };
        for report in reports {
            self.report(report, at);
        }
    }

    fn report(&mut self, report: &SourceReport, at: DateTime<Utc>) {
        // Not asked again: it is as it was.
        if report.outcome == SourceOutcome::Cached {
            return;
        }
        let source = usize::from(self.source(&report.source));
        if let Some(source) = self.sources.get_mut(source) {
            source.whole = report.is_whole();
        }
        if report.is_whole() && report.source == ORDERS {
            let until = report.as_of.unwrap_or(at);
            let before = self.known_orders.map(|(since, until)| Known { since, until });
            let known = Known::after(before, report.orders_since(until), until);
            self.known_orders = Some((known.since, known.until));
        }
    }

    /// The time of which orders are known.
    pub(super) fn known_orders(&self) -> Option<Known> {
        self.known_orders.map(|(since, until)| Known { since, until })
    }

    /// Takes in an alert that the log has already.
    pub(super) fn alert(&mut self, product: Uuid, fact: &AlertEvent) {
        if let Some(product) = self.products.get_mut(&product) {
            product.alert.evolve(fact);
            product.version += 1;
        }
    }
}
