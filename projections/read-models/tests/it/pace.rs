//! Orders by window, pace, days of stock: what the questions answer equals what a naive recount of the same
//! events finds, minute by minute, however the log is cut.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use database::Role;
use events::catalog::{ProductEvent, SyncEvent};
use events::ids::ProductId;
use events::product::{OrderLine, StockObserved};
use events::sync::{SourceOutcome, SourceReport, SyncCompleted};
use measures::{Pace, moscow_day};
use read_models::Inventory;
use read_models::inventory::queries::{
    Outlook, ProductQuery, SheetProduct, SheetRows, Sort, outlooks, product, products, sheet_rows,
    sheet_rows_known_at,
};

use crate::world::{Dice, Log, World, at, cabinet, level, order, sync_id, tenant};

const SOURCES: [&str; 2] = ["stock_fbo", "stock_fbs"];
const KEYS: [(&str, &str); 4] = [
    ("fbo:507", "Коледино"),
    ("fbo:117986", "Казань"),
    ("fbo:masked", "Склад WB"),
    ("fbs:1", "Подольск"),
];
const WINDOWS: [i64; 3] = [7, 14, 28];

fn now() -> DateTime<Utc> {
    at("2026-10-01T15:00:00Z")
}

/// Until when the cabinet is known: its orders are older than its stock.
fn until() -> DateTime<Utc> {
    at("2026-10-01T13:30:00Z")
}

/// What a person would note down about one product.
#[derive(Default)]
struct Notes {
    /// Per source: time and units of all its warehouses from then on.
    lines: BTreeMap<&'static str, Vec<(DateTime<Utc>, i64)>>,
    levels: BTreeMap<&'static str, (&'static str, i64)>,
    since: Option<DateTime<Utc>>,
    orders: BTreeMap<String, OrderLine>,
}

impl Notes {
    fn observed(&mut self, source: &'static str, as_of: DateTime<Utc>) {
        self.since.get_or_insert(as_of);
        let sources: BTreeSet<_> = self.lines.keys().copied().chain([source]).collect();
        for told in sources {
            let units: i64 = self
                .levels
                .values()
                .filter(|(by, _)| *by == told)
                .map(|(_, units)| units)
                .sum();
            let line = self.lines.entry(told).or_default();
            if told != source && line.last().is_none_or(|(_, known)| *known == units) {
                continue;
            }
            let at = line.last().map_or(as_of, |(last, _)| as_of.max(*last));
            line.push((at, units));
        }
    }

    fn in_stock(&self, minute: DateTime<Utc>) -> bool {
        self.lines.values().any(|line| {
            line.iter()
                .rfind(|(at, _)| *at <= minute)
                .is_some_and(|(_, units)| *units > 0)
        })
    }

    fn pace(&self, days: i64) -> Pace {
        let first = moscow_day(now()) - TimeDelta::days(days - 1);
        let Some(since) = self.since else {
            return Pace::default();
        };
        let known = |at: DateTime<Utc>| moscow_day(at) >= first && since <= at && at < until();
        let units = self
            .orders
            .values()
            .filter(|line| !line.cancelled && known(line.ordered_at))
            .map(|line| line.quantity)
            .sum();
        let minutes = (0..days * 24 * 60 + 24 * 60)
            .map(|minute| until() - TimeDelta::minutes(minute))
            .filter(|minute| known(*minute) && self.in_stock(*minute))
            .count();
        Pace {
            units,
            in_stock: i64::try_from(minutes).unwrap() * 60_000_000,
        }
    }

    /// Units and returns of whole windows, whatever is known of stock.
    fn ordered(&self, days: i64, status: Option<&str>) -> i64 {
        let (today, first) = (moscow_day(now()), moscow_day(now()) - TimeDelta::days(days - 1));
        self.orders
            .values()
            .filter(|line| !line.cancelled && (first..=today).contains(&moscow_day(line.ordered_at)))
            .filter(|line| status.is_none_or(|status| line.status == status))
            .map(|line| line.quantity)
            .sum()
    }
}

fn minutes_ago(dice: &mut Dice, most_days: u64) -> DateTime<Utc> {
    until() + TimeDelta::hours(3) - TimeDelta::minutes(i64::try_from(dice.roll(most_days * 1440)).unwrap())
}

/// An order, as it is told first or once more, its status changed or not; some are told again and again.
fn told_order(dice: &mut Dice, notes: &mut Notes, nm_id: i64) -> OrderLine {
    let id = format!("{nm_id}-{}", dice.roll(60));
    let (key, name) = KEYS[usize::try_from(dice.roll(4)).unwrap()];
    let mut line = notes.orders.get(&id).cloned().unwrap_or_else(|| {
        let mut line = order(&id, "2026-09-01T00:00:00Z", key, name, false);
        line.ordered_at = minutes_ago(dice, 35);
        line.quantity = 1 + i64::try_from(dice.roll(3)).unwrap();
        line
    });
    let (status, cancelled) = match dice.roll(6) {
        0 => ("cancelled", true),
        1 => ("returned", false),
        _ => ("created", false),
    };
    (line.status, line.cancelled) = (status.to_owned(), cancelled);
    notes.orders.insert(id, line.clone());
    line
}

fn told_stock(dice: &mut Dice, notes: &mut Notes, time: DateTime<Utc>) -> StockObserved {
    let source = SOURCES[usize::try_from(dice.roll(2)).unwrap()];
    // Reports are of different age, and now and then one is older than the one before.
    let as_of = time - TimeDelta::minutes(i64::try_from(dice.roll(90)).unwrap());
    let mut levels = Vec::new();
    let mut regrouped = Vec::new();
    for (key, name) in KEYS {
        let known = notes.levels.contains_key(key);
        if dice.roll(3) == 0 {
            let units = if dice.roll(2) == 0 {
                0
            } else {
                i64::try_from(dice.roll(20)).unwrap()
            };
            notes.levels.insert(key, (source, units));
            levels.push(level(key, name, units));
        } else if known && dice.roll(12) == 0 {
            notes.levels.remove(key);
            regrouped.push(key.to_owned());
        }
    }
    notes.observed(source, as_of);
    StockObserved {
        sync_id: sync_id(1),
        source: source.to_owned(),
        as_of,
        levels,
        regrouped,
        unassigned_in_way: None,
        turnover: None,
    }
}

fn complete(sources: &[(&str, DateTime<Utc>)]) -> SyncCompleted {
    SyncCompleted {
        sync_id: sync_id(9),
        attempt: 1,
        completed_at: now(),
        sources: sources
            .iter()
            .map(|(source, as_of)| SourceReport {
                source: (*source).to_owned(),
                outcome: SourceOutcome::Complete,
                rows: 1,
                as_of: Some(*as_of),
                payload_sha256: String::new(),
                left_out: None,
                payload_bytes: None,
                error: None,
                doubts: Vec::new(),
                covers_since: Some(*as_of - TimeDelta::days(60)),
            })
            .collect(),
        products_seen: 1,
        products_changed: 1,
    }
}

/// Products whose stock comes and goes, their orders told over and over.
fn lives(seed: u64, count: i64, events: usize) -> (Log, BTreeMap<ProductId, Notes>) {
    let (who, place) = (tenant(1), cabinet(1));
    let mut dice = Dice(seed);
    let mut log = Log::default();
    let mut all: Vec<(ProductId, Notes, i64)> = (1..=count)
        .map(|nm_id| (log.list(who, place, nm_id), Notes::default(), nm_id))
        .collect();
    // In the order of time, as syncs come; some products are first seen late.
    for step in 0..events {
        let passed = i64::try_from(step * 35 * 1440 / events).unwrap();
        let time = until() - TimeDelta::days(35) + TimeDelta::minutes(passed);
        let (id, notes, nm_id) = &mut all[usize::try_from(dice.roll(u64::try_from(count).unwrap())).unwrap()];
        let event = if dice.roll(3) == 0 {
            let lines = (0..dice.roll(8))
                .map(|_| told_order(&mut dice, notes, *nm_id))
                .collect();
            log.orders(who, *id, lines);
            continue;
        } else {
            ProductEvent::from(told_stock(&mut dice, notes, time))
        };
        log.push(who, id.uuid(), event);
    }
    let report = complete(&[("stock_fbo", now()), ("stock_fbs", until()), ("orders", until())]);
    log.push(who, place.uuid(), SyncEvent::from(report));
    (log, all.into_iter().map(|(id, notes, _)| (id, notes)).collect())
}

async fn asked(world: &World) -> HashMap<uuid::Uuid, Outlook> {
    let pool = world.pool(Role::Api);
    let mut session = pool.tenant(tenant(1)).await.unwrap();
    let tx = session.begin().await.unwrap();
    outlooks(&tx, now(), None).await.unwrap()
}

fn windows(outlook: &Outlook) -> [Pace; 3] {
    let paces = outlook.paces;
    [paces.last_7, paces.last_14, paces.last_28]
}

#[tokio::test]
async fn pace_and_orders_equal_a_recount_minute_by_minute_however_the_log_is_cut() {
    for (seed, size) in [(1, 1), (2, 13), (3, 10_000)] {
        let (log, products) = lives(seed, 12, 500);
        let world = World::new().await;
        let applied = world.fold::<Inventory>(&log.events, size).await;
        assert_eq!((applied.parked, applied.unknown), (0, 0));
        let found = asked(&world).await;
        let (mut moving, mut partly) = (0, 0);
        for (id, notes) in &products {
            let outlook = found.get(&id.uuid()).copied().unwrap_or_default();
            let expected = WINDOWS.map(|days| notes.pace(days));
            assert_eq!(windows(&outlook), expected, "seed {seed}, product {id:?}");
            let orders = outlook.orders;
            assert_eq!(
                [orders.last_7, orders.last_14, orders.last_28, orders.returned_28],
                [
                    notes.ordered(7, None),
                    notes.ordered(14, None),
                    notes.ordered(28, None),
                    notes.ordered(28, Some("returned"))
                ]
            );
            moving += i32::from(expected[2].units > 0);
            partly += i32::from((1..28 * 86_400_000_000).contains(&expected[2].in_stock));
        }
        assert!(
            moving >= 10 && partly >= 10,
            "{moving} sell, {partly} come and go"
        );
    }
}

#[tokio::test]
async fn a_recount_notices_a_spell_that_is_missing() {
    let (log, products) = lives(2, 12, 500);
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let admin = support::connect(&world.database.url).await;
    admin
        .execute(
            "DELETE FROM rm_inventory.stock_spells WHERE ended_at > '2026-09-20'",
            &[],
        )
        .await
        .unwrap();
    let found = asked(&world).await;
    let same = products
        .iter()
        .filter(|(id, notes)| windows(&found[&id.uuid()]) == WINDOWS.map(|days| notes.pace(days)))
        .count();
    assert!(same < products.len());
}

#[tokio::test]
async fn lists_by_days_of_stock_and_by_day_of_the_end_are_sorted_by_what_they_show() {
    let (log, _) = lives(5, 40, 1_500);
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 100).await;
    let pool = world.pool(Role::Api);
    let mut session = pool.tenant(tenant(1)).await.unwrap();
    let tx = session.begin().await.unwrap();
    for sort in [Sort::DaysOfStock, Sort::StockOut] {
        for descending in [false, true] {
            let query = |after, limit, later: i64| ProductQuery {
                sort,
                descending,
                after,
                ..ProductQuery::new(now() + TimeDelta::hours(later), limit)
            };
            let mut shown = Vec::new();
            let (mut next, mut later) = (None, 0);
            loop {
                // Time goes on between the pages.
                let page = products(&tx, &query(next, 7, later)).await.unwrap();
                later += 5;
                shown.extend(page.items.into_iter().map(|item| {
                    let key = match sort {
                        Sort::DaysOfStock => item.outlook.days_of_stock(item.available).map(|days| days.0),
                        _ => item
                            .outlook
                            .stock_out_on(item.available)
                            .map(|day| day.to_epoch_days().into()),
                    };
                    (key, item.product_id)
                }));
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            let mut sorted = shown.clone();
            sorted.sort_by_key(|(key, id)| {
                let known = key.map_or(i64::MAX, |key| if descending { -key } else { key });
                (
                    known,
                    if descending {
                        u128::MAX - id.as_u128()
                    } else {
                        id.as_u128()
                    },
                )
            });
            assert_eq!(shown, sorted, "{sort:?} {descending}");
            assert_eq!(shown.len(), 40);
            assert!(
                shown.iter().filter(|(key, _)| key.is_some()).count() >= 10,
                "{shown:?}"
            );
        }
    }
    let soon = ProductQuery {
        most_days_of_stock: Some(100),
        stock_out_until: Some(moscow_day(now()) + TimeDelta::days(9)),
        ..ProductQuery::new(now(), 100)
    };
    let soon = products(&tx, &soon).await.unwrap().items;
    assert!(!soon.is_empty() && soon.len() < 40);
    for item in soon {
        assert!(item.outlook.days_of_stock(item.available).unwrap().0 <= 100);
    }
}

#[tokio::test]
async fn a_product_s_warehouses_have_paces_whose_units_sum_up_to_its_own() {
    let (log, all) = lives(7, 6, 400);
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 50).await;
    let pool = world.pool(Role::Api);
    let mut session = pool.tenant(tenant(1)).await.unwrap();
    let tx = session.begin().await.unwrap();
    for id in all.keys() {
        let detail = product(&tx, id.uuid(), now(), false).await.unwrap().unwrap();
        let paces = detail.summary.outlook.paces;
        let sum: i64 = detail.levels.iter().map(|level| level.paces.last_28.units).sum();
        assert_eq!(sum, paces.last_28.units);
        let longest = detail
            .levels
            .iter()
            .map(|level| level.paces.last_28.in_stock)
            .max();
        let together: i64 = detail
            .levels
            .iter()
            .map(|level| level.paces.last_28.in_stock)
            .sum();
        assert!(longest.unwrap() <= paces.last_28.in_stock && paces.last_28.in_stock <= together);
        assert_eq!(
            detail
                .levels
                .iter()
                .map(|level| level.orders.last_28)
                .sum::<i64>(),
            detail.summary.outlook.orders.last_28
        );
    }
}

#[tokio::test]
async fn nothing_is_told_of_the_pace_before_stock_and_orders_are_known() {
    let (mut log, all) = lives(9, 3, 100);
    log.events.pop();
    let world = World::new().await;
    world.fold::<Inventory>(&log.events, 50).await;
    let found = asked(&world).await;
    for id in all.keys() {
        let outlook = found.get(&id.uuid()).copied().unwrap_or_default();
        assert_eq!(outlook.known_until, None);
        assert_eq!(outlook.days_of_stock(100), None);
        assert_eq!(outlook.stock_out_on(100), None);
    }
}

#[tokio::test]
async fn every_earlier_state_is_answered_as_it_was_answered_then() {
    let (log, all) = lives(11, 5, 120);
    let whole = World::new().await;
    whole.fold::<Inventory>(&log.events, 50).await;
    for known in [20, 60, 90, 120] {
        let then = World::new().await;
        then.fold::<Inventory>(&log.events[..known], 50).await;
        let at = log.events[known - 1].recorded_at;
        let (old, new) = (then.pool(Role::Api), whole.pool(Role::Api));
        let (mut old, mut new) = (
            old.tenant(tenant(1)).await.unwrap(),
            new.tenant(tenant(1)).await.unwrap(),
        );
        let (old, new) = (old.begin().await.unwrap(), new.begin().await.unwrap());
        for id in all.keys() {
            let was = product(&old, id.uuid(), at, false).await.unwrap().unwrap();
            let is = product(&new, id.uuid(), at, true).await.unwrap().unwrap();
            let stock = |detail: &read_models::inventory::queries::ProductDetail| {
                let mut levels: Vec<_> = detail
                    .levels
                    .iter()
                    .filter(|level| level.source.is_some())
                    .map(|level| {
                        (
                            level.warehouse.clone(),
                            level.available,
                            level.in_way_to_client,
                            level.in_way_from_client,
                        )
                    })
                    .collect();
                levels.sort();
                let summary = &detail.summary;
                let sums = (
                    summary.available,
                    summary.in_way_to_client,
                    summary.in_way_from_client,
                    summary.delisted,
                );
                (levels, sums, detail.unassigned_to_client)
            };
            assert_eq!(stock(&is), stock(&was), "{id:?} at event {known}");
            // An event that repeats what was known leaves no trace in the history.
            for (source, as_of) in &is.summary.as_of {
                assert!(*as_of <= was.summary.as_of[source]);
            }
        }
        let was = sheet_rows(&old, moscow_day(at)).await.unwrap();
        let is = sheet_rows_known_at(&new, at).await.unwrap();
        let cells = |rows: &SheetRows| {
            let stock = |product: &SheetProduct| {
                let cells = product.cells.iter().filter(|cell| cell.available != 0);
                let cells: Vec<_> = cells
                    .map(|cell| (cell.warehouse.clone(), cell.available))
                    .collect();
                (product.nm_id, product.available, product.in_way_to_client, cells)
            };
            rows.products.iter().map(stock).collect::<Vec<_>>()
        };
        assert_eq!(cells(&is), cells(&was));
        let names = |rows: &SheetRows| {
            let keys = rows
                .warehouses
                .iter()
                .map(|warehouse| warehouse.warehouse.clone());
            keys.collect::<Vec<_>>()
        };
        assert_eq!(names(&is), names(&was));
    }
}
