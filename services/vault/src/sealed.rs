//! The one place that touches the cipher: AES-256-GCM, a fresh random nonce in front of every ciphertext. A
//! random 96-bit nonce is safe for 2^32 messages under one key (NIST SP 800-38D, 8.3); every one is counted
//! (`crate::rotation`).

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use zeroize::Zeroizing;

use crate::place::Place;

/// Length of every key, in bytes.
pub(crate) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system gave no randomness for a nonce or a key.
    #[error("the operating system gave no randomness")]
    NoRandomness(#[source] getrandom::Error),
    /// The ciphertext was changed, moved to another place, or made under another key. Which of them cannot be
    /// told, on purpose: the cipher says only that it does not fit.
    #[error("a ciphertext in {table}.{column} does not belong to its place or its key")]
    Refused {
        /// Table in which it stands.
        table: String,
        /// Column in which it stands.
        column: String,
    },
}

/// Key material that wipes itself.
#[derive(Clone)]
pub(crate) struct KeyBytes(Zeroizing<[u8; KEY_BYTES]>);

impl KeyBytes {
    pub(crate) fn random() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(SealError::NoRandomness)?;
        Ok(Self(bytes))
    }

    /// `None` when the length is not [`KEY_BYTES`].
    pub(crate) fn from_slice(slice: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
        if slice.len() != KEY_BYTES {
            return None;
        }
        bytes.copy_from_slice(slice);
        Some(Self(bytes))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(*self.0))
    }
}

/// `nonce || ciphertext || tag`, bound to `place`.
pub(crate) fn seal(key: &KeyBytes, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0_u8; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(SealError::NoRandomness)?;
    let payload = Payload {
        msg: plaintext,
        aad: &place.associated_data(),
    };
    let ciphertext = key
        .cipher()
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|aes_gcm::Error| refused(place))?;
    let mut sealed = nonce.to_vec();
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// The plaintext of what [`seal`] made under the same key for the same place.
pub(crate) fn open(
    key: &KeyBytes,
    place: &Place<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let Some((nonce, ciphertext)) = sealed.split_first_chunk::<NONCE_BYTES>() else {
        return Err(refused(place));
    };
    let payload = Payload {
        msg: ciphertext,
        aad: &place.associated_data(),
    };
    key.cipher()
        .decrypt(&Nonce::from(*nonce), payload)
        .map(Zeroizing::new)
        .map_err(|aes_gcm::Error| refused(place))
}

fn refused(place: &Place<'_>) -> SealError {
    SealError::Refused {
        table: place.table.to_owned(),
        column: place.column.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use events::ids::TenantId;
    use proptest::prelude::{any, proptest};
    use uuid::Uuid;

    use super::{KeyBytes, open, seal};
    use crate::place::Place;

    fn place(tenant: u128, row: u128) -> Place<'static> {
        Place {
            tenant: TenantId(Uuid::from_u128(tenant)),
            table: "credentials",
            column: "sealed",
            row: Uuid::from_u128(row),
            key_version: 1,
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_at_its_place_and_only_there(
            secret in any::<Vec<u8>>(), tenant in 1_u128.., row in 1_u128..,
        ) {
            let key = KeyBytes::random().unwrap();
            let here = place(tenant, row);
            let sealed = seal(&key, &here, &secret).unwrap();
            assert_eq!(open(&key, &here, &sealed).unwrap().as_slice(), secret);
            let elsewhere = [
                Place { tenant: TenantId(Uuid::nil()), ..here },
                Place { row: Uuid::nil(), ..here },
                Place { table: "other", ..here },
                Place { column: "other", ..here },
                Place { key_version: 2, ..here },
            ];
            for other in elsewhere {
                assert!(open(&key, &other, &sealed).is_err(), "opened at {other:?}");
            }
            assert!(open(&KeyBytes::random().unwrap(), &here, &sealed).is_err(), "another key opened it");
        }

        #[test]
        fn a_changed_byte_anywhere_is_refused(secret in any::<Vec<u8>>(), at in any::<usize>()) {
            let key = KeyBytes::random().unwrap();
            let here = place(1, 2);
            let mut sealed = seal(&key, &here, &secret).unwrap();
            let at = at % sealed.len();
            sealed[at] ^= 1;
            assert!(open(&key, &here, &sealed).is_err());
        }
    }

    #[test]
    fn the_same_secret_never_looks_the_same_twice() {
        let key = KeyBytes::random().unwrap();
        assert_ne!(
            seal(&key, &place(1, 2), b"x").unwrap(),
            seal(&key, &place(1, 2), b"x").unwrap()
        );
    }

    /// Whether a type has a trait: an inherent constant is found before a trait's.
    macro_rules! has {
        ($type:ty: $bound:path) => {{
            trait Without {
                const HAS: bool = false;
            }
            impl<T> Without for T {}
            struct Probe<T>(std::marker::PhantomData<T>);
            impl<T: $bound> Probe<T> {
                const HAS: bool = true;
            }
            // Numbers have every trait that is asked for here, and this has none: the probe tells them apart.
            struct Bare;
            <Probe<u8>>::HAS && !<Probe<Bare>>::HAS && <Probe<$type>>::HAS
        }};
    }

    #[test]
    fn what_holds_a_key_or_a_secret_cannot_be_printed_or_serialised() {
        macro_rules! closed {
            ($($type:ty),*) => {$(
                assert!(!has!($type: std::fmt::Debug), "{} has Debug", stringify!($type));
                assert!(!has!($type: std::fmt::Display), "{} has Display", stringify!($type));
                assert!(!has!($type: serde::Serialize), "{} has Serialize", stringify!($type));
            )*};
        }
        closed!(KeyBytes, crate::MasterKeys, crate::Vault, crate::Keeper);
        // Prints `[REDACTED]`, and is serialised nowhere.
        assert!(!has!(secrecy::SecretString: serde::Serialize));
    }
}
