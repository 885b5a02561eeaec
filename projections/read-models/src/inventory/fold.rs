//! The pure part: one event onto the rows. Everything is checked before anything is changed, so that an event
//! that makes no sense leaves no trace.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use events::Recorded;
use events::catalog::{ProductEvent, SyncEvent};
use events::ids::SyncId;
use events::product::{Details, Fulfilment, OrdersObserved, ProductListed, StockLevel, StockObserved};
use events::sync::SourceReport;
use uuid::Uuid;

pub(super) use sight::{cabinet, is_of_sight};

use super::in_stock::{Moved, Tallies};
use super::rows::{Change, Fresh, Level, Order, Pair, Product, Rows, Slot, Spell, Warehouse};
use crate::held::{Ended, Held};
use crate::projection::{Rejected, name_of};
use measures::{Known, moscow_day};

mod sight;

/// Folds an event of a product's stream.
pub(super) fn product(rows: &mut Rows, event: &Recorded, fact: &ProductEvent) -> Result<(), Rejected> {
    let key = (event.metadata.tenant_id.uuid(), event.stream_id);
    if let ProductEvent::ProductListed(listed) = fact {
        if rows.products.contains_key(&key) {
            return Err(Rejected("the product is listed already".to_owned()));
        }
        let product = new_product(event, listed);
        let change = change(event, &product, "listed", listed.sync_id);
        rows.products.insert(key, product);
        rows.history.push(change);
        return Ok(());
    }
    let Some(mut product) = rows.products.remove(&key) else {
        return Err(Rejected("the product was never listed".to_owned()));
    };
    let outcome = onto(rows, event, &mut product, fact);
    if outcome.is_ok() {
        product.position = event.position;
        product.updated_at = event.recorded_at;
        product.changed = true;
    }
    rows.products.insert(key, product);
    outcome
}

fn onto(
    rows: &mut Rows,
    event: &Recorded,
    product: &mut Product,
    fact: &ProductEvent,
) -> Result<(), Rejected> {
    match fact {
        ProductEvent::ProductListed(_) => {}
        ProductEvent::ProductDetailsChanged(changed) => {
            let detail = adopt(product, &changed.details);
            let mut row = change(event, product, "details_changed", changed.sync_id);
            row.detail = Some(detail);
            rows.history.push(row);
        }
        ProductEvent::ProductDelisted(delisted) => {
            product.delisted = true;
            rows.history
                .push(change(event, product, "delisted", delisted.sync_id));
        }
        ProductEvent::ProductRelisted(relisted) => {
            product.delisted = false;
            rows.history
                .push(change(event, product, "relisted", relisted.sync_id));
        }
        ProductEvent::StockObserved(observed) => stock(rows, event, product, observed)?,
        ProductEvent::OrdersObserved(observed) => orders(rows, event, product, observed)?,
    }
    Ok(())
}

fn new_product(event: &Recorded, listed: &ProductListed) -> Product {
    let mut product = Product {
        cabinet_id: listed.cabinet_id.uuid(),
        marketplace: listed.marketplace.as_str().to_owned(),
        nm_id: listed.nm_id,
        vendor_code: String::new(),
        brand: String::new(),
        subject: String::new(),
        title: String::new(),
        barcodes: Vec::new(),
        sizes: Vec::new(),
        price: None,
        figures: Vec::new(),
        delisted: false,
        available: 0,
        in_way: Pair::default(),
        unassigned: Pair::default(),
        as_of: BTreeMap::new(),
        stock_sources: Tallies::default(),
        observed_since: None,
        listed_at: event.recorded_at,
        updated_at: event.recorded_at,
        first_position: event.position,
        position: event.position,
        changed: true,
    };
    adopt(&mut product, &listed.details);
    product
}

/// Takes over the details; names those that differ.
fn adopt(product: &mut Product, details: &Details) -> String {
    let mut differing = Vec::new();
    for (name, mine, theirs) in [
        ("vendor_code", &mut product.vendor_code, &details.vendor_code),
        ("brand", &mut product.brand, &details.brand),
        ("subject", &mut product.subject, &details.subject),
        ("title", &mut product.title, &details.title),
    ] {
        if mine != theirs {
            mine.clone_from(theirs);
            differing.push(name);
        }
    }
    if product.barcodes != details.barcodes {
        product.barcodes.clone_from(&details.barcodes);
        differing.push("barcodes");
    }
    if product.sizes != details.sizes {
        product.sizes.clone_from(&details.sizes);
        differing.push("sizes");
    }
    if product.price != details.price {
        product.price.clone_from(&details.price);
        differing.push("price");
    }
    differing.join(", ")
}

/// A row of the history with everything that is the same for all kinds.
fn change(event: &Recorded, product: &Product, kind: &'static str, sync_id: SyncId) -> Change {
    Change {
        tenant_id: event.metadata.tenant_id.uuid(),
        product_id: event.stream_id,
        position: event.position,
        cabinet_id: product.cabinet_id,
        recorded_at: event.recorded_at,
        kind,
        sync_id: sync_id.uuid(),
        total_available: product.available,
        total: product.in_way,
        delisted: product.delisted,
        ..Change::default()
    }
}

/// Totals that cannot overflow unnoticed.
#[derive(Clone, Copy)]
struct Sums {
    available: i64,
    in_way: Pair,
}

impl Sums {
    fn replace(&mut self, before: Sums, after: Sums) -> Result<(), Rejected> {
        let step = |sum: i64, before: i64, after: i64| {
            sum.checked_sub(before)
                .and_then(|rest| rest.checked_add(after))
                .ok_or_else(|| Rejected("the sum of the levels exceeds 64 bits".to_owned()))
        };
        self.available = step(self.available, before.available, after.available)?;
        self.in_way.to = step(self.in_way.to, before.in_way.to, after.in_way.to)?;
        self.in_way.from = step(self.in_way.from, before.in_way.from, after.in_way.from)?;
        Ok(())
    }

    const NONE: Self = Self {
        available: 0,
        in_way: Pair { to: 0, from: 0 },
    };

    fn of(level: Option<&Level>) -> Self {
        level.map_or(Self::NONE, |level| Self {
            available: level.available,
            in_way: level.in_way,
        })
    }

    fn told(level: &StockLevel) -> Self {
        Self {
            available: level.available,
            in_way: Pair {
                to: level.in_way_to_client,
                from: level.in_way_from_client,
            },
        }
    }
}

fn stock(
    rows: &mut Rows,
    event: &Recorded,
    product: &mut Product,
    observed: &StockObserved,
) -> Result<(), Rejected> {
    let tenant = event.metadata.tenant_id.uuid();
    let found = |warehouse: &str| {
        rows.levels
            .get(&(tenant, event.stream_id, warehouse.to_owned()))
            .and_then(Slot::level)
            .cloned()
    };
    let mut sums = Sums {
        available: product.available,
        in_way: product.in_way,
    };
    let mut changes = Vec::new();
    let mut moved = Moved::default();
    moved.add(&observed.source, 0);
    let mut fresh: BTreeMap<&str, Option<Level>> = BTreeMap::new();
    let row = |kind| Change {
        as_of: Some(observed.as_of),
        source: Some(observed.source.clone()),
        ..change(event, product, kind, observed.sync_id)
    };
    for warehouse in &observed.regrouped {
        let Some(before) = found(warehouse) else { continue };
        sums.replace(Sums::of(Some(&before)), Sums::NONE)?;
        moved.add(&before.source, before.available.saturating_neg());
        let mut closed = Change {
            warehouse: Some(warehouse.clone()),
            ..row("regrouped")
        };
        set_numbers(&mut closed, Some(Sums::of(Some(&before))), None);
        changes.push(closed);
        fresh.insert(warehouse, None);
    }
    for told in &observed.levels {
        let before = match fresh.get(told.warehouse.as_str()) {
            Some(level) => level.clone(),
            None => found(&told.warehouse),
        };
        let (was, is) = (Sums::of(before.as_ref()), Sums::told(told));
        sums.replace(was, is)?;
        if let Some(before) = &before {
            moved.add(&before.source, before.available.saturating_neg());
        }
        moved.add(&observed.source, told.available);
        if before.is_none() || (was.available, was.in_way) != (is.available, is.in_way) {
            // In an event that regroups, a level that is new is an old one under another name.
            let kind = if before.is_none() && !observed.regrouped.is_empty() {
                "regrouped"
            } else {
                "stock"
            };
            let mut changed = Change {
                warehouse: Some(told.warehouse.clone()),
                ..row(kind)
            };
            changed.warehouse_name = Some(told.name.clone());
            set_numbers(&mut changed, before.is_some().then_some(was), Some(is));
            changes.push(changed);
        }
        let level = level_of(event, product, observed, told, before);
        fresh.insert(&told.warehouse, Some(level));
    }
    let mut unassigned = product.unassigned;
    if let Some(told) = observed.unassigned_in_way {
        let is = Pair {
            to: told.to_client,
            from: told.from_client,
        };
        let sum = |in_way| Sums { available: 0, in_way };
        sums.replace(sum(unassigned), sum(is))?;
        let mut changed = row("in_way");
        changed.to_client = (Some(unassigned.to), Some(is.to));
        changed.from_client = (Some(unassigned.from), Some(is.from));
        changes.push(changed);
        unassigned = is;
    }
    // Nothing can fail from here on.
    let slots: Vec<(String, Slot)> = fresh
        .into_iter()
        .map(|(warehouse, level)| (warehouse.to_owned(), level.map_or(Slot::Removed, Slot::Written)))
        .collect();
    for (warehouse, slot) in slots {
        rows.levels.insert((tenant, event.stream_id, warehouse), slot);
    }
    see_levels(rows, event, product.cabinet_id, &observed.levels);
    product.available = sums.available;
    product.in_way = sums.in_way;
    product.unassigned = unassigned;
    if let Some(figures) = &observed.turnover {
        product.figures.clone_from(figures);
    }
    product.as_of.insert(observed.source.clone(), observed.as_of);
    rows.spells
        .extend(ended_spells(event, product, observed.as_of, moved));
    for (index, mut changed) in (0..).zip(changes) {
        changed.index = index;
        changed.total_available = sums.available;
        changed.total = sums.in_way;
        rows.history.push(changed);
    }
    Ok(())
}

fn see_levels(rows: &mut Rows, event: &Recorded, cabinet: Uuid, levels: &[StockLevel]) {
    for (index, told) in (0..).zip(levels) {
        let sighting = sighting(event, index, &told.warehouse, &told.name, told.fulfilment, true);
        let tenant = event.metadata.tenant_id.uuid();
        see(rows, tenant, cabinet, &told.warehouse, sighting);
    }
}

fn ended_spells(
    event: &Recorded,
    product: &mut Product,
    as_of: DateTime<Utc>,
    moved: Moved,
) -> impl Iterator<Item = Spell> + use<> {
    product.observed_since.get_or_insert(as_of);
    let (tenant_id, product_id, position) =
        (event.metadata.tenant_id.uuid(), event.stream_id, event.position);
    let ended = product.stock_sources.observe(as_of, moved);
    ended.into_iter().map(move |ended| Spell {
        tenant_id,
        product_id,
        source: ended.source,
        began_at: ended.began_at,
        ended_at: ended.ended_at,
        position,
    })
}

fn set_numbers(row: &mut Change, before: Option<Sums>, after: Option<Sums>) {
    row.available = (
        before.map(|sums| sums.available),
        after.map(|sums| sums.available),
    );
    row.to_client = (
        before.map(|sums| sums.in_way.to),
        after.map(|sums| sums.in_way.to),
    );
    row.from_client = (
        before.map(|sums| sums.in_way.from),
        after.map(|sums| sums.in_way.from),
    );
}

fn level_of(
    event: &Recorded,
    product: &Product,
    observed: &StockObserved,
    told: &StockLevel,
    before: Option<Level>,
) -> Level {
    Level {
        cabinet_id: product.cabinet_id,
        available: told.available,
        in_way: Pair {
            to: told.in_way_to_client,
            from: told.in_way_from_client,
        },
        buckets: told.buckets.clone(),
        // An answer that does not tell the region does not take it away.
        cluster: told
            .cluster
            .clone()
            .or_else(|| before.and_then(|before| before.cluster)),
        sizes: told.sizes.clone(),
        source: observed.source.clone(),
        as_of: observed.as_of,
        sync_id: observed.sync_id.uuid(),
        changed_at: event.recorded_at,
        position: event.position,
    }
}

fn orders(
    rows: &mut Rows,
    event: &Recorded,
    product: &mut Product,
    observed: &OrdersObserved,
) -> Result<(), Rejected> {
    let tenant = event.metadata.tenant_id.uuid();
    if let Some(order) = observed.orders.iter().find(|order| order.quantity < 0) {
        return Err(Rejected(format!("an order of {} units", order.quantity)));
    }
    for (index, line) in (0..).zip(&observed.orders) {
        let order = Order {
            product_id: event.stream_id,
            day: moscow_day(line.ordered_at),
            ordered_at: line.ordered_at,
            changed_at: line.changed_at,
            warehouse: line.warehouse.clone(),
            warehouse_name: line.warehouse_name.clone(),
            fulfilment: line.fulfilment.as_str(),
            quantity: line.quantity,
            status: line.status.clone(),
            cancelled: line.cancelled,
            price_minor: line.price_minor,
            currency: line.currency.clone(),
            size_id: line.size_id,
            cluster: line.cluster.clone(),
            as_of: observed.as_of,
            sync_id: observed.sync_id.uuid(),
            position: event.position,
        };
        rows.days.insert((tenant, event.stream_id, order.day));
        if let Some(replaced) = rows
            .orders
            .insert((tenant, product.cabinet_id, line.order_id.clone()), order)
        {
            rows.days.insert((tenant, replaced.product_id, replaced.day));
        }
        let sighting = sighting(
            event,
            index,
            &line.warehouse,
            &line.warehouse_name,
            line.fulfilment,
            false,
        );
        see(rows, tenant, product.cabinet_id, &line.warehouse, sighting);
    }
    product.as_of.insert(observed.source.clone(), observed.as_of);
    let mut row = change(event, product, "orders", observed.sync_id);
    row.as_of = Some(observed.as_of);
    row.source = Some(observed.source.clone());
    row.orders = i64::try_from(observed.orders.len()).ok();
    rows.history.push(row);
    Ok(())
}

fn sighting(
    event: &Recorded,
    index: i32,
    key: &str,
    name: &str,
    fulfilment: Fulfilment,
    in_stock: bool,
) -> Warehouse {
    // Keys are `<fulfilment>:<what the marketplace tells>`; the connector names the masked one.
    let masked = key
        .split_once(':')
        .is_some_and(|(_, rest)| rest == "masked" || rest.starts_with("masked:"));
    Warehouse {
        name: name.to_owned(),
        names: in_stock.then(|| name.to_owned()).into_iter().collect(),
        fulfilment: fulfilment.as_str(),
        masked,
        in_stock,
        in_orders: !in_stock,
        first: (event.position, index),
        named: (event.position, index),
    }
}

fn see(rows: &mut Rows, tenant: Uuid, cabinet: Uuid, key: &str, sighting: Warehouse) {
    match rows.warehouses.entry((tenant, cabinet, key.to_owned())) {
        std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().merge(sighting),
        std::collections::btree_map::Entry::Vacant(place) => {
            place.insert(sighting);
        }
    }
}

/// Folds an event of a cabinet's sync stream: how its sources came out, and what of them is held back. Only
/// what a sync recorded makes a source newer: that of one that completed, and the part of one that was held
/// back which was not.
pub(super) fn sync(rows: &mut Rows, event: &Recorded, fact: &SyncEvent) {
    let (sources, sync_id, at, ended) = match fact {
        SyncEvent::SyncCompleted(done) => (&done.sources, done.sync_id, done.completed_at, Ended::Completed),
        SyncEvent::SyncFailed(failed) => (&failed.sources, failed.sync_id, failed.failed_at, Ended::Failed),
        SyncEvent::SyncQuarantined(held) if held.is_recorded_in_part() => (
            &held.sources,
            held.sync_id,
            held.quarantined_at,
            Ended::Quarantined,
        ),
        SyncEvent::SyncDiscarded(discarded) => return discard(rows, event, discarded.sync_id),
        // What is held back is not known yet, and whether a source has degraded is told with the cabinet.
        SyncEvent::SyncRequested(_)
        | SyncEvent::SyncStarted(_)
        | SyncEvent::SyncQuarantined(_)
        | SyncEvent::SyncReleased(_)
        | SyncEvent::SourceDegraded(_)
        | SyncEvent::SourceRecovered(_) => return,
    };
    for report in sources {
        let key = (
            event.metadata.tenant_id.uuid(),
            event.stream_id,
            report.source.clone(),
        );
        let before = rows.freshness.get(&key);
        let mut news = Fresh {
            as_of: before.and_then(|before| before.as_of),
            complete_at: before.and_then(|before| before.complete_at),
            complete_by: before.and_then(|before| before.complete_by),
            covers_since: before.and_then(|before| before.covers_since),
            outcome: name_of(&report.outcome),
            outcome_at: event.recorded_at,
            error: report.error.clone(),
            sync_id: sync_id.uuid(),
            held: (before.map(|before| before.held.clone()).unwrap_or_default()).after(
                report,
                sync_id.uuid(),
                ended,
            ),
            position: event.position,
            changed: true,
        };
        if ended != Ended::Failed && report.is_whole() {
            let as_of = report.as_of.unwrap_or(at);
            news.covers_since = covered(report, as_of, before);
            news.as_of = Some(as_of);
            news.complete_at = Some(event.recorded_at);
            news.complete_by = Some(sync_id.uuid());
        }
        rows.freshness.insert(key, news);
    }
}

/// A person does not believe what a sync holds: nothing of it is held any more.
fn discard(rows: &mut Rows, event: &Recorded, sync_id: SyncId) {
    let (tenant, cabinet) = (event.metadata.tenant_id.uuid(), event.stream_id);
    let of_cabinet = (rows.freshness.iter_mut()).filter(|((of, at, _), fresh)| {
        (*of, *at) == (tenant, cabinet) && fresh.held.by == Some(sync_id.uuid())
    });
    for (_, fresh) in of_cabinet {
        fresh.held = Held::default();
        fresh.position = event.position;
        fresh.changed = true;
    }
}

/// Since when orders are known without a gap, with this answer. What was known before goes on where the
/// answer joins on to it.
fn covered(report: &SourceReport, as_of: DateTime<Utc>, before: Option<&Fresh>) -> Option<DateTime<Utc>> {
    if report.source != "orders" {
        return None;
    }
    let before = before.and_then(|before| {
        let (since, until) = before.covers_since.zip(before.as_of)?;
        Some(Known { since, until })
    });
    Some(Known::after(before, report.orders_since(as_of), as_of).since)
}
