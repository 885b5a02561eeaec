//! Everything a tenant's sheet needs, in the order in which it was first seen.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use uuid::Uuid;

use super::excluded::{WHY, excluded};
use super::known_at::position_at;
use super::known_orders::{KnownOrders, known_orders};
use super::outlook::{Outlook, outlooks};
use super::sizes::{SheetSize, sheet_sizes, size_names};
use super::warehouses::{Freshness, Warehouse, freshness, warehouse};
use super::{MINE, connected};
use crate::QueryError;
use measures::{before_window, moscow_day};

/// The rows of a sheet. Products and their cells are of one instant; the sums of a product's cells, less
/// those of warehouses that are left out, are its totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRows {
    /// Position up to which the read model had read.
    pub position: i64,
    /// The earlier instant of which the numbers are; none where they are of now.
    pub known_at: Option<DateTime<Utc>>,
    /// Products in the order in which they were first seen; those that left the catalogue are marked, and so
    /// are those of a cabinet that was taken away.
    pub products: Vec<SheetProduct>,
    /// Warehouses of connected cabinets in the order in which they were first seen. The warehouse of every
    /// cell of a product that is not marked is among them.
    pub warehouses: Vec<Warehouse>,
    /// How old the numbers are.
    pub freshness: Vec<Freshness>,
    /// Which time orders are known of.
    pub known_orders: KnownOrders,
    /// The Moscow day with which windows of orders end.
    pub today: NaiveDate,
    /// What products are expected to do, if somebody asked; see [`super::outlooks`].
    pub outlooks: Option<HashMap<Uuid, Outlook>>,
    /// The part of the numbers that was told by size, of products of several sizes, if somebody asked. No
    /// earlier numbers are known by size.
    pub sizes: Option<HashMap<Uuid, Vec<SheetSize>>>,
    /// Which sizes products of several have, if somebody asked: id and name.
    pub size_names: HashMap<Uuid, Vec<(i64, String)>>,
}

/// What a sheet may need beyond its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SheetNeeds {
    /// What products are expected to do.
    pub outlooks: bool,
    /// Numbers by size.
    pub sizes: bool,
    /// Which sizes there are, of products that left the catalogue too.
    pub size_names: bool,
}

/// Everything a sheet shows, as it is known now or was known at an instant. Its statements are several; a
/// caller who wants them to be of one instant asks in a snapshot.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn sheet(
    tx: &Transaction<'_>,
    now: DateTime<Utc>,
    known_at: Option<DateTime<Utc>>,
    needs: SheetNeeds,
) -> Result<SheetRows, QueryError> {
    let mut rows = match known_at {
        Some(at) => sheet_rows_known_at(tx, at).await?,
        None => sheet_rows(tx, moscow_day(now)).await?,
    };
    if needs.outlooks {
        rows.outlooks = Some(outlooks(tx, known_at.unwrap_or(now), None).await?);
    }
    if needs.sizes && known_at.is_none() {
        rows.sizes = Some(sheet_sizes(tx, moscow_day(now)).await?);
    }
    if needs.size_names {
        rows.size_names = size_names(tx).await?;
    }
    Ok(rows)
}

/// One product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetProduct {
    /// Its id.
    pub product_id: Uuid,
    /// Its cabinet.
    pub cabinet_id: Uuid,
    /// `wildberries` or `ozon`.
    pub marketplace: String,
    /// Marketplace's article number.
    pub nm_id: i64,
    /// Seller's article.
    pub vendor_code: String,
    /// Brand, or empty.
    pub brand: String,
    /// Category.
    pub subject: String,
    /// Title.
    pub title: String,
    /// Whether it left the catalogue, or its cabinet was taken away.
    pub delisted: bool,
    /// Units that can be sold.
    pub available: i64,
    /// Units at warehouses that are left out.
    pub excluded_units: i64,
    /// Units on the way to buyers.
    pub in_way_to_client: i64,
    /// Units on the way back.
    pub in_way_from_client: i64,
    /// Units ordered in the last 7 Moscow days, not cancelled.
    pub orders_last_7: i64,
    /// When we last recorded a change.
    pub updated_at: DateTime<Utc>,
    /// Position of that change.
    pub position: i64,
    /// Per warehouse with stock ever told or orders in the window.
    pub cells: Vec<SheetCell>,
}

/// A product at a warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetCell {
    /// Key, inside the product's cabinet.
    pub warehouse: String,
    /// Units that can be sold.
    pub available: i64,
    /// Units ordered from here in the last 7 Moscow days, not cancelled.
    pub orders_last_7: i64,
}

/// Everything the sheet needs. `today` is the Moscow day with which the 7 days end.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn sheet_rows(tx: &Transaction<'_>, today: NaiveDate) -> Result<SheetRows, QueryError> {
    // One statement, hence one snapshot, for all numbers. Warehouses never go away, so asking for them
    // afterwards cannot miss one.
    let sql = statement(
        "",
        &format!(
            "SELECT l.product_id, l.warehouse, l.available, 0::bigint AS units \
               FROM rm_inventory.stock_levels l WHERE l.tenant_id = {MINE}"
        ),
        &format!(
            "SELECT d.product_id, d.cabinet_id, d.warehouse, d.units FROM rm_inventory.order_days d \
              WHERE d.tenant_id = {MINE} AND d.day > $1 AND d.day <= $2"
        ),
        &format!("SELECT * FROM rm_inventory.products p WHERE p.tenant_id = {MINE}"),
        None,
    );
    let before = before_window(today, 7);
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&before, &today]).await?;
    let position = match rows.first() {
        Some(row) => row.try_get("read_up_to")?,
        None => read_up_to(tx).await?,
    };
    let mut products = rows.iter().map(sheet_product).collect::<Result<Vec<_>, _>>()?;
    let warehouses = columns(tx, &products, i64::MAX, None).await?;
    leave_out(&mut products, &warehouses);
    Ok(SheetRows {
        position,
        known_at: None,
        products,
        warehouses,
        freshness: freshness(tx).await?,
        known_orders: known_orders(tx).await?,
        today,
        outlooks: None,
        sizes: None,
        size_names: HashMap::new(),
    })
}

/// As [`sheet_rows`], with stock as it was known at an instant (by our time of recording) and orders until
/// then. A level that changed since then is what its first change since then says it was before; so the
/// question costs what happened since. Details of products and statuses of orders are today's.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn sheet_rows_known_at(tx: &Transaction<'_>, at: DateTime<Utc>) -> Result<SheetRows, QueryError> {
    let position = position_at(tx, at).await?;
    let today = moscow_day(at);
    let sql = statement(
        &format!(
            "changed AS ( \
                 SELECT DISTINCT ON (h.product_id, h.warehouse) h.product_id, h.warehouse, \
                        h.available_before \
                   FROM rm_inventory.product_history h \
                  WHERE h.tenant_id = {MINE} AND h.recorded_at > $3 AND h.position > $4 \
                    AND h.warehouse IS NOT NULL AND h.kind IN ('stock', 'regrouped') \
                  ORDER BY h.product_id, h.warehouse, h.position, h.index), "
        ),
        &format!(
            "SELECT l.product_id, l.warehouse, l.available, 0::bigint AS units \
               FROM rm_inventory.stock_levels l \
               LEFT JOIN changed c ON c.product_id = l.product_id AND c.warehouse = l.warehouse \
              WHERE l.tenant_id = {MINE} AND c.product_id IS NULL \
             UNION ALL \
             SELECT c.product_id, c.warehouse, c.available_before, 0 FROM changed c \
              WHERE c.available_before IS NOT NULL"
        ),
        &format!(
            "SELECT d.product_id, d.cabinet_id, d.warehouse, d.units FROM rm_inventory.order_days d \
              WHERE d.tenant_id = {MINE} AND d.day > $1 AND d.day < $2 \
             UNION ALL \
             SELECT o.product_id, o.cabinet_id, o.warehouse, o.quantity \
               FROM rm_inventory.products p JOIN rm_inventory.orders o \
                 ON o.tenant_id = p.tenant_id AND o.product_id = p.product_id AND o.day = $2 \
              WHERE p.tenant_id = {MINE} AND o.ordered_at <= $3 AND NOT o.cancelled"
        ),
        &products_then(),
        Some("$3"),
    );
    let before = before_window(today, 7);
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&before, &today, &at, &position]).await?;
    let mut products = rows.iter().map(sheet_product).collect::<Result<Vec<_>, _>>()?;
    let warehouses = columns(tx, &products, position, Some(at)).await?;
    leave_out(&mut products, &warehouses);
    Ok(SheetRows {
        position: read_up_to(tx).await?,
        known_at: Some(at),
        products,
        warehouses,
        freshness: Vec::new(),
        known_orders: known_orders(tx).await?,
        today,
        outlooks: None,
        sizes: None,
        size_names: HashMap::new(),
    })
}

/// Takes the units at warehouses that are left out away from what can be sold: by the warehouses that were
/// read, so that a total and the marks above its columns never disagree.
fn leave_out(products: &mut [SheetProduct], warehouses: &[Warehouse]) {
    let left_out: HashSet<(Uuid, &str)> = (warehouses.iter())
        .filter(|warehouse| warehouse.excluded.is_some())
        .map(|warehouse| (warehouse.cabinet_id, warehouse.warehouse.as_str()))
        .collect();
    if left_out.is_empty() {
        return;
    }
    for product in products {
        let cells = product.cells.iter();
        let there = cells.filter(|cell| left_out.contains(&(product.cabinet_id, cell.warehouse.as_str())));
        product.excluded_units = there.map(|cell| cell.available).sum();
        product.available -= product.excluded_units;
    }
}

/// Products with the totals of their last change up to position `$4`.
fn products_then() -> String {
    format!(
        "SELECT q.product_id, q.cabinet_id, q.marketplace, q.nm_id, q.vendor_code, q.brand, q.subject, \
                q.title, h.delisted, h.total_available AS available, \
                h.total_to_client AS in_way_to_client, h.total_from_client AS in_way_from_client, \
                h.recorded_at AS updated_at, h.position, q.first_position \
           FROM rm_inventory.products q \
           JOIN LATERAL (SELECT c.* FROM rm_inventory.product_history c \
                          WHERE c.tenant_id = {MINE} AND c.product_id = q.product_id AND c.position <= $4 \
                          ORDER BY c.position DESC, c.index DESC LIMIT 1) h ON true \
          WHERE q.tenant_id = {MINE}"
    )
}

/// The statement over given levels, orders and products, with the cabinets that are connected or were at the
/// instant that the parameter `at` names. `tables` are what those refer to.
fn statement(tables: &str, levels: &str, orders: &str, products: &str, at: Option<&str>) -> String {
    let connected = connected("p.cabinet_id", at);
    format!(
        "WITH {tables}cells AS ( \
             SELECT c.product_id, c.warehouse, sum(c.available)::bigint AS available, \
                    sum(c.units)::bigint AS units \
               FROM ({levels} \
                     UNION ALL \
                     SELECT d.product_id, coalesce(a.resolved, d.warehouse), 0, d.units FROM ({orders}) d \
                       LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = {MINE} \
                            AND a.cabinet_id = d.cabinet_id AND a.warehouse = d.warehouse) c \
              GROUP BY c.product_id, c.warehouse), \
         rows AS ( \
             SELECT product_id, array_agg(warehouse ORDER BY warehouse COLLATE \"C\") AS warehouses, \
                    array_agg(available ORDER BY warehouse COLLATE \"C\") AS levels, \
                    array_agg(units ORDER BY warehouse COLLATE \"C\") AS units, sum(units)::bigint AS orders \
               FROM cells GROUP BY product_id) \
         SELECT p.product_id, p.cabinet_id, p.marketplace, p.nm_id, p.vendor_code, p.brand, p.subject, \
                p.title, p.delisted OR NOT {connected} AS delisted, p.available, p.in_way_to_client, p.in_way_from_client, p.updated_at, \
                p.position, coalesce(r.warehouses, '{{}}') AS warehouses, coalesce(r.levels, '{{}}') AS levels, \
                coalesce(r.units, '{{}}') AS units, coalesce(r.orders, 0) AS orders, \
                (SELECT position FROM rm_inventory.projection) AS read_up_to \
           FROM ({products}) p LEFT JOIN rows r ON r.product_id = p.product_id \
          ORDER BY p.first_position"
    )
}

async fn read_up_to(tx: &Transaction<'_>) -> Result<i64, QueryError> {
    let found = crate::position::<crate::Inventory>(tx).await?;
    Ok(found.map_or(0, |(position, _)| position))
}

/// Warehouses with a place of their own: all but the names that only stand for another key, unless stock was
/// told under them or a cell has one.
async fn columns(
    tx: &Transaction<'_>,
    products: &[SheetProduct],
    up_to: i64,
    at: Option<DateTime<Utc>>,
) -> Result<Vec<Warehouse>, QueryError> {
    let connected = match at {
        Some(_) => connected("w.cabinet_id", Some("$2")),
        // The parameter has to occur.
        None => format!("{} AND $2::timestamptz IS NULL", connected("w.cabinet_id", None)),
    };
    let left_out = excluded(at.map(|_| "$2"));
    let sql = format!(
        "SELECT w.*, a.resolved AS same_as, {WHY} FROM rm_inventory.warehouses w \
           LEFT JOIN ({left_out}) x ON x.cabinet_id = w.cabinet_id AND x.warehouse = w.warehouse \
           LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = w.tenant_id \
                AND a.cabinet_id = w.cabinet_id AND a.warehouse = w.warehouse \
          WHERE w.tenant_id = {MINE} AND w.first_position <= $1 AND {connected} \
          ORDER BY w.first_position, w.first_index"
    );
    let used: BTreeSet<(Uuid, &str)> = products
        .iter()
        .flat_map(|product| {
            product
                .cells
                .iter()
                .map(|cell| (product.cabinet_id, cell.warehouse.as_str()))
        })
        .collect();
    let statement = tx.prepare_cached(&sql).await?;
    let mut columns = Vec::new();
    for row in tx.query(&statement, &[&up_to, &at]).await? {
        let found = warehouse(&row)?;
        let stands_for_another = found.same_as.is_some() && !found.in_stock;
        if !stands_for_another || used.contains(&(found.cabinet_id, found.warehouse.as_str())) {
            columns.push(found);
        }
    }
    Ok(columns)
}

fn sheet_product(row: &Row) -> Result<SheetProduct, tokio_postgres::Error> {
    let warehouses: Vec<String> = row.try_get("warehouses")?;
    let levels: Vec<i64> = row.try_get("levels")?;
    let units: Vec<i64> = row.try_get("units")?;
    let cells = warehouses
        .into_iter()
        .zip(levels)
        .zip(units)
        .map(|((warehouse, available), orders_last_7)| SheetCell {
            warehouse,
            available,
            orders_last_7,
        })
        .collect();
    Ok(SheetProduct {
        product_id: row.try_get("product_id")?,
        cabinet_id: row.try_get("cabinet_id")?,
        marketplace: row.try_get("marketplace")?,
        nm_id: row.try_get("nm_id")?,
        vendor_code: row.try_get("vendor_code")?,
        brand: row.try_get("brand")?,
        subject: row.try_get("subject")?,
        title: row.try_get("title")?,
        delisted: row.try_get("delisted")?,
        available: row.try_get("available")?,
        excluded_units: 0,
        in_way_to_client: row.try_get("in_way_to_client")?,
        in_way_from_client: row.try_get("in_way_from_client")?,
        orders_last_7: row.try_get("orders")?,
        updated_at: row.try_get("updated_at")?,
        position: row.try_get("position")?,
        cells,
    })
}
