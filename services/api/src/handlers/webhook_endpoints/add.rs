//! An endpoint is added.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::notice::NoticeKind;
use application::webhooks;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{LONGEST_DESCRIPTION, LONGEST_URL, names, problem};
use crate::call::Call;
use crate::command::Replay;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// Where messages go, and which.
#[derive(Clone, ToSchema)]
pub struct AddRequest {
    /// The address: HTTPS, at port 443 or 8443, a public host. It may hold a key; it is sealed and not shown
    /// again.
    #[schema(
        min_length = 1,
        max_length = 2048,
        example = "https://hooks.example.com/stock"
    )]
    pub url: String,
    /// Types of messages, such as `stock.low`; all of them where none is named.
    #[schema(required = false, value_type = Vec<String>)]
    pub types: Vec<NoticeKind>,
    /// What people call it.
    #[schema(required = false, max_length = 200)]
    pub description: Option<String>,
}

impl Input for AddRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let url = fields.required("url", shape::text(1, LONGEST_URL));
        let types = fields.optional(
            "types",
            shape::list_of(0, NoticeKind::ALL.len(), NoticeKind::parse),
        );
        let description = fields.optional("description", shape::text(0, LONGEST_DESCRIPTION));
        Some(Self {
            url: url?,
            types: types.unwrap_or_default(),
            description,
        })
    }
}

/// An endpoint that was just added.
#[derive(Serialize, ToSchema)]
pub struct AddedView {
    /// Its id.
    pub id: Uuid,
    /// The secret that signs its messages, `whsec_…`. It is not shown again.
    pub secret: String,
    /// What was written to the log.
    pub receipt: ReceiptView,
}

/// Add a webhook endpoint. The answer shows its signing secret once.
///
/// The secret is not kept in the clear: repeating the request with the same `Idempotency-Key` gives the same
/// endpoint another secret, and only the last one counts. Messages are signed as Standard Webhooks 1.0.
///
/// # Errors
/// 402 where the plan has no webhooks; 409 where the business has 20 endpoints; 422 for an address that is
/// not called.
#[utoipa::path(post, path = "/api/v1/webhook-endpoints", tag = "webhooks",
    operation_id = "add_webhook_endpoint", request_body = AddRequest,
    responses((status = 201, body = AddedView), (status = 402)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<AddRequest>(&request, payload).await?;
    let wanted = body.value;
    call.command_as(
        Replay::Rerun,
        &request,
        &body.raw,
        move |state, context| async move {
            let new = webhooks::NewEndpoint {
                url: &wanted.url,
                types: &names(&wanted.types),
                description: wanted.description.as_deref().filter(|text| !text.is_empty()),
            };
            let added = webhooks::add(&state.app, &context, new).await.map_err(problem)?;
            let view = AddedView {
                id: added.endpoint_id,
                secret: added.secret.expose().to_owned(),
                receipt: ReceiptView::of(context.command_id, &added.receipt),
            };
            let address = format!("/api/v1/webhook-endpoints/{}", added.endpoint_id);
            Ok(Reply::json(201, &view)?
                .location(address)
                .position(added.receipt.position))
        },
    )
    .await
}
