//! What a sync saw, added up for the judgement.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use connectors::marketplace::{Fetched, OrderObservation, PriceObservation, ProductStock, StockSnapshot};

use super::compose::ordered_from;
use super::plausible::beliefs::Stock;
use super::plausible::{Beliefs, CatalogueSeen, Facts, OrdersSeen, PricesSeen, StockSeen, Told};
use super::sources::{Seen, Source};

/// Adds up what was read completely. `known` are the articles of earlier syncs, `keys` those of warehouses by
/// name, `days` how many days of orders were asked for.
pub(super) fn of(
    seen: &Seen,
    known: &BTreeSet<i64>,
    keys: &HashMap<String, String>,
    days: i64,
    now: DateTime<Utc>,
) -> Facts {
    let catalogue = complete(&seen.cards).map(|()| catalogue(seen));
    let stock = |source| {
        complete(source).map(|snapshot| StockSeen {
            catalogue_speaks: catalogue.is_some_and(|seen| seen.articles > 0),
            ..stock(snapshot, |nm_id| {
                known.contains(&nm_id) || seen.catalogue.cards.contains_key(&nm_id)
            })
        })
    };
    Facts {
        catalogue,
        fbo: stock(&seen.fbo),
        fbs: stock(&seen.fbs),
        orders: complete(&seen.orders).map(|told| orders(told, keys, now - TimeDelta::days(days))),
        some_orders: partial(&seen.orders).map(|told| orders(told, keys, now - TimeDelta::days(days))),
        prices: complete(&seen.prices).map(|told| prices(told)),
    }
}

fn complete<T>(source: &Source<T>) -> Option<&T> {
    match source {
        Source::Read(Fetched {
            items,
            complete: true,
            ..
        }) => Some(items),
        _ => None,
    }
}

fn partial<T>(source: &Source<T>) -> Option<&T> {
    let fetched = source.read().filter(|fetched| !fetched.complete);
    fetched.map(|fetched| &fetched.items)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn catalogue(seen: &Seen) -> CatalogueSeen {
    let stocked = [&seen.fbo, &seen.fbs].into_iter().filter_map(Source::read);
    let stocked = stocked.flat_map(|fetched| &fetched.items.products);
    let stocked = stocked
        .filter(|product| product.available() > 0)
        .map(|product| product.nm_id);
    let priced = seen.prices.read().map(|fetched| fetched.items.as_slice());
    let priced = priced.unwrap_or_default();
    let strays: BTreeSet<i64> = (priced.iter().map(|price| price.nm_id))
        .chain(stocked)
        .filter(|nm_id| !seen.catalogue.cards.contains_key(nm_id))
        .collect();
    let unread = seen
        .cards
        .read()
        .map_or(0, |fetched| fetched.outcome.unread.len());
    CatalogueSeen {
        articles: count(seen.catalogue.cards.len() + unread),
        strays: count(strays.len()),
        is_witnessed: !priced.is_empty(),
    }
}

fn stock(snapshot: &StockSnapshot, is_known: impl Fn(i64) -> bool) -> StockSeen {
    // By the warehouse's place in the answer first: there are hundreds of thousands of levels.
    let mut sums = vec![(0, false); snapshot.warehouses.len()];
    for level in snapshot.products.iter().flat_map(|product| &product.levels) {
        let sum = usize::try_from(level.warehouse)
            .ok()
            .and_then(|index| sums.get_mut(index));
        if let Some((units, has_rows)) = sum {
            *units += level.available;
            *has_rows = true;
        }
    }
    // Two places can be one warehouse, once names are resolved to ids.
    let mut warehouses: BTreeMap<String, Told> = BTreeMap::new();
    for (warehouse, (units, has_rows)) in snapshot.warehouses.iter().zip(sums) {
        let told = warehouses.entry(warehouse.key.clone()).or_default();
        told.name.clone_from(&warehouse.name);
        told.units += units;
        told.has_rows |= has_rows;
    }
    let in_stock = |product: &&ProductStock| product.available() > 0;
    let stocked: Vec<i64> = (snapshot.products.iter().filter(in_stock))
        .map(|product| product.nm_id)
        .collect();
    let known = stocked.iter().filter(|nm_id| is_known(**nm_id)).count();
    StockSeen {
        warehouses,
        stocked: count(stocked.len()),
        known: count(known),
        unknown: count(stocked.len() - known),
        catalogue_speaks: false,
    }
}

fn orders(told: &[OrderObservation], keys: &HashMap<String, String>, from: DateTime<Utc>) -> OrdersSeen {
    let mut seen = OrdersSeen {
        from: from.date_naive() + TimeDelta::days(1),
        ..OrdersSeen::default()
    };
    for order in told {
        *seen.days.entry(order.ordered_at.date_naive()).or_default() += 1;
        if !order.cancelled {
            let (_, warehouse, _) = ordered_from(order, keys);
            let units = (order.ordered_at, i64::from(order.quantity));
            seen.by_warehouse.entry(warehouse).or_default().push(units);
        }
    }
    seen
}

fn prices(told: &[PriceObservation]) -> PricesSeen {
    let sum: i128 = told.iter().map(|price| i128::from(price.price_minor)).sum();
    let articles = count(told.len());
    PricesSeen {
        articles,
        mean_minor: i64::try_from(sum / i128::from(articles.max(1))).unwrap_or(i64::MAX),
    }
}

/// Vendors answer an account whose last unit is gone without a byte or without a list, and broken ones answer
/// the same. Where stock is believed, such an answer is judged like any other that has no rows: one of a
/// single warehouse as well, where each is asked by itself.
pub(super) fn take_empty_answers(seen: &mut Seen, beliefs: &Beliefs) {
    for (source, believed) in [(&mut seen.fbo, &beliefs.fbo), (&mut seen.fbs, &beliefs.fbs)] {
        if let Source::Read(fetched) = source
            && believed.as_ref().is_some_and(|stock: &Stock| stock.units() > 0)
            && fetched.outcome.is_unlisted
        {
            fetched.complete = true;
        }
    }
}
