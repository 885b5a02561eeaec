//! The sheet as CSV, for spreadsheets of two countries and for programs.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use sheet_layout::Language;
use sheet_layout::export::CsvDialect;
use utoipa::{IntoParams, ToSchema};

use super::{Format, answer};
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;

const CONTENT_TYPE: &str = "text/csv; charset=utf-8";

/// Who reads a CSV file.
#[derive(Debug, Clone, Copy, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Dialect {
    /// A spreadsheet with Russian settings: semicolons, decimal comma, byte order mark.
    Ru,
    /// A spreadsheet with English settings: commas, decimal point, byte order mark.
    En,
    /// A program: commas, decimal point, no byte order mark, no guards.
    Machine,
}

const DIALECTS: &[(&str, Dialect)] = &[
    ("ru", Dialect::Ru),
    ("en", Dialect::En),
    ("machine", Dialect::Machine),
];

impl Dialect {
    const fn of(self) -> CsvDialect {
        match self {
            Self::Ru => CsvDialect::Spreadsheet(Language::Russian),
            Self::En => CsvDialect::Spreadsheet(Language::English),
            Self::Machine => CsvDialect::Machine,
        }
    }
}

/// What the file shows, and for whom.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CsvFilter {
    /// As it was known at this time.
    #[param(required = false)]
    pub as_of: Option<DateTime<Utc>>,
    /// Who reads the file. Without it: a spreadsheet in the language of the sheet's titles.
    #[param(required = false)]
    #[param(inline)]
    pub dialect: Option<Dialect>,
}

impl Input for CsvFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            as_of: fields.optional("as_of", shape::time),
            dialect: fields.optional("dialect", shape::one_of(DIALECTS)),
        })
    }
}

/// The sheet as CSV.
///
/// UTF-8, quoted as in RFC 4180, dates as in ISO 8601. Shows what the spreadsheet shows. For a spreadsheet
/// (`ru`, `en`), a text that could be taken for a formula has an apostrophe in front, and a text that could
/// be taken for a number or date (`00123`, a barcode, `10-12`) is written as `="00123"`. For a program
/// (`machine`), every text is as it is.
///
/// # Errors
/// 422 where it would be too large, 503 while too many are made.
#[utoipa::path(get, path = "/api/v1/exports/stock.csv", tag = "products", operation_id = "export_csv",
    params(CsvFilter),
    responses((status = 200, description = "The file", body = String,
        content_type = "text/csv; charset=utf-8")))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    answer(&request, |request| {
        let filter: CsvFilter = input::query(request)?;
        let format = Format {
            extension: "csv",
            content_type: CONTENT_TYPE,
            write: Box::new(move |table, language| {
                let dialect = filter
                    .dialect
                    .map_or(CsvDialect::Spreadsheet(language), Dialect::of);
                table.to_csv(dialect)
            }),
        };
        Ok((filter.as_of, format))
    })
    .await
}
