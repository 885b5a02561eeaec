//! Messages are sent once more.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use notifications::webhooks::{Deliveries, MessageId, Replayed, Selection};
use serde::Serialize;
use utoipa::ToSchema;

use super::{WHAT, endpoint, is_off};
use crate::call::{Call, path_id};
use crate::input::{self, Fields, Given, Input, shape};
use crate::problem::Problem;
use crate::reply::Reply;

/// Which messages: one by its id, those that were made in a time, or those of events from a position on.
#[derive(Debug, Clone, ToSchema)]
pub struct ReplayRequest {
    /// One message.
    #[schema(required = false, value_type = Option<String>, example = "msg_0198c0de000070008000000000005e11")]
    pub message_id: Option<MessageId>,
    /// The first moment; goes with `until`.
    #[schema(required = false)]
    pub from: Option<DateTime<Utc>>,
    /// The first moment that does not count any more.
    #[schema(required = false)]
    pub until: Option<DateTime<Utc>>,
    /// The first position.
    #[schema(required = false, minimum = 0)]
    pub from_position: Option<i64>,
    /// Only what the receiver has not taken.
    #[schema(required = false, default = false)]
    pub undelivered_only: bool,
}

fn message_id(given: Given<'_>) -> Result<MessageId, String> {
    let text = shape::text(1, 100)(given)?;
    MessageId::parse(&text).ok_or_else(|| "must be an id such as msg_…".to_owned())
}

impl Input for ReplayRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let message_id = fields.optional("message_id", message_id);
        let from = fields.optional("from", shape::time);
        let until = fields.optional("until", shape::time);
        let from_position = fields.optional("from_position", shape::integer(0, i64::MAX));
        let undelivered_only = fields.optional("undelivered_only", shape::boolean);
        Some(Self {
            message_id,
            from,
            until,
            from_position,
            undelivered_only: undelivered_only.unwrap_or_default(),
        })
    }
}

impl ReplayRequest {
    fn selection(&self) -> Result<Selection, Problem> {
        match (self.message_id, self.from, self.until, self.from_position) {
            (Some(id), None, None, None) => Ok(Selection::Message(id)),
            (None, Some(from), Some(until), None) if from < until => Ok(Selection::Between { from, until }),
            (None, Some(_), Some(_), None) => {
                Err(Problem::invalid_field("#/until", "must be later than `from`"))
            }
            (None, None, None, Some(position)) => Ok(Selection::FromPosition(position)),
            _ => {
                let detail = "name `message_id`, or `from` and `until`, or `from_position`";
                Err(Problem::invalid_field("#/message_id", detail))
            }
        }
    }
}

/// How many messages are sent once more.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayView {
    /// So many. Those that are on their way at this moment do not count.
    pub messages: u64,
}

/// Send messages to a webhook endpoint once more, with the ids that they had. Messages are kept for 30 days.
///
/// # Errors
/// 404; 409 where the endpoint is switched off; 422.
#[utoipa::path(post, path = "/api/v1/webhook-endpoints/{id}/replay", tag = "webhooks",
    operation_id = "replay_webhooks", params(("id" = Uuid, Path, description = "Id of the endpoint")),
    request_body = ReplayRequest, responses((status = 202, body = ReplayView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, WHAT)?;
    let body = input::body::<ReplayRequest>(&request, payload).await?;
    endpoint(&call, id).await?;
    let selection = body.value.selection()?;
    let undelivered = body.value.undelivered_only;
    call.command(&request, &body.raw, move |state, context| async move {
        let deliveries = Deliveries::new(state.reads.clone());
        if let Selection::Message(message) = selection
            && !deliveries.has(context.tenant_id, id, message).await?
        {
            return Err(Problem::not_found("message"));
        }
        let replayed = deliveries
            .replay(context.tenant_id, id, selection, undelivered, context.now)
            .await?;
        match replayed {
            Replayed::NoEndpoint => Err(Problem::not_found(WHAT)),
            Replayed::Disabled => Err(is_off()),
            Replayed::Messages(messages) => Reply::json(202, &ReplayView { messages }),
        }
    })
    .await
}
