//! A spreadsheet is taken back.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::sheet::SheetRefusal;
use application::unlink_sheet;

use crate::call::Call;
use crate::handlers::execute_problem;
use crate::input::{self, Nothing};
use crate::problem::{Code, Problem};
use crate::reply::{ReceiptView, Reply};

/// Unlink the spreadsheet. What was written stays in it.
///
/// # Errors
/// 404 while none is linked.
#[utoipa::path(delete, path = "/api/v1/sheets/link", tag = "sheets", operation_id = "unlink_sheet",
    responses((status = 200, body = ReceiptView), (status = 404)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<Nothing>(&request, payload).await?;
    call.command(&request, &body.raw, move |state, context| async move {
        let receipt = unlink_sheet::execute(&state.app, &context)
            .await
            .map_err(|error| {
                execute_problem(error, |refusal| match refusal {
                    SheetRefusal::NotLinked => Problem::not_found("linked spreadsheet"),
                    refusal => Problem::new(Code::Conflict, refusal.to_string()),
                })
            })?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}
