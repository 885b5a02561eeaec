//! Everything a tenant's sheet needs, in the order in which it was first seen.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use uuid::Uuid;

use super::MINE;
use super::warehouses::{Freshness, Warehouse, freshness, warehouse};
use crate::QueryError;
use measures::before_window;

/// The rows of a sheet. Products and their cells are of one instant; the sums of a product's cells, together
/// with nothing else, are its totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRows {
    /// Position up to which the read model had read.
    pub position: i64,
    /// Products in the order in which they were first seen; those that left the catalogue are marked.
    pub products: Vec<SheetProduct>,
    /// Warehouses in the order in which they were first seen. Every cell's warehouse is among them.
    pub warehouses: Vec<Warehouse>,
    /// How old the numbers are.
    pub freshness: Vec<Freshness>,
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
    /// Whether it left the catalogue.
    pub delisted: bool,
    /// Units that can be sold.
    pub available: i64,
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
    let sql = format!(
        "WITH cells AS ( \
             SELECT c.product_id, c.warehouse, sum(c.available)::bigint AS available, sum(c.units)::bigint \
             AS units \
               FROM (SELECT l.product_id, l.warehouse, l.available, 0::bigint AS units \
                       FROM rm_inventory.stock_levels l WHERE l.tenant_id = {MINE} \
                     UNION ALL \
                     SELECT d.product_id, coalesce(a.resolved, d.warehouse), 0, d.units \
                       FROM rm_inventory.order_days d \
                       LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = d.tenant_id \
                            AND a.cabinet_id = d.cabinet_id AND a.warehouse = d.warehouse \
                      WHERE d.tenant_id = {MINE} AND d.day > $1 AND d.day <= $2) c \
              GROUP BY c.product_id, c.warehouse), \
         rows AS ( \
             SELECT product_id, array_agg(warehouse ORDER BY warehouse COLLATE \"C\") AS warehouses, \
                    array_agg(available ORDER BY warehouse COLLATE \"C\") AS levels, \
                    array_agg(units ORDER BY warehouse COLLATE \"C\") AS units, sum(units)::bigint AS orders \
               FROM cells GROUP BY product_id) \
         SELECT p.product_id, p.cabinet_id, p.marketplace, p.nm_id, p.vendor_code, p.brand, p.subject, \
         p.title, \
                p.delisted, p.available, p.in_way_to_client, p.in_way_from_client, p.updated_at, p.position, \
                coalesce(r.warehouses, '{{}}') AS warehouses, coalesce(r.levels, '{{}}') AS levels, \
                coalesce(r.units, '{{}}') AS units, coalesce(r.orders, 0) AS orders, \
                (SELECT position FROM rm_inventory.projection) AS read_up_to \
           FROM rm_inventory.products p LEFT JOIN rows r ON r.product_id = p.product_id \
          WHERE p.tenant_id = {MINE} ORDER BY p.first_position"
    );
    let before = before_window(today, 7);
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&before, &today]).await?;
    let position = match rows.first() {
        Some(row) => row.try_get("read_up_to")?,
        None => crate::position::<crate::Inventory>(tx)
            .await?
            .map_or(0, |(position, _)| position),
    };
    let products = rows.iter().map(sheet_product).collect::<Result<Vec<_>, _>>()?;
    let warehouses = columns(tx, &products).await?;
    Ok(SheetRows {
        position,
        products,
        warehouses,
        freshness: freshness(tx).await?,
    })
}

/// Warehouses with a place of their own: all but the names that only stand for another key, unless a cell has
/// one.
async fn columns(tx: &Transaction<'_>, products: &[SheetProduct]) -> Result<Vec<Warehouse>, QueryError> {
    let sql = format!(
        "SELECT w.*, NOT w.in_stock AND EXISTS ( \
                SELECT FROM rm_inventory.warehouse_aliases a WHERE a.tenant_id = w.tenant_id \
                   AND a.cabinet_id = w.cabinet_id AND a.warehouse = w.warehouse) AS alias \
           FROM rm_inventory.warehouses w WHERE w.tenant_id = {MINE} ORDER BY w.first_position, w.first_index"
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
    for row in tx.query(&statement, &[]).await? {
        let found = warehouse(&row)?;
        if !row.try_get::<_, bool>("alias")? || used.contains(&(found.cabinet_id, found.warehouse.as_str())) {
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
        in_way_to_client: row.try_get("in_way_to_client")?,
        in_way_from_client: row.try_get("in_way_from_client")?,
        orders_last_7: row.try_get("orders")?,
        updated_at: row.try_get("updated_at")?,
        position: row.try_get("position")?,
        cells,
    })
}
