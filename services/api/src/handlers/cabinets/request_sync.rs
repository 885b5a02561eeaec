//! A cabinet shall be brought up to date.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::sync::SyncRefusal;
use application::request_sync;
use events::ids::CabinetId;
use events::sync::Trigger;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::{Call, path_id};
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::{ReceiptView, Reply};

/// How.
#[derive(Debug, Clone, Copy, ToSchema)]
pub struct SyncRequest {
    /// Read even what was read less than five minutes ago.
    #[schema(required = false)]
    pub forced: bool,
}

impl Input for SyncRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let forced = fields.optional("forced", shape::boolean);
        Some(Self {
            forced: forced.unwrap_or(false),
        })
    }
}

/// A sync that was begun, or found waiting.
#[derive(Debug, Serialize, ToSchema)]
pub struct SyncAccepted {
    /// The operation to watch; also the id of the sync.
    pub operation_id: Uuid,
    /// Whether one was outstanding already; then this is it.
    pub was_waiting: bool,
    /// What was written.
    #[serde(flatten)]
    pub receipt: ReceiptView,
}

/// Ask for a sync. While one is outstanding, that one is returned.
///
/// # Errors
/// 404; 402 while the cabinet rests because of the plan; 409 while its credential is rejected.
#[utoipa::path(post, path = "/api/v1/cabinets/{id}/syncs", tag = "cabinets", operation_id = "request_sync",
    params(("id" = Uuid, Path, description = "Id of the cabinet")),
    request_body = SyncRequest, responses((status = 202, body = SyncAccepted), (status = 402)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "cabinet")?;
    let body = input::body::<SyncRequest>(&request, payload).await?;
    let forced = body.value.forced;
    call.command(&request, &body.raw, move |state, context| async move {
        let requested = request_sync::execute(&state.app, &context, CabinetId(id), Trigger::Manual, forced)
            .await
            .map_err(problem)?;
        let view = SyncAccepted {
            operation_id: requested.sync_id.uuid(),
            was_waiting: requested.was_waiting,
            receipt: ReceiptView::of(context.command_id, &requested.receipt),
        };
        let location = format!("/api/v1/operations/{}", requested.sync_id);
        Ok(Reply::json(202, &view)?
            .location(location)
            .retry_after(1)
            .position(requested.receipt.position))
    })
    .await
}

/// Why no sync was begun, as a problem.
pub(crate) fn problem(error: request_sync::Error) -> Problem {
    match error {
        request_sync::Error::NoCabinet => Problem::not_found("cabinet"),
        request_sync::Error::CredentialRejected { .. } => {
            Problem::new(Code::CredentialRejected, format!("{error}; replace it first"))
        }
        request_sync::Error::Read(error) => Problem::failure(error),
        request_sync::Error::Allowance(error) => error.into(),
        request_sync::Error::Execute(error) => execute_problem(error, |refusal: &SyncRefusal| {
            Problem::new(Code::Conflict, refusal.to_string())
        }),
    }
}
