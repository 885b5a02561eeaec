//! Read models against the marketplace's own ledger: product by product with its price and sizes, warehouse
//! by warehouse with every kind of units, order by order.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::TimeDelta;
use read_models::inventory::queries::{self, Level, ProductDetail, ProductQuery};
use simulators::{Ledger, LedgerProduct, Parts, Units};

use crate::Failure;
use crate::counts::{Counts, orders, total};
use crate::world::World;

/// More than any plan has.
const ALL: i64 = 100_000;

/// How much was compared.
pub(crate) struct Compared {
    pub(crate) orders: usize,
    pub(crate) levels: usize,
    /// Numbers by size or of another kind than the three that every marketplace has.
    pub(crate) parts: usize,
    pub(crate) prices: usize,
}

/// What the marketplace has of one article.
struct Truth<'a> {
    product: &'a LedgerProduct,
    stock: BTreeMap<String, Units>,
    parts: BTreeMap<String, Parts>,
    ordered: BTreeMap<String, Counts>,
}

/// Every number that the read models have of the cabinet is the marketplace's.
pub(crate) async fn everything(world: &World, ledger: &Ledger) -> Result<Compared, Failure> {
    let mut known = products(world, ledger).await?;
    let (mut stock, mut parts, mut ordered) = (ledger.stock(), ledger.parts(), orders(ledger));
    let mut compared = Compared {
        orders: orders_equal(world, ledger).await?,
        levels: 0,
        parts: 0,
        prices: 0,
    };
    for product in &ledger.products {
        let article = &product.article;
        let truth = Truth {
            product,
            stock: stock.remove(article).unwrap_or_default(),
            parts: parts.remove(article).unwrap_or_default(),
            ordered: ordered.remove(article).unwrap_or_default(),
        };
        compared.levels += truth.stock.len();
        compared.prices += usize::from(product.listed);
        match known.remove(article) {
            Some(known) => {
                product_equals(&truth, &known)?;
                compared.parts += levels_equal(ledger, &truth, &known)?;
            }
            // One that came and went between two syncs left no trace.
            None if !product.listed && truth.parts.is_empty() && truth.ordered.is_empty() => {}
            None => return Err(format!("{article} is not known").into()),
        }
    }
    if let Some(ghost) = known.keys().next() {
        return Err(format!("{ghost} is nothing that the marketplace ever had").into());
    }
    Ok(compared)
}

async fn products(world: &World, ledger: &Ledger) -> Result<BTreeMap<i64, ProductDetail>, Failure> {
    let mut session = world.api.tenant(world.tenant_id).await?;
    let transaction = session.begin().await?;
    let query = ProductQuery {
        delisted: true,
        ..ProductQuery::new(ledger.now, ALL)
    };
    let mut known = BTreeMap::new();
    for summary in queries::products(&transaction, &query).await?.items {
        let detail = queries::product(&transaction, summary.product_id, ledger.now, false).await?;
        let detail = detail.ok_or("a listed product is not there")?;
        if known.insert(summary.nm_id, detail).is_some() {
            return Err(format!("{} is there twice", summary.nm_id).into());
        }
    }
    transaction.commit().await?;
    Ok(known)
}

fn product_equals(truth: &Truth, product: &ProductDetail) -> Result<(), Failure> {
    let summary = &product.summary;
    let (wanted, article) = (truth.product, truth.product.article);
    same(article, "listed", &!summary.delisted, &wanted.listed)?;
    if wanted.listed {
        card_equals(wanted, product)?;
    }
    same(
        article,
        "stock by warehouse",
        &levels(product, units_of),
        &truth.stock,
    )?;
    let sums = [
        summary.available,
        summary.in_way_to_client,
        summary.in_way_from_client,
    ];
    same(article, "stock", &sums, &total(&truth.stock))?;
    same(
        article,
        "orders by warehouse",
        &levels(product, counts_of),
        &truth.ordered,
    )?;
    let windows = [
        summary.outlook.orders.last_7,
        summary.outlook.orders.last_14,
        summary.outlook.orders.last_28,
    ];
    same(article, "orders", &windows, &total(&truth.ordered))
}

/// What the seller says of an article that is on the list.
fn card_equals(wanted: &LedgerProduct, product: &ProductDetail) -> Result<(), Failure> {
    let (summary, article) = (&product.summary, wanted.article);
    let told = [
        &summary.vendor_code,
        &summary.brand,
        &summary.subject,
        &summary.title,
    ];
    let details = [&wanted.vendor_code, &wanted.brand, &wanted.subject, &wanted.title];
    same(article, "details", &told, &details)?;
    same(article, "barcodes", &product.barcodes, &wanted.barcodes)?;
    let told: Vec<(u64, &str, &[String])> = product
        .sizes
        .iter()
        .map(|size| (id(size.size_id), size.name.as_str(), size.barcodes.as_slice()))
        .collect();
    let sizes: Vec<(u64, &str, &[String])> = wanted
        .sizes
        .iter()
        .map(|size| (size.id, size.name.as_str(), size.barcodes.as_slice()))
        .collect();
    same(article, "sizes", &told, &sizes)?;
    let told = product
        .price
        .as_ref()
        .map(|price| (price.price_minor, price.discounted_minor, price.currency.as_str()));
    let price = (wanted.price_minor, Some(wanted.discounted_minor), "RUB");
    same(article, "price", &told, &Some(price))
}

/// Every warehouse that holds something has the marketplace's name and cluster, and its units by size and of
/// other kinds; returns how many of them were compared.
fn levels_equal(ledger: &Ledger, truth: &Truth, product: &ProductDetail) -> Result<usize, Failure> {
    let article = truth.product.article;
    let mut told = BTreeMap::new();
    for level in &product.levels {
        let buckets = level.buckets.iter().filter(|(_, units)| **units != 0);
        let sizes = level.sizes.iter().filter(|size| size.available != 0);
        let mut parts = Parts {
            sizes: sizes.map(|size| (id(size.size_id), size.available)).collect(),
            buckets: buckets.map(|(kind, units)| (kind.clone(), *units)).collect(),
            cluster: level.cluster.clone().unwrap_or_default(),
        };
        if units_of(level) == [0; 3] && parts.buckets.is_empty() {
            same(article, "sizes of nothing", &parts.sizes, &BTreeMap::new())?;
            continue;
        }
        if !level.masked {
            let name = ledger
                .warehouses
                .iter()
                .find(|known| level.warehouse.ends_with(&format!(":{}", known.id)))
                .map(|known| known.name.as_str());
            same(article, &level.warehouse, &Some(level.name.as_str()), &name)?;
        }
        // Units of the only size are those of the level; they are not told twice.
        if truth.product.sizes.len() < 2 && parts.sizes.is_empty() && level.available > 0 {
            let only = truth.parts.get(&level.warehouse).map(|parts| parts.sizes.clone());
            parts.sizes = only.unwrap_or_default();
        }
        told.insert(level.warehouse.clone(), parts);
    }
    same(article, "parts by warehouse", &told, &truth.parts)?;
    let counted = told.values().map(|parts| parts.sizes.len() + parts.buckets.len());
    Ok(counted.sum())
}

/// The marketplace's id of a size.
fn id(size: i64) -> u64 {
    u64::try_from(size).unwrap_or_default()
}

fn units_of(level: &Level) -> Units {
    [level.available, level.in_way_to_client, level.in_way_from_client]
}

fn counts_of(level: &Level) -> Counts {
    [level.orders.last_7, level.orders.last_14, level.orders.last_28]
}

/// Numbers by warehouse key, zeros left out.
fn levels<const N: usize>(
    product: &ProductDetail,
    of: impl Fn(&Level) -> [i64; N],
) -> BTreeMap<String, [i64; N]> {
    let cells = product
        .levels
        .iter()
        .map(|level| (level.warehouse.clone(), of(level)));
    cells.filter(|(_, units)| *units != [0; N]).collect()
}

/// One article of one order, as far as both sides tell it.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    article: i64,
    warehouse: String,
    quantity: i64,
    status: String,
    size: Option<u64>,
    price_minor: Option<i64>,
    cluster: String,
}

/// Orders of the longest window, one by one.
async fn orders_equal(world: &World, ledger: &Ledger) -> Result<usize, Failure> {
    let from = ledger.now - TimeDelta::days(28);
    let client = support::connect(&world.database.url).await;
    let sql = "SELECT o.order_id, p.nm_id, coalesce(a.resolved, o.warehouse), o.quantity, o.status, o.size_id, \
                      o.price_minor, coalesce(o.cluster, '') \
                 FROM rm_inventory.orders o JOIN rm_inventory.products p USING (tenant_id, product_id) \
                 LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = o.tenant_id \
                      AND a.cabinet_id = o.cabinet_id AND a.warehouse = o.warehouse \
                WHERE o.cabinet_id = $1 AND o.ordered_at >= $2";
    let rows = client.query(sql, &[&world.cabinet_id.uuid(), &from]).await?;
    let known: BTreeMap<String, Order> = rows
        .iter()
        .map(|row| {
            let order = Order {
                article: row.get(1),
                warehouse: row.get(2),
                quantity: row.get(3),
                status: row.get(4),
                size: row.get::<_, Option<i64>>(5).map(id),
                price_minor: row.get(6),
                cluster: row.get(7),
            };
            (row.get(0), order)
        })
        .collect();
    let truth: BTreeMap<String, Order> = ledger
        .orders
        .iter()
        .filter(|order| order.ordered_at >= from)
        .map(|order| {
            let place = ledger.warehouses.iter().find(|known| known.id == order.warehouse);
            // A masked warehouse's region is told only of orders that were seen before it was masked.
            let untold = place.is_some_and(|place| place.hidden_in_orders)
                && known.get(&order.id).is_some_and(|known| known.cluster.is_empty());
            let cluster = place.filter(|_| !untold).map(|known| known.cluster.clone());
            let state = Order {
                article: order.article,
                warehouse: ledger.key(order.warehouse, true),
                quantity: order.quantity,
                status: order.status.clone(),
                size: order.size,
                price_minor: Some(order.price_minor),
                cluster: cluster.unwrap_or_default(),
            };
            (order.id.clone(), state)
        })
        .collect();
    for (id, wanted) in &truth {
        if known.get(id) != Some(wanted) {
            return Err(format!("order {id}: {:?}, and it is {wanted:?}", known.get(id)).into());
        }
    }
    match known.keys().find(|id| !truth.contains_key(*id)) {
        Some(id) => Err(format!("order {id} is nothing that anybody ever ordered").into()),
        None => Ok(truth.len()),
    }
}

fn same<T: PartialEq + Debug>(article: i64, what: &str, told: &T, truth: &T) -> Result<(), Failure> {
    if told == truth {
        return Ok(());
    }
    Err(format!("{what} of {article}: {told:?}, and it is {truth:?}").into())
}
