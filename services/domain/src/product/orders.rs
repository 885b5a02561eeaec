//! Orders of a product: which of those that were told are news.

use std::collections::BTreeMap;

use chrono::Duration;
use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::product::{OrderLine, OrdersObserved};

use super::{ORDER_MEMORY_DAYS, Observation, Product, Seen, hash};

/// Bits of a fingerprint that tell how much is known of an order.
const DEPTH: u64 = 0b11;
/// The first status of an order.
const CREATED: &str = "created";

impl Seen {
    pub(super) fn of(order: &OrderLine) -> Self {
        let fingerprint = hash(&format!(
            "{}|{}|{}|{}|{}|{}|{:?}|{:?}|{:?}|{:?}",
            order.ordered_at.timestamp(),
            order.warehouse,
            order.warehouse_name,
            order.quantity,
            order.status,
            order.cancelled,
            order.price_minor,
            order.currency,
            order.size_id,
            order.cluster,
        ));
        Self(
            order.ordered_at.timestamp(),
            order.changed_at.timestamp_millis(),
            (fingerprint & !DEPTH) | depth(order),
        )
    }

    /// Whether what is told now is to be recorded over this. Wildberries has two sources of orders, and the
    /// older one, which is asked when the other is closed, knows no status but cancelled and no sizes: what
    /// it cannot tell it takes from nobody.
    fn is_outdone_by(self, order: &OrderLine, marketplace: Marketplace) -> bool {
        let told = Self::of(order);
        let tells_less = marketplace == Marketplace::Wildberries && (told.2 & DEPTH) < (self.2 & DEPTH);
        told.1 >= self.1 && told.2 != self.2 && !tells_less
    }
}

/// How much an order line tells: that it was ordered, also which size or from which region, also what became
/// of it.
fn depth(order: &OrderLine) -> u64 {
    if order.status != CREATED {
        return 2;
    }
    u64::from(order.size_id.is_some() || order.cluster.is_some())
}

impl Product {
    pub(super) fn orders_event(&self, seen: &Observation) -> Option<ProductEvent> {
        let oldest = seen.at - Duration::days(ORDER_MEMORY_DAYS);
        let mut newest: BTreeMap<&str, &OrderLine> = BTreeMap::new();
        for order in seen.orders.iter().filter(|order| order.ordered_at >= oldest) {
            // Pages overlap: of one order only its latest state counts, and of two at one moment the cancelled.
            let kept = newest.entry(&order.order_id).or_insert(order);
            if (order.changed_at, order.cancelled) > (kept.changed_at, kept.cancelled) {
                *kept = order;
            }
        }
        let orders: Vec<OrderLine> = newest
            .into_values()
            .filter(|order| {
                let known = self.orders.get(&hash(&order.order_id));
                known.is_none_or(|known| known.is_outdone_by(order, seen.marketplace))
            })
            .cloned()
            .collect();
        if orders.is_empty() {
            return None;
        }
        Some(
            OrdersObserved {
                sync_id: seen.sync_id,
                source: seen.orders_source.clone(),
                as_of: seen.at,
                orders,
            }
            .into(),
        )
    }
}
