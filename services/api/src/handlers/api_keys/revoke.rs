//! A key is taken away.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::{Call, path_id};
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {
    /// In words.
    pub message: &'static str,
}

/// Revoke an API key. It stops working within a second.
///
/// # Errors
/// 404.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "api-keys", operation_id = "revoke_api_key",
    params(("id" = Uuid, Path, description = "Id of the key")),
    responses((status = 200, body = Revoked)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "API key")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    call.command(&request, &body.raw, move |state, context| async move {
        let keys = &state.app.api_keys;
        if !keys.revoke(context.tenant_id, id, context.now).await? {
            return Err(Problem::not_found("API key"));
        }
        state.streams.recheck(Some(context.tenant_id));
        let message = "The API key is revoked";
        Reply::json(200, &Revoked { message })
    })
    .await
}
