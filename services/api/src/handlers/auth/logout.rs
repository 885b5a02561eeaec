//! A session ends.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use auth::sessions::EndReason;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::Call;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedOut {
    /// In words.
    pub message: &'static str,
}

/// End this session. Its access token stops working within a second.
///
/// # Errors
/// 401.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", operation_id = "logout",
    responses((status = 200, body = LoggedOut)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let session_id = call.principal.session_id;
    call.command(&request, &body.raw, move |state, context| async move {
        state
            .sessions
            .revoke_family(context.tenant_id, session_id, EndReason::Logout, context.now)
            .await?;
        state.streams.recheck(Some(context.tenant_id));
        Reply::json(
            200,
            &LoggedOut {
                message: "Logged out successfully",
            },
        )
    })
    .await
}
