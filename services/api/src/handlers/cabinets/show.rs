//! One cabinet.

use actix_web::{HttpRequest, HttpResponse};
use auth::profiles::Subject;
use deadpool_postgres::Transaction;
use read_models::operations::queries;

use super::CabinetView;
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::handlers::tag;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// One cabinet. Its `ETag` is needed to change it.
///
/// # Errors
/// 404.
#[utoipa::path(get, path = "/api/v1/cabinets/{id}", tag = "cabinets", operation_id = "cabinet",
    params(("id" = Uuid, Path, description = "Id of the cabinet")),
    responses((status = 200, body = CabinetView), (status = 304, description = "As in If-None-Match")))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "cabinet")?;
    let Nothing = input::query(&request)?;
    let question = async |tx: &Transaction<'_>| queries::cabinet(tx, id).await;
    let (cabinet, position) = call.read(&request, Model::Operations, question).await?;
    let cabinet = cabinet.ok_or_else(|| Problem::not_found("cabinet"))?;
    let mut titles = call
        .state
        .app
        .profiles
        .all(call.tenant(), Subject::Cabinet)
        .await?;
    let changed_at = cabinet.position;
    let reply = Reply::json(
        200,
        &CabinetView::of(cabinet, titles.remove(&id), call.state.clock.now()),
    )?
    .position(position);
    Ok(tag::tagged(&request, reply, changed_at))
}
