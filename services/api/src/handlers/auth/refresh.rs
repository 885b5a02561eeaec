//! A session goes on.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use auth::sessions::RotateError;
use secrecy::SecretString;
use utoipa::ToSchema;

use super::{Tokens, tokens};
use crate::call::state;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
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

/// Exchange a refresh token for the next pair. Using one twice ends the session.
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
        .rotate(&given.refresh_token, trace.now)
        .await
        .map_err(problem)?;
    Ok(tokens(&state, &trace, 200, &principal, &issued)?.into())
}

fn problem(error: RotateError) -> Problem {
    match error {
        RotateError::Unknown | RotateError::Ended | RotateError::Inactive => {
            Problem::new(Code::RefreshRefused, "log in again")
        }
        RotateError::Suspended => Problem::new(Code::TenantSuspended, error.to_string()),
        RotateError::Reused => {
            tracing::warn!("a refresh token was used twice; its session was ended");
            Problem::new(Code::RefreshRefused, "log in again")
        }
        RotateError::Open(error) => Problem::failure(error),
    }
}
