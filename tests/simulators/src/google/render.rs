//! `spreadsheets.get`: the spreadsheet as JSON under a field mask.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::errors::ApiError;
use super::formula::{Shown, effective};
use super::input::{number_json, number_text};
use super::mask::Mask;
use super::metadata::to_json;
use super::model::{
    Cell, Content, DEFAULT_HEIGHT, DEFAULT_WIDTH, Dimension, Place, Rect, Sheet, Spreadsheet,
};
use super::ranges::rect_json;
use super::{a1, input, rules};

/// What `get` returns without a mask and without grid data.
pub(crate) const WITHOUT_DATA: &str = "spreadsheetId,properties,spreadsheetUrl,developerMetadata,\
    sheets(properties,merges,conditionalFormats,protectedRanges,basicFilter,filterViews,\
    developerMetadata,tables,bandedRanges,slicers)";

/// The `properties` of a sheet; a count of zero is left out.
pub(crate) fn properties(sheet: &Sheet, index: usize) -> Value {
    let mut grid = json!({"rowCount": sheet.row_count, "columnCount": sheet.column_count});
    if sheet.frozen_rows > 0 {
        grid["frozenRowCount"] = json!(sheet.frozen_rows);
    }
    if sheet.frozen_columns > 0 {
        grid["frozenColumnCount"] = json!(sheet.frozen_columns);
    }
    if sheet.hide_gridlines {
        grid["hideGridlines"] = json!(true);
    }
    let mut value = json!({
        "sheetId": sheet.id, "title": sheet.title, "index": index, "sheetType": "GRID", "gridProperties": grid,
    });
    if sheet.hidden {
        value["hidden"] = json!(true);
    }
    if let Some(colour) = &sheet.tab_colour {
        value["tabColorStyle"] = colour.clone();
        if let Some(rgb) = colour.get("rgbColor") {
            value["tabColor"] = rgb.clone();
        }
    }
    value
}

/// The cells that ranges in A1 notation name; none when there are no ranges.
pub(crate) fn areas(book: &Spreadsheet, ranges: &[&str]) -> Result<Option<Vec<(usize, Rect)>>, ApiError> {
    let mut areas = Vec::new();
    for range in ranges {
        let asked = a1::parse(book, range)?;
        areas.push((asked.sheet, asked.clip(&book.sheets[asked.sheet])));
    }
    Ok((!areas.is_empty()).then_some(areas))
}

/// The whole resource as `who` sees it; with areas, only the sheets that have some and only those cells in
/// their grid data.
pub(crate) fn spreadsheet(
    book: &Spreadsheet,
    mask: &Mask,
    asked: Option<&[(usize, Rect)]>,
    (base_url, who): (&str, Option<&str>),
) -> Result<Value, ApiError> {
    let areas = asked.unwrap_or_default();
    let wanted = mask.get("sheets").unwrap_or_default();
    let mut sheets = Vec::new();
    for (at, sheet) in book.sheets.iter().enumerate() {
        let own: Vec<Rect> = areas
            .iter()
            .filter(|(on, _)| *on == at)
            .map(|(_, rect)| *rect)
            .collect();
        if asked.is_some() && own.is_empty() {
            continue;
        }
        sheets.push(one_sheet(book, (sheet, at), &own, &wanted, who));
    }
    let mut value = json!({
        "spreadsheetId": book.id,
        "properties": {
            "title": book.title, "locale": book.locale, "autoRecalc": "ON_CHANGE", "timeZone": book.time_zone,
        },
        "sheets": sheets,
        "spreadsheetUrl": format!("{base_url}/spreadsheets/d/{}/edit", book.id),
    });
    put_list(
        &mut value,
        "developerMetadata",
        metadata_at(book, Place::Spreadsheet),
    );
    Ok(mask.filter(value))
}

/// Google leaves empty lists out.
fn put_list(value: &mut Value, name: &str, list: Vec<Value>) {
    if !list.is_empty() {
        value[name] = Value::Array(list);
    }
}

fn metadata_at(book: &Spreadsheet, place: Place) -> Vec<Value> {
    book.metadata
        .iter()
        .filter(|entry| entry.place == place)
        .map(to_json)
        .collect()
}

fn one_sheet(
    book: &Spreadsheet,
    (sheet, at): (&Sheet, usize),
    areas: &[Rect],
    mask: &Mask,
    who: Option<&str>,
) -> Value {
    let mut value = json!({"properties": properties(sheet, at)});
    put_list(
        &mut value,
        "merges",
        sheet
            .merges
            .iter()
            .map(|merge| rect_json(sheet.id, *merge))
            .collect(),
    );
    put_list(&mut value, "conditionalFormats", sheet.conditional.clone());
    let seen = |range: &Value| {
        let mut range = range.clone();
        // Google leaves out what is false.
        if rules::may_edit(book, &range, who) {
            range["requestingUserCanEdit"] = json!(true);
        }
        range
    };
    put_list(
        &mut value,
        "protectedRanges",
        sheet.protected.iter().map(seen).collect(),
    );
    put_list(&mut value, "filterViews", sheet.filter_views.clone());
    put_list(&mut value, "tables", sheet.tables.clone());
    put_list(&mut value, "bandedRanges", sheet.banding.clone());
    put_list(&mut value, "slicers", sheet.slicers.clone());
    put_list(
        &mut value,
        "developerMetadata",
        metadata_at(book, Place::Sheet(sheet.id)),
    );
    if let Some(filter) = &sheet.filter {
        value["basicFilter"] = filter.clone();
    }
    if let Some(data) = mask.get("data") {
        let all = [Rect {
            top: 0,
            left: 0,
            bottom: sheet.row_count,
            right: sheet.column_count,
        }];
        let areas = if areas.is_empty() { &all[..] } else { areas };
        value["data"] = areas
            .iter()
            .map(|area| grid_data(book, sheet, at, *area, &data))
            .collect();
    }
    value
}

fn grid_data(book: &Spreadsheet, sheet: &Sheet, at: usize, area: Rect, mask: &Mask) -> Value {
    let mut data = json!({});
    if area.top > 0 {
        data["startRow"] = json!(area.top);
    }
    if area.left > 0 {
        data["startColumn"] = json!(area.left);
    }
    if let Some(rows) = mask.get("rowData") {
        let cells = rows.get("values").unwrap_or_default();
        let last = sheet.rows.len().min(area.bottom);
        let mut list: Vec<Value> = (area.top..last.max(area.top))
            .map(|row| {
                let mut values: Vec<Value> = (area.left..area.right)
                    .map(|column| cell(book, at, row, column, &cells))
                    .collect();
                while values
                    .last()
                    .and_then(Value::as_object)
                    .is_some_and(serde_json::Map::is_empty)
                {
                    values.pop();
                }
                if values.is_empty() {
                    json!({})
                } else {
                    json!({"values": values})
                }
            })
            .collect();
        while list
            .last()
            .and_then(Value::as_object)
            .is_some_and(serde_json::Map::is_empty)
        {
            list.pop();
        }
        put_list(&mut data, "rowData", list);
    }
    let marks = marks_by_place(book, sheet.id);
    let sizes =
        |sizes: &[Dimension], from: usize, default: u32, place: &dyn Fn(usize) -> Place| -> Vec<Value> {
            sizes
                .iter()
                .enumerate()
                .map(|(index, size)| {
                    let mut value = json!({"pixelSize": size.pixels.unwrap_or(default)});
                    if size.hidden {
                        value["hiddenByUser"] = json!(true);
                    }
                    let marks = marks.get(&place(from + index)).cloned();
                    put_list(&mut value, "developerMetadata", marks.unwrap_or_default());
                    value
                })
                .collect()
        };
    if mask.touches("rowMetadata") {
        let part = sheet.row_sizes.get(area.top..area.bottom).unwrap_or_default();
        put_list(
            &mut data,
            "rowMetadata",
            sizes(part, area.top, DEFAULT_HEIGHT, &|at| Place::Row(sheet.id, at)),
        );
    }
    if mask.touches("columnMetadata") {
        let part = sheet.column_sizes.get(area.left..area.right).unwrap_or_default();
        let place = |at| Place::Column(sheet.id, at);
        put_list(
            &mut data,
            "columnMetadata",
            sizes(part, area.left, DEFAULT_WIDTH, &place),
        );
    }
    data
}

/// What hangs on the rows and columns of a sheet.
fn marks_by_place(book: &Spreadsheet, sheet: i64) -> HashMap<Place, Vec<Value>> {
    let mut found: HashMap<Place, Vec<Value>> = HashMap::new();
    for entry in &book.metadata {
        if let Place::Row(id, _) | Place::Column(id, _) = entry.place
            && id == sheet
        {
            found.entry(entry.place).or_default().push(to_json(entry));
        }
    }
    found
}

fn cell(book: &Spreadsheet, at: usize, row: usize, column: usize, mask: &Mask) -> Value {
    let Some(cell) = book.sheets[at].cell(row, column).filter(|cell| !cell.is_blank()) else {
        return json!({});
    };
    let mut value = json!({});
    if let Some(content) = &cell.content {
        value["userEnteredValue"] = match content {
            Content::Bool(value) => json!({"boolValue": value}),
            Content::Number(value) => json!({"numberValue": number_json(*value)}),
            Content::Text(text) => json!({"stringValue": text}),
            Content::Formula { formula } => json!({"formulaValue": formula}),
        };
        let shown = effective(book, at, row, column);
        value["effectiveValue"] = match &shown {
            Shown::Blank => json!({}),
            Shown::Bool(value) => json!({"boolValue": value}),
            Shown::Number(value) => json!({"numberValue": number_json(*value)}),
            Shown::Text(text) => json!({"stringValue": text}),
            Shown::Error(text) => json!({"errorValue": {"type": "ERROR", "message": text}}),
        };
        value["formattedValue"] = json!(formatted(book, cell, &shown));
    }
    if let Some(format) = book.formats.get(cell.format) {
        value["userEnteredFormat"] = format.clone();
        value["effectiveFormat"] = format.clone();
    }
    if let Some(note) = &cell.note {
        value["note"] = json!(note);
    }
    mask.filter(value)
}

/// The text a person sees.
pub(crate) fn formatted(book: &Spreadsheet, cell: &Cell, shown: &Shown) -> String {
    match shown {
        Shown::Blank => String::new(),
        Shown::Number(value) => number_text(*value, book.formats.get(cell.format)),
        Shown::Text(text) => text.clone(),
        Shown::Bool(true) => "TRUE".to_owned(),
        Shown::Bool(false) => "FALSE".to_owned(),
        Shown::Error(text) => (*text).to_owned(),
    }
}

/// How values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RenderOption {
    Formatted,
    Unformatted,
    Formula,
}

impl RenderOption {
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        match text {
            None | Some("FORMATTED_VALUE") => Ok(Self::Formatted),
            Some("UNFORMATTED_VALUE") => Ok(Self::Unformatted),
            Some("FORMULA") => Ok(Self::Formula),
            Some(other) => Err(ApiError::invalid(format!(
                "Invalid value at 'value_render_option' (type.googleapis.com/google.apps.sheets.v4.ValueRenderOption), \"{other}\""
            ))),
        }
    }
}

/// A cell in a `ValueRange`; a blank reads `""`.
pub(crate) fn read_value(
    book: &Spreadsheet,
    at: usize,
    row: usize,
    column: usize,
    option: RenderOption,
) -> Value {
    let Some(cell) = book.sheets[at]
        .cell(row, column)
        .filter(|cell| cell.content.is_some())
    else {
        return json!("");
    };
    if let (RenderOption::Formula, Some(Content::Formula { formula })) = (option, &cell.content) {
        return json!(formula);
    }
    let shown = effective(book, at, row, column);
    match (option, &shown) {
        (RenderOption::Formatted, _) => json!(formatted(book, cell, &shown)),
        (_, Shown::Number(value)) => input::number_json(*value),
        (_, Shown::Bool(value)) => json!(value),
        (_, shown) => json!(formatted(book, cell, shown)),
    }
}
