//! One vocabulary for failed calls, so that the worker decides by class (wait, give up, ask for a new
//! credential) and never by a vendor's wording.

use std::fmt;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

/// A call to a vendor that gave no usable answer.
///
/// Its text names the endpoint's template, never the address that was called: query values and path ids stay
/// out of logs.
#[derive(Debug)]
pub struct CallError {
    /// Method and path template, such as `POST /content/v2/get/cards/list`.
    pub endpoint: &'static str,
    /// What happened.
    pub failure: CallFailure,
}

impl CallError {
    /// Ties a failure to the endpoint it happened at.
    #[must_use]
    pub fn new(endpoint: &'static str, failure: CallFailure) -> Self {
        Self { endpoint, failure }
    }

    /// What the caller should do about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        self.failure.class()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, self.failure)
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The failure's own text is already part of ours, so the chain goes on behind it.
        std::error::Error::source(&self.failure)
    }
}

/// Why a call gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// 401: the vendor does not know or no longer accepts the credential (at Wildberries also: wrong
    /// category).
    #[error("the credential was not accepted: {detail}")]
    Unauthorized {
        /// The vendor's words, shortened, without the credential.
        detail: String,
    },
    /// 403: the credential is known but may not do this.
    #[error("the credential may not do this: {detail}")]
    Forbidden {
        /// The vendor's words, shortened, without the credential.
        detail: String,
    },
    /// 402: the service's balance at the vendor is used up.
    #[error("the vendor asks for payment: {detail}")]
    PaymentRequired {
        /// The vendor's words, shortened.
        detail: String,
    },
    /// 429, or our own bucket says that the next request is further away than the caller is ready to wait.
    #[error("rate limited, next request in {} s", retry_after.as_secs_f64().ceil())]
    RateLimited {
        /// Time until the next request may be sent.
        retry_after: Duration,
        /// True when the vendor itself named the time.
        told: bool,
    },
    /// A report that the vendor makes in the background is not ready; the task is kept for the next attempt.
    #[error("the report is still being made, ask again in {} s", retry_after.as_secs_f64().ceil())]
    ReportPending {
        /// Time until the next question is allowed.
        retry_after: Duration,
    },
    /// A background report that was given up by the vendor; the next attempt starts a new one.
    #[error("the report was lost at the vendor: {status}")]
    ReportLost {
        /// The vendor's status word.
        status: String,
    },
    /// 5xx, or anything else that a gate before the vendor says: the way to it does not work.
    #[error("the vendor answered {status}")]
    Unavailable {
        /// HTTP status.
        status: u16,
    },
    /// The whole call, body included, took longer than its deadline.
    #[error("no complete answer within {} s", deadline.as_secs_f64())]
    Timeout {
        /// The deadline that passed.
        deadline: Duration,
    },
    /// The connection failed or the body was cut.
    #[error("the connection failed")]
    Network(#[source] reqwest::Error),
    /// The answer is not what the contract says.
    #[error("unexpected answer: {what}")]
    Malformed {
        /// The missing or retyped field, or what came in place of JSON.
        what: String,
        /// The decoder's complaint, if it was the decoder that failed.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The answer is well formed but contradicts itself.
    #[error("the answer contradicts itself: {what}")]
    Inconsistent {
        /// What does not fit.
        what: String,
    },
    /// The answer is larger than the limit of the call.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// Limit in bytes after decompression.
        limit: u64,
    },
    /// 404.
    #[error("not found: {detail}")]
    NotFound {
        /// The vendor's words, shortened.
        detail: String,
    },
    /// Any other status that is neither success nor listed above.
    #[error("the vendor refused with {status}: {detail}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The vendor's words, shortened.
        detail: String,
    },
    /// The request could not even be built (a malformed base address or credential).
    #[error("the request cannot be built: {what}")]
    Unsendable {
        /// The part that is wrong.
        what: &'static str,
    },
}

impl CallFailure {
    /// What the caller should do about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Unauthorized { .. } | Self::Forbidden { .. } => FailureClass::Credential,
            Self::PaymentRequired { .. } => FailureClass::Payment,
            Self::RateLimited { retry_after, .. } | Self::ReportPending { retry_after } => {
                FailureClass::Wait { delay: *retry_after }
            }
            Self::ReportLost { .. }
            | Self::Unavailable { .. }
            | Self::Timeout { .. }
            | Self::Network(_)
            | Self::Inconsistent { .. } => FailureClass::Transient,
            Self::Malformed { .. } | Self::TooLarge { .. } => FailureClass::Contract,
            Self::NotFound { .. } | Self::Rejected { .. } | Self::Unsendable { .. } => FailureClass::Refused,
        }
    }
}

/// Whether an answer that is no success comes from the vendor's own service: an object or a list in JSON,
/// with words in it, or a line of plain text. Gates and proxies before it answer with pages and empty
/// bodies, and what they refuse, they refuse to everyone: it says nothing about a credential or a method.
pub(crate) fn is_vendors_word(headers: &HeaderMap, body: &[u8]) -> bool {
    let is_page = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let body = body.trim_ascii();
    if is_page || body.first() == Some(&b'<') {
        return false;
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => has_words(&value),
        Err(_) => std::str::from_utf8(body).is_ok_and(|text| text.chars().any(char::is_alphabetic)),
    }
}

fn has_words(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().any(char::is_alphabetic),
        Value::Array(items) => items.iter().any(has_words),
        Value::Object(fields) => fields.values().any(has_words),
        // Ozon's refusals carry a code beside an empty message.
        Value::Number(_) => true,
        Value::Null | Value::Bool(_) => false,
    }
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// Ask the seller for another credential; repeating is useless.
    Credential,
    /// Somebody must pay; repeating is useless until then.
    Payment,
    /// Repeat, but not before `delay`.
    Wait {
        /// Least time to wait.
        delay: Duration,
    },
    /// Repeat with backoff.
    Transient,
    /// The vendor's contract has drifted. One bad answer can be an accident, so it is repeated with backoff,
    /// but it is worth an operator's eye.
    Contract,
    /// The vendor understood and said no; repeating the same request is useless.
    Refused,
}

impl FailureClass {
    /// True when the same request may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Wait { .. } | Self::Transient | Self::Contract)
    }

    /// The delay that was named by the vendor or by our own bucket.
    #[must_use]
    pub fn told_delay(self) -> Option<Duration> {
        match self {
            Self::Wait { delay } => Some(delay),
            Self::Credential | Self::Payment | Self::Transient | Self::Contract | Self::Refused => None,
        }
    }

    /// Stable word for events and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Payment => "payment",
            Self::Wait { .. } => "rate_limited",
            Self::Transient => "transient",
            Self::Contract => "contract",
            Self::Refused => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    use super::is_vendors_word;

    #[test]
    fn only_what_the_vendors_own_service_says_is_its_word() {
        let json = HeaderMap::new();
        let mut page = HeaderMap::new();
        page.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        for own in [
            r#"{"title":"unauthorized","detail":"token scope not allowed"}"#,
            r#"{"code":16,"message":""}"#,
            r#"{"errors":["dateFrom: field required"]}"#,
            r#"[{"code":"UploadDataLimit"}]"#,
            "Request body can not be decoded",
        ] {
            assert!(is_vendors_word(&json, own.as_bytes()), "{own}");
        }
        for gate in [
            "",
            "  \n",
            "{}",
            "null",
            "<html>forbidden</html>",
            "\n<!DOCTYPE html>",
            "[]",
        ] {
            assert!(!is_vendors_word(&json, gate.as_bytes()), "{gate}");
        }
        assert!(
            !is_vendors_word(&page, br#"{"detail":"x"}"#),
            "announced as a page"
        );
    }
}
