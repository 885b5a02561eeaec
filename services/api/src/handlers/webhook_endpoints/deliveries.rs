//! What was sent to an endpoint, and how it ended.

use actix_web::{HttpRequest, HttpResponse};
use application::domain::notice::NoticeKind;
use chrono::{DateTime, Utc};
use notifications::webhooks::{Attempt, Deliveries, Delivery, Filter, Marker, MessageId, MessageState, PING};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{WHAT, endpoint};
use crate::call::{Call, path_id};
use crate::cursor::{Binding, next_address};
use crate::input::{self, Fields, Given, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

const STATES: &[(&str, MessageState)] = &[
    ("waiting", MessageState::Waiting),
    ("delivered", MessageState::Delivered),
    ("given_up", MessageState::GivenUp),
    ("paused", MessageState::Paused),
];

/// Which deliveries.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveryFilter {
    /// In one state.
    #[param(required = false, value_type = String)]
    pub state: Option<MessageState>,
    /// Of one type, such as `stock.low` or `ping`.
    #[param(required = false, rename = "type")]
    pub kind: Option<String>,
    /// Rows on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
    /// Where the page begins.
    #[param(required = false)]
    pub cursor: Option<String>,
}

fn known_type(given: Given<'_>) -> Result<String, String> {
    let text = shape::text(1, 100)(given)?;
    let known = text == PING || NoticeKind::parse(&text).is_some();
    known
        .then_some(text)
        .ok_or_else(|| "there are no messages of this type".to_owned())
}

impl Input for DeliveryFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let state = fields.optional("state", shape::one_of(STATES));
        let kind = fields.optional("type", known_type);
        let limit = fields.optional("limit", shape::integer(1, 100)).unwrap_or(50);
        let cursor = fields.optional("cursor", shape::text(1, 1000));
        Some(Self {
            state,
            kind,
            limit,
            cursor,
        })
    }
}

/// A message and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its `webhook-id`.
    pub message_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Position of its event; of a ping the length of the log.
    pub position: i64,
    /// `waiting`, `delivered`, `given_up`, or `paused` because the endpoint was switched off.
    pub state: &'static str,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it is sent next, while it waits.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was delivered or given up.
    pub ended_at: Option<DateTime<Utc>>,
    /// The newest attempts, at most 20, the oldest of them first.
    pub attempts: Vec<AttemptView>,
}

/// One attempt. Nothing of the answer but its status.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// Counted from 1; a replay counts anew.
    pub attempt: i32,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// HTTP status of the answer; none without one.
    pub status: Option<i32>,
    /// `delivered`, `gone`, `rate_limited`, `unavailable`, `redirect`, `refused`, `timeout`, `connection`,
    /// `tls`, `blocked` or `unsendable`.
    pub outcome: String,
    /// From resolving the name to the end of the answer.
    pub duration_ms: i64,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            attempt: attempt.attempt,
            at: attempt.at,
            status: attempt.status,
            outcome: attempt.outcome,
            duration_ms: attempt.duration_ms,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            message_id: delivery.message_id.to_string(),
            kind: delivery.kind,
            position: delivery.position,
            state: delivery.state.as_str(),
            created_at: delivery.created_at,
            next_attempt_at: delivery.next_at,
            ended_at: delivery.ended_at,
            attempts: delivery.attempts.into_iter().map(Into::into).collect(),
        }
    }
}

/// List what was sent to a webhook endpoint in the last 30 days, the newest first.
///
/// # Errors
/// 404, 422.
#[utoipa::path(get, path = "/api/v1/webhook-endpoints/{id}/deliveries", tag = "webhooks",
    operation_id = "webhook_deliveries",
    params(("id" = Uuid, Path, description = "Id of the endpoint"), DeliveryFilter),
    responses((status = 200, body = Page<DeliveryView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, WHAT)?;
    endpoint(&call, id).await?;
    let wanted: DeliveryFilter = input::query(&request)?;
    let binding = Binding::of(&call.state.tokens, call.tenant(), &request);
    let after = wanted
        .cursor
        .map(|cursor| binding.decode::<(i64, Uuid)>(&cursor))
        .transpose()?
        .map(|(position, message)| Marker {
            position,
            message_id: MessageId(message),
        });
    let filter = Filter {
        state: wanted.state,
        kind: wanted.kind,
    };
    let deliveries = Deliveries::new(call.state.reads.clone());
    let mut rows = deliveries
        .page(call.tenant(), id, &filter, after, wanted.limit + 1)
        .await?;
    let shown = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = match rows.last() {
        Some(last) if more => Some(binding.encode(&(last.position, last.message_id.0))?),
        _ => None,
    };
    let link = next.as_ref().map(|cursor| next_address(&request, cursor));
    let data = rows.into_iter().map(DeliveryView::from).collect();
    Ok(Reply::json(200, &Page::part(data, next))?.next_page(link).into())
}
