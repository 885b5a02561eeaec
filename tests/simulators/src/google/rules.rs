//! Conditional formats, the basic filter and protected ranges: kept as given, shifted with the grid.

use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{Fail, Reply, read};
use super::errors::ApiError;
use super::model::Spreadsheet;
use super::ranges::GridRange;

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

/// `addProtectedRange`
pub(crate) fn protect(book: &mut Spreadsheet, body: &Value) -> Reply {
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
    range["requestingUserCanEdit"] = json!(true);
    book.sheets[at].protected.push(range.clone());
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
