//! A person decides about a result that was held back.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::ExecuteError;
use application::decide_held::{self, Decision};
use application::domain::sync::SyncRefusal;
use events::ids::{CabinetId, SyncId};
use read_models::operations::queries;

use crate::call::{Call, path_id};
use crate::handlers::execute_problem;
use crate::input::{self, Nothing};
use crate::problem::{Code, Problem};
use crate::reply::{ReceiptView, Reply};

/// Believe a quarantined sync: exactly what it holds back is recorded, as far as no later sync has read the
/// same source completely. The sync goes on under its own id.
///
/// # Errors
/// 404; 409 when nothing of it is held back any more, or another sync is under way.
#[utoipa::path(post, path = "/api/v1/syncs/{id}/release", tag = "syncs", operation_id = "release_sync",
    params(("id" = Uuid, Path, description = "Id of the sync")),
    responses((status = 202, body = ReceiptView), (status = 409)))]
pub async fn release(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    decide(request, payload, Decision::Release).await
}

/// Do not believe a quarantined sync: what it holds back is destroyed, and the next answer is judged anew.
///
/// # Errors
/// 404; 409 when nothing of it is held back any more.
#[utoipa::path(post, path = "/api/v1/syncs/{id}/discard", tag = "syncs", operation_id = "discard_sync",
    params(("id" = Uuid, Path, description = "Id of the sync")),
    responses((status = 200, body = ReceiptView), (status = 409)))]
pub async fn discard(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    decide(request, payload, Decision::Discard).await
}

async fn decide(request: HttpRequest, payload: Payload, decision: Decision) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "sync")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let sync = call.ask(async |tx| queries::sync(tx, id).await).await?;
    let cabinet = sync.ok_or_else(|| Problem::not_found("sync"))?.cabinet_id;
    call.command(&request, &body.raw, move |state, context| async move {
        let receipt = decide_held::execute(&state.app, &context, CabinetId(cabinet), SyncId(id), decision)
            .await
            .map_err(problem)?;
        let view = ReceiptView::of(context.command_id, &receipt);
        let status = match decision {
            Decision::Release => 202,
            Decision::Discard => 200,
        };
        Ok(Reply::json(status, &view)?.position(receipt.position))
    })
    .await
}

fn problem(error: ExecuteError<SyncRefusal>) -> Problem {
    execute_problem(error, |refusal| Problem::new(Code::Conflict, refusal.to_string()))
}
