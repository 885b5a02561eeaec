//! Access tokens: JWTs signed with Ed25519, valid for ten minutes, checked without a database. The checks
//! follow RFC 8725 and RFC 9068: one algorithm, an explicit type, issuer, audience and key id, and no key
//! that the token itself brings along.

use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use events::ids::{TenantId, UserId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::permission::{Role, role_name, role_named};

/// How long an access token is good for.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
const ISSUER: &str = "stock-tracker";
const AUDIENCE: &str = "stock-tracker-api";
/// RFC 9068, section 2.1.
const TYPE: &str = "at+jwt";

/// Why there are no access tokens.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The setting is no Ed25519 private key.
    #[error("the signing key is not an Ed25519 private key in PKCS#8 PEM")]
    Pem(#[source] ed25519_dalek::pkcs8::Error),
    /// The key cannot be used by the signer.
    #[error("the signing key is refused by the token signer")]
    Signer(#[source] jsonwebtoken::errors::Error),
    /// The operating system gave no randomness for a new key.
    #[error("the operating system gave no randomness")]
    NoRandomness(#[source] getrandom::Error),
}

/// Why a token is not accepted. What is wrong with it is for our log; the caller learns only that it is.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a token, forged, or made for something else.
    #[error("the access token is not ours")]
    Refused(#[source] jsonwebtoken::errors::Error),
    /// A header that this program never writes.
    #[error("the access token's header is not ours: {0}")]
    Header(&'static str),
    /// It was good once.
    #[error("the access token ended at {0}")]
    Expired(DateTime<Utc>),
    /// A claim holds what this program never writes.
    #[error("the access token's claim {0} is not ours")]
    Claim(&'static str),
}

/// Who is calling, as the token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The login.
    pub user_id: UserId,
    /// The tenant; the only source of the tenant in a request.
    pub tenant_id: TenantId,
    /// What it may do.
    pub role: Role,
    /// The session the token belongs to; the key's id for an API key.
    pub session_id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    tenant: TenantId,
    role: String,
    sid: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Signs and checks access tokens. Cheap to clone.
#[derive(Clone)]
pub struct AccessTokens {
    keys: Arc<Keys>,
}

/// The first key signs, every one verifies.
struct Keys {
    sign: EncodingKey,
    first: Key,
    others: Vec<Key>,
}

struct Key {
    kid: String,
    verify: DecodingKey,
    seed: Zeroizing<[u8; 32]>,
}

/// How a PEM block ends.
const PEM_END: &str = "-----END PRIVATE KEY-----";

impl AccessTokens {
    /// Tokens under the keys of the settings: one or several Ed25519 private keys in PKCS#8 PEM, one block
    /// after the other. The first one signs, all of them verify, so that keys can be replaced without a token
    /// being refused: add the new key behind the old one everywhere, then put it in front, then take the old
    /// one away once its tokens have ended.
    ///
    /// # Errors
    /// [`KeyError::Pem`] when one of them is none.
    pub fn from_pem(pem: &SecretString) -> Result<Self, KeyError> {
        let mut blocks = pem
            .expose_secret()
            .split_inclusive(PEM_END)
            .map(str::trim)
            .filter(|block| !block.is_empty());
        let first = blocks.next().unwrap_or_default();
        let keys = Keys {
            first: Key::read(first)?,
            sign: EncodingKey::from_ed_pem(first.as_bytes()).map_err(KeyError::Signer)?,
            others: blocks.map(Key::read).collect::<Result<_, _>>()?,
        };
        Ok(Self { keys: Arc::new(keys) })
    }

    /// A fresh key in the form [`AccessTokens::from_pem`] reads, for a first start without settings.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate_pem() -> Result<SecretString, KeyError> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(KeyError::NoRandomness)?;
        let pem = SigningKey::from_bytes(&seed)
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(KeyError::Pem)?;
        Ok(SecretString::from(pem.as_str()))
    }

    /// A token for `principal`, good for [`LIFETIME`] from `now`.
    ///
    /// # Errors
    /// [`KeyError::Signer`]; not with a key that [`AccessTokens::from_pem`] took.
    pub fn issue(&self, principal: &Principal, now: DateTime<Utc>) -> Result<SecretString, KeyError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.keys.first.kid.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: principal.user_id,
            tenant: principal.tenant_id,
            role: role_name(principal.role).to_owned(),
            sid: principal.session_id,
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: (now + LIFETIME).timestamp(),
        };
        jsonwebtoken::encode(&header, &claims, &self.keys.sign)
            .map(SecretString::from)
            .map_err(KeyError::Signer)
    }

    /// Who the token speaks for at `now`.
    ///
    /// # Errors
    /// [`TokenError`]; every one of them means 401.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Principal, TokenError> {
        Ok(self.verify_until(token, now)?.0)
    }

    /// The same, and when the token ends.
    ///
    /// # Errors
    /// As [`AccessTokens::verify`].
    pub fn verify_until(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<(Principal, DateTime<Utc>), TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(TokenError::Refused)?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Header("alg"));
        }
        if header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Header("typ"));
        }
        let key = self
            .keys
            .all()
            .find(|key| header.kid.as_deref() == Some(key.kid.as_str()))
            .ok_or(TokenError::Header("kid"))?;
        if header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some() {
            return Err(TokenError::Header("a key of its own"));
        }
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // The library would ask the system's clock; time is a parameter here.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.verify, &rules)
            .map_err(TokenError::Refused)?
            .claims;
        let ends = DateTime::from_timestamp(claims.exp, 0).ok_or(TokenError::Claim("exp"))?;
        if ends <= now {
            return Err(TokenError::Expired(ends));
        }
        if claims.nbf > (now + CLOCK_SKEW).timestamp() {
            return Err(TokenError::Claim("nbf"));
        }
        let principal = Principal {
            user_id: claims.sub,
            tenant_id: claims.tenant,
            role: role_named(&claims.role).ok_or(TokenError::Claim("role"))?,
            session_id: claims.sid,
        };
        Ok((principal, ends))
    }

    /// A key for another purpose of the same installation (cursors, request fingerprints), derived from the
    /// signing key, so that all replicas have it without one more setting.
    #[must_use]
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        self.keys.first.derived(purpose)
    }

    /// The same from every key, the signing one first: what was made under an older key is still recognised.
    #[must_use]
    pub fn derived_keys(&self, purpose: &str) -> Vec<[u8; 32]> {
        self.keys.all().map(|key| key.derived(purpose)).collect()
    }
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Key {
    fn read(pem: &str) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(KeyError::Pem)?;
        let public = key.verifying_key();
        Ok(Self {
            kid: hex::encode(&Sha256::digest(public.as_bytes())[..8]),
            verify: DecodingKey::from_ed_der(public.as_bytes()),
            seed: Zeroizing::new(key.to_bytes()),
        })
    }

    fn derived(&self, purpose: &str) -> [u8; 32] {
        keyed_hash(self.seed.as_slice(), purpose.as_bytes())
    }
}

/// How far apart the clocks of two replicas may be.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(30);

/// HMAC-SHA-256 of `message` under `key`.
#[must_use]
pub fn keyed_hash(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        // HMAC takes keys of any length (RFC 2104, section 2), so this arm cannot be reached.
        Err(_length) => Hmac::<Sha256>::new(&hmac::digest::Key::<Hmac<Sha256>>::default()),
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
