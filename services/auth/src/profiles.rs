//! The names people give to their tenant and their cabinets. They are personal data, so they stand here under
//! the subject's key, where an erasure finds them, and never in an event.

use std::collections::HashMap;

use database::Pool;
use events::ids::TenantId;
use uuid::Uuid;

use crate::StoreError;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The tenant itself; its id is the tenant's.
    Tenant,
    /// One of its cabinets.
    Cabinet,
}

impl Subject {
    const fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Cabinet => "cabinet",
        }
    }
}

/// Longest name, in characters.
pub const LONGEST: usize = 255;

/// The names of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Profiles {
    pool: Pool,
}

impl Profiles {
    /// Names over `pool`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Gives `id` a name, or another one. `name` has at most [`LONGEST`] characters.
    ///
    /// # Errors
    /// [`StoreError`], also for a name that is too long.
    pub async fn set(
        &self,
        tenant: TenantId,
        subject: Subject,
        id: Uuid,
        name: &str,
    ) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let upsert = transaction
            .prepare_cached(
                "INSERT INTO core.profiles (tenant_id, subject_type, subject_id, display_name)
                 VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant_id, subject_type, subject_id)
                 DO UPDATE SET display_name = EXCLUDED.display_name, updated_at = clock_timestamp()",
            )
            .await?;
        transaction
            .execute(&upsert, &[&tenant.uuid(), &subject.name(), &id, &name])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// All names of one kind, by the id of what they name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all(&self, tenant: TenantId, subject: Subject) -> Result<HashMap<Uuid, String>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT subject_id, display_name FROM core.profiles
                  WHERE tenant_id = $1 AND subject_type = $2",
            )
            .await?;
        let rows = transaction
            .query(&select, &[&tenant.uuid(), &subject.name()])
            .await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }
}
