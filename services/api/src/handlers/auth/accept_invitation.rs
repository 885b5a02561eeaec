//! Somebody joins a business by invitation and is logged in at once.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use application::{Context, accept_invitation};
use auth::attempts::Attempted;
use auth::{Email, Invitations, Principal};
use events::ids::CommandId;
use secrecy::SecretString;
use utoipa::ToSchema;

use super::register::reserve_problem;
use super::{Tokens, open_problem, tokens};
use crate::attempt;
use crate::call::state;
use crate::command::{self, Identity, Replay};
use crate::handlers::execute_problem;
use crate::handlers::tenants::tenant_refusal;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::ApiState;
use crate::trace::Trace;

/// Who joins.
#[derive(ToSchema)]
pub struct AcceptInvitationRequest {
    /// As it was handed on: works once, for three days.
    #[schema(value_type = String)]
    pub code: SecretString,
    /// Address to log in with; case does not matter.
    #[schema(value_type = String, format = "email", max_length = 254)]
    pub email: Email,
    /// At least 8 characters, and not one of the most common ones.
    #[schema(value_type = String, format = "password", min_length = 8)]
    pub password: SecretString,
    /// What the person is called.
    #[schema(required = false, max_length = 255)]
    pub full_name: Option<String>,
}

impl Input for AcceptInvitationRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let code = fields.required("code", shape::secret(512));
        let email = fields.required("email", shape::email);
        let password = fields.required("password", shape::password);
        let full_name = fields.optional("full_name", shape::text(0, 255));
        Some(Self {
            code: code?,
            email: email?,
            password: password?,
            full_name,
        })
    }
}

/// Join a business by a one-time code: a login, its membership and its first session.
///
/// The answer holds tokens, which are not kept: repeating the request with the same key finds the same
/// account and opens another session.
///
/// # Errors
/// 403 for a code that does not work or is for another address, without saying which; 429 after too many of
/// those; 409 for an address that is registered.
#[utoipa::path(post, path = "/api/v1/auth/accept-invitation", tag = "auth",
    operation_id = "accept_invitation",
    request_body = AcceptInvitationRequest,
    responses((status = 201, body = Tokens), (status = 403), (status = 404)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let state = state(&request)?;
    let trace = Trace::of(&request);
    let body = input::body::<AcceptInvitationRequest>(&request, payload).await?;
    let identity = Identity::of_stranger(&request, body.value.email.key(), &body.raw)?;
    let command_id = identity.command_id();
    let (means, names, from) = (state.clone(), trace.clone(), attempt::address(&request));
    command::run(&state, identity, &trace, Replay::Rerun, move || async move {
        let attempt = attempt::begin(&means, from, Attempted::Unnamed, &names).await?;
        let outcome = join(&means, &names, command_id, body.value).await;
        attempt.end("invitation", &outcome).await;
        outcome
    })
    .await
}

async fn join(
    state: &Data<ApiState>,
    trace: &Trace,
    command_id: CommandId,
    who: AcceptInvitationRequest,
) -> Result<Reply, Problem> {
    let tenant_id =
        Invitations::tenant_of(&who.code).ok_or_else(|| problem(accept_invitation::Error::Code))?;
    let context = Context {
        tenant_id,
        actor: "visitor".to_owned(),
        command_id,
        correlation_id: trace.trace_id,
        causation_id: None,
        traceparent: Some(trace.traceparent.clone()),
        now: trace.now,
    };
    let input = accept_invitation::Input {
        code: who.code,
        email: who.email.clone(),
        password: who.password.clone(),
        display_name: who.full_name.unwrap_or_default(),
    };
    let joined = accept_invitation::execute(&state.app, &context, input)
        .await
        .map_err(problem)?;
    if joined.receipt.duplicate {
        // The account was there. Only its password lets anybody in; a key that somebody guessed does not.
        let login = state.app.accounts.log_in(&who.email, &who.password).await;
        login.map_err(super::login::problem)?;
    }
    let principal = Principal {
        user_id: joined.user_id,
        tenant_id: context.tenant_id,
        role: joined.role,
        session_id: state.ids.next(),
    };
    let issued = state
        .sessions
        .open(
            principal.tenant_id,
            principal.user_id,
            principal.session_id,
            trace.now,
        )
        .await
        .map_err(open_problem)?;
    Ok(tokens(state, trace, 201, &principal, &issued)?.position(joined.receipt.position))
}

fn problem(error: accept_invitation::Error) -> Problem {
    match error {
        accept_invitation::Error::Code => Problem::new(Code::CodeRefused, "ask for another invitation"),
        accept_invitation::Error::Reserve(error) => reserve_problem(error),
        accept_invitation::Error::Tenant(error) => execute_problem(error, tenant_refusal),
        accept_invitation::Error::User(error) => {
            execute_problem(error, |refusal| Problem::new(Code::Conflict, refusal.to_string()))
        }
        accept_invitation::Error::Store(error) => error.into(),
    }
}
