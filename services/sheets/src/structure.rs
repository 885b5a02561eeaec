//! What is in the spreadsheet now. A sheet that was written before is read by one request: of a small one
//! all cells, so that what people changed is seen each time; of a large one the header rows, which bring
//! the names of all columns, and the two columns by which rows are recognised. A sheet that is not known
//! yet is looked for by separate requests, and where it is not known what was written last, all managed
//! cells are read.

mod cells;
mod look;
mod obstacles;
mod rows;
mod titles;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connectors::google::{
    DataFilter, DeveloperMetadata, DeveloperMetadataLookup, Dimension, GoogleError, GridRange as WireRange,
    ProtectedRange, Sheet, SheetsClient, letters,
};
use serde_json::Value;
use sheet_layout::migrate::Layout;
use sheet_layout::{
    BaseField, COLUMN_METADATA_KEY, Cell, ColumnKey, Current, Grid, GridRange, IdentityCells, ManagedColumn,
    ManagedRow, ROW_METADATA_KEY, SheetState,
};

use crate::fence::{COUNT_MARK, Marks, ROW_MARK};
use crate::migrate;
use cells::{Cells, Frame};
pub(crate) use look::{Expected, look};
pub(crate) use obstacles::fnv1a;
use rows::{below_header, identities, identity_columns, locate, size_column};

/// What is asked of a spreadsheet; without cells.
const FIELDS: &str = "sheets(properties(sheetId,title,hidden,gridProperties),merges,protectedRanges,tables,\
    basicFilter(range),bandedRanges(range),slicers(spec(dataRange)))";
/// What is asked of a worksheet that is known, with the cells that a filter selects.
const AT_ONCE: &str = "sheets(properties(sheetId,title,hidden,gridProperties),merges,protectedRanges,tables,\
    basicFilter(range),bandedRanges(range),slicers(spec(dataRange)),developerMetadata,\
    data(startRow,startColumn,rowMetadata(developerMetadata),columnMetadata(developerMetadata),\
    rowData(values(effectiveValue,note))))";
/// Cells in one answer when all of them are read.
pub(crate) const CELLS_A_READ: usize = 200_000;
/// Managed cells up to which all are read before every write.
const CELLS_AT_ONCE: usize = 60_000;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) current: Current,
    /// As the worksheet is called now.
    pub(crate) title: Option<String>,
    /// Cells that are protected from us.
    pub(crate) protected: Vec<ProtectedRange>,
    /// A fingerprint of what may be in the way of decorations.
    pub(crate) structure: u64,
    /// Cells of other worksheets, where ours is not there and all had to be looked at.
    pub(crate) elsewhere: u64,
    /// Our marks on the worksheet and its size: what a batch's fence is made of.
    pub(crate) marks: Marks,
}

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) spreadsheet_id: &'a str,
    /// Title of the worksheet, when it has to be found for the first time.
    pub(crate) worksheet: &'a str,
    /// The worksheet as it was found last.
    pub(crate) sheet_id: Option<i32>,
    /// The id under which this link's worksheet is made: no copy has it.
    pub(crate) made: i32,
}

/// What is known of the products and of the last write.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// All products that may have a row.
    pub(crate) identities: &'a [IdentityCells<Arc<str>>],
    /// All their sizes, which may have rows where the sheet has a column that tells them apart.
    pub(crate) sizes: &'a [IdentityCells<Arc<str>>],
    /// Keys of the listed ones.
    pub(crate) listed: &'a HashSet<&'a str>,
    /// What was written last; none when that is unknown.
    pub(crate) written: Option<Grid>,
    /// Read the managed cells all the same.
    pub(crate) doubtful: bool,
    /// A batch may have been done of which nothing was recorded.
    pub(crate) uncertain: bool,
}

/// Why it is not known what to write.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Google(GoogleError),
    /// An earlier writer's cells are there, and ours would come beside them.
    OldLayout {
        worksheet: String,
        layout: Layout,
    },
}

impl From<GoogleError> for Unreadable {
    fn from(error: GoogleError) -> Self {
        Self::Google(error)
    }
}

/// Reads the worksheet as far as the layout needs it.
pub(crate) async fn read(
    client: &SheetsClient,
    place: Place<'_>,
    known: Known<'_>,
) -> Result<Seen, Unreadable> {
    if let Some(sheet_id) = place.sheet_id
        && let Some(seen) = at_once(client, place.spreadsheet_id, sheet_id, &known).await?
    {
        return Ok(seen);
    }
    in_turn(client, place, known).await
}

fn lookup(key: &str, value: Option<ColumnKey>) -> DataFilter {
    let lookup = DeveloperMetadataLookup {
        metadata_key: Some(key.to_owned()),
        metadata_value: value.map(|column| column.to_string()),
        ..DeveloperMetadataLookup::default()
    };
    lookup.into()
}

/// One request for a worksheet that is known; none when that is not enough: the worksheet or its headers are
/// gone, or more has to be read than fits into one answer.
async fn at_once(
    client: &SheetsClient,
    spreadsheet_id: &str,
    sheet_id: i32,
    known: &Known<'_>,
) -> Result<Option<Seen>, GoogleError> {
    let Some(written) = &known.written else {
        return Ok(None);
    };
    let whole = written.columns().len() * (written.rows().len() + 2) <= CELLS_AT_ONCE;
    if known.doubtful && !whole {
        return Ok(None);
    }
    let filters = if whole {
        let sheet = WireRange {
            sheet_id,
            ..WireRange::default()
        };
        vec![DataFilter {
            developer_metadata_lookup: None,
            grid_range: Some(sheet),
        }]
    } else {
        vec![
            lookup(ROW_METADATA_KEY, None),
            lookup(COLUMN_METADATA_KEY, Some(ColumnKey::Base(BaseField::NmId))),
            lookup(COLUMN_METADATA_KEY, Some(ColumnKey::Base(BaseField::VendorCode))),
            lookup(COLUMN_METADATA_KEY, Some(ColumnKey::Size)),
        ]
    };
    let answer = match client.get_by_filter(spreadsheet_id, AT_ONCE, &filters).await {
        // The filter names a worksheet that was deleted.
        Err(GoogleError::InvalidRequest { .. }) => return Ok(None),
        answer => answer?,
    };
    let mut sheets = answer.sheets.into_iter();
    let Some(sheet) = sheets.find(|sheet| sheet.properties.sheet_id == sheet_id) else {
        return Ok(None);
    };
    let cells = Cells::of(&sheet);
    let names = cells.names();
    let mut state = skeleton(&sheet, &names);
    titles::find(&mut state, written, |row, column| cells.value(row, column));
    let own = sheet.developer_metadata.iter().cloned();
    let marks = Marks::of(&state, names.into_iter().chain(own));
    if state.columns.is_empty() || (state.header_rows.is_empty() && !whole) {
        return Ok(None);
    }
    let rows = identities(&state, |row, column| cells.value(row, column), state.row_count);
    state.row_of_product = locate(&state, rows, &candidates(known, &state), Some(written));
    state.written = if whole {
        let sure = Some(written).filter(|_| !known.uncertain);
        let mut frame = Frame::of(&state, sure, known.listed);
        for row in 0..frame.last {
            frame.fill(row, |column| cells.value(row, column));
        }
        let note = frame.note_at().and_then(|(row, column)| cells.note(row, column));
        let titles: Vec<_> = frame.titles_at().collect();
        let title_notes = titles
            .iter()
            .filter_map(|(row, column, key)| Some((key, cells.note(*row, *column)?)));
        let grid = frame.grid.noted(note.unwrap_or_default());
        let grid = if sure.is_none() {
            grid.of_unknown_look(Some(written))
        } else {
            grid
        };
        grid.with_title_notes(title_notes)
    } else {
        written.clone()
    };
    Ok(Some(Seen {
        current: Current { sheet: Some(state) },
        marks,
        ..seen_of(sheet)
    }))
}

fn seen_of(sheet: Sheet) -> Seen {
    Seen {
        current: Current::default(),
        structure: obstacles::fingerprint(&sheet),
        title: sheet.properties.title,
        protected: (sheet.protected_ranges.into_iter())
            .filter(ProtectedRange::is_closed)
            .collect(),
        elsewhere: 0,
        marks: Marks::default(),
    }
}

/// The worksheet looked for, then its names, its rows, and where needed its cells.
async fn in_turn(client: &SheetsClient, place: Place<'_>, known: Known<'_>) -> Result<Seen, Unreadable> {
    let (sheets, names) = overview(client, place.spreadsheet_id).await?;
    let sheet = find(&sheets, &names, place);
    let mut state = sheet.map(|sheet| skeleton(sheet, &names)).unwrap_or_default();
    if state.columns.is_empty()
        && let Some((worksheet, layout)) =
            migrate::old_layout(client, place.spreadsheet_id, &sheets, sheet).await?
    {
        return Err(Unreadable::OldLayout { worksheet, layout });
    }
    let Some(sheet) = sheet else {
        return Ok(Seen {
            elsewhere: sheets.iter().map(size).sum(),
            ..Seen::default()
        });
    };
    let title = sheet.properties.title.clone().unwrap_or_default();
    let reader = Reader {
        client,
        spreadsheet_id: place.spreadsheet_id,
        title: &title,
    };
    if let Some(written) = known
        .written
        .as_ref()
        .filter(|grid| grid.unnamed().next().is_some())
    {
        reader.titles(&mut state, written).await?;
    }
    let rows = reader.identities(&state).await?;
    let products = candidates(&known, &state);
    state.row_of_product = locate(&state, rows, &products, known.written.as_ref());
    state.written = match known.written {
        Some(written) if !known.doubtful => written,
        written => {
            let sure = written.as_ref().filter(|_| !known.uncertain);
            let grid = reader.grid(&state, sure, known.listed).await?;
            if sure.is_none() {
                grid.of_unknown_look(written.as_ref())
            } else {
                grid
            }
        }
    };
    Ok(Seen {
        marks: Marks::of(&state, names.into_iter()),
        current: Current { sheet: Some(state) },
        ..seen_of(sheet.clone())
    })
}

/// All worksheets without their cells, and our names in them.
pub(crate) async fn overview(
    client: &SheetsClient,
    spreadsheet_id: &str,
) -> Result<(Vec<Sheet>, Vec<DeveloperMetadata>), GoogleError> {
    let keys = [COLUMN_METADATA_KEY, ROW_METADATA_KEY, ROW_MARK, COUNT_MARK];
    let filters = keys.map(|key| lookup(key, None));
    let (spreadsheet, names) = tokio::try_join!(
        client.get(spreadsheet_id, FIELDS),
        client.search_metadata(spreadsheet_id, &filters),
    )?;
    Ok((spreadsheet.sheets, names))
}

/// The worksheet: the one of last time, else the one that was made for this link, else the one with the
/// title, else the only one that carries our names. A person may copy ours, and Google may copy the names
/// along: where ours is gone, its copy is the person's own unless they gave it the title.
pub(crate) fn find<'a>(
    sheets: &'a [Sheet],
    names: &[DeveloperMetadata],
    place: Place<'_>,
) -> Option<&'a Sheet> {
    let by_id = |id: i32| sheets.iter().find(|sheet| sheet.properties.sheet_id == id);
    // Google compares titles without regard to case.
    let titled = |sheet: &&Sheet| {
        sheet
            .properties
            .title
            .as_deref()
            .is_some_and(|title| title.to_lowercase() == place.worksheet.to_lowercase())
    };
    let ours = |sheet: &&Sheet| {
        names.iter().any(|name| {
            location(name).is_some_and(|(id, _, _)| id == sheet.properties.sheet_id)
                && name.metadata_key.as_deref() == Some(COLUMN_METADATA_KEY)
        })
    };
    let only = || {
        let mut all = sheets.iter().filter(ours);
        all.next()
            .filter(|_| all.next().is_none() && place.sheet_id.is_none())
    };
    place
        .sheet_id
        .and_then(by_id)
        .or_else(|| by_id(place.made).filter(ours))
        .or_else(|| sheets.iter().find(|sheet| ours(sheet) && titled(sheet)))
        .or_else(only)
        .or_else(|| sheets.iter().find(titled))
}

/// Cells of a worksheet, the empty ones too.
fn size(sheet: &Sheet) -> u64 {
    let grid = sheet.properties.grid_properties.unwrap_or_default();
    let count = |of: Option<i32>| of.and_then(|of| u64::try_from(of).ok()).unwrap_or_default();
    count(grid.row_count).saturating_mul(count(grid.column_count))
}

/// Sheet, dimension and index of a name; none for one that hangs on no single column or row.
fn location(name: &DeveloperMetadata) -> Option<(i32, Dimension, u32)> {
    let range = name.location.as_ref()?.dimension_range?;
    Some((
        range.sheet_id,
        range.dimension,
        u32::try_from(range.start_index).ok()?,
    ))
}

pub(crate) fn skeleton(sheet: &Sheet, names: &[DeveloperMetadata]) -> SheetState {
    let size = |count: Option<i32>| {
        count
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default()
    };
    let grid = sheet.properties.grid_properties.unwrap_or_default();
    let mut state = SheetState {
        sheet_id: sheet.properties.sheet_id,
        row_count: size(grid.row_count),
        column_count: size(grid.column_count),
        frozen_rows: size(grid.frozen_row_count),
        frozen_columns: size(grid.frozen_column_count),
        ..SheetState::default()
    };
    state.tables = obstacles::tables(sheet, &state);
    state.merges = sheet.merges.iter().map(|range| bounded(range, &state)).collect();
    for name in names {
        let Some((sheet_id, dimension, index)) = location(name) else {
            continue;
        };
        let (Some(metadata_id), Some(value)) = (name.metadata_id, name.metadata_value.as_deref()) else {
            continue;
        };
        if sheet_id != state.sheet_id {
            continue;
        }
        match (dimension, name.metadata_key.as_deref()) {
            (Dimension::Columns, Some(COLUMN_METADATA_KEY)) => state.columns.push(ManagedColumn {
                metadata_id,
                value: value.into(),
                index,
            }),
            (Dimension::Rows, Some(ROW_METADATA_KEY)) => state.header_rows.push(ManagedRow {
                metadata_id,
                value: value.into(),
                index,
            }),
            _ => {}
        }
    }
    state
        .columns
        .sort_by_key(|column| (column.index, column.metadata_id));
    state
}

pub(crate) fn bounded(range: &WireRange, state: &SheetState) -> GridRange {
    let or = |index: Option<i32>, absent: u32| {
        index
            .and_then(|index| u32::try_from(index).ok())
            .unwrap_or(absent)
    };
    GridRange {
        sheet_id: state.sheet_id,
        start_row_index: or(range.start_row_index, 0),
        end_row_index: or(range.end_row_index, state.row_count),
        start_column_index: or(range.start_column_index, 0),
        end_column_index: or(range.end_column_index, state.column_count),
    }
}

/// Products that may have a row: those of the last write as they were written, and those that are listed.
fn candidates(known: &Known<'_>, state: &SheetState) -> Vec<IdentityCells<Arc<str>>> {
    let mut written: HashMap<Arc<str>, IdentityCells<Arc<str>>> = HashMap::new();
    if let Some(grid) = &known.written {
        let column = |field: BaseField| {
            let value = ColumnKey::Base(field).to_string();
            grid.columns().iter().position(|column| **column == *value)
        };
        let (nm_id, vendor_code) = (column(BaseField::NmId), column(BaseField::VendorCode));
        let size = grid
            .columns()
            .iter()
            .position(|column| **column == *size_column());
        for (index, row) in grid.rows().iter().enumerate() {
            let cell = |column: Option<usize>| column.and_then(|column| grid.get(index + 2, column));
            written.insert(
                Arc::clone(&row.key),
                IdentityCells {
                    of: Arc::clone(&row.key),
                    nm_id: match cell(nm_id) {
                        Some(Cell::Int(number)) => Some(*number),
                        _ => None,
                    },
                    vendor_code: match cell(vendor_code) {
                        Some(Cell::Text(text)) => (&**text).into(),
                        _ => "".into(),
                    },
                    size: match cell(size) {
                        Some(Cell::Text(text)) => Some((&**text).into()),
                        _ => None,
                    },
                },
            );
        }
    }
    let mut all: Vec<_> = known
        .identities
        .iter()
        .map(|current| written.remove(&current.of).unwrap_or_else(|| current.clone()))
        .collect();
    if identity_columns(state)[2].is_some() {
        let shown: HashSet<Arc<str>> = all.iter().map(|row| Arc::clone(&row.of)).collect();
        let others = known.sizes.iter().filter(|size| !shown.contains(&size.of));
        all.extend(others.map(|current| written.remove(&current.of).unwrap_or_else(|| current.clone())));
    }
    // Rows of products that the read model has forgotten; in a fixed order.
    let mut forgotten: Vec<_> = written.into_values().collect();
    forgotten.sort_by(|a, b| a.of.cmp(&b.of));
    all.extend(forgotten);
    all
}

/// Reads cells of one worksheet.
pub(crate) struct Reader<'a> {
    pub(crate) client: &'a SheetsClient,
    pub(crate) spreadsheet_id: &'a str,
    pub(crate) title: &'a str,
}

impl Reader<'_> {
    /// The rows below the header that hold an article; all rows when the column of numbers is gone.
    async fn identities(&self, state: &SheetState) -> Result<Vec<IdentityCells<u32>>, GoogleError> {
        let first = below_header(state);
        let asked: Vec<u32> = identity_columns(state).into_iter().flatten().collect();
        if asked.is_empty() || first >= state.row_count {
            return Ok(Vec::new());
        }
        let ranges: Vec<String> = asked
            .iter()
            .map(|column| self.range((first, state.row_count), (*column, column + 1)))
            .collect();
        let answers = self.values(&ranges).await?;
        let length = answers.iter().map(Vec::len).max().unwrap_or_default();
        let end = first.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        let value = |row: u32, column: u32| {
            let place = asked.iter().position(|known| *known == column)?;
            let row = usize::try_from(row - first).ok()?;
            answers.get(place)?.get(row)?.first().cloned()
        };
        Ok(identities(state, value, end.min(state.row_count)))
    }

    /// The columns that have no names.
    async fn titles(&self, state: &mut SheetState, written: &Grid) -> Result<(), GoogleError> {
        let last = below_header(state);
        if last == 0 || state.column_count == 0 {
            return Ok(());
        }
        let range = self.range((0, last), (0, state.column_count));
        let rows = self
            .values(&[range])
            .await?
            .into_iter()
            .next()
            .unwrap_or_default();
        titles::find(state, written, |row, column| {
            let cells = rows.get(usize::try_from(row).ok()?)?;
            cells.get(usize::try_from(column).ok()?).cloned()
        });
        Ok(())
    }

    /// All managed cells, read back.
    async fn grid(
        &self,
        state: &SheetState,
        before: Option<&Grid>,
        listed_now: &HashSet<&str>,
    ) -> Result<Grid, GoogleError> {
        let mut frame = Frame::of(state, before, listed_now);
        if frame.width == 0 {
            return Ok(Grid::default());
        }
        let wide = usize::try_from(frame.width).unwrap_or(usize::MAX).max(1);
        let step = u32::try_from((CELLS_A_READ / wide).max(1)).unwrap_or(u32::MAX);
        let mut start = 0;
        while start < frame.last {
            let end = start.saturating_add(step).min(frame.last);
            let range = self.range((start, end), (0, frame.width));
            let answer = self
                .values(&[range])
                .await?
                .into_iter()
                .next()
                .unwrap_or_default();
            for (row, values) in (start..end).zip(answer) {
                frame.fill(row, |column| {
                    let column = usize::try_from(column).ok()?;
                    values.get(column).cloned()
                });
            }
            start = end;
        }
        Ok(frame.grid)
    }

    async fn values(&self, ranges: &[String]) -> Result<Vec<Vec<Vec<Value>>>, GoogleError> {
        let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
        let answers = self.client.values(self.spreadsheet_id, &ranges).await?;
        Ok(answers.into_iter().map(|answer| answer.values).collect())
    }

    /// A1 notation of half-open, zero-based rows and columns.
    pub(crate) fn range(&self, (top, bottom): (u32, u32), (left, right): (u32, u32)) -> String {
        format!(
            "'{}'!{}{}:{}{bottom}",
            self.title.replace('\'', "''"),
            letters(left),
            top + 1,
            letters(right - 1)
        )
    }
}
