//! Replaces keys while everything goes on. A new master key re-wraps the data keys, which is one small row a
//! tenant; a new data key re-encrypts the tenant's secrets one by one, and the old key is destroyed when
//! nothing is under it any more.
//!
//! Every step is a transaction of its own and finds its work in the tables, so a process that is killed
//! anywhere leaves nothing unreadable and the next one goes on where it was. Others seal and open meanwhile:
//! who seals holds the lock of the key's row, and the foreign key of `core.credentials` keeps a key alive for
//! as long as one ciphertext names it.

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;
use deadpool_postgres::Transaction;
use events::ids::{CredentialId, TenantId};
use uuid::Uuid;

use crate::VaultError;
use crate::master_keys::MasterKeys;
use crate::sealed::{KeyBytes, open, seal};
use crate::store::{DataKey, credential_place, insert_key, unwrap, wrap};

/// A data key is replaced after so many ciphertexts. Random 96-bit nonces are safe for 2^32 under one key
/// (NIST SP 800-38D, 8.3); this is a quarter of it.
pub const MOST_SEALS: i64 = 1 << 30;
/// A data key is replaced after so long, in days.
pub const LONGEST_USE_DAYS: i64 = 365;

/// Whose data keys are to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Of every tenant that has one.
    All,
    /// Of one.
    Tenant(TenantId),
    /// Of every tenant whose key has been used too often or for too long.
    Due(DateTime<Utc>),
}

/// What replacing data keys came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Tenants whose data key is a new one.
    pub tenants: u64,
    /// Secrets that were encrypted anew by this process.
    pub secrets: u64,
    /// Keys that were destroyed by this process.
    pub destroyed: u64,
    /// Secrets that do not open and therefore stay under their old key, which stays too.
    pub unreadable: u64,
}

/// One data key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// Whose.
    pub tenant: TenantId,
    /// Which version.
    pub version: i32,
    /// The master key that wraps it.
    pub master_version: i32,
    /// Ciphertexts ever made under it.
    pub seals: i64,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Secrets under it now.
    pub secrets: i64,
    /// Whether it is the tenant's newest, under which is sealed.
    pub newest: bool,
}

impl KeyFacts {
    /// Whether it has been used too often or for too long.
    #[must_use]
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.newest
            && (self.seals >= MOST_SEALS || now - self.created_at >= TimeDelta::days(LONGEST_USE_DAYS))
    }
}

/// Every key there is, and what is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Data keys, by tenant and version.
    pub keys: Vec<KeyFacts>,
    /// Tenants that wait for a new data key.
    pub pending: i64,
    /// Versions that were destroyed.
    pub destroyed: i64,
}

/// What trying every secret came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Secrets that open.
    pub readable: u64,
    /// Secrets that do not, and why; nothing of their content.
    pub unreadable: Vec<(TenantId, CredentialId, String)>,
}

/// Replaces, lists and tries keys of all tenants. Its pool has to act as `st_keys`.
#[derive(Clone)]
pub struct Keeper {
    pool: Pool,
    masters: MasterKeys,
}

/// What became of one secret.
#[derive(PartialEq, Eq)]
enum Moved {
    Yes,
    NotNeeded,
    Unreadable,
}

impl Keeper {
    /// A keeper over `pool`.
    #[must_use]
    pub const fn new(pool: Pool, masters: MasterKeys) -> Self {
        Self { pool, masters }
    }

    /// Wraps every data key by the newest master key; returns how many were wrapped by another one. Repeating
    /// it goes on where it ended.
    ///
    /// # Errors
    /// [`VaultError`]; what was re-wrapped before stays so.
    pub async fn rotate_master(&self) -> Result<u64, VaultError> {
        let newest = self.masters.newest_version();
        let mut wrapped = 0;
        while self.rewrap_one(newest).await? {
            wrapped += 1;
        }
        Ok(wrapped)
    }

    async fn rewrap_one(&self, newest: i32) -> Result<bool, VaultError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        let select = transaction
            .prepare_cached(
                "SELECT tenant_id, version, master_version, wrapped FROM core.tenant_keys
                  WHERE master_version <> $1 ORDER BY tenant_id, version LIMIT 1 FOR UPDATE",
            )
            .await?;
        let Some(row) = transaction.query_opt(&select, &[&newest]).await? else {
            return Ok(false);
        };
        let (tenant, version) = (TenantId(row.try_get(0)?), row.try_get(1)?);
        let key = unwrap(&self.masters, tenant, version, row.try_get(2)?, row.try_get(3)?)?;
        let (master_version, wrapped) = wrap(&self.masters, tenant, version, &key.bytes)?;
        if master_version != newest {
            // The file of the ring changed meanwhile; the caller starts anew.
            return Err(VaultError::UnknownMasterKey { version: newest });
        }
        let update = transaction
            .prepare_cached(
                "UPDATE core.tenant_keys SET master_version = $3, wrapped = $4
                  WHERE tenant_id = $1 AND version = $2",
            )
            .await?;
        transaction
            .execute(&update, &[&tenant.uuid(), &version, &master_version, &wrapped])
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Gives tenants a new data key, encrypts their secrets anew and destroys the old keys. Where an earlier
    /// rotation was not finished, that one is finished and no other is begun.
    ///
    /// # Errors
    /// [`VaultError`]; repeating it goes on where it ended.
    pub async fn rotate_data(&self, scope: Scope) -> Result<Rotated, VaultError> {
        let mut done = Rotated::default();
        let mut waiting = self.pending().await?;
        if waiting.is_empty() {
            self.request(scope).await?;
            waiting = self.pending().await?;
        }
        for (tenant, requested_at) in waiting {
            self.rotate_tenant(tenant, requested_at, &mut done).await?;
        }
        Ok(done)
    }

    async fn pending(&self) -> Result<Vec<(TenantId, DateTime<Utc>)>, VaultError> {
        let session = self.pool.get().await?;
        let select = "SELECT tenant_id, requested_at FROM core.key_rotations ORDER BY tenant_id";
        let rows = session.query(select, &[]).await?;
        rows.iter()
            .map(|row| Ok((TenantId(row.try_get(0)?), row.try_get(1)?)))
            .collect()
    }

    async fn request(&self, scope: Scope) -> Result<(), VaultError> {
        let tenants: Vec<Uuid> = self
            .inventory()
            .await?
            .keys
            .iter()
            .filter(|key| match scope {
                Scope::All => key.newest,
                Scope::Tenant(tenant) => key.newest && key.tenant == tenant,
                Scope::Due(now) => key.is_due(now),
            })
            .map(|key| key.tenant.uuid())
            .collect();
        let session = self.pool.get().await?;
        let insert = "INSERT INTO core.key_rotations (tenant_id) SELECT * FROM unnest($1::uuid[])
                      ON CONFLICT (tenant_id) DO NOTHING";
        session.execute(insert, &[&tenants]).await?;
        Ok(())
    }

    async fn rotate_tenant(
        &self,
        tenant: TenantId,
        requested_at: DateTime<Utc>,
        done: &mut Rotated,
    ) -> Result<(), VaultError> {
        let newest = self.renewed_key(tenant, requested_at).await?;
        let mut broken: Vec<Uuid> = Vec::new();
        while let Some(newest) = newest {
            let old = self.secrets_below(tenant, newest, &broken).await?;
            if old.is_empty() {
                match self.destroy_below(tenant, newest, broken.is_empty()).await? {
                    // A secret came under an old key at this very moment.
                    None => continue,
                    Some(destroyed) => done.destroyed += destroyed,
                }
                break;
            }
            for credential in old {
                match self.move_one(tenant, credential, newest).await? {
                    Moved::Yes => done.secrets += 1,
                    Moved::NotNeeded => {}
                    Moved::Unreadable => broken.push(credential.uuid()),
                }
            }
        }
        done.unreadable += broken.len() as u64;
        done.tenants += 1;
        let session = self.pool.get().await?;
        session
            .execute(
                "DELETE FROM core.key_rotations WHERE tenant_id = $1",
                &[&tenant.uuid()],
            )
            .await?;
        Ok(())
    }

    /// The version of a key that is younger than the request, made if there is none. Nothing when the tenant
    /// has no keys any more.
    async fn renewed_key(
        &self,
        tenant: TenantId,
        requested_at: DateTime<Utc>,
    ) -> Result<Option<i32>, VaultError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        let select = transaction
            .prepare_cached(
                "SELECT version, created_at >= $2 FROM core.tenant_keys
                  WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1 FOR UPDATE",
            )
            .await?;
        let Some(row) = transaction
            .query_opt(&select, &[&tenant.uuid(), &requested_at])
            .await?
        else {
            return Ok(None);
        };
        let (version, renewed): (i32, bool) = (row.try_get(0)?, row.try_get(1)?);
        if renewed {
            return Ok(Some(version));
        }
        insert_key(&transaction, &self.masters, tenant, version + 1).await?;
        transaction.commit().await?;
        Ok(Some(version + 1))
    }

    async fn secrets_below(
        &self,
        tenant: TenantId,
        version: i32,
        except: &[Uuid],
    ) -> Result<Vec<CredentialId>, VaultError> {
        let session = self.pool.get().await?;
        let select = session
            .prepare_cached(
                "SELECT credential_id FROM core.credentials
                  WHERE tenant_id = $1 AND key_version < $2 AND credential_id <> ALL ($3)
                  ORDER BY credential_id",
            )
            .await?;
        let rows = session
            .query(&select, &[&tenant.uuid(), &version, &except])
            .await?;
        rows.iter().map(|row| Ok(CredentialId(row.try_get(0)?))).collect()
    }

    /// Encrypts one secret anew. Locks are taken in the order in which sealing takes them: key, then secret.
    async fn move_one(
        &self,
        tenant: TenantId,
        credential: CredentialId,
        newest: i32,
    ) -> Result<Moved, VaultError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        let Some(key) = self.take(&transaction, tenant, newest).await? else {
            return Ok(Moved::NotNeeded);
        };
        let select = transaction
            .prepare_cached(
                "SELECT c.key_version, c.sealed, k.master_version, k.wrapped
                   FROM core.credentials c
                   JOIN core.tenant_keys k ON k.tenant_id = c.tenant_id AND k.version = c.key_version
                  WHERE c.tenant_id = $1 AND c.credential_id = $2 AND c.key_version < $3
                    FOR UPDATE OF c",
            )
            .await?;
        let ids: [Uuid; 2] = [tenant.uuid(), credential.uuid()];
        let Some(row) = transaction
            .query_opt(&select, &[&ids[0], &ids[1], &newest])
            .await?
        else {
            return Ok(Moved::NotNeeded);
        };
        let old_version: i32 = row.try_get(0)?;
        let old = unwrap(
            &self.masters,
            tenant,
            old_version,
            row.try_get(2)?,
            row.try_get(3)?,
        )?;
        let place = credential_place(tenant, credential, old_version);
        let Ok(plaintext) = open(&old.bytes, &place, row.try_get(1)?) else {
            return Ok(Moved::Unreadable);
        };
        let sealed = seal(
            &key.bytes,
            &credential_place(tenant, credential, newest),
            &plaintext,
        )?;
        let update = transaction
            .prepare_cached(
                "UPDATE core.credentials SET key_version = $3, sealed = $4
                  WHERE tenant_id = $1 AND credential_id = $2",
            )
            .await?;
        transaction
            .execute(&update, &[&ids[0], &ids[1], &newest, &sealed])
            .await?;
        transaction.commit().await?;
        Ok(Moved::Yes)
    }

    async fn take(
        &self,
        transaction: &Transaction<'_>,
        tenant: TenantId,
        version: i32,
    ) -> Result<Option<DataKey>, VaultError> {
        let take = transaction
            .prepare_cached(
                "UPDATE core.tenant_keys SET seals = seals + 1 WHERE tenant_id = $1 AND version = $2
                 RETURNING master_version, wrapped",
            )
            .await?;
        let Some(row) = transaction.query_opt(&take, &[&tenant.uuid(), &version]).await? else {
            return Ok(None);
        };
        unwrap(&self.masters, tenant, version, row.try_get(0)?, row.try_get(1)?).map(Some)
    }

    /// Destroys the keys below a version under which nothing is any more, and keeps what there was of them.
    /// None when one of them, which should be unused, was not.
    async fn destroy_below(
        &self,
        tenant: TenantId,
        version: i32,
        all: bool,
    ) -> Result<Option<u64>, VaultError> {
        let session = self.pool.get().await?;
        let destroy = session
            .prepare_cached(
                "WITH gone AS (
                     DELETE FROM core.tenant_keys k
                      WHERE k.tenant_id = $1 AND k.version < $2
                        AND NOT EXISTS (SELECT FROM core.credentials c
                                         WHERE c.tenant_id = k.tenant_id AND c.key_version = k.version)
                     RETURNING k.tenant_id, k.version, k.seals, k.created_at
                 )
                 INSERT INTO core.destroyed_keys (tenant_id, version, seals, created_at)
                 SELECT tenant_id, version, seals, created_at FROM gone ON CONFLICT DO NOTHING",
            )
            .await?;
        match session.execute(&destroy, &[&tenant.uuid(), &version]).await {
            Ok(destroyed) => {
                let left = "SELECT count(*) FROM core.tenant_keys WHERE tenant_id = $1 AND version < $2";
                let left: i64 = session
                    .query_one(left, &[&tenant.uuid(), &version])
                    .await?
                    .try_get(0)?;
                Ok((left == 0 || !all).then_some(destroyed))
            }
            // The foreign key saw a secret that the statement could not see yet.
            Err(error) if is_still_used(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Every key, without the keys.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn inventory(&self) -> Result<Inventory, VaultError> {
        let mut session = self.pool.get().await?;
        let transaction = session.transaction().await?;
        let select = "SELECT k.tenant_id, k.version, k.master_version, k.seals, k.created_at,
                             count(c.credential_id),
                             k.version = max(k.version) OVER (PARTITION BY k.tenant_id)
                        FROM core.tenant_keys k
                        LEFT JOIN core.credentials c
                          ON c.tenant_id = k.tenant_id AND c.key_version = k.version
                       GROUP BY k.tenant_id, k.version
                       ORDER BY k.tenant_id, k.version";
        let rows = transaction.query(select, &[]).await?;
        let counts = "SELECT (SELECT count(*) FROM core.key_rotations),
                             (SELECT count(*) FROM core.destroyed_keys)";
        let counts = transaction.query_one(counts, &[]).await?;
        let keys = rows
            .iter()
            .map(|row| {
                Ok(KeyFacts {
                    tenant: TenantId(row.try_get(0)?),
                    version: row.try_get(1)?,
                    master_version: row.try_get(2)?,
                    seals: row.try_get(3)?,
                    created_at: row.try_get(4)?,
                    secrets: row.try_get(5)?,
                    newest: row.try_get(6)?,
                })
            })
            .collect::<Result<_, tokio_postgres::Error>>()?;
        Ok(Inventory {
            keys,
            pending: counts.try_get(0)?,
            destroyed: counts.try_get(1)?,
        })
    }

    /// The data keys that the given master keys do not open: whose, which version, and why. A rotated
    /// master key may be missing, or the key given under its version be another one.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn locked(&self) -> Result<Vec<(TenantId, i32, VaultError)>, VaultError> {
        let session = self.pool.get().await?;
        let select = "SELECT tenant_id, version, master_version, wrapped FROM core.tenant_keys
                       ORDER BY tenant_id, version";
        let mut locked = Vec::new();
        for row in session.query(select, &[]).await? {
            let (tenant, version) = (TenantId(row.try_get(0)?), row.try_get(1)?);
            if let Err(error) = unwrap(&self.masters, tenant, version, row.try_get(2)?, row.try_get(3)?) {
                locked.push((tenant, version, error));
            }
        }
        Ok(locked)
    }

    /// Opens every secret once and forgets it at once.
    ///
    /// # Errors
    /// [`VaultError::Database`]; what does not open is no error but a finding.
    pub async fn verify(&self) -> Result<Verified, VaultError> {
        let session = self.pool.get().await?;
        let rows = session
            .query(
                "SELECT tenant_id, credential_id FROM core.credentials ORDER BY tenant_id, credential_id",
                &[],
            )
            .await?;
        let select = session
            .prepare_cached(
                "SELECT c.key_version, c.sealed, k.master_version, k.wrapped
                   FROM core.credentials c
                   JOIN core.tenant_keys k ON k.tenant_id = c.tenant_id AND k.version = c.key_version
                  WHERE c.tenant_id = $1 AND c.credential_id = $2",
            )
            .await?;
        let mut verified = Verified::default();
        for row in rows {
            let (tenant, credential) = (TenantId(row.try_get(0)?), CredentialId(row.try_get(1)?));
            let ids: [Uuid; 2] = [tenant.uuid(), credential.uuid()];
            // Gone since the list was made.
            let Some(row) = session.query_opt(&select, &[&ids[0], &ids[1]]).await? else {
                continue;
            };
            let version: i32 = row.try_get(0)?;
            let key = unwrap(&self.masters, tenant, version, row.try_get(2)?, row.try_get(3)?);
            match key.and_then(|key| try_open(&key.bytes, tenant, credential, version, row.try_get(1)?)) {
                Ok(()) => verified.readable += 1,
                Err(error) => verified.unreadable.push((tenant, credential, error.to_string())),
            }
        }
        Ok(verified)
    }
}

fn try_open(
    key: &KeyBytes,
    tenant: TenantId,
    credential: CredentialId,
    version: i32,
    sealed: &[u8],
) -> Result<(), VaultError> {
    open(key, &credential_place(tenant, credential, version), sealed)?;
    Ok(())
}

fn is_still_used(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&tokio_postgres::error::SqlState::FOREIGN_KEY_VIOLATION)
}
