//! A user logs in.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use auth::accounts::LoginError;
use auth::attempts::Attempted;
use auth::{Email, Principal};
use secrecy::SecretString;
use utoipa::ToSchema;

use super::{Tokens, open_problem, tokens};
use crate::attempt;
use crate::call::state;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::trace::Trace;

/// Who logs in.
#[derive(ToSchema)]
pub struct LoginRequest {
    /// Address; case does not matter.
    #[schema(value_type = String, format = "email")]
    pub email: Email,
    /// Password.
    #[schema(value_type = String, format = "password")]
    pub password: SecretString,
}

impl Input for LoginRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", shape::email);
        let password = fields.required("password", shape::secret(auth::password::LONGEST));
        Some(Self {
            email: email?,
            password: password?,
        })
    }
}

/// Log in and open a session.
///
/// # Errors
/// 401 for a wrong address or password, without saying which; 403 for a closed account or a suspended tenant;
/// 429 after too many failures of this login from this network address, or of all logins from there.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", operation_id = "login",
    request_body = LoginRequest, responses((status = 200, body = Tokens), (status = 401), (status = 403)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let state = state(&request)?;
    let trace = Trace::of(&request);
    let given = input::body::<LoginRequest>(&request, payload).await?.value;
    let what = Attempted::Password(given.email.key());
    let attempt = attempt::begin(&state, attempt::address(&request), what, &trace).await?;
    let outcome = state.app.accounts.log_in(&given.email, &given.password).await;
    let outcome = outcome.map_err(problem);
    attempt.end("login", &outcome).await;
    let login = outcome?;
    let principal = Principal {
        user_id: login.user_id,
        tenant_id: login.tenant_id,
        role: login.role,
        session_id: state.ids.next(),
    };
    let issued = state
        .sessions
        .open(login.tenant_id, login.user_id, principal.session_id, trace.now)
        .await
        .map_err(open_problem)?;
    Ok(tokens(&state, &trace, 200, &principal, &issued)?.into())
}

pub(super) fn problem(error: LoginError) -> Problem {
    match error {
        LoginError::Suspended => Problem::new(Code::TenantSuspended, error.to_string()),
        LoginError::WrongCredentials => Problem::new(Code::WrongCredentials, error.to_string()),
        LoginError::Deactivated => Problem::new(Code::AccountDeactivated, error.to_string()),
        LoginError::Password(error) => Problem::failure(error),
        LoginError::Store(error) => error.into(),
    }
}
