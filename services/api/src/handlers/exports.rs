//! The sheet as a file: the same rows by the same layout, without a spreadsheet service.
//!
//! A file comes whole, because a workbook is a ZIP whose parts refer to each other; it is made off the
//! threads that answer requests, and only so many at once, so that a few large ones cannot take all memory.

pub mod csv;
pub mod xlsx;

use std::time::Duration;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use measures::moscow_day;
use read_models::QueryError;
use read_models::inventory::queries;
use read_models::operations::queries as operations;
use sheet_layout::export::{ExportError, Table};
use sheet_layout::{Language, LayoutError, SheetInput, View};
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use crate::call::Call;
use crate::freshness::{Model, STOCK_POSITION, Wanted};
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};

/// Files that are made at the same time. One of a million cells takes some 300 MB while it is made.
const AT_ONCE: usize = 2;
static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(20);
/// More cells than this are no file that somebody opens: products × (9 + 3 × warehouses).
const MOST_CELLS: u64 = 5_000_000;

/// What the file shows.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportFilter {
    /// As it was known at this time.
    #[param(required = false)]
    pub as_of: Option<DateTime<Utc>>,
}

impl Input for ExportFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            as_of: fields.optional("as_of", shape::time),
        })
    }
}

/// Makes the file of a table, whose titles are in this language.
pub(super) type Write = Box<dyn FnOnce(&Table, Language) -> Result<Vec<u8>, ExportError> + Send>;

/// A kind of file.
pub(super) struct Format {
    extension: &'static str,
    content_type: &'static str,
    write: Write,
}

/// Answers with the file that the query asks for: of what time, and of which kind.
pub(super) async fn answer(
    request: &HttpRequest,
    asked: impl FnOnce(&HttpRequest) -> Result<(Option<DateTime<Utc>>, Format), Problem>,
) -> Result<HttpResponse, Problem> {
    let call = Call::enter(request).await?;
    let (as_of, format) = asked(request)?;
    let at = as_of.unwrap_or(call.trace.now);
    input::not_later("?as_of", at, call.trace.now)?;
    let place = tokio::time::timeout(PATIENCE, PLACES.acquire());
    let Ok(Ok(_place)) = place.await else {
        return Err(Problem::unavailable("too many files are being made; try again").retry_after(10));
    };
    let (chosen, _) = call.ask(async |tx| operations::sheet_layout(tx).await).await?;
    let view = sheet_source::view(&chosen);
    let (input, position) = rows(&call, request, as_of, &view).await?;
    let cells = input.products.len() as u64 * (9 + 3 * input.warehouses.len() as u64);
    if cells > MOST_CELLS {
        return Err(too_large(cells));
    }
    let write = format.write;
    let made = tokio::task::spawn_blocking(move || {
        let table = Table::new(&input, &view).map_err(Failure::Layout)?;
        write(&table, view.language).map_err(Failure::Export)
    });
    let bytes = made
        .await
        .map_err(|error| Problem::new(Code::Internal, "the file could not be made").because(error))?
        .map_err(|failure| failure.problem(cells))?;
    let name = format!("stock-{}.{}", moscow_day(at), format.extension);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, format.content_type))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((STOCK_POSITION, position.to_string()))
        .body(bytes))
}

/// Everything the file shows, of one instant, and the position of it.
async fn rows(
    call: &Call,
    request: &HttpRequest,
    as_of: Option<DateTime<Utc>>,
    view: &View,
) -> Result<(SheetInput, i64), Problem> {
    Wanted::of(request)?
        .reached(&call.state.positions, &call.state.reads, Model::Inventory)
        .await?;
    let mut session = call.state.reads.tenant(call.tenant()).await?;
    let tx = session.begin_snapshot().await?;
    let rows = queries::sheet(&tx, call.trace.now, as_of, sheet_source::needs(view)).await?;
    tx.commit().await.map_err(QueryError::from)?;
    let source = sheet_source::source(&rows, view.language);
    Ok((source.input, source.position))
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the rows cannot be laid out")]
    Layout(#[source] LayoutError),
    #[error("the file cannot be written")]
    Export(#[source] ExportError),
}

impl Failure {
    fn problem(self, cells: u64) -> Problem {
        match self {
            Self::Layout(LayoutError::TooLarge { .. }) | Self::Export(ExportError::TooLarge { .. }) => {
                too_large(cells)
            }
            failure => Problem::new(Code::Internal, "the file could not be made").because(failure),
        }
    }
}

fn too_large(cells: u64) -> Problem {
    let detail = format!("{cells} cells are more than one file holds ({MOST_CELLS})");
    Problem::new(Code::TooMuchData, detail)
}
