//! The sheet as CSV: UTF-8 with a byte order mark, comma-separated, RFC 4180.

use actix_web::{HttpRequest, HttpResponse};
use sheet_layout::export::Table;

use super::{ExportFilter, Format, answer};
use crate::problem::Problem;

const CONTENT_TYPE: &str = "text/csv; charset=utf-8";

/// The sheet as CSV: UTF-8 with a byte order mark, comma-separated, RFC 4180. Shows what the spreadsheet
/// shows; no text is ever a formula.
///
/// # Errors
/// 422 where it would be too large, 503 while too many are made.
#[utoipa::path(get, path = "/api/v1/exports/stock.csv", tag = "products", operation_id = "export_csv",
    params(ExportFilter),
    responses((status = 200, body = Vec<u8>, content_type = "text/csv; charset=utf-8")))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let format = Format {
        extension: "csv",
        content_type: CONTENT_TYPE,
        write: Table::to_csv,
    };
    answer(&request, format).await
}
