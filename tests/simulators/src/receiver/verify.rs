//! The check of a signature, written from the text of the standard and sharing no code with what signs.
//!
//! It is stricter than the official libraries: what one of them would read otherwise than another is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::server::Call;

/// What the check of a delivery found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Signed with one of the secrets.
    Valid,
    /// The endpoint has no secrets, so nothing was checked.
    Unchecked,
    /// A header is missing or empty.
    MissingHeader,
    /// The time is no whole number of seconds, or too far from the receiver's.
    BadTime,
    /// The list of signatures is not `v1,…` joined by one blank each, or a secret is none.
    Malformed,
    /// None of the secrets made any of the signatures.
    Mismatch,
}

impl Verdict {
    /// Whether the receiver takes such a delivery.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::Valid | Self::Unchecked)
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unchecked => "not checked",
            Self::MissingHeader => "a header is missing",
            Self::BadTime => "wrong time",
            Self::Malformed => "malformed",
            Self::Mismatch => "wrong signature",
        }
    }
}

/// Checks a delivery; `now` in seconds since 1970.
pub(super) fn verify(call: &Call, secrets: &[String], now: i64, tolerance: Option<u64>) -> Verdict {
    if secrets.is_empty() {
        return Verdict::Unchecked;
    }
    let header = |name| call.header(name).filter(|value| !value.is_empty());
    let (Some(id), Some(time), Some(list)) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    ) else {
        return Verdict::MissingHeader;
    };
    let digits = time.bytes().all(|byte| byte.is_ascii_digit());
    let Some(at) = time.parse::<i64>().ok().filter(|_| digits) else {
        return Verdict::BadTime;
    };
    if tolerance.is_some_and(|seconds| now.abs_diff(at) > seconds) {
        return Verdict::BadTime;
    }
    let signatures: Option<Vec<Vec<u8>>> = list.split(' ').map(signature).collect();
    let keys: Option<Vec<Vec<u8>>> = secrets.iter().map(|secret| key(secret)).collect();
    let (Some(signatures), Some(keys)) = (signatures, keys) else {
        return Verdict::Malformed;
    };
    let mut signed = format!("{id}.{time}.").into_bytes();
    signed.extend_from_slice(&call.body);
    let fits = |key: &Vec<u8>| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        signatures
            .iter()
            .any(|signature| hmac::verify(&key, &signed, signature).is_ok())
    };
    if keys.iter().any(fits) {
        Verdict::Valid
    } else {
        Verdict::Mismatch
    }
}

fn signature(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text.strip_prefix("v1,")?).ok()?;
    (bytes.len() == 32).then_some(bytes)
}

/// 24 to 64 bytes, as the standard wants it.
fn key(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Call, Verdict, verify};

    /// The example of the standard's own libraries.
    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const NOW: i64 = 1_649_367_553;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    const OTHER: &str = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=";

    fn with(time: &str, list: &str, body: &'static str, secrets: &[&str]) -> Verdict {
        let headers = [
            ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
            ("webhook-timestamp", time),
            ("webhook-signature", list),
        ];
        let call = Call {
            method: "POST".to_owned(),
            path: "/hook".to_owned(),
            query: Vec::new(),
            authorization: None,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        verify(&call, &secrets, NOW, Some(300))
    }

    const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;

    #[test]
    fn the_published_example_is_valid_alone_and_during_rotation() {
        let time = NOW.to_string();
        let both = format!("{OTHER} {SIGNATURE}");
        let new = "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
        assert_eq!(with(&time, SIGNATURE, BODY, &[SECRET]), Verdict::Valid);
        assert_eq!(with(&time, &both, BODY, &[SECRET]), Verdict::Valid);
        assert_eq!(with(&time, SIGNATURE, BODY, &[new, SECRET]), Verdict::Valid);
        assert_eq!(with(&time, SIGNATURE, BODY, &[new]), Verdict::Mismatch);
        assert_eq!(with(&time, OTHER, BODY, &[]), Verdict::Unchecked);
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let time = NOW.to_string();
        assert_eq!(with(&time, SIGNATURE, "{}", &[SECRET]), Verdict::Mismatch);
        let later = (NOW + 1).to_string();
        assert_eq!(with(&later, SIGNATURE, BODY, &[SECRET]), Verdict::Mismatch);
        for time in [
            (NOW - 301).to_string(),
            (NOW + 301).to_string(),
            "soon".to_owned(),
            "+5".to_owned(),
        ] {
            assert_eq!(
                with(&time, SIGNATURE, BODY, &[SECRET]),
                Verdict::BadTime,
                "{time}"
            );
        }
        for missing in [
            with("", SIGNATURE, BODY, &[SECRET]),
            with(&time, "", BODY, &[SECRET]),
        ] {
            assert_eq!(missing, Verdict::MissingHeader);
        }
    }

    #[test]
    fn what_libraries_read_in_different_ways_is_refused() {
        let time = NOW.to_string();
        for list in [
            format!("{OTHER}  {SIGNATURE}"),
            format!("{OTHER},{SIGNATURE}"),
            format!(" {SIGNATURE}"),
            SIGNATURE.replace('/', "_"),
            SIGNATURE.trim_end_matches('=').to_owned(),
        ] {
            assert_eq!(
                with(&time, &list, BODY, &[SECRET]),
                Verdict::Malformed,
                "{list:?}"
            );
        }
        for secret in [
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "whsec_C2FVsBQIhrscChlQIMV-b5sSYspob7oD",
            "whsec_C2FVsA==",
        ] {
            assert_eq!(
                with(&time, SIGNATURE, BODY, &[secret]),
                Verdict::Malformed,
                "{secret}"
            );
        }
    }
}
