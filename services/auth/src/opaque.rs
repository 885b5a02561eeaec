//! Opaque tokens: refresh tokens, API keys, one-time codes. Each is a prefix that says what it is, the
//! tenant's id, so that it can be looked up under row security, and 256 bits from the operating system, which
//! grant. What is stored is a hash: whoever reads the tables cannot come in with what is there. A plain hash
//! is enough, because nobody can try 2^256 values; and it is compared by an index, whose time tells nothing
//! about a value that hashes to something else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::ids::TenantId;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::access::keyed_hash;

/// Bytes of the tenant's id.
const TENANT_BYTES: usize = 16;
/// Bytes of randomness; ASVS 5.0, 11.5.1 asks for 16.
const RANDOM_BYTES: usize = 32;

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct NoRandomness(#[source] getrandom::Error);

/// Why a code or a key could not be handed out.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is nothing to make it of.
    #[error("no secret could be made")]
    NoRandomness(#[from] NoRandomness),
    /// The tables cannot be used.
    #[error("the secret's hash cannot be stored")]
    Store(#[from] crate::StoreError),
}

/// A new token and its hash.
pub(crate) fn make(prefix: &str, tenant: TenantId) -> Result<(SecretString, Vec<u8>), NoRandomness> {
    let mut bytes = Zeroizing::new([0_u8; TENANT_BYTES + RANDOM_BYTES]);
    let (front, random) = bytes.split_at_mut(TENANT_BYTES);
    front.copy_from_slice(tenant.uuid().as_bytes());
    getrandom::fill(random).map_err(NoRandomness)?;
    let hash = Sha256::digest(bytes.as_slice()).to_vec();
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    Ok((SecretString::from(format!("{prefix}{}", text.as_str())), hash))
}

/// What a token's successor is derived from beside the token itself.
pub(crate) fn salt() -> Result<Vec<u8>, NoRandomness> {
    let mut salt = vec![0_u8; RANDOM_BYTES];
    getrandom::fill(&mut salt).map_err(NoRandomness)?;
    Ok(salt)
}

/// The token that follows `token` under `salt`, and its hash: the same each time, and unknown to whoever has
/// only one of the two. None where `token` is no token.
pub(crate) fn successor(
    prefix: &str,
    tenant: TenantId,
    token: &SecretString,
    salt: &[u8],
) -> Option<(SecretString, Vec<u8>)> {
    let text = token.expose_secret().strip_prefix(prefix)?;
    let key = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    let granting = Zeroizing::new(keyed_hash(&key, &[b"successor v1\n", salt].concat()));
    let mut bytes = Zeroizing::new([0_u8; TENANT_BYTES + RANDOM_BYTES]);
    let (front, back) = bytes.split_at_mut(TENANT_BYTES);
    front.copy_from_slice(tenant.uuid().as_bytes());
    back.copy_from_slice(granting.as_slice());
    let hash = Sha256::digest(bytes.as_slice()).to_vec();
    let next = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    Some((SecretString::from(format!("{prefix}{}", next.as_str())), hash))
}

/// Whose token this would be, and the hash under which it would be known.
pub(crate) fn read(prefix: &str, token: &SecretString) -> Option<(TenantId, Vec<u8>)> {
    let text = token.expose_secret().strip_prefix(prefix)?;
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    if bytes.len() != TENANT_BYTES + RANDOM_BYTES {
        return None;
    }
    let tenant = Uuid::from_slice(bytes.get(..TENANT_BYTES)?).ok()?;
    Some((TenantId(tenant), Sha256::digest(bytes.as_slice()).to_vec()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use events::ids::TenantId;
    use secrecy::ExposeSecret as _;
    use uuid::Uuid;

    use super::{make, read, salt, successor};

    const TENANT: TenantId = TenantId(Uuid::from_u128(7));

    #[test]
    fn every_token_has_256_random_bits_of_its_own() {
        let mut seen = HashSet::new();
        let mut ever_set = [0_u8; 32];
        for _ in 0..200 {
            let (token, _) = make("stk_", TENANT).unwrap();
            let text = token.expose_secret().strip_prefix("stk_").unwrap();
            let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            assert_eq!(&bytes[..16], TENANT.uuid().as_bytes());
            let random: [u8; 32] = bytes[16..].try_into().unwrap();
            for (seen, byte) in ever_set.iter_mut().zip(random) {
                *seen |= byte;
            }
            assert!(seen.insert(random), "two tokens are the same");
        }
        assert_eq!(ever_set, [0xff; 32], "every bit changes");
    }

    #[test]
    fn a_token_is_read_under_its_own_prefix_only() {
        let (token, hash) = make("stk_", TENANT).unwrap();
        assert_eq!(read("stk_", &token), Some((TENANT, hash)));
        assert_eq!(read("sti_", &token), None);
        assert_eq!(read("stk_", &"stk_AAAA".into()), None);
        assert_eq!(read("stk_", &"".into()), None);
    }

    #[test]
    fn a_successor_follows_from_token_and_salt_together_and_from_neither_alone() {
        let (token, _) = make("", TENANT).unwrap();
        let (other, _) = make("", TENANT).unwrap();
        let (one, two) = (salt().unwrap(), salt().unwrap());
        let of = |token, salt: &[u8]| {
            let (next, hash) = successor("", TENANT, token, salt).unwrap();
            assert_eq!(read("", &next), Some((TENANT, hash)));
            next.expose_secret().to_owned()
        };
        assert_eq!(of(&token, &one), of(&token, &one));
        assert_ne!(of(&token, &one), of(&token, &two));
        assert_ne!(of(&token, &one), of(&other, &one));
    }
}
