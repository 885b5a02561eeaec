//! Puts together, article by article, what the sources said of it. Only a complete catalogue says that an
//! article is missing, and only a complete stock answer that a warehouse is empty; the aggregate decides what
//! that means.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use application::domain::product::{Card, Observation, StockSeen};
use application::record_observations::{CHUNK, Refused};
use application::sync_attempt::Attempt;
use chrono::{DateTime, Utc};
use connectors::marketplace::{Fetched, OrderObservation, ProductStock, SizeLabel, StockSnapshot};
use events::cabinet::Marketplace;
use events::product::{Fulfilment, InWay, MarketplaceTurnover, OrderLine, Price, SizeUnits, StockLevel};
use events::sync::SourceReport;

use crate::SyncJob;
use crate::sync::sources::{Catalogue, ORDERS, STOCK_FBO, STOCK_FBS, Seen, Source};

/// Levels that are put together at a time.
const CHUNK_LEVELS: usize = 6_000;

/// Makes observations out of what was seen.
pub struct Composer<'a> {
    job: &'a SyncJob,
    marketplace: Marketplace,
    reports: Vec<SourceReport>,
    catalogue: Catalogue,
    catalogue_complete: bool,
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
    /// Takes over what was seen. `known` are the keys of all warehouses that were ever seen, by the key that
    /// would be made from the name: where no stock was told this time, orders find their warehouse there.
    #[must_use]
    pub fn new(
        job: &'a SyncJob,
        attempt: &Attempt,
        seen: Seen,
        known: HashMap<String, String>,
        now: DateTime<Utc>,
    ) -> Self {
        let reports = seen.reports();
        let catalogue_complete = matches!(&seen.cards, Source::Read(fetched) if fetched.complete);
        let mut keys = known;
        keys.extend(told_keys(&seen));
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
                    .push(order_line(order, &keys));
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
            job,
            marketplace,
            reports,
            catalogue: seen.catalogue,
            catalogue_complete,
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

    /// What was seen of these articles.
    #[must_use]
    pub fn observations(&self, articles: &[i64]) -> Vec<Observation> {
        articles.iter().map(|nm_id| self.observation(*nm_id)).collect()
    }

    fn observation(&self, nm_id: i64) -> Observation {
        let (cards, unreported) = (&self.catalogue.cards, &self.catalogue.unreported);
        let card = match (cards.get(&nm_id), unreported.get(&nm_id)) {
            (Some(details), None) => Card::Seen(details.clone()),
            (Some(details), Some(unreported)) => Card::SeenInPart {
                details: details.clone(),
                unreported: unreported.clone(),
            },
            (None, _) if self.catalogue_complete => Card::Missing,
            (None, _) => Card::Unknown,
        };
        Observation {
            sync_id: self.job.sync_id,
            cabinet_id: self.job.cabinet_id,
            marketplace: self.marketplace,
            nm_id,
            card,
            price: self.prices.get(&nm_id).cloned(),
            stock: self.stock.iter().map(|stock| stock.seen(nm_id)).collect(),
            orders: self.orders.get(&nm_id).cloned().unwrap_or_default(),
            orders_source: ORDERS.to_owned(),
            at: self.now,
        }
    }

    /// The reports of all sources; articles whose numbers made no sense are named in them.
    #[must_use]
    pub fn into_reports(self, refused: &[Refused]) -> Vec<SourceReport> {
        with_refused(self.reports, refused)
    }

    /// The reports of all sources, as they answered.
    #[must_use]
    pub fn reports(&self) -> &[SourceReport] {
        &self.reports
    }
}

/// Names in the reports the articles whose numbers made no sense.
#[must_use]
pub fn with_refused(mut reports: Vec<SourceReport>, refused: &[Refused]) -> Vec<SourceReport> {
    let Some(first) = refused.first() else {
        return reports;
    };
    let note = format!(
        "{} articles left as they were; {}: {}",
        refused.len(),
        first.nm_id,
        first.refusal
    );
    for report in reports
        .iter_mut()
        .filter(|report| report.source.starts_with("stock"))
    {
        report.outcome = events::sync::SourceOutcome::Partial;
        report.error = Some(note.clone());
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

    fn seen(&self, nm_id: i64) -> StockSeen {
        let product = self.snapshot.product(nm_id);
        StockSeen {
            source: self.source.to_owned(),
            fulfilment: self.fulfilment,
            as_of: self.as_of,
            complete: self.complete,
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

/// Keys of this sync's own stock answers by the key that would be made from the name: orders carry names
/// only.
fn told_keys(seen: &Seen) -> HashMap<String, String> {
    let mut keys: HashMap<String, Option<String>> = HashMap::new();
    for (key, name) in seen.warehouses() {
        let made = format!("{}:name:{name}", key.get(..3).unwrap_or("fbo"));
        keys.entry(made)
            .and_modify(|known| *known = known.take().filter(|known| *known == key))
            .or_insert_with(|| Some(key.clone()));
    }
    keys.into_iter()
        .filter_map(|(made, key)| Some((made, key?)))
        .collect()
}

fn order_line(order: OrderObservation, keys: &HashMap<String, String>) -> OrderLine {
    let told = order.warehouse();
    let fulfilment = if order.is_fbs {
        Fulfilment::Fbs
    } else {
        Fulfilment::Fbo
    };
    let (key, name) = told.map_or_else(
        || (format!("{}:name:", fulfilment.as_str()), String::new()),
        |warehouse| (warehouse.key, warehouse.name),
    );
    OrderLine {
        order_id: order.srid,
        ordered_at: order.ordered_at,
        changed_at: order.changed_at,
        warehouse: keys.get(&key).cloned().unwrap_or(key),
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
