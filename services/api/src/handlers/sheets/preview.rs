//! What the sheet would show now, without a sheet: the layout's own grid, as JSON or as a page.

use std::fmt::Write as _;

use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{NaiveDate, TimeDelta};
use deadpool_postgres::Transaction;
use read_models::inventory::queries as inventory;
use read_models::operations::queries as operations;
use serde::Serialize;
use serde_json::Value;
use sheet_layout::export::Table;
use sheet_layout::{Cell, Kind, Level, View};
use utoipa::ToSchema;

use super::layout::LayoutView;
use crate::call::Call;
use crate::freshness::{Model, STOCK_POSITION};
use crate::input::{self, Fields, Input, shape};
use crate::problem::{Code, Problem};
use crate::reply::Reply;

/// Rows shown unless more are asked for, and at most.
const ROWS: i64 = 100;
const MOST_ROWS: i64 = 1_000;
/// Header rows of every table: group titles, field titles.
const HEADERS: usize = 2;

/// How much of it.
struct PreviewQuery {
    limit: usize,
}

impl Input for PreviewQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let limit = fields
            .optional("limit", shape::integer(1, MOST_ROWS))
            .unwrap_or(ROWS);
        Some(Self {
            limit: usize::try_from(limit).ok()?,
        })
    }
}

/// What the sheet would show now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// How the table looks.
    pub layout: LayoutView,
    /// Titles over neighbouring columns.
    pub groups: Vec<PreviewGroup>,
    /// Titles of the columns.
    pub columns: Vec<String>,
    /// The first rows: numbers, texts, days as ISO 8601, null for an empty cell.
    #[schema(value_type = Vec<Vec<Value>>)]
    pub rows: Vec<Vec<Value>>,
    /// Per row: `enough`, `low` or `out`.
    pub levels: Vec<&'static str>,
    /// Rows that there are.
    pub total_rows: usize,
    /// When and from which sync the numbers are, and what the formula is, by column.
    pub notes: Vec<PreviewNote>,
}

/// A title over neighbouring columns.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewGroup {
    /// The title.
    pub title: String,
    /// Number of columns under it.
    pub columns: usize,
    /// Note on the title: why the warehouse is no part of the totals.
    pub note: Option<String>,
}

/// A note on a column's title.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewNote {
    /// Place of the column, from 0.
    pub column: usize,
    /// Its text.
    pub text: String,
}

/// What the sheet would show now, linked or not: the same layout, numbers and colours. As a page for
/// `Accept: text/html`, else as JSON.
///
/// # Errors
/// 422 where the products do not fit into a spreadsheet.
#[utoipa::path(get, path = "/api/v1/sheets/preview", tag = "sheets", operation_id = "preview_sheet",
    params(("limit" = Option<i64>, Query, description = "Rows to show, 1 to 1000; 100 unless given")),
    responses((status = 200, description = "The table", content((Preview = "application/json"),
                                                               (String = "text/html")))))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let PreviewQuery { limit } = input::query(&request)?;
    let now = call.state.clock.now();
    let (chosen, _) = call.ask(async |tx| operations::sheet_layout(tx).await).await?;
    let view = sheet_source::view(&chosen);
    let question =
        async |tx: &Transaction<'_>| inventory::sheet(tx, now, None, sheet_source::needs(&view)).await;
    let (rows, position) = call.read(&request, Model::Inventory, question).await?;
    let layout = view.clone();
    // A million cells take a moment, in which others are served.
    let table = actix_web::web::block(move || table(&rows, &layout)).await;
    let table = table
        .map_err(|error| Problem::new(Code::Internal, "the table cannot be laid out").because(error))?
        .map_err(|error| Problem::new(Code::SheetRefused, error.to_string()))?;
    let preview = preview(&table, chosen.into(), limit);
    if !wants_page(&request) {
        let mut response: HttpResponse = Reply::json(200, &preview)?.position(position).into();
        let vary = actix_web::http::header::HeaderValue::from_static("accept");
        response.headers_mut().append(VARY, vary);
        return Ok(response);
    }
    let page = page(&preview)
        .map_err(|error| Problem::new(Code::Internal, "the page cannot be written").because(error))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((VARY, "accept"))
        .insert_header((STOCK_POSITION, position.to_string()))
        .body(page))
}

fn table(rows: &inventory::SheetRows, view: &View) -> Result<Table, sheet_layout::LayoutError> {
    Table::new(&sheet_source::source(rows, view.language).input, view)
}

fn preview(table: &Table, layout: LayoutView, limit: usize) -> Preview {
    let mut rows = table.rows();
    let (titles, fields) = (rows.next().unwrap_or_default(), rows.next().unwrap_or_default());
    let text = |cell: Option<&Cell>| cell.map(ToString::to_string).unwrap_or_default();
    let kinds: Vec<Kind> = table
        .columns()
        .iter()
        .map(sheet_layout::ColumnKey::kind)
        .collect();
    let value = |(cell, kind): (&Cell, &Kind)| match (cell, kind) {
        (Cell::Empty, _) => Value::Null,
        (Cell::Int(serial), Kind::Date) => day(*serial).map_or(Value::Null, Value::from),
        (Cell::Int(number), _) => Value::from(*number),
        (Cell::Tenths(tenths), _) if tenths % 10 == 0 => Value::from(tenths / 10),
        (Cell::Tenths(_), _) => serde_json::from_str(&cell.to_string()).unwrap_or_default(),
        (Cell::Text(text), _) => Value::from(&**text),
    };
    Preview {
        layout,
        groups: (table.groups().into_iter())
            .map(|columns| PreviewGroup {
                title: text(titles.get(columns.start)),
                columns: columns.len(),
                note: (table.title_notes().iter())
                    .find(|(place, _)| *place == columns.start)
                    .map(|(_, note)| note.to_string()),
            })
            .collect(),
        columns: fields.iter().map(ToString::to_string).collect(),
        rows: (rows.take(limit))
            .map(|row| row.iter().zip(&kinds).map(value).collect())
            .collect(),
        levels: (table.levels().into_iter().take(limit))
            .map(|level| match level {
                Level::Enough => "enough",
                Level::Low => "low",
                Level::Out => "out",
            })
            .collect(),
        total_rows: table.rows().len().saturating_sub(HEADERS),
        notes: (table.notes().into_iter())
            .map(|(column, text)| PreviewNote {
                column,
                text: text.to_owned(),
            })
            .collect(),
    }
}

/// The day of a spreadsheet's number, which counts from 30 December 1899.
fn day(serial: i64) -> Option<String> {
    let day = NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_signed(TimeDelta::try_days(serial)?)?;
    Some(day.to_string())
}

/// Whether the caller would rather have a page (RFC 9110, section 12.5.1).
fn wants_page(request: &HttpRequest) -> bool {
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok());
    let weight = |name: &str| {
        (accept.unwrap_or_default().split(','))
            .filter_map(|part| {
                let mut parts = part.split(';').map(str::trim);
                let matched = parts.next()?.eq_ignore_ascii_case(name);
                let weight = parts.find_map(|part| part.strip_prefix("q="));
                matched.then(|| weight.map_or(Some(1.0_f32), |weight| weight.parse().ok()))?
            })
            .fold(0.0, f32::max)
    };
    weight("text/html") > weight("application/json").max(weight("*/*").min(0.99))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A page without scripts and styles, which the policy of every answer forbids: colours are attributes.
fn page(preview: &Preview) -> Result<String, std::fmt::Error> {
    let language = &preview.layout.language;
    let (title, rest) = match language.as_str() {
        "en" => ("Preview", "more rows"),
        _ => ("Предпросмотр", "ещё строк"),
    };
    let mut page = format!(
        "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title></head><body><table border=\"1\" \
         cellspacing=\"0\" cellpadding=\"4\"><thead><tr bgcolor=\"#667deb\">"
    );
    for group in &preview.groups {
        let (span, title) = (group.columns, escaped(&group.title));
        let note = group.note.as_ref();
        let note = note.map_or_else(String::new, |note| format!(" title=\"{}\"", escaped(note)));
        write!(
            page,
            "<th scope=\"colgroup\" colspan=\"{span}\"{note}>{title}</th>"
        )?;
    }
    page.push_str("</tr><tr bgcolor=\"#667deb\">");
    for (place, column) in preview.columns.iter().enumerate() {
        let note = preview.notes.iter().find(|note| note.column == place);
        let note = note.map_or_else(String::new, |note| format!(" title=\"{}\"", escaped(&note.text)));
        write!(page, "<th scope=\"col\"{note}>{}</th>", escaped(column))?;
    }
    page.push_str("</tr></thead><tbody>");
    for (row, level) in preview.rows.iter().zip(&preview.levels) {
        let colour = match *level {
            "low" => " bgcolor=\"#fff2cc\"",
            "out" => " bgcolor=\"#f4cccc\"",
            _ => "",
        };
        write!(page, "<tr{colour}>")?;
        for value in row {
            let (align, text) = match value {
                Value::Null => ("", String::new()),
                Value::String(text) => ("", escaped(text)),
                other => (" align=\"right\"", other.to_string()),
            };
            write!(page, "<td{align}>{text}</td>")?;
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table>");
    let hidden = preview.total_rows.saturating_sub(preview.rows.len());
    if hidden > 0 {
        write!(page, "<p>{rest}: {hidden}</p>")?;
    }
    page.push_str("</body></html>");
    Ok(page)
}
