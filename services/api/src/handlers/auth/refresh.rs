//! A session goes on.

use actix_web::http::header::{HeaderValue, USER_AGENT};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use auth::attempts::{Attempted, Marks};
use auth::sessions::{Client, RotateError};
use secrecy::SecretString;
use utoipa::ToSchema;

use super::{Tokens, tokens};
use crate::attempt;
use crate::call::state;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::state::ApiState;
use crate::trace::Trace;

/// What goes on.
#[derive(ToSchema)]
pub struct RefreshRequest {
    /// The newest refresh token of the session.
    #[schema(value_type = String)]
    pub refresh_token: SecretString,
}

impl Input for RefreshRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let refresh_token = fields.required("refresh_token", shape::secret(512));
        Some(Self {
            refresh_token: refresh_token?,
        })
    }
}

/// Exchange a refresh token for the next pair.
///
/// The same client may repeat the request within 10 seconds and gets the same next refresh token; any other
/// second use of a token ends the session.
///
/// # Errors
/// 401 for every token that does not work, without saying why.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", operation_id = "refresh",
    request_body = RefreshRequest, responses((status = 200, body = Tokens), (status = 401), (status = 403)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let state = state(&request)?;
    let trace = Trace::of(&request);
    let given = input::body::<RefreshRequest>(&request, payload).await?.value;
    let (principal, issued) = state
        .sessions
        .rotate(&given.refresh_token, &client(&state, &request), trace.now)
        .await
        .map_err(|error| {
            let marks = attempt::marks(&state, attempt::address(&request), Attempted::Unnamed);
            tell(&error, &marks, &trace);
            problem(error)
        })?;
    Ok(tokens(&state, &trace, 200, &principal, &issued)?.into())
}

/// Who asks, under a key of its own: what is stored can be compared with nothing else.
fn client(state: &ApiState, request: &HttpRequest) -> Client {
    let agent = request.headers().get(USER_AGENT).map(HeaderValue::as_bytes);
    let key = state.tokens.derived_key("clients that refresh v1");
    Client::of(&key, attempt::address(request), agent)
}

/// The operator learns why, the caller does not.
fn tell(error: &RotateError, marks: &Marks, trace: &Trace) {
    match error {
        RotateError::Reused {
            tenant_id,
            session_id,
        } => tracing::warn!(
            trace.id = %trace.trace_id.simple(), request.id = %trace.request_id,
            tenant.id = %tenant_id, session.id = %session_id, address.mark = marks.address,
            "a refresh token was used twice; its session was ended"
        ),
        RotateError::Unknown | RotateError::Ended | RotateError::Inactive | RotateError::Suspended => {
            tracing::info!(
                trace.id = %trace.trace_id.simple(), request.id = %trace.request_id,
                reason = %error, address.mark = marks.address,
                "a refresh token was refused"
            );
        }
        // Told where every failure is.
        RotateError::Open(_) => {}
    }
}

fn problem(error: RotateError) -> Problem {
    match error {
        RotateError::Unknown | RotateError::Ended | RotateError::Inactive | RotateError::Reused { .. } => {
            Problem::new(Code::RefreshRefused, "log in again")
        }
        RotateError::Suspended => Problem::new(Code::TenantSuspended, error.to_string()),
        RotateError::Open(error) => Problem::failure(error),
    }
}
