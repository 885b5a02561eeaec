//! Warehouses that a seller leaves out of what can be sold. Nothing of them is missing from the rows: their
//! levels are told and shown, and totals are what the rows say less these. So the sum over the warehouses
//! that count and the units that are left out is all there is. Orders from them were sold and count.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{MINE, connected};
use crate::QueryError;

/// Why a warehouse is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// In the seller's words.
    pub reason: String,
    /// Since when, by our time of recording.
    pub since: DateTime<Utc>,
    /// Who gave the reason: the event's actor.
    pub by: String,
}

impl Exclusion {
    /// From the columns of [`WHY`]; none where they are empty.
    pub(super) fn of(row: &Row) -> Result<Option<Self>, tokio_postgres::Error> {
        let reason: Option<String> = row.try_get("excluded_reason")?;
        let since: Option<DateTime<Utc>> = row.try_get("excluded_since")?;
        let by: Option<String> = row.try_get("excluded_by")?;
        Ok(match (reason, since, by) {
            (Some(reason), Some(since), Some(by)) => Some(Self { reason, since, by }),
            _ => None,
        })
    }
}

/// What [`excluded`] tells of a warehouse, where it stands as `x`.
pub(super) const WHY: &str = "x.excluded_reason, x.excluded_since, x.excluded_by";

/// A table of the keys that are left out now, or were at the instant that a parameter names: cabinet,
/// warehouse and [`WHY`].
pub(super) fn excluded(at: Option<&str>) -> String {
    let lasts = match at {
        None => "k.included_at IS NULL".to_owned(),
        Some(at) => format!("k.excluded_at <= {at} AND (k.included_at IS NULL OR k.included_at > {at})"),
    };
    format!(
        "SELECT DISTINCT ON (k.cabinet_id, k.warehouse) k.cabinet_id, k.warehouse, \
                k.reason AS excluded_reason, k.excluded_at AS excluded_since, k.excluded_by \
           FROM rm_inventory.excluded_keys k WHERE k.tenant_id = {MINE} AND {lasts} \
          ORDER BY k.cabinet_id, k.warehouse, k.excluded_position"
    )
}

/// A table of the tenant's products with two columns more: `counted`, the units that can be sold, and
/// `excluded_units`, those at warehouses that are left out.
pub(super) fn counted_products() -> String {
    let excluded = excluded(None);
    // Grouped by itself, each warehouse is looked up: there are few, and nothing is read where there is none.
    format!(
        "SELECT a.*, a.available - coalesce(x.units, 0) AS counted, coalesce(x.units, 0) AS excluded_units \
           FROM rm_inventory.products a \
           LEFT JOIN (SELECT t.product_id, sum(t.units)::bigint AS units \
                        FROM ({excluded}) e \
                       CROSS JOIN LATERAL (SELECT l.product_id, sum(l.available) AS units \
                                             FROM rm_inventory.stock_levels l \
                                            WHERE l.tenant_id = {MINE} AND l.cabinet_id = e.cabinet_id \
                                              AND l.warehouse = e.warehouse GROUP BY l.product_id) t \
                       GROUP BY t.product_id) x ON x.product_id = a.product_id \
          WHERE a.tenant_id = {MINE}"
    )
}

/// A warehouse of a cabinet, for whoever wants to leave it out or to count it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excludable {
    /// The key that it has now: of one that was told by its name first, the one with its id.
    pub warehouse: String,
    /// The keys under which it is left out.
    pub excluded_as: Vec<String>,
}

/// The warehouse of a connected cabinet that a key stands for; none where the cabinet has no such key.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn excludable(
    tx: &Transaction<'_>,
    cabinet_id: Uuid,
    warehouse: &str,
) -> Result<Option<Excludable>, QueryError> {
    let sql = format!(
        "SELECT coalesce(a.resolved, w.warehouse) AS warehouse, \
                ARRAY(SELECT DISTINCT k.excluded_as FROM rm_inventory.excluded_keys k \
                       WHERE k.tenant_id = {MINE} AND k.cabinet_id = w.cabinet_id \
                         AND k.warehouse = w.warehouse AND k.included_at IS NULL \
                       ORDER BY k.excluded_as) AS excluded_as \
           FROM rm_inventory.warehouses w \
           LEFT JOIN rm_inventory.warehouse_aliases a ON a.tenant_id = w.tenant_id \
                AND a.cabinet_id = w.cabinet_id AND a.warehouse = w.warehouse \
          WHERE w.tenant_id = {MINE} AND w.cabinet_id = $1 AND w.warehouse = $2 AND {}",
        connected("w.cabinet_id", None)
    );
    let statement = tx.prepare_cached(&sql).await?;
    let row = tx.query_opt(&statement, &[&cabinet_id, &warehouse]).await?;
    let found = |row: &Row| {
        Ok::<_, tokio_postgres::Error>(Excludable {
            warehouse: row.try_get("warehouse")?,
            excluded_as: row.try_get("excluded_as")?,
        })
    };
    Ok(row.as_ref().map(found).transpose()?)
}
