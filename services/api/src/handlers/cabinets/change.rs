//! A cabinet gets another title or rhythm.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::change_schedule;
use application::domain::cabinet::{LONGEST_INTERVAL_SECONDS, SHORTEST_INTERVAL_SECONDS};
use auth::profiles::Subject;
use deadpool_postgres::Transaction;
use events::ids::CabinetId;
use read_models::operations::queries;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::cabinet_refusal;
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::handlers::{execute_problem, tag};
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// What shall be otherwise; what is left out stays.
#[derive(Debug, Clone, ToSchema)]
pub struct ChangeRequest {
    /// What the seller calls it.
    #[schema(required = false, max_length = 255)]
    pub title: Option<String>,
    /// Seconds between two scheduled syncs; at least what the business's plan allows. 86400 means once a
    /// day, in the morning of the business's time zone.
    #[schema(required = false, minimum = 300, maximum = 604_800)]
    pub interval_seconds: Option<u32>,
    /// Whether the schedule rests.
    #[schema(required = false)]
    pub paused: Option<bool>,
}

impl Input for ChangeRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let title = fields.optional("title", shape::text(0, 255));
        let range = shape::integer(SHORTEST_INTERVAL_SECONDS.into(), LONGEST_INTERVAL_SECONDS.into());
        let interval_seconds = fields
            .optional("interval_seconds", range)
            .and_then(|seconds| u32::try_from(seconds).ok());
        let paused = fields.optional("paused", shape::boolean);
        Some(Self {
            title,
            interval_seconds,
            paused,
        })
    }
}

/// What was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    /// The cabinet.
    pub id: Uuid,
    /// What was written to the log; none when only the title changed, which is no event.
    pub receipt: Option<ReceiptView>,
}

/// Change a cabinet. Needs `If-Match` with the cabinet's `ETag`.
///
/// # Errors
/// 404, 412, 428; 422 for a rhythm that the plan does not allow.
#[utoipa::path(patch, path = "/api/v1/cabinets/{id}", tag = "cabinets", operation_id = "change_cabinet",
    params(("id" = Uuid, Path, description = "Id of the cabinet"),
           ("If-Match" = String, Header, description = "ETag of the cabinet as you know it")),
    request_body = ChangeRequest, responses((status = 200, body = Changed)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "cabinet")?;
    let body = input::body::<ChangeRequest>(&request, payload).await?;
    let wanted = body.value;
    let question = async |tx: &Transaction<'_>| queries::cabinet(tx, id).await;
    let (cabinet, _) = call.read(&request, Model::Operations, question).await?;
    let cabinet = cabinet
        .filter(|cabinet| cabinet.status == "connected")
        .ok_or_else(|| Problem::not_found("cabinet"))?;
    let precondition = tag::require(&request, "cabinet", cabinet.position);
    let known = cabinet
        .interval_seconds
        .and_then(|seconds| u32::try_from(seconds).ok());
    call.command(&request, &body.raw, move |state, context| async move {
        // Checked only now, so that a repeated request gets its first answer although it changed the tag
        // itself.
        precondition?;
        let mut receipt = None;
        if wanted.interval_seconds.is_some() || wanted.paused.is_some() {
            let schedule = change_schedule::Wanted {
                interval_seconds: wanted.interval_seconds.or(known),
                paused: wanted.paused.unwrap_or(cabinet.paused),
            };
            let done = change_schedule::execute(&state.app, &context, CabinetId(id), schedule)
                .await
                .map_err(schedule_problem)?;
            receipt = Some(done);
        }
        if let Some(title) = &wanted.title {
            state
                .app
                .profiles
                .set(context.tenant_id, Subject::Cabinet, id, title)
                .await?;
        }
        let view = receipt
            .as_ref()
            .map(|receipt| ReceiptView::of(context.command_id, receipt));
        let reply = Reply::json(200, &Changed { id, receipt: view })?;
        Ok(match receipt {
            Some(receipt) => reply.position(receipt.position),
            None => reply,
        })
    })
    .await
}

fn schedule_problem(error: change_schedule::Error) -> Problem {
    match error {
        change_schedule::Error::Execute(error) => execute_problem(error, cabinet_refusal),
        change_schedule::Error::Terms(error) => error.into(),
        change_schedule::Error::Limit(limit) => Problem::plan_limit(limit).at("#/interval_seconds"),
    }
}
