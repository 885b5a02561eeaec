//! Errors as RFC 9457 problems. One table holds every code with its status and title; an endpoint's error
//! enum is turned into a problem in one `match`, and nothing of a cause ever leaves the process: causes go to
//! the log.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use application::domain::plans::PlanLimit;
use application::{AppendError, allowance};
use database::{DatabaseError, ErrorClass};
use events::subscription::Plan;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $status:literal $title:literal;)*) => {
        /// Every kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All of them, for the documentation page.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// In words; the same for every problem of this kind.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// A command came without its key.
    IdempotencyKeyMissing = "idempotency-key-missing" 400 "An Idempotency-Key header is required";
    /// A header cannot be understood.
    MalformedHeader = "malformed-header" 400 "A request header cannot be understood";
    /// The request as a whole cannot be understood.
    MalformedRequest = "malformed-request" 400 "The request cannot be understood";
    /// A delivery that Stripe did not sign, or not lately.
    SignatureRefused = "signature-refused" 400 "The signature is not accepted";
    /// No access token, or one that is not accepted.
    Unauthenticated = "unauthenticated" 401 "Authentication is required";
    /// Wrong e-mail or password.
    WrongCredentials = "wrong-credentials" 401 "The e-mail address or the password is wrong";
    /// The bank refused a payment.
    PaymentDeclined = "payment-declined" 402 "The payment was declined";
    /// The tenant's plan does not allow it.
    PlanLimit = "plan-limit" 402 "The plan does not allow this";
    /// The password that was asked for again is wrong.
    ReauthenticationFailed = "reauthentication-failed" 403 "The password given for this is wrong";
    /// A one-time code that is not accepted.
    CodeRefused = "code-refused" 403 "The one-time code is not accepted";
    /// The API key may not do that.
    ScopeMissing = "scope-missing" 403 "The API key's scopes do not allow this";
    /// A refresh token that is not accepted.
    RefreshRefused = "refresh-refused" 401 "The refresh token is not accepted";
    /// The role may not do that.
    Forbidden = "forbidden" 403 "The role does not allow this";
    /// The login is closed.
    AccountDeactivated = "account-deactivated" 403 "The account is deactivated";
    /// The tenant may not act for now.
    TenantSuspended = "tenant-suspended" 403 "The tenant is suspended";
    /// Not there, or somebody else's.
    NotFound = "not-found" 404 "There is no such thing";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed" 405 "The method is not allowed here";
    /// The address is registered.
    EmailTaken = "email-taken" 409 "The e-mail address is already registered";
    /// Somebody must own the tenant.
    LastOwner = "last-owner" 409 "The last owner cannot leave or step down";
    /// The same request is being worked on.
    RequestRunning = "request-running" 409 "The same request is still being worked on";
    /// The body did not come in time.
    BodyTooSlow = "body-too-slow" 408 "The request body did not come in time";
    /// The state does not allow it.
    Conflict = "conflict" 409 "The current state does not allow this";
    /// A second subscription would be paid beside the first.
    SubscriptionExists = "subscription-exists" 409 "There is a subscription already";
    /// The marketplace refused the cabinet's credential.
    CredentialRejected = "credential-rejected" 409 "The marketplace refused the cabinet's credential";
    /// The entity tag is an old one.
    PreconditionFailed = "precondition-failed" 412 "It was changed meanwhile";
    /// The body is too large.
    BodyTooLarge = "body-too-large" 413 "The request body is too large";
    /// The body is not JSON by its header.
    UnsupportedMediaType = "unsupported-media-type" 415 "The request body must be application/json";
    /// More was asked for than one answer holds.
    TooMuchData = "too-much-data" 422 "This is more than one answer holds";
    /// Fields or parameters are wrong.
    InvalidInput = "invalid-input" 422 "The input is not valid";
    /// The key was used for another request.
    IdempotencyKeyReused = "idempotency-key-reused" 422 "The Idempotency-Key was used for another request";
    /// The credential cannot be used.
    CredentialRefused = "credential-refused" 422 "The credential cannot be used";
    /// The spreadsheet cannot be used.
    SheetRefused = "sheet-refused" 422 "The spreadsheet cannot be used";
    /// Too many requests by an address, a user or a tenant.
    RateLimited = "rate-limited" 429 "Too many requests";
    /// `If-Match` is needed.
    PreconditionRequired = "precondition-required" 428 "An If-Match header is required";
    /// Too many streams of events are open.
    TooManyStreams = "too-many-streams" 429 "Too many streams of events are open";
    /// Too many failures from there.
    TooManyAttempts = "too-many-attempts" 429 "There were too many failed attempts";
    /// A defect of ours.
    Internal = "internal" 500 "The server failed";
    /// Google or a marketplace does not answer.
    UpstreamFailed = "upstream-failed" 502 "An outside service failed";
    /// Try again.
    Unavailable = "unavailable" 503 "The service is not available at the moment";
    /// The read model has not seen the position yet.
    ProjectionBehind = "projection-behind" 503 "The read model has not caught up yet";
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Where: `#/field` in the body (RFC 6901), `?parameter` in the query, `header Name` for a header.
    #[schema(example = "#/email")]
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// An error answer as it goes out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// URI reference of the kind, documented at `/docs`.
    #[serde(rename = "type")]
    #[schema(example = "/docs#problem-invalid-input")]
    pub kind: String,
    /// The kind in words.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    /// Stable name of the kind.
    pub code: &'static str,
    /// Single fields.
    pub errors: Vec<FieldProblem>,
    /// The request's trace, to be told to whoever operates the service.
    pub trace_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Which limit of the plan, for `plan-limit`.
    #[serde(flatten)]
    #[schema(inline)]
    pub plan_limit: Option<PlanLimitView>,
}

/// Which limit of the plan is in the way.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct PlanLimitView {
    /// `cabinets`, `sync_interval_seconds`, `products`, `api_calls`, `webhooks` or `history_days`.
    #[schema(example = "cabinets")]
    pub limit: &'static str,
    /// How much is used; of an interval or of days of history, what was asked for.
    pub used: u64,
    /// How much the plan allows; of an interval, the shortest.
    pub allowed: u64,
    /// The plan.
    #[schema(example = "starter")]
    pub plan: &'static str,
    /// The cheapest plan that allows it; none where no plan does.
    #[schema(example = "pro")]
    pub lifted_by: Option<&'static str>,
}

impl From<PlanLimit> for PlanLimitView {
    fn from(limit: PlanLimit) -> Self {
        Self {
            limit: limit.limit.as_str(),
            used: limit.used,
            allowed: limit.allowed,
            plan: limit.plan.as_str(),
            lifted_by: limit.lifted_by.map(Plan::as_str),
        }
    }
}

/// A refusal on its way out.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
    plan_limit: Option<PlanLimit>,
}

impl Problem {
    /// A problem with `detail` about this request.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
            cause: None,
            plan_limit: None,
        }
    }

    /// What the tenant's plan does not allow.
    #[must_use]
    pub fn plan_limit(limit: PlanLimit) -> Self {
        Self {
            plan_limit: Some(limit),
            ..Self::new(Code::PlanLimit, limit.to_string())
        }
    }

    /// Something that is not there, or not this tenant's: the same words for both.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    /// Wrong fields.
    #[must_use]
    pub fn invalid(errors: Vec<FieldProblem>) -> Self {
        let names: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        let detail = format!("not valid: {}", names.join(", "));
        Self {
            errors,
            ..Self::new(Code::InvalidInput, detail)
        }
    }

    /// One wrong field.
    #[must_use]
    pub fn invalid_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldProblem {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
    }

    /// A failure below: 503 when the database is away, busy or starting, or this process is stopping, else
    /// 500. The cause goes to the log.
    pub fn failure(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        let passing = database_class(&error)
            .is_some_and(|class| matches!(class, ErrorClass::ConnectionLost | ErrorClass::Contention));
        let problem = if passing {
            Self::unavailable("the database does not answer at the moment")
        } else if is_stopping(&error) {
            Self::unavailable("this process is stopping; another one answers")
        } else {
            Self::new(
                Code::Internal,
                "something failed on our side; the trace id names it",
            )
        };
        Self {
            cause: Some(Arc::new(error)),
            ..problem
        }
    }

    /// Something that passes.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, detail).retry_after(1)
    }

    /// With the cause, for the log.
    #[must_use]
    pub fn because(self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self {
            cause: Some(Arc::new(cause)),
            ..self
        }
    }

    /// With more about this request.
    #[must_use]
    pub fn more(mut self, text: &str) -> Self {
        self.detail.push_str(text);
        self
    }

    /// With the field it is about.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.errors.push(FieldProblem {
            pointer: pointer.into(),
            detail: self.detail.clone(),
        });
        self
    }

    /// With `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    /// With a header. One that is no header value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Its kind.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What was behind it.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// The answer, about the request at `instance`.
    #[must_use]
    pub fn response(&self, instance: &str, trace_id: &str) -> HttpResponse {
        let status = self.status_code();
        let retryable = status.is_server_error() && self.code != Code::Internal
            || matches!(self.code, Code::RequestRunning | Code::TooManyAttempts);
        let body = ProblemBody {
            kind: format!("/docs#problem-{}", self.code.as_str()),
            title: self.code.title(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            instance: instance.to_owned(),
            code: self.code.as_str(),
            errors: self.errors.clone(),
            trace_id: trace_id.to_owned(),
            retryable: retryable || self.code == Code::RateLimited,
            plan_limit: self.plan_limit.map(Into::into),
        };
        let mut response = HttpResponse::build(status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        // A problem is strings and numbers only, which always serialise.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        response
            .insert_header((CONTENT_TYPE, "application/problem+json"))
            .body(body)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Without the request; the frame writes it anew with path and trace.
    fn error_response(&self) -> HttpResponse {
        self.response("", "")
    }
}

/// Whether the log takes no more commands in this process. Nothing was written.
fn is_stopping(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|error| matches!(error.downcast_ref(), Some(AppendError::Closed)))
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The class of the first database failure among the causes. A cause may be shared, hence the second look.
fn database_class(error: &(dyn std::error::Error + 'static)) -> Option<ErrorClass> {
    causes(error).find_map(|error| {
        error
            .downcast_ref::<DatabaseError>()
            .or_else(|| error.downcast_ref::<Arc<DatabaseError>>().map(AsRef::as_ref))
            .map(DatabaseError::class)
    })
}

impl From<auth::StoreError> for Problem {
    fn from(error: auth::StoreError) -> Self {
        Self::failure(error)
    }
}

impl From<billing::StoreError> for Problem {
    fn from(error: billing::StoreError) -> Self {
        Self::failure(error)
    }
}

impl From<allowance::Error> for Problem {
    fn from(error: allowance::Error) -> Self {
        match error {
            allowance::Error::Limit(limit) => Self::plan_limit(limit),
            allowance::Error::Terms(error) => error.into(),
            allowance::Error::Usage(error) => error.into(),
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Self::failure(error)
    }
}

impl From<notifications::StoreError> for Problem {
    fn from(error: notifications::StoreError) -> Self {
        Self::failure(error)
    }
}

impl From<read_models::QueryError> for Problem {
    fn from(error: read_models::QueryError) -> Self {
        match error {
            read_models::QueryError::Cursor => {
                Self::invalid_field("?cursor", "the cursor does not belong to this list")
            }
            read_models::QueryError::Database(_) => Self::failure(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use application::domain::cabinet::CabinetRefusal;
    use application::{AppendError, ExecuteError};

    use super::{Code, Problem};

    #[test]
    fn a_process_that_stops_sends_the_client_elsewhere_and_does_not_call_it_a_defect() {
        let problem = Problem::failure(ExecuteError::<CabinetRefusal>::Append(AppendError::Closed));
        assert_eq!(problem.code(), Code::Unavailable);
        let response = problem.response("/", "");
        assert_eq!(response.headers().get("retry-after").unwrap(), "1");
    }
}
