//! What a sheet shall show: how it looks, from the role's own table, and the rows, from the read model.

use chrono::{DateTime, Utc};
use database::Pool;
use events::ids::TenantId;
use events::sheet::SheetLayoutChanged;
use read_models::inventory::queries::{self, SheetNeeds};
use read_models::{Inventory, QueryError};
use sheet_layout::View;
use sheet_source::Source;

/// How far the read model has read; 0 while it does not exist.
pub(crate) async fn model_position(pool: &Pool) -> Result<i64, QueryError> {
    let session = pool.get().await.map_err(QueryError::Database)?;
    let found = read_models::position::<Inventory>(&session).await?;
    Ok(found.map_or(0, |(position, _)| position))
}

/// How the tenant's sheet looks: as it was chosen, else as usual in the tenant's language. The choice stands
/// beside the marks of what is behind, made by the same follower, so a sheet that is due by a choice is
/// written with it.
pub(crate) async fn view(pool: &Pool, tenant: TenantId) -> Result<View, QueryError> {
    let mut session = pool.tenant(tenant).await.map_err(QueryError::Database)?;
    let tx = session.begin().await.map_err(QueryError::Database)?;
    let statement = tx
        .prepare_cached("SELECT layout::text FROM core.sheet_layouts WHERE tenant_id = $1")
        .await
        .map_err(QueryError::from)?;
    let row = tx
        .query_opt(&statement, &[&tenant.uuid()])
        .await
        .map_err(QueryError::from)?;
    let chosen = row
        .map(|row| row.try_get::<_, String>(0))
        .transpose()
        .map_err(QueryError::from)?
        .and_then(|text| serde_json::from_str::<SheetLayoutChanged>(&text).ok());
    let language = match &chosen {
        Some(_) => None,
        None => read_models::operations::queries::tenant(&tx)
            .await?
            .map(|tenant| tenant.language),
    };
    tx.commit().await.map_err(QueryError::from)?;
    Ok(sheet_source::view(&chosen.unwrap_or_else(|| {
        language.map_or_else(SheetLayoutChanged::default, |language| SheetLayoutChanged {
            language,
            ..SheetLayoutChanged::default()
        })
    })))
}

/// Everything the tenant's sheet shows in a view, in one snapshot. The 7 days end with the Moscow day of
/// `now`.
pub(crate) async fn load(
    pool: &Pool,
    tenant: TenantId,
    now: DateTime<Utc>,
    view: &View,
) -> Result<Source, QueryError> {
    let mut session = pool.tenant(tenant).await.map_err(QueryError::Database)?;
    // The rows come by more than one statement, and all of them shall be of one instant.
    let tx = session.begin_snapshot().await.map_err(QueryError::Database)?;
    // Rows of sizes may stand in the sheet though the view sums them by now.
    let needs = SheetNeeds {
        size_names: true,
        ..sheet_source::needs(view)
    };
    let rows = queries::sheet(&tx, now, None, needs).await?;
    tx.commit().await?;
    Ok(sheet_source::source(&rows, view.language))
}
