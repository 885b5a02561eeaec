//! The keys that wrap all others. They come from the settings, never from the database, and are versioned, so
//! that a new one can take over while everything wrapped by the old one still opens. A ring that came out of
//! a file is read again when it may have changed, so that a new version needs no restart.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::sealed::{KeyBytes, SealError};

/// Why the setting is no key ring. Names the entry, never shows it.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// No entry at all.
    #[error("no master key is given; expected v1:<base64 of 32 bytes>")]
    Empty,
    /// An entry is not `v<number>:<base64>`.
    #[error("entry {entry} of the master keys is not v<number>:<base64 of 32 bytes>")]
    Form {
        /// Which entry, from 1.
        entry: usize,
    },
    /// The value of an entry is not base64.
    #[error("master key v{version} is not base64")]
    Base64 {
        /// Which version.
        version: i32,
        /// Where it stops being base64.
        #[source]
        source: base64::DecodeError,
    },
    /// The value has the wrong length.
    #[error("master key v{version} has {bytes} bytes; 32 are needed")]
    Length {
        /// Which version.
        version: i32,
        /// What it has.
        bytes: usize,
    },
    /// A version is given twice.
    #[error("master key v{version} is given twice")]
    Twice {
        /// Which version.
        version: i32,
    },
}

/// The ring of master keys. The newest version wraps, all of them unwrap. Clones share one ring.
#[derive(Clone)]
pub struct MasterKeys {
    ring: Arc<RwLock<Ring>>,
    file: Option<PathBuf>,
}

struct Ring {
    newest: i32,
    keys: BTreeMap<i32, KeyBytes>,
}

impl MasterKeys {
    /// Reads `v1:<base64>[,v2:<base64>…]`.
    ///
    /// # Errors
    /// [`MasterKeyError`] naming the entry or version that does not fit.
    pub fn parse(setting: &SecretString) -> Result<Self, MasterKeyError> {
        Ok(Self {
            ring: Arc::new(RwLock::new(Ring::parse(setting)?)),
            file: None,
        })
    }

    /// The same ring, read again from this file when a version is met that it lacks, and before a new data
    /// key is wrapped. A file that cannot be read or is no ring leaves what was there.
    #[must_use]
    pub fn kept_in(self, file: Option<PathBuf>) -> Self {
        Self { file, ..self }
    }

    /// A fresh ring with one random key, in the form [`MasterKeys::parse`] reads. For a first start without
    /// settings, which keeps it in its data folder.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn generate() -> Result<SecretString, SealError> {
        let key = KeyBytes::random()?;
        let encoded = Zeroizing::new(STANDARD.encode(key.as_slice()));
        Ok(SecretString::from(format!("v1:{}", encoded.as_str())))
    }

    /// The versions in the ring, the newest last.
    #[must_use]
    pub fn versions(&self) -> Vec<i32> {
        self.read(|ring| ring.keys.keys().copied().collect())
    }

    /// The version that wraps.
    #[must_use]
    pub fn newest_version(&self) -> i32 {
        self.read(|ring| ring.newest)
    }

    /// The key that wraps, as the settings have it at this moment.
    pub(crate) fn newest(&self) -> (i32, Option<KeyBytes>) {
        self.read_again();
        self.read(|ring| (ring.newest, ring.keys.get(&ring.newest).cloned()))
    }

    /// The key of a version.
    pub(crate) fn version(&self, version: i32) -> Option<KeyBytes> {
        let find = |ring: &Ring| ring.keys.get(&version).cloned();
        self.read(find).or_else(|| {
            self.read_again();
            self.read(find)
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Ring) -> T) -> T {
        look(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Some hundred bytes from a local disk, at moments that are rare: not worth a thread of its own.
    fn read_again(&self) {
        let Some(file) = &self.file else { return };
        let text = match std::fs::read_to_string(file) {
            Ok(text) => SecretString::from(text),
            Err(error) => {
                tracing::warn!(error = %error, "the file of the master keys cannot be read again");
                return;
            }
        };
        match Ring::parse(&text) {
            Ok(ring) => *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring,
            Err(error) => tracing::warn!(error = %error, "the file of the master keys is no key ring"),
        }
    }
}

impl Ring {
    fn parse(setting: &SecretString) -> Result<Self, MasterKeyError> {
        let mut keys = BTreeMap::new();
        let entries = setting
            .expose_secret()
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let (version, encoded) = entry
                .split_once(':')
                .and_then(|(name, encoded)| Some((name.strip_prefix('v')?.parse::<i32>().ok()?, encoded)))
                .filter(|(version, _)| *version >= 1)
                .ok_or(MasterKeyError::Form { entry: index + 1 })?;
            let bytes = Zeroizing::new(
                STANDARD
                    .decode(encoded)
                    .map_err(|source| MasterKeyError::Base64 { version, source })?,
            );
            let key = KeyBytes::from_slice(&bytes).ok_or(MasterKeyError::Length {
                version,
                bytes: bytes.len(),
            })?;
            if keys.insert(version, key).is_some() {
                return Err(MasterKeyError::Twice { version });
            }
        }
        let newest = *keys.keys().next_back().ok_or(MasterKeyError::Empty)?;
        Ok(Self { newest, keys })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret as _, SecretString};

    use super::{MasterKeyError, MasterKeys};

    fn parse(setting: &str) -> Result<MasterKeys, MasterKeyError> {
        MasterKeys::parse(&SecretString::from(setting))
    }

    fn key(of: u8) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode([of; 32])
    }

    #[test]
    fn the_highest_version_wraps_whatever_the_order() {
        let ring = parse(&format!("v2:{}, v1:{}", key(2), key(1))).ok().unwrap();
        assert_eq!(ring.newest().0, 2);
        assert!(ring.version(1).is_some() && ring.version(3).is_none());
    }

    #[test]
    fn a_generated_ring_can_be_read_back() {
        let text = MasterKeys::generate().unwrap();
        assert!(parse(text.expose_secret()).is_ok());
        assert_ne!(
            text.expose_secret(),
            MasterKeys::generate().unwrap().expose_secret()
        );
    }

    #[test]
    fn a_wrong_setting_names_the_entry_and_never_shows_the_key() {
        let cases = [
            (String::new(), "no master key"),
            (key(1), "entry 1"),
            (format!("v1:{},x:{}", key(1), key(2)), "entry 2"),
            (format!("v0:{}", key(1)), "entry 1"),
            ("v1:***".to_owned(), "v1 is not base64"),
            ("v3:AAAA".to_owned(), "v3 has 3 bytes"),
            (format!("v1:{},v1:{}", key(1), key(2)), "v1 is given twice"),
        ];
        for (setting, expected) in cases {
            let message = parse(&setting).err().unwrap().to_string();
            assert!(message.contains(expected), "{message} does not say {expected}");
            assert!(
                !message.contains(&key(1)) && !message.contains("***"),
                "{message} shows the key"
            );
        }
    }
}
