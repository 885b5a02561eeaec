//! Invitations by one-time code. Whoever holds the code, and where the invitation names an address whoever
//! has that address, becomes a member. The code is shown once and kept as a hash; one command uses it.

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use events::ids::{CommandId, TenantId, UserId};
use secrecy::SecretString;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::StoreError;
use crate::email::Email;
use crate::opaque::{self, IssueError};
use crate::permission::{Role, role_name, role_named};

/// How long an invitation waits. It is no proof of an existing login, whose codes last ten minutes
/// ([`crate::resets`]): it makes a new one, is handed on by people, and can be taken back.
pub const LIFETIME: TimeDelta = TimeDelta::days(3);
/// What a code begins with.
pub const PREFIX: &str = "sti_";

/// An invitation to be made.
pub struct NewInvitation {
    /// Its id; the same id again is the same invitation.
    pub invitation_id: Uuid,
    /// Who invites.
    pub invited_by: UserId,
    /// As what.
    pub role: Role,
    /// For this address only.
    pub email: Option<Email>,
}

/// An invitation that waits, or is being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub invitation_id: Uuid,
    /// Who invites.
    pub invited_by: UserId,
    /// As what.
    pub role: Role,
    /// For this address only.
    pub email: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// A code that was just made: shown once.
pub struct IssuedCode {
    /// The code.
    pub code: SecretString,
    /// Until when it works.
    pub expires_at: DateTime<Utc>,
}

/// The invitations of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Invitations {
    pool: Pool,
}

impl Invitations {
    /// Invitations over `pool`, whose role has to be `st_api` or `st_gateway`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Makes an invitation and its code. Made again under the same id, it gets another code, because the
    /// first one was lost on the way; none when it was used meanwhile. Outdated ones of the tenant go.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn issue(
        &self,
        tenant: TenantId,
        invitation: &NewInvitation,
        now: DateTime<Utc>,
    ) -> Result<Option<IssuedCode>, IssueError> {
        let (code, hash) = opaque::make(PREFIX, tenant)?;
        let expires_at = now + LIFETIME;
        Ok(self
            .insert(tenant, invitation, &hash, expires_at, now)
            .await?
            .then_some(IssuedCode { code, expires_at }))
    }

    async fn insert(
        &self,
        tenant: TenantId,
        invitation: &NewInvitation,
        hash: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let purge = transaction
            .prepare_cached("DELETE FROM core.invitations WHERE tenant_id = $1 AND expires_at <= $2")
            .await?;
        transaction.execute(&purge, &[&tenant.uuid(), &now]).await?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.invitations AS i (tenant_id, invitation_id, invited_by, code_hash, role,
                        email, email_key, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (tenant_id, invitation_id) DO UPDATE
                    SET code_hash = EXCLUDED.code_hash, expires_at = EXCLUDED.expires_at
                  WHERE i.used_by IS NULL",
            )
            .await?;
        let email = invitation.email.as_ref();
        let made = transaction
            .execute(
                &insert,
                &[
                    &tenant.uuid(),
                    &invitation.invitation_id,
                    &invitation.invited_by.uuid(),
                    &hash,
                    &role_name(invitation.role),
                    &email.map(Email::address),
                    &email.map(Email::key),
                    &now,
                    &expires_at,
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(made == 1)
    }

    /// Invitations that wait, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, tenant: TenantId, now: DateTime<Utc>) -> Result<Vec<Invitation>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT invitation_id, invited_by, role, email, created_at, expires_at
                   FROM core.invitations WHERE tenant_id = $1 AND used_by IS NULL AND expires_at > $2
                  ORDER BY created_at DESC, invitation_id",
            )
            .await?;
        let rows = transaction.query(&select, &[&tenant.uuid(), &now]).await?;
        transaction.commit().await?;
        rows.iter().map(invitation).collect()
    }

    /// As what somebody is invited; none when none waits under this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn role_of(&self, tenant: TenantId, invitation_id: Uuid) -> Result<Option<Role>, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let select = transaction
            .prepare_cached(
                "SELECT role FROM core.invitations
                  WHERE tenant_id = $1 AND invitation_id = $2 AND used_by IS NULL",
            )
            .await?;
        let row = transaction
            .query_opt(&select, &[&tenant.uuid(), &invitation_id])
            .await?;
        transaction.commit().await?;
        row.as_ref().map(|row| role(row.try_get(0)?)).transpose()
    }

    /// Takes an invitation back; false when none waits under this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn withdraw(&self, tenant: TenantId, invitation_id: Uuid) -> Result<bool, StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let delete = transaction
            .prepare_cached(
                "DELETE FROM core.invitations
                  WHERE tenant_id = $1 AND invitation_id = $2 AND used_by IS NULL",
            )
            .await?;
        let gone = transaction
            .execute(&delete, &[&tenant.uuid(), &invitation_id])
            .await?;
        transaction.commit().await?;
        Ok(gone == 1)
    }

    /// Whose code this would be. Whether there is such a tenant is not known by it.
    #[must_use]
    pub fn tenant_of(code: &SecretString) -> Option<TenantId> {
        opaque::read(PREFIX, code).map(|(tenant, _)| tenant)
    }

    /// Uses a code for one command. None for a code that is unknown, used by another command, too old, or for
    /// another address: nobody learns which.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(
        &self,
        code: &SecretString,
        email: &Email,
        command: CommandId,
        now: DateTime<Utc>,
    ) -> Result<Option<Invitation>, StoreError> {
        let Some((tenant, hash)) = opaque::read(PREFIX, code) else {
            return Ok(None);
        };
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.invitations SET used_by = $4
                  WHERE tenant_id = $1 AND code_hash = $2 AND (email_key IS NULL OR email_key = $3)
                    AND (used_by = $4 OR (used_by IS NULL AND expires_at > $5))
              RETURNING invitation_id, invited_by, role, email, created_at, expires_at",
            )
            .await?;
        let row = transaction
            .query_opt(
                &update,
                &[&tenant.uuid(), &hash, &email.key(), &command.uuid(), &now],
            )
            .await?;
        transaction.commit().await?;
        row.as_ref().map(invitation).transpose()
    }

    /// Gives a code back that a command claimed and could not use.
    ///
    /// # Errors
    /// [`StoreError`]; the code is then lost and another invitation is needed.
    pub async fn release(
        &self,
        tenant: TenantId,
        invitation_id: Uuid,
        command: CommandId,
    ) -> Result<(), StoreError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.invitations SET used_by = NULL
                  WHERE tenant_id = $1 AND invitation_id = $2 AND used_by = $3",
            )
            .await?;
        transaction
            .execute(&update, &[&tenant.uuid(), &invitation_id, &command.uuid()])
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn invitation(row: &Row) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        invitation_id: row.try_get(0)?,
        invited_by: UserId(row.try_get(1)?),
        role: role(row.try_get(2)?)?,
        email: row.try_get(3)?,
        created_at: row.try_get(4)?,
        expires_at: row.try_get(5)?,
    })
}

fn role(name: &str) -> Result<Role, StoreError> {
    role_named(name).ok_or(StoreError::Inconsistent {
        table: "invitations",
        column: "role",
    })
}
