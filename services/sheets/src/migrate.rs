//! Sheets that an earlier Stock Tracker wrote: recognised before the first write, so that nothing is written
//! beside them by mistake, and moved on demand. What becomes of which cell is the layout's; this is the way
//! there and back, under the same lease and with the same record as every other write. A process that dies on
//! the way leaves the sheet as it was or moved, and the next round reads what is there.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use connectors::google::{self as wire, GoogleError, Sheet, SheetsClient};
use events::ids::TenantId;
use read_models::QueryError;
use read_models::measure::moscow_day;
use serde_json::Value;
use sheet_layout::migrate::{
    Elsewhere, FoundCell, HEADER_WITHIN, Layout, Migration, Report, Worksheet, migrate, recognise,
};
use sheet_layout::{GridRange, Language};

use crate::states::{Claim, Outcome};
use crate::structure::{self, CELLS_A_READ, Place, Seen};
use crate::trouble::Trouble;
use crate::write::{Round, fail, later, worksheet_id};
use crate::{Shared, Sheets, source};

/// Titles that earlier writers gave their worksheet.
const OLD_TITLES: [&str; 2] = ["Stock Tracker", "Товары"];
/// What reads cells without a formula.
const OBJECTS: &str = "namedRanges(range),sheets(charts(spec))";
/// How long another process's write is waited out, and how often that is looked at.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(250);

/// How it is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Copy the worksheet first, in the same batch.
    pub backup: bool,
}

/// What became of one tenant's sheet.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// Google's id of the spreadsheet.
    pub spreadsheet_id: String,
    /// Title of the worksheet that was looked at; none when there is none yet.
    pub worksheet: Option<String>,
    /// What was found, and what becomes of it.
    pub report: Report,
    /// Title of the copy, when one was made.
    pub backup: Option<String>,
    /// Whether the sheet was changed.
    pub changed: bool,
}

/// Why a sheet was not looked at or not moved.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The tenant has no sheet.
    #[error("no spreadsheet is linked")]
    NotLinked,
    /// Another process writes it.
    #[error("the sheet is being written at the moment; try again")]
    Busy,
    /// The read model is older than the sheet.
    #[error("the read model has not read far enough yet; try again")]
    Behind,
    /// It was unlinked or taken over on the way.
    #[error("the sheet was linked anew or taken over meanwhile; look at it and try again")]
    Lost,
    /// Something else; the text says what to do.
    #[error(transparent)]
    Trouble(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Trouble> for MigrateError {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(Box::new(trouble))
    }
}

/// One tenant's outcome.
pub type MovedSheet = (TenantId, Result<Moved, MigrateError>);

impl Sheets {
    /// Moves sheets of earlier layouts: of one tenant, or of all that have one linked. Repeating it changes
    /// nothing.
    ///
    /// # Errors
    /// [`QueryError`] when it is not known which sheets there are.
    pub async fn migrate(
        &self,
        only: Option<TenantId>,
        choice: Choice,
    ) -> Result<Vec<MovedSheet>, QueryError> {
        let shared = &self.shared;
        let tenants = match only {
            Some(tenant) => vec![tenant],
            None => shared.states.linked().await.map_err(QueryError::Database)?,
        };
        let mut moved = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            moved.push((tenant, Box::pin(one(shared, tenant, choice)).await));
        }
        Ok(moved)
    }
}

async fn one(shared: &Arc<Shared>, tenant: TenantId, choice: Choice) -> Result<Moved, MigrateError> {
    let database = |error| MigrateError::from(Trouble::Database(error));
    let claim = shared.states.peek(tenant).await.map_err(database)?;
    let mut claim = claim.ok_or(MigrateError::NotLinked)?;
    if !choice.dry_run {
        claim = take(shared, tenant).await?;
    }
    let outcome = look_and_move(shared, &claim, choice).await;
    if choice.dry_run {
        return outcome;
    }
    match outcome {
        Err(MigrateError::Trouble(error)) => match error.downcast::<Trouble>() {
            Ok(trouble) => {
                fail(shared, &claim, &trouble, Language::default()).await;
                Err(MigrateError::Trouble(trouble))
            }
            Err(other) => Err(MigrateError::Trouble(other)),
        },
        outcome => {
            shared.states.release(tenant).await.map_err(database)?;
            outcome
        }
    }
}

/// The lease of this sheet, as soon as nobody else has it.
async fn take(shared: &Shared, tenant: TenantId) -> Result<Claim, MigrateError> {
    let mut waited = Duration::ZERO;
    loop {
        let now = shared.clock.now();
        let until = later(now, shared.options.settle);
        let claimed = shared.states.claim_one(tenant, now, until).await;
        if let Some(claim) = claimed.map_err(|error| MigrateError::from(Trouble::Database(error)))? {
            return Ok(claim);
        }
        if waited >= PATIENCE {
            return Err(MigrateError::Busy);
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}

async fn look_and_move(shared: &Shared, claim: &Claim, choice: Choice) -> Result<Moved, MigrateError> {
    let client = shared.clients.of(claim.tenant, claim.credential).await?;
    let now = shared.clock.now();
    let today = moscow_day(now);
    let view = source::view(&shared.pool, claim.tenant)
        .await
        .map_err(Trouble::Model)?;
    let source = source::load(&shared.pool, claim.tenant, now, &view)
        .await
        .map_err(Trouble::Model)?;
    if source.position < claim.written_position.max(claim.link_position) {
        return Err(MigrateError::Behind);
    }
    let mut round = Round::new(shared, claim, &client, view);
    let google = |error| Trouble::of(error, &client, false);
    let place = Place {
        spreadsheet_id: &claim.spreadsheet_id,
        worksheet: &claim.worksheet,
        sheet_id: claim.sheet_id,
        made: worksheet_id(claim),
    };
    let found = find(&client, place).await.map_err(google)?;
    let mut moved = Moved {
        spreadsheet_id: claim.spreadsheet_id.clone(),
        worksheet: found.title,
        report: Report::of(Layout::Empty),
        backup: None,
        changed: false,
    };
    let Some(worksheet) = found.worksheet else {
        return Ok(moved);
    };
    let options = round.layout_options(&source);
    let identities = source.identities_in(&options.view).map_err(Trouble::Layout)?;
    let Migration { report, plan } =
        migrate(&worksheet, &identities, &source.input, &options).map_err(Trouble::Layout)?;
    moved.report = report;
    let Some(mut plan) = plan.filter(|_| !choice.dry_run) else {
        return Ok(moved);
    };
    drop(worksheet);
    let title = moved.worksheet.as_deref().unwrap_or_default();
    moved.backup = choice.backup.then(|| backup_title(title, now));
    let backup = moved.backup.iter().map(|title| {
        wire::Request::DuplicateSheet(wire::DuplicateSheet {
            source_sheet_id: plan.after.sheet_id,
            insert_sheet_index: found.sheets,
            new_sheet_name: title.clone(),
        })
    });
    let carried = round
        .carry_out(backup.collect(), &mut plan, &Seen::default(), None)
        .await?;
    let Some(carried) = carried else {
        return Err(MigrateError::Lost);
    };
    let complete = plan.is_complete();
    let outcome = Outcome {
        now: shared.clock.now(),
        written: plan.after.written.to_bytes(),
        sheet_id: plan.after.sheet_id,
        sent: true,
        title: moved.worksheet.clone().unwrap_or_default(),
        veiled: false,
        repaired: carried.missing,
        complete: complete.then_some((source.position, today)),
    };
    let recorded = shared.states.record(claim, &outcome).await;
    if !recorded.map_err(Trouble::Database)? {
        return Err(MigrateError::Lost);
    }
    moved.changed = true;
    Ok(moved)
}

/// No two runs of a day meet under one title.
fn backup_title(title: &str, now: DateTime<Utc>) -> String {
    format!("{title}_backup_{}", now.format("%Y%m%d_%H%M%S"))
}

/// The worksheet to look at.
struct Found {
    title: Option<String>,
    worksheet: Option<Worksheet>,
    /// Number of worksheets, behind which the copy goes.
    sheets: i32,
}

/// The worksheet that the role would write, else the one that an earlier writer named.
async fn find(client: &SheetsClient, place: Place<'_>) -> Result<Found, GoogleError> {
    let (sheets, names) = structure::overview(client, place.spreadsheet_id).await?;
    let linked = structure::find(&sheets, &names, place);
    let mut chosen = None;
    for sheet in linked.into_iter().chain(old_titles(&sheets)) {
        let state = structure::skeleton(sheet, &names);
        let top = top(client, place.spreadsheet_id, sheet, &state).await?;
        let layout = recognise(&top);
        if layout == Layout::Current || layout.is_old() {
            chosen = Some((sheet, state));
            break;
        }
        chosen.get_or_insert((sheet, state));
    }
    let count = i32::try_from(sheets.len()).unwrap_or(i32::MAX);
    let Some((sheet, state)) = chosen else {
        return Ok(Found {
            title: None,
            worksheet: None,
            sheets: count,
        });
    };
    let reader = structure::Reader {
        client,
        spreadsheet_id: place.spreadsheet_id,
        title: sheet.properties.title.as_deref().unwrap_or_default(),
    };
    let mut worksheet = whole(&reader, state).await?;
    if recognise(&worksheet).is_old() {
        worksheet.elsewhere = elsewhere(&reader, &sheets, sheet).await?;
        let all = client.get(place.spreadsheet_id, OBJECTS).await?;
        let charts = all.sheets.into_iter().flat_map(|sheet| sheet.charts);
        for object in all.named_ranges.into_iter().chain(charts) {
            objects(&object, sheet, &mut worksheet.objects);
        }
    }
    Ok(Found {
        title: sheet.properties.title.clone(),
        worksheet: Some(worksheet),
        sheets: count,
    })
}

/// Every range of this worksheet that an object names, at whatever depth: a chart has its sources in a dozen
/// places, by its kind.
fn objects(value: &Value, sheet: &Sheet, found: &mut Vec<GridRange>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| objects(value, sheet, found)),
        Value::Object(fields) => {
            let range = serde_json::from_value::<wire::GridRange>(value.clone());
            let placed = fields.contains_key("startColumnIndex") || fields.contains_key("endColumnIndex");
            match range {
                Ok(range) if placed && range.sheet_id == sheet.properties.sheet_id => {
                    let state = structure::skeleton(sheet, &[]);
                    found.push(structure::bounded(&range, &state));
                }
                _ => fields.values().for_each(|value| objects(value, sheet, found)),
            }
        }
        _ => {}
    }
}

/// Formulas of all other worksheets that mention this one.
async fn elsewhere(
    reader: &structure::Reader<'_>,
    sheets: &[Sheet],
    moved: &Sheet,
) -> Result<Vec<Elsewhere>, GoogleError> {
    // As it stands between quotes, which is also as it stands without.
    let mention = reader.title.replace('\'', "''").to_lowercase();
    let mut found = Vec::new();
    let others = sheets
        .iter()
        .filter(|sheet| sheet.properties.sheet_id != moved.properties.sheet_id);
    for sheet in others {
        let state = structure::skeleton(sheet, &[]);
        let title = sheet.properties.title.as_deref().unwrap_or_default();
        let reader = structure::Reader { title, ..*reader };
        for (start, end) in parts(&state) {
            let rows = cells(&reader, state.column_count, (start, end)).await?;
            for cell in rows.into_iter().flatten() {
                if let FoundCell::Formula(formula) = cell
                    && formula.to_lowercase().contains(&mention)
                {
                    found.push(Elsewhere {
                        worksheet: title.into(),
                        formula,
                    });
                }
            }
        }
    }
    Ok(found)
}

/// All rows of a worksheet in parts of bounded size.
fn parts(state: &sheet_layout::SheetState) -> Vec<(u32, u32)> {
    if state.column_count == 0 {
        return Vec::new();
    }
    let width = usize::try_from(state.column_count).unwrap_or(usize::MAX);
    let step = u32::try_from((CELLS_A_READ / width).max(1)).unwrap_or(u32::MAX);
    let starts = (0..state.row_count).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    starts
        .map(|start| (start, start.saturating_add(step).min(state.row_count)))
        .collect()
}

fn old_titles(sheets: &[Sheet]) -> impl Iterator<Item = &Sheet> {
    sheets.iter().filter(|sheet| {
        let title = sheet
            .properties
            .title
            .as_deref()
            .unwrap_or_default()
            .to_lowercase();
        OLD_TITLES.iter().any(|old| old.to_lowercase() == title)
    })
}

/// The layout of an earlier writer in a spreadsheet to which nothing of ours was written yet: in the
/// worksheet that would be written, or, where that has to be made, in one with an old title.
pub(crate) async fn old_layout(
    client: &SheetsClient,
    spreadsheet_id: &str,
    sheets: &[Sheet],
    chosen: Option<&Sheet>,
) -> Result<Option<(String, Layout)>, GoogleError> {
    let candidates: Vec<&Sheet> = match chosen {
        Some(sheet) => vec![sheet],
        None => old_titles(sheets).collect(),
    };
    for sheet in candidates {
        let state = structure::skeleton(sheet, &[]);
        let layout = recognise(&top(client, spreadsheet_id, sheet, &state).await?);
        if layout.is_old() {
            return Ok(Some((sheet.properties.title.clone().unwrap_or_default(), layout)));
        }
    }
    Ok(None)
}

/// The rows in which a header may be.
async fn top(
    client: &SheetsClient,
    spreadsheet_id: &str,
    sheet: &Sheet,
    state: &sheet_layout::SheetState,
) -> Result<Worksheet, GoogleError> {
    let reader = structure::Reader {
        client,
        spreadsheet_id,
        title: sheet.properties.title.as_deref().unwrap_or_default(),
    };
    let mut worksheet = empty(state);
    let last = u32::try_from(HEADER_WITHIN)
        .unwrap_or(u32::MAX)
        .min(state.row_count);
    if last > 0 && state.column_count > 0 {
        worksheet.cells = cells(&reader, state.column_count, (0, last)).await?;
    }
    Ok(worksheet)
}

fn empty(state: &sheet_layout::SheetState) -> Worksheet {
    Worksheet {
        sheet_id: state.sheet_id,
        row_count: state.row_count,
        column_count: state.column_count,
        frozen_rows: state.frozen_rows,
        frozen_columns: state.frozen_columns,
        tables: state.tables.clone(),
        merges: state.merges.clone(),
        columns: state.columns.clone(),
        header_rows: state.header_rows.clone(),
        ..Worksheet::default()
    }
}

/// Everything in the worksheet, in parts of bounded size.
async fn whole(
    reader: &structure::Reader<'_>,
    state: sheet_layout::SheetState,
) -> Result<Worksheet, GoogleError> {
    let mut worksheet = Worksheet {
        title: reader.title.into(),
        ..empty(&state)
    };
    for (start, end) in parts(&state) {
        let mut rows = cells(reader, state.column_count, (start, end)).await?;
        let range = reader.range((start, end), (0, state.column_count));
        worksheet
            .notes
            .extend(reader.client.noted(reader.spreadsheet_id, &range).await?);
        rows.resize(usize::try_from(end - start).unwrap_or_default(), Vec::new());
        worksheet.cells.append(&mut rows);
    }
    Ok(worksheet)
}

async fn cells(
    reader: &structure::Reader<'_>,
    width: u32,
    rows: (u32, u32),
) -> Result<Vec<Vec<FoundCell>>, GoogleError> {
    let range = reader.range(rows, (0, width));
    let answer = reader.client.entered(reader.spreadsheet_id, &[&range]).await?;
    let rows = answer
        .into_iter()
        .next()
        .map(|range| range.values)
        .unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| row.into_iter().map(cell).collect())
        .collect())
}

fn cell(value: Value) -> FoundCell {
    match value {
        Value::String(text) if text.is_empty() => FoundCell::Empty,
        Value::String(text) if text.starts_with('=') => FoundCell::Formula(text.into()),
        Value::String(text) => FoundCell::Text(text.into()),
        Value::Bool(value) => FoundCell::Bool(value),
        Value::Number(number) => number.as_f64().map_or(FoundCell::Empty, FoundCell::Number),
        Value::Null | Value::Array(_) | Value::Object(_) => FoundCell::Empty,
    }
}

#[cfg(test)]
mod tests {
    use super::{Sheet, objects};
    use connectors::google::{GridProperties, SheetProperties};
    use serde_json::json;

    #[test]
    fn ranges_of_charts_and_names_are_found_at_any_depth_and_only_in_this_worksheet() {
        let sheet = Sheet {
            properties: SheetProperties {
                sheet_id: 7,
                grid_properties: Some(GridProperties {
                    row_count: Some(100),
                    column_count: Some(30),
                    ..GridProperties::default()
                }),
                ..SheetProperties::default()
            },
            ..Sheet::default()
        };
        let mut found = Vec::new();
        let source = |id: i32, column: i32| {
            json!({"sheetId": id, "startRowIndex": 2, "endRowIndex": 9, "startColumnIndex": column,
                "endColumnIndex": column + 1})
        };
        let chart = json!({"spec": {"basicChart": {"series": [
            {"series": {"sourceRange": {"sources": [source(7, 6), source(8, 3)]}}}]}}});
        objects(&chart, &sheet, &mut found);
        // A whole column is open at both ends.
        let named = json!({"range": {"sheetId": 7, "startColumnIndex": 4, "endColumnIndex": 5}});
        objects(&named, &sheet, &mut found);
        let columns: Vec<_> = found
            .iter()
            .map(|range| (range.start_column_index, range.end_row_index))
            .collect();
        assert_eq!(columns, [(6, 9), (4, 100)]);
    }
}
