//! Which products run out: every product whose numbers may have changed is asked, place by place, with what
//! is certain. What a sync could not read completely raises nothing and ends nothing.

use std::collections::BTreeMap;

use application::domain::Decider as _;
use application::domain::alert::{AlertCommand, Look, is_low};
use application::domain::alert_rules::{AlertRules, DEFAULT, Rule};
use application::raise_alerts::Raise;
use chrono::{DateTime, NaiveDate, Utc};
use events::alert::{AlertCause, AlertEnd, Seen};
use events::ids::{ProductId, SyncId};
use measures::{Known, moscow_day, round_half_even, turnover};
use uuid::Uuid;

use super::cabinet::{Cabinet, ORDERS, Source};
use super::product::{Level, Ordered, Product};
use super::warehouses::{Index, Views};

/// Thousandths of a unit a day in one order of a window: 1000 / 7.
const MILLI: i128 = 1_000;
const WINDOW_DAYS: i128 = 7;

/// The event after which products are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trigger {
    pub(super) position: i64,
    pub(super) at: DateTime<Utc>,
    pub(super) cause: AlertCause,
    pub(super) sync_id: Option<SyncId>,
}

/// What all products of a cabinet are judged by.
struct Bench<'a> {
    cabinet: &'a Facts<'a>,
    views: &'a Views,
    trigger: Trigger,
    today: NaiveDate,
    /// Whether the orders of the window are known as a whole, as of this sync.
    orders_known: bool,
    /// Whether every source of stock that is known was read completely.
    all_stock_whole: bool,
}

struct Facts<'a> {
    id: events::ids::CabinetId,
    sources: &'a [Source],
    warehouses: &'a super::warehouses::Warehouses,
}

/// The numbers of one place.
struct Place<'a> {
    key: Option<(&'a str, &'a str)>,
    available: i64,
    orders: i64,
    /// Whether its units are certain.
    certain: bool,
    /// Whether it ever had something that can be gone.
    can_run_out: bool,
    first_seen: bool,
}

impl Cabinet {
    /// Judges every product that may have changed. `quietly`: what comes of it is in the log already and is
    /// taken from there.
    pub(super) fn judge(&mut self, rules: &AlertRules, trigger: Trigger, quietly: bool) -> Vec<Raise> {
        if self.disconnected {
            return Vec::new();
        }
        let has_other_names = self.warehouses.count_anew();
        if trigger.cause != AlertCause::Sync || has_other_names {
            // What did not change itself is judged by something else from now on.
            for product in self.products.values_mut() {
                product.unjudged = true;
            }
        }
        if trigger.cause != AlertCause::Sync && !self.sources.iter().any(|source| source.judged) {
            return Vec::new();
        }
        let views = self.warehouses.views();
        let (tenant, cabinet) = (self.tenant, self.id);
        let known = self.known_orders();
        let facts = Facts {
            id: cabinet,
            sources: &self.sources,
            warehouses: &self.warehouses,
        };
        let bench = Bench::new(&facts, &views, known, trigger);
        let today = bench.today;
        let mut raises = Vec::new();
        for (id, product) in &mut self.products {
            if !(product.unjudged || product.sells() || !product.alert.places.is_empty()) || product.broken {
                continue;
            }
            let rule = match rules.rules.is_empty() {
                true => DEFAULT,
                false => rules.of_product(tenant, cabinet, &product.subject, ProductId(*id)),
            };
            let commands = bench.commands(product, &rule);
            product.forget_before(today);
            raises.extend(raised(*id, product, commands, trigger, quietly));
        }
        for source in &mut self.sources {
            source.judged |= source.whole;
        }
        raises
    }

    /// Ends every alert, because nobody looks any more.
    pub(super) fn close_all(&mut self, trigger: Trigger, quietly: bool) -> Vec<Raise> {
        let mut raises = Vec::new();
        for (id, product) in &mut self.products {
            let command = close(product.alert.places.keys(), AlertEnd::Disconnected, trigger);
            raises.extend(raised(
                *id,
                product,
                command.into_iter().collect(),
                trigger,
                quietly,
            ));
        }
        raises
    }

    /// A product's alerts as the log has them.
    pub(super) fn adopt(&mut self, product: Uuid, alert: application::domain::alert::Alert, version: i64) {
        if let Some(product) = self.products.get_mut(&product) {
            (product.alert, product.version) = (alert, version);
        }
    }
}

/// What commands change, if anything.
fn raised(
    id: Uuid,
    product: &mut Product,
    commands: Vec<AlertCommand>,
    trigger: Trigger,
    quietly: bool,
) -> Option<Raise> {
    if commands.is_empty() || quietly {
        return None;
    }
    let mut events = Vec::new();
    let mut alert = product.alert.clone();
    for command in &commands {
        let Ok(happened) = alert.decide(command.clone());
        for event in &happened {
            alert.evolve(event);
        }
        events.extend(happened);
    }
    if events.is_empty() {
        return None;
    }
    let expected = product.version;
    product.alert = alert;
    product.version += i64::try_from(events.len()).unwrap_or(0);
    Some(Raise {
        product_id: ProductId(id),
        position: trigger.position,
        expected,
        commands,
        events,
    })
}

fn close<'a>(
    places: impl Iterator<Item = &'a String>,
    reason: AlertEnd,
    trigger: Trigger,
) -> Option<AlertCommand> {
    let places: Vec<String> = places.cloned().collect();
    (!places.is_empty()).then_some(AlertCommand::Close {
        places,
        reason,
        position: trigger.position,
        at: trigger.at,
    })
}

impl<'a> Bench<'a> {
    fn new(cabinet: &'a Facts<'a>, views: &'a Views, known: Option<Known>, trigger: Trigger) -> Self {
        let today = moscow_day(trigger.at);
        let mut stock = cabinet
            .sources
            .iter()
            .filter(|source| source.is_of_stock())
            .peekable();
        let orders = |source: &Source| source.name == ORDERS && source.whole;
        Self {
            cabinet,
            views,
            trigger,
            today,
            orders_known: cabinet.sources.iter().any(orders)
                && known.is_some_and(|known| known.windows(today).last_7),
            all_stock_whole: stock.peek().is_some() && stock.all(|source| source.whole),
        }
    }

    /// What the alerts of a product are asked.
    fn commands(&self, product: &mut Product, rule: &Rule) -> Vec<AlertCommand> {
        let trigger = self.trigger;
        if product.delisted || !rule.enabled {
            let reason = if product.delisted {
                AlertEnd::Delisted
            } else {
                AlertEnd::Rule
            };
            let command = close(product.alert.places.keys(), reason, trigger);
            self.settle(product);
            return command.into_iter().collect();
        }
        let ordered = product.ordered(self.today, self.views);
        let total = self.total(product, &ordered);
        let places: BTreeMap<&str, Place<'_>> = (product.levels.iter())
            .filter_map(|level| self.place(level, &ordered))
            .collect();
        let mut ends: BTreeMap<&str, AlertEnd> = BTreeMap::new();
        for key in product.alert.places.keys().filter(|key| !key.is_empty()) {
            if !places.contains_key(key.as_str()) {
                ends.insert(key, AlertEnd::Warehouse);
            } else if !rule.per_warehouse {
                ends.insert(key, AlertEnd::Rule);
            }
        }
        let renamed = |key: &str| {
            let at = self.cabinet.warehouses.find(key);
            (product.levels.iter()).any(|level| Some(level.warehouse) == at && level.renamed)
        };
        let watched = (places.iter()).filter(|(key, _)| rule.per_warehouse && !renamed(key));
        let mut looks = Vec::new();
        let mut is_certain = total.certain;
        for place in std::iter::once(&total).chain(watched.map(|(_, place)| place)) {
            let key = place.key.map_or("", |(key, _)| key);
            let standing = product.alert.places.contains_key(key);
            is_certain &= place.certain && (self.orders_known || rule.low.below_days.is_none());
            let Some(look) = self.look(product, place, rule, standing) else {
                continue;
            };
            let low =
                look.seen.available <= 0 || is_low(rule.low, look.seen.available, look.seen.days_tenths);
            if trigger.cause == AlertCause::Rule && standing && !low {
                ends.insert(key, AlertEnd::Rule);
            } else {
                looks.push(look);
            }
        }
        let mut commands = Vec::new();
        for reason in [AlertEnd::Warehouse, AlertEnd::Rule] {
            let of_it: Vec<String> = (ends.iter())
                .filter(|(_, end)| **end == reason)
                .map(|(key, _)| (*key).to_owned())
                .collect();
            commands.extend(close(of_it.iter(), reason, trigger));
        }
        if !looks.is_empty() {
            commands.push(AlertCommand::Look(looks));
        }
        if is_certain {
            self.settle(product);
        }
        commands
    }

    /// Everything that is known of the product was judged.
    fn settle(&self, product: &mut Product) {
        product.unjudged = false;
        for level in &mut product.levels {
            if self.is_whole(level.source) {
                level.had_units = level.available > 0;
            }
        }
    }

    fn is_whole(&self, source: u8) -> bool {
        self.source(source).is_some_and(|source| source.whole)
    }

    fn source(&self, source: u8) -> Option<&Source> {
        self.cabinet.sources.get(usize::from(source))
    }

    /// Whether what these sources tell is judged for the first time.
    fn is_first(&self, source: &Source) -> bool {
        source.whole && !source.judged
    }

    /// All warehouses together that are not left out.
    fn total(&self, product: &Product, ordered: &Ordered) -> Place<'static> {
        let counted = || (product.levels.iter()).filter(|level| !self.views.is_excluded(level.warehouse));
        let sources = || counted().filter_map(|level| self.source(level.source));
        let nothing = counted().next().is_none();
        let stock = self.cabinet.sources.iter().filter(|source| source.is_of_stock());
        let units = counted().map(|level| level.available);
        Place {
            key: None,
            available: units.fold(0, i64::saturating_add),
            orders: ordered.total,
            certain: if nothing {
                self.all_stock_whole
            } else {
                sources().all(|source| source.whole)
            },
            can_run_out: product.had_stock || ordered.total > 0,
            first_seen: if nothing {
                stock.into_iter().any(|source| self.is_first(source))
            } else {
                sources().any(|source| self.is_first(source))
            },
        }
    }

    /// One warehouse; none for a key that is left out, or that another one stands for.
    fn place(&self, level: &Level, ordered: &Ordered) -> Option<(&str, Place<'_>)> {
        let at: Index = level.warehouse;
        if self.views.is_excluded(at) || self.views.alias(at).is_some() {
            return None;
        }
        let warehouse = self.cabinet.warehouses.get(at)?;
        let orders = ordered.at(at);
        let place = Place {
            key: Some((&warehouse.key, &warehouse.name)),
            available: level.available,
            orders,
            certain: self.is_whole(level.source),
            can_run_out: level.had_units || orders > 0,
            first_seen: self
                .source(level.source)
                .is_some_and(|source| self.is_first(source)),
        };
        Some((&warehouse.key, place))
    }

    /// The numbers to be judged; none where they are not certain enough to change anything.
    fn look(&self, product: &Product, place: &Place<'_>, rule: &Rule, standing: bool) -> Option<Look> {
        let known = self.orders_known;
        let by_days = rule.low.below_days.is_some();
        let days_missing = by_days && !known && place.available > 0;
        // Without days it cannot be enough, but it can be too little by units.
        if !place.certain || (days_missing && !is_low(rule.low, place.available, None)) {
            return None;
        }
        if place.available <= 0 && !standing && !place.can_run_out {
            return None;
        }
        let orders = known.then_some(place.orders);
        let pace = orders.map(|orders| round_half_even(i128::from(orders) * MILLI, WINDOW_DAYS));
        let orders_first = |source: &Source| source.name == ORDERS && self.is_first(source);
        let first = place.first_seen || (by_days && self.cabinet.sources.iter().any(orders_first));
        let cause = match self.trigger.cause {
            AlertCause::Sync if first => AlertCause::FirstSync,
            cause => cause,
        };
        let (price_minor, currency) = product.price.clone().unzip();
        Some(Look {
            seen: Seen {
                cabinet_id: self.cabinet.id,
                nm_id: product.nm_id,
                warehouse: place.key.map(|(key, _)| key.to_owned()),
                warehouse_name: place.key.map(|(_, name)| name.to_owned()),
                available: place.available,
                orders,
                days_tenths: orders
                    .and_then(|orders| turnover(place.available, orders))
                    .map(|days| days.0),
                position: self.trigger.position,
                at: self.trigger.at,
                cause,
                sync_id: self.trigger.sync_id,
                rule_id: rule.rule_id,
            },
            rule: rule.clone(),
            pace_milli: pace.and_then(|pace| i64::try_from(pace).ok()),
            price_minor,
            currency,
        })
    }
}

/// What a product's numbers are: units, orders, and the same by warehouse.
#[cfg(test)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) available: i64,
    /// None where the window is not known.
    pub(super) orders: Option<i64>,
    pub(super) places: BTreeMap<String, (i64, i64)>,
}

#[cfg(test)]
impl Cabinet {
    /// The numbers of every product at an instant.
    pub(super) fn numbers(&mut self, at: DateTime<Utc>) -> BTreeMap<Uuid, Numbers> {
        let views = self.warehouses.views();
        let known = self.known_orders();
        let facts = Facts {
            id: self.id,
            sources: &self.sources,
            warehouses: &self.warehouses,
        };
        let trigger = Trigger {
            position: 0,
            at,
            cause: AlertCause::Sync,
            sync_id: None,
        };
        let bench = Bench::new(&facts, &views, known, trigger);
        let is_known = known.is_some_and(|known| known.windows(bench.today).last_7);
        let numbers = |product: &Product| {
            let ordered = product.ordered(bench.today, &views);
            let places = product
                .levels
                .iter()
                .filter_map(|level| bench.place(level, &ordered));
            Numbers {
                available: bench.total(product, &ordered).available,
                orders: is_known.then_some(ordered.total),
                places: places
                    .map(|(key, place)| (key.to_owned(), (place.available, place.orders)))
                    .collect(),
            }
        };
        let products = self.products.iter().filter(|(_, product)| !product.broken);
        products.map(|(id, product)| (*id, numbers(product))).collect()
    }
}
