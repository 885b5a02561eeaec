//! The policy's rows: how far it has come, and the cabinets that are not in memory.

use std::collections::HashSet;

use database::{DatabaseError, Pool};
use event_store::GlobalReader;
use events::ids::{CabinetId, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::PolicyError;
use crate::watch::{Cabinet, FOLD_VERSION, Tenant, Watch};

/// The row that has a tenant's rules instead of a cabinet.
const OF_TENANT: Uuid = Uuid::nil();

/// Where the policy stands, and the fence of this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Position of the last event that is taken in.
    pub(crate) position: i64,
    /// Up to here another version of the program has judged.
    pub(crate) quiet_until: i64,
    epoch: i64,
}

/// Reads and writes the rows.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: Pool,
}

impl Store {
    pub(crate) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Becomes the only instance that may write. What was folded by another version is folded anew, from the
    /// first event; nothing is raised again on the way to where that one was.
    pub(crate) async fn take_over(&self) -> Result<Cursor, PolicyError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        let row = transaction
            .query_one(
                "UPDATE core.alert_policy SET epoch = epoch + 1 WHERE id = 1 \
                 RETURNING position, quiet_until, epoch, fold_version",
                &[],
            )
            .await?;
        let mut cursor = Cursor {
            position: row.try_get(0)?,
            quiet_until: row.try_get(1)?,
            epoch: row.try_get(2)?,
        };
        if row.try_get::<_, i32>(3)? != FOLD_VERSION {
            cursor.quiet_until = cursor.quiet_until.max(cursor.position);
            cursor.position = 0;
            transaction
                .execute("DELETE FROM core.alert_cabinets", &[])
                .await?;
            transaction
                .execute(
                    "UPDATE core.alert_policy SET position = 0, quiet_until = $1, fold_version = $2 WHERE id = 1",
                    &[&cursor.quiet_until, &FOLD_VERSION],
                )
                .await?;
        }
        transaction.commit().await?;
        Ok(cursor)
    }

    /// Forgets everything that is kept, so that the next instance folds anew: a row cannot be read.
    pub(crate) async fn spoil(&self) -> Result<(), PolicyError> {
        let session = self.pool.get().await?;
        let sql = "UPDATE core.alert_policy SET fold_version = 0 WHERE id = 1";
        session.execute(sql, &[]).await?;
        Ok(())
    }

    /// The cabinets of products. Those that were never listed have none.
    pub(crate) async fn cabinets_of(
        &self,
        products: &HashSet<Uuid>,
    ) -> Result<Vec<(Uuid, CabinetId)>, PolicyError> {
        let ids: Vec<String> = products.iter().map(Uuid::to_string).collect();
        let session = self.pool.get().await?;
        // One index probe per product: the first event of its stream.
        let statement = session
            .prepare_cached(
                "SELECT t.id, e.cabinet FROM unnest($1::text[]) AS t(id), LATERAL ( \
                     SELECT payload ->> 'cabinet_id' AS cabinet FROM core.events \
                      WHERE aggregate_id = t.id AND sequence = 1 AND aggregate_type = 'product' LIMIT 1) AS e",
            )
            .await?;
        let rows = session.query(&statement, &[&ids]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let (product, cabinet): (&str, Option<&str>) = (row.try_get(0)?, row.try_get(1)?);
            if let (Ok(product), Some(Ok(cabinet))) = (product.parse(), cabinet.map(str::parse)) {
                found.push((product, CabinetId(cabinet)));
            }
        }
        Ok(found)
    }

    /// Brings tenants and cabinets into memory. A tenant that has no row is new.
    pub(crate) async fn load(
        &self,
        watch: &mut Watch,
        tenants: HashSet<TenantId>,
        cabinets: impl IntoIterator<Item = (TenantId, CabinetId)>,
    ) -> Result<(), PolicyError> {
        let mut keys: (Vec<Uuid>, Vec<Uuid>) = Default::default();
        for (tenant, cabinet) in cabinets {
            keys.0.push(tenant.uuid());
            keys.1.push(cabinet.uuid());
        }
        for tenant in &tenants {
            keys.0.push(tenant.uuid());
            keys.1.push(OF_TENANT);
        }
        if keys.0.is_empty() {
            return Ok(());
        }
        let session = self.pool.get().await?;
        let statement = session
            .prepare_cached(
                "SELECT c.tenant_id, c.cabinet_id, c.fold_version, c.state \
                   FROM unnest($1::uuid[], $2::uuid[]) AS t(tenant, cabinet) \
                   JOIN core.alert_cabinets c ON c.tenant_id = t.tenant AND c.cabinet_id = t.cabinet",
            )
            .await?;
        for row in session.query(&statement, &[&keys.0, &keys.1]).await? {
            let (tenant, cabinet): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
            let (version, state): (i32, &[u8]) = (row.try_get(2)?, row.try_get(3)?);
            if version != FOLD_VERSION {
                return Err(PolicyError::State {
                    cabinet,
                    source: None,
                });
            }
            if cabinet == OF_TENANT {
                watch.put_tenant(TenantId(tenant), read(cabinet, state)?);
            } else {
                watch.put_cabinet(read::<Cabinet>(cabinet, state)?);
            }
        }
        for tenant in tenants {
            watch.put_tenant(tenant, Tenant::default());
        }
        Ok(())
    }

    /// Writes what changed, and how far the policy has come, in one transaction. The fence is the position
    /// that was there before, and the epoch.
    pub(crate) async fn keep(
        &self,
        watch: &Watch,
        cursor: Cursor,
        position: i64,
    ) -> Result<Cursor, PolicyError> {
        let rows = Rows::of(watch)?;
        let changed = watch.changed();
        let erased: Vec<Uuid> = changed.erased.iter().map(|tenant| tenant.uuid()).collect();
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        let moved = transaction
            .prepare_cached(
                "UPDATE core.alert_policy SET position = $1 WHERE id = 1 AND position = $2 AND epoch = $3",
            )
            .await?;
        let moved = transaction
            .execute(&moved, &[&position, &cursor.position, &cursor.epoch])
            .await?;
        if moved == 0 {
            return Err(PolicyError::Fenced);
        }
        if !erased.is_empty() {
            let delete = "DELETE FROM core.alert_cabinets WHERE tenant_id = ANY ($1)";
            transaction.execute(delete, &[&erased]).await?;
        }
        if !rows.tenants.is_empty() {
            let write = transaction
                .prepare_cached(
                    "INSERT INTO core.alert_cabinets AS c (tenant_id, cabinet_id, position, fold_version, state) \
                     SELECT t.tenant, t.cabinet, t.position, $1, t.state \
                       FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bytea[]) \
                            AS t(tenant, cabinet, position, state) \
                     ON CONFLICT (tenant_id, cabinet_id) DO UPDATE SET position = EXCLUDED.position, \
                            fold_version = EXCLUDED.fold_version, state = EXCLUDED.state",
                )
                .await?;
            let Rows {
                tenants,
                cabinets,
                positions,
                states,
            } = &rows;
            transaction
                .execute(&write, &[&FOLD_VERSION, tenants, cabinets, positions, states])
                .await?;
        }
        transaction.commit().await?;
        Ok(Cursor { position, ..cursor })
    }
}

#[derive(Default)]
struct Rows {
    tenants: Vec<Uuid>,
    cabinets: Vec<Uuid>,
    positions: Vec<i64>,
    states: Vec<Vec<u8>>,
}

impl Rows {
    fn of(watch: &Watch) -> Result<Self, PolicyError> {
        let mut rows = Self::default();
        for id in &watch.changed().tenants {
            if let Some(tenant) = watch.tenant(*id) {
                rows.push(*id, OF_TENANT, tenant.position, tenant)?;
            }
        }
        for id in &watch.changed().cabinets {
            if let Some((tenant, cabinet)) = watch.get(*id) {
                rows.push(tenant, id.uuid(), cabinet.position, cabinet)?;
            }
        }
        Ok(rows)
    }

    fn push(
        &mut self,
        tenant: TenantId,
        cabinet: Uuid,
        position: i64,
        state: &impl Serialize,
    ) -> Result<(), PolicyError> {
        let state = serde_json::to_vec(state).map_err(|source| PolicyError::State {
            cabinet,
            source: Some(source),
        })?;
        self.tenants.push(tenant.uuid());
        self.cabinets.push(cabinet);
        self.positions.push(position);
        self.states.push(state);
        Ok(())
    }
}

fn read<T: DeserializeOwned>(cabinet: Uuid, state: &[u8]) -> Result<T, PolicyError> {
    serde_json::from_slice(state).map_err(|source| PolicyError::State {
        cabinet,
        source: Some(source),
    })
}

/// How far the policy is behind the log.
///
/// # Errors
/// [`PolicyError::Database`], [`PolicyError::Read`].
pub async fn lag(reader: &GlobalReader) -> Result<event_store::Behind, PolicyError> {
    let session = reader.pool().get().await?;
    let row = session
        .query_one("SELECT position FROM core.alert_policy WHERE id = 1", &[])
        .await?;
    let position: i64 = row.try_get(0).map_err(DatabaseError::from)?;
    drop(session);
    Ok(reader.behind(position).await?)
}
