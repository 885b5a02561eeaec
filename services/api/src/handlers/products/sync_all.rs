//! All cabinets shall be brought up to date.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use application::{Context, request_sync};
use deadpool_postgres::Transaction;
use events::ids::CabinetId;
use events::sync::Trigger;
use read_models::operations::queries;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::Call;
use crate::freshness::Model;
use crate::handlers::cabinets::request_sync::{SyncRequest, problem};
use crate::input;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::state::ApiState;

/// What was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct AllAccepted {
    /// One operation a cabinet.
    pub operations: Vec<CabinetOperation>,
    /// Cabinets that cannot be synced, with the reason.
    pub skipped: Vec<Skipped>,
}

/// A cabinet's operation.
#[derive(Debug, Serialize, ToSchema)]
pub struct CabinetOperation {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// The operation to watch.
    pub operation_id: Uuid,
    /// Whether one was outstanding already.
    pub was_waiting: bool,
}

/// A cabinet that was left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Skipped {
    /// The cabinet.
    pub cabinet_id: Uuid,
    /// Code of the problem that asking for its sync alone would give.
    pub code: &'static str,
}

/// Ask for a sync of every connected cabinet.
///
/// # Errors
/// 503 when the log does not answer.
#[utoipa::path(post, path = "/api/v1/products/sync", tag = "products", operation_id = "sync_products",
    request_body = SyncRequest, responses((status = 202, body = AllAccepted)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<SyncRequest>(&request, payload).await?;
    let forced = body.value.forced;
    let question = async |tx: &Transaction<'_>| queries::cabinets(tx, false).await;
    let (cabinets, _) = call.read(&request, Model::Operations, question).await?;
    let ids: Vec<Uuid> = cabinets.into_iter().map(|cabinet| cabinet.cabinet_id).collect();
    call.command(&request, &body.raw, move |state, context| {
        sync_all(state, context, ids, forced)
    })
    .await
}

async fn sync_all(
    state: Data<ApiState>,
    context: Context,
    cabinets: Vec<Uuid>,
    forced: bool,
) -> Result<Reply, Problem> {
    let mut accepted = AllAccepted {
        operations: Vec::new(),
        skipped: Vec::new(),
    };
    let mut position = 0;
    for cabinet_id in cabinets {
        let context = context.part(&cabinet_id.to_string());
        let outcome = request_sync::execute(
            &state.app,
            &context,
            CabinetId(cabinet_id),
            Trigger::Manual,
            forced,
        )
        .await
        .map_err(problem);
        match outcome {
            Ok(requested) => {
                position = position.max(requested.receipt.position);
                accepted.operations.push(CabinetOperation {
                    cabinet_id,
                    operation_id: requested.sync_id.uuid(),
                    was_waiting: requested.was_waiting,
                });
            }
            Err(problem) if problem.code().status() < 500 => {
                accepted.skipped.push(Skipped {
                    cabinet_id,
                    code: problem.code().as_str(),
                });
            }
            // Asking again with the same key finds what was begun and goes on with the rest.
            Err(problem) => return Err(problem),
        }
    }
    Ok(Reply::json(202, &accepted)?
        .location("/api/v1/syncs".to_owned())
        .retry_after(1)
        .position(position))
}
