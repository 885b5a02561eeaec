//! Puts together, article by article, what the sources said of it. Only a complete catalogue says that an
//! article is missing, and only a complete stock answer that a warehouse is empty; the aggregate decides what
//! that means. Where a part of what was seen is held back, the two parts are put together apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use application::domain::product::{Card, Observation, Scope, StockSeen};
use application::domain::sync::WHOLE;
use application::record_observations::{CHUNK, Refused};
use application::sync_attempt::Attempt;
use chrono::{DateTime, Utc};
use connectors::marketplace::{Fetched, OrderObservation, ProductStock, SizeLabel, StockSnapshot};
use events::cabinet::Marketplace;
use events::product::{Fulfilment, InWay, MarketplaceTurnover, OrderLine, Price, SizeUnits, StockLevel};
use events::sync::{DoubtState, SourceOutcome, SourceReport};
use serde::{Deserialize, Serialize};

use crate::SyncJob;
use crate::sync::plausible::{Finding, Judgement};
use crate::sync::sources::{CARDS, Catalogue, ORDERS, PRICES, STOCK_FBO, STOCK_FBS, Seen, Source};

/// Levels that are put together at a time.
const CHUNK_LEVELS: usize = 6_000;

/// What is held back of a sync: by source the warehouses, or none where it is all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding(pub BTreeMap<String, Option<Arc<BTreeSet<String>>>>);

impl Holding {
    /// What the judgement holds back.
    #[must_use]
    pub fn of(judgement: &Judgement) -> Self {
        let mut sources: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
        for finding in judgement.held() {
            sources
                .entry(finding.source.to_owned())
                .and_modify(|known| {
                    *known = known.take().zip(finding.keys.clone()).map(|(mut all, more)| {
                        all.extend(more);
                        all
                    });
                })
                .or_insert_with(|| finding.keys.clone());
        }
        let shared = |(source, keys): (String, Option<_>)| (source, keys.map(Arc::new));
        Self(sources.into_iter().map(shared).collect())
    }

    fn is_whole(&self, source: &str) -> bool {
        matches!(self.0.get(source), Some(None))
    }

    /// Which warehouses of a source are taken in this part; none when the source is no part of it.
    fn scope(&self, source: &str, part: Part) -> Option<Scope> {
        match (part, self.0.get(source)) {
            (Part::Believed, None) | (Part::Held, Some(None)) => Some(Scope::All),
            (Part::Believed, Some(None)) | (Part::Held, None) => None,
            (Part::Believed, Some(Some(keys))) => Some(Scope::Except(Arc::clone(keys))),
            (Part::Held, Some(Some(keys))) => Some(Scope::Only(Arc::clone(keys))),
        }
    }
}

/// A part of what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is believed and recorded.
    Believed,
    /// What is held back.
    Held,
}

/// Makes observations out of what was seen.
pub struct Composer<'a> {
    holding: Holding,
    job: &'a SyncJob,
    marketplace: Marketplace,
    reports: Vec<SourceReport>,
    catalogue: Catalogue,
    catalogue_complete: bool,
    unread_cards: BTreeSet<i64>,
    stock: Vec<Stock>,
    orders: HashMap<i64, Vec<OrderLine>>,
    prices: HashMap<i64, Price>,
    now: DateTime<Utc>,
}

struct Stock {
    source: &'static str,
    fulfilment: Fulfilment,
    as_of: DateTime<Utc>,
    complete: bool,
    visible: Arc<BTreeSet<String>>,
    /// Whether the source tells the marketplace's own figures.
    tells_turnover: bool,
    snapshot: StockSnapshot,
}

impl<'a> Composer<'a> {
    /// Takes over what was seen and how it was judged. `keys` are [`order_keys`].
    #[must_use]
    pub fn new(
        job: &'a SyncJob,
        attempt: &Attempt,
        seen: Seen,
        keys: &HashMap<String, String>,
        judgement: &Judgement,
        now: DateTime<Utc>,
    ) -> Self {
        let reports = with_doubts(seen.reports(), judgement);
        let catalogue_complete = matches!(&seen.cards, Source::Read(fetched) if fetched.complete);
        let unread_cards = seen
            .cards
            .read()
            .map(|fetched| fetched.outcome.unread.iter().copied());
        let unread_cards = unread_cards.into_iter().flatten().collect();
        let marketplace = attempt.marketplace.unwrap_or(Marketplace::Wildberries);
        let mut stock = Vec::new();
        for (source, fulfilment, seen) in [
            (STOCK_FBO, Fulfilment::Fbo, seen.fbo),
            (STOCK_FBS, Fulfilment::Fbs, seen.fbs),
        ] {
            if let Source::Read(fetched) = seen {
                let own = marketplace == Marketplace::Ozon && fulfilment == Fulfilment::Fbo;
                stock.push(Stock::new(source, fulfilment, fetched, own, now));
            }
        }
        let mut orders: HashMap<i64, Vec<OrderLine>> = HashMap::new();
        if let Source::Read(fetched) = seen.orders {
            for order in fetched.items {
                orders
                    .entry(order.nm_id)
                    .or_default()
                    .push(order_line(order, keys));
            }
        }
        let mut prices = HashMap::new();
        if let Source::Read(fetched) = seen.prices {
            for told in fetched.items {
                let price = Price {
                    price_minor: told.price_minor,
                    discounted_minor: told.discounted_minor,
                    currency: told.currency,
                };
                prices.insert(told.nm_id, price);
            }
        }
        Self {
            holding: Holding::of(judgement),
            job,
            marketplace,
            reports,
            catalogue: seen.catalogue,
            catalogue_complete,
            unread_cards,
            stock,
            orders,
            prices,
            now,
        }
    }

    /// Articles to put together at a time: as many as one append takes, fewer where each has many levels.
    /// The snapshot is compact; what is made of it is not, and a chunk's levels exist several times at once
    /// (seen, known, decided, on their way to the store).
    #[must_use]
    pub fn chunk(&self) -> usize {
        let warehouses: usize = self.stock.iter().map(|stock| stock.visible.len()).sum();
        (CHUNK_LEVELS / warehouses.max(1)).clamp(1, CHUNK)
    }

    /// This part of what was seen of these articles.
    #[must_use]
    pub fn observations(&self, articles: &[i64], part: Part) -> Vec<Observation> {
        let all = articles.iter().map(|nm_id| self.observation(*nm_id, part));
        match part {
            Part::Believed => all.collect(),
            Part::Held => all.filter(says_something).collect(),
        }
    }

    fn observation(&self, nm_id: i64, part: Part) -> Observation {
        let is_in = |source| self.holding.is_whole(source) == (part == Part::Held);
        let (cards, unreported) = (&self.catalogue.cards, &self.catalogue.unreported);
        let takes_card = is_in(CARDS) || part == Part::Believed;
        let card = match (cards.get(&nm_id), unreported.get(&nm_id)) {
            (Some(details), None) if takes_card => Card::Seen(details.clone()),
            (Some(details), Some(unreported)) if takes_card => Card::SeenInPart {
                details: details.clone(),
                unreported: unreported.clone(),
            },
            // A card that was there and could not be read is not missing.
            (None, _) if self.unread_cards.contains(&nm_id) => Card::Unknown,
            (None, _) if self.catalogue_complete && is_in(CARDS) => Card::Missing,
            _ => Card::Unknown,
        };
        let stock = self.stock.iter().filter_map(|stock| {
            let scope = self.holding.scope(stock.source, part)?;
            Some(stock.seen(nm_id, scope))
        });
        let price = self.prices.get(&nm_id).filter(|_| is_in(PRICES));
        let orders = self.orders.get(&nm_id).filter(|_| is_in(ORDERS));
        Observation {
            sync_id: self.job.sync_id,
            cabinet_id: self.job.cabinet_id,
            marketplace: self.marketplace,
            nm_id,
            card,
            price: price.cloned(),
            stock: stock.collect(),
            orders: orders.cloned().unwrap_or_default(),
            orders_source: ORDERS.to_owned(),
            at: self.now,
        }
    }

    /// What is held back.
    #[must_use]
    pub const fn holding(&self) -> &Holding {
        &self.holding
    }

    /// How the sources came out of which something is held.
    #[must_use]
    pub fn held_reports(&self) -> Vec<SourceReport> {
        let held = self
            .reports
            .iter()
            .filter(|report| self.holding.0.contains_key(&report.source));
        held.cloned().collect()
    }

    /// The reports of all sources; articles whose numbers made no sense are named in them.
    #[must_use]
    pub fn into_reports(self, refused: &[Refused]) -> Vec<SourceReport> {
        with_refused(self.reports, refused)
    }
}

/// Leaves of what was held what is still held: a later sync may have told the rest.
#[must_use]
pub fn only(mut observation: Observation, sources: &[String]) -> Observation {
    let is_held = |source: &str| sources.iter().any(|held| held == source || held == WHOLE);
    observation.stock.retain(|stock| is_held(&stock.source));
    if !is_held(CARDS) {
        observation.card = Card::Unknown;
    }
    if !is_held(PRICES) {
        observation.price = None;
    }
    if !is_held(ORDERS) {
        observation.orders.clear();
    }
    observation
}

/// How a source came out whose answer a person believes: as it answered, with nothing doubtful left.
#[must_use]
pub fn as_released(report: SourceReport) -> SourceReport {
    if report.doubts.is_empty() {
        return report;
    }
    SourceReport {
        outcome: SourceOutcome::Complete,
        error: None,
        doubts: Vec::new(),
        ..report
    }
}

fn says_something(observation: &Observation) -> bool {
    let tells_stock = observation
        .stock
        .iter()
        .any(|stock| stock.complete || !stock.levels.is_empty());
    observation.card != Card::Unknown
        || observation.price.is_some()
        || tells_stock
        || !observation.orders.is_empty()
}

/// Says in the reports what was doubtful, and what became of it.
fn with_doubts(mut reports: Vec<SourceReport>, judgement: &Judgement) -> Vec<SourceReport> {
    for report in &mut reports {
        let of_it = judgement
            .findings
            .iter()
            .filter(|finding| finding.source == report.source);
        report.doubts = of_it.map(Finding::doubt).collect();
        if report.doubts.is_empty() {
            continue;
        }
        let said: Vec<&str> = report
            .doubts
            .iter()
            .map(|doubt| doubt.evidence.as_str())
            .collect();
        let said = said.join(" ");
        report.error = Some(match report.error.take() {
            Some(error) => format!("{error}. {said}"),
            None => said,
        });
        if report.doubts.iter().any(|doubt| doubt.state != DoubtState::Taken) {
            report.outcome = SourceOutcome::Partial;
        }
    }
    reports
}

/// Names in the reports the levels that made no sense.
#[must_use]
pub fn with_refused(mut reports: Vec<SourceReport>, refused: &[Refused]) -> Vec<SourceReport> {
    for report in &mut reports {
        let mut of_it = refused
            .iter()
            .filter(|refused| refused.refusal.source_name() == report.source);
        let Some(first) = of_it.next() else { continue };
        let note = format!(
            "{} levels left as they were; {}: {}",
            of_it.count() + 1,
            first.nm_id,
            first.refusal
        );
        report.outcome = SourceOutcome::Partial;
        report.error = Some(match report.error.take() {
            Some(error) => format!("{error} {note}"),
            None => note,
        });
    }
    reports
}

impl Stock {
    fn new(
        source: &'static str,
        fulfilment: Fulfilment,
        fetched: Fetched<StockSnapshot>,
        tells_turnover: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let as_of = Seen::as_of(&fetched, now);
        let visible = fetched
            .items
            .warehouses
            .iter()
            .map(|warehouse| warehouse.key.clone())
            .collect();
        Self {
            source,
            fulfilment,
            as_of,
            complete: fetched.complete,
            visible: Arc::new(visible),
            tells_turnover,
            snapshot: fetched.items,
        }
    }

    fn seen(&self, nm_id: i64, scope: Scope) -> StockSeen {
        let product = self.snapshot.product(nm_id);
        let unread = product.map(|product| self.snapshot.unread_warehouses(product));
        // Of a torn article not even the warehouses are known that it is told at.
        let is_torn = product.is_some_and(|product| product.torn);
        StockSeen {
            source: self.source.to_owned(),
            fulfilment: self.fulfilment,
            as_of: self.as_of,
            complete: self.complete && !is_torn,
            levels: product.map(|product| self.levels(product)).unwrap_or_default(),
            // The seller's own warehouses know nothing of units on the way.
            unassigned_in_way: (self.fulfilment == Fulfilment::Fbo).then(|| {
                product.map_or(InWay::default(), |product| InWay {
                    to_client: product.in_way.to_client,
                    from_client: product.in_way.from_client,
                })
            }),
            turnover: self.tells_turnover.then(|| self.turnover(nm_id)),
            visible: Arc::clone(&self.visible),
            unread: unread.into_iter().flatten().map(str::to_owned).collect(),
            scope,
        }
    }

    /// Levels by warehouse. Two entries can carry one key once names are resolved to ids; their units add up.
    fn levels(&self, product: &ProductStock) -> Vec<StockLevel> {
        let mut levels: Vec<StockLevel> = Vec::with_capacity(product.levels.len());
        for level in &product.levels {
            let Some(warehouse) = usize::try_from(level.warehouse)
                .ok()
                .and_then(|index| self.snapshot.warehouses.get(index))
            else {
                continue;
            };
            if let Some(same) = levels.iter_mut().find(|known| known.warehouse == warehouse.key) {
                same.available += level.available;
                same.in_way_to_client += level.in_way_to_client;
                same.in_way_from_client += level.in_way_from_client;
                self.add_kinds_and_sizes(product, level.warehouse, same);
                continue;
            }
            let mut told = StockLevel {
                warehouse: warehouse.key.clone(),
                name: warehouse.name.clone(),
                fulfilment: self.fulfilment,
                available: level.available,
                in_way_to_client: level.in_way_to_client,
                in_way_from_client: level.in_way_from_client,
                buckets: BTreeMap::new(),
                cluster: warehouse.region.clone(),
                sizes: vec![],
            };
            self.add_kinds_and_sizes(product, level.warehouse, &mut told);
            levels.push(told);
        }
        levels
    }

    /// Units of further kinds and by size at one warehouse of the snapshot.
    fn add_kinds_and_sizes(&self, product: &ProductStock, warehouse: u32, level: &mut StockLevel) {
        let first = product.buckets.partition_point(|row| row.warehouse < warehouse);
        for row in product.buckets.iter().skip(first) {
            if row.warehouse != warehouse {
                break;
            }
            *level.buckets.entry(row.bucket.as_str().to_owned()).or_default() += i64::from(row.units);
        }
        let first = product.sizes.partition_point(|row| row.warehouse < warehouse);
        for row in product.sizes.iter().skip(first) {
            if row.warehouse != warehouse {
                break;
            }
            let label = usize::try_from(row.size)
                .ok()
                .and_then(|index| self.snapshot.sizes.get(index));
            let (size_id, name) = match label {
                Some(SizeLabel::Id(id)) => (i64::try_from(*id).unwrap_or_default(), ""),
                Some(SizeLabel::Name(name)) => (0, name.as_str()),
                None => continue,
            };
            let known = level
                .sizes
                .iter_mut()
                .find(|known| known.size_id == size_id && known.name == name);
            match known {
                Some(known) => known.available += i64::from(row.units),
                None => level.sizes.push(SizeUnits {
                    size_id,
                    name: name.to_owned(),
                    available: i64::from(row.units),
                }),
            }
        }
    }

    /// The marketplace's own figures in an order of their own: all clusters together, then by name.
    fn turnover(&self, nm_id: i64) -> Vec<MarketplaceTurnover> {
        let figures = self.snapshot.turnover_of(nm_id).iter();
        let mut turnover: Vec<MarketplaceTurnover> = figures
            .map(|row| MarketplaceTurnover {
                cluster: row
                    .cluster
                    .and_then(|index| self.snapshot.clusters.get(usize::try_from(index).ok()?))
                    .map(|cluster| cluster.name.clone()),
                daily_sales_milli: row.turnover.daily_sales_milli,
                days_of_stock_milli: row.turnover.days_of_stock_milli,
                days_without_sales: row.turnover.days_without_sales,
                grade: row.turnover.grade.map(|grade| grade.as_str().to_owned()),
            })
            .collect();
        turnover.sort_unstable();
        turnover
    }
}

/// Keys of warehouses by the key that would be made from the name: orders carry names only. This sync's own
/// stock answers come before what is known from earlier ones, which orders need where no stock was told.
#[must_use]
pub fn order_keys(mut known: HashMap<String, String>, seen: &Seen) -> HashMap<String, String> {
    let mut keys: HashMap<String, Option<String>> = HashMap::new();
    for (key, name) in seen.warehouses() {
        let made = format!("{}:name:{name}", key.get(..3).unwrap_or("fbo"));
        keys.entry(made)
            .and_modify(|known| *known = known.take().filter(|known| *known == key))
            .or_insert_with(|| Some(key.clone()));
    }
    let told = keys.into_iter().filter_map(|(made, key)| Some((made, key?)));
    known.extend(told);
    known
}

/// Key and name of the warehouse that an order ships from.
pub(super) fn ordered_from(
    order: &OrderObservation,
    keys: &HashMap<String, String>,
) -> (Fulfilment, String, String) {
    let fulfilment = if order.is_fbs {
        Fulfilment::Fbs
    } else {
        Fulfilment::Fbo
    };
    let (key, name) = order.warehouse().map_or_else(
        || (format!("{}:name:", fulfilment.as_str()), String::new()),
        |warehouse| (warehouse.key, warehouse.name),
    );
    (fulfilment, keys.get(&key).cloned().unwrap_or(key), name)
}

fn order_line(order: OrderObservation, keys: &HashMap<String, String>) -> OrderLine {
    let (fulfilment, warehouse, name) = ordered_from(&order, keys);
    OrderLine {
        order_id: order.srid,
        ordered_at: order.ordered_at,
        changed_at: order.changed_at,
        warehouse,
        warehouse_name: name,
        fulfilment,
        quantity: i64::from(order.quantity),
        status: order.status.as_str().to_owned(),
        cancelled: order.cancelled,
        price_minor: order.price_minor,
        currency: order.currency,
        size_id: order.size_id,
        cluster: order.cluster,
    }
}
