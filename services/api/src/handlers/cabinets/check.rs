//! A credential is tried at its marketplace. The trying is done by the worker: this process cannot open
//! credentials.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use events::ids::CabinetId;
use read_models::operations::queries;

use super::trial::Trial;
use crate::call::{Call, path_id};
use crate::input::{self, Nothing};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::ErrandError;

/// Try a cabinet's credential now, or one that waits to take its place. A rejected cabinet whose credential
/// is taken again goes on.
///
/// # Errors
/// 404; 502 when the marketplace does not answer; 503 when no worker does.
#[utoipa::path(post, path = "/api/v1/cabinets/{id}/check", tag = "cabinets",
    operation_id = "check_credential", params(("id" = Uuid, Path, description = "Id of the cabinet")),
    responses((status = 200, body = Trial), (status = 502)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "cabinet")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let cabinet = call.ask(async |tx| queries::cabinet(tx, id).await).await?;
    if cabinet.is_none_or(|cabinet| cabinet.status != "connected") {
        return Err(Problem::not_found("cabinet"));
    }
    call.command(&request, &body.raw, move |state, context| async move {
        let check = state
            .errands
            .check_credential(context.tenant_id, CabinetId(id))
            .await
            .map_err(problem)?;
        Reply::json(200, &Trial::from(check))
    })
    .await
}

fn problem(error: ErrandError) -> Problem {
    match error {
        ErrandError::NotFound => Problem::not_found("cabinet"),
        ErrandError::Outside(_) => Problem::new(Code::UpstreamFailed, error.to_string()),
        ErrandError::Away(_) => Problem::unavailable("no worker answers at the moment").because(error),
    }
}
