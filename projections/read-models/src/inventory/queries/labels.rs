//! What people call products and warehouses.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::MINE;
use crate::QueryError;

/// What a product is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductLabel {
    /// The seller's own article; may be empty.
    pub vendor_code: String,
    /// Its title; may be empty.
    pub title: String,
}

/// What these products are called; those that are not known are missing.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn product_labels(
    tx: &Transaction<'_>,
    products: &[Uuid],
) -> Result<HashMap<Uuid, ProductLabel>, QueryError> {
    let sql = format!(
        "SELECT p.product_id, p.vendor_code, p.title FROM rm_inventory.products p \
          WHERE p.tenant_id = {MINE} AND p.product_id = ANY ($1)"
    );
    let select = tx.prepare_cached(&sql).await?;
    let mut labels = HashMap::new();
    for row in tx.query(&select, &[&products]).await? {
        let label = ProductLabel {
            vendor_code: row.try_get(1)?,
            title: row.try_get(2)?,
        };
        labels.insert(row.try_get(0)?, label);
    }
    Ok(labels)
}
