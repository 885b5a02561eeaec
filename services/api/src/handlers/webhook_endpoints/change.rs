//! An endpoint gets another address, filter or name, or is switched off or on.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::notice::NoticeKind;
use application::webhooks;
use utoipa::ToSchema;

use super::{LONGEST_DESCRIPTION, LONGEST_URL, WHAT, endpoint, names, problem};
use crate::call::{Call, path_id};
use crate::handlers::tag;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// What shall be otherwise; what is left out stays.
#[derive(Clone, ToSchema)]
pub struct ChangeEndpointRequest {
    /// The address, as when it was added.
    #[schema(required = false, min_length = 1, max_length = 2048)]
    pub url: Option<String>,
    /// Types of messages; none for all.
    #[schema(required = false, value_type = Option<Vec<String>>)]
    pub types: Option<Vec<NoticeKind>>,
    /// What people call it; null for no name.
    #[schema(required = false, value_type = Option<String>, max_length = 200)]
    pub description: Option<Option<String>>,
    /// Whether messages are sent to it. What was paused while it was off stays paused until it is replayed.
    #[schema(required = false)]
    pub enabled: Option<bool>,
}

impl Input for ChangeEndpointRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let url = fields.optional("url", shape::text(1, LONGEST_URL));
        let types = fields.optional(
            "types",
            shape::list_of(0, NoticeKind::ALL.len(), NoticeKind::parse),
        );
        let description = fields.nullable("description", shape::text(1, LONGEST_DESCRIPTION));
        let enabled = fields.optional("enabled", shape::boolean);
        Some(Self {
            url,
            types,
            description,
            enabled,
        })
    }
}

/// Change a webhook endpoint. Needs `If-Match` with the endpoint's `ETag`.
///
/// # Errors
/// 402 where the plan has no webhooks and it is to be switched on; 404, 412, 428; 422 for an address that is
/// not called.
#[utoipa::path(patch, path = "/api/v1/webhook-endpoints/{id}", tag = "webhooks",
    operation_id = "change_webhook_endpoint",
    params(("id" = Uuid, Path, description = "Id of the endpoint"),
           ("If-Match" = String, Header, description = "ETag of the endpoint as you know it")),
    request_body = ChangeEndpointRequest, responses((status = 200, body = ReceiptView), (status = 402)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, WHAT)?;
    let body = input::body::<ChangeEndpointRequest>(&request, payload).await?;
    let wanted = body.value;
    let endpoint = endpoint(&call, id).await?;
    let precondition = tag::require(&request, WHAT, endpoint.version);
    call.command(&request, &body.raw, move |state, context| async move {
        // Checked only now, so that a repeated request gets its first answer although it changed the tag
        // itself.
        precondition?;
        let types = wanted.types.as_deref().map(names);
        let wanted = webhooks::Wanted {
            url: wanted.url.as_deref(),
            types: types.as_deref(),
            description: wanted.description.as_ref().map(Option::as_deref),
            enabled: wanted.enabled,
        };
        let receipt = webhooks::change(&state.app, &context, id, wanted)
            .await
            .map_err(problem)?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}
