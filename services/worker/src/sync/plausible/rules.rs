//! What makes an answer suspect: the rules by name. What explains a suspect is judged elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use application::domain::product::MASKED_WAREHOUSE;
use chrono::{DateTime, Utc};

use super::beliefs::{Beliefs, Catalogue, CatalogueSeen, Facts, Orders, OrdersSeen, Prices, PricesSeen};
use super::beliefs::{Stock, StockSeen};
use crate::sync::sources::{CARDS, ORDERS, PRICES, STOCK_FBO, STOCK_FBS};

/// Fewer units than this are too few to be surprised about, unless the answer is empty.
const ENOUGH_UNITS: i64 = 100;
/// Fewer articles than this are too few to be surprised about, unless the answer is empty.
const ENOUGH_ARTICLES: i64 = 20;
/// Fewer than one in so many units left is most of the stock gone; so many times as many is too much.
const MOST: i64 = 10;
/// Fewer than one in so many articles still in stock is no ordinary day: pages that came empty lose articles.
const ARTICLES_LEFT: i64 = 2;
/// Fewer articles than this leave a catalogue unnoticed, even if other sources still name them: cards that
/// were thrown away keep their stock for a while.
const ENOUGH_STRAYS: i64 = 3;
/// Fewer past orders than this say nothing about a source of orders.
const ENOUGH_ORDERS: i64 = 20;
/// With fewer prices than this, an average says nothing.
const ENOUGH_PRICES: i64 = 3;

/// A suspect: what was believed against what is told now.
pub(super) struct Suspect {
    pub(super) source: &'static str,
    pub(super) keys: Option<BTreeSet<String>>,
    pub(super) name: Option<String>,
    pub(super) rule: &'static str,
    pub(super) before: i64,
    pub(super) now: i64,
    /// Whether less is told than was believed.
    pub(super) is_fall: bool,
    /// Units that orders have to account for.
    pub(super) units: i64,
    /// Units that are left to be ordered.
    pub(super) left: i64,
    /// When the stock in question was last believed.
    pub(super) believed_at: DateTime<Utc>,
    /// How many articles another source names that this one lacks, where that speaks against it.
    pub(super) others: Option<i64>,
    /// Whether recording it can take nothing away: orders and prices that are not told stay as they are.
    pub(super) takes_nothing_away: bool,
}

impl Suspect {
    fn new(source: &'static str, rule: &'static str, before: i64, now: i64) -> Self {
        Self {
            source,
            keys: None,
            name: None,
            rule,
            before,
            now,
            is_fall: is_fall(rule),
            units: 0,
            left: 0,
            believed_at: DateTime::UNIX_EPOCH,
            others: None,
            takes_nothing_away: false,
        }
    }
}

/// Whether a rule is about too little, rather than too much or something else.
pub(super) fn is_fall(rule: &str) -> bool {
    !matches!(
        rule,
        "stock_multiplied" | "unknown_articles" | "orders_multiplied" | "prices_jumped"
    )
}

pub(super) fn suspects(before: &Beliefs, facts: &Facts, at: DateTime<Utc>) -> Vec<Suspect> {
    let mut suspects = Vec::new();
    if let (Some(before), Some(now)) = (&before.catalogue, &facts.catalogue) {
        suspects.extend(catalogue(before, *now));
    }
    for (source, now) in [(STOCK_FBO, &facts.fbo), (STOCK_FBS, &facts.fbs)] {
        if let (Some(before), Some(now)) = (before.stock(source), now) {
            suspects.extend(stock(source, before, now, at));
        }
    }
    if let (Some(before), Some(now)) = (&before.orders, &facts.orders) {
        suspects.extend(orders(before, now));
    }
    if let (Some(before), Some(now)) = (&before.prices, &facts.prices) {
        suspects.extend(prices(before, *now));
    }
    suspects
}

fn catalogue(before: &Catalogue, now: CatalogueSeen) -> Option<Suspect> {
    let lost = before.articles - now.articles;
    // Articles that other sources did not have to name before, because the catalogue had them.
    let strays = (now.strays - before.strays).max(0);
    let rule = if before.articles > 0 && now.articles == 0 {
        "catalogue_empty"
    } else if before.articles >= ENOUGH_ARTICLES && now.articles.saturating_mul(2) < before.articles {
        "catalogue_halved"
    } else if lost >= ENOUGH_STRAYS && strays >= ENOUGH_STRAYS && strays.saturating_mul(2) >= lost {
        "catalogue_contradicted"
    } else {
        return None;
    };
    // Prices that name none of the lost articles confirm that they are gone.
    if now.is_witnessed && strays == 0 {
        return None;
    }
    Some(Suspect {
        others: (strays > 0).then_some(strays),
        ..Suspect::new(CARDS, rule, before.articles, now.articles)
    })
}

/// Warehouses that are judged as one.
#[derive(Default)]
struct Group {
    keys: BTreeSet<String>,
    names: BTreeSet<String>,
    before: i64,
    now: i64,
    has_rows: bool,
    believed_at: Option<DateTime<Utc>>,
}

impl Group {
    fn name(&self) -> String {
        let mut names = self.names.iter();
        let first: Vec<&str> = names.by_ref().take(2).map(String::as_str).collect();
        match names.count() {
            0 => first.join(", "),
            more => format!("{} +{more}", first.join(", ")),
        }
    }
}

/// Each warehouse by itself, but one group of all that were masked, unmasked, renamed or regrouped: those
/// that only one of the two answers shows, and the masked one.
fn groups(before: &Stock, now: &StockSeen) -> Vec<Group> {
    let keys: BTreeSet<&String> = before.warehouses.keys().chain(now.warehouses.keys()).collect();
    let (mut groups, mut moved) = (Vec::new(), Group::default());
    for key in keys {
        let (known, told) = (before.warehouses.get(key), now.warehouses.get(key));
        let stays = known.is_some() && told.is_some() && key != MASKED_WAREHOUSE;
        let mut alone = Group::default();
        let group = if stays { &mut alone } else { &mut moved };
        if let Some(known) = known {
            group.before += known.units;
            group.names.insert(known.name.clone());
            group.believed_at = group.believed_at.max(Some(known.at));
        }
        if let Some(told) = told {
            group.now += told.units;
            group.has_rows |= told.has_rows;
        }
        group.keys.insert(key.clone());
        if stays {
            groups.push(alone);
        }
    }
    groups.push(moved);
    groups
}

fn stock(source: &'static str, before: &Stock, now: &StockSeen, at: DateTime<Utc>) -> Vec<Suspect> {
    let had = before.units();
    let has: i64 = now.warehouses.values().map(|told| told.units).sum();
    let newest = before
        .warehouses
        .values()
        .map(|known| known.at)
        .max()
        .unwrap_or(at);
    let of_all = |rule, before, now| Suspect {
        units: had - has,
        left: has,
        believed_at: newest,
        ..Suspect::new(source, rule, before, now)
    };
    if had > 0 && now.known == 0 && now.unknown > 0 {
        return vec![Suspect {
            others: now.catalogue_speaks.then_some(now.unknown),
            ..of_all("unknown_articles", 0, now.unknown)
        }];
    }
    let found: Vec<Suspect> = groups(before, now)
        .into_iter()
        .filter_map(|group| warehouse(source, group))
        .collect();
    let has_rows = now.warehouses.values().any(|told| told.has_rows);
    if let Some(rule) = jump(had, has, has_rows) {
        // The doubt is no wider than it has to be: the other warehouses may be as they should.
        let (rest_had, rest_has) = found.iter().fold((had, has), |(had, has), suspect| {
            (had - suspect.before, has - suspect.now)
        });
        let rest_is_sound = rest_has > 0 && jump(rest_had, rest_has, has_rows).is_none();
        if found.is_empty() || !rest_is_sound {
            return vec![of_all(rule, had, has)];
        }
    }
    if found.is_empty()
        && before.stocked >= ENOUGH_ARTICLES
        && now.stocked.saturating_mul(ARTICLES_LEFT) < before.stocked
    {
        return vec![of_all("most_articles_out_of_stock", before.stocked, now.stocked)];
    }
    found
}

/// How all of a source's stock has jumped, if it has. An answer without a row is doubted whatever is gone.
const fn jump(had: i64, has: i64, has_rows: bool) -> Option<&'static str> {
    if had > 0 && has == 0 && (had >= ENOUGH_UNITS || !has_rows) {
        return Some("all_stock_gone");
    }
    if had < ENOUGH_UNITS {
        return None;
    }
    if has.saturating_mul(MOST) < had {
        return Some("most_stock_gone");
    }
    if had.saturating_mul(MOST) < has {
        return Some("stock_multiplied");
    }
    None
}

fn warehouse(source: &'static str, group: Group) -> Option<Suspect> {
    // Each of the seller's warehouses answers for itself, so there a single one can be empty by mistake.
    let is_silent = source == STOCK_FBS && !group.has_rows;
    let rule = if group.before > 0 && group.now == 0 && (group.before >= ENOUGH_UNITS || is_silent) {
        "warehouse_empty"
    } else if group.before >= ENOUGH_UNITS && group.now.saturating_mul(MOST) < group.before {
        "warehouse_fell"
    } else {
        return None;
    };
    Some(Suspect {
        name: Some(group.name()),
        units: group.before - group.now,
        left: group.now,
        believed_at: group.believed_at?,
        ..Suspect {
            keys: Some(group.keys),
            ..Suspect::new(source, rule, group.before, group.now)
        }
    })
}

/// Orders never vanish, so days that were over when the last answer was believed have to have as many still.
fn orders(before: &Orders, now: &OrdersSeen) -> Option<Suspect> {
    let over = |days: &BTreeMap<chrono::NaiveDate, i64>| -> i64 {
        let both = days
            .iter()
            .filter(|(day, _)| **day >= now.from && **day < before.until);
        both.map(|(_, orders)| orders).sum()
    };
    let (had, has) = (over(&before.days), over(&now.days));
    let suspect = |rule, takes_nothing_away| {
        Some(Suspect {
            takes_nothing_away,
            ..Suspect::new(ORDERS, rule, had, has)
        })
    };
    if had > 0 && now.days.is_empty() {
        return suspect("orders_empty", true);
    }
    if had < ENOUGH_ORDERS {
        return None;
    }
    if has.saturating_mul(2) < had {
        return suspect("orders_halved", true);
    }
    if had.saturating_mul(2) < has {
        return suspect("orders_multiplied", false);
    }
    None
}

fn prices(before: &Prices, now: PricesSeen) -> Option<Suspect> {
    if before.articles > 0 && now.articles == 0 {
        return Some(Suspect {
            takes_nothing_away: true,
            ..Suspect::new(PRICES, "prices_empty", before.articles, 0)
        });
    }
    let enough = before.articles >= ENOUGH_PRICES && now.articles >= ENOUGH_PRICES;
    let jumped = before.mean_minor.saturating_mul(MOST) < now.mean_minor
        || now.mean_minor.saturating_mul(MOST) < before.mean_minor;
    (enough && jumped).then(|| Suspect::new(PRICES, "prices_jumped", before.mean_minor, now.mean_minor))
}
