//! One operation.

use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use read_models::operations::queries;
use uuid::Uuid;

use super::{ErrorView, OperationView, ProgressView, sheet_position};
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::{ErrandError, SheetProgress};

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
    if let Some(wanted) = sheet_position(id) {
        let progress = call
            .state
            .errands
            .sheet_progress(call.tenant())
            .await
            .map_err(problem)?;
        return Ok(Reply::json(200, &sheet_view(id, wanted, progress))?.into());
    }
    let question = async |tx: &Transaction<'_>| queries::sync(tx, id).await;
    let (sync, position) = call.read(&request, Model::Operations, question).await?;
    let sync = sync.ok_or_else(|| Problem::not_found("operation"))?;
    let is_final = sync.status.is_final();
    let reply = Reply::json(200, &OperationView::from(sync))?.position(position);
    Ok(if is_final { reply } else { reply.retry_after(1) }.into())
}

pub(super) fn sheet_view(id: Uuid, wanted: i64, progress: SheetProgress) -> OperationView {
    let written = progress.written_position.unwrap_or(0);
    let (status, stage) = match &progress.error {
        _ if written >= wanted => ("succeeded", "done"),
        Some(_) => ("failed", "the last write failed"),
        None => ("running", "writing cells"),
    };
    let error = progress
        .error
        .filter(|_| status == "failed")
        .map(|detail| ErrorView {
            code: "sheet_write".to_owned(),
            detail,
            retry_at: None,
        });
    OperationView {
        id,
        kind: "sheet_sync",
        status,
        progress: ProgressView {
            done: written.min(wanted),
            total: Some(wanted),
            stage,
        },
        created_at: None,
        updated_at: None,
        result: None,
        error,
    }
}

pub(super) fn problem(error: ErrandError) -> Problem {
    match error {
        ErrandError::NotFound => Problem::not_found("operation"),
        ErrandError::Outside(_) => Problem::new(Code::UpstreamFailed, error.to_string()),
        ErrandError::Away(_) => Problem::unavailable("nobody knows the sheet at the moment").because(error),
    }
}
