//! The sheet as an Excel workbook.

use actix_web::{HttpRequest, HttpResponse};

use super::{ExportFilter, Format, answer};
use crate::input;
use crate::problem::Problem;

const CONTENT_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Name of the worksheet, as in the spreadsheet.
const WORKSHEET: &str = "Products";

/// The bytes of a workbook.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Workbook(#[expect(dead_code, reason = "for the description only")] Vec<u8>);

/// The sheet as an Excel workbook. Shows what the spreadsheet shows; no text is ever a formula.
///
/// # Errors
/// 422 where it would be too large, 503 while too many are made.
#[utoipa::path(get, path = "/api/v1/exports/stock.xlsx", tag = "products", operation_id = "export_xlsx",
    params(ExportFilter),
    responses((status = 200, description = "The file", body = inline(Workbook),
        content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    answer(&request, |request| {
        let filter: ExportFilter = input::query(request)?;
        let format = Format {
            extension: "xlsx",
            content_type: CONTENT_TYPE,
            write: Box::new(|table, _language| table.to_xlsx(WORKSHEET)),
        };
        Ok((filter.as_of, format))
    })
    .await
}
