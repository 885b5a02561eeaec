//! Requests that write cells: contents, formats, notes and borders.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::batch::{Fail, Reply, fields, read, read_raw};
use super::errors::ApiError;
use super::input::check_length;
use super::mask::Mask;
use super::model::{Cell, Content, Formats, Rect, Spreadsheet};
use super::ranges::{GridRange, beyond};

/// Fields of a cell that the API knows; those that the simulator does not keep are accepted and dropped.
const CELL_FIELDS: &[&str] = &[
    "userEnteredValue",
    "userEnteredFormat",
    "note",
    "dataValidation",
    "textFormatRuns",
    "hyperlink",
    "pivotTable",
];
const FORMAT_FIELDS: &[&str] = &[
    "numberFormat",
    "backgroundColor",
    "backgroundColorStyle",
    "borders",
    "padding",
    "horizontalAlignment",
    "verticalAlignment",
    "wrapStrategy",
    "textDirection",
    "textFormat",
    "hyperlinkDisplayType",
    "textRotation",
];

/// One change of many cells: the mask, the new cell, and what became of each format that was met.
struct Brush {
    mask: Mask,
    format_mask: Option<Mask>,
    /// For each of the last formats painted, what it made of each format that it met.
    seen: Vec<(Value, HashMap<u32, u32>)>,
}

/// A table rarely uses more formats than this in one request.
const FORMATS_KEPT: usize = 32;

/// A parsed `CellData`.
struct Paint {
    content: Option<Content>,
    format: Value,
    note: Option<String>,
}

impl Brush {
    fn new(text: &str) -> Result<Self, Fail> {
        let mask = fields(text)?;
        if let Some(unknown) = mask.names().find(|name| !CELL_FIELDS.contains(name)) {
            return Err(Fail::Refused(ApiError::invalid(format!(
                "Invalid field: {unknown}"
            ))));
        }
        let mut format_mask = mask.get("userEnteredFormat");
        if let Some(mask) = &mut format_mask {
            if let Some(unknown) = mask.names().find(|name| !FORMAT_FIELDS.contains(name)) {
                return Err(Fail::Refused(ApiError::invalid(format!(
                    "Invalid field: {unknown}"
                ))));
            }
            mask.pair("backgroundColor", "backgroundColorStyle");
            mask.pair_in("textFormat", "foregroundColor", "foregroundColorStyle");
        }
        Ok(Self {
            mask,
            format_mask,
            seen: Vec::new(),
        })
    }

    fn paint(&mut self, formats: &mut Formats, cell: &mut Cell, paint: &Paint) {
        if self.mask.touches("userEnteredValue") {
            cell.content.clone_from(&paint.content);
        }
        if self.mask.touches("note") {
            cell.note.clone_from(&paint.note);
        }
        let Some(mask) = &self.format_mask else { return };
        let known = self.seen.iter().position(|(format, _)| *format == paint.format);
        let at = known.unwrap_or_else(|| {
            if self.seen.len() == FORMATS_KEPT {
                self.seen.clear();
            }
            self.seen.push((paint.format.clone(), HashMap::new()));
            self.seen.len() - 1
        });
        let Some((_, met)) = self.seen.get_mut(at) else {
            return;
        };
        let old = cell.format;
        cell.format = *met.entry(old).or_insert_with(|| {
            let mut format = formats.get(old).cloned().unwrap_or_else(|| json!({}));
            mask.merge(&mut format, &paint.format);
            formats.add(format)
        });
    }
}

/// A cell as it comes in requests.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct CellData {
    user_entered_value: Option<ExtendedValue>,
    user_entered_format: Option<Value>,
    note: Option<String>,
    #[serde(rename = "dataValidation")]
    _validation: Option<IgnoredAny>,
    #[serde(rename = "textFormatRuns")]
    _runs: Option<IgnoredAny>,
    #[serde(rename = "hyperlink")]
    _hyperlink: Option<IgnoredAny>,
    #[serde(rename = "pivotTable")]
    _pivot: Option<IgnoredAny>,
    #[serde(rename = "effectiveValue")]
    _value: Option<IgnoredAny>,
    #[serde(rename = "effectiveFormat")]
    _format: Option<IgnoredAny>,
    #[serde(rename = "formattedValue")]
    _text: Option<IgnoredAny>,
}

/// Exactly one kind, or nothing.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct ExtendedValue {
    number_value: Option<f64>,
    string_value: Option<String>,
    bool_value: Option<bool>,
    formula_value: Option<String>,
}

fn read_paint(cell: &CellData) -> Result<Paint, Fail> {
    let mut format = cell
        .user_entered_format
        .clone()
        .unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(unknown) = format
        .as_object()
        .and_then(|format| format.keys().find(|name| !FORMAT_FIELDS.contains(&name.as_str())))
    {
        return Err(Fail::Schema(format!("unknown field `{unknown}`")));
    }
    twin(&mut format, "backgroundColor");
    if let Some(text) = format.get_mut("textFormat") {
        twin(text, "foregroundColor");
    }
    let note = cell.note.clone().filter(|note| !note.is_empty());
    let content = cell
        .user_entered_value
        .as_ref()
        .map(content)
        .transpose()?
        .flatten();
    Ok(Paint {
        content,
        format,
        note,
    })
}

/// Google keeps a colour under its old and its new name; the new one wins.
fn twin(format: &mut Value, name: &str) {
    let style = format!("{name}Style");
    let Some(format) = format.as_object_mut() else {
        return;
    };
    if let Some(colour) = format
        .get(&style)
        .and_then(|style| style.get("rgbColor"))
        .cloned()
    {
        format.insert(name.to_owned(), colour);
    } else if let Some(colour) = format.get(name).cloned() {
        format.insert(style, json!({"rgbColor": colour}));
    }
}

fn content(value: &ExtendedValue) -> Result<Option<Content>, Fail> {
    let refuse = |text: String| Err(Fail::Refused(ApiError::invalid(text)));
    match (
        value.number_value,
        &value.string_value,
        value.bool_value,
        &value.formula_value,
    ) {
        (None, None, None, None) => Ok(None),
        (Some(number), None, None, None) => Ok(Some(Content::Number(number))),
        (None, None, Some(flag), None) => Ok(Some(Content::Bool(flag))),
        (None, Some(text), None, None) => {
            check_length(text)?;
            Ok((!text.is_empty()).then(|| Content::Text(text.clone())))
        }
        (None, None, None, Some(formula)) => {
            check_length(formula)?;
            if formula.starts_with('=') {
                Ok(Some(Content::Formula {
                    formula: formula.clone(),
                }))
            } else {
                refuse(format!("Invalid formula value: {formula}"))
            }
        }
        _ => refuse("oneof field 'value' is already set.".to_owned()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    range: GridRange,
    #[serde(default)]
    cell: CellData,
    fields: String,
}

/// `repeatCell`
pub(crate) fn repeat(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Repeat = read(body)?;
    let (at, rect) = request.range.resolve(book)?;
    let mut brush = Brush::new(&request.fields)?;
    let paint = read_paint(&request.cell)?;
    let Spreadsheet { sheets, formats, .. } = book;
    for row in rect.top..rect.bottom {
        for column in rect.left..rect.right {
            brush.paint(formats, sheets[at].cell_mut(row, column), &paint);
        }
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Update {
    #[serde(default)]
    rows: Vec<RowData>,
    fields: String,
    start: Option<Start>,
    range: Option<GridRange>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RowData {
    values: Vec<CellData>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Start {
    sheet_id: i64,
    row_index: usize,
    column_index: usize,
}

/// `updateCells`
pub(crate) fn update(book: &mut Spreadsheet, body: &RawValue) -> Reply {
    let request: Update = read_raw(body)?;
    let mut brush = Brush::new(&request.fields)?;
    let widest = request.rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
    let (at, rect, clears) = match (&request.start, &request.range) {
        (Some(start), None) => {
            let at = book.position(start.sheet_id)?;
            let rect = Rect {
                top: start.row_index,
                left: start.column_index,
                bottom: start.row_index + request.rows.len(),
                right: start.column_index + widest,
            };
            (at, rect, false)
        }
        (None, Some(range)) => {
            let (at, rect) = range.resolve(book)?;
            if request.rows.len() > rect.bottom - rect.top || widest > rect.right - rect.left {
                let text = "Attempting to write beyond the requested range.";
                return Err(Fail::Refused(ApiError::invalid(text)));
            }
            (at, rect, true)
        }
        _ => {
            return Err(Fail::Refused(ApiError::invalid(
                "Exactly one of 'start' and 'range' must be set.",
            )));
        }
    };
    let Spreadsheet { sheets, formats, .. } = book;
    let sheet = &mut sheets[at];
    if rect.bottom > sheet.row_count || rect.right > sheet.column_count {
        return Err(Fail::Refused(beyond(sheet, rect)));
    }
    let nothing = Paint {
        content: None,
        format: json!({}),
        note: None,
    };
    for row in rect.top..rect.bottom {
        let values = request
            .rows
            .get(row - rect.top)
            .map_or(&[][..], |row| &row.values);
        let end = if clears {
            rect.right
        } else {
            rect.left + values.len()
        };
        for column in rect.left..end {
            let paint = match values.get(column - rect.left) {
                Some(value) => &read_paint(value)?,
                None => &nothing,
            };
            brush.paint(formats, sheet.cell_mut(row, column), paint);
        }
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Append {
    #[serde(default)]
    sheet_id: i64,
    rows: Vec<RowData>,
    fields: String,
}

/// `appendCells`: grows rows by itself, never columns.
pub(crate) fn append(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Append = read(body)?;
    let at = book.position(request.sheet_id)?;
    let mut brush = Brush::new(&request.fields)?;
    let Spreadsheet { sheets, formats, .. } = book;
    let sheet = &mut sheets[at];
    let first = sheet.used_rows();
    let widest = request.rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
    let bottom = first + request.rows.len();
    if widest > sheet.column_count {
        return Err(Fail::Refused(beyond(
            sheet,
            Rect {
                top: first,
                left: 0,
                bottom,
                right: widest,
            },
        )));
    }
    if bottom > sheet.row_count {
        sheet.resize(bottom, sheet.column_count);
    }
    for (offset, row) in request.rows.iter().enumerate() {
        for (column, value) in row.values.iter().enumerate() {
            brush.paint(
                formats,
                sheet.cell_mut(first + offset, column),
                &read_paint(value)?,
            );
        }
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Borders {
    range: GridRange,
    top: Option<Value>,
    bottom: Option<Value>,
    left: Option<Value>,
    right: Option<Value>,
    inner_horizontal: Option<Value>,
    inner_vertical: Option<Value>,
}

/// `updateBorders`
pub(crate) fn borders(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Borders = read(body)?;
    let (at, rect) = request.range.resolve(book)?;
    let Spreadsheet { sheets, formats, .. } = book;
    let sheet = &mut sheets[at];
    let mut seen: HashMap<(u32, [bool; 4]), u32> = HashMap::new();
    for row in rect.top..rect.bottom {
        for column in rect.left..rect.right {
            let outer = [
                row == rect.top,
                row + 1 == rect.bottom,
                column == rect.left,
                column + 1 == rect.right,
            ];
            let cell = sheet.cell_mut(row, column);
            cell.format = *seen.entry((cell.format, outer)).or_insert_with(|| {
                let mut format = formats.get(cell.format).cloned().unwrap_or_else(|| json!({}));
                let sides = [
                    ("top", outer[0], &request.top, &request.inner_horizontal),
                    ("bottom", outer[1], &request.bottom, &request.inner_horizontal),
                    ("left", outer[2], &request.left, &request.inner_vertical),
                    ("right", outer[3], &request.right, &request.inner_vertical),
                ];
                for (side, is_outer, edge, inner) in sides {
                    if let Some(border) = if is_outer { edge } else { inner } {
                        set_border(&mut format, side, border);
                    }
                }
                formats.add(format)
            });
        }
    }
    Ok(json!({}))
}

fn set_border(format: &mut Value, side: &str, border: &Value) {
    let Some(format) = format.as_object_mut() else {
        return;
    };
    let borders = format.entry("borders").or_insert_with(|| json!({}));
    let Some(borders) = borders.as_object_mut() else {
        return;
    };
    let visible = border
        .get("style")
        .and_then(Value::as_str)
        .is_some_and(|style| style != "NONE");
    if visible {
        let mut border = border.clone();
        twin(&mut border, "color");
        borders.insert(side.to_owned(), border);
    } else {
        borders.remove(side);
    }
    if borders.is_empty() {
        format.remove("borders");
    }
}
