//! An endpoint gets another signing secret.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::webhooks;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{WHAT, problem};
use crate::call::{Call, path_id};
use crate::command::Replay;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// An endpoint with another secret.
#[derive(Serialize, ToSchema)]
pub struct RotatedView {
    /// The new secret, `whsec_…`. It is not shown again.
    pub secret: String,
    /// Until when messages carry a signature with the former secret as well.
    pub former_secret_until: DateTime<Utc>,
    /// What was written to the log.
    pub receipt: ReceiptView,
}

/// Give a webhook endpoint another signing secret. The answer shows it once.
///
/// For 24 hours messages carry two signatures, one with each secret, so that the receiver can change over at
/// any moment. A secret before the former one ends at once.
///
/// # Errors
/// 404.
#[utoipa::path(post, path = "/api/v1/webhook-endpoints/{id}/rotate-secret", tag = "webhooks",
    operation_id = "rotate_webhook_secret", params(("id" = Uuid, Path, description = "Id of the endpoint")),
    responses((status = 200, body = RotatedView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, WHAT)?;
    let body = input::body::<Nothing>(&request, payload).await?;
    call.command_as(
        Replay::Rerun,
        &request,
        &body.raw,
        move |state, context| async move {
            let rotated = webhooks::rotate(&state.app, &context, id)
                .await
                .map_err(problem)?;
            let view = RotatedView {
                secret: rotated.secret.expose().to_owned(),
                former_secret_until: context.now + webhooks::FORMER_VALID,
                receipt: ReceiptView::of(context.command_id, &rotated.receipt),
            };
            Ok(Reply::json(200, &view)?.position(rotated.receipt.position))
        },
    )
    .await
}
