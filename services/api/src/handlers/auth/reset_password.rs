//! Somebody who forgot the password sets another one, by a code that was handed to them.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::{Context, Receipt, change_password};
use auth::PasswordResets;
use auth::attempts::Attempted;
use events::ids::CommandId;
use secrecy::{ExposeSecret as _, SecretString};
use utoipa::ToSchema;

use super::change_password::problem;
use crate::attempt;
use crate::call::state;
use crate::command::{self, Identity, Replay};
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};
use crate::state::ApiState;
use crate::trace::Trace;

/// The code and the next password.
#[derive(ToSchema)]
pub struct ResetPasswordRequest {
    /// As it was handed on: works once, for ten minutes.
    #[schema(value_type = String)]
    pub code: SecretString,
    /// The next password; at least 8 characters, and not one of the most common ones.
    #[schema(value_type = String, format = "password", min_length = 8)]
    pub new_password: SecretString,
}

impl Input for ResetPasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let code = fields.required("code", shape::secret(512));
        let new = fields.required("new_password", shape::password);
        Some(Self {
            code: code?,
            new_password: new?,
        })
    }
}

/// Set a password by a one-time code. Every session of the login ends.
///
/// # Errors
/// 403 for a code that does not work, without saying why; 429 after too many of those.
#[utoipa::path(post, path = "/api/v1/auth/password/reset", tag = "auth", operation_id = "reset_password",
    request_body = ResetPasswordRequest,
    responses((status = 200, body = ReceiptView), (status = 403), (status = 404)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let state = state(&request)?;
    let trace = Trace::of(&request);
    let body = input::body::<ResetPasswordRequest>(&request, payload).await?;
    let given = body.value;
    let identity = Identity::of_stranger(&request, given.code.expose_secret(), &body.raw)?;
    let command_id = identity.command_id();
    let (means, names, from) = (state.clone(), trace.clone(), attempt::address(&request));
    command::run(&state, identity, &trace, Replay::Stored, move || async move {
        let attempt = attempt::begin(&means, from, Attempted::Unnamed, &names).await?;
        let outcome = reset(&means, &names, command_id, &given).await;
        attempt.end("password reset", &outcome).await;
        let receipt = outcome?;
        means.forget_callers();
        let view = ReceiptView::of(command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

async fn reset(
    state: &ApiState,
    trace: &Trace,
    command_id: CommandId,
    given: &ResetPasswordRequest,
) -> Result<Receipt, Problem> {
    let tenant_id =
        PasswordResets::tenant_of(&given.code).ok_or_else(|| problem(change_password::Error::Code))?;
    let context = Context {
        tenant_id,
        actor: "visitor".to_owned(),
        command_id,
        correlation_id: trace.trace_id,
        causation_id: None,
        traceparent: Some(trace.traceparent.clone()),
        now: trace.now,
    };
    change_password::by_code(&state.app, &context, &given.code, &given.new_password)
        .await
        .map_err(problem)
}
