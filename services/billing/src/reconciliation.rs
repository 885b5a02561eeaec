//! Up to when Stripe's events were listed, and which customers were compared with Stripe when.

use chrono::{DateTime, Utc};
use database::Pool;

use crate::StoreError;

/// What was reconciled; for the worker. Cheap to clone.
#[derive(Clone)]
pub struct Reconciliation {
    pool: Pool,
}

impl Reconciliation {
    /// Over `pool`, whose role has to be `st_worker`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Up to which moment of Stripe's every event was listed; none before the first time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn listed_to(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let session = self.pool.get().await?;
        let row = session
            .query_one("SELECT listed_to FROM core.billing_reconciliation", &[])
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Every event up to `listed_to` is in the inbox. Never goes back, whichever of two processes ends last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn listed(&self, listed_to: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), StoreError> {
        let session = self.pool.get().await?;
        session
            .execute(
                "UPDATE core.billing_reconciliation SET listed_to = greatest(listed_to, $1), listed_at = $2",
                &[&listed_to, &now],
            )
            .await?;
        Ok(())
    }

    /// Customers that were not compared since `before`, those of longest ago first, `limit` at most.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self, before: DateTime<Utc>, limit: i64) -> Result<Vec<String>, StoreError> {
        let session = self.pool.get().await?;
        // As many rows as there are paying customers; looked at once an hour.
        let rows = session
            .query(
                "SELECT customer FROM core.billing_customers
                  WHERE compared_at IS NULL OR compared_at < $1
                  ORDER BY compared_at NULLS FIRST, customer LIMIT $2",
                &[&before, &limit],
            )
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// A customer was compared with Stripe, or was tried to be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn compared(&self, customer: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let session = self.pool.get().await?;
        session
            .execute(
                "UPDATE core.billing_customers SET compared_at = $2 WHERE customer = $1",
                &[&customer, &now],
            )
            .await?;
        Ok(())
    }
}
