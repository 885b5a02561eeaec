//! Where one is logged in, and ending that.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use auth::sessions::{EndReason, SessionCursor, SessionInfo};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::logout::LoggedOut;
use crate::call::{Call, path_id};
use crate::cursor::{Binding, next_address};
use crate::input::{self, Fields, Input, Nothing, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// A login that goes on.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// Its id.
    pub id: Uuid,
    /// Whether this request belongs to it.
    pub current: bool,
    /// When the login was.
    pub created_at: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
}

/// Which page.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionFilter {
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

impl Input for SessionFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let limit = fields.optional("limit", shape::integer(1, 100)).unwrap_or(50);
        let cursor = fields.optional("cursor", shape::text(1, 1000));
        Some(Self { limit, cursor })
    }
}

/// List one's own sessions, the newest login first.
///
/// # Errors
/// 422 for a cursor of another list.
#[utoipa::path(get, path = "/api/v1/auth/sessions", tag = "auth", operation_id = "sessions",
    params(SessionFilter), responses((status = 200, body = Page<SessionView>)))]
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: SessionFilter = input::query(&request)?;
    let binding = Binding::of(&call.state.tokens, call.tenant(), &request);
    let after = filter
        .cursor
        .map(|cursor| binding.decode::<(Uuid, SessionCursor)>(&cursor))
        .transpose()?
        .map(|(user, after)| {
            // The list is the caller's own; a colleague's cursor belongs to another one.
            let own = user == call.principal.user_id.uuid();
            own.then_some(after)
                .ok_or_else(|| Problem::invalid_field("?cursor", "the cursor does not belong to this list"))
        })
        .transpose()?;
    let mut rows = call
        .state
        .sessions
        .list(
            call.tenant(),
            call.principal.user_id,
            after,
            filter.limit + 1,
            call.trace.now,
        )
        .await?;
    let shown = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = match rows.last() {
        Some(last) if more => {
            let place = (last.created_at, last.session_id);
            Some(binding.encode(&(call.principal.user_id.uuid(), place))?)
        }
        _ => None,
    };
    let link = next.as_ref().map(|cursor| next_address(&request, cursor));
    let current = call.principal.session_id;
    let data = rows.iter().map(|row| view(row, current)).collect();
    Ok(Reply::json(200, &Page::part(data, next))?.next_page(link).into())
}

/// End one of one's own sessions. Its access token stops working within a second.
///
/// # Errors
/// 404 for one that is not one's own or has ended.
#[utoipa::path(delete, path = "/api/v1/auth/sessions/{id}", tag = "auth", operation_id = "end_session",
    params(("id" = Uuid, Path, description = "Id of the session")),
    responses((status = 200, body = LoggedOut)))]
pub async fn end_one(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "session")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let user = call.principal.user_id;
    call.command(&request, &body.raw, move |state, context| async move {
        let ended = state
            .sessions
            .end_one(context.tenant_id, user, id, context.now)
            .await?;
        if !ended {
            return Err(Problem::not_found("session"));
        }
        state.streams.recheck(Some(context.tenant_id));
        let message = "The session has ended";
        Reply::json(200, &LoggedOut { message })
    })
    .await
}

/// End all of one's own sessions but this one.
///
/// # Errors
/// 401.
#[utoipa::path(delete, path = "/api/v1/auth/sessions", tag = "auth", operation_id = "end_other_sessions",
    responses((status = 200, body = LoggedOut)))]
pub async fn end_others(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let (user, keep) = (call.principal.user_id, call.principal.session_id);
    call.command(&request, &body.raw, move |state, context| async move {
        state
            .sessions
            .end_all(
                context.tenant_id,
                user,
                Some(keep),
                EndReason::Logout,
                context.now,
            )
            .await?;
        state.streams.recheck(Some(context.tenant_id));
        let message = "All other sessions have ended";
        Reply::json(200, &LoggedOut { message })
    })
    .await
}

fn view(row: &SessionInfo, current: Uuid) -> SessionView {
    SessionView {
        id: row.session_id,
        current: row.session_id == current,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
    }
}
