//! How a product came to its numbers, one change a row.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::MINE;
use crate::QueryError;

/// Which changes of a product. Newest first.
#[derive(Debug, Clone)]
pub struct HistoryQuery {
    /// Product.
    pub product_id: Uuid,
    /// One warehouse key.
    pub warehouse: Option<String>,
    /// One kind, see [`Change::kind`].
    pub kind: Option<String>,
    /// Recorded at or after.
    pub since: Option<DateTime<Utc>>,
    /// Recorded before.
    pub until: Option<DateTime<Utc>>,
    /// Position and index of the last row of the previous page.
    pub before: Option<(i64, i32)>,
    /// Most rows.
    pub limit: i64,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Position of the event.
    pub position: i64,
    /// Place among the changes of that event.
    pub index: i32,
    /// When we recorded it.
    pub recorded_at: DateTime<Utc>,
    /// Marketplace's time, where the event tells one.
    pub as_of: Option<DateTime<Utc>>,
    /// `listed`, `details_changed`, `delisted`, `relisted`, `stock`, `in_way` (no warehouse told),
    /// `regrouped` (told under another name from now on: nothing moved), `orders`.
    pub kind: String,
    /// Source that told it.
    pub source: Option<String>,
    /// Sync that saw it.
    pub sync_id: Uuid,
    /// Warehouse key.
    pub warehouse: Option<String>,
    /// Its name as told then.
    pub warehouse_name: Option<String>,
    /// Units that could be sold, before; none where nothing was known.
    pub available_before: Option<i64>,
    /// Units that could be sold, after; none where the warehouse was regrouped away.
    pub available_after: Option<i64>,
    /// Units on the way to buyers, before.
    pub to_client_before: Option<i64>,
    /// Units on the way to buyers, after.
    pub to_client_after: Option<i64>,
    /// Units on the way back, before.
    pub from_client_before: Option<i64>,
    /// Units on the way back, after.
    pub from_client_after: Option<i64>,
    /// New or changed orders.
    pub orders: Option<i64>,
    /// Names of the details that changed.
    pub detail: Option<String>,
    /// The product's units available after the whole event.
    pub total_available: i64,
}

/// A page of changes, newest first.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn history(tx: &Transaction<'_>, query: &HistoryQuery) -> Result<Vec<Change>, QueryError> {
    let sql = format!(
        "SELECT * FROM rm_inventory.product_history h \
          WHERE h.tenant_id = {MINE} AND h.product_id = $1 \
            AND ($2::text IS NULL OR h.warehouse = $2) AND ($3::text IS NULL OR h.kind = $3) \
            AND ($4::timestamptz IS NULL OR h.recorded_at >= $4) \
            AND ($5::timestamptz IS NULL OR h.recorded_at < $5) AND (h.position, h.index) < ($6, $7) \
          ORDER BY h.position DESC, h.index DESC LIMIT $8"
    );
    let (position, index) = query.before.unwrap_or((i64::MAX, i32::MAX));
    let limit = query.limit.max(1);
    let statement = tx.prepare_cached(&sql).await?;
    let rows = tx
        .query(
            &statement,
            &[
                &query.product_id,
                &query.warehouse,
                &query.kind,
                &query.since,
                &query.until,
                &position,
                &index,
                &limit,
            ],
        )
        .await?;
    Ok(rows.iter().map(change).collect::<Result<_, _>>()?)
}

fn change(row: &Row) -> Result<Change, tokio_postgres::Error> {
    Ok(Change {
        position: row.try_get("position")?,
        index: row.try_get("index")?,
        recorded_at: row.try_get("recorded_at")?,
        as_of: row.try_get("as_of")?,
        kind: row.try_get("kind")?,
        source: row.try_get("source")?,
        sync_id: row.try_get("sync_id")?,
        warehouse: row.try_get("warehouse")?,
        warehouse_name: row.try_get("warehouse_name")?,
        available_before: row.try_get("available_before")?,
        available_after: row.try_get("available_after")?,
        to_client_before: row.try_get("to_client_before")?,
        to_client_after: row.try_get("to_client_after")?,
        from_client_before: row.try_get("from_client_before")?,
        from_client_after: row.try_get("from_client_after")?,
        orders: row.try_get("orders")?,
        detail: row.try_get("detail")?,
        total_available: row.try_get("total_available")?,
    })
}
