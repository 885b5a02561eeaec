//! From an answer that is no success to a failure. The vendor's statuses alone do not tell what is wrong (a
//! wrong key is a 404), so the few documented sentences about keys and blocks decide before the status does.
//!
//! Only the vendor's own words are a verdict: one of these sentences, or an error body with its code. Gates,
//! proxies and pages in between answer 401, 403 or a redirect to everyone now and then; that is trouble of
//! the way and is tried again.

use std::time::Duration;

use serde::Deserialize;

use crate::error::CallFailure;
use crate::http::{self, Reply};

/// Longest piece of the vendor's words that is kept.
const DETAIL: usize = 300;
/// `Circle is open` blocks a cabinet "for minutes"; the vendor names no time.
const OPEN_CIRCLE: Duration = Duration::from_secs(3 * 60);

/// Sentences that mean: this key opens nothing.
const NO_KEY: [&str; 4] = [
    "invalid api-key",
    "api-key is deactivated",
    "restricted to specific ip",
    "client-id header value should be",
];
/// Said of headers that are always sent: somebody on the way has taken them off.
const NO_HEADERS: &str = "client-id and api-key headers are required";
/// Sentences that mean: the key is good, but not for this.
const NO_RIGHT: [&str; 3] = [
    "missing a required role",
    "method is not allowed",
    "company is blocked",
];

/// True when the whole cabinet is blocked for a while, whichever method was called.
pub(super) fn is_open_circle(reply: &Reply) -> bool {
    !reply.is_success() && words(&reply.body).to_lowercase().contains("circle is open")
}

/// `secret` is cut out of the words, should the vendor ever repeat it; `interval` is the delay after a 429
/// that names none.
pub(super) fn failure(reply: &Reply, secret: &str, interval: Duration) -> CallFailure {
    let detail = detail(&reply.body, secret);
    let said = detail.to_lowercase();
    let says = |sentences: &[&str]| sentences.iter().any(|sentence| said.contains(sentence));
    let own = is_the_vendors(&reply.body);
    let unavailable = CallFailure::Unavailable { status: reply.status };
    match reply.status {
        _ if is_open_circle(reply) => CallFailure::RateLimited {
            retry_after: told_delay(reply).unwrap_or(OPEN_CIRCLE),
            told: told_delay(reply).is_some(),
        },
        429 => CallFailure::RateLimited {
            retry_after: told_delay(reply).unwrap_or(interval),
            told: told_delay(reply).is_some(),
        },
        400..500 if says(&NO_KEY) => CallFailure::Unauthorized { detail },
        400..500 if says(&NO_RIGHT) => CallFailure::Forbidden { detail },
        401 if own && !says(&[NO_HEADERS]) => CallFailure::Unauthorized { detail },
        402 if own => CallFailure::PaymentRequired { detail },
        403 if own => CallFailure::Forbidden { detail },
        // A path that is not there has no error body.
        404 if own || said.contains("not found") => CallFailure::NotFound { detail },
        401 | 402 | 403 | 404 | 408 | 425 | 498 | 499 | 300..400 | 500.. => unavailable,
        400..500 if is_page(&reply.body) => unavailable,
        status => CallFailure::Rejected { status, detail },
    }
}

/// Whether a body is an error of the vendor's own: those carry a code of gRPC, which ends at 16.
fn is_the_vendors(body: &[u8]) -> bool {
    let code = serde_json::from_slice::<Body>(body)
        .ok()
        .and_then(|body| body.code);
    code.is_some_and(|code| (1..=16).contains(&code))
}

/// Whether a body is a page for people, which the vendor's API never sends.
fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// `Retry-After`, sent with a 429 since 2026-09-25.
fn told_delay(reply: &Reply) -> Option<Duration> {
    // A day is more than any documented period; a larger number would stop a cabinet for ever.
    http::retry_after(&reply.headers, Duration::from_secs(86_400))
}

#[derive(Deserialize)]
struct Body {
    code: Option<i64>,
    #[serde(default)]
    message: String,
}

/// The vendor's words: `message`, or a plain text.
fn words(body: &[u8]) -> String {
    match serde_json::from_slice::<Body>(body) {
        Ok(body) => body.message,
        Err(_) => match std::str::from_utf8(body).map(str::trim) {
            Ok(text) if !text.starts_with(['<', '{', '[']) => text.to_owned(),
            _ => String::new(),
        },
    }
}

fn detail(body: &[u8], secret: &str) -> String {
    let text = words(body);
    let text = if secret.is_empty() {
        text
    } else {
        text.replace(secret, "…")
    };
    match text.trim() {
        "" => "no reason given".to_owned(),
        text => text.chars().take(DETAIL).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{OPEN_CIRCLE, failure};
    use crate::error::CallFailure;
    use crate::http::Reply;
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
    use std::time::Duration;

    fn reply(status: u16, body: &'static str) -> Reply {
        Reply {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    fn of(status: u16, body: &'static str) -> CallFailure {
        failure(&reply(status, body), "secret", Duration::from_secs(1))
    }

    #[test]
    fn a_wrong_key_is_a_404_that_is_no_missing_method() {
        let wrong =
            r#"{"code":5,"message":"Invalid Api-Key, please check the key and try again","details":[]}"#;
        assert!(matches!(of(404, wrong), CallFailure::Unauthorized { .. }));
        assert!(matches!(
            of(404, "404 page not found"),
            CallFailure::NotFound { .. }
        ));
        assert!(matches!(
            of(404, r#"{"code":5,"message":"not found"}"#),
            CallFailure::NotFound { .. }
        ));
    }

    #[test]
    fn what_is_said_of_a_key_decides_before_the_status() {
        for said in [
            r#"{"code":7,"message":"Api-key is deactivated, use another one or generate a new one"}"#,
            r#"{"code":7,"message":"Api-Key is restricted to specific IP addresses"}"#,
            r#"{"code":3,"message":"Client-Id header value should be positive integer"}"#,
        ] {
            for status in [400, 403, 404] {
                assert!(
                    matches!(of(status, said), CallFailure::Unauthorized { .. }),
                    "{said}"
                );
            }
        }
        for said in [
            r#"{"code":7,"message":"Api-Key is missing a required role for a method"}"#,
            r#"{"code":7,"message":"Company is blocked, please contact support"}"#,
            r#"{"code":7,"message":"method is not allowed"}"#,
        ] {
            assert!(matches!(of(400, said), CallFailure::Forbidden { .. }), "{said}");
        }
    }

    #[test]
    fn a_429_keeps_the_told_delay_and_an_open_circle_rests_for_minutes() {
        let mut told = reply(
            429,
            r#"{"code":8,"message":"You have reached request rate limit"}"#,
        );
        told.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let failed = failure(&told, "", Duration::from_secs(1));
        assert!(
            matches!(failed, CallFailure::RateLimited { retry_after, told: true }
                if retry_after.as_secs() == 7)
        );
        for status in [403, 429, 503] {
            let circle = of(status, r#"{"code":8,"message":"Circle is open"}"#);
            assert!(
                matches!(circle, CallFailure::RateLimited { retry_after, told: false }
                    if retry_after == OPEN_CIRCLE)
            );
        }
    }

    #[test]
    fn the_rest_goes_by_the_status_and_never_repeats_the_key() {
        let own = r#"{"code":16,"message":"unauthenticated"}"#;
        assert!(matches!(of(401, own), CallFailure::Unauthorized { .. }));
        assert!(matches!(of(402, own), CallFailure::PaymentRequired { .. }));
        assert!(matches!(of(403, own), CallFailure::Forbidden { .. }));
        assert!(matches!(of(409, own), CallFailure::Rejected { status: 409, .. }));
        assert!(matches!(
            of(503, "<html>"),
            CallFailure::Unavailable { status: 503 }
        ));
        let echoed = of(400, r#"{"code":3,"message":"bad value secret","details":[]}"#);
        assert_eq!(echoed.to_string(), "the vendor refused with 400: bad value …");
    }

    #[test]
    fn what_a_gate_on_the_way_says_is_no_verdict_on_the_key() {
        for body in [
            "",
            "{}",
            "<html><h1>403 Forbidden</h1></html>",
            "Forbidden",
            r#"{"error":"blocked"}"#,
            r#"{"message":"Forbidden"}"#,
            r#"{"code":403,"message":"Forbidden"}"#,
            r#"{"code":16,"message":"Client-Id and Api-Key headers are required"}"#,
        ] {
            assert!(
                matches!(of(401, body), CallFailure::Unavailable { status: 401 }),
                "{body}"
            );
        }
        for (status, body) in [
            (302, ""),
            (307, "backend error"),
            (402, "<html>"),
            (403, "<html><h1>403 Forbidden</h1></html>"),
            (403, ""),
            (403, "{}"),
            (404, "<html>"),
            (418, "<html>"),
            (498, ""),
            (499, ""),
        ] {
            let failure = of(status, body);
            assert!(
                matches!(failure, CallFailure::Unavailable { .. }),
                "{status} {body}: {failure:?}"
            );
        }
    }
}
