//! One authenticated request: who calls, for which tenant, and how it asks. The tenant comes from the token
//! and from nowhere else.

use std::future::Future;

use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use application::Context;
use auth::api_keys::{self, KeyStanding};
use auth::attempts::Attempted;
use auth::{Action, Principal, Standing};
use deadpool_postgres::Transaction;
use events::ids::TenantId;
use read_models::QueryError;
use secrecy::SecretString;
use uuid::Uuid;

use crate::attempt;
use crate::command::{self, Replay};
use crate::freshness::{Model, Wanted};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::rights::{Proof, Rights};
use crate::routes::{self, Access};
use crate::state::ApiState;
use crate::trace::Trace;

/// A request whose caller is known and may do what the route does.
#[derive(Clone)]
pub struct Call {
    /// The means.
    pub state: Data<ApiState>,
    /// Who calls.
    pub principal: Principal,
    /// Whether a program calls, with an API key of that person.
    pub by_key: bool,
    /// What the request is called.
    pub trace: Trace,
    proof: Proof,
    access: Option<Access>,
}

/// The means, for routes without a caller.
///
/// # Errors
/// 500 when the server is not set up.
pub fn state(request: &HttpRequest) -> Result<Data<ApiState>, Problem> {
    request
        .app_data::<Data<ApiState>>()
        .cloned()
        .ok_or_else(|| Problem::new(Code::Internal, "the server is not set up"))
}

impl Call {
    /// Lets the caller in, or not: a valid token or key, a session that goes on, a tenant that may use the
    /// service, a role (and for a key a scope) that may do what the route's line in the table says.
    ///
    /// # Errors
    /// 401, 402 where a program has used up the month's quota, 403 or 429.
    pub async fn enter(request: &HttpRequest) -> Result<Self, Problem> {
        let state = state(request)?;
        let trace = Trace::of(request);
        let token = bearer(request)?;
        let (standing, scopes, proof) = if token.starts_with(api_keys::PREFIX) {
            let KeyStanding { standing, scopes } = key(&state, token, &trace, request).await?;
            (standing, Some(scopes), Proof::Key(SecretString::from(token)))
        } else {
            let (standing, proof) = session(&state, token, &trace).await?;
            (standing, None, proof)
        };
        crate::limits::admit_caller(request, &standing).await?;
        let access = routes::of(request).map(|route| route.access);
        if let Err(problem) = allow(access, &standing, scopes.as_deref()) {
            tracing::info!(
                trace.id = %trace.trace_id.simple(), request.id = %trace.request_id,
                tenant.id = %standing.principal.tenant_id, user.id = %standing.principal.user_id,
                by_key = scopes.is_some(), problem = problem.code().as_str(),
                http.route = request.match_pattern(), "a caller was refused"
            );
            return Err(problem);
        }
        crate::quota::admit(request, &state, &standing, scopes.is_some()).await?;
        Ok(Self {
            state,
            principal: standing.principal,
            by_key: scopes.is_some(),
            trace,
            proof,
            access,
        })
    }

    /// What the caller came with, for an answer that goes on.
    pub(crate) fn rights(&self) -> Rights {
        Rights {
            state: self.state.clone(),
            proof: self.proof.clone(),
            access: self.access,
        }
    }

    /// Whose data.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.principal.tenant_id
    }

    /// Asks a read model, once it is as far as the request wants; also returns the position of the answer.
    ///
    /// # Errors
    /// 503 `projection-behind`, or the question's failure.
    pub async fn read<T>(
        &self,
        request: &HttpRequest,
        model: Model,
        question: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, QueryError>,
    ) -> Result<(T, i64), Problem> {
        Wanted::of(request)?
            .reached(&self.state.positions, &self.state.reads, model)
            .await?;
        // The position is read before the question's rows, so the answer is at least that new.
        self.ask(async |tx| {
            let position = model.position(tx).await?;
            Ok((question(tx).await?, position))
        })
        .await
    }

    /// Asks a read model as it is.
    ///
    /// # Errors
    /// The question's failure.
    pub async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, QueryError>,
    ) -> Result<T, Problem> {
        let mut session = self.state.reads.tenant(self.tenant()).await?;
        let transaction = session.begin().await?;
        let answer = question(&transaction).await?;
        transaction.commit().await.map_err(QueryError::from)?;
        Ok(answer)
    }

    /// Runs a command once for its `Idempotency-Key`.
    ///
    /// # Errors
    /// See [`command::run`].
    pub async fn command<Work, Working>(
        &self,
        request: &HttpRequest,
        raw: &[u8],
        work: Work,
    ) -> Result<HttpResponse, Problem>
    where
        Work: FnOnce(Data<ApiState>, Context) -> Working + 'static,
        Working: Future<Output = Result<Reply, Problem>> + 'static,
    {
        self.command_as(Replay::Stored, request, raw, work).await
    }

    /// The same, saying what a repetition gets.
    ///
    /// # Errors
    /// See [`command::run`].
    pub async fn command_as<Work, Working>(
        &self,
        replay: Replay,
        request: &HttpRequest,
        raw: &[u8],
        work: Work,
    ) -> Result<HttpResponse, Problem>
    where
        Work: FnOnce(Data<ApiState>, Context) -> Working + 'static,
        Working: Future<Output = Result<Reply, Problem>> + 'static,
    {
        // What is about the login itself is about this session of it: ending another one is another request.
        let whose = match routes::of(request).map(|route| route.access) {
            Some(Access::Needs(Action::ManageSelf)) => self.principal.session_id,
            _ => self.principal.user_id.uuid(),
        };
        let identity = command::Identity::of(request, self.tenant(), whose, raw)?;
        let context = Context {
            tenant_id: self.tenant(),
            actor: if self.by_key {
                format!("api_key:{}", self.principal.session_id)
            } else {
                format!("user:{}", self.principal.user_id)
            },
            command_id: identity.command_id(),
            correlation_id: self.trace.trace_id,
            causation_id: None,
            traceparent: Some(self.trace.traceparent.clone()),
            now: self.trace.now,
        };
        let state = self.state.clone();
        command::run(&self.state, identity, &self.trace, replay, move || {
            work(state, context)
        })
        .await
    }
}

async fn session(state: &ApiState, token: &str, trace: &Trace) -> Result<(Standing, Proof), Problem> {
    let (claimed, ends_at) = state.tokens.verify_until(token, trace.now).map_err(|error| {
        tracing::debug!(error = %error, "an access token was refused");
        unauthenticated("the access token is not accepted")
    })?;
    let standing = state.sessions.check(&claimed, trace.now).await?;
    let standing = standing.ok_or_else(|| unauthenticated("the session has ended"))?;
    Ok((standing, Proof::Token(claimed, ends_at)))
}

async fn key(
    state: &ApiState,
    token: &str,
    trace: &Trace,
    request: &HttpRequest,
) -> Result<KeyStanding, Problem> {
    let standing = state
        .app
        .api_keys
        .check(&SecretString::from(token), trace.now)
        .await?;
    standing.ok_or_else(|| {
        let marks = attempt::marks(state, attempt::address(request), Attempted::Unnamed);
        tracing::info!(
            trace.id = %trace.trace_id.simple(), request.id = %trace.request_id,
            address.mark = marks.address, "an API key was refused"
        );
        unauthenticated("the API key is not accepted")
    })
}

/// The one decision about every request with a caller.
pub(crate) fn allow(
    access: Option<Access>,
    caller: &Standing,
    scopes: Option<&[Action]>,
) -> Result<(), Problem> {
    // A platform administrator is not kept out by a suspension: somebody has to end it.
    if caller.suspended && !caller.admin {
        return Err(Problem::new(
            Code::TenantSuspended,
            "the tenant may not use the service for now",
        ));
    }
    match access {
        Some(Access::Needs(action)) => {
            if !action.allowed_for(caller.principal.role) {
                let least = auth::permission::role_name(action.least_role());
                let detail = format!("this needs the role {least} or a higher one");
                return Err(Problem::new(Code::Forbidden, detail));
            }
            if scopes.is_some_and(|scopes| !scopes.contains(&action)) {
                let detail = match action.scope() {
                    Some(scope) => format!("this needs an API key with the scope {scope}"),
                    None => "this needs a person who is logged in, not an API key".to_owned(),
                };
                return Err(Problem::new(Code::ScopeMissing, detail));
            }
            Ok(())
        }
        Some(Access::Platform) if caller.admin => Ok(()),
        // Deny by default: a handler that asks for a caller has to be in the table with an action.
        Some(Access::Platform | Access::Public) | None => {
            Err(Problem::new(Code::Forbidden, "this is not for you"))
        }
    }
}

/// The uuid in the path.
///
/// # Errors
/// 404: what is no uuid names nothing.
pub fn path_id(request: &HttpRequest, what: &str) -> Result<Uuid, Problem> {
    request
        .match_info()
        .get("id")
        .and_then(|text| Uuid::try_parse(text).ok())
        .ok_or_else(|| Problem::not_found(what))
}

fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let (scheme, token) = header
        .and_then(|value| value.split_once(' '))
        .ok_or_else(|| unauthenticated("send an access token as Authorization: Bearer"))?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(unauthenticated("send an access token as Authorization: Bearer"))
    }
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail).header(WWW_AUTHENTICATE, "Bearer")
}
