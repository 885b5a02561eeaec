//! A key for much data at once: raw answers of marketplaces and results that are held back. It lies in the
//! vault as a secret like any other, so it is rotated, verified and destroyed with the tenant's credentials,
//! and what lies under it need not be touched by any of that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::ids::{CredentialId, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::place::Place;
use crate::sealed::{KeyBytes, SealError, open, seal};
use crate::store::{Vault, VaultError};

/// Kind of the secret; the database lets the worker make no other.
const KIND: &str = "payload_key";

/// Seals and opens the parts of one tenant's bulky data.
#[derive(Clone)]
pub struct PayloadKey {
    tenant: TenantId,
    bytes: KeyBytes,
}

impl Vault {
    /// The tenant's key for bulky data; made on the first use. Of several first users at once one key is kept
    /// and all of them read that one back.
    ///
    /// # Errors
    /// As for [`Vault::open`] and [`Vault::seal`].
    pub async fn payload_key(&self, tenant: TenantId) -> Result<PayloadKey, VaultError> {
        match self.stored_payload_key(tenant).await {
            Err(VaultError::NotFound(credential)) => {
                let fresh = KeyBytes::random()?;
                let text = SecretString::from(STANDARD.encode(fresh.as_slice()));
                self.seal_new(tenant, credential, KIND, &text).await?;
                self.stored_payload_key(tenant).await
            }
            found => found,
        }
    }

    /// The tenant's key for bulky data, where there is one.
    ///
    /// # Errors
    /// As for [`Vault::open`].
    pub async fn stored_payload_key(&self, tenant: TenantId) -> Result<PayloadKey, VaultError> {
        let credential = CredentialId(Uuid::new_v5(&tenant.uuid(), KIND.as_bytes()));
        let text = self.open(tenant, credential).await?;
        let decoded = Zeroizing::new(STANDARD.decode(text.expose_secret()).unwrap_or_default());
        let bytes = KeyBytes::from_slice(&decoded).ok_or(VaultError::KeyLength { tenant, version: 1 })?;
        Ok(PayloadKey { tenant, bytes })
    }
}

impl PayloadKey {
    /// Seals one part of what stands in `row` of `table`.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn seal(
        &self,
        table: &'static str,
        row: Uuid,
        part: i32,
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        seal(&self.bytes, &self.place(table, row, part), plain)
    }

    /// The part as it was sealed.
    ///
    /// # Errors
    /// [`SealError::Refused`] when it was changed or stood elsewhere.
    pub fn open(
        &self,
        table: &'static str,
        row: Uuid,
        part: i32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(&self.bytes, &self.place(table, row, part), sealed)
    }

    /// Parts are told apart by rows derived from theirs: exchanged ones do not open.
    fn place(&self, table: &'static str, row: Uuid, part: i32) -> Place<'static> {
        Place {
            tenant: self.tenant,
            table,
            column: "sealed",
            row: Uuid::new_v5(&row, &part.to_be_bytes()),
            key_version: 1,
        }
    }
}
