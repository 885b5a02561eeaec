//! Keys for programs: shown once, kept as a hash, several at a time so that one can be replaced by the next
//! without a pause. A key does what its scopes name and never more than the role of whoever made it allows at
//! that moment: it stops with its maker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use deadpool_postgres::Transaction;
use events::ids::{TenantId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::StoreError;
use crate::access::Principal;
use crate::opaque::{self, IssueError};
use crate::permission::{Action, role_named};
use crate::sessions::{BELIEVED, REMEMBERED, Standing};
use crate::terms;

/// What a key begins with.
pub const PREFIX: &str = "stk_";
/// How exactly the last use is noted.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

const TABLE: &str = "api_keys";

/// A key to be made.
pub struct NewKey {
    /// Its id; the same id again is the same key.
    pub key_id: Uuid,
    /// Who makes it.
    pub user_id: UserId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Action>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id.
    pub key_id: Uuid,
    /// Who made it.
    pub user_id: UserId,
    /// What people call it.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Who calls with a key, and what the key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStanding {
    /// Its maker, as of now; the session is the key.
    pub standing: Standing,
    /// What it may do at most.
    pub scopes: Vec<Action>,
}

/// Keys that were found to work, by their hash, and when.
type Remembered = HashMap<Vec<u8>, (DateTime<Utc>, KeyStanding)>;

/// The API keys of all tenants. Clones share what they remember.
#[derive(Clone)]
pub struct ApiKeys {
    pool: Pool,
    alive: Arc<Mutex<Remembered>>,
}

impl ApiKeys {
    /// Keys over `pool`, whose role has to be `st_api` or `st_gateway`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            alive: Arc::default(),
        }
    }

    /// Makes a key. Made again under the same id, it gets another secret, because the first one was lost on
    /// the way; none when it was used or revoked meanwhile.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(
        &self,
        tenant: TenantId,
        key: &NewKey,
        now: DateTime<Utc>,
    ) -> Result<Option<SecretString>, IssueError> {
        let (secret, hash) = opaque::make(PREFIX, tenant)?;
        let text = secret.expose_secret();
        let hint = text.get(text.len().saturating_sub(4)..).unwrap_or_default();
        Ok(self
            .insert(tenant, key, &hash, hint, now)
            .await?
            .then(|| secret.clone()))
    }

    async fn insert(
        &self,
        tenant: TenantId,
        key: &NewKey,
        hash: &[u8],
        hint: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let scopes: Vec<&str> = key.scopes.iter().filter_map(|action| action.scope()).collect();
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.api_keys AS k
                        (tenant_id, key_id, user_id, name, key_hash, hint, scopes, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (tenant_id, key_id) DO UPDATE
                    SET key_hash = EXCLUDED.key_hash, hint = EXCLUDED.hint
                  WHERE k.last_used_at IS NULL AND k.revoked_at IS NULL",
            )
            .await?;
        let made = transaction
            .execute(
                &insert,
                &[
                    &tenant.uuid(),
                    &key.key_id,
                    &key.user_id.uuid(),
                    &key.name,
                    &hash,
                    &hint,
                    &scopes,
                    &now,
                    &key.expires_at,
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(made == 1)
    }

    /// A tenant's keys that still work or only ran out, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<KeyInfo>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT key_id, user_id, name, hint, scopes, created_at, expires_at, last_used_at
                   FROM core.api_keys WHERE tenant_id = $1 AND revoked_at IS NULL
                  ORDER BY created_at DESC, key_id",
            )
            .await?;
        let rows = transaction.query(&select, &[&tenant.uuid()]).await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(KeyInfo {
                    key_id: row.try_get(0)?,
                    user_id: UserId(row.try_get(1)?),
                    name: row.try_get(2)?,
                    hint: row.try_get(3)?,
                    scopes: row.try_get(4)?,
                    created_at: row.try_get(5)?,
                    expires_at: row.try_get(6)?,
                    last_used_at: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// Ends a key; false when there is none that could be ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke(
        &self,
        tenant: TenantId,
        key_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.api_keys SET revoked_at = $3
                  WHERE tenant_id = $1 AND key_id = $2 AND revoked_at IS NULL",
            )
            .await?;
        let ended = transaction
            .execute(&update, &[&tenant.uuid(), &key_id, &now])
            .await?;
        transaction.commit().await?;
        self.forget();
        Ok(ended == 1)
    }

    /// Who calls with this key, if it works. At most a second old.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn check(
        &self,
        key: &SecretString,
        now: DateTime<Utc>,
    ) -> Result<Option<KeyStanding>, StoreError> {
        let Some((tenant, hash)) = opaque::read(PREFIX, key) else {
            return Ok(None);
        };
        let remembered = self
            .alive
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned();
        if let Some((at, standing)) = remembered
            && now - at < BELIEVED
        {
            return Ok(Some(standing));
        }
        let found = self.look_up(tenant, &hash, now).await?;
        if let Some(standing) = &found {
            let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
            if alive.len() >= REMEMBERED {
                alive.clear();
            }
            alive.insert(hash, (now, standing.clone()));
        }
        Ok(found)
    }

    async fn look_up(
        &self,
        tenant: TenantId,
        hash: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Option<KeyStanding>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT k.key_id, k.user_id, a.role, k.scopes, k.last_used_at,
                        EXISTS (SELECT FROM core.suspensions u WHERE u.tenant_id = k.tenant_id),
                        (SELECT t.plan FROM core.tenant_terms t WHERE t.tenant_id = k.tenant_id)
                   FROM core.api_keys k
                   JOIN core.accounts a ON a.tenant_id = k.tenant_id AND a.user_id = k.user_id
                  WHERE k.tenant_id = $1 AND k.key_hash = $2 AND k.revoked_at IS NULL
                    AND (k.expires_at IS NULL OR k.expires_at > $3) AND a.state = 'active'",
            )
            .await?;
        let Some(row) = transaction
            .query_opt(&select, &[&tenant.uuid(), &hash, &now])
            .await?
        else {
            return Ok(None);
        };
        let key_id: Uuid = row.try_get(0)?;
        let last: Option<DateTime<Utc>> = row.try_get(4)?;
        if last.is_none_or(|last| now - last >= USE_NOTED_EVERY) {
            note_use(&transaction, tenant, key_id, now).await?;
        }
        transaction.commit().await?;
        let scopes: Vec<&str> = row.try_get(3)?;
        Ok(Some(KeyStanding {
            standing: Standing {
                principal: Principal {
                    user_id: UserId(row.try_get(1)?),
                    tenant_id: tenant,
                    role: role_named(row.try_get(2)?).ok_or(StoreError::Inconsistent {
                        table: "accounts",
                        column: "role",
                    })?,
                    session_id: key_id,
                },
                // A key is no person; platform administration is for persons.
                admin: false,
                suspended: row.try_get(5)?,
                plan: terms::plan(row.try_get(6)?)?,
            },
            scopes: scopes
                .into_iter()
                .map(|scope| {
                    Action::of_scope(scope).ok_or(StoreError::Inconsistent {
                        table: TABLE,
                        column: "scopes",
                    })
                })
                .collect::<Result<_, _>>()?,
        }))
    }

    /// Asks the tables again at the next request, see [`crate::Sessions::forget`].
    pub fn forget(&self) {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

async fn note_use(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    key_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let update = transaction
        .prepare_cached("UPDATE core.api_keys SET last_used_at = $3 WHERE tenant_id = $1 AND key_id = $2")
        .await?;
    transaction
        .execute(&update, &[&tenant.uuid(), &key_id, &now])
        .await?;
    Ok(())
}
