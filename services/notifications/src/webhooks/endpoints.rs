//! Endpoints of a tenant, as the log has them by now. The table follows the log in the transaction of each
//! append (`core.follow_webhooks` in `migrations/core/V38__webhooks.sql`).

use chrono::{DateTime, Utc};
use database::Pool;
use events::ids::{CredentialId, TenantId};
use events::webhook_endpoint::DisableReason;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::StoreError;

/// An endpoint that is there. Neither its address nor its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Which.
    pub endpoint_id: Uuid,
    /// Position of the last event of its stream.
    pub version: i64,
    /// When it was added.
    pub added_at: DateTime<Utc>,
    /// Host of its address.
    pub host: String,
    /// Types of messages it gets, ascending; empty for all.
    pub types: Vec<String>,
    /// The address in the vault.
    pub address_id: CredentialId,
    /// When the secret before the present one ends, after a rotation.
    pub former_until: Option<DateTime<Utc>>,
    /// Why it is switched off, while it is.
    pub disabled: Option<DisableReason>,
    /// Since when.
    pub disabled_at: Option<DateTime<Utc>>,
    /// What people call it.
    pub description: Option<String>,
    /// Since when nothing was delivered, while deliveries fail.
    pub failing_since: Option<DateTime<Utc>>,
}

/// The endpoints of all tenants, one tenant at a time. Cheap to clone.
#[derive(Clone)]
pub struct Endpoints {
    pool: Pool,
}

const COLUMNS: &str = "endpoint_id, version, added_at, host, types, address_id, former_until, disabled, \
                       disabled_at, description, failing_since";

impl Endpoints {
    /// Over `pool`, whose role has to be `st_api` or `st_worker`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A tenant's endpoints, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(&self, tenant: TenantId) -> Result<Vec<Endpoint>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let sql = format!("SELECT {COLUMNS} FROM core.webhook_endpoints WHERE tenant_id = $1 ORDER BY place");
        let select = transaction.prepare_cached(&sql).await?;
        let rows = transaction.query(&select, &[&tenant.uuid()]).await?;
        transaction.commit().await?;
        rows.iter().map(endpoint).collect()
    }

    /// One of them; none where the tenant has no such endpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn one(&self, tenant: TenantId, id: Uuid) -> Result<Option<Endpoint>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let sql =
            format!("SELECT {COLUMNS} FROM core.webhook_endpoints WHERE tenant_id = $1 AND endpoint_id = $2");
        let select = transaction.prepare_cached(&sql).await?;
        let row = transaction.query_opt(&select, &[&tenant.uuid(), &id]).await?;
        transaction.commit().await?;
        row.as_ref().map(endpoint).transpose()
    }

    /// Says what people call an endpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn describe(
        &self,
        tenant: TenantId,
        id: Uuid,
        description: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.webhook_endpoints SET description = $3
                  WHERE tenant_id = $1 AND endpoint_id = $2",
            )
            .await?;
        transaction
            .execute(&update, &[&tenant.uuid(), &id, &description])
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn endpoint(row: &Row) -> Result<Endpoint, StoreError> {
    Ok(Endpoint {
        endpoint_id: row.try_get(0)?,
        version: row.try_get(1)?,
        added_at: row.try_get(2)?,
        host: row.try_get(3)?,
        types: row.try_get(4)?,
        address_id: CredentialId(row.try_get(5)?),
        former_until: row.try_get(6)?,
        disabled: row.try_get::<_, Option<&str>>(7)?.map(reason).transpose()?,
        disabled_at: row.try_get(8)?,
        description: row.try_get(9)?,
        failing_since: row.try_get(10)?,
    })
}

fn reason(word: &str) -> Result<DisableReason, StoreError> {
    DisableReason::parse(word).ok_or(StoreError::Inconsistent {
        table: "webhook_endpoints",
        column: "disabled",
    })
}
