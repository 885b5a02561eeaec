//! `spreadsheets.batchUpdate`: every request works on a copy, which replaces the original only if all
//! succeed.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::errors::ApiError;
use super::mask::Mask;
use super::model::Spreadsheet;
use super::{cells, dimensions, metadata, moves, objects, render, rules, sheets};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    requests: Vec<HashMap<String, Box<RawValue>>>,
    #[serde(default)]
    include_spreadsheet_in_response: bool,
    #[serde(default)]
    response_include_grid_data: bool,
    /// "Limits the ranges included in the response spreadsheet" (discovery document).
    #[serde(default)]
    response_ranges: Vec<String>,
}

/// Why one request failed.
pub(crate) enum Fail {
    /// The request is understood and refused.
    Refused(ApiError),
    /// The request does not fit its schema.
    Schema(String),
}

impl From<ApiError> for Fail {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl Fail {
    /// The error where no request number has to be named.
    pub(crate) fn into_error(self) -> ApiError {
        match self {
            Self::Refused(error) => error,
            Self::Schema(text) => ApiError::invalid(format!("Invalid JSON payload received. {text}")),
        }
    }
}

/// A reply; most are empty.
pub(crate) type Reply = Result<Value, Fail>;

/// Reads a request's body, which may hold known fields only.
pub(crate) fn read<T: DeserializeOwned>(body: &Value) -> Result<T, Fail> {
    T::deserialize(body).map_err(|error| Fail::Schema(error.to_string()))
}

/// The same, straight from the request's text.
pub(crate) fn read_raw<T: DeserializeOwned>(body: &RawValue) -> Result<T, Fail> {
    serde_json::from_str(body.get()).map_err(|error| Fail::Schema(error.to_string()))
}

/// Reads an update mask, which has to name at least one field.
pub(crate) fn fields(text: &str) -> Result<Mask, Fail> {
    Mask::parse(text).ok_or_else(|| {
        Fail::Refused(ApiError::invalid(
            "At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)",
        ))
    })
}

/// Applies a batch; the given spreadsheet is left alone, the changed copy is returned. `who` is the caller;
/// nobody is the owner.
pub(crate) fn update(
    book: &Spreadsheet,
    body: &[u8],
    who: Option<&str>,
) -> Result<(Spreadsheet, Value), ApiError> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))?;
    if body.requests.is_empty() {
        return Err(ApiError::invalid("Must specify at least one request."));
    }
    let creates = |request: &&HashMap<String, _>| request.contains_key("createDeveloperMetadata");
    if body.requests.iter().filter(creates).count() > metadata::MOST_CREATED {
        // Google's words are not known; this is what it says of many things that it does not explain.
        return Err(ApiError::invalid("Request contains an invalid argument."));
    }
    let mut copy = book.clone();
    let mut replies = Vec::with_capacity(body.requests.len());
    for (index, request) in body.requests.iter().enumerate() {
        let (Some((name, content)), 1) = (request.iter().next(), request.len()) else {
            return Err(ApiError::invalid(format!(
                "Invalid requests[{index}]: must set exactly one request type"
            )));
        };
        rules::guard(&copy, name, content, who).map_err(|fail| explain(fail, index, name))?;
        objects::guard(&copy, name, content).map_err(|fail| explain(fail, index, name))?;
        replies.push(apply(&mut copy, name, content, who).map_err(|fail| explain(fail, index, name))?);
        objects::check_titles(&mut copy).map_err(|fail| explain(fail, index, name))?;
    }
    copy.check_size()?;
    copy.version += 1;
    let mut answer = json!({"spreadsheetId": copy.id, "replies": replies});
    if body.include_spreadsheet_in_response {
        let mut mask = Mask::everything();
        if !body.response_include_grid_data
            && let Some(narrow) = Mask::parse(render::WITHOUT_DATA)
        {
            mask = narrow;
        }
        let ranges: Vec<&str> = body.response_ranges.iter().map(String::as_str).collect();
        let areas = render::areas(&copy, &ranges)?;
        answer["updatedSpreadsheet"] = render::spreadsheet(&copy, &mask, areas.as_deref(), ("", who))?;
    }
    Ok((copy, answer))
}

fn explain(fail: Fail, index: usize, name: &str) -> ApiError {
    match fail {
        Fail::Refused(error) => error.prefixed(&format!("Invalid requests[{index}].{name}: ")),
        Fail::Schema(text) => match text
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split_once('`'))
        {
            Some((field, _)) => ApiError::invalid(format!(
                "Invalid JSON payload received. Unknown name \"{field}\" at 'requests[{index}].{name}': Cannot find field."
            )),
            None => ApiError::invalid(format!("Invalid value at 'requests[{index}].{name}': {text}")),
        },
    }
}

fn apply(book: &mut Spreadsheet, name: &str, raw: &RawValue, who: Option<&str>) -> Reply {
    // The one request that carries a whole table is read without a detour.
    if name == "updateCells" {
        return cells::update(book, raw);
    }
    let body: &Value = &read_raw(raw)?;
    match name {
        "addSheet" => sheets::add(book, body),
        "deleteSheet" => sheets::delete(book, body),
        "duplicateSheet" => sheets::duplicate(book, body),
        "updateSheetProperties" => sheets::update_properties(book, body),
        "updateSpreadsheetProperties" => sheets::update_spreadsheet(book, body),
        "mergeCells" => dimensions::merge(book, body),
        "unmergeCells" => dimensions::unmerge(book, body),
        "insertDimension" => dimensions::insert(book, body),
        "deleteDimension" => dimensions::delete(book, body),
        "appendDimension" => dimensions::append(book, body),
        "moveDimension" => dimensions::relocate(book, body),
        "updateDimensionProperties" => dimensions::update_properties(book, body),
        "repeatCell" => cells::repeat(book, body),
        "appendCells" => cells::append(book, body),
        "updateBorders" => cells::borders(book, body),
        "addConditionalFormatRule" => rules::add(book, body),
        "updateConditionalFormatRule" => rules::update(book, body),
        "deleteConditionalFormatRule" => rules::delete(book, body),
        "setBasicFilter" => rules::set_filter(book, body),
        "clearBasicFilter" => rules::clear_filter(book, body),
        "addFilterView" => rules::add_view(book, body),
        "deleteFilterView" => rules::delete_view(book, body),
        "addProtectedRange" => rules::protect(book, body, who),
        "sortRange" => moves::sort(book, body),
        "cutPaste" => moves::cut(book, body),
        "copyPaste" => moves::copy(book, body),
        "findReplace" => moves::find(book, body),
        "addTable" => objects::add_table(book, body),
        "updateTable" => objects::update_table(book, body),
        "deleteTable" => objects::delete_table(book, body),
        "addBanding" => objects::add_banding(book, body),
        "deleteBanding" => objects::delete_banding(book, body),
        "addSlicer" => objects::add_slicer(book, body),
        "deleteEmbeddedObject" => objects::delete_object(book, body),
        "setDataValidation" => objects::validate(book, body),
        "deleteProtectedRange" => rules::unprotect(book, body),
        "createDeveloperMetadata" => metadata::create(book, body),
        "updateDeveloperMetadata" => metadata::update(book, body),
        "deleteDeveloperMetadata" => metadata::delete(book, body),
        _ => Err(Fail::Schema(format!("unknown field `{name}`"))),
    }
}
