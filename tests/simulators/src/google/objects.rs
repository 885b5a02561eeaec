//! Tables, alternating colours and slicers: kept as given, shifted with the grid, and in the way where they
//! are at Google. Words of refusals are Google's where somebody has quoted them; the others say so.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::batch::{Fail, Reply, fields, read, read_raw};
use super::errors::ApiError;
use super::model::{Content, Rect, Sheet, Spreadsheet};
use super::ranges::{Axis, GridRange, Shift};
use super::rules;

fn refuse(message: impl Into<String>) -> Fail {
    Fail::Refused(ApiError::invalid(message))
}

/// Quoted by many public projects, of `setDataValidation` and of formats set by scripts.
const TYPED: &str = "This operation is not allowed on cells in typed columns.";

fn area(part: &Value, book: &Spreadsheet) -> Option<(usize, Rect)> {
    read::<GridRange>(part.get("range")?).ok()?.resolve(book).ok()
}

fn overlaps(book: &Spreadsheet, list: &[Value], rect: Rect, except: Option<&str>) -> bool {
    let other = |part: &&Value| except.is_none() || part.get("tableId").and_then(Value::as_str) != except;
    list.iter()
        .filter(other)
        .filter_map(|part| area(part, book))
        .any(|(_, known)| known.intersects(&rect))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Table {
    name: Option<String>,
    range: Option<GridRange>,
    table_id: Option<String>,
    #[serde(default)]
    column_properties: Vec<Column>,
    rows_properties: Option<Value>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Column {
    #[serde(default)]
    column_index: usize,
    column_name: Option<String>,
    column_type: Option<String>,
    data_validation_rule: Option<Value>,
}

const TYPES: [&str; 15] = [
    "COLUMN_TYPE_UNSPECIFIED",
    "DOUBLE",
    "CURRENCY",
    "PERCENT",
    "DATE",
    "TIME",
    "DATE_TIME",
    "TEXT",
    "BOOLEAN",
    "DROPDOWN",
    "FILES_CHIP",
    "PEOPLE_CHIP",
    "FINANCE_CHIP",
    "PLACE_CHIP",
    "RATINGS_CHIP",
];

fn check_columns(columns: &[Column], width: usize) -> Result<(), Fail> {
    for column in columns {
        if column.column_index >= width {
            return Err(refuse("columnIndex must be inside the table."));
        }
        let kind = column.column_type.as_deref().unwrap_or(TYPES[0]);
        if !TYPES.contains(&kind) {
            return Err(Fail::Schema(format!("unknown column type {kind}")));
        }
        // "Only set for dropdown column type" (discovery document).
        if column.data_validation_rule.is_some() && kind != "DROPDOWN" {
            return Err(refuse("dataValidationRule can only be set for DROPDOWN columns."));
        }
    }
    Ok(())
}

fn columns_json(columns: &[Column]) -> Value {
    let one = |column: &Column| {
        let mut value = json!({"columnIndex": column.column_index});
        let mut put = |name: &str, part: Option<Value>| {
            if let Some(part) = part {
                value[name] = part;
            }
        };
        put("columnName", column.column_name.as_ref().map(|name| json!(name)));
        put("columnType", column.column_type.as_ref().map(|kind| json!(kind)));
        put("dataValidationRule", column.data_validation_rule.clone());
        value
    };
    columns.iter().map(one).collect()
}

/// `addTable`. The titles become unique at once, as in the interface.
pub(crate) fn add_table(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Add {
        table: Table,
    }
    let table = read::<Add>(body)?.table;
    let (at, rect) = table.range.unwrap_or_default().resolve(book)?;
    check_columns(&table.column_properties, rect.right - rect.left)?;
    let sheet = &book.sheets[at];
    // The words of these three are not known.
    if overlaps(book, &sheet.tables, rect, None) || overlaps(book, &sheet.banding, rect, None) {
        return Err(refuse(
            "A table cannot overlap another table or alternating colors.",
        ));
    }
    if sheet.merges.iter().any(|merge| merge.intersects(&rect)) {
        return Err(refuse("A table cannot contain merged cells."));
    }
    let known = |name: &str| {
        let mut tables = book.sheets.iter().flat_map(|sheet| &sheet.tables);
        tables.any(|table| table.get("name").and_then(Value::as_str) == Some(name))
    };
    let name = match table.name {
        Some(name) if known(&name) => return Err(refuse(format!("A table named {name} already exists."))),
        Some(name) => name,
        None => (1..)
            .map(|number| format!("Table{number}"))
            .find(|name| !known(name))
            .unwrap_or_default(),
    };
    let id = table.table_id.unwrap_or_else(|| book.fresh_id().to_string());
    let range = super::ranges::rect_json(book.sheets[at].id, rect);
    for column in &table.column_properties {
        if let Some(name) = &column.column_name {
            let place = rect.left + column.column_index;
            book.sheets[at].cell_mut(rect.top, place).content = Some(Content::Text(name.clone()));
        }
    }
    make_unique(&mut book.sheets[at], rect);
    let mut made = json!({"tableId": id, "name": name, "range": range,
        "columnProperties": columns_json(&table.column_properties)});
    if let Some(rows) = table.rows_properties {
        made["rowsProperties"] = rows;
    }
    book.sheets[at].tables.push(made.clone());
    Ok(json!({"addTable": {"table": made}}))
}

/// `updateTable`
pub(crate) fn update_table(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Update {
        table: Table,
        fields: String,
    }
    let request: Update = read(body)?;
    let mask = fields(&request.fields)?;
    let wanted = request.table;
    let id = wanted.table_id.as_deref().unwrap_or_default();
    let (at, place) = position(book, id)?;
    let mut table = book.sheets[at].tables[place].clone();
    if let Some(range) = wanted.range.filter(|_| mask.touches("range")) {
        let (on, rect) = range.resolve(book)?;
        if on != at || overlaps(book, &book.sheets[at].tables, rect, Some(id)) {
            return Err(refuse(
                "A table cannot overlap another table or alternating colors.",
            ));
        }
        table["range"] = super::ranges::rect_json(book.sheets[at].id, rect);
    }
    if let Some(name) = wanted.name.filter(|_| mask.touches("name")) {
        table["name"] = json!(name);
    }
    if mask.touches("columnProperties") {
        let (_, rect) = area(&table, book).ok_or_else(|| refuse("The table has no range."))?;
        check_columns(&wanted.column_properties, rect.right - rect.left)?;
        table["columnProperties"] = columns_json(&wanted.column_properties);
    }
    book.sheets[at].tables[place] = table;
    Ok(json!({}))
}

fn position(book: &Spreadsheet, id: &str) -> Result<(usize, usize), Fail> {
    let is = |table: &Value| table.get("tableId").and_then(Value::as_str) == Some(id);
    let mut sheets = book.sheets.iter().enumerate();
    sheets
        .find_map(|(at, sheet)| Some((at, sheet.tables.iter().position(is)?)))
        .ok_or_else(|| refuse(format!("No table with id: {id}")))
}

/// `deleteTable`: contents go with it at Google, as with "delete table" in the interface; what people do to
/// get a plain range back is "convert to range", which leaves them. Here they stay.
pub(crate) fn delete_table(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Delete {
        table_id: String,
    }
    let id = read::<Delete>(body)?.table_id;
    let (at, place) = position(book, &id)?;
    book.sheets[at].tables.remove(place);
    Ok(json!({}))
}

/// `addBanding`
pub(crate) fn add_banding(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Add {
        banded_range: Value,
    }
    let mut banded = read::<Add>(body)?.banded_range;
    let range: GridRange = read(banded.get("range").unwrap_or(&json!({})))?;
    let (at, rect) = range.resolve(book)?;
    if banded.get("rowProperties").is_none() && banded.get("columnProperties").is_none() {
        return Err(refuse(
            "At least one of row_properties or column_properties must be specified.",
        ));
    }
    // Quoted in public questions about `addBanding`.
    if overlaps(book, &book.sheets[at].banding, rect, None)
        || overlaps(book, &book.sheets[at].tables, rect, None)
    {
        return Err(refuse(
            "You cannot add alternating background colors to a range that already has alternating background \
             colors.",
        ));
    }
    let id = match banded.get("bandedRangeId").and_then(Value::as_i64) {
        Some(id) => id,
        None => book.fresh_id(),
    };
    banded["bandedRangeId"] = json!(id);
    banded["range"] = super::ranges::rect_json(book.sheets[at].id, rect);
    book.sheets[at].banding.push(banded.clone());
    Ok(json!({"addBanding": {"bandedRange": banded}}))
}

/// `deleteBanding`
pub(crate) fn delete_banding(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Delete {
        banded_range_id: i64,
    }
    let id = read::<Delete>(body)?.banded_range_id;
    take(book, |sheet| &mut sheet.banding, "bandedRangeId", id)
        .ok_or_else(|| refuse(format!("No banding with id: {id}")))
}

fn take(
    book: &mut Spreadsheet,
    list: impl Fn(&mut Sheet) -> &mut Vec<Value>,
    name: &str,
    id: i64,
) -> Option<Value> {
    book.sheets.iter_mut().find_map(|sheet| {
        let list = list(sheet);
        let is = |part: &Value| part.get(name).and_then(Value::as_i64) == Some(id);
        let place = list.iter().position(is)?;
        list.remove(place);
        Some(json!({}))
    })
}

/// `addSlicer`
pub(crate) fn add_slicer(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Add {
        slicer: Value,
    }
    let mut slicer = read::<Add>(body)?.slicer;
    let anchor = slicer.pointer("/position/overlayPosition/anchorCell/sheetId");
    let at = book.position(anchor.and_then(Value::as_i64).unwrap_or_default())?;
    let range: GridRange = read(slicer.pointer("/spec/dataRange").unwrap_or(&json!({})))?;
    range.resolve(book)?;
    let id = match slicer.get("slicerId").and_then(Value::as_i64) {
        Some(id) => id,
        None => book.fresh_id(),
    };
    slicer["slicerId"] = json!(id);
    book.sheets[at].slicers.push(slicer.clone());
    Ok(json!({"addSlicer": {"slicer": slicer}}))
}

/// `deleteEmbeddedObject`; there are no others than slicers here.
pub(crate) fn delete_object(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Delete {
        object_id: i64,
    }
    let id = read::<Delete>(body)?.object_id;
    take(book, |sheet| &mut sheet.slicers, "slicerId", id)
        .ok_or_else(|| refuse(format!("No object with id: {id}")))
}

/// `setDataValidation`; the rule itself is not kept.
pub(crate) fn validate(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Set {
        range: GridRange,
        #[serde(rename = "rule")]
        _rule: Option<Value>,
        #[serde(rename = "filteredRowsIncluded")]
        _filtered: Option<bool>,
    }
    let request: Set = read(body)?;
    request.range.resolve(book)?;
    Ok(json!({}))
}

/// Columns of a table with a type, without its row of titles.
fn typed(table: &Value, rect: Rect) -> impl Iterator<Item = Rect> {
    let columns = table.get("columnProperties").and_then(Value::as_array);
    let place = move |column: &Value| {
        let kind = column.get("columnType").and_then(Value::as_str)?;
        let index = column.get("columnIndex").and_then(Value::as_u64).unwrap_or(0);
        let left = rect.left + usize::try_from(index).ok()?;
        (kind != TYPES[0]).then_some(Rect {
            top: rect.top + 1,
            left,
            right: left + 1,
            ..rect
        })
    };
    columns.into_iter().flatten().filter_map(place)
}

/// Refuses what a Table does not let anybody do to its cells.
pub(crate) fn guard(book: &Spreadsheet, name: &str, raw: &RawValue) -> Result<(), Fail> {
    let formats = |body: &Value| {
        let fields = body.get("fields").and_then(Value::as_str).unwrap_or_default();
        ["*", "userEnteredFormat", "dataValidation"].contains(&fields)
            || fields.contains("numberFormat")
            || fields.contains("dataValidation")
    };
    let interesting = ["mergeCells", "setDataValidation", "repeatCell", "updateCells"];
    if !interesting.contains(&name) || book.sheets.iter().all(|sheet| sheet.tables.is_empty()) {
        return Ok(());
    }
    let body: Value = read_raw(raw)?;
    let Some((at, rect)) = rules::changed_cells(book, name, &body) else {
        return Ok(());
    };
    for table in &book.sheets[at].tables {
        let Some((_, whole)) = area(table, book).filter(|(_, whole)| whole.intersects(&rect)) else {
            continue;
        };
        // Merges are not offered inside a table; the API's words are not known.
        if name == "mergeCells" {
            return Err(refuse("You can't merge cells in a table."));
        }
        let hit = typed(table, whole).any(|column| column.intersects(&rect));
        if hit && (name == "setDataValidation" || formats(&body)) {
            return Err(refuse(TYPED));
        }
    }
    Ok(())
}

/// Titles of a table differ from each other: after every request.
pub(crate) fn check_titles(book: &mut Spreadsheet) -> Result<(), Fail> {
    for at in 0..book.sheets.len() {
        for place in 0..book.sheets[at].tables.len() {
            let Some((_, rect)) = area(&book.sheets[at].tables[place], book) else {
                continue;
            };
            if book.habits.tables_rename_titles {
                make_unique(&mut book.sheets[at], rect);
            } else if make_unique(&mut book.sheets[at].clone(), rect) {
                // The words are not known; nor is it known whether the API refuses or renames.
                return Err(refuse("Column names in a table must be unique."));
            }
        }
    }
    Ok(())
}

/// Changes what is there twice, and blank titles; true if anything was.
fn make_unique(sheet: &mut Sheet, rect: Rect) -> bool {
    let mut seen = BTreeSet::new();
    let mut changed = false;
    for column in rect.left..rect.right {
        let title = match sheet
            .cell(rect.top, column)
            .and_then(|cell| cell.content.as_ref())
        {
            Some(Content::Text(text)) => text.clone(),
            None => format!("Столбец {}", column - rect.left + 1),
            // A formula or a number is left alone.
            Some(_) => continue,
        };
        let blank = sheet
            .cell(rect.top, column)
            .is_none_or(|cell| cell.content.is_none());
        let mut unique = title.clone();
        for number in 2.. {
            if seen.insert(unique.to_lowercase()) {
                break;
            }
            unique = format!("{title} {number}");
        }
        if unique != title || blank {
            sheet.cell_mut(rect.top, column).content = Some(Content::Text(unique));
            // A blank title is filled in silently by everybody.
            changed |= !blank;
        }
    }
    changed
}

/// Moves everything here with rows or columns.
pub(crate) fn follow(sheet: &mut Sheet, axis: Axis, shift: Shift) {
    let start = |part: &Value| {
        let left = part.pointer("/range/startColumnIndex").and_then(Value::as_u64);
        left.and_then(|left| usize::try_from(left).ok()).unwrap_or(0)
    };
    for table in &mut sheet.tables {
        let left = start(table);
        let Some(range) = table.get_mut("range").and_then(Value::as_object_mut) else {
            continue;
        };
        if !shift.range_json(axis, range) {
            table["gone"] = json!(true);
            continue;
        }
        if axis == Axis::Rows {
            continue;
        }
        let new_left = start(table);
        if let Some(columns) = table.get_mut("columnProperties").and_then(Value::as_array_mut) {
            columns.retain_mut(|column| {
                let index = column.get("columnIndex").and_then(Value::as_u64).unwrap_or(0);
                let place = usize::try_from(index)
                    .ok()
                    .and_then(|index| shift.index(left + index));
                let inside = place.and_then(|place| place.checked_sub(new_left));
                inside.is_some_and(|place| {
                    column["columnIndex"] = json!(place);
                    true
                })
            });
        }
    }
    sheet.tables.retain(|table| table.get("gone").is_none());
    let keep = |part: &mut Value| {
        let range = part.get_mut("range").and_then(Value::as_object_mut);
        range.is_none_or(|range| shift.range_json(axis, range))
    };
    sheet.banding.retain_mut(keep);
    for slicer in &mut sheet.slicers {
        if let Some(range) = slicer
            .pointer_mut("/spec/dataRange")
            .and_then(Value::as_object_mut)
        {
            shift.range_json(axis, range);
        }
    }
}

/// Gives what hangs on a copied sheet its own ids, and the copy's.
pub(crate) fn copied(book: &mut Spreadsheet, sheet: &mut Sheet) {
    for (list, name) in [
        (&mut sheet.banding, "bandedRangeId"),
        (&mut sheet.slicers, "slicerId"),
    ] {
        for part in list {
            part[name] = json!(book.fresh_id());
        }
    }
    for table in &mut sheet.tables {
        let id = book.fresh_id();
        table["tableId"] = json!(id.to_string());
        table["name"] = json!(format!("Table_{id}"));
    }
    let id = sheet.id;
    for part in sheet
        .tables
        .iter_mut()
        .chain(&mut sheet.banding)
        .chain(&mut sheet.filter_views)
    {
        if let Some(range) = part.get_mut("range") {
            range["sheetId"] = json!(id);
        }
    }
    for slicer in &mut sheet.slicers {
        if let Some(range) = slicer.pointer_mut("/spec/dataRange") {
            range["sheetId"] = json!(id);
        }
    }
}
