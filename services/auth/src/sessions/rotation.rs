//! One refresh token for the next. Each works once; a token that is used again later was copied, and since
//! the thief cannot be told from the owner, the whole family ends (RFC 9700, section 4.14.2). Two tabs that
//! refresh together and a client that lost the answer are no thieves: for [`GRACE`] the same client is
//! answered with the same successor. It is derived from the token that is shown and a stored salt, so that
//! the family stays one chain, in which a copied token is noticed, and no token has to be stored in the
//! clear.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use events::ids::{TenantId, UserId};
use secrecy::SecretString;
use uuid::Uuid;

use super::{EndReason, Issued, OpenError, PREFIX, REFRESH_LIFETIME, Sessions, end, insert_token};
use crate::StoreError;
use crate::access::{Principal, keyed_hash};
use crate::attempts::network;
use crate::opaque;
use crate::permission::role_named;

/// How long after its first use a refresh token is answered again, for the same client. Longer than a client
/// waits for a lost answer, shorter than anybody needs to carry a token elsewhere.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

/// Why a refresh token is refused. The caller learns only that it is.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// Never issued here.
    #[error("the refresh token is unknown")]
    Unknown,
    /// Its time or its session's time is over, or the session was ended.
    #[error("the refresh token or its session ended")]
    Ended,
    /// Used before, and this is no repetition within [`GRACE`]. The session has just been ended.
    #[error("the refresh token was used before; its session is ended")]
    Reused {
        /// Whose.
        tenant_id: TenantId,
        /// The session that was ended.
        session_id: Uuid,
    },
    /// The account may not be used.
    #[error("the account is not active")]
    Inactive,
    /// The tenant may not use the service for now.
    #[error("the tenant is suspended")]
    Suspended,
    /// The next token could not be made.
    #[error("the next refresh token cannot be issued")]
    Open(#[from] OpenError),
}

impl From<StoreError> for RotateError {
    fn from(error: StoreError) -> Self {
        Self::Open(OpenError::Store(error))
    }
}

/// Who refreshes, as far as a server can see it: network address and user agent, kept only as a keyed hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Client([u8; 32]);

impl Client {
    /// Of a request. Addresses of one IPv6 subscriber (64 bits) are one. A request without a user agent is
    /// told apart by its address alone.
    #[must_use]
    pub fn of(key: &[u8], from: IpAddr, user_agent: Option<&[u8]>) -> Self {
        let mut name = format!("client\n{}\n", network(from)).into_bytes();
        name.extend_from_slice(user_agent.unwrap_or_default());
        Self(keyed_hash(key, &name))
    }
}

/// What a token was found to be.
enum Taken {
    /// Its first use, or a repetition of it: the successor follows from the salt.
    Good {
        principal: Principal,
        salt: Vec<u8>,
        repeated: bool,
    },
    Unknown,
    Ended,
    Inactive,
    Suspended,
    Reused(Uuid),
}

impl Sessions {
    /// Takes a refresh token and gives the next one, with whom it is for as of now. The same token from the
    /// same client within [`GRACE`] gives the same next one again, as long as that is unused.
    ///
    /// # Errors
    /// [`RotateError`]. After [`RotateError::Reused`] the session is over.
    pub async fn rotate(
        &self,
        token: &SecretString,
        client: &Client,
        now: DateTime<Utc>,
    ) -> Result<(Principal, Issued), RotateError> {
        let (tenant, hash) = opaque::read(PREFIX, token).ok_or(RotateError::Unknown)?;
        let salt = opaque::salt().map_err(OpenError::from)?;
        let mut session = self.pool.tenant(tenant).await.map_err(StoreError::from)?;
        let transaction = session.begin().await.map_err(StoreError::from)?;
        let taken = take_token(&transaction, tenant, &hash, client, salt, now).await?;
        let (principal, salt, repeated) = match taken {
            Taken::Good {
                principal,
                salt,
                repeated,
            } => (principal, salt, repeated),
            Taken::Unknown => return Err(RotateError::Unknown),
            Taken::Ended => return Err(RotateError::Ended),
            Taken::Inactive => return Err(RotateError::Inactive),
            Taken::Suspended => return Err(RotateError::Suspended),
            Taken::Reused(session_id) => {
                end(&transaction, tenant, session_id, EndReason::Reuse, now).await?;
                transaction.commit().await.map_err(StoreError::from)?;
                self.forget();
                return Err(RotateError::Reused {
                    tenant_id: tenant,
                    session_id,
                });
            }
        };
        let (next, next_hash) =
            opaque::successor(PREFIX, tenant, token, &salt).ok_or(RotateError::Unknown)?;
        let session_id = principal.session_id;
        let expires_at = if repeated {
            expiry(&transaction, tenant, &next_hash).await?
        } else {
            let expires_at = now + REFRESH_LIFETIME;
            insert_token(&transaction, tenant, session_id, &next_hash, expires_at, now).await?;
            expires_at
        };
        transaction.commit().await.map_err(StoreError::from)?;
        let issued = Issued {
            session_id,
            refresh_token: next,
            expires_at,
        };
        Ok((principal, issued))
    }
}

/// Locks the family, judges the token and marks it used.
async fn take_token(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    hash: &[u8],
    client: &Client,
    salt: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<Taken, StoreError> {
    // The session is locked, not the token: a second use of an old token and the first use of the newest one
    // must not pass each other. The token is read in a second statement, because one statement's snapshot is
    // older than the lock it waits for.
    let lock = transaction
        .prepare_cached(
            "SELECT s.session_id FROM core.refresh_tokens t
               JOIN core.sessions s ON s.tenant_id = t.tenant_id AND s.session_id = t.session_id
              WHERE t.tenant_id = $1 AND t.token_hash = $2 FOR UPDATE OF s",
        )
        .await?;
    if transaction
        .query_opt(&lock, &[&tenant.uuid(), &hash])
        .await?
        .is_none()
    {
        return Ok(Taken::Unknown);
    }
    let read = transaction
        .prepare_cached(
            "SELECT s.session_id, s.user_id, t.used_at, t.used_by, t.successor_salt,
                    s.ended_at IS NOT NULL OR s.expires_at <= $3
                        OR (t.used_at IS NULL AND t.expires_at <= $3),
                    a.state, a.role,
                    NOT a.admin AND EXISTS (SELECT FROM core.suspensions u WHERE u.tenant_id = s.tenant_id)
               FROM core.refresh_tokens t
               JOIN core.sessions s ON s.tenant_id = t.tenant_id AND s.session_id = t.session_id
               JOIN core.accounts a ON a.tenant_id = s.tenant_id AND a.user_id = s.user_id
              WHERE t.tenant_id = $1 AND t.token_hash = $2",
        )
        .await?;
    let row = transaction
        .query_one(&read, &[&tenant.uuid(), &hash, &now])
        .await?;
    let session_id: Uuid = row.try_get(0)?;
    let used_at: Option<DateTime<Utc>> = row.try_get(2)?;
    let (used_by, kept_salt): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.try_get(3)?, row.try_get(4)?);
    let same_client = used_by.as_deref() == Some(client.0.as_slice());
    let repeated = match (used_at, kept_salt) {
        (None, _) => None,
        // The salt is there as long as the successor is unused.
        (Some(used_at), Some(kept)) if same_client && now < used_at + GRACE => Some(kept),
        (Some(_), _) => return Ok(Taken::Reused(session_id)),
    };
    if row.try_get(5)? {
        return Ok(Taken::Ended);
    }
    if row.try_get::<_, &str>(6)? != "active" {
        return Ok(Taken::Inactive);
    }
    if row.try_get(8)? {
        return Ok(Taken::Suspended);
    }
    let role = role_named(row.try_get(7)?).ok_or(StoreError::Inconsistent {
        table: "accounts",
        column: "role",
    })?;
    let principal = Principal {
        user_id: UserId(row.try_get(1)?),
        tenant_id: tenant,
        role,
        session_id,
    };
    if let Some(kept) = repeated {
        return Ok(Taken::Good {
            principal,
            salt: kept,
            repeated: true,
        });
    }
    mark_used(transaction, tenant, session_id, hash, client, &salt, now).await?;
    Ok(Taken::Good {
        principal,
        salt,
        repeated: false,
    })
}

/// Notes the first use. What the token before left for its repetition goes: its successor is this one.
async fn mark_used(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    session_id: Uuid,
    hash: &[u8],
    client: &Client,
    salt: &[u8],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mark = transaction
        .prepare_cached(
            "WITH used AS (
                 UPDATE core.refresh_tokens SET used_at = $3, used_by = $5, successor_salt = $6
                  WHERE tenant_id = $1 AND token_hash = $2
             ), before AS (
                 UPDATE core.refresh_tokens SET used_by = NULL, successor_salt = NULL
                  WHERE tenant_id = $1 AND session_id = $4 AND token_hash <> $2
                    AND successor_salt IS NOT NULL
             )
             UPDATE core.sessions SET last_used_at = $3 WHERE tenant_id = $1 AND session_id = $4",
        )
        .await?;
    let by = client.0.as_slice();
    transaction
        .execute(&mark, &[&tenant.uuid(), &hash, &now, &session_id, &by, &salt])
        .await?;
    Ok(())
}

/// When a successor that was issued before ends.
async fn expiry(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    hash: &[u8],
) -> Result<DateTime<Utc>, StoreError> {
    let select = transaction
        .prepare_cached("SELECT expires_at FROM core.refresh_tokens WHERE tenant_id = $1 AND token_hash = $2")
        .await?;
    let row = transaction.query_one(&select, &[&tenant.uuid(), &hash]).await?;
    Ok(row.try_get(0)?)
}
