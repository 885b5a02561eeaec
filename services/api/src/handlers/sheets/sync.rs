//! The spreadsheet shall be written now.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use read_models::operations::queries;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::errand_problem;
use crate::call::Call;
use crate::freshness::Model;
use crate::handlers::operations::sheet_operation;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::state::NewSheetSync;

/// The writing that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct SheetSyncAccepted {
    /// The operation to watch. It ends with the first write that began after this request: well when the
    /// sheet shows what the read model shows now, or more; badly when that write failed, though a later one
    /// may succeed.
    pub operation_id: Uuid,
}

/// Have the linked spreadsheet written now, up to what the products' read model knows.
///
/// # Errors
/// 404 while none is linked.
#[utoipa::path(post, path = "/api/v1/sheets/sync", tag = "sheets", operation_id = "sync_sheet",
    responses((status = 202, body = SheetSyncAccepted), (status = 404), (status = 502)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let question = async |tx: &Transaction<'_>| queries::sheet_link(tx).await;
    let (link, _) = call.read(&request, Model::Operations, question).await?;
    link.ok_or_else(|| Problem::not_found("linked spreadsheet"))?;
    let known = call.ask(async |tx| Model::Inventory.position(tx).await).await?;
    call.command(&request, &body.raw, move |state, context| async move {
        let operation_id = sheet_operation(context.new_id("sheet sync"));
        let sync = NewSheetSync {
            operation: operation_id,
            wanted: known,
            at: context.now,
        };
        state
            .errands
            .write_sheet(context.tenant_id, sync)
            .await
            .map_err(errand_problem)?;
        let location = format!("/api/v1/operations/{operation_id}");
        Ok(Reply::json(202, &SheetSyncAccepted { operation_id })?
            .location(location)
            .retry_after(1)
            .position(known))
    })
    .await
}
