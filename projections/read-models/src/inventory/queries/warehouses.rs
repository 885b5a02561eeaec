//! Warehouses of a tenant, what lies in them, and how fresh what is known is.

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use events::sync::Doubt;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::excluded::{Exclusion, WHY, excluded};
use super::known_orders::known_orders;
use super::{MINE, connected};
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
    /// Why its units are left out of what can be sold, if they are.
    pub excluded: Option<Exclusion>,
    /// The warehouse that this one turned out to be, where it was told by its name first and by an id later.
    pub same_as: Option<String>,
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
    /// Units ordered from it in the last 7 Moscow days, not cancelled; none where not all of these days are
    /// known.
    pub orders_last_7: Option<i64>,
    /// Products with at least one unit available there.
    pub products: i64,
}

/// How one source of a cabinet last came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// Whose.
    pub cabinet_id: Uuid,
    /// `cards`, `stock_fbo`, `stock_fbs`, `orders`, `prices`.
    pub source: String,
    /// How old the newest complete answer is, by the marketplace's time, else by ours; none before the first.
    pub as_of: Option<DateTime<Utc>>,
    /// When that answer was recorded.
    pub complete_at: Option<DateTime<Utc>>,
    /// The sync that told it.
    pub complete_by: Option<Uuid>,
    /// `complete`, `partial`, `failed`, `cached`.
    pub outcome: String,
    /// When that was recorded.
    pub outcome_at: DateTime<Utc>,
    /// Why it failed or is partial.
    pub error: Option<String>,
    /// Sync that told that.
    pub sync_id: Uuid,
    /// What of its answers is held back as implausible, until a later complete answer or a person decides.
    pub held: Vec<Doubt>,
    /// The sync to release or to discard for it.
    pub held_by: Option<Uuid>,
}

const COLUMNS: &str = "w.cabinet_id, w.warehouse, w.name, w.fulfilment, w.masked, w.in_stock, \
    NULL::text AS same_as, w.first_position, w.first_index";

/// How the key of the marketplace's collective for units that are on their way ends ("Остальные").
pub const NOWHERE: &str = ":0";

/// A warehouse that was told by its name is left out where stock tells the same one by its key.
const UNALIASED: &str = "NOT EXISTS (SELECT FROM rm_inventory.warehouse_aliases a \
    WHERE a.tenant_id = w.tenant_id AND a.cabinet_id = w.cabinet_id AND a.warehouse = w.warehouse)";

/// Warehouses of the tenant's connected cabinets, or of one of them, in the order in which they were first
/// seen.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn warehouses(
    tx: &Transaction<'_>,
    cabinet_id: Option<Uuid>,
) -> Result<Vec<Warehouse>, QueryError> {
    let left_out = excluded(None);
    let sql = format!(
        "SELECT {COLUMNS}, {WHY} FROM rm_inventory.warehouses w \
           LEFT JOIN ({left_out}) x ON x.cabinet_id = w.cabinet_id AND x.warehouse = w.warehouse \
          WHERE w.tenant_id = {MINE} AND ($1::uuid IS NULL OR w.cabinet_id = $1) AND {UNALIASED} \
            AND {} \
          ORDER BY w.first_position, w.first_index",
        connected("w.cabinet_id", None)
    );
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&cabinet_id]).await?;
    Ok(rows.iter().map(warehouse).collect::<Result<_, _>>()?)
}

/// What lies at each warehouse of the connected cabinets, most units first, and at those that are left out of
/// totals as well. Products that left the catalogue are not counted.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn warehouse_totals(
    tx: &Transaction<'_>,
    cabinet_id: Option<Uuid>,
    today: NaiveDate,
) -> Result<Vec<WarehouseTotal>, QueryError> {
    let left_out = excluded(None);
    let sql = format!(
        "WITH cells AS ( \
             SELECT l.cabinet_id, coalesce(a.resolved, l.warehouse) AS warehouse, l.available, \
                    0::bigint AS units, p.product_id \
               FROM rm_inventory.stock_levels l JOIN rm_inventory.products p USING (tenant_id, product_id) \
               LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = l.tenant_id \
                    AND a.cabinet_id = l.cabinet_id AND a.warehouse = l.warehouse \
              WHERE l.tenant_id = {MINE} AND NOT p.delisted \
             UNION ALL \
             SELECT d.cabinet_id, coalesce(a.resolved, d.warehouse), 0, d.units, NULL \
               FROM rm_inventory.order_days d JOIN rm_inventory.products p USING (tenant_id, product_id) \
               LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = d.tenant_id \
                    AND a.cabinet_id = d.cabinet_id AND a.warehouse = d.warehouse \
              WHERE d.tenant_id = {MINE} AND NOT p.delisted AND d.day > $2 AND d.day <= $3) \
         SELECT {COLUMNS}, {WHY}, coalesce(sum(c.available), 0)::bigint AS available, \
                coalesce(sum(c.units), 0)::bigint AS units, \
                count(c.product_id) FILTER (WHERE c.available > 0) AS products \
           FROM rm_inventory.warehouses w \
           LEFT JOIN cells c ON c.cabinet_id = w.cabinet_id AND c.warehouse = w.warehouse \
           LEFT JOIN ({left_out}) x ON x.cabinet_id = w.cabinet_id AND x.warehouse = w.warehouse \
          WHERE w.tenant_id = {MINE} AND ($1::uuid IS NULL OR w.cabinet_id = $1) AND {UNALIASED} \
            AND {} \
          GROUP BY w.tenant_id, w.cabinet_id, w.warehouse, {WHY} \
          ORDER BY available DESC, w.first_position, w.first_index",
        connected("w.cabinet_id", None)
    );
    let before = before_window(today, 7);
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx.query(&statement, &[&cabinet_id, &before, &today]).await?;
    let known = known_orders(tx).await?;
    let mut totals = Vec::with_capacity(rows.len());
    for row in &rows {
        let warehouse = warehouse(row)?;
        let (available, units): (i64, i64) = (row.try_get("available")?, row.try_get("units")?);
        // The marketplace's collective for what is on its way is a warehouse only when something lies there.
        if warehouse.warehouse.ends_with(NOWHERE) && (available, units) == (0, 0) {
            continue;
        }
        let is_known = known.windows(warehouse.cabinet_id, today).last_7;
        totals.push(WarehouseTotal {
            warehouse,
            available,
            orders_last_7: is_known.then_some(units),
            products: row.try_get("products")?,
        });
    }
    Ok(totals)
}

/// How each source of each connected cabinet last came out.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn freshness(tx: &Transaction<'_>) -> Result<Vec<Freshness>, QueryError> {
    let sql = format!(
        "SELECT cabinet_id, source, as_of, complete_at, outcome, outcome_at, error, sync_id, complete_by, \
                held, held_by \
           FROM rm_inventory.freshness f WHERE tenant_id = {MINE} AND {} ORDER BY cabinet_id, source",
        connected("f.cabinet_id", None)
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
                complete_by: row.try_get(8)?,
                held: row.try_get::<_, Json<_>>(9)?.0,
                held_by: row.try_get(10)?,
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
        excluded: Exclusion::of(row)?,
        same_as: row.try_get("same_as")?,
        first_position: row.try_get("first_position")?,
        first_index: row.try_get("first_index")?,
    })
}
