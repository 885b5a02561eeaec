//! The header `Stripe-Signature`: HMAC-SHA256 over the time, a dot and the raw body, keyed with the whole
//! secret of the endpoint.

use ring::hmac;

/// Lower-case hex of the signature of a body at a time.
#[must_use]
pub fn sign(secret: &str, at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, format!("{at}.{body}").as_bytes()))
}

/// The header's value: one `v1` for every secret, and the `v0` that test events carry, which means nothing.
#[must_use]
pub fn header(secrets: &[String], at: i64, body: &str) -> String {
    let mut header = format!("t={at}");
    for secret in secrets {
        header.push_str(&format!(",v1={}", sign(secret, at, body)));
    }
    header.push_str(&format!(",v0={}", sign("v0", at, body)));
    header
}
