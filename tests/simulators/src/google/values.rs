//! `spreadsheets.values.*`: reading and writing plain values.

use serde::Deserialize;
use serde_json::{Value, json};

use super::a1::{self, Asked, column_letters, range_text};
use super::errors::ApiError;
use super::input::{InputOption, Written, written};
use super::metadata::{DataFilter, areas};
use super::model::{Rect, Spreadsheet};
use super::ranges::beyond;
use super::render::{RenderOption, read_value};

/// `ROWS` or `COLUMNS`.
fn by_columns(text: Option<&str>) -> Result<bool, ApiError> {
    match text {
        None | Some("ROWS" | "DIMENSION_UNSPECIFIED") => Ok(false),
        Some("COLUMNS") => Ok(true),
        Some(other) => Err(ApiError::invalid(format!(
            "Invalid value at 'major_dimension' (type.googleapis.com/google.apps.sheets.v4.Dimension), \"{other}\""
        ))),
    }
}

/// A `ValueRange`: trailing blanks dropped, `values` absent if nothing is left.
fn value_range(book: &Spreadsheet, at: usize, rect: Rect, columns: bool, option: RenderOption) -> Value {
    let sheet = &book.sheets[at];
    let last_row = rect.bottom.min(sheet.used_rows());
    let last_column = rect.right.min(sheet.used_columns());
    let (outer, inner) = if columns {
        (rect.left..last_column, rect.top..last_row)
    } else {
        (rect.top..last_row, rect.left..last_column)
    };
    let mut lines: Vec<Vec<Value>> = outer
        .map(|first| {
            let mut line: Vec<Value> = inner
                .clone()
                .map(|second| {
                    let (row, column) = if columns { (second, first) } else { (first, second) };
                    read_value(book, at, row, column, option)
                })
                .collect();
            while line.last().is_some_and(|value| value == "") {
                line.pop();
            }
            line
        })
        .collect();
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let mut value = json!({
        "range": range_text(&sheet.title, rect), "majorDimension": if columns { "COLUMNS" } else { "ROWS" },
    });
    if !lines.is_empty() {
        value["values"] = json!(lines);
    }
    value
}

fn read_range(
    book: &Spreadsheet,
    range: &str,
    columns: bool,
    option: RenderOption,
) -> Result<Value, ApiError> {
    let asked = a1::parse(book, range)?;
    let sheet = &book.sheets[asked.sheet];
    let rect = asked.clip(sheet);
    let (bottom, right) = (asked.bottom.unwrap_or(0), asked.right.unwrap_or(0));
    if asked.top >= sheet.row_count || asked.left >= sheet.column_count {
        let far = Rect {
            top: asked.top,
            left: asked.left,
            bottom: bottom.max(asked.top + 1),
            right: right.max(asked.left + 1),
        };
        return Err(beyond(sheet, far));
    }
    Ok(value_range(book, asked.sheet, rect, columns, option))
}

/// `values.get`
pub(crate) fn get(
    book: &Spreadsheet,
    range: &str,
    major: Option<&str>,
    render: Option<&str>,
) -> Result<Value, ApiError> {
    read_range(book, range, by_columns(major)?, RenderOption::parse(render)?)
}

/// `values:batchGet`
pub(crate) fn batch_get(
    book: &Spreadsheet,
    ranges: &[&str],
    major: Option<&str>,
    render: Option<&str>,
) -> Result<Value, ApiError> {
    let (columns, option) = (by_columns(major)?, RenderOption::parse(render)?);
    let found: Result<Vec<Value>, ApiError> = ranges
        .iter()
        .map(|range| read_range(book, range, columns, option))
        .collect();
    Ok(json!({"spreadsheetId": book.id, "valueRanges": found?}))
}

/// `values:batchGetByDataFilter`
pub(crate) fn get_by_filter(book: &Spreadsheet, body: &[u8]) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Body {
        data_filters: Vec<Value>,
        major_dimension: Option<String>,
        value_render_option: Option<String>,
        #[serde(rename = "dateTimeRenderOption")]
        _date_time_render_option: Option<String>,
    }
    let body: Body = parse(body)?;
    let columns = by_columns(body.major_dimension.as_deref())?;
    let option = RenderOption::parse(body.value_render_option.as_deref())?;
    let mut found = Vec::new();
    for filter in &body.data_filters {
        let parsed = DataFilter::read(filter).map_err(super::batch::Fail::into_error)?;
        for (at, rect) in areas(book, &parsed).map_err(super::batch::Fail::into_error)? {
            let range = value_range(book, at, rect, columns, option);
            found.push(json!({"valueRange": range, "dataFilters": [filter]}));
        }
    }
    Ok(json!({"spreadsheetId": book.id, "valueRanges": found}))
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ValueRange {
    range: Option<String>,
    major_dimension: Option<String>,
    #[serde(default)]
    values: Vec<Vec<Value>>,
}

/// What a write did.
struct Done {
    sheet: usize,
    rect: Rect,
    rows: usize,
    columns: usize,
    cells: usize,
}

impl Done {
    fn json(&self, book: &Spreadsheet) -> Value {
        let title = book
            .sheets
            .get(self.sheet)
            .map_or("", |sheet| sheet.title.as_str());
        let mut value = json!({"spreadsheetId": book.id, "updatedRange": range_text(title, self.rect)});
        // Zero counts are left out.
        for (name, count) in [
            ("updatedRows", self.rows),
            ("updatedColumns", self.columns),
            ("updatedCells", self.cells),
        ] {
            if count > 0 {
                value[name] = json!(count);
            }
        }
        value
    }
}

/// Turns lines into rows.
fn as_rows(values: Vec<Vec<Value>>, columns: bool) -> Vec<Vec<Value>> {
    if !columns {
        return values;
    }
    let height = values.iter().map(Vec::len).max().unwrap_or(0);
    (0..height)
        .map(|row| {
            values
                .iter()
                .map(|column| column.get(row).cloned().unwrap_or(Value::Null))
                .collect()
        })
        .collect()
}

/// Writes rows into a range of the copy.
fn write(
    book: &mut Spreadsheet,
    asked: &Asked,
    rows: &[Vec<Value>],
    option: InputOption,
) -> Result<Done, ApiError> {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let sheet = &mut book.sheets[asked.sheet];
    let rect = Rect {
        top: asked.top,
        left: asked.left,
        bottom: asked.top + rows.len().max(1),
        right: asked.left + width.max(1),
    };
    if !asked.single {
        let title = range_text(&sheet.title, asked.clip(sheet));
        let outside = |what: &str, place: String| {
            ApiError::invalid(format!(
                "Requested writing within range [{title}], but tried writing to {what} [{place}]"
            ))
        };
        if let Some(right) = asked.right.filter(|&right| rect.right > right) {
            return Err(outside("column", column_letters(right)));
        }
        if let Some(bottom) = asked.bottom.filter(|&bottom| rect.bottom > bottom) {
            return Err(outside("row", (bottom + 1).to_string()));
        }
    }
    if rect.bottom > sheet.row_count || rect.right > sheet.column_count {
        return Err(beyond(sheet, rect));
    }
    let mut done = Done {
        sheet: asked.sheet,
        rect,
        rows: 0,
        columns: 0,
        cells: 0,
    };
    let mut touched = vec![false; width];
    for (row, values) in rows.iter().enumerate() {
        let before = done.cells;
        for (column, value) in values.iter().enumerate() {
            let content = match written(value, option, &format!("values[{row}][{column}]"))? {
                Written::Leave => continue,
                Written::Clear => None,
                Written::Set(content) => Some(content),
            };
            done.cells += 1;
            touched[column] = true;
            let (row, column) = (rect.top + row, rect.left + column);
            // Clearing a cell that does not exist must not make it.
            if content.is_some() || sheet.cell(row, column).is_some() {
                sheet.cell_mut(row, column).content = content;
            }
        }
        done.rows += usize::from(done.cells > before);
    }
    done.columns = touched.into_iter().filter(|&touched| touched).count();
    Ok(done)
}

/// `values.update`
pub(crate) fn update(
    book: &mut Spreadsheet,
    range: &str,
    option: Option<&str>,
    body: &[u8],
) -> Result<Value, ApiError> {
    let option = InputOption::parse(option)?;
    let body: ValueRange = parse(body)?;
    if let Some(other) = body
        .range
        .as_ref()
        .filter(|other| same_range(book, range, other) == Some(false))
    {
        return Err(ApiError::invalid(format!(
            "Requested range [{range}] does not match the range in the body [{other}]"
        )));
    }
    let asked = a1::parse(book, range)?;
    let rows = as_rows(body.values, by_columns(body.major_dimension.as_deref())?);
    let done = write(book, &asked, &rows, option)?;
    Ok(done.json(book))
}

fn same_range(book: &Spreadsheet, one: &str, two: &str) -> Option<bool> {
    Some(a1::parse(book, one).ok()? == a1::parse(book, two).ok()?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BatchBody<T> {
    value_input_option: Option<String>,
    data: Vec<T>,
    #[serde(default, rename = "includeValuesInResponse")]
    _include_values: bool,
    #[serde(rename = "responseValueRenderOption")]
    _render: Option<String>,
    #[serde(rename = "responseDateTimeRenderOption")]
    _date_time: Option<String>,
}

/// Totals of a batch around its responses.
fn batch_answer(book: &Spreadsheet, done: &[Done], responses: &[Value]) -> Value {
    let mut rows = std::collections::BTreeSet::new();
    let mut columns = std::collections::BTreeSet::new();
    let mut sheets = std::collections::BTreeSet::new();
    for part in done.iter().filter(|part| part.cells > 0) {
        rows.extend((part.rect.top..part.rect.top + part.rows).map(|row| (part.sheet, row)));
        columns.extend((part.rect.left..part.rect.left + part.columns).map(|column| (part.sheet, column)));
        sheets.insert(part.sheet);
    }
    let cells: usize = done.iter().map(|part| part.cells).sum();
    let mut value = json!({"spreadsheetId": book.id, "responses": responses});
    for (name, count) in [
        ("totalUpdatedRows", rows.len()),
        ("totalUpdatedColumns", columns.len()),
        ("totalUpdatedCells", cells),
        ("totalUpdatedSheets", sheets.len()),
    ] {
        if count > 0 {
            value[name] = json!(count);
        }
    }
    value
}

/// `values:batchUpdate`: all or nothing, as the caller drops the copy on an error.
pub(crate) fn batch_update(book: &mut Spreadsheet, body: &[u8]) -> Result<Value, ApiError> {
    let body: BatchBody<ValueRange> = parse(body)?;
    let option = InputOption::parse(body.value_input_option.as_deref())?;
    let mut done = Vec::with_capacity(body.data.len());
    for (index, part) in body.data.into_iter().enumerate() {
        let range = part
            .range
            .ok_or_else(|| ApiError::invalid(format!("Invalid data[{index}]: range is required")))?;
        let asked =
            a1::parse(book, &range).map_err(|error| error.prefixed(&format!("Invalid data[{index}]: ")))?;
        let rows = as_rows(part.values, by_columns(part.major_dimension.as_deref())?);
        let written = write(book, &asked, &rows, option);
        done.push(written.map_err(|error| error.prefixed(&format!("Invalid data[{index}]: ")))?);
    }
    let responses: Vec<Value> = done.iter().map(|part| part.json(book)).collect();
    Ok(batch_answer(book, &done, &responses))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FilterRange {
    data_filter: Value,
    major_dimension: Option<String>,
    #[serde(default)]
    values: Vec<Vec<Value>>,
}

/// `values:batchUpdateByDataFilter`
pub(crate) fn update_by_filter(book: &mut Spreadsheet, body: &[u8]) -> Result<Value, ApiError> {
    let body: BatchBody<FilterRange> = parse(body)?;
    let option = InputOption::parse(body.value_input_option.as_deref())?;
    let (mut done, mut responses) = (Vec::new(), Vec::new());
    for (index, part) in body.data.into_iter().enumerate() {
        let number = |error: ApiError| error.prefixed(&format!("Invalid data[{index}]: "));
        let filter = DataFilter::read(&part.data_filter).map_err(|fail| number(fail.into_error()))?;
        let rows = as_rows(part.values, by_columns(part.major_dimension.as_deref())?);
        for (sheet, rect) in areas(book, &filter).map_err(|fail| number(fail.into_error()))? {
            let asked = Asked {
                sheet,
                top: rect.top,
                left: rect.left,
                bottom: Some(rect.bottom),
                right: Some(rect.right),
                single: false,
            };
            let written = write(book, &asked, &rows, option).map_err(number)?;
            let mut response = written.json(book);
            if let Some(fields) = response.as_object_mut() {
                fields.remove("spreadsheetId");
            }
            response["dataFilter"] = part.data_filter.clone();
            responses.push(response);
            done.push(written);
        }
    }
    Ok(batch_answer(book, &done, &responses))
}

/// `values.append`: after the last row with content in the range's columns; rows grow as needed.
pub(crate) fn append(
    book: &mut Spreadsheet,
    range: &str,
    option: Option<&str>,
    body: &[u8],
) -> Result<Value, ApiError> {
    let option = InputOption::parse(option)?;
    let body: ValueRange = parse(body)?;
    let asked = a1::parse(book, range)?;
    let rows = as_rows(body.values, by_columns(body.major_dimension.as_deref())?);
    let sheet = &mut book.sheets[asked.sheet];
    let table = table_at(sheet, &asked);
    let top = table.map_or(asked.top, |table| table.bottom);
    let left = table.map_or(asked.left, |table| table.left);
    if top + rows.len() > sheet.row_count {
        sheet.resize(top + rows.len(), sheet.column_count);
    }
    let title = sheet.title.clone();
    let start = Asked {
        sheet: asked.sheet,
        top,
        left,
        bottom: None,
        right: None,
        single: true,
    };
    let done = write(book, &start, &rows, option)?;
    book.check_size()?;
    let mut value = json!({"spreadsheetId": book.id, "updates": done.json(book)});
    if let Some(table) = table {
        value["tableRange"] = json!(range_text(&title, table));
    }
    Ok(value)
}

/// The filled block in and below the range.
fn table_at(sheet: &super::model::Sheet, asked: &Asked) -> Option<Rect> {
    let filled =
        |row: usize, column: usize| sheet.cell(row, column).is_some_and(|cell| cell.content.is_some());
    let right = if asked.single {
        sheet.column_count
    } else {
        asked.right.unwrap_or(sheet.column_count)
    };
    let columns = || asked.left..right;
    let bottom = (asked.top..sheet.rows.len())
        .rev()
        .find(|&row| columns().any(|column| filled(row, column)))?
        + 1;
    let top = (asked.top..bottom).find(|&row| columns().any(|column| filled(row, column)))?;
    let left = columns().find(|&column| (top..bottom).any(|row| filled(row, column)))?;
    let right = columns()
        .rev()
        .find(|&column| (top..bottom).any(|row| filled(row, column)))?
        + 1;
    Some(Rect {
        top,
        left,
        bottom,
        right,
    })
}

/// `values:batchClear` and `values:clear`
pub(crate) fn clear(book: &mut Spreadsheet, ranges: &[String]) -> Result<Vec<String>, ApiError> {
    let mut cleared = Vec::new();
    for range in ranges {
        let asked = a1::parse(book, range)?;
        let sheet = &mut book.sheets[asked.sheet];
        let rect = asked.clip(sheet);
        for row in rect.top..rect.bottom.min(sheet.rows.len()) {
            for column in rect.left..rect.right.min(sheet.rows[row].len()) {
                if sheet.cell(row, column).is_some_and(|cell| cell.content.is_some()) {
                    sheet.cell_mut(row, column).content = None;
                }
            }
        }
        cleared.push(range_text(&sheet.title, rect));
    }
    Ok(cleared)
}

/// The ranges in the body of `values:batchClear`.
pub(crate) fn clear_body(body: &[u8]) -> Result<Vec<String>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        ranges: Vec<String>,
    }
    parse::<Body>(body).map(|body| body.ranges)
}
