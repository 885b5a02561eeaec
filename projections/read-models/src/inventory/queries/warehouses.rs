//! Warehouses of a tenant, what lies in them, and how fresh what is known is.

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use super::MINE;
use crate::QueryError;
use measures::before_window;

/// One warehouse of one cabinet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warehouse {
    /// Whose.
    pub cabinet_id: Uuid,
    /// Key; unique inside the cabinet.
    pub warehouse: String,
    /// Name as told last.
    pub name: String,
    /// `fbo` or `fbs`.
    pub fulfilment: String,
    /// Whether the marketplace hides which warehouse this is.
    pub masked: bool,
    /// Whether stock was ever told for it; else only orders were.
    pub in_stock: bool,
    /// Position of its first sighting; with [`Self::first_index`] a stable order.
    pub first_position: i64,
    /// Place inside that event.
    pub first_index: i32,
}

/// What lies at one warehouse, over all products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WarehouseTotal {
    /// Which.
    pub warehouse: Warehouse,
    /// Units that can be sold.
    pub available: i64,
    /// Units ordered from it in the last 7 Moscow days, not cancelled.
    pub orders_last_7: i64,
    /// Products with at least one unit available there.
    pub products: i64,
}

/// How one source of a cabinet last came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// Whose.
    pub cabinet_id: Uuid,
    /// `cards`, `stock_fbo`, `stock_fbs`, `orders`.
    pub source: String,
    /// How old the newest complete answer is, by the marketplace's time, else by ours; none before the first.
    pub as_of: Option<DateTime<Utc>>,
    /// When that answer was recorded.
    pub complete_at: Option<DateTime<Utc>>,
    /// `complete`, `partial`, `failed`, `cached`.
    pub outcome: String,
    /// When that was recorded.
    pub outcome_at: DateTime<Utc>,
    /// Why it failed or is partial.
    pub error: Option<String>,
    /// Sync that told it.
    pub sync_id: Uuid,
}

const COLUMNS: &str = "w.cabinet_id, w.warehouse, w.name, w.fulfilment, w.masked, w.in_stock, \
w.first_position, \
    w.first_index";

/// A name under which only orders came is left out where stock tells the same warehouse by its key.
const UNALIASED: &str = "NOT EXISTS (SELECT FROM rm_inventory.warehouse_aliases a WHERE a.tenant_id = \
w.tenant_id \
    AND a.cabinet_id = w.cabinet_id AND a.warehouse = w.warehouse AND NOT w.in_stock)";

/// Warehouses of the tenant, or of one cabinet, in the order in which they were first seen.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn warehouses(
    tx: &Transaction<'_>,
    cabinet_id: Option<Uuid>,
) -> Result<Vec<Warehouse>, QueryError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rm_inventory.warehouses w \
          WHERE w.tenant_id = {MINE} AND ($1::uuid IS NULL OR w.cabinet_id = $1) AND {UNALIASED} \
          ORDER BY w.first_position, w.first_index"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&cabinet_id]).await?;
    Ok(rows.iter().map(warehouse).collect::<Result<_, _>>()?)
}

/// What lies at each warehouse, most units first. Products that left the catalogue are not counted.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn warehouse_totals(
    tx: &Transaction<'_>,
    cabinet_id: Option<Uuid>,
    today: NaiveDate,
) -> Result<Vec<WarehouseTotal>, QueryError> {
    let sql = format!(
        "WITH cells AS ( \
             SELECT l.cabinet_id, l.warehouse, l.available, 0::bigint AS units, p.product_id \
               FROM rm_inventory.stock_levels l JOIN rm_inventory.products p USING (tenant_id, product_id) \
              WHERE l.tenant_id = {MINE} AND NOT p.delisted \
             UNION ALL \
             SELECT d.cabinet_id, coalesce(a.resolved, d.warehouse), 0, d.units, NULL \
               FROM rm_inventory.order_days d JOIN rm_inventory.products p USING (tenant_id, product_id) \
               LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = d.tenant_id \
                    AND a.cabinet_id = d.cabinet_id AND a.warehouse = d.warehouse \
              WHERE d.tenant_id = {MINE} AND NOT p.delisted AND d.day > $2 AND d.day <= $3) \
         SELECT {COLUMNS}, coalesce(sum(c.available), 0)::bigint AS available, \
                coalesce(sum(c.units), 0)::bigint AS units, \
                count(c.product_id) FILTER (WHERE c.available > 0) AS products \
           FROM rm_inventory.warehouses w \
           LEFT JOIN cells c ON c.cabinet_id = w.cabinet_id AND c.warehouse = w.warehouse \
          WHERE w.tenant_id = {MINE} AND ($1::uuid IS NULL OR w.cabinet_id = $1) AND {UNALIASED} \
          GROUP BY w.tenant_id, w.cabinet_id, w.warehouse \
          ORDER BY available DESC, w.first_position, w.first_index"
    );
    let before = before_window(today, 7);
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&cabinet_id, &before, &today]).await?;
    rows.iter()
        .map(|row| {
            Ok(WarehouseTotal {
                warehouse: warehouse(row)?,
                available: row.try_get("available")?,
                orders_last_7: row.try_get("units")?,
                products: row.try_get("products")?,
            })
        })
        .collect()
}

/// How each source of each cabinet last came out.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn freshness(tx: &Transaction<'_>) -> Result<Vec<Freshness>, QueryError> {
    let sql = format!(
        "SELECT cabinet_id, source, as_of, complete_at, outcome, outcome_at, error, sync_id \
           FROM rm_inventory.freshness WHERE tenant_id = {MINE} ORDER BY cabinet_id, source"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Freshness {
                cabinet_id: row.try_get(0)?,
                source: row.try_get(1)?,
                as_of: row.try_get(2)?,
                complete_at: row.try_get(3)?,
                outcome: row.try_get(4)?,
                outcome_at: row.try_get(5)?,
                error: row.try_get(6)?,
                sync_id: row.try_get(7)?,
            })
        })
        .collect()
}

pub(super) fn warehouse(row: &Row) -> Result<Warehouse, tokio_postgres::Error> {
    Ok(Warehouse {
        cabinet_id: row.try_get("cabinet_id")?,
        warehouse: row.try_get("warehouse")?,
        name: row.try_get("name")?,
        fulfilment: row.try_get("fulfilment")?,
        masked: row.try_get("masked")?,
        in_stock: row.try_get("in_stock")?,
        first_position: row.try_get("first_position")?,
        first_index: row.try_get("first_index")?,
    })
}
