//! The checkout that a user may still pay: one at a time, so that nothing is paid twice.

use chrono::{DateTime, Utc};
use database::Pool;
use events::ids::{TenantId, UserId};
use events::subscription::Plan;

use crate::StoreError;

/// A session at Stripe in which a user can pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Stripe's id, `cs_…`.
    pub session: String,
    /// What is sold in it.
    pub plan: Plan,
    /// Stripe's page. Anybody who has the address can pay there.
    pub url: String,
    /// From when on it can no longer be paid.
    pub expires_at: DateTime<Utc>,
}

/// The open checkouts of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Checkouts {
    pool: Pool,
}

impl Checkouts {
    /// Over `pool`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// The checkout that was last opened for a user and not yet forgotten; it may be over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_user(&self, tenant: TenantId, user: UserId) -> Result<Option<Checkout>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let find = transaction
            .prepare_cached(
                "SELECT session, plan, url, expires_at FROM core.billing_checkouts
                  WHERE tenant_id = $1 AND user_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&find, &[&tenant.uuid(), &user.uuid()])
            .await?;
        transaction.commit().await?;
        row.map(|row| {
            let plan: String = row.try_get(1)?;
            Ok(Checkout {
                session: row.try_get(0)?,
                plan: Plan::parse(&plan).ok_or(StoreError::Inconsistent {
                    table: "billing_checkouts",
                    column: "plan",
                })?,
                url: row.try_get(2)?,
                expires_at: row.try_get(3)?,
            })
        })
        .transpose()
    }

    /// Puts a checkout in the place of the one that was looked at, where that is still the latest: `before`
    /// is its session, none where there was no checkout. False if another request was faster.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replace(
        &self,
        tenant: TenantId,
        user: UserId,
        before: Option<&str>,
        checkout: &Checkout,
    ) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let plan = checkout.plan.as_str();
        let (tenant, user) = (tenant.uuid(), user.uuid());
        let changed = if let Some(before) = before {
            let update = transaction
                .prepare_cached(
                    "UPDATE core.billing_checkouts SET session = $3, plan = $4, url = $5, expires_at = $6
                      WHERE tenant_id = $1 AND user_id = $2 AND session IN ($3, $7)",
                )
                .await?;
            let Checkout {
                session,
                url,
                expires_at,
                ..
            } = checkout;
            transaction
                .execute(
                    &update,
                    &[&tenant, &user, session, &plan, url, expires_at, &before],
                )
                .await?
        } else {
            let insert = transaction
                .prepare_cached(
                    "INSERT INTO core.billing_checkouts AS c (tenant_id, user_id, session, plan, url, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (tenant_id, user_id) DO UPDATE SET url = c.url
                      WHERE c.session = EXCLUDED.session",
                )
                .await?;
            let Checkout {
                session,
                url,
                expires_at,
                ..
            } = checkout;
            transaction
                .execute(&insert, &[&tenant, &user, session, &plan, url, expires_at])
                .await?
        };
        transaction.commit().await?;
        Ok(changed == 1)
    }

    /// Forgets a checkout that can no longer be paid; nothing if the user has another one by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, tenant: TenantId, user: UserId, session_id: &str) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let delete = transaction
            .prepare_cached(
                "DELETE FROM core.billing_checkouts
                  WHERE tenant_id = $1 AND user_id = $2 AND session = $3",
            )
            .await?;
        transaction
            .execute(&delete, &[&tenant.uuid(), &user.uuid(), &session_id])
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
