//! Secrets and signatures of Standard Webhooks 1.0.
//!
//! The signing itself is that of the crate `standardwebhooks`. It takes any base64 for a secret, and so do
//! the libraries of receivers, each in its own way: what is not 24 or 48 bytes in the standard alphabet, or
//! signatures with more than one blank between them, are read in three ways. So secrets and headers are made
//! and checked here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

/// Before the base64 of every secret.
const PREFIX: &str = "whsec_";
/// Lengths of a secret in bytes. Both are multiples of three, so that their base64 ends without padding,
/// about which libraries disagree.
const LENGTHS: [usize; 2] = [24, 48];
/// Longest id of a message, in bytes.
const LONGEST_ID: usize = 256;
/// Most secrets that sign one message: the old and the new one while a receiver changes over.
const MOST_SECRETS: usize = 2;

/// A text or bytes that are no secret. Shows nothing of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The text does not begin with `whsec_`.
    #[error("a webhook secret begins with {PREFIX}")]
    Prefix,
    /// What follows is no standard base64.
    #[error("a webhook secret is standard base64 after {PREFIX}")]
    Base64,
    /// Too long or too short.
    #[error("a webhook secret has 24 or 48 bytes, not {length}")]
    Length {
        /// Length in bytes.
        length: usize,
    },
}

/// The secret of an endpoint, shared with its receiver. Never printed.
#[derive(Clone)]
pub struct Secret(SecretString);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Secret {
    /// A secret of 24 or 48 random bytes.
    ///
    /// # Errors
    /// [`SecretError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if !LENGTHS.contains(&bytes.len()) {
            return Err(SecretError::Length { length: bytes.len() });
        }
        Ok(Self(format!("{PREFIX}{}", STANDARD.encode(bytes)).into()))
    }

    /// A secret as it is stored and shown: `whsec_` and standard base64.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let bytes = STANDARD.decode(encoded).ok().ok_or(SecretError::Base64)?;
        Self::from_bytes(&bytes)
    }

    /// The text to show its owner once, and to store sealed.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A message that cannot be signed: something is wrong with our own code or tables.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// No secret, or more than two.
    #[error("a message is signed with one or two secrets, not {count}")]
    Secrets {
        /// How many there are.
        count: usize,
    },
    /// The id is empty, too long, or has characters with a meaning of their own in the signed text.
    #[error("`id` of a message is 1 to {LONGEST_ID} letters, digits, _ or -")]
    Id,
    /// The body is no text.
    #[error("`body` of a message is no UTF-8")]
    Body,
    /// The signing library refused.
    #[error("the message cannot be signed")]
    Library(#[source] standardwebhooks::WebhookError),
}

/// The three headers of a message: `webhook-id`, `webhook-timestamp` in whole seconds since 1970, and
/// `webhook-signature` with one signature per secret, in their order, joined by exactly one blank.
///
/// # Errors
/// [`SignError`].
pub fn headers(
    id: &str,
    at: DateTime<Utc>,
    body: &[u8],
    secrets: &[Secret],
) -> Result<[(HeaderName, HeaderValue); 3], SignError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=LONGEST_ID).contains(&id.len()) || !id.bytes().all(allowed) {
        return Err(SignError::Id);
    }
    if !(1..=MOST_SECRETS).contains(&secrets.len()) {
        let count = secrets.len();
        return Err(SignError::Secrets { count });
    }
    if std::str::from_utf8(body).is_err() {
        return Err(SignError::Body);
    }
    let seconds = at.timestamp();
    let mut signatures = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let signer = Webhook::new(secret.expose()).map_err(SignError::Library)?;
        signatures.push(signer.sign(id, seconds, body).map_err(SignError::Library)?);
    }
    // An id of these characters and base64 are values of headers.
    let value = |text: &str| HeaderValue::from_str(text).ok().ok_or(SignError::Id);
    Ok([
        (HeaderName::from_static(HEADER_WEBHOOK_ID), value(id)?),
        (
            HeaderName::from_static(HEADER_WEBHOOK_TIMESTAMP),
            HeaderValue::from(seconds),
        ),
        (
            HeaderName::from_static(HEADER_WEBHOOK_SIGNATURE),
            value(&signatures.join(" "))?,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{Secret, SecretError, SignError, headers};

    /// The example of the standard's own libraries.
    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn values(secrets: &[Secret]) -> [String; 3] {
        let at = DateTime::from_timestamp(1_649_367_553, 0).unwrap();
        headers(ID, at, BODY, secrets)
            .unwrap()
            .map(|(_, value)| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = Secret::parse(SECRET).unwrap();
        assert_eq!(secret.expose(), SECRET);
        assert_eq!(values(&[secret]), [ID, "1649367553", SIGNATURE]);
    }

    #[test]
    fn two_secrets_make_two_signatures_with_one_blank_between_them() {
        let old = Secret::parse(SECRET).unwrap();
        let new = Secret::from_bytes(&[7; 48]).unwrap();
        let [_, _, both] = values(&[new.clone(), old]);
        let [_, _, alone] = values(&[new]);
        assert_eq!(both, format!("{alone} {SIGNATURE}"));
    }

    #[test]
    fn a_secret_of_another_length_or_alphabet_is_refused_without_showing_it() {
        for (text, error) in [
            ("", SecretError::Prefix),
            ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Prefix),
            ("WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Prefix),
            ("whsec_", SecretError::Length { length: 0 }),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7o=",
                SecretError::Length { length: 23 },
            ),
            ("whsec_C2FVsBQIhrscChlQIMV-b5sSYspob7oD", SecretError::Base64),
            (" whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Prefix),
            ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n", SecretError::Base64),
        ] {
            let refused = Secret::parse(text).unwrap_err();
            assert_eq!(refused, error, "{text:?}");
            assert!(!refused.to_string().contains("C2FV"), "{refused}");
        }
        for length in [0, 16, 23, 25, 32, 47, 49, 64] {
            assert_eq!(
                Secret::from_bytes(&vec![1; length]).unwrap_err(),
                SecretError::Length { length }
            );
        }
        assert_eq!(
            format!("{:?}", Secret::parse(SECRET).unwrap()),
            "Secret(redacted)"
        );
    }

    #[test]
    fn what_cannot_be_signed_is_named() {
        let at = DateTime::from_timestamp(1_649_367_553, 0).unwrap();
        let secret = Secret::parse(SECRET).unwrap();
        let one = [secret.clone()];
        let three = [secret.clone(), secret.clone(), secret];
        for id in ["", "a.b", "a b", "a\nb", "ä", &"x".repeat(257)] {
            assert!(
                matches!(headers(id, at, BODY, &one), Err(SignError::Id)),
                "{id:?}"
            );
        }
        for secrets in [&[][..], &three[..]] {
            assert!(matches!(
                headers(ID, at, BODY, secrets),
                Err(SignError::Secrets { .. })
            ));
        }
        assert!(matches!(headers(ID, at, &[0xff], &one), Err(SignError::Body)));
    }
}
