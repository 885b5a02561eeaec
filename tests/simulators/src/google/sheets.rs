//! Requests about whole sheets and the spreadsheet's own properties.

use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{Fail, Reply, fields, read};
use super::errors::ApiError;
use super::mask::Mask;
use super::model::{Place, Sheet, Spreadsheet};
use super::render;

fn refuse(message: impl Into<String>) -> Fail {
    Fail::Refused(ApiError::invalid(message))
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Properties {
    sheet_id: Option<i64>,
    title: Option<String>,
    index: Option<usize>,
    sheet_type: Option<String>,
    grid_properties: Grid,
    hidden: bool,
    tab_color: Option<Value>,
    tab_color_style: Option<Value>,
    right_to_left: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Grid {
    row_count: Option<usize>,
    column_count: Option<usize>,
    frozen_row_count: usize,
    frozen_column_count: usize,
    hide_gridlines: bool,
    row_group_control_after: bool,
    column_group_control_after: bool,
}

fn check_title(book: &Spreadsheet, title: &str, except: Option<i64>) -> Result<(), Fail> {
    if book
        .sheets
        .iter()
        .any(|sheet| sheet.title.to_lowercase() == title.to_lowercase() && Some(sheet.id) != except)
    {
        return Err(refuse(format!(
            "A sheet with the name \"{title}\" already exists. Please enter another name."
        )));
    }
    if title.is_empty() {
        return Err(refuse("Sheet title cannot be empty."));
    }
    Ok(())
}

fn check_id(book: &Spreadsheet, id: i64) -> Result<(), Fail> {
    if id < 0 || id > i64::from(i32::MAX) {
        return Err(refuse(format!("Invalid sheet ID: {id}")));
    }
    if book.sheets.iter().any(|sheet| sheet.id == id) {
        return Err(refuse(format!("Sheet with ID {id} already exists.")));
    }
    Ok(())
}

/// Makes a sheet from the properties of `addSheet` or of a new spreadsheet.
pub(crate) fn make(book: &mut Spreadsheet, properties: &Value) -> Result<Sheet, Fail> {
    let wanted: Properties = read(properties)?;
    let id = match wanted.sheet_id {
        Some(id) => id,
        None => book.fresh_id(),
    };
    check_id(book, id)?;
    let title = wanted
        .title
        .unwrap_or_else(|| format!("Лист{}", book.sheets.len() + 1));
    check_title(book, &title, None)?;
    let grid = &wanted.grid_properties;
    let (rows, columns) = (grid.row_count.unwrap_or(1000), grid.column_count.unwrap_or(26));
    if rows == 0 || columns == 0 {
        return Err(refuse("A sheet needs at least one row and one column."));
    }
    if rows.saturating_mul(columns).saturating_add(book.cells()) > super::model::MAX_CELLS {
        return Err(ApiError::too_many_cells().into());
    }
    let mut sheet = Sheet::new(id, &title, rows, columns);
    sheet.hidden = wanted.hidden;
    sheet.hide_gridlines = grid.hide_gridlines;
    sheet.tab_colour = wanted
        .tab_color_style
        .or_else(|| wanted.tab_color.map(|colour| json!({"rgbColor": colour})));
    freeze(
        &mut sheet,
        Some(grid.frozen_row_count),
        Some(grid.frozen_column_count),
    )?;
    Ok(sheet)
}

fn freeze(sheet: &mut Sheet, rows: Option<usize>, columns: Option<usize>) -> Result<(), Fail> {
    let (rows, columns) = (
        rows.unwrap_or(sheet.frozen_rows),
        columns.unwrap_or(sheet.frozen_columns),
    );
    if rows >= sheet.row_count {
        return Err(refuse("You can't freeze all visible rows on the sheet."));
    }
    if columns >= sheet.column_count {
        return Err(refuse("You can't freeze all visible columns on the sheet."));
    }
    let torn_row = sheet
        .merges
        .iter()
        .any(|merge| merge.top < rows && rows < merge.bottom);
    let torn_column = sheet
        .merges
        .iter()
        .any(|merge| merge.left < columns && columns < merge.right);
    if torn_row || torn_column {
        return Err(refuse(
            "You can't freeze columns or rows which contain only part of a merged cell.",
        ));
    }
    sheet.frozen_rows = rows;
    sheet.frozen_columns = columns;
    Ok(())
}

/// `addSheet`
pub(crate) fn add(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Add {
        #[serde(default)]
        properties: Value,
    }
    let request: Add = read(body)?;
    let properties = if request.properties.is_null() {
        json!({})
    } else {
        request.properties
    };
    let sheet = make(book, &properties)?;
    let index = properties
        .get("index")
        .and_then(Value::as_u64)
        .and_then(|index| usize::try_from(index).ok());
    let index = index.unwrap_or(book.sheets.len()).min(book.sheets.len());
    let shown = render::properties(&sheet, index);
    book.sheets.insert(index, sheet);
    Ok(json!({"addSheet": {"properties": shown}}))
}

/// `deleteSheet`
pub(crate) fn delete(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Delete {
        #[serde(default)]
        sheet_id: i64,
    }
    let request: Delete = read(body)?;
    let at = book.position(request.sheet_id)?;
    if book
        .sheets
        .iter()
        .enumerate()
        .all(|(index, sheet)| index == at || sheet.hidden)
    {
        return Err(refuse("You can't remove all the visible sheets in a document."));
    }
    book.sheets.remove(at);
    book.metadata.retain(|entry| match entry.place {
        Place::Sheet(id) | Place::Row(id, _) | Place::Column(id, _) => id != request.sheet_id,
        Place::Spreadsheet => true,
    });
    Ok(json!({}))
}

/// `duplicateSheet`
pub(crate) fn duplicate(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Duplicate {
        #[serde(default)]
        source_sheet_id: i64,
        insert_sheet_index: Option<usize>,
        new_sheet_id: Option<i64>,
        new_sheet_name: Option<String>,
    }
    let request: Duplicate = read(body)?;
    let at = book.position(request.source_sheet_id)?;
    let mut copy = book.sheets[at].clone();
    copy.id = match request.new_sheet_id {
        Some(id) => id,
        None => book.fresh_id(),
    };
    check_id(book, copy.id)?;
    copy.title = match request.new_sheet_name.filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => (1..)
            .map(|number| format!("Копия {} {number}", copy.title))
            .find(|name| book.sheets.iter().all(|sheet| &sheet.title != name))
            .unwrap_or_default(),
    };
    check_title(book, &copy.title, None)?;
    for part in copy.protected.iter_mut().chain(&mut copy.filter) {
        if let Some(range) = part.get_mut("range") {
            range["sheetId"] = json!(copy.id);
        }
    }
    super::objects::copied(book, &mut copy);
    if book.habits.duplicates_carry_metadata {
        super::metadata::duplicate(book, request.source_sheet_id, copy.id);
    }
    for rule in &mut copy.conditional {
        for range in rule
            .get_mut("ranges")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            range["sheetId"] = json!(copy.id);
        }
    }
    let index = request.insert_sheet_index.unwrap_or(0).min(book.sheets.len());
    let shown = render::properties(&copy, index);
    book.sheets.insert(index, copy);
    book.check_size()?;
    Ok(json!({"duplicateSheet": {"properties": shown}}))
}

/// `updateSheetProperties`
pub(crate) fn update_properties(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Update {
        properties: Value,
        fields: String,
    }
    let request: Update = read(body)?;
    let mask = fields(&request.fields)?;
    let wanted: Properties = read(&request.properties)?;
    let id = wanted.sheet_id.unwrap_or(0);
    let mut at = book.position(id)?;
    check_mask(&mask)?;
    if mask.touches("title") && (!mask.is_everything() || wanted.title.is_some()) {
        let title = wanted.title.clone().unwrap_or_default();
        check_title(book, &title, Some(id))?;
        book.sheets[at].title = title;
    }
    if let Some(index) = wanted.index.filter(|_| mask.touches("index")) {
        if index > book.sheets.len() {
            return Err(refuse(format!("index[{index}] is too large.")));
        }
        let sheet = book.sheets.remove(at);
        at = index.min(book.sheets.len());
        book.sheets.insert(at, sheet);
    }
    let sheet = &mut book.sheets[at];
    if mask.touches("hidden") {
        sheet.hidden = wanted.hidden;
    }
    if mask.touches("tabColor") || mask.touches("tabColorStyle") {
        let old_name = wanted.tab_color.clone().map(|colour| json!({"rgbColor": colour}));
        sheet.tab_colour = wanted.tab_color_style.clone().or(old_name);
    }
    if let Some(grid) = mask.get("gridProperties") {
        update_grid(sheet, &grid, &wanted.grid_properties)?;
    }
    if book.sheets.iter().all(|sheet| sheet.hidden) {
        return Err(refuse("You can't hide all the sheets in a document."));
    }
    book.check_size()?;
    Ok(json!({}))
}

fn check_mask(mask: &Mask) -> Result<(), Fail> {
    let known = [
        "sheetId",
        "title",
        "index",
        "sheetType",
        "gridProperties",
        "hidden",
        "tabColor",
        "tabColorStyle",
        "rightToLeft",
    ];
    match mask.names().find(|name| !known.contains(name)) {
        Some(unknown) => Err(refuse(format!("Invalid field: {unknown}"))),
        None => Ok(()),
    }
}

fn update_grid(sheet: &mut Sheet, mask: &Mask, wanted: &Grid) -> Result<(), Fail> {
    let size = |name: &str, asked: Option<usize>, now: usize| match asked {
        Some(count) if mask.touches(name) => count,
        _ => now,
    };
    let rows = size("rowCount", wanted.row_count, sheet.row_count);
    let columns = size("columnCount", wanted.column_count, sheet.column_count);
    if rows == 0 || columns == 0 {
        return Err(refuse("A sheet needs at least one row and one column."));
    }
    if rows.saturating_mul(columns) > super::model::MAX_CELLS {
        return Err(ApiError::too_many_cells().into());
    }
    if (rows, columns) != (sheet.row_count, sheet.column_count) {
        sheet.resize(rows, columns);
    }
    freeze(
        sheet,
        mask.touches("frozenRowCount").then_some(wanted.frozen_row_count),
        mask.touches("frozenColumnCount")
            .then_some(wanted.frozen_column_count),
    )?;
    if mask.touches("hideGridlines") {
        sheet.hide_gridlines = wanted.hide_gridlines;
    }
    Ok(())
}

/// `updateSpreadsheetProperties`
pub(crate) fn update_spreadsheet(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Update {
        properties: Value,
        fields: String,
    }
    let request: Update = read(body)?;
    let mask = fields(&request.fields)?;
    let text = |name: &str| {
        request
            .properties
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    if let Some(title) = text("title").filter(|_| mask.touches("title")) {
        book.title = title;
    }
    if let Some(locale) = text("locale").filter(|_| mask.touches("locale")) {
        book.locale = locale;
    }
    if let Some(zone) = text("timeZone").filter(|_| mask.touches("timeZone")) {
        book.time_zone = zone;
    }
    Ok(json!({}))
}
