//! Conditional formats, filters and protected ranges: kept as given, shifted with the grid. Protection holds
//! against everybody who is neither the owner nor named among the editors.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::batch::{Fail, Reply, read};
use super::errors::ApiError;
use super::model::{Rect, Role, Spreadsheet};
use super::ranges::{Axis, DimensionRange, GridRange};

fn refuse(message: impl Into<String>) -> Fail {
    Fail::Refused(ApiError::invalid(message))
}

/// Position of the sheet that all ranges of a rule lie on.
fn sheet_of(book: &Spreadsheet, rule: &Value) -> Result<usize, Fail> {
    let ranges = rule
        .get("ranges")
        .and_then(Value::as_array)
        .filter(|ranges| !ranges.is_empty());
    let ranges =
        ranges.ok_or_else(|| refuse("ConditionalFormatRule.ranges must have at least one range."))?;
    let mut found = None;
    for range in ranges {
        let range: GridRange = read(range)?;
        let (at, _) = range.resolve(book)?;
        if *found.get_or_insert(at) != at {
            return Err(refuse("All ranges of a rule must be on the same grid."));
        }
    }
    if rule.get("booleanRule").is_some() == rule.get("gradientRule").is_some() {
        return Err(refuse("Exactly one of booleanRule and gradientRule must be set."));
    }
    found.ok_or_else(|| refuse("No range."))
}

/// `addConditionalFormatRule`
pub(crate) fn add(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Add {
        rule: Value,
        #[serde(default)]
        index: usize,
    }
    let request: Add = read(body)?;
    let at = sheet_of(book, &request.rule)?;
    let rules = &mut book.sheets[at].conditional;
    let index = request.index.min(rules.len());
    rules.insert(index, request.rule);
    Ok(json!({}))
}

/// `updateConditionalFormatRule`
pub(crate) fn update(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Update {
        #[serde(default)]
        index: usize,
        #[serde(default)]
        sheet_id: i64,
        rule: Option<Value>,
        new_index: Option<usize>,
    }
    let request: Update = read(body)?;
    let at = match &request.rule {
        Some(rule) => sheet_of(book, rule)?,
        None => book.position(request.sheet_id)?,
    };
    let rules = &mut book.sheets[at].conditional;
    let missing = || {
        refuse(format!(
            "No conditional format on sheet at index: {}",
            request.index
        ))
    };
    match (request.rule, request.new_index) {
        (Some(rule), None) => {
            let slot = rules.get_mut(request.index).ok_or_else(missing)?;
            let old = std::mem::replace(slot, rule.clone());
            let reply = json!({"oldRule": old, "newRule": rule, "newIndex": request.index});
            Ok(json!({"updateConditionalFormatRule": reply}))
        }
        (None, Some(new_index)) if request.index < rules.len() => {
            let rule = rules.remove(request.index);
            let new_index = new_index.min(rules.len());
            rules.insert(new_index, rule.clone());
            let reply = json!({"newRule": rule, "oldIndex": request.index, "newIndex": new_index});
            Ok(json!({"updateConditionalFormatRule": reply}))
        }
        (None, Some(_)) => Err(missing()),
        _ => Err(refuse("Exactly one of rule and newIndex must be set.")),
    }
}

/// `deleteConditionalFormatRule`
pub(crate) fn delete(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Delete {
        #[serde(default)]
        index: usize,
        #[serde(default)]
        sheet_id: i64,
    }
    let request: Delete = read(body)?;
    let at = book.position(request.sheet_id)?;
    let rules = &mut book.sheets[at].conditional;
    if request.index >= rules.len() {
        return Err(refuse(format!(
            "No conditional format on sheet at index: {}",
            request.index
        )));
    }
    let rule = rules.remove(request.index);
    Ok(json!({"deleteConditionalFormatRule": {"rule": rule}}))
}

/// `setBasicFilter`
pub(crate) fn set_filter(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Set {
        filter: Value,
    }
    let request: Set = read(body)?;
    let range: GridRange = read(request.filter.get("range").unwrap_or(&json!({})))?;
    let (at, _) = range.resolve(book)?;
    book.sheets[at].filter = Some(request.filter);
    Ok(json!({}))
}

/// `clearBasicFilter`
pub(crate) fn clear_filter(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Clear {
        #[serde(default)]
        sheet_id: i64,
    }
    let request: Clear = read(body)?;
    let at = book.position(request.sheet_id)?;
    book.sheets[at].filter = None;
    Ok(json!({}))
}

fn view_id(view: &Value) -> Option<i64> {
    view.get("filterViewId").and_then(Value::as_i64)
}

/// `addFilterView`
pub(crate) fn add_view(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Add {
        filter: Value,
    }
    let mut view = read::<Add>(body)?.filter;
    let range: GridRange = read(view.get("range").unwrap_or(&json!({})))?;
    let (at, _) = range.resolve(book)?;
    let id = match view_id(&view) {
        Some(id) => id,
        None => book.fresh_id(),
    };
    if (book.sheets.iter()).any(|sheet| sheet.filter_views.iter().any(|known| view_id(known) == Some(id))) {
        return Err(refuse(format!("A filter view with id {id} already exists.")));
    }
    view["filterViewId"] = json!(id);
    book.sheets[at].filter_views.push(view.clone());
    Ok(json!({"addFilterView": {"filter": view}}))
}

/// `deleteFilterView`
pub(crate) fn delete_view(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Delete {
        filter_id: i64,
    }
    let id = read::<Delete>(body)?.filter_id;
    for sheet in &mut book.sheets {
        let before = sheet.filter_views.len();
        sheet.filter_views.retain(|view| view_id(view) != Some(id));
        if sheet.filter_views.len() < before {
            return Ok(json!({}));
        }
    }
    Err(refuse(format!("No filter view with id: {id}")))
}

/// Whether this person may change what a protected range protects; nobody is the owner.
pub(crate) fn may_edit(book: &Spreadsheet, range: &Value, who: Option<&str>) -> bool {
    let Some(who) = who else { return true };
    let named = range
        .pointer("/editors/users")
        .and_then(Value::as_array)
        .is_some_and(|users| users.iter().any(|user| user.as_str() == Some(who)));
    named || book.permissions.get(who) == Some(&Role::Owner)
}

/// Whether a protected range keeps this person from changing these cells.
fn blocks(book: &Spreadsheet, range: &Value, (at, rect): (usize, Rect), who: Option<&str>) -> bool {
    let resolve = |range: &Value| read::<GridRange>(range).ok()?.resolve(book).ok();
    let protects = range.get("range").and_then(resolve);
    let open = |list: &Vec<Value>| {
        (list.iter().filter_map(resolve)).any(|(on, free)| on == at && free.contains(&rect))
    };
    let unprotected = range.get("unprotectedRanges").and_then(Value::as_array);
    range.get("warningOnly") != Some(&json!(true))
        && !may_edit(book, range, who)
        && protects.is_some_and(|(on, area)| on == at && area.intersects(&rect))
        && !unprotected.is_some_and(open)
}

/// The cells that a request changes, as far as protection is concerned.
pub(crate) fn changed_cells(book: &Spreadsheet, name: &str, body: &Value) -> Option<(usize, Rect)> {
    match name {
        "updateCells" if body.get("start").is_some() => {
            let start = &body["start"];
            let number = |name: &str| start.get(name).and_then(Value::as_u64).unwrap_or_default();
            let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX / 2);
            let at = book
                .position(start.get("sheetId").and_then(Value::as_i64).unwrap_or_default())
                .ok()?;
            let rows = body.get("rows").and_then(Value::as_array)?;
            let width = |row: &Value| row.get("values").and_then(Value::as_array).map_or(0, Vec::len);
            let (top, left) = (place(number("rowIndex")), place(number("columnIndex")));
            Some((
                at,
                Rect {
                    top,
                    left,
                    bottom: top + rows.len(),
                    right: left + rows.iter().map(width).max().unwrap_or_default(),
                },
            ))
        }
        "updateCells" | "repeatCell" | "updateBorders" | "mergeCells" | "unmergeCells"
        | "setDataValidation" => read::<GridRange>(body.get("range")?).ok()?.resolve(book).ok(),
        "insertDimension" | "deleteDimension" => {
            let range = read::<DimensionRange>(body.get("range")?).ok()?;
            let at = book.position(range.sheet_id).ok()?;
            let sheet = &book.sheets[at];
            let start = range.start_index.unwrap_or(0);
            // What is inserted before the first protected row or column stays outside.
            let from = if name == "insertDimension" {
                start.checked_sub(1)?
            } else {
                start
            };
            let end = if name == "insertDimension" {
                start + 1
            } else {
                range.end_index?
            };
            let all = Rect {
                top: 0,
                left: 0,
                bottom: sheet.row_count,
                right: sheet.column_count,
            };
            Some(match range.dimension {
                Axis::Rows => (
                    at,
                    Rect {
                        top: from,
                        bottom: end,
                        ..all
                    },
                ),
                Axis::Columns => (
                    at,
                    Rect {
                        left: from,
                        right: end,
                        ..all
                    },
                ),
            })
        }
        _ => None,
    }
}

/// Refuses a request that changes what is protected from this person.
pub(crate) fn guard(book: &Spreadsheet, name: &str, raw: &RawValue, who: Option<&str>) -> Result<(), Fail> {
    if who.is_none() || book.sheets.iter().all(|sheet| sheet.protected.is_empty()) {
        return Ok(());
    }
    let body: Value = super::batch::read_raw(raw)?;
    let Some((at, rect)) = changed_cells(book, name, &body) else {
        return Ok(());
    };
    let inserted = name == "insertDimension";
    let hit = book.sheets[at].protected.iter().any(|range| {
        let touched = blocks(book, range, (at, rect), who);
        // An insertion between two protected rows is inside; one at the edge is not.
        touched && (!inserted || spans(book, range, rect))
    });
    if hit {
        return Err(refuse(
            "You are trying to edit a protected cell or object. Please contact the spreadsheet owner to remove \
             protection if you need to edit.",
        ));
    }
    Ok(())
}

fn spans(book: &Spreadsheet, range: &Value, rect: Rect) -> bool {
    let area = range.get("range").and_then(|range| read::<GridRange>(range).ok());
    let Some((_, area)) = area.and_then(|area| area.resolve(book).ok()) else {
        return false;
    };
    let rows = area.top <= rect.top && rect.bottom <= area.bottom;
    let columns = area.left <= rect.left && rect.right <= area.right;
    rows || columns
}

/// `addProtectedRange`
pub(crate) fn protect(book: &mut Spreadsheet, body: &Value, who: Option<&str>) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Protect {
        protected_range: Value,
    }
    let mut range = read::<Protect>(body)?.protected_range;
    let place: GridRange = read(range.get("range").unwrap_or(&json!({})))?;
    let (at, _) = place.resolve(book)?;
    let given = range.get("protectedRangeId").and_then(Value::as_i64);
    let id = given.unwrap_or_else(|| book.fresh_id());
    let taken = |part: &Value| part.get("protectedRangeId").and_then(Value::as_i64) == Some(id);
    if book.sheets.iter().any(|sheet| sheet.protected.iter().any(taken)) {
        return Err(refuse(format!("A protected range with id {id} already exists.")));
    }
    range["protectedRangeId"] = json!(id);
    // Whoever protects stays an editor.
    if let (Some(who), None) = (who, range.pointer("/editors/users")) {
        range["editors"] = json!({"users": [who]});
    }
    book.sheets[at].protected.push(range.clone());
    range["requestingUserCanEdit"] = json!(true);
    Ok(json!({"addProtectedRange": {"protectedRange": range}}))
}

/// `deleteProtectedRange`
pub(crate) fn unprotect(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Unprotect {
        protected_range_id: i64,
    }
    let id = read::<Unprotect>(body)?.protected_range_id;
    for sheet in &mut book.sheets {
        let before = sheet.protected.len();
        sheet
            .protected
            .retain(|part| part.get("protectedRangeId").and_then(Value::as_i64) != Some(id));
        if sheet.protected.len() < before {
            return Ok(json!({}));
        }
    }
    Err(refuse(format!("No protected range with ID: {id}")))
}
