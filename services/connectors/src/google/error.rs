//! What Google's refusals mean for a customer's sheet, and what to do about each.

use std::time::Duration;

use serde::Deserialize;

use crate::error::{CallError, CallFailure, FailureClass};
use crate::http::{self, Reply};
use crate::scrub::without_addresses;

/// Longest piece of Google's words that is kept.
const DETAIL: usize = 400;

/// A call to Google that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum GoogleError {
    /// The text is no spreadsheet id.
    #[error("this is no spreadsheet id")]
    SpreadsheetId,
    /// 404: no such spreadsheet, or none that this account may know of.
    #[error("there is no such spreadsheet")]
    NotFound,
    /// 403: not shared with the service account, or shared for reading only.
    #[error("Google refuses access: {detail}")]
    PermissionDenied {
        /// Google's words.
        detail: String,
    },
    /// 403: the API is switched off in the service account's project.
    #[error("an API is switched off in the service account's Google project: {detail}")]
    ApiDisabled {
        /// Google's words, with the address where it can be switched on.
        detail: String,
    },
    /// 403: there is no room for the file. Service accounts own no storage.
    #[error("there is no storage for the file: {detail}")]
    StorageFull {
        /// Google's words.
        detail: String,
    },
    /// 401: the token was not accepted.
    #[error("Google does not accept the token: {detail}")]
    Unauthorized {
        /// Google's words.
        detail: String,
    },
    /// The token endpoint does not accept the key.
    #[error("Google does not accept the key of {email}: {detail}")]
    KeyRefused {
        /// The service account.
        email: String,
        /// The endpoint's words.
        detail: String,
    },
    /// No token could be fetched.
    #[error("no access token could be fetched")]
    Token(#[source] Box<yup_oauth2::Error>),
    /// No token came in time.
    #[error("no access token within {} s", deadline.as_secs())]
    TokenTimeout {
        /// The deadline that passed.
        deadline: Duration,
    },
    /// 429, or our own limiter says that the next write is further away than the caller is ready to wait.
    #[error("Google's quota is used up, next request in {} s", retry_after.as_secs_f64().ceil())]
    QuotaExceeded {
        /// Time to wait: what was told, or a minute, in which the quota is refilled.
        retry_after: Duration,
    },
    /// 400: one request of a batch is wrong, so nothing of the batch was done.
    #[error("Google refuses the request: {detail}")]
    InvalidRequest {
        /// Index in the batch, where Google names it.
        request: Option<usize>,
        /// Google's words.
        detail: String,
    },
    /// Anything that is not special to Google.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl GoogleError {
    /// What the caller should do about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::PermissionDenied { .. }
            | Self::StorageFull { .. }
            | Self::ApiDisabled { .. }
            | Self::Unauthorized { .. }
            | Self::KeyRefused { .. } => FailureClass::Credential,
            Self::Token(_) | Self::TokenTimeout { .. } => FailureClass::Transient,
            Self::QuotaExceeded { retry_after } => FailureClass::Wait { delay: *retry_after },
            Self::SpreadsheetId | Self::NotFound | Self::InvalidRequest { .. } => FailureClass::Refused,
            Self::Call(error) => error.class(),
        }
    }
}

#[derive(Deserialize)]
struct Body {
    error: Status,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    details: Vec<Detail>,
    /// Drive's older list of reasons.
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    reason: Option<String>,
}

/// The meaning of an answer that is no success. `untold` is the wait after a 429 that names none.
pub(super) fn failure(endpoint: &'static str, reply: &Reply, untold: Duration) -> GoogleError {
    let status = serde_json::from_slice::<Body>(&reply.body)
        .map(|body| body.error)
        .unwrap_or_default();
    let detail = match status.message.trim() {
        "" => format!("status {}", reply.status),
        message => without_addresses(&message.chars().take(DETAIL).collect::<String>()),
    };
    let is = |reason: &str| {
        status
            .details
            .iter()
            .chain(&status.errors)
            .any(|detail| detail.reason.as_deref() == Some(reason))
    };
    match reply.status {
        400 => GoogleError::InvalidRequest {
            request: request_index(&detail),
            detail,
        },
        401 => GoogleError::Unauthorized { detail },
        403 if is("SERVICE_DISABLED") || is("accessNotConfigured") => GoogleError::ApiDisabled { detail },
        // Drive reports its quota as 403.
        403 if is("rateLimitExceeded") || is("userRateLimitExceeded") => GoogleError::QuotaExceeded {
            retry_after: retry_after(reply, untold),
        },
        403 if is("storageQuotaExceeded") || detail.contains("storage quota") => {
            GoogleError::StorageFull { detail }
        }
        403 => GoogleError::PermissionDenied { detail },
        404 => GoogleError::NotFound,
        429 => GoogleError::QuotaExceeded {
            retry_after: retry_after(reply, untold),
        },
        _ if status.status == "RESOURCE_EXHAUSTED" => GoogleError::QuotaExceeded {
            retry_after: retry_after(reply, untold),
        },
        408 | 500.. => CallError::new(endpoint, CallFailure::Unavailable { status: reply.status }).into(),
        status => CallError::new(endpoint, CallFailure::Rejected { status, detail }).into(),
    }
}

/// Google sends no `Retry-After` as far as anybody has seen; should it come, it is obeyed.
fn retry_after(reply: &Reply, untold: Duration) -> Duration {
    http::retry_after(&reply.headers, Duration::from_secs(3600)).unwrap_or(untold)
}

/// `Invalid requests[3].mergeCells: …` names the request that is wrong.
fn request_index(detail: &str) -> Option<usize> {
    let (_, rest) = detail.split_once("requests[")?;
    rest.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{GoogleError, failure};
    use crate::error::FailureClass;
    use crate::http::Reply;
    use reqwest::header::{HeaderMap, HeaderValue};
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_secs(60);

    fn of(status: u16, body: &'static str) -> GoogleError {
        failure(
            "POST x",
            &Reply {
                status,
                headers: HeaderMap::new(),
                body: body.into(),
            },
            MINUTE,
        )
    }

    #[test]
    fn a_batch_error_names_the_request() {
        let error = of(
            400,
            r#"{"error":{"code":400,"message":"Invalid requests[3].mergeCells: overlap","status":"INVALID_ARGUMENT"}}"#,
        );
        assert!(
            matches!(error, GoogleError::InvalidRequest { request: Some(3), .. }),
            "{error:?}"
        );
        let error = of(
            400,
            r#"{"error":{"code":400,"message":"Unable to parse range: Sheet9!A1"}}"#,
        );
        assert!(
            matches!(error, GoogleError::InvalidRequest { request: None, .. }),
            "{error:?}"
        );
    }

    #[test]
    fn the_captured_quota_body_waits_a_minute_or_as_told() {
        let body = r#"{"error":{"code":429,"message":"Quota exceeded for quota metric 'Write requests'","status":
            "RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":
            "RATE_LIMIT_EXCEEDED","domain":"googleapis.com","metadata":{"quota_limit_value":"60"}},
            {"@type":"type.googleapis.com/google.rpc.Help","links":[]}]}}"#;
        assert_eq!(of(429, body).class(), FailureClass::Wait { delay: MINUTE });
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("90"));
        let told = failure(
            "POST x",
            &Reply {
                status: 429,
                headers,
                body: body.into(),
            },
            MINUTE,
        );
        assert_eq!(told.class().told_delay(), Some(Duration::from_secs(90)));
    }

    #[test]
    fn the_reasons_behind_403_are_told_apart() {
        let not_shared = of(
            403,
            r#"{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}"#,
        );
        assert!(matches!(not_shared, GoogleError::PermissionDenied { .. }));
        let off = of(
            403,
            r#"{"error":{"code":403,"message":"off","details":[{"reason":"SERVICE_DISABLED"}]}}"#,
        );
        assert!(matches!(off, GoogleError::ApiDisabled { .. }));
        let quota = of(
            403,
            r#"{"error":{"code":403,"message":"x","errors":[{"reason":"userRateLimitExceeded"}]}}"#,
        );
        assert!(matches!(quota, GoogleError::QuotaExceeded { .. }));
    }

    #[test]
    fn no_address_of_a_person_is_kept_of_google_s_words() {
        let error = of(
            403,
            r#"{"error":{"code":403,"message":"You can't edit; ask 'anna.k+1@shop.ru', <boris@example.co.uk>."}}"#,
        );
        assert_eq!(
            error.to_string(),
            "Google refuses access: You can't edit; ask '<address>', <<address>>."
        );
    }

    #[test]
    fn a_page_of_html_is_judged_by_its_status() {
        assert!(matches!(of(404, "<html>"), GoogleError::NotFound));
        assert_eq!(of(503, "<html>").class(), FailureClass::Transient);
    }
}
