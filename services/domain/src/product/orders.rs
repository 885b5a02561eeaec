//! Orders of a product: which of those that were told are news.

use std::collections::{BTreeMap, BTreeSet};

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

/// What an answer says of orders, against what is known of them.
#[derive(Debug, Default)]
struct SortedOut {
    /// Orders to record.
    news: Vec<OrderLine>,
    /// Orders that would have doubled a day: as many others of that day are known, and none of them was told.
    held_back: u64,
}

impl Product {
    pub(super) fn orders_event(&self, seen: &Observation) -> Option<ProductEvent> {
        let orders = self.sort_out(seen).news;
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

    /// How many of the orders told are held back, because they look like known ones under other ids:
    /// nothing but the day joins them. Orders that agree to the second with a known one are the same and
    /// are not counted here.
    #[must_use]
    pub fn orders_held_back(&self, seen: &Observation) -> u64 {
        // The ordinary answer tells a known id among its first ones, and then nothing is held back.
        let is_known = |order: &OrderLine| self.orders.contains_key(&hash(&order.order_id));
        if self.orders.is_empty() || seen.orders.iter().any(is_known) {
            return 0;
        }
        self.sort_out(seen).held_back
    }

    /// Wildberries tells orders in two reports, and which of them is asked changes from sync to sync. A
    /// change must never change the count of a day that the other one told, whichever way ids are spelt: a
    /// known order that is not told any more, and an unknown one that was ordered in the same second, are
    /// one order with two spellings. Where not one known id is told, the day alone joins them, and what
    /// would double it is not recorded: the next answer that tells known ids settles it.
    fn sort_out(&self, seen: &Observation) -> SortedOut {
        let told = told(seen);
        let mut sorted = SortedOut::default();
        let mut met: BTreeSet<u64> = BTreeSet::new();
        let mut unknown: Vec<&OrderLine> = Vec::new();
        for order in told.values().copied() {
            let Some((key, id)) = self.known_id(order, seen.marketplace) else {
                unknown.push(order);
                continue;
            };
            met.insert(key);
            let is_news = self
                .orders
                .get(&key)
                .is_some_and(|known| known.is_outdone_by(order, seen.marketplace));
            if is_news {
                sorted.news.push(OrderLine {
                    order_id: id.to_owned(),
                    ..order.clone()
                });
            }
        }
        let mut missed = Missed::default();
        if seen.marketplace == Marketplace::Wildberries {
            missed = Missed::of(
                self,
                &met,
                told.values().map(|order| order.ordered_at.timestamp()),
            );
        }
        // Those that agree to the second first: what is left of a day is left for the others.
        unknown.retain(|order| !missed.has_second(order.ordered_at.timestamp()));
        for order in unknown {
            if met.is_empty() && missed.has_day(order.ordered_at.timestamp()) {
                sorted.held_back += 1;
            } else {
                sorted.news.push(order.clone());
            }
        }
        sorted
            .news
            .sort_by(|one, other| one.order_id.cmp(&other.order_id));
        sorted
    }

    /// The id under which an order is known: its own, or that without what one of the reports puts before it.
    fn known_id<'a>(&self, order: &'a OrderLine, marketplace: Marketplace) -> Option<(u64, &'a str)> {
        let own = order.order_id.as_str();
        let core = (marketplace == Marketplace::Wildberries)
            .then(|| core(own))
            .flatten();
        [Some(own), core].into_iter().flatten().find_map(|id| {
            let key = hash(id);
            self.orders.contains_key(&key).then_some((key, id))
        })
    }
}

/// The orders of an answer, each once in its last state, by what tells them apart.
fn told(seen: &Observation) -> BTreeMap<&str, &OrderLine> {
    let oldest = seen.at - Duration::days(ORDER_MEMORY_DAYS);
    let mut newest: BTreeMap<&str, &OrderLine> = BTreeMap::new();
    for order in seen.orders.iter().filter(|order| order.ordered_at >= oldest) {
        let own = order.order_id.as_str();
        let key = match seen.marketplace {
            Marketplace::Wildberries => core(own).unwrap_or(own),
            Marketplace::Ozon => own,
        };
        // Pages overlap: of one order only its latest state counts. Nothing follows a cancellation, so of two
        // states of one time the cancelled one is the later.
        let kept = newest.entry(key).or_insert(order);
        let is_later = order.changed_at > kept.changed_at
            || (order.changed_at == kept.changed_at && order.cancelled && !kept.cancelled);
        if is_later {
            *kept = order;
        }
    }
    newest
}

/// The part of an order's id that both reports of Wildberries share where sellers saw them differ: 32
/// hexadecimal digits and what follows, as in `eBw.r1f0c….0.0`.
fn core(id: &str) -> Option<&str> {
    let bytes = id.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        let run = bytes[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        if run == 32 {
            return id.get(start..);
        }
        start += run + 1;
    }
    None
}

/// Known orders that an answer should have told and did not: how many, by second and by day of Moscow.
#[derive(Debug, Default)]
struct Missed {
    seconds: BTreeMap<i64, u64>,
    days: BTreeMap<i64, u64>,
}

impl Missed {
    fn of(product: &Product, met: &BTreeSet<u64>, told: impl Iterator<Item = i64>) -> Self {
        let mut missed = Self::default();
        // What was ordered on days before everything told lies before the period that was asked for.
        let Some(first) = told.map(day).min() else {
            return missed;
        };
        for (key, Seen(ordered_at, ..)) in &product.orders {
            if day(*ordered_at) >= first && !met.contains(key) {
                *missed.seconds.entry(*ordered_at).or_default() += 1;
                *missed.days.entry(day(*ordered_at)).or_default() += 1;
            }
        }
        missed
    }

    /// Whether one of this second is left, which is used up by that.
    fn has_second(&mut self, at: i64) -> bool {
        use_up(&mut self.seconds, at) && use_up(&mut self.days, day(at))
    }

    fn has_day(&mut self, at: i64) -> bool {
        use_up(&mut self.days, day(at))
    }
}

fn use_up(counts: &mut BTreeMap<i64, u64>, key: i64) -> bool {
    match counts.get_mut(&key) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    }
}

/// The day in Moscow, by which orders are counted.
fn day(at: i64) -> i64 {
    const MOSCOW: i64 = 3 * 3_600;
    (at + MOSCOW).div_euclid(86_400)
}
