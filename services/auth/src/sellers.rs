//! Which cabinet a seller account is. Two keys of one account open the same cabinet; connected twice, every
//! number would count double. The row is taken before the cabinet is connected, so that of two requests at
//! once one gets it.

use database::Pool;
use events::cabinet::Marketplace;
use events::ids::{CabinetId, TenantId};

use crate::StoreError;

/// A seller account at a marketplace.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// Where.
    pub marketplace: Marketplace,
    /// The marketplace's own id of it.
    pub seller_id: &'a str,
}

/// The seller accounts of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Sellers {
    pool: Pool,
}

impl Sellers {
    /// Accounts over `pool`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Takes the account for `cabinet`, unless another one has it; returns whose it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take(&self, account: Account<'_>, cabinet: CabinetId) -> Result<CabinetId, StoreError> {
        let mut session = self.pool.tenant(account.tenant).await?;
        let transaction = session.begin().await?;
        // An update that changes nothing, so that the row comes back whoever made it.
        let take = transaction
            .prepare_cached(
                "INSERT INTO core.cabinet_sellers AS s (tenant_id, marketplace, seller_id, cabinet_id)
                 VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, marketplace, seller_id) DO UPDATE SET cabinet_id = s.cabinet_id
                 RETURNING cabinet_id",
            )
            .await?;
        let (tenant, marketplace) = (account.tenant.uuid(), account.marketplace.as_str());
        let row = transaction
            .query_one(
                &take,
                &[&tenant, &marketplace, &account.seller_id, &cabinet.uuid()],
            )
            .await?;
        transaction.commit().await?;
        Ok(CabinetId(row.try_get(0)?))
    }

    /// Takes the account over from a cabinet that never was or is gone; false when somebody else was faster.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_over(
        &self,
        account: Account<'_>,
        from: CabinetId,
        cabinet: CabinetId,
    ) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(account.tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.cabinet_sellers SET cabinet_id = $5
                  WHERE tenant_id = $1 AND marketplace = $2 AND seller_id = $3 AND cabinet_id = $4",
            )
            .await?;
        let (tenant, marketplace) = (account.tenant.uuid(), account.marketplace.as_str());
        let changed = transaction
            .execute(
                &update,
                &[
                    &tenant,
                    &marketplace,
                    &account.seller_id,
                    &from.uuid(),
                    &cabinet.uuid(),
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(changed == 1)
    }
}
