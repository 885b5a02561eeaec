//! Proof that a delivery comes from Stripe: the header `Stripe-Signature` against the raw bytes of the body.
//! The body is JSON, but it must not be read and written again before this: the bytes are what was signed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Bytes of a signature of version 1, HMAC-SHA256.
const SIGNATURE: usize = 32;
/// Most digits of a time in seconds.
const DIGITS: usize = 12;

/// Why a delivery is not believed. Holds neither a secret nor a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No secret is set, or one is empty.
    #[error("no webhook secret is set, or an empty one")]
    NoSecret,
    /// The header is absent or empty.
    #[error("the header Stripe-Signature is missing or empty")]
    Empty,
    /// The header has no time (`t=`).
    #[error("the header Stripe-Signature has no time (t=)")]
    NoTime,
    /// The header has more than one time, so it is not known which one was signed.
    #[error("the header Stripe-Signature has more than one time (t=)")]
    SeveralTimes,
    /// The time is no number of seconds.
    #[error("the time (t=) in the header Stripe-Signature is no number of seconds")]
    InvalidTime,
    /// The header has no signature of version 1 (`v1=`). Other versions do not count.
    #[error("the header Stripe-Signature has no signature of version 1 (v1=)")]
    NoSignature,
    /// No signature of version 1 is 64 lower-case hexadecimal digits.
    #[error("the signature (v1=) in the header Stripe-Signature is not 64 lower-case hexadecimal digits")]
    InvalidSignature,
    /// No signature fits the body and one of the secrets.
    #[error("the signature does not fit the body and the webhook secret")]
    Mismatch,
    /// Signed too long ago: perhaps a recorded delivery that is sent again.
    #[error("the delivery was signed {seconds} s ago, at most {tolerance} s are allowed")]
    TooOld {
        /// Seconds since it was signed.
        seconds: u64,
        /// Seconds that are allowed.
        tolerance: u64,
    },
    /// Signed in the future: a clock is wrong.
    #[error("the delivery was signed {seconds} s in the future, at most {tolerance} s are allowed")]
    TooNew {
        /// Seconds until then.
        seconds: u64,
        /// Seconds that are allowed.
        tolerance: u64,
    },
}

/// Checks a delivery and answers when it was signed.
///
/// `header` is the value of `Stripe-Signature` (empty if there is none), `body` the bytes as they came. Any
/// of the `secrets` may have signed (two do while one is being replaced), with any of the signatures `v1`;
/// other versions are passed over. The time may differ from `now` by `tolerance`, in either direction, the
/// bound included. Secrets count whole, with their prefix `whsec_`. The comparison takes the same time
/// whichever byte differs.
///
/// # Errors
/// [`SignatureError`]. Whether the signature fits is looked at before the time, so that `TooOld` and `TooNew`
/// are about deliveries that Stripe did sign.
pub fn verify(
    header: &str,
    body: &[u8],
    secrets: &[SecretString],
    now: DateTime<Utc>,
    tolerance: Duration,
) -> Result<DateTime<Utc>, SignatureError> {
    if secrets.is_empty() || secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
        return Err(SignatureError::NoSecret);
    }
    let signed = Signed::parse(header)?;
    let at = signed.at()?;
    if !secrets.iter().any(|secret| signed.fits(body, secret)) {
        return Err(SignatureError::Mismatch);
    }
    let (age, tolerance) = ((now - at).num_seconds(), tolerance.as_secs());
    let seconds = age.unsigned_abs();
    if seconds <= tolerance {
        Ok(at)
    } else if age > 0 {
        Err(SignatureError::TooOld { seconds, tolerance })
    } else {
        Err(SignatureError::TooNew { seconds, tolerance })
    }
}

/// What the header says.
struct Signed<'a> {
    /// The time as it is written, since that is what was signed.
    time: &'a str,
    signatures: Vec<[u8; SIGNATURE]>,
}

impl<'a> Signed<'a> {
    fn parse(header: &'a str) -> Result<Self, SignatureError> {
        if header.trim().is_empty() {
            return Err(SignatureError::Empty);
        }
        let (mut time, mut signatures, mut malformed) = (None, Vec::new(), false);
        for (scheme, value) in header.split(',').filter_map(|part| part.split_once('=')) {
            match scheme {
                "t" if time.is_some() => return Err(SignatureError::SeveralTimes),
                "t" => time = Some(value),
                "v1" => match signature(value) {
                    Some(signature) => signatures.push(signature),
                    None => malformed = true,
                },
                _ => {}
            }
        }
        let time = time.ok_or(SignatureError::NoTime)?;
        match (signatures.is_empty(), malformed) {
            (true, true) => Err(SignatureError::InvalidSignature),
            (true, false) => Err(SignatureError::NoSignature),
            (false, _) => Ok(Self { time, signatures }),
        }
    }

    fn at(&self) -> Result<DateTime<Utc>, SignatureError> {
        let digits =
            (1..=DIGITS).contains(&self.time.len()) && self.time.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = if digits { self.time.parse().ok() } else { None };
        seconds
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .ok_or(SignatureError::InvalidTime)
    }

    fn fits(&self, body: &[u8], secret: &SecretString) -> bool {
        // HMAC takes keys of every length, so there is always an answer.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
            return false;
        };
        for part in [self.time.as_bytes(), b".", body] {
            mac.update(part);
        }
        let expected = mac.finalize().into_bytes();
        let fits = |signature: &[u8; SIGNATURE]| bool::from(expected.as_slice().ct_eq(signature));
        self.signatures.iter().any(fits)
    }
}

fn signature(text: &str) -> Option<[u8; SIGNATURE]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; SIGNATURE];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}
