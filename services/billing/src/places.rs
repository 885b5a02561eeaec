//! What a tenant has of what its plan counts: cabinets and products, in the order in which they came. The
//! tables follow the log in the transaction of each append (`core.follow_places` in
//! `migrations/core/V31__plan_limits.sql`). Who may stay is a question of places: the plan keeps the oldest.

use std::collections::{BTreeMap, BTreeSet};

use database::Pool;
use events::ids::{CabinetId, TenantId};
use events::subscription::Plan;
use uuid::Uuid;

use crate::StoreError;

/// The places of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Places {
    pool: Pool,
}

/// A connected cabinet of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CabinetPlace {
    /// Which.
    pub cabinet_id: CabinetId,
    /// Whether it rests because the plan allows fewer.
    pub paused: bool,
}

/// How many products a tenant has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProductCount {
    /// In the catalogues of connected cabinets.
    pub listed: u64,
    /// Of these, in cabinets that do not rest because of the plan.
    pub of_active_cabinets: u64,
}

/// Which products are within a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Room {
    /// Places that no product has.
    pub free: u64,
    /// The products that were asked about and are known, and how they stand.
    pub known: BTreeMap<Uuid, Standing>,
}

/// How a product stands to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it left the catalogue, and so takes no place.
    pub delisted: bool,
    /// Whether as many older ones as the limit allows come before it.
    pub beyond: bool,
}

/// A tenant whose cabinets have not been compared with its plan since one of both has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uncompared {
    /// Which.
    pub tenant_id: TenantId,
    /// Its plan; none where no owner has a contract that gives one.
    pub plan: Option<Plan>,
    /// Number of the last change.
    pub change: i64,
}

impl Places {
    /// Over `pool`, whose role has to be `st_api`, `st_gateway` or `st_worker`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A tenant's connected cabinets, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cabinets(&self, tenant: TenantId) -> Result<Vec<CabinetPlace>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT cabinet_id, paused FROM core.cabinet_places WHERE tenant_id = $1 ORDER BY place",
            )
            .await?;
        let rows = transaction.query(&select, &[&tenant.uuid()]).await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(CabinetPlace {
                    cabinet_id: CabinetId(row.try_get(0)?),
                    paused: row.try_get(1)?,
                })
            })
            .collect()
    }

    /// How many products a tenant has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn products(&self, tenant: TenantId) -> Result<ProductCount, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT count(*), count(*) FILTER (WHERE NOT c.paused) \
                   FROM core.product_places p \
                   JOIN core.cabinet_places c ON c.tenant_id = p.tenant_id AND c.cabinet_id = p.cabinet_id \
                  WHERE p.tenant_id = $1 AND NOT p.delisted",
            )
            .await?;
        let row = transaction.query_one(&select, &[&tenant.uuid()]).await?;
        transaction.commit().await?;
        Ok(ProductCount {
            listed: whole(row.try_get(0)?),
            of_active_cabinets: whole(row.try_get(1)?),
        })
    }

    /// How these products of a tenant stand to a limit, and how many places are free. The products of all its
    /// cabinets share the limit, but those of cabinets that rest because of the plan take no place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn room(&self, tenant: TenantId, limit: u32, products: &[Uuid]) -> Result<Room, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        // Reads the index in order, and no further than the limit.
        let edge = transaction.prepare_cached(EDGE).await?;
        let row = transaction
            .query_one(&edge, &[&tenant.uuid(), &i64::from(limit)])
            .await?;
        let (taken, last): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        let free = u64::from(limit).saturating_sub(whole(taken));
        let select = transaction
            .prepare_cached(
                "SELECT product_id, delisted, place FROM core.product_places \
                  WHERE tenant_id = $1 AND product_id = ANY ($2)",
            )
            .await?;
        let rows = transaction.query(&select, &[&tenant.uuid(), &products]).await?;
        transaction.commit().await?;
        let mut known = BTreeMap::new();
        for row in &rows {
            let place: i64 = row.try_get(2)?;
            let standing = Standing {
                delisted: row.try_get(1)?,
                beyond: free == 0 && last.is_none_or(|last| place > last),
            };
            known.insert(row.try_get(0)?, standing);
        }
        Ok(Room { free, known })
    }

    /// Those of these products that the plan keeps from being updated: beyond the limit, or of a cabinet that
    /// rests because of the plan.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn paused(
        &self,
        tenant: TenantId,
        limit: Option<u32>,
        products: &[Uuid],
    ) -> Result<BTreeSet<Uuid>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction.prepare_cached(PAUSED).await?;
        let limit = limit.map(i64::from);
        let rows = transaction
            .query(&select, &[&tenant.uuid(), &limit, &products])
            .await?;
        transaction.commit().await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Tenants whose cabinets are to be compared with their plan, up to `limit`; for the worker.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn uncompared(&self, limit: i64) -> Result<Vec<Uncompared>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT tenant_id, plan, changes FROM core.tenant_terms WHERE compared < changes \
                  ORDER BY tenant_id LIMIT $1",
            )
            .await?;
        let rows = session.query(&select, &[&limit]).await?;
        rows.iter()
            .map(|row| {
                let plan: Option<&str> = row.try_get(1)?;
                Ok(Uncompared {
                    tenant_id: TenantId(row.try_get(0)?),
                    plan: plan
                        .map(|name| {
                            Plan::parse(name).ok_or(StoreError::Inconsistent {
                                table: "tenant_terms",
                                column: "plan",
                            })
                        })
                        .transpose()?,
                    change: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// Notes that a tenant's cabinets are as its plan allows, up to a change; for the worker.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn compared(&self, tenant: TenantId, change: i64) -> Result<(), StoreError> {
        let session = self.pool.get().await?;
        let update = session
            .prepare_cached(
                "UPDATE core.tenant_terms SET compared = $2 WHERE tenant_id = $1 AND compared < $2",
            )
            .await?;
        session.execute(&update, &[&tenant.uuid(), &change]).await?;
        Ok(())
    }
}

/// How many of the first places are taken, and the last of them.
const EDGE: &str = "SELECT count(*), max(place) FROM (\
     SELECT p.place FROM core.product_places p \
      WHERE p.tenant_id = $1 AND NOT p.delisted \
        AND p.cabinet_id = ANY (ARRAY(SELECT c.cabinet_id FROM core.cabinet_places c \
                                       WHERE c.tenant_id = $1 AND NOT c.paused)) \
      ORDER BY p.place LIMIT $2) first";

/// See [`Places::paused`]; no limit keeps all.
const PAUSED: &str = "SELECT p.product_id FROM core.product_places p \
      LEFT JOIN core.cabinet_places c ON c.tenant_id = p.tenant_id AND c.cabinet_id = p.cabinet_id \
      WHERE p.tenant_id = $1 AND p.product_id = ANY ($3) AND NOT p.delisted \
        AND (c.paused OR p.place >= (\
             SELECT o.place FROM core.product_places o \
              WHERE o.tenant_id = $1 AND NOT o.delisted \
                AND o.cabinet_id = ANY (ARRAY(SELECT a.cabinet_id FROM core.cabinet_places a \
                                               WHERE a.tenant_id = $1 AND NOT a.paused)) \
              ORDER BY o.place OFFSET $2::bigint LIMIT (CASE WHEN $2::bigint IS NULL THEN 0 ELSE 1 END)))";

/// A count, which is never negative.
fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
