//! Which deliveries are believed. The signatures were made with another implementation of HMAC.

use std::time::Duration;

use chrono::DateTime;
use connectors::stripe::{SignatureError, verify};
use secrecy::SecretString;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    secrets: Vec<String>,
    now: i64,
    header: String,
    body: String,
    /// The variant of the error; none where it is believed.
    refused: Option<String>,
}

const CASES: &str = include_str!("../data/stripe/signatures.json");

fn cases() -> Vec<Case> {
    serde_json::from_str(CASES).unwrap()
}

fn verified(case: &Case, body: &[u8]) -> Result<i64, SignatureError> {
    let secrets: Vec<SecretString> = case.secrets.iter().map(|secret| secret.as_str().into()).collect();
    let now = DateTime::from_timestamp(case.now, 0).unwrap();
    let signed = verify(&case.header, body, &secrets, now, Duration::from_secs(300))?;
    Ok(signed.timestamp())
}

#[test]
fn a_delivery_is_believed_or_refused_by_name() {
    for case in cases() {
        let verdict = verified(&case, case.body.as_bytes());
        match &case.refused {
            None => assert_eq!(verdict, Ok(1_796_083_200), "{}", case.name),
            Some(variant) => {
                let error = format!("{:?}", verdict.unwrap_err());
                assert!(error.starts_with(variant.as_str()), "{}: {error}", case.name);
            }
        }
    }
}

#[test]
fn every_byte_of_the_body_counts() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "signed_now")
        .unwrap();
    let body = case.body.as_bytes();
    for place in 0..body.len() {
        let mut changed = body.to_vec();
        changed[place] ^= 1;
        assert_eq!(
            verified(&case, &changed),
            Err(SignatureError::Mismatch),
            "byte {place}"
        );
    }
    assert_eq!(
        verified(&case, &body[..body.len() - 1]),
        Err(SignatureError::Mismatch)
    );
    assert_eq!(
        verified(&case, &[body, b"\n"].concat()),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn no_refusal_shows_a_secret_or_a_signature() {
    for case in cases() {
        if let Err(error) = verified(&case, case.body.as_bytes()) {
            let text = format!("{error} {error:?}");
            assert!(!text.contains("whsec_"), "{text}");
            for part in case.header.split(['=', ',']).filter(|part| part.len() > 20) {
                assert!(!text.contains(part), "{text}");
            }
        }
    }
}

#[test]
fn how_far_the_time_is_off_is_said() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "301_seconds_old")
        .unwrap();
    let error = verified(&case, case.body.as_bytes()).unwrap_err();
    assert_eq!(
        error,
        SignatureError::TooOld {
            seconds: 301,
            tolerance: 300
        }
    );
    assert_eq!(
        error.to_string(),
        "the delivery was signed 301 s ago, at most 300 s are allowed"
    );
}
