//! Sessions as families of refresh tokens. How one token is exchanged for the next, and when a second use
//! ends the family, is in [`rotation`].

mod rotation;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use deadpool_postgres::Transaction;
use events::ids::{TenantId, UserId};
use secrecy::SecretString;
use uuid::Uuid;

use crate::StoreError;
use crate::access::Principal;
use crate::opaque::{self, NoRandomness};
use crate::permission::role_named;

pub use rotation::{Client, GRACE, RotateError};

/// How long a refresh token waits to be used.
pub const REFRESH_LIFETIME: TimeDelta = TimeDelta::days(14);
/// How long a session lasts however often it is refreshed.
pub const SESSION_LIFETIME: TimeDelta = TimeDelta::days(60);
/// Refresh tokens have no prefix: nobody copies them by hand.
const PREFIX: &str = "";
/// How long a session found alive is believed to be; it bounds how long an access token outlives it.
pub(crate) const BELIEVED: TimeDelta = TimeDelta::seconds(1);
/// Sessions remembered as alive before the memory is emptied.
pub(crate) const REMEMBERED: usize = 10_000;

/// Why a session cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system gave no randomness for the token.
    #[error("no refresh token could be made")]
    NoRandomness(#[from] NoRandomness),
    /// The account was closed or removed meanwhile.
    #[error("the account is not active any more")]
    Closed,
    /// The tables cannot be used.
    #[error("the session cannot be stored")]
    Store(#[from] StoreError),
}

/// A refresh token and what it belongs to.
pub struct Issued {
    /// The session, for the access token.
    pub session_id: Uuid,
    /// The token: opaque, shown once, stored only as a hash.
    pub refresh_token: SecretString,
    /// When the token stops working if it is not used.
    pub expires_at: DateTime<Utc>,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Id.
    pub session_id: Uuid,
    /// When the login was.
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its owner said so.
    Logout,
    /// A refresh token came twice.
    Reuse,
    /// The password was changed.
    Password,
    /// The account was closed.
    Deactivated,
}

impl EndReason {
    const fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Reuse => "reuse",
            Self::Password => "password",
            Self::Deactivated => "deactivated",
        }
    }
}

/// How a caller stands at this moment, whatever the token said when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Who it is, with today's role.
    pub principal: Principal,
    /// Whether it is a platform administrator.
    pub admin: bool,
    /// Whether its tenant may not use the service for now.
    pub suspended: bool,
    /// The plan that its tenant's contracts give, if they give one.
    pub plan: Option<events::subscription::Plan>,
}

/// Sessions that were found alive, and when.
type Remembered = HashMap<Uuid, (DateTime<Utc>, Standing)>;

/// Where a page of sessions begins: after the one that began then.
pub type SessionCursor = (DateTime<Utc>, Uuid);

/// The sessions of all tenants. Clones share what they remember.
#[derive(Clone)]
pub struct Sessions {
    pool: Pool,
    alive: Arc<Mutex<Remembered>>,
}

impl Sessions {
    /// Sessions over `pool`, whose role has to be `st_api` or `st_gateway`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            alive: Arc::default(),
        }
    }

    /// Begins a session under `session_id`, which the caller makes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        &self,
        tenant: TenantId,
        user: UserId,
        session_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Issued, OpenError> {
        let (token, hash) = opaque::make(PREFIX, tenant)?;
        let expires_at = now + REFRESH_LIFETIME;
        let stored = self
            .store_new(tenant, user, session_id, &hash, expires_at, now)
            .await?;
        if !stored {
            return Err(OpenError::Closed);
        }
        Ok(Issued {
            session_id,
            refresh_token: token,
            expires_at,
        })
    }

    async fn store_new(
        &self,
        tenant: TenantId,
        user: UserId,
        session_id: Uuid,
        hash: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        // The account is locked while it is looked at: a login at the moment of a deactivation or removal
        // either comes before, and is ended by it, or finds no active account.
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.sessions
                        (tenant_id, session_id, user_id, created_at, last_used_at, expires_at)
                 SELECT a.tenant_id, $2, a.user_id, $4, $4, $5 FROM core.accounts a
                  WHERE a.tenant_id = $1 AND a.user_id = $3 AND a.state = 'active'
                    FOR SHARE OF a",
            )
            .await?;
        let ends = now + SESSION_LIFETIME;
        let opened = transaction
            .execute(&insert, &[&tenant.uuid(), &session_id, &user.uuid(), &now, &ends])
            .await?;
        if opened == 1 {
            insert_token(&transaction, tenant, session_id, hash, expires_at, now).await?;
        }
        transaction.commit().await?;
        Ok(opened == 1)
    }

    /// How the principal of an access token stands now: with today's role, or none when the session or the
    /// account has ended since the token was issued. At most a second old.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn check(
        &self,
        claimed: &Principal,
        now: DateTime<Utc>,
    ) -> Result<Option<Standing>, StoreError> {
        let remembered = self
            .alive
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&claimed.session_id)
            .copied();
        if let Some((at, standing)) = remembered
            && now - at < BELIEVED
            && standing.principal.tenant_id == claimed.tenant_id
            && standing.principal.user_id == claimed.user_id
        {
            return Ok(Some(standing));
        }
        let found = self.look_up(claimed, now).await?;
        if let Some(standing) = found {
            let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
            if alive.len() >= REMEMBERED {
                alive.clear();
            }
            alive.insert(claimed.session_id, (now, standing));
        }
        Ok(found)
    }

    async fn look_up(&self, claimed: &Principal, now: DateTime<Utc>) -> Result<Option<Standing>, StoreError> {
        let tenant = claimed.tenant_id;
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT a.role, a.admin,
                        EXISTS (SELECT FROM core.suspensions u WHERE u.tenant_id = s.tenant_id),
                        (SELECT t.plan FROM core.tenant_terms t WHERE t.tenant_id = s.tenant_id)
                   FROM core.sessions s
                   JOIN core.accounts a ON a.tenant_id = s.tenant_id AND a.user_id = s.user_id
                  WHERE s.tenant_id = $1 AND s.session_id = $2 AND s.user_id = $3
                    AND s.ended_at IS NULL AND s.expires_at > $4 AND a.state = 'active'",
            )
            .await?;
        let row = transaction
            .query_opt(
                &select,
                &[&tenant.uuid(), &claimed.session_id, &claimed.user_id.uuid(), &now],
            )
            .await?;
        transaction.commit().await?;
        let Some(row) = row else { return Ok(None) };
        let role = role_named(row.try_get(0)?).ok_or(StoreError::Inconsistent {
            table: "accounts",
            column: "role",
        })?;
        Ok(Some(Standing {
            principal: Principal { role, ..*claimed },
            admin: row.try_get(1)?,
            suspended: row.try_get(2)?,
            plan: crate::terms::plan(row.try_get(3)?)?,
        }))
    }

    /// Ends one session of a user; false when the user has no such session that goes on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_one(
        &self,
        tenant: TenantId,
        user: UserId,
        session_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.sessions SET ended_at = $4, end_reason = 'logout'
                  WHERE tenant_id = $1 AND user_id = $2 AND session_id = $3
                    AND ended_at IS NULL AND expires_at > $4",
            )
            .await?;
        let ended = transaction
            .execute(&update, &[&tenant.uuid(), &user.uuid(), &session_id, &now])
            .await?;
        transaction.commit().await?;
        self.forget();
        Ok(ended == 1)
    }

    /// Ends one session. One that has ended already stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_family(
        &self,
        tenant: TenantId,
        session_id: Uuid,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        end(&transaction, tenant, session_id, reason, now).await?;
        transaction.commit().await?;
        self.forget();
        Ok(())
    }

    /// Ends every session of a user but `except`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_all(
        &self,
        tenant: TenantId,
        user: UserId,
        except: Option<Uuid>,
        reason: EndReason,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        end_others(&transaction, tenant, user, except, reason, now).await?;
        transaction.commit().await?;
        self.forget();
        Ok(())
    }

    /// Up to `limit` of a user's live sessions, the newest login first, from after `after` on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(
        &self,
        tenant: TenantId,
        user: UserId,
        after: Option<SessionCursor>,
        limit: i64,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionInfo>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT session_id, created_at, last_used_at, expires_at FROM core.sessions
                  WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3
                    AND ($4::timestamptz IS NULL OR (created_at, session_id) < ($4, $5))
                  ORDER BY created_at DESC, session_id DESC LIMIT $6",
            )
            .await?;
        let (began, id) = after.unzip();
        let rows = transaction
            .query(
                &select,
                &[&tenant.uuid(), &user.uuid(), &now, &began, &id, &limit],
            )
            .await?;
        transaction.commit().await?;
        rows.iter()
            .map(|row| {
                Ok(SessionInfo {
                    session_id: row.try_get(0)?,
                    created_at: row.try_get(1)?,
                    last_used_at: row.try_get(2)?,
                    expires_at: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Asks the tables again at the next request: something was changed that decides who may come in. Other
    /// processes do so within a second by themselves.
    pub fn forget(&self) {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

async fn insert_token(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    session_id: Uuid,
    hash: &[u8],
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let insert = transaction
        .prepare_cached(
            "INSERT INTO core.refresh_tokens (tenant_id, token_hash, session_id, issued_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .await?;
    transaction
        .execute(&insert, &[&tenant.uuid(), &hash, &session_id, &now, &expires_at])
        .await?;
    Ok(())
}

async fn end(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    session_id: Uuid,
    reason: EndReason,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let update = transaction
        .prepare_cached(
            "UPDATE core.sessions SET ended_at = $3, end_reason = $4
              WHERE tenant_id = $1 AND session_id = $2 AND ended_at IS NULL",
        )
        .await?;
    transaction
        .execute(&update, &[&tenant.uuid(), &session_id, &now, &reason.name()])
        .await?;
    Ok(())
}

/// Ends every session of a user but `except`, as part of a larger change.
pub(crate) async fn end_others(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    user: UserId,
    except: Option<Uuid>,
    reason: EndReason,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let update = transaction
        .prepare_cached(
            "UPDATE core.sessions SET ended_at = $4, end_reason = $5
              WHERE tenant_id = $1 AND user_id = $2 AND session_id IS DISTINCT FROM $3
                AND ended_at IS NULL",
        )
        .await?;
    transaction
        .execute(
            &update,
            &[&tenant.uuid(), &user.uuid(), &except, &now, &reason.name()],
        )
        .await?;
    Ok(())
}
