//! Customers that Stripe has no more, or that it is to have no more: those that were deleted there while
//! their user stays, and those whose user or tenant was erased.

use chrono::{DateTime, Utc};
use database::Pool;
use events::ids::{TenantId, UserId};
use uuid::Uuid;

use crate::StoreError;

/// Both lists, of all tenants; for the worker. Cheap to clone.
#[derive(Clone)]
pub struct FormerCustomers {
    pool: Pool,
}

impl FormerCustomers {
    /// Over `pool`, whose role has to be `st_worker`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Notes that a user's customer was deleted at Stripe, so that the next purchase makes another one;
    /// nothing where it is nobody's by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leave(&self, customer: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        let keep = transaction
            .prepare_cached(
                "INSERT INTO core.billing_former_customers (tenant_id, user_id, customer, left_at)
                 SELECT tenant_id, user_id, customer, $2 FROM core.billing_customers WHERE customer = $1
                 ON CONFLICT DO NOTHING",
            )
            .await?;
        transaction.execute(&keep, &[&customer, &now]).await?;
        let delete = transaction
            .prepare_cached("DELETE FROM core.billing_customers WHERE customer = $1")
            .await?;
        transaction.execute(&delete, &[&customer]).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whose customer this was before it was deleted at Stripe.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn owner(&self, customer: &str) -> Result<Option<(TenantId, UserId)>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT tenant_id, user_id FROM core.billing_former_customers WHERE customer = $1",
            )
            .await?;
        let row = session.query_opt(&select, &[&customer]).await?;
        row.map(|row| Ok((TenantId(row.try_get(0)?), UserId(row.try_get(1)?))))
            .transpose()
    }

    /// Customers of erased users and tenants that still have to be deleted at Stripe, `limit` at most.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leaving(&self, limit: i64) -> Result<Vec<String>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached("SELECT customer FROM core.billing_leaving ORDER BY customer LIMIT $1")
            .await?;
        let rows = session.query(&select, &[&limit]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Whether Stripe may still know somebody of a tenant that was erased, or that user of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_leaving(&self, tenant: TenantId, user: Option<UserId>) -> Result<bool, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT EXISTS (SELECT FROM core.billing_leaving
                                 WHERE of_tenant = $1 AND ($2::uuid IS NULL OR of_user = $2))",
            )
            .await?;
        let user: Option<Uuid> = user.map(UserId::uuid);
        let row = session.query_one(&select, &[&tenant.uuid(), &user]).await?;
        Ok(row.try_get(0)?)
    }

    /// A customer is deleted at Stripe and nothing of it is left here.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn gone(&self, customer: &str) -> Result<(), StoreError> {
        let session = self.pool.get().await?;
        let delete = session
            .prepare_cached("DELETE FROM core.billing_leaving WHERE customer = $1")
            .await?;
        session.execute(&delete, &[&customer]).await?;
        Ok(())
    }
}
