//! What a sheet shall show, read from the read model.

use chrono::NaiveDate;
use database::Pool;
use events::ids::TenantId;
use read_models::inventory::queries;
use read_models::{Inventory, QueryError};
pub(crate) use sheet_source::Source;

/// How far the read model has read; 0 while it does not exist.
pub(crate) async fn model_position(pool: &Pool) -> Result<i64, QueryError> {
    let session = pool.get().await.map_err(QueryError::Database)?;
    let found = read_models::position::<Inventory>(&session).await?;
    Ok(found.map_or(0, |(position, _)| position))
}

/// Everything the tenant's sheet shows, in one snapshot. `today` is the Moscow day that ends the 7 days.
pub(crate) async fn load(pool: &Pool, tenant: TenantId, today: NaiveDate) -> Result<Source, QueryError> {
    let mut session = pool.tenant(tenant).await.map_err(QueryError::Database)?;
    // The rows come by more than one statement, and all of them shall be of one instant.
    let tx = session.begin_snapshot().await.map_err(QueryError::Database)?;
    let rows = queries::sheet_rows(&tx, today).await?;
    tx.commit().await?;
    Ok(sheet_source::source(&rows))
}
