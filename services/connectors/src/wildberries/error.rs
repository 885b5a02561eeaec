//! From an answer that is no success to a failure. The vendor's gateway and the services behind it have six
//! different error bodies; the HTTP status decides, the words are for people. A status without the vendor's
//! own words, such as a page with 403, a redirect or 498, comes from a gate on the way: it is repeated, and
//! no verdict on a token or a method.

use std::time::Duration;

use serde_json::Value;

use crate::error::{CallFailure, is_vendors_word};
use crate::http::Reply;

/// Longest piece of the vendor's words that is kept.
const DETAIL: usize = 300;

/// `secret` is cut out of the words, should the vendor ever repeat it; `interval` is the delay after a 429
/// that names none.
pub(super) fn failure(reply: &Reply, secret: &str, interval: Duration) -> CallFailure {
    let detail = || detail(&reply.body, secret);
    let is_own = is_vendors_word(&reply.headers, &reply.body);
    match reply.status {
        // 498 was seen as "token invalid" from a gate, for tokens that were valid a minute later.
        300..400 | 408 | 498 | 500.. => CallFailure::Unavailable { status: reply.status },
        400..500 if reply.status != 429 && !is_own => CallFailure::Unavailable { status: reply.status },
        401 => CallFailure::Unauthorized { detail: detail() },
        402 => CallFailure::PaymentRequired { detail: detail() },
        403 => CallFailure::Forbidden { detail: detail() },
        404 => CallFailure::NotFound { detail: detail() },
        429 => {
            let told = told_delay(reply);
            CallFailure::RateLimited {
                retry_after: told.unwrap_or(interval),
                told: told.is_some(),
            }
        }
        status => CallFailure::Rejected {
            status,
            detail: detail(),
        },
    }
}

/// `X-Ratelimit-Retry` in seconds; `Retry-After` is not documented but understood.
fn told_delay(reply: &Reply) -> Option<Duration> {
    ["x-ratelimit-retry", "retry-after"].iter().find_map(|name| {
        let seconds: f64 = reply.headers.get(*name)?.to_str().ok()?.trim().parse().ok()?;
        // A day is more than any documented period; a larger number would stop a cabinet for ever.
        Duration::try_from_secs_f64(seconds.clamp(0.0, 86_400.0)).ok()
    })
}

/// The vendor's words: `detail`, `errorText`, `message`, `errors`, an array of such objects, or plain text.
fn detail(body: &[u8], secret: &str) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) => words(&value).unwrap_or_default(),
        Err(_) => match std::str::from_utf8(body).map(str::trim) {
            Ok(text) if !text.starts_with('<') => text.to_owned(),
            _ => String::new(),
        },
    };
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

fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(words),
        Value::Object(fields) => ["detail", "errorText", "message", "errors", "code", "title"]
            .iter()
            .find_map(|name| {
                fields
                    .get(*name)
                    .and_then(words)
                    .filter(|text| !text.trim().is_empty())
            }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{detail, failure};
    use crate::error::CallFailure;
    use crate::http::Reply;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use std::time::Duration;

    fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Reply {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Reply {
            status,
            headers,
            body: body.into(),
        }
    }

    #[test]
    fn every_documented_error_body_gives_its_words() {
        let cases = [
            (
                r#"{"title":"unauthorized","detail":"token scope not allowed","status":401}"#,
                "token scope not allowed",
            ),
            (
                r#"{"data":null,"error":true,"errorText":"Access denied","additionalErrors":"x"}"#,
                "Access denied",
            ),
            (r#"{"code":"AccessDenied","message":""}"#, "AccessDenied"),
            (
                r#"{"errors":["dateFrom: field required"]}"#,
                "dateFrom: field required",
            ),
            (
                r#"{"errors":"dateFrom: Value not validated"}"#,
                "dateFrom: Value not validated",
            ),
            (
                r#"[{"code":"UploadDataLimit","message":"Upload limit exceeded.","data":[]}]"#,
                "Upload limit exceeded.",
            ),
            (
                "Request body can not be decoded",
                "Request body can not be decoded",
            ),
            ("<html>nginx</html>", "no reason given"),
            ("", "no reason given"),
        ];
        for (body, expected) in cases {
            assert_eq!(detail(body.as_bytes(), "secret"), expected);
        }
    }

    #[test]
    fn the_credential_never_comes_back_in_the_words() {
        assert_eq!(
            detail(br#"{"detail":"bad token abc.def.ghi"}"#, "abc.def.ghi"),
            "bad token …"
        );
    }

    #[test]
    fn a_429_keeps_the_told_delay_and_falls_back_to_the_interval() {
        let interval = Duration::from_secs(20);
        let told = failure(
            &reply(
                429,
                &[("x-ratelimit-retry", "2"), ("x-ratelimit-reset", "29")],
                "",
            ),
            "",
            interval,
        );
        assert!(
            matches!(told, CallFailure::RateLimited { retry_after, told: true } if retry_after.as_secs() == 2)
        );
        let untold = failure(&reply(429, &[], ""), "", interval);
        assert!(
            matches!(untold, CallFailure::RateLimited { retry_after, told: false } if retry_after == interval)
        );
    }

    #[test]
    fn the_status_decides_the_kind_of_what_the_vendor_says_itself() {
        let of = |status| failure(&reply(status, &[], r#"{"detail":"no"}"#), "", Duration::ZERO);
        assert!(matches!(of(401), CallFailure::Unauthorized { .. }));
        assert!(matches!(of(402), CallFailure::PaymentRequired { .. }));
        assert!(matches!(of(403), CallFailure::Forbidden { .. }));
        assert!(matches!(of(404), CallFailure::NotFound { .. }));
        assert!(matches!(of(502), CallFailure::Unavailable { status: 502 }));
        assert!(matches!(of(409), CallFailure::Rejected { status: 409, .. }));
    }

    #[test]
    fn what_a_gate_says_is_trouble_on_the_way_and_is_repeated() {
        let page = "<html><body>403 Forbidden</body></html>";
        for (status, body) in [
            (401, page),
            (402, page),
            (403, page),
            (403, ""),
            (403, "{}"),
            (404, page),
            (400, page),
            (302, "backend error"),
            (307, r#"{"detail":"moved"}"#),
            (498, r#"{"detail":"token invalid"}"#),
        ] {
            let failure = failure(&reply(status, &[], body), "", Duration::ZERO);
            assert!(
                matches!(failure, CallFailure::Unavailable { status: told } if told == status),
                "{status} {body}: {failure:?}"
            );
            assert_eq!(failure.class(), crate::error::FailureClass::Transient);
        }
        let limited = failure(&reply(429, &[], page), "", Duration::from_secs(3));
        assert!(matches!(limited, CallFailure::RateLimited { .. }), "{limited:?}");
    }
}
