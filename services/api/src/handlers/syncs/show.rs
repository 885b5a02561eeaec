//! One sync.

use actix_web::{HttpRequest, HttpResponse};
use deadpool_postgres::Transaction;
use read_models::operations::queries;

use super::SyncView;
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// One sync, with how each source came out.
///
/// # Errors
/// 404.
#[utoipa::path(get, path = "/api/v1/syncs/{id}", tag = "syncs", operation_id = "show_sync",
    params(("id" = Uuid, Path, description = "Id of the sync")), responses((status = 200, body = SyncView)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "sync")?;
    let Nothing = input::query(&request)?;
    let question = async |tx: &Transaction<'_>| queries::sync(tx, id).await;
    let (sync, position) = call.read(&request, Model::Operations, question).await?;
    let sync = sync.ok_or_else(|| Problem::not_found("sync"))?;
    Ok(Reply::json(200, &SyncView::from(sync))?.position(position).into())
}
