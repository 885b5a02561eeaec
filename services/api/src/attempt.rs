//! Attempts that may fail for whoever guesses: passwords, codes, registrations. Counted by
//! [`auth::attempts`], refused here, and told to the operator under marks that show neither login nor
//! address.

use std::net::IpAddr;

use actix_web::HttpRequest;
use auth::accounts::LoginError;
use auth::attempts::{self, Attempted, Marks, Verdict};
use secrecy::SecretString;

use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::state::ApiState;
use crate::trace::Trace;

/// How an attempt ends that was a failure for whoever guesses; every other end gives it back.
const FAILURES: [Code; 4] = [
    Code::WrongCredentials,
    Code::ReauthenticationFailed,
    Code::CodeRefused,
    Code::EmailTaken,
];
/// Somebody knew what to say and is kept out all the same.
const KEPT_OUT: [Code; 2] = [Code::AccountDeactivated, Code::TenantSuspended];

/// An attempt that was counted. Dropped, it stays counted.
pub struct Attempt {
    counted: attempts::Attempt,
    marks: Marks,
    trace: Trace,
}

/// Where a request comes from: the other end of the connection, or whom a trusted proxy names. A request
/// without one is counted with all others of its kind.
pub fn address(request: &HttpRequest) -> IpAddr {
    crate::gate::client(request)
}

/// Marks of who attempts.
pub fn marks(state: &ApiState, from: IpAddr, what: Attempted<'_>) -> Marks {
    Marks::of(&state.tokens.derived_key("marks of attempts v1"), what, from)
}

/// Counts an attempt.
///
/// # Errors
/// 429 saying when to come again.
pub async fn begin(
    state: &ApiState,
    from: IpAddr,
    what: Attempted<'_>,
    trace: &Trace,
) -> Result<Attempt, Problem> {
    let key = state.tokens.derived_key("failed attempts v1");
    let marks = marks(state, from, what);
    match state.app.attempts.begin(&key, what, from, trace.now).await? {
        Verdict::Go(counted) => Ok(Attempt {
            counted,
            marks,
            trace: trace.clone(),
        }),
        Verdict::Wait(wait) => {
            let seconds = wait.num_milliseconds().max(0).unsigned_abs().div_ceil(1000);
            tracing::warn!(
                trace.id = %trace.trace_id.simple(), request.id = %trace.request_id,
                login.mark = marks.login, address.mark = marks.address, retry.after_s = seconds,
                "there were too many failed attempts"
            );
            Err(Problem::new(
                Code::TooManyAttempts,
                format!("there were too many failed attempts; come again in {seconds} seconds"),
            )
            .retry_after(seconds))
        }
    }
}

impl Attempt {
    /// Says how it ended: a failure is told and stays counted, everything else is taken back. Where that
    /// cannot be noted, it stays counted too, which costs little.
    pub async fn end<T>(self, what: &'static str, outcome: &Result<T, Problem>) {
        let code = outcome.as_ref().err().map(Problem::code);
        if let Some(code) = code.filter(|code| FAILURES.contains(code) || KEPT_OUT.contains(code)) {
            tracing::info!(
                trace.id = %self.trace.trace_id.simple(), request.id = %self.trace.request_id,
                attempt = what, problem = code.as_str(),
                login.mark = self.marks.login, address.mark = self.marks.address,
                "an attempt was refused"
            );
        }
        if code.is_some_and(|code| FAILURES.contains(&code)) {
            return;
        }
        if let Err(error) = self.counted.succeeded().await {
            tracing::warn!(error = ?error, "an attempt that was no failure stays counted as one");
        }
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
    let attempt = begin(&call.state, from, what, &call.trace).await?;
    let confirmed = call
        .state
        .app
        .accounts
        .confirm(call.tenant(), user, password)
        .await
        .map_err(unconfirmed);
    attempt.end("confirmation", &confirmed).await;
    confirmed
}

fn unconfirmed(error: LoginError) -> Problem {
    match error {
        LoginError::WrongCredentials => {
            Problem::new(Code::ReauthenticationFailed, "the current password is wrong")
                .at("#/current_password")
        }
        LoginError::Password(error) => Problem::failure(error),
        LoginError::Store(error) => error.into(),
        error @ (LoginError::Deactivated | LoginError::Suspended) => {
            Problem::new(Code::Forbidden, error.to_string())
        }
    }
}
