//! The keys that everything secret hangs on.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};

use super::source::{Problem, Source, malformed};

/// Settings of the vault's and of the access tokens' keys.
#[derive(Debug, Clone)]
pub struct SecretKeySettings {
    /// `ST_MASTER_KEY`: `v1:<base64 of 32 bytes>`, several separated by commas; checked for its form.
    pub master_keys: Option<SecretString>,
    /// The file they came from, if they came from one; it is read again when a key is replaced.
    pub master_keys_file: Option<PathBuf>,
    /// `ST_JWT_KEY`: Ed25519 private keys, PEM, one after the other; the first one signs.
    pub jwt_key: Option<SecretString>,
}

impl SecretKeySettings {
    /// The master keys, for roles that open or seal secrets.
    ///
    /// # Errors
    /// [`Problem::Missing`] naming the key.
    pub fn required_master_keys(&self) -> Result<&SecretString, Problem> {
        self.master_keys.as_ref().ok_or(Problem::Missing {
            key: "ST_MASTER_KEY",
            purpose: "opening credentials",
        })
    }

    /// The keys of access tokens, for roles that sign or check them.
    ///
    /// # Errors
    /// [`Problem::Missing`] naming the key.
    pub fn required_jwt_key(&self) -> Result<&SecretString, Problem> {
        self.jwt_key.as_ref().ok_or(Problem::Missing {
            key: "ST_JWT_KEY",
            purpose: "access tokens",
        })
    }
}

pub(super) fn read(source: &Source) -> Result<SecretKeySettings, Problem> {
    let master_keys = source.secret("ST_MASTER_KEY")?;
    let jwt_key = source.secret("ST_JWT_KEY")?;
    if let Some(ring) = &master_keys
        && !is_key_ring(ring.expose_secret())
    {
        let expected = "v1:<base64 of 32 bytes>, several versions separated by commas";
        return Err(malformed("ST_MASTER_KEY", expected, ""));
    }
    if let Some(key) = &jwt_key
        && !key
            .expose_secret()
            .trim_start()
            .starts_with("-----BEGIN PRIVATE KEY-----")
    {
        return Err(malformed(
            "ST_JWT_KEY",
            "an Ed25519 private key in PEM (-----BEGIN PRIVATE KEY-----)",
            "",
        ));
    }
    Ok(SecretKeySettings {
        master_keys,
        master_keys_file: source.secret_file("ST_MASTER_KEY"),
        jwt_key,
    })
}

fn is_key_ring(ring: &str) -> bool {
    let mut versions = std::collections::BTreeSet::new();
    ring.split(',').map(str::trim).all(|entry| {
        let Some((version, encoded)) = entry.split_once(':') else {
            return false;
        };
        let number = version
            .strip_prefix('v')
            .and_then(|digits| digits.parse::<i32>().ok());
        number.is_some_and(|number| number >= 1 && versions.insert(number)) && is_32_bytes(encoded)
    })
}

fn is_32_bytes(encoded: &str) -> bool {
    let Ok(mut key) = STANDARD.decode(encoded) else {
        return false;
    };
    let fits = key.len() == 32;
    key.zeroize();
    fits
}
