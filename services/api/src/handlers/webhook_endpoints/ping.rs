//! An endpoint is tried.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use notifications::webhooks::{self, Deliveries, MessageId, PING};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{WHAT, endpoint, is_off};
use crate::call::{Call, path_id};
use crate::input::{self, Nothing};
use crate::problem::{Code, Problem};
use crate::reply::Reply;

/// A ping on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct PingView {
    /// Its `webhook-id`; `GET …/deliveries` shows what became of it.
    #[schema(example = "msg_0198c0de000070008000000000005e11")]
    pub message_id: String,
}

/// Send a message of the type `ping` to a webhook endpoint. While one waits, that one is answered and no
/// second one is sent.
///
/// # Errors
/// 404; 409 where the endpoint is switched off.
#[utoipa::path(post, path = "/api/v1/webhook-endpoints/{id}/ping", tag = "webhooks",
    operation_id = "ping_webhook_endpoint", params(("id" = Uuid, Path, description = "Id of the endpoint")),
    responses((status = 202, body = PingView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, WHAT)?;
    let body = input::body::<Nothing>(&request, payload).await?;
    endpoint(&call, id).await?;
    call.command(&request, &body.raw, move |state, context| async move {
        let message = MessageId::of(context.command_id.uuid(), id);
        let body = webhooks::body(PING, context.now, json!({ "endpoint_id": id }))
            .map_err(|error| Problem::new(Code::Internal, "the ping cannot be written").because(error))?;
        let deliveries = Deliveries::new(state.reads.clone());
        let sent = deliveries
            .ping(context.tenant_id, id, message, &body, context.now)
            .await?;
        let message_id = sent.ok_or_else(is_off)?.to_string();
        Reply::json(202, &PingView { message_id })
    })
    .await
}
