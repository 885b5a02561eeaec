//! What is in the spreadsheet now. Three cheap requests: sheets with sizes and merges, our names on columns
//! and rows, and the two columns by which rows are recognised. Where it is not known what was written last,
//! all managed cells are read too.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connectors::google::{
    DataFilter, DeveloperMetadata, DeveloperMetadataLookup, Dimension, GoogleError, GridRange as WireRange,
    Sheet, SheetsClient,
};
use serde_json::Value;
use sheet_layout::migrate::Layout;
use sheet_layout::{
    BaseField, COLUMN_METADATA_KEY, Cell, ColumnKey, Current, Grid, GridRange, GridRow, IdentityCells, Kind,
    ManagedColumn, ManagedRow, ROW_METADATA_KEY, SheetState, locate_rows,
};

use crate::migrate;

/// What is asked of a spreadsheet; without cells.
const FIELDS: &str = "sheets(properties(sheetId,title,gridProperties),merges)";
/// Cells in one answer when all of them are read.
pub(crate) const CELLS_A_READ: usize = 200_000;

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) spreadsheet_id: &'a str,
    /// Title of the worksheet, when it has to be found for the first time.
    pub(crate) worksheet: &'a str,
    /// The worksheet as it was found last.
    pub(crate) sheet_id: Option<i32>,
}

/// What is known of the products and of the last write.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// All products that may have a row.
    pub(crate) identities: &'a [IdentityCells<Arc<str>>],
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
) -> Result<Current, Unreadable> {
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
        return Ok(Current::default());
    };
    let title = sheet.properties.title.clone().unwrap_or_default();
    let reader = Reader {
        client,
        spreadsheet_id: place.spreadsheet_id,
        title: &title,
    };
    let rows = reader.identities(&state).await?;
    let products = candidates(&known);
    state.row_of_product = locate_rows(&rows, &products);
    state.written = match known.written {
        Some(written) if !known.doubtful => written,
        written => {
            let sure = written.as_ref().filter(|_| !known.uncertain);
            let grid = reader.grid(&state, sure, known.listed).await?;
            if sure.is_none() {
                grid.of_unknown_look()
            } else {
                grid
            }
        }
    };
    Ok(Current { sheet: Some(state) })
}

/// All worksheets without their cells, and our names in them.
pub(crate) async fn overview(
    client: &SheetsClient,
    spreadsheet_id: &str,
) -> Result<(Vec<Sheet>, Vec<DeveloperMetadata>), GoogleError> {
    let lookup = |key: &str| DataFilter {
        developer_metadata_lookup: DeveloperMetadataLookup {
            metadata_key: Some(key.to_owned()),
            ..DeveloperMetadataLookup::default()
        },
    };
    let filters = [lookup(COLUMN_METADATA_KEY), lookup(ROW_METADATA_KEY)];
    let (spreadsheet, names) = tokio::try_join!(
        client.get(spreadsheet_id, FIELDS),
        client.search_metadata(spreadsheet_id, &filters),
    )?;
    Ok((spreadsheet.sheets, names))
}

/// The worksheet: the one of last time, else one that carries our names, else the one with the title.
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
    place
        .sheet_id
        .and_then(by_id)
        .or_else(|| sheets.iter().find(|sheet| ours(sheet) && titled(sheet)))
        .or_else(|| sheets.iter().find(ours))
        .or_else(|| sheets.iter().find(titled))
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
        ..SheetState::default()
    };
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

fn bounded(range: &WireRange, state: &SheetState) -> GridRange {
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
fn candidates(known: &Known<'_>) -> Vec<IdentityCells<Arc<str>>> {
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
    /// The rows below the header that hold an article number; all rows when that column is gone.
    async fn identities(&self, state: &SheetState) -> Result<Vec<IdentityCells<u32>>, GoogleError> {
        let column = |value: String| {
            state
                .columns
                .iter()
                .find(|column| *column.value == *value && column.index < state.column_count)
                .map(|column| column.index)
        };
        let base = |field: BaseField| column(ColumnKey::Base(field).to_string());
        let (nm_id, vendor_code) = (base(BaseField::NmId), base(BaseField::VendorCode));
        let size = column(size_column());
        let first = below_header(state);
        let asked: Vec<u32> = nm_id.into_iter().chain(vendor_code).chain(size).collect();
        if asked.is_empty() || first >= state.row_count {
            return Ok(Vec::new());
        }
        let ranges: Vec<String> = asked
            .iter()
            .map(|column| self.range((first, state.row_count), (*column, column + 1)))
            .collect();
        let mut answers = self.values(&ranges).await?.into_iter();
        let numbers = nm_id.and_then(|_| answers.next());
        let texts = vendor_code.and_then(|_| answers.next()).unwrap_or_default();
        let sizes = size.and_then(|_| answers.next());
        let at = |column: &[Vec<Value>], row: usize| column.get(row)?.first().cloned();
        let text = |column: &[Vec<Value>], row: usize| -> Arc<str> {
            match at(column, row) {
                Some(Value::String(text)) => text.into(),
                // A size that looks like a number may be one after a person has touched it.
                Some(Value::Number(number)) => number.to_string().into(),
                _ => "".into(),
            }
        };
        let count = numbers.as_ref().map_or(texts.len(), Vec::len);
        let mut rows = Vec::with_capacity(count);
        for (row, of) in (0..count).zip(first..) {
            let number = numbers
                .as_deref()
                .and_then(|column| at(column, row)?.as_i64_like());
            // A row without a number is the seller's, unless the numbers themselves are gone.
            if number.is_some() || numbers.is_none() {
                rows.push(IdentityCells {
                    of,
                    nm_id: number,
                    vendor_code: text(&texts, row),
                    size: sizes.as_deref().map(|sizes| text(sizes, row)),
                });
            }
        }
        Ok(rows)
    }

    /// All managed cells, read back.
    async fn grid(
        &self,
        state: &SheetState,
        before: Option<&Grid>,
        listed_now: &HashSet<&str>,
    ) -> Result<Grid, GoogleError> {
        let mut columns: Vec<(&ManagedColumn, ColumnKey)> = Vec::new();
        for column in state
            .columns
            .iter()
            .filter(|column| column.index < state.column_count)
        {
            // Of doubled names the leftmost is ours.
            if let Some(key) = ColumnKey::parse(&column.value)
                && !columns.iter().any(|(known, _)| known.value == column.value)
            {
                columns.push((column, key));
            }
        }
        let Some(width) = columns.iter().map(|(column, _)| column.index + 1).max() else {
            return Ok(Grid::default());
        };
        let listed: Option<HashMap<&str, bool>> =
            before.map(|grid| grid.rows().iter().map(|row| (&*row.key, row.listed)).collect());
        // A row that is new to a known sheet was made as listed. Where nothing is known, the opposite of what
        // should be, so that the plan strikes through or restores every row whatever it looks like.
        let was_listed = |key: &str| match &listed {
            Some(known) => known.get(key).copied().unwrap_or(true),
            None => !listed_now.contains(key),
        };
        let mut products: Vec<(&Arc<str>, u32)> = state
            .row_of_product
            .iter()
            .map(|(key, row)| (key, *row))
            .collect();
        products.sort_by_key(|(_, row)| *row);
        let rows = products.iter().map(|(key, _)| GridRow {
            key: Arc::clone(key),
            listed: was_listed(key),
        });
        let mut grid = Grid::new(
            columns
                .iter()
                .map(|(column, _)| Arc::clone(&column.value))
                .collect(),
            rows.collect(),
        );
        let header = |value: &str| {
            let rows = state.header_rows.iter().filter(|row| *row.value == *value);
            rows.map(|row| row.index).min()
        };
        let headers = [sheet_layout::HEADER_GROUPS, sheet_layout::HEADER_FIELDS].map(header);
        if let Some(before) = before {
            grid = grid.looking_like(before);
        }
        let mut place_of: HashMap<u32, usize> = HashMap::with_capacity(products.len() + 2);
        place_of.extend(
            headers
                .into_iter()
                .enumerate()
                .filter_map(|(place, row)| Some((row?, place))),
        );
        place_of.extend(products.iter().zip(2..).map(|((_, row), place)| (*row, place)));
        let last = place_of.keys().copied().max().map_or(0, |row| row + 1);

        let wide = usize::try_from(width).unwrap_or(usize::MAX).max(1);
        let step = u32::try_from((CELLS_A_READ / wide).max(1)).unwrap_or(u32::MAX);
        let mut start = 0;
        while start < last {
            let end = start.saturating_add(step).min(last);
            let range = self.range((start, end), (0, width));
            let answer = self
                .values(&[range])
                .await?
                .into_iter()
                .next()
                .unwrap_or_default();
            for (row, values) in (start..end).zip(answer) {
                let Some(place) = place_of.get(&row) else { continue };
                for (number, (column, key)) in columns.iter().enumerate() {
                    let value = usize::try_from(column.index)
                        .ok()
                        .and_then(|index| values.get(index));
                    grid.set(
                        *place,
                        number,
                        value.map_or(Cell::Empty, |value| cell(value, key, *place < 2)),
                    );
                }
            }
            start = end;
        }
        Ok(grid)
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

/// Name of the column that tells rows of sizes apart.
fn size_column() -> String {
    ColumnKey::Size.to_string()
}

/// The first row that may hold a product.
fn below_header(state: &SheetState) -> u32 {
    state
        .header_rows
        .iter()
        .map(|row| row.index + 1)
        .max()
        .unwrap_or_default()
}

/// Letters of a zero-based column: 0 is `A`, 26 is `AA`.
fn letters(column: u32) -> String {
    let mut rest = column + 1;
    let mut text = Vec::new();
    while rest > 0 {
        let digit = (rest - 1) % 26;
        text.push(char::from(b'A' + u8::try_from(digit).unwrap_or_default()));
        rest = (rest - 1) / 26;
    }
    text.iter().rev().collect()
}

/// A value as the layout would have written it. What it never writes becomes a text, which differs from
/// whatever should be there.
fn cell(value: &Value, column: &ColumnKey, header: bool) -> Cell {
    let days = column.kind() == Kind::Days;
    match value {
        Value::Null => Cell::Empty,
        Value::String(text) if text.is_empty() => Cell::Empty,
        Value::String(text) => Cell::Text(text.as_str().into()),
        number if days && !header => tenths(number).map_or_else(|| other(number), Cell::Tenths),
        number => number.as_i64_like().map_or_else(|| other(number), Cell::Int),
    }
}

fn other(value: &Value) -> Cell {
    // The blank in front keeps it apart from a text of ours that reads the same.
    Cell::Text(format!(" {value}").into())
}

fn tenths(value: &Value) -> Option<i64> {
    let scaled = value.as_f64()? * 10.0;
    let near = scaled.round();
    // Written as a decimal and read back as the same double, so only representation can differ.
    ((scaled - near).abs() < 1e-6).then(|| whole(near)).flatten()
}

#[expect(clippy::cast_possible_truncation, reason = "only used where it is in range")]
fn whole(number: f64) -> Option<i64> {
    // Beyond 2^53 doubles skip whole numbers.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

trait WholeNumber {
    /// A JSON number without a fraction; Google writes some of them as `7.0`.
    fn as_i64_like(&self) -> Option<i64>;
}

impl WholeNumber for Value {
    fn as_i64_like(&self) -> Option<i64> {
        self.as_i64().or_else(|| self.as_f64().and_then(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, ColumnKey, cell, letters};
    use serde_json::json;
    use sheet_layout::BaseField;

    #[test]
    fn columns_are_named_as_in_the_sheet() {
        assert_eq!(
            [0, 25, 26, 51, 52, 701, 702].map(letters),
            ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]
        );
    }

    #[test]
    fn a_value_is_read_as_it_was_written() {
        let days = ColumnKey::Base(BaseField::Turnover);
        let units = ColumnKey::Base(BaseField::OrdersTotal);
        assert_eq!(cell(&json!(14), &days, false), Cell::Tenths(140));
        assert_eq!(cell(&json!(13.6), &days, false), Cell::Tenths(136));
        assert_eq!(cell(&json!(""), &days, false), Cell::Empty);
        assert_eq!(cell(&json!(7.0), &units, false), Cell::Int(7));
        assert_eq!(
            cell(&json!("COL-001"), &units, false),
            Cell::Text("COL-001".into())
        );
        // Neither of these was written by us, so neither may look as if it were.
        assert_eq!(cell(&json!(7.5), &units, false), Cell::Text(" 7.5".into()));
        assert_eq!(cell(&json!(true), &units, false), Cell::Text(" true".into()));
        assert_eq!(cell(&json!(13.65), &days, false), Cell::Text(" 13.65".into()));
    }
}
