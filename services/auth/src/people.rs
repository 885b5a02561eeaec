//! People of all tenants, for platform administrators. The database functions behind this check for
//! themselves that whoever asks is one, so that a forgotten check above shows nothing.

use chrono::{DateTime, Utc};
use database::Pool;
use events::ids::{TenantId, UserId};
use uuid::Uuid;

use crate::StoreError;

/// A login of any tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The login.
    pub user_id: UserId,
    /// Its address.
    pub email: String,
    /// The person's name; may be empty.
    pub display_name: String,
    /// `viewer`, `member`, `admin`, `owner`.
    pub role: String,
    /// `pending`, `active`, `deactivated`.
    pub state: String,
    /// Whether it is a platform administrator.
    pub admin: bool,
    /// Whether its tenant may not use the service for now.
    pub suspended: bool,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// The plan of its own contract, if it has one.
    pub plan: Option<String>,
    /// When that contract ends, if somebody said so.
    pub plan_ends_at: Option<DateTime<Utc>>,
}

/// Where a page begins: after the one that was registered then.
pub type PersonCursor = (DateTime<Utc>, Uuid);

/// The people of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct People {
    pool: Pool,
}

impl People {
    /// People over `pool`, whose role has to be `st_api`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Up to `limit` people, the oldest first, from after `after` on. Nobody for whoever is no administrator.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(
        &self,
        admin: UserId,
        after: Option<PersonCursor>,
        limit: i32,
    ) -> Result<Vec<Person>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT tenant_id, user_id, email, display_name, role, state, admin, suspended, created_at,
                        plan, plan_ends_at
                   FROM core.list_people_and_plans($1, $2, $3, $4)",
            )
            .await?;
        let (since, id) = after.unzip();
        let rows = session
            .query(&select, &[&admin.uuid(), &since, &id, &limit])
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Person {
                    tenant_id: TenantId(row.try_get(0)?),
                    user_id: UserId(row.try_get(1)?),
                    email: row.try_get(2)?,
                    display_name: row.try_get(3)?,
                    role: row.try_get(4)?,
                    state: row.try_get(5)?,
                    admin: row.try_get(6)?,
                    suspended: row.try_get(7)?,
                    created_at: row.try_get(8)?,
                    plan: row.try_get(9)?,
                    plan_ends_at: row.try_get(10)?,
                })
            })
            .collect()
    }

    /// Whose login this is; none for whoever is no administrator.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenant_of(&self, admin: UserId, user: UserId) -> Result<Option<TenantId>, StoreError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached("SELECT core.find_tenant_of($1, $2)")
            .await?;
        let row = session.query_one(&select, &[&admin.uuid(), &user.uuid()]).await?;
        Ok(row.try_get::<_, Option<Uuid>>(0)?.map(TenantId))
    }
}
