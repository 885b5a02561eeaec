//! Attempts that may fail for whoever guesses: passwords, codes, registrations. Counted by
//! [`auth::attempts`], refused here.

use std::net::IpAddr;

use actix_web::HttpRequest;
use auth::accounts::LoginError;
use auth::attempts::{Attempt, Attempted, Verdict};
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// Where a request comes from: the other end of the connection, or whom a trusted proxy names. A request
/// without one is counted with all others of its kind.
pub fn address(request: &HttpRequest) -> IpAddr {
    crate::gate::client(request)
}

/// Counts an attempt.
///
/// # Errors
/// 429 saying when to come again.
pub async fn begin(
    state: &ApiState,
    from: IpAddr,
    what: Attempted<'_>,
    now: DateTime<Utc>,
) -> Result<Attempt, Problem> {
    let key = state.tokens.derived_key("failed attempts v1");
    match state.app.attempts.begin(&key, what, from, now).await? {
        Verdict::Go(attempt) => Ok(attempt),
        Verdict::Wait(wait) => {
            let seconds = wait.num_milliseconds().max(0).unsigned_abs().div_ceil(1000);
            tracing::warn!(
                retry.after_s = seconds,
                "an address made too many failed attempts"
            );
            Err(Problem::new(
                Code::TooManyAttempts,
                format!("there were too many failed attempts; come again in {seconds} seconds"),
            )
            .retry_after(seconds))
        }
    }
}

/// The attempt was no failure. Where that cannot be noted, the attempt stays counted, which costs little.
pub async fn succeeded(attempt: Attempt) {
    if let Err(error) = attempt.succeeded().await {
        tracing::warn!(error = ?error, "an attempt that succeeded stays counted as a failure");
    }
}

/// Asks a person who is logged in for the password once more, before something that a stolen session must not
/// be able to do.
///
/// # Errors
/// 403 for a wrong password, 429 after too many of them.
pub async fn confirm(call: &Call, from: IpAddr, password: &SecretString) -> Result<(), Problem> {
    let user = call.principal.user_id;
    let name = format!("user:{user}");
    let what = Attempted::Password(&name);
    let attempt = begin(&call.state, from, what, call.trace.now).await?;
    match call
        .state
        .app
        .accounts
        .confirm(call.tenant(), user, password)
        .await
    {
        Ok(()) => {
            succeeded(attempt).await;
            Ok(())
        }
        Err(LoginError::WrongCredentials) => Err(Problem::new(
            Code::ReauthenticationFailed,
            "the current password is wrong",
        )
        .at("#/current_password")),
        Err(LoginError::Password(error)) => Err(Problem::failure(error)),
        Err(LoginError::Store(error)) => Err(error.into()),
        Err(error @ (LoginError::Deactivated | LoginError::Suspended)) => {
            Err(Problem::new(Code::Forbidden, error.to_string()))
        }
    }
}
