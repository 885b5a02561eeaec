//! One operation.

use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use read_models::operations::queries;
use uuid::Uuid;

use super::{ErrorView, OperationView, ProgressView, is_behind, is_sheet_operation};
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::{ErrandError, SheetSync};

/// One operation. Always 200 while it exists, whatever its state.
///
/// # Errors
/// 404.
#[utoipa::path(get, path = "/api/v1/operations/{id}", tag = "operations", operation_id = "operation",
    params(("id" = Uuid, Path, description = "Id of the operation")),
    responses((status = 200, body = OperationView), (status = 502)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "operation")?;
    let Nothing = input::query(&request)?;
    if is_sheet_operation(id) {
        let sync = sheet_sync(&call, id).await?;
        let is_final = sync.ended_at.is_some();
        let reply = Reply::json(200, &sheet_view(id, sync))?;
        return Ok(if is_final { reply } else { reply.retry_after(1) }.into());
    }
    // What is behind is read first, so that the answer promises too little rather than too much.
    let question = async |tx: &Transaction<'_>| {
        let inventory = Model::Inventory.position(tx).await?;
        Ok((queries::sync(tx, id).await?, inventory))
    };
    let ((sync, inventory), position) = call.read(&request, Model::Operations, question).await?;
    let sync = sync.ok_or_else(|| Problem::not_found("operation"))?;
    let is_final = sync.status.is_final() && !is_behind(&sync, inventory);
    // A client that asks for this position next gets what this answer speaks of, from either read model.
    let reply = Reply::json(200, &OperationView::of(sync, inventory))?.position(position.min(inventory));
    Ok(if is_final { reply } else { reply.retry_after(1) }.into())
}

/// The request of the caller's tenant that has this operation.
pub(super) async fn sheet_sync(call: &Call, id: Uuid) -> Result<SheetSync, Problem> {
    let found = call.state.errands.sheet_sync(call.tenant(), id).await;
    found
        .map_err(problem)?
        .ok_or_else(|| Problem::not_found("operation"))
}

pub(super) fn sheet_view(id: Uuid, sync: SheetSync) -> OperationView {
    let (status, stage) = match (sync.ended_at, &sync.error) {
        (Some(_), None) => ("succeeded", "done"),
        (Some(_), Some(_)) => ("failed", "given up"),
        (None, Some(_)) => ("running", "waiting for another attempt"),
        (None, None) => ("running", "writing cells"),
    };
    // The cells may show the position already from an earlier write, and this one is still to come.
    let done = match status {
        "succeeded" => sync.wanted,
        _ => sync.written_position.min(sync.wanted),
    };
    OperationView {
        id,
        kind: "sheet_sync",
        status,
        progress: ProgressView {
            done,
            total: Some(sync.wanted),
            stage,
        },
        created_at: Some(sync.requested_at),
        updated_at: sync.ended_at,
        result: None,
        error: sync.error.map(|(code, detail)| ErrorView {
            code,
            detail,
            retry_at: sync.retry_at,
        }),
    }
}

pub(super) fn problem(error: ErrandError) -> Problem {
    match error {
        ErrandError::NotFound => Problem::not_found("operation"),
        ErrandError::Outside(_) => Problem::new(Code::UpstreamFailed, error.to_string()),
        ErrandError::Away(_) => {
            Problem::unavailable("the state of the sheet is not known at the moment").because(error)
        }
    }
}
