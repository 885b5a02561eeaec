//! Coming in and going out.

pub mod accept_invitation;
pub mod change_password;
pub mod login;
pub mod logout;
pub mod me;
pub mod refresh;
pub mod register;
pub mod reset_password;
pub mod sessions;

use ::auth::Principal;
use ::auth::sessions::{Issued, OpenError};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::ApiState;
use crate::trace::Trace;

/// A pair of tokens.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// Send it as `Authorization: Bearer`.
    pub access_token: String,
    /// Works once; gives the next pair.
    pub refresh_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token ends.
    pub expires_in: i64,
}

/// Why no session could be opened although everything was right a moment ago.
pub(crate) fn open_problem(error: OpenError) -> Problem {
    match error {
        OpenError::Closed => Problem::new(Code::AccountDeactivated, error.to_string()),
        error => Problem::failure(error),
    }
}

/// The tokens of a session that was just opened or went on.
pub(crate) fn tokens(
    state: &ApiState,
    trace: &Trace,
    status: u16,
    principal: &Principal,
    issued: &Issued,
) -> Result<Reply, Problem> {
    let access = state
        .tokens
        .issue(principal, trace.now)
        .map_err(|error| Problem::new(Code::Internal, "no access token could be made").because(error))?;
    let body = Tokens {
        access_token: access.expose_secret().to_owned(),
        refresh_token: issued.refresh_token.expose_secret().to_owned(),
        token_type: "bearer",
        expires_in: ::auth::access::LIFETIME.num_seconds(),
    };
    Reply::json(status, &body)
}
