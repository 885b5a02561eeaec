//! Products and kinds of which a member wants to hear nothing for a while.

use chrono::{DateTime, Utc};
use database::Pool;
use domain::notice::NoticeKind;
use events::ids::{ProductId, TenantId, UserId};
use uuid::Uuid;

use crate::{StoreError, inconsistent};

/// What is snoozed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snoozed {
    /// Everything about a product.
    Product(ProductId),
    /// Everything of a kind.
    Kind(NoticeKind),
}

/// A snooze.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snooze {
    /// Its id.
    pub id: Uuid,
    /// What is snoozed.
    pub what: Snoozed,
    /// It ends then.
    pub until: DateTime<Utc>,
}

/// The snoozes of members. Cheap to clone.
#[derive(Clone)]
pub struct Snoozes {
    pool: Pool,
}

impl Snoozes {
    /// Snoozes over `pool`, whose role has to be `st_api` or `st_gateway`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A member's snoozes that have not ended, the next to end first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(
        &self,
        tenant: TenantId,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<Snooze>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT snooze_id, product_id, kind, until FROM core.notification_snoozes \
                  WHERE tenant_id = $1 AND user_id = $2 AND until > $3 ORDER BY until, snooze_id",
            )
            .await?;
        let rows = transaction
            .query(&select, &[&tenant.uuid(), &user.uuid(), &now])
            .await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(Snooze {
                    id: row.try_get(0)?,
                    what: snoozed(row.try_get(1)?, row.try_get(2)?)?,
                    until: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Snoozes something; a snooze of the same thing is moved, and keeps its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&self, tenant: TenantId, user: UserId, wanted: Snooze) -> Result<Snooze, StoreError> {
        let (product, kind) = match wanted.what {
            Snoozed::Product(product) => (Some(product.uuid()), None),
            Snoozed::Kind(kind) => (None, Some(kind.as_str())),
        };
        let (column, value) = match product {
            Some(_) => ("product_id", "product_id IS NOT NULL"),
            None => ("kind", "kind IS NOT NULL"),
        };
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let sql = format!(
            "INSERT INTO core.notification_snoozes (tenant_id, snooze_id, user_id, product_id, kind, until) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (tenant_id, user_id, {column}) WHERE {value} DO UPDATE SET until = EXCLUDED.until \
             RETURNING snooze_id"
        );
        let upsert = transaction.prepare_cached(&sql).await?;
        let ids = (tenant.uuid(), wanted.id, user.uuid());
        let row = transaction
            .query_one(&upsert, &[&ids.0, &ids.1, &ids.2, &product, &kind, &wanted.until])
            .await?;
        transaction.commit().await?;
        Ok(Snooze {
            id: row.try_get(0)?,
            ..wanted
        })
    }

    /// Ends a member's own snooze; false where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove(&self, tenant: TenantId, user: UserId, id: Uuid) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let delete = transaction
            .prepare_cached(
                "DELETE FROM core.notification_snoozes \
                  WHERE tenant_id = $1 AND user_id = $2 AND snooze_id = $3",
            )
            .await?;
        let gone = transaction
            .execute(&delete, &[&tenant.uuid(), &user.uuid(), &id])
            .await?;
        transaction.commit().await?;
        Ok(gone > 0)
    }
}

pub(crate) fn snoozed(product: Option<Uuid>, kind: Option<&str>) -> Result<Snoozed, StoreError> {
    match (product, kind.and_then(NoticeKind::parse)) {
        (Some(product), _) => Ok(Snoozed::Product(ProductId(product))),
        (None, Some(kind)) => Ok(Snoozed::Kind(kind)),
        (None, None) => Err(inconsistent("notification_snoozes", "kind")),
    }
}
