//! The table shall look otherwise.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::change_sheet_layout;
use application::domain::sheet::SheetRefusal;
use deadpool_postgres::Transaction;
use read_models::operations::queries;
use serde::Serialize;
use utoipa::ToSchema;

use super::layout::{LayoutChange, LayoutView};
use crate::call::Call;
use crate::freshness::Model;
use crate::handlers::{execute_problem, tag};
use crate::input;
use crate::problem::{Code, Problem};
use crate::reply::{ReceiptView, Reply};

/// A table that looks otherwise from now on.
#[derive(Debug, Serialize, ToSchema)]
pub struct LayoutChanged {
    /// How it looks now.
    pub layout: LayoutView,
    /// What was written.
    #[serde(flatten)]
    pub receipt: ReceiptView,
}

/// Change how the linked spreadsheet looks; exports follow the same choice. Needs `If-Match` with the link's
/// `ETag`. Only what differs is written to the sheet; rows and columns that stand there keep their places.
///
/// # Errors
/// 404 while none is linked; 412, 428; 422 for a cabinet that is not there.
#[utoipa::path(patch, path = "/api/v1/sheets/link", tag = "sheets", operation_id = "change_sheet_layout",
    params(("If-Match" = String, Header, description = "ETag of the link as you know it")),
    request_body = LayoutChange, responses((status = 200, body = LayoutChanged), (status = 404)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<LayoutChange>(&request, payload).await?;
    let wanted = body.value;
    let question = async |tx: &Transaction<'_>| {
        let link = queries::sheet_link(tx).await?;
        let (layout, _) = queries::sheet_layout(tx).await?;
        Ok((link, layout, queries::cabinets(tx, true).await?))
    };
    let ((link, layout, cabinets), _) = call.read(&request, Model::Operations, question).await?;
    let link = link.ok_or_else(|| Problem::not_found("linked spreadsheet"))?;
    let precondition = tag::require(&request, "link", link.position);
    let strange = wanted.cabinets.iter().flatten().position(|wanted| {
        let mut own = cabinets.iter();
        !own.any(|cabinet| cabinet.cabinet_id == wanted.uuid())
    });
    if let Some(place) = strange {
        let detail = format!("entry {} is no cabinet of yours", place + 1);
        return Err(Problem::invalid_field("#/cabinets", detail));
    }
    call.command(&request, &body.raw, move |state, context| async move {
        // Checked only now, so that a repeated request gets its first answer although it changed the tag
        // itself.
        precondition?;
        let layout = wanted.applied_to(layout);
        let receipt = change_sheet_layout::execute(&state.app, &context, layout.clone())
            .await
            .map_err(|error| {
                execute_problem(error, |refusal: &SheetRefusal| {
                    Problem::new(Code::InvalidInput, refusal.to_string())
                })
            })?;
        let view = LayoutChanged {
            layout: layout.into(),
            receipt: ReceiptView::of(context.command_id, &receipt),
        };
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}
