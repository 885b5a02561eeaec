//! Which spreadsheet is linked.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use read_models::operations::queries;
use serde::Serialize;
use utoipa::ToSchema;

use super::address;
use crate::call::Call;
use crate::freshness::Model;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// The linked spreadsheet.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// Its id.
    pub spreadsheet_id: String,
    /// Its address.
    pub sheet_url: String,
    /// Title of the managed worksheet.
    pub worksheet_name: String,
    /// Language of its titles.
    pub language: String,
    /// Since when.
    pub linked_at: DateTime<Utc>,
    /// Position of its last change.
    pub position: i64,
}

/// The linked spreadsheet.
///
/// # Errors
/// 404 while none is linked.
#[utoipa::path(get, path = "/api/v1/sheets/link", tag = "sheets", operation_id = "sheet_link",
    responses((status = 200, body = LinkView), (status = 404)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let question = async |tx: &Transaction<'_>| queries::sheet_link(tx).await;
    let (link, position) = call.read(&request, Model::Operations, question).await?;
    let link = link.ok_or_else(|| Problem::not_found("linked spreadsheet"))?;
    let view = LinkView {
        sheet_url: address(&link.spreadsheet_id),
        spreadsheet_id: link.spreadsheet_id,
        worksheet_name: link.worksheet,
        language: link.language,
        linked_at: link.linked_at,
        position: link.position,
    };
    Ok(Reply::json(200, &view)?.position(position).into())
}
