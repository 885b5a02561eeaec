//! Google's error bodies (contracts C.5).

use serde_json::{Value, json};

use crate::server::Answer;

/// A refused call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    code: u16,
    message: String,
    status: &'static str,
    details: Option<Value>,
}

impl ApiError {
    fn new(code: u16, status: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status,
            details: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "Requested entity was not found.")
    }

    pub(crate) fn denied() -> Self {
        Self::new(403, "PERMISSION_DENIED", "The caller does not have permission")
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
             valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        )
    }

    pub(crate) fn scope() -> Self {
        let details = json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "domain": "googleapis.com", "metadata": {"service": "sheets.googleapis.com"},
        }]);
        let message = "Request had insufficient authentication scopes.";
        Self {
            details: Some(details),
            ..Self::new(403, "PERMISSION_DENIED", message)
        }
    }

    /// In Google's words (pygsheets #589, gspread #950).
    pub(crate) fn too_many_cells() -> Self {
        let limit = super::model::MAX_CELLS;
        Self::invalid(format!(
            "This action would increase the number of cells in the workbook above the limit of {limit} cells."
        ))
    }

    /// Drive's words (apache/opendal #4071). What Sheets says of a batch is not documented, so only the text
    /// tells the reason.
    pub(crate) fn storage() -> Self {
        Self::new(
            403,
            "PERMISSION_DENIED",
            "The user's Drive storage quota has been exceeded.",
        )
    }

    /// `kind` is `Read` or `Write`; `per_user` tells which of the two limits was hit.
    pub(crate) fn quota(kind: &str, per_user: bool, limit: u64) -> Self {
        let (tail, scope, unit) = if per_user {
            (
                "PerMinutePerUser",
                "per minute per user",
                "1/min/{project}/{user}",
            )
        } else {
            ("PerMinutePerProject", "per minute", "1/min/{project}")
        };
        let message = format!(
            "Quota exceeded for quota metric '{kind} requests' and limit '{kind} requests {scope}' of service \
             'sheets.googleapis.com' for consumer 'project_number:123456789012'."
        );
        let details = json!([
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED",
                "domain": "googleapis.com",
                "metadata": {
                    "quota_metric": format!("sheets.googleapis.com/{}_requests", kind.to_lowercase()),
                    "quota_limit": format!("{kind}Requests{tail}"), "quota_limit_value": limit.to_string(),
                    "quota_unit": unit, "quota_location": "global", "service": "sheets.googleapis.com",
                    "consumer": "projects/123456789012",
                },
            },
            {
                "@type": "type.googleapis.com/google.rpc.Help",
                "links": [{
                    "description": "Request a higher quota limit.",
                    "url": "https://cloud.google.com/docs/quotas/help/request_increase",
                }],
            },
        ]);
        Self {
            details: Some(details),
            ..Self::new(429, "RESOURCE_EXHAUSTED", message)
        }
    }

    /// The same error with text before its message.
    pub(crate) fn prefixed(mut self, prefix: &str) -> Self {
        self.message.insert_str(0, prefix);
        self
    }

    pub(crate) fn answer(&self) -> Answer {
        let mut error = json!({"code": self.code, "message": self.message, "status": self.status});
        if let Some(details) = &self.details {
            error["details"] = details.clone();
        }
        Answer::json(self.code, &json!({"error": error}))
    }
}
