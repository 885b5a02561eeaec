//! What hinders the writing of sheets, for the notifier. The rows are the sheets role's.

use chrono::{DateTime, Utc};
use database::Pool;
use events::ids::TenantId;

use crate::StoreError;

/// A linked sheet that has not been written for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hindered {
    /// Whose.
    pub tenant: TenantId,
    /// Why, in one word.
    pub kind: String,
}

/// What hinders sheets. Cheap to clone.
#[derive(Clone)]
pub struct SheetTroubles {
    pool: Pool,
}

impl SheetTroubles {
    /// Sheets over `pool`, whose role has to be `st_notifier`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Linked sheets that have failed in one of these ways since `before` or longer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hindered(&self, kinds: &[&str], before: DateTime<Utc>) -> Result<Vec<Hindered>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT tenant_id, error_kind FROM core.sheet_states \
                  WHERE linked AND error_kind = ANY ($1) AND failing_since <= $2 ORDER BY tenant_id",
            )
            .await?;
        let rows = session.query(&select, &[&kinds, &before]).await?;
        rows.iter()
            .map(|row| {
                Ok(Hindered {
                    tenant: TenantId(row.try_get(0)?),
                    kind: row.try_get(1)?,
                })
            })
            .collect()
    }

    /// Whose sheets are linked and written without a failure.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn written(&self, tenants: &[TenantId]) -> Result<Vec<TenantId>, StoreError> {
        let ids: Vec<uuid::Uuid> = tenants.iter().map(|tenant| tenant.uuid()).collect();
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT tenant_id FROM core.sheet_states \
                  WHERE linked AND error_kind IS NULL AND tenant_id = ANY ($1) ORDER BY tenant_id",
            )
            .await?;
        let rows = session.query(&select, &[&ids]).await?;
        rows.iter().map(|row| Ok(TenantId(row.try_get(0)?))).collect()
    }

    /// Tenants whose sheet the log calls blocked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn blocked(&self) -> Result<Vec<TenantId>, StoreError> {
        let session = self.pool.get().await?;
        // One index probe a tenant with a sheet: the last event that says anything about it.
        let select = session
            .prepare_cached(
                "SELECT s.tenant_id FROM core.sheet_states s, LATERAL ( \
                     SELECT e.event_type FROM core.events e \
                      WHERE e.aggregate_type = 'sheet' AND e.aggregate_id = s.tenant_id::text \
                        AND e.event_type <> 'sheet_layout_changed' \
                      ORDER BY e.sequence DESC LIMIT 1) l \
                  WHERE s.linked AND l.event_type = 'sheet_blocked' ORDER BY s.tenant_id",
            )
            .await?;
        let rows = session.query(&select, &[]).await?;
        rows.iter().map(|row| Ok(TenantId(row.try_get(0)?))).collect()
    }

    /// What the API shows of the failure of a tenant's sheet: what to do, in the table's language; and the
    /// spreadsheet's id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn instruction(
        &self,
        tenant: TenantId,
    ) -> Result<Option<(Option<String>, String)>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT last_error, spreadsheet_id FROM core.sheet_states WHERE tenant_id = $1 AND linked",
            )
            .await?;
        let row = session.query_opt(&select, &[&tenant.uuid()]).await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }
}
