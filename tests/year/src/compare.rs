//! Read models against the marketplace's own ledger: product by product, warehouse by warehouse, order by
//! order.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::TimeDelta;
use read_models::inventory::queries::{self, Level, ProductDetail, ProductQuery};
use simulators::{Ledger, LedgerProduct, Units};

use crate::Failure;
use crate::counts::{Counts, orders, total};
use crate::world::World;

/// More than any plan has.
const ALL: i64 = 100_000;

/// How much was compared.
pub(crate) struct Compared {
    pub(crate) orders: usize,
    pub(crate) levels: usize,
}

/// Every number that the read models have of the cabinet is the marketplace's.
pub(crate) async fn everything(world: &World, ledger: &Ledger) -> Result<Compared, Failure> {
    let mut known = products(world, ledger).await?;
    let (mut stock, mut ordered) = (ledger.stock(), orders(ledger));
    let mut levels = 0;
    for truth in &ledger.products {
        let stock = stock.remove(&truth.article).unwrap_or_default();
        let ordered = ordered.remove(&truth.article).unwrap_or_default();
        levels += stock.len();
        match known.remove(&truth.article) {
            Some(product) => product_equals(ledger, truth, &product, &stock, &ordered)?,
            // One that came and went between two syncs left no trace.
            None if !truth.listed && stock.is_empty() && ordered.is_empty() => {}
            None => return Err(format!("{} is not known", truth.article).into()),
        }
    }
    if let Some(ghost) = known.keys().next() {
        return Err(format!("{ghost} is nothing that the marketplace ever had").into());
    }
    Ok(Compared {
        orders: orders_equal(world, ledger).await?,
        levels,
    })
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

fn product_equals(
    ledger: &Ledger,
    truth: &LedgerProduct,
    product: &ProductDetail,
    stock: &BTreeMap<String, Units>,
    ordered: &BTreeMap<String, Counts>,
) -> Result<(), Failure> {
    let summary = &product.summary;
    let article = truth.article;
    same(article, "listed", &!summary.delisted, &truth.listed)?;
    if truth.listed {
        let told = [
            &summary.vendor_code,
            &summary.brand,
            &summary.subject,
            &summary.title,
        ];
        let wanted = [&truth.vendor_code, &truth.brand, &truth.subject, &truth.title];
        same(article, "details", &told, &wanted)?;
        same(article, "barcodes", &product.barcodes, &truth.barcodes)?;
    }
    same(article, "stock by warehouse", &levels(product, units_of), stock)?;
    let sums = [
        summary.available,
        summary.in_way_to_client,
        summary.in_way_from_client,
    ];
    same(article, "stock", &sums, &total(stock))?;
    same(
        article,
        "orders by warehouse",
        &levels(product, counts_of),
        ordered,
    )?;
    let windows = [
        summary.outlook.orders.last_7,
        summary.outlook.orders.last_14,
        summary.outlook.orders.last_28,
    ];
    same(article, "orders", &windows, &total(ordered))?;
    for level in product
        .levels
        .iter()
        .filter(|level| !level.masked && units_of(level) != [0; 3])
    {
        let names = ledger.warehouses.iter().map(|known| (known.id, known));
        let truth = names
            .filter(|(id, _)| level.warehouse.ends_with(&format!(":{id}")))
            .map(|(_, known)| known.name.as_str())
            .next();
        same(article, &level.warehouse, &Some(level.name.as_str()), &truth)?;
    }
    Ok(())
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

/// Article, warehouse key, units and status.
type Order = (i64, String, i64, String);

/// Orders of the longest window, one by one.
async fn orders_equal(world: &World, ledger: &Ledger) -> Result<usize, Failure> {
    let from = ledger.now - TimeDelta::days(28);
    let client = support::connect(&world.database.url).await;
    let sql = "SELECT o.order_id, p.nm_id, coalesce(a.resolved, o.warehouse), o.quantity, o.status \
                 FROM rm_inventory.orders o JOIN rm_inventory.products p USING (tenant_id, product_id) \
                 LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = o.tenant_id \
                      AND a.cabinet_id = o.cabinet_id AND a.warehouse = o.warehouse \
                WHERE o.cabinet_id = $1 AND o.ordered_at >= $2";
    let rows = client.query(sql, &[&world.cabinet_id.uuid(), &from]).await?;
    let known: BTreeMap<String, Order> = rows
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3), row.get(4))))
        .collect();
    let truth: BTreeMap<String, Order> = ledger
        .orders
        .iter()
        .filter(|order| order.ordered_at >= from)
        .map(|order| {
            let place = ledger.key(order.warehouse, true);
            let state = (order.article, place, order.quantity, order.status.clone());
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
