//! A seller takes a cabinet away.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::disconnect_cabinet;
use events::ids::CabinetId;

use super::cabinet_refusal;
use crate::call::{Call, path_id};
use crate::handlers::execute_problem;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// Disconnect a cabinet. Its products leave lists, totals, warehouses, analytics, exports and the sheet at
/// once; their history can still be read by product id. The same seller account can be connected again.
///
/// # Errors
/// 404.
#[utoipa::path(delete, path = "/api/v1/cabinets/{id}", tag = "cabinets", operation_id = "disconnect_cabinet",
    params(("id" = Uuid, Path, description = "Id of the cabinet")),
    responses((status = 200, body = ReceiptView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "cabinet")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    call.command(&request, &body.raw, move |state, context| async move {
        let receipt = disconnect_cabinet::execute(&state.app, &context, CabinetId(id))
            .await
            .map_err(|error| execute_problem(error, cabinet_refusal))?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}
