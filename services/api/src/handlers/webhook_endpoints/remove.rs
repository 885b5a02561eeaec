//! An endpoint is taken away.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::webhooks;

use super::{WHAT, problem};
use crate::call::{Call, path_id};
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// Remove a webhook endpoint. Its address, its secrets and the log of its deliveries are destroyed; messages
/// that wait are not sent.
///
/// # Errors
/// 404.
#[utoipa::path(delete, path = "/api/v1/webhook-endpoints/{id}", tag = "webhooks",
    operation_id = "remove_webhook_endpoint", params(("id" = Uuid, Path, description = "Id of the endpoint")),
    responses((status = 200, body = ReceiptView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, WHAT)?;
    let body = input::body::<Nothing>(&request, payload).await?;
    call.command(&request, &body.raw, move |state, context| async move {
        let receipt = webhooks::remove(&state.app, &context, id)
            .await
            .map_err(problem)?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}
