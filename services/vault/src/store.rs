//! Sealed credentials in PostgreSQL. Every call is one transaction of one tenant; what a process may do here
//! is decided by its database role, so a process without the right gets a refusal from the server.

use database::{DatabaseError, Pool};
use deadpool_postgres::Transaction;
use events::ids::{CredentialId, TenantId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::master_keys::MasterKeys;
use crate::place::Place;
use crate::sealed::{KeyBytes, SealError, open, seal};

/// Why a secret could not be kept, read or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The database did not answer or refused.
    #[error("the vault's tables cannot be used")]
    Database(#[from] DatabaseError),
    /// The ring of master keys lacks the version that wrapped the tenant's key.
    #[error("master key v{version} is needed to unwrap a data key and is not in the settings")]
    UnknownMasterKey {
        /// The version that wrapped it.
        version: i32,
    },
    /// The wrapped data key does not open under the master key of its version: the setting holds another key.
    #[error(
        "the tenant's data key does not open under master key v{version}; is the right key in the settings?"
    )]
    WrongMasterKey {
        /// The version that wrapped it.
        version: i32,
        /// What the cipher said.
        #[source]
        source: SealError,
    },
    /// There is no such credential (any more).
    #[error("credential {0} is not in the vault")]
    NotFound(CredentialId),
    /// A ciphertext does not belong where it stands.
    #[error("a credential does not open")]
    Seal(#[from] SealError),
    /// What was sealed is not text. Only this crate seals, and it seals text, so the row was written by
    /// others.
    #[error("credential {credential} does not hold text")]
    NotText {
        /// Which.
        credential: CredentialId,
        /// Where it stops being UTF-8.
        #[source]
        source: std::str::Utf8Error,
    },
    /// The tenant's keys were replaced again and again while one of them was being taken.
    #[error("the keys of tenant {0} change too fast to seal under one of them")]
    Restless(TenantId),
    /// A data key has the wrong length after unwrapping.
    #[error("data key {version} of tenant {tenant} has a wrong length")]
    KeyLength {
        /// Whose.
        tenant: TenantId,
        /// Which version.
        version: i32,
    },
}

impl From<tokio_postgres::Error> for VaultError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// How often a key that was destroyed while it was being taken is looked for again.
const ROUNDS: u32 = 8;

/// Seals, opens and destroys credentials of tenants. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pool: Pool,
    masters: MasterKeys,
}

/// An unwrapped data key.
pub(crate) struct DataKey {
    pub(crate) version: i32,
    pub(crate) bytes: KeyBytes,
}

impl Vault {
    /// A vault over `pool`. It does nothing before its first use.
    #[must_use]
    pub const fn new(pool: Pool, masters: MasterKeys) -> Self {
        Self { pool, masters }
    }

    /// Keeps `secret` under `credential`. Doing it again replaces what was there, so that a command that is
    /// repeated after a crash ends in the same state. `kind` is a snake_case word for what the secret opens.
    ///
    /// # Errors
    /// [`VaultError::UnknownMasterKey`] or [`VaultError::WrongMasterKey`] when the tenant's key cannot be
    /// unwrapped, [`VaultError::Database`] when the database is away or refuses.
    pub async fn seal(
        &self,
        tenant: TenantId,
        credential: CredentialId,
        kind: &str,
        secret: &SecretString,
    ) -> Result<(), VaultError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let key = self.take_key(&transaction, tenant).await?;
        let sealed = seal(
            &key.bytes,
            &credential_place(tenant, credential, key.version),
            secret.expose_secret().as_bytes(),
        )?;
        // Parameters instead of EXCLUDED: reading EXCLUDED asks for the right to read the ciphertext, which
        // the sealing processes do not have.
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.credentials (tenant_id, credential_id, kind, key_version, sealed)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (tenant_id, credential_id)
                 DO UPDATE SET kind = $3, key_version = $4, sealed = $5, sealed_at = clock_timestamp()",
            )
            .await?;
        transaction
            .execute(
                &insert,
                &[&tenant.uuid(), &credential.uuid(), &kind, &key.version, &sealed],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Keeps `secret` under `credential`, unless something is there already.
    pub(crate) async fn seal_new(
        &self,
        tenant: TenantId,
        credential: CredentialId,
        kind: &str,
        secret: &SecretString,
    ) -> Result<(), VaultError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let key = self.take_key(&transaction, tenant).await?;
        let place = credential_place(tenant, credential, key.version);
        let sealed = seal(&key.bytes, &place, secret.expose_secret().as_bytes())?;
        let insert = transaction
            .prepare_cached(
                "INSERT INTO core.credentials (tenant_id, credential_id, kind, key_version, sealed)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, credential_id) DO NOTHING",
            )
            .await?;
        transaction
            .execute(
                &insert,
                &[&tenant.uuid(), &credential.uuid(), &kind, &key.version, &sealed],
            )
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The secret under `credential`.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Seal`] when the ciphertext was moved or changed; the errors of
    /// [`Vault::seal`].
    pub async fn open(&self, tenant: TenantId, credential: CredentialId) -> Result<SecretString, VaultError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        // One statement, one moment: between two of them a rotation may destroy the key that the first one
        // saw.
        let select = transaction
            .prepare_cached(
                "SELECT c.key_version, c.sealed, k.master_version, k.wrapped
                   FROM core.credentials c
                   JOIN core.tenant_keys k ON k.tenant_id = c.tenant_id AND k.version = c.key_version
                  WHERE c.tenant_id = $1 AND c.credential_id = $2",
            )
            .await?;
        let row = transaction
            .query_opt(&select, &[&tenant.uuid(), &credential.uuid()])
            .await?
            .ok_or(VaultError::NotFound(credential))?;
        let version: i32 = row.try_get(0)?;
        let sealed: Vec<u8> = row.try_get(1)?;
        let key = unwrap(&self.masters, tenant, version, row.try_get(2)?, row.try_get(3)?)?;
        transaction.commit().await?;
        let plaintext = open(
            &key.bytes,
            &credential_place(tenant, credential, version),
            &sealed,
        )?;
        let text =
            std::str::from_utf8(&plaintext).map_err(|source| VaultError::NotText { credential, source })?;
        Ok(SecretString::from(text))
    }

    /// Forgets the secret under `credential`. That it is not there is no error: destroying is about the end
    /// state.
    ///
    /// # Errors
    /// [`VaultError::Database`].
    pub async fn destroy(&self, tenant: TenantId, credential: CredentialId) -> Result<(), VaultError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let delete = transaction
            .prepare_cached("DELETE FROM core.credentials WHERE tenant_id = $1 AND credential_id = $2")
            .await?;
        transaction
            .execute(&delete, &[&tenant.uuid(), &credential.uuid()])
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A keyed hash by which the tenant's own secrets can be told apart: `k<key version>:<32 hexadecimal
    /// digits>`. Without the tenant's data key it can neither be inverted nor compared with another tenant's.
    ///
    /// # Errors
    /// As for [`Vault::seal`]: the first use makes the tenant's key.
    pub async fn fingerprint(&self, tenant: TenantId, secret: &SecretString) -> Result<String, VaultError> {
        let mut session = self.pool.tenant(tenant).await?;
        let transaction = session.begin().await?;
        let key = self.newest_key(&transaction, tenant).await?;
        transaction.commit().await?;
        let derived = Zeroizing::new(keyed_hash(key.bytes.as_slice(), b"fingerprint v1"));
        let hash = keyed_hash(derived.as_slice(), secret.expose_secret().as_bytes());
        Ok(format!("k{}:{}", key.version, hex::encode(&hash[..16])))
    }

    /// The tenant's newest key for one more ciphertext, which is counted. The key's row stays locked until
    /// the end of the transaction, so a rotation cannot destroy the key before the ciphertext is there to be
    /// re-encrypted.
    async fn take_key(&self, transaction: &Transaction<'_>, tenant: TenantId) -> Result<DataKey, VaultError> {
        let take = transaction
            .prepare_cached(
                "UPDATE core.tenant_keys SET seals = seals + 1
                  WHERE tenant_id = $1
                    AND version = (SELECT max(version) FROM core.tenant_keys WHERE tenant_id = $1)
                 RETURNING version, master_version, wrapped",
            )
            .await?;
        for _round in 0..ROUNDS {
            let Some(row) = transaction.query_opt(&take, &[&tenant.uuid()]).await? else {
                // There is none yet, or the newest one was replaced and destroyed at this moment.
                self.newest_key(transaction, tenant).await?;
                continue;
            };
            let version: i32 = row.try_get(0)?;
            return unwrap(&self.masters, tenant, version, row.try_get(1)?, row.try_get(2)?);
        }
        Err(VaultError::Restless(tenant))
    }

    /// The tenant's newest key; made on the first use. Of several first users at once one key is kept and all
    /// of them read that one back.
    async fn newest_key(
        &self,
        transaction: &Transaction<'_>,
        tenant: TenantId,
    ) -> Result<DataKey, VaultError> {
        if let Some(key) = self.stored_key(transaction, tenant).await? {
            return Ok(key);
        }
        insert_key(transaction, &self.masters, tenant, FIRST_VERSION).await?;
        self.stored_key(transaction, tenant)
            .await?
            .ok_or(VaultError::Restless(tenant))
    }

    async fn stored_key(
        &self,
        transaction: &Transaction<'_>,
        tenant: TenantId,
    ) -> Result<Option<DataKey>, VaultError> {
        let select = transaction
            .prepare_cached(
                "SELECT version, master_version, wrapped FROM core.tenant_keys
                  WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1",
            )
            .await?;
        let Some(row) = transaction.query_opt(&select, &[&tenant.uuid()]).await? else {
            return Ok(None);
        };
        let version: i32 = row.try_get(0)?;
        unwrap(&self.masters, tenant, version, row.try_get(1)?, row.try_get(2)?).map(Some)
    }
}

/// Makes a data key and stores it wrapped. That the version is there already is no error.
pub(crate) async fn insert_key(
    transaction: &Transaction<'_>,
    masters: &MasterKeys,
    tenant: TenantId,
    version: i32,
) -> Result<(), VaultError> {
    let fresh = KeyBytes::random()?;
    let (master_version, wrapped) = wrap(masters, tenant, version, &fresh)?;
    let insert = transaction
        .prepare_cached(
            "INSERT INTO core.tenant_keys (tenant_id, version, master_version, wrapped)
             VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, version) DO NOTHING",
        )
        .await?;
    transaction
        .execute(&insert, &[&tenant.uuid(), &version, &master_version, &wrapped])
        .await?;
    Ok(())
}

/// A data key under the newest master key, and that one's version.
pub(crate) fn wrap(
    masters: &MasterKeys,
    tenant: TenantId,
    version: i32,
    key: &KeyBytes,
) -> Result<(i32, Vec<u8>), VaultError> {
    let (master_version, master) = masters.newest();
    let master = master.ok_or(VaultError::UnknownMasterKey {
        version: master_version,
    })?;
    let wrapped = seal(
        &master,
        &key_place(tenant, version, master_version),
        key.as_slice(),
    )?;
    Ok((master_version, wrapped))
}

/// A data key out of its row. Exactly the master key that the row names is tried, never another one: GCM does
/// not commit to its key.
pub(crate) fn unwrap(
    masters: &MasterKeys,
    tenant: TenantId,
    version: i32,
    master_version: i32,
    wrapped: &[u8],
) -> Result<DataKey, VaultError> {
    let master = masters
        .version(master_version)
        .ok_or(VaultError::UnknownMasterKey {
            version: master_version,
        })?;
    let unwrapped =
        open(&master, &key_place(tenant, version, master_version), wrapped).map_err(|source| {
            VaultError::WrongMasterKey {
                version: master_version,
                source,
            }
        })?;
    let bytes = KeyBytes::from_slice(&unwrapped).ok_or(VaultError::KeyLength { tenant, version })?;
    Ok(DataKey { version, bytes })
}

const FIRST_VERSION: i32 = 1;

pub(crate) const fn credential_place(
    tenant: TenantId,
    credential: CredentialId,
    key_version: i32,
) -> Place<'static> {
    Place {
        tenant,
        table: "credentials",
        column: "sealed",
        row: credential.uuid(),
        key_version,
    }
}

/// A wrapped key's row is its version; the version of the key it is encrypted under is the master key's.
const fn key_place(tenant: TenantId, version: i32, master_version: i32) -> Place<'static> {
    Place {
        tenant,
        table: "tenant_keys",
        column: "wrapped",
        row: Uuid::from_u128(version.unsigned_abs() as u128),
        key_version: master_version,
    }
}

fn keyed_hash(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        // HMAC takes keys of any length (RFC 2104, section 2), so this arm cannot be reached.
        Err(_length) => Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()),
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}
