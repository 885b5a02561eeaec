//! Codes that set a new password. There is no mail service: an owner or administrator of the tenant, or of
//! the platform, has a code made, sees it once and hands it on. A login has at most one, for ten minutes, and
//! one command uses it.

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use events::ids::{CommandId, TenantId, UserId};
use secrecy::SecretString;

use crate::StoreError;
use crate::idempotency::KEPT;
use crate::invitations::IssuedCode;
use crate::opaque::{self, IssueError};

/// How long a code works (ASVS 5.0, 6.5.5).
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// How long after a code was made the command that used it may use it again. The answer to that command is
/// kept for as long after its use, which is later: while a repetition works, another password under the same
/// `Idempotency-Key` is noticed.
pub const REPEATED: TimeDelta = KEPT;
/// What a code begins with.
pub const PREFIX: &str = "str_";

/// The codes of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct PasswordResets {
    pool: Pool,
}

impl PasswordResets {
    /// Codes over `pool`, whose role has to be `st_api` or `st_gateway`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Makes the code of a login; an earlier one stops working.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(
        &self,
        tenant: TenantId,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<IssuedCode, IssueError> {
        let (code, hash) = opaque::make(PREFIX, tenant)?;
        let expires_at = now + LIFETIME;
        self.store(tenant, user, &hash, expires_at, now).await?;
        Ok(IssuedCode { code, expires_at })
    }

    async fn store(
        &self,
        tenant: TenantId,
        user: UserId,
        hash: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let upsert = transaction
            .prepare_cached(
                "INSERT INTO core.password_resets (tenant_id, user_id, code_hash, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (tenant_id, user_id) DO UPDATE
                    SET code_hash = EXCLUDED.code_hash, created_at = EXCLUDED.created_at,
                        expires_at = EXCLUDED.expires_at, used_by = NULL",
            )
            .await?;
        transaction
            .execute(&upsert, &[&tenant.uuid(), &user.uuid(), &hash, &now, &expires_at])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whose code this would be. Whether there is such a tenant is not known by it.
    #[must_use]
    pub fn tenant_of(code: &SecretString) -> Option<TenantId> {
        opaque::read(PREFIX, code).map(|(tenant, _)| tenant)
    }

    /// Uses a code for one command and says whose it is. The same command may repeat it until [`REPEATED`]
    /// after the code was made. None for a code that is unknown, used by another command or too old, or whose
    /// login may not be used; the caller does not learn which.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(
        &self,
        code: &SecretString,
        command: CommandId,
        now: DateTime<Utc>,
    ) -> Result<Option<UserId>, StoreError> {
        let Some((tenant, hash)) = opaque::read(PREFIX, code) else {
            return Ok(None);
        };
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.password_resets r SET used_by = $3
                  WHERE r.tenant_id = $1 AND r.code_hash = $2
                    AND ((r.used_by = $3 AND r.created_at > $5) OR (r.used_by IS NULL AND r.expires_at > $4))
                    AND EXISTS (SELECT FROM core.accounts a WHERE a.tenant_id = r.tenant_id
                                   AND a.user_id = r.user_id AND a.state = 'active')
              RETURNING r.user_id",
            )
            .await?;
        let row = transaction
            .query_opt(
                &update,
                &[&tenant.uuid(), &hash, &command.uuid(), &now, &(now - REPEATED)],
            )
            .await?;
        transaction.commit().await?;
        row.map(|row| Ok(UserId(row.try_get(0)?))).transpose()
    }
}
