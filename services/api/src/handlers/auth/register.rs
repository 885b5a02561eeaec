//! A seller signs up and is logged in at once.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use application::{Context, register};
use auth::accounts::{LoginError, ReserveError};
use auth::attempts::Attempted;
use auth::password::PasswordError;
use auth::{Email, Principal, Role};
use secrecy::SecretString;
use utoipa::ToSchema;

use super::{Tokens, open_problem, tokens};
use crate::attempt;
use crate::call::state;
use crate::command::{self, Identity, Replay};
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::ApiState;
use crate::trace::Trace;

/// Who signs up.
#[derive(ToSchema)]
pub struct RegisterRequest {
    /// Address to log in with; case does not matter.
    #[schema(value_type = String, format = "email", max_length = 254)]
    pub email: Email,
    /// At least 8 characters.
    #[schema(value_type = String, format = "password", min_length = 8)]
    pub password: SecretString,
    /// What the business is called.
    #[schema(min_length = 2, max_length = 255)]
    pub company_name: String,
    /// What the person is called.
    #[schema(required = false, max_length = 255)]
    pub full_name: Option<String>,
}

impl Input for RegisterRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", shape::email);
        let password = fields.required("password", shape::password);
        let company_name = fields.required("company_name", shape::text(2, 255));
        let full_name = fields.optional("full_name", shape::text(0, 255));
        Some(Self {
            email: email?,
            password: password?,
            company_name: company_name?,
            full_name,
        })
    }
}

/// Register a business, its first user and its first session.
///
/// The answer holds tokens, which are not kept: repeating the request with the same key finds the same
/// account and opens another session.
///
/// # Errors
/// 409 for an address that is registered; 429 after too many of those from one network address.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", operation_id = "register",
    request_body = RegisterRequest, responses((status = 201, body = Tokens)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let state = state(&request)?;
    let trace = Trace::of(&request);
    let body = input::body::<RegisterRequest>(&request, payload).await?;
    let identity = Identity::of_stranger(&request, body.value.email.key(), &body.raw)?;
    let command_id = identity.command_id();
    let context = Context {
        tenant_id: register::tenant_of(command_id),
        actor: "visitor".to_owned(),
        command_id,
        correlation_id: trace.trace_id,
        causation_id: None,
        traceparent: Some(trace.traceparent.clone()),
        now: trace.now,
    };
    let (means, names) = (state.clone(), trace.clone());
    let from = attempt::address(&request);
    command::run(&state, identity, &trace, Replay::Rerun, move || async move {
        let attempt = attempt::begin(&means, from, Attempted::Unnamed, &names).await?;
        let outcome = sign_up(means, names, context, body.value).await;
        attempt.end("registration", &outcome).await;
        outcome
    })
    .await
}

async fn sign_up(
    state: Data<ApiState>,
    trace: Trace,
    context: Context,
    who: RegisterRequest,
) -> Result<Reply, Problem> {
    let input = register::Input {
        email: who.email.clone(),
        password: who.password.clone(),
        company_name: who.company_name,
        display_name: who.full_name.unwrap_or_default(),
    };
    let registered = register::execute(&state.app, &context, input)
        .await
        .map_err(problem)?;
    if registered.receipt.duplicate {
        // The account was there. Only its password lets anybody in; a key that somebody guessed does not.
        match state.app.accounts.log_in(&who.email, &who.password).await {
            Ok(_) => {}
            Err(LoginError::WrongCredentials | LoginError::Deactivated) => {
                return Err(problem(ReserveError::EmailTaken.into()));
            }
            Err(error) => return Err(super::login::problem(error)),
        }
    }
    let principal = Principal {
        user_id: registered.user_id,
        tenant_id: registered.tenant_id,
        role: Role::Owner,
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
    Ok(tokens(&state, &trace, 201, &principal, &issued)?.position(registered.receipt.position))
}

fn problem(error: register::Error) -> Problem {
    match error {
        register::Error::Reserve(error) => reserve_problem(error),
        register::Error::Tenant(error) => {
            execute_problem(error, |refusal| Problem::new(Code::Conflict, refusal.to_string()))
        }
        register::Error::User(error) => {
            execute_problem(error, |refusal| Problem::new(Code::Conflict, refusal.to_string()))
        }
        error => Problem::failure(error),
    }
}

/// The problem of an address or a password that cannot be registered.
pub(super) fn reserve_problem(error: ReserveError) -> Problem {
    match error {
        ReserveError::EmailTaken => Problem::new(
            Code::EmailTaken,
            "the e-mail address is already registered; log in instead",
        )
        .at("#/email"),
        ReserveError::Erased => Problem::new(
            Code::IdempotencyKeyReused,
            "this Idempotency-Key made a business that was erased since; use a new one",
        )
        .at("header Idempotency-Key"),
        ReserveError::Password(PasswordError::Unacceptable(reason)) => {
            Problem::invalid_field("#/password", reason.to_string())
        }
        error => Problem::failure(error),
    }
}
