//! What was known at an earlier instant, by our time of recording: the log up to there, read from the history
//! that the projection keeps of every change.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::MINE;
use crate::QueryError;

/// Position of the tenant's last change recorded at or before an instant; 0 before the first.
pub(super) async fn position_at(tx: &Transaction<'_>, at: DateTime<Utc>) -> Result<i64, QueryError> {
    let sql = format!(
        "SELECT h.position FROM rm_inventory.product_history h \
          WHERE h.tenant_id = {MINE} AND h.recorded_at <= $1 \
          ORDER BY h.recorded_at DESC, h.position DESC LIMIT 1"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let row = tx.query_opt(&statement, &[&at]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}

/// Marketplace's time of each source's last change up to a position, by product.
pub(super) async fn sources_at(
    tx: &Transaction<'_>,
    position: i64,
    products: &[Uuid],
) -> Result<HashMap<Uuid, BTreeMap<String, DateTime<Utc>>>, QueryError> {
    let sql = format!(
        "SELECT q.product_id, k.source, c.as_of \
           FROM rm_inventory.products q CROSS JOIN LATERAL jsonb_object_keys(q.as_of) AS k(source) \
           JOIN LATERAL (SELECT h.as_of FROM rm_inventory.product_history h \
                          WHERE h.tenant_id = {MINE} AND h.product_id = q.product_id \
                            AND h.position <= $1 AND h.source = k.source \
                          ORDER BY h.position DESC, h.index DESC LIMIT 1) c ON c.as_of IS NOT NULL \
          WHERE q.tenant_id = {MINE} AND q.product_id = ANY ($2)"
    );
    let statement = tx.prepare_cached(&sql).await?;
    let mut found: HashMap<Uuid, BTreeMap<String, DateTime<Utc>>> = HashMap::new();
    for row in tx.query(&statement, &[&position, &products]).await? {
        let sources = found.entry(row.try_get(0)?).or_default();
        sources.insert(row.try_get(1)?, row.try_get(2)?);
    }
    Ok(found)
}
