//! Developer metadata: how a client finds its own columns again after a person has moved them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::a1::{self, Asked};
use super::batch::{Fail, Reply, fields, read};
use super::errors::ApiError;
use super::model::{Metadata, Place, Rect, Spreadsheet};
use super::ranges::{Axis, DimensionRange, GridRange};

/// Characters of the keys and values that hang on the spreadsheet itself, and as many again on each sheet
/// with its rows and columns (Google's guide to developer metadata). 20,000 in one value were accepted live
/// and 100,000 refused (contracts C.4).
const BUDGET: usize = 30_000;
/// What is created in one batch. Four of six batches of 500 were refused live, for a reason that is not known
/// (contracts C.4); where the border lies is a guess.
pub(crate) const MOST_CREATED: usize = 400;

fn refuse(message: impl Into<String>) -> Fail {
    Fail::Refused(ApiError::invalid(message))
}

#[derive(Deserialize, Default, Debug)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Location {
    /// Read-only, accepted because clients send back what they got.
    #[serde(rename = "locationType")]
    _location_type: Option<String>,
    spreadsheet: Option<bool>,
    sheet_id: Option<i64>,
    dimension_range: Option<DimensionRange>,
}

impl Location {
    fn place(&self, book: &Spreadsheet) -> Result<Place, Fail> {
        match (self.spreadsheet, self.sheet_id, &self.dimension_range) {
            (Some(true), None, None) => Ok(Place::Spreadsheet),
            (None | Some(false), Some(id), None) => {
                book.position(id)?;
                Ok(Place::Sheet(id))
            }
            (None | Some(false), None, Some(range)) => {
                let (_, start, end) = range.resolve(book)?;
                if end != start + 1 {
                    return Err(refuse(
                        "The specified DimensionRange must represent a single row or column.",
                    ));
                }
                Ok(match range.dimension {
                    Axis::Rows => Place::Row(range.sheet_id, start),
                    Axis::Columns => Place::Column(range.sheet_id, start),
                })
            }
            _ => Err(refuse("Exactly one location must be set.")),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Given {
    metadata_id: Option<i64>,
    metadata_key: Option<String>,
    metadata_value: Option<String>,
    location: Option<Location>,
    visibility: Option<String>,
}

/// `{"metadataId":…}` as the API shows it.
pub(crate) fn to_json(entry: &Metadata) -> Value {
    let location = match entry.place {
        Place::Spreadsheet => json!({"locationType": "SPREADSHEET", "spreadsheet": true}),
        Place::Sheet(id) => json!({"locationType": "SHEET", "sheetId": id}),
        Place::Row(id, at) => json!({"locationType": "ROW", "dimensionRange":
            {"sheetId": id, "dimension": "ROWS", "startIndex": at, "endIndex": at + 1}}),
        Place::Column(id, at) => json!({"locationType": "COLUMN", "dimensionRange":
            {"sheetId": id, "dimension": "COLUMNS", "startIndex": at, "endIndex": at + 1}}),
    };
    let mut value = json!({
        "metadataId": entry.id, "metadataKey": entry.key, "location": location, "visibility": entry.visibility,
    });
    if let Some(text) = &entry.value {
        value["metadataValue"] = json!(text);
    }
    value
}

/// The sheet whose budget an entry is counted against; none is the spreadsheet's own.
fn account(place: Place) -> Option<i64> {
    match place {
        Place::Spreadsheet => None,
        Place::Sheet(id) | Place::Row(id, _) | Place::Column(id, _) => Some(id),
    }
}

/// Refuses what is over the budget. Google's words are not known.
fn check_budget(book: &Spreadsheet, place: Place) -> Result<(), Fail> {
    let of = |text: &str| text.chars().count();
    let account = account(place);
    let own = book
        .metadata
        .iter()
        .filter(|entry| self::account(entry.place) == account);
    let used: usize = own
        .map(|entry| of(&entry.key) + entry.value.as_deref().map_or(0, of))
        .sum();
    if used > BUDGET {
        return Err(refuse(format!(
            "Developer metadata exceeds the limit of {BUDGET} characters."
        )));
    }
    Ok(())
}

/// Gives a copied sheet what hangs on the original, under fresh ids.
pub(crate) fn duplicate(book: &mut Spreadsheet, from: i64, to: i64) {
    let own: Vec<Metadata> = (book.metadata.iter())
        .filter(|entry| account(entry.place) == Some(from))
        .cloned()
        .collect();
    for mut entry in own {
        entry.id = book.fresh_id();
        entry.place = match entry.place {
            Place::Row(_, at) => Place::Row(to, at),
            Place::Column(_, at) => Place::Column(to, at),
            Place::Sheet(_) | Place::Spreadsheet => Place::Sheet(to),
        };
        book.metadata.push(entry);
    }
}

/// `createDeveloperMetadata`
pub(crate) fn create(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Create {
        developer_metadata: Given,
    }
    let given = read::<Create>(body)?.developer_metadata;
    let key = given.metadata_key.filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| refuse("developerMetadata.metadataKey must be set."))?;
    let visibility = match given.visibility.as_deref() {
        Some(visibility @ ("DOCUMENT" | "PROJECT")) => visibility.to_owned(),
        _ => return Err(refuse("developerMetadata.visibility must be specified.")),
    };
    let place = given
        .location
        .ok_or_else(|| refuse("developerMetadata.location must be set."))?
        .place(book)?;
    let id = match given.metadata_id {
        Some(id) => id,
        None => book.fresh_id(),
    };
    if book.metadata.iter().any(|entry| entry.id == id) {
        return Err(refuse(format!("Developer metadata with ID {id} already exists.")));
    }
    let entry = Metadata {
        id,
        key,
        value: given.metadata_value,
        visibility,
        place,
    };
    let shown = to_json(&entry);
    book.metadata.push(entry);
    check_budget(book, place)?;
    Ok(json!({"createDeveloperMetadata": {"developerMetadata": shown}}))
}

/// `updateDeveloperMetadata`
pub(crate) fn update(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Update {
        data_filters: Vec<Value>,
        developer_metadata: Given,
        fields: String,
    }
    let request: Update = read(body)?;
    let mask = fields(&request.fields)?;
    let given = request.developer_metadata;
    let place = match (&given.location, mask.touches("location")) {
        (Some(location), true) => Some(location.place(book)?),
        _ => None,
    };
    let mut hits = Vec::new();
    for filter in &request.data_filters {
        hits.extend(matching(book, &DataFilter::read(filter)?)?);
    }
    let (mut shown, mut touched) = (Vec::new(), Vec::new());
    for entry in book.metadata.iter_mut().filter(|entry| hits.contains(&entry.id)) {
        if let Some(key) = given
            .metadata_key
            .as_ref()
            .filter(|_| mask.touches("metadataKey"))
        {
            entry.key.clone_from(key);
        }
        if mask.touches("metadataValue") {
            entry.value.clone_from(&given.metadata_value);
        }
        if let Some(visibility) = given.visibility.as_ref().filter(|_| mask.touches("visibility")) {
            entry.visibility.clone_from(visibility);
        }
        entry.place = place.unwrap_or(entry.place);
        touched.push(entry.place);
        shown.push(to_json(entry));
    }
    for place in touched {
        check_budget(book, place)?;
    }
    if shown.is_empty() {
        return Err(refuse("No developer metadata matched the specified filters."));
    }
    Ok(json!({"updateDeveloperMetadata": {"developerMetadata": shown}}))
}

/// `deleteDeveloperMetadata`
pub(crate) fn delete(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Delete {
        data_filter: Value,
    }
    let request: Delete = read(body)?;
    let hits = matching(book, &DataFilter::read(&request.data_filter)?)?;
    let shown: Vec<Value> = book
        .metadata
        .iter()
        .filter(|entry| hits.contains(&entry.id))
        .map(to_json)
        .collect();
    book.metadata.retain(|entry| !hits.contains(&entry.id));
    Ok(json!({"deleteDeveloperMetadata": {"deletedDeveloperMetadata": shown}}))
}

#[derive(Deserialize, Default, Debug)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Lookup {
    location_type: Option<String>,
    metadata_location: Option<Location>,
    location_matching_strategy: Option<String>,
    metadata_id: Option<i64>,
    metadata_key: Option<String>,
    metadata_value: Option<String>,
    visibility: Option<String>,
}

/// One way to name cells without a letter or a number.
#[derive(Debug)]
pub(crate) enum DataFilter {
    Lookup(Box<Lookup>),
    A1(String),
    Grid(GridRange),
}

impl DataFilter {
    pub(crate) fn read(value: &Value) -> Result<Self, Fail> {
        let empty = Map::new();
        let fields = value.as_object().unwrap_or(&empty);
        match (fields.iter().next(), fields.len()) {
            (Some((name, part)), 1) => match name.as_str() {
                "developerMetadataLookup" => Ok(Self::Lookup(Box::new(read(part)?))),
                "a1Range" => Ok(Self::A1(read(part)?)),
                "gridRange" => Ok(Self::Grid(read(part)?)),
                _ => Err(Fail::Schema(format!("unknown field `{name}`"))),
            },
            _ => Err(refuse("Exactly one filter must be set in a DataFilter.")),
        }
    }
}

fn kind(place: Place) -> &'static str {
    match place {
        Place::Spreadsheet => "SPREADSHEET",
        Place::Sheet(_) => "SHEET",
        Place::Row(..) => "ROW",
        Place::Column(..) => "COLUMN",
    }
}

/// Ids of the metadata that a filter selects.
pub(crate) fn matching(book: &Spreadsheet, filter: &DataFilter) -> Result<Vec<i64>, Fail> {
    let chosen: Box<dyn Fn(&Metadata) -> bool> = match filter {
        DataFilter::Lookup(lookup) => {
            let place = lookup
                .metadata_location
                .as_ref()
                .map(|location| location.place(book))
                .transpose()?;
            // "If left unspecified, this field assumes a default value of INTERSECTING" (discovery document).
            let intersecting = lookup.location_matching_strategy.as_deref() != Some("EXACT_LOCATION");
            Box::new(move |entry| {
                let fits =
                    |wanted: &Option<String>, actual: &str| wanted.as_deref().is_none_or(|w| w == actual);
                fits(&lookup.location_type, kind(entry.place))
                    && fits(&lookup.metadata_key, &entry.key)
                    && fits(&lookup.visibility, &entry.visibility)
                    && lookup
                        .metadata_value
                        .as_ref()
                        .is_none_or(|value| Some(value) == entry.value.as_ref())
                    && lookup.metadata_id.is_none_or(|id| id == entry.id)
                    && place.is_none_or(|place| {
                        place == entry.place || (intersecting && intersects(place, entry.place))
                    })
            })
        }
        DataFilter::A1(_) | DataFilter::Grid(_) => {
            let areas = areas(book, filter)?;
            Box::new(move |entry| {
                areas
                    .iter()
                    .any(|(at, rect)| inside(book, *at, *rect, entry.place))
            })
        }
    };
    Ok(book
        .metadata
        .iter()
        .filter(|entry| chosen(entry))
        .map(|entry| entry.id)
        .collect())
}

fn intersects(place: Place, other: Place) -> bool {
    match (place, other) {
        (Place::Spreadsheet, _) | (_, Place::Spreadsheet) => true,
        (Place::Sheet(a), Place::Sheet(b) | Place::Row(b, _) | Place::Column(b, _))
        | (Place::Row(a, _), Place::Sheet(b) | Place::Column(b, _))
        | (Place::Column(a, _), Place::Sheet(b) | Place::Row(b, _)) => a == b,
        (Place::Row(..), Place::Row(..)) | (Place::Column(..), Place::Column(..)) => place == other,
    }
}

fn inside(book: &Spreadsheet, at: usize, rect: Rect, place: Place) -> bool {
    let id = book.sheets.get(at).map(|sheet| sheet.id);
    match place {
        Place::Row(sheet, row) => Some(sheet) == id && (rect.top..rect.bottom).contains(&row),
        Place::Column(sheet, column) => Some(sheet) == id && (rect.left..rect.right).contains(&column),
        Place::Sheet(_) | Place::Spreadsheet => false,
    }
}

/// The cells that a filter stands for.
pub(crate) fn areas(book: &Spreadsheet, filter: &DataFilter) -> Result<Vec<(usize, Rect)>, Fail> {
    Ok(match filter {
        DataFilter::A1(text) => {
            let asked: Asked = a1::parse(book, text)?;
            vec![(asked.sheet, asked.clip(&book.sheets[asked.sheet]))]
        }
        DataFilter::Grid(range) => vec![range.resolve(book)?],
        DataFilter::Lookup(_) => {
            let ids = matching(book, filter)?;
            let mut found = Vec::new();
            for entry in book.metadata.iter().filter(|entry| ids.contains(&entry.id)) {
                let (Place::Sheet(id) | Place::Row(id, _) | Place::Column(id, _)) = entry.place else {
                    continue;
                };
                let at = book.position(id)?;
                let sheet = &book.sheets[at];
                let all = Rect {
                    top: 0,
                    left: 0,
                    bottom: sheet.row_count,
                    right: sheet.column_count,
                };
                found.push(match entry.place {
                    Place::Row(_, row) => (
                        at,
                        Rect {
                            top: row,
                            bottom: row + 1,
                            ..all
                        },
                    ),
                    Place::Column(_, column) => (
                        at,
                        Rect {
                            left: column,
                            right: column + 1,
                            ..all
                        },
                    ),
                    Place::Sheet(_) | Place::Spreadsheet => (at, all),
                });
            }
            found
        }
    })
}

/// The cells that a list of filters stands for.
pub(crate) fn areas_of(book: &Spreadsheet, body: &[u8]) -> Result<Vec<(usize, Rect)>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Ask {
        data_filters: Vec<Value>,
        #[serde(rename = "includeGridData", default)]
        _include_grid_data: bool,
    }
    let ask: Ask = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))?;
    let mut found = Vec::new();
    for filter in &ask.data_filters {
        let parsed = DataFilter::read(filter).and_then(|filter| areas(book, &filter));
        found.extend(parsed.map_err(Fail::into_error)?);
    }
    Ok(found)
}

/// `developerMetadata:search`
pub(crate) fn search(book: &Spreadsheet, body: &[u8]) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Search {
        data_filters: Vec<Value>,
    }
    let request: Search = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))?;
    let mut hits: Vec<(i64, Vec<Value>)> = Vec::new();
    for filter in &request.data_filters {
        let ids = DataFilter::read(filter)
            .and_then(|parsed| matching(book, &parsed))
            .map_err(Fail::into_error)?;
        for id in ids {
            match hits.iter_mut().find(|(known, _)| *known == id) {
                Some((_, filters)) => filters.push(filter.clone()),
                None => hits.push((id, vec![filter.clone()])),
            }
        }
    }
    let found: Vec<Value> = hits
        .iter()
        .filter_map(|(id, filters)| {
            let entry = book.metadata.iter().find(|entry| entry.id == *id)?;
            Some(json!({"developerMetadata": to_json(entry), "dataFilters": filters}))
        })
        .collect();
    Ok(if found.is_empty() {
        json!({})
    } else {
        json!({"matchedDeveloperMetadata": found})
    })
}
