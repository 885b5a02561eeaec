//! Cells that were read: found by place, and turned into what the layout would have written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connectors::google::{
    DeveloperMetadata, DeveloperMetadataLocation, Dimension, DimensionNames, DimensionRange, EffectiveValue,
    GridData, ReadCell, Sheet,
};
use serde_json::Value;
use sheet_layout::{
    BaseField, Cell, ColumnKey, Grid, GridRow, HEADER_FIELDS, HEADER_GROUPS, Kind, SheetState,
};

/// The rectangles of one answer.
pub(super) struct Cells<'a> {
    sheet_id: i32,
    data: &'a [GridData],
}

fn unsigned(index: i32) -> u32 {
    u32::try_from(index).unwrap_or_default()
}

impl<'a> Cells<'a> {
    pub(super) fn of(sheet: &'a Sheet) -> Self {
        Self {
            sheet_id: sheet.properties.sheet_id,
            data: &sheet.data,
        }
    }

    /// The names of rows and columns, each once, with where they are.
    pub(super) fn names(&self) -> Vec<DeveloperMetadata> {
        let mut seen = HashSet::new();
        let mut names = Vec::new();
        for block in self.data {
            for (dimension, start, list) in [
                (Dimension::Rows, block.start_row, &block.row_metadata),
                (Dimension::Columns, block.start_column, &block.column_metadata),
            ] {
                for (index, of) in (start..).zip(list) {
                    let fresh =
                        |name: &&DeveloperMetadata| name.metadata_id.is_some_and(|id| seen.insert(id));
                    names.extend(Self::at(of, fresh).map(|name| DeveloperMetadata {
                        location: Some(DeveloperMetadataLocation {
                            dimension_range: Some(DimensionRange {
                                sheet_id: self.sheet_id,
                                dimension,
                                start_index: index,
                                end_index: Some(index + 1),
                            }),
                            ..DeveloperMetadataLocation::default()
                        }),
                        ..name.clone()
                    }));
                }
            }
        }
        names
    }

    fn at(
        of: &DimensionNames,
        fresh: impl FnMut(&&DeveloperMetadata) -> bool,
    ) -> impl Iterator<Item = &DeveloperMetadata> {
        of.developer_metadata.iter().filter(fresh)
    }

    fn cell(&self, row: u32, column: u32) -> Option<&'a ReadCell> {
        self.data.iter().find_map(|block| {
            let row = row.checked_sub(unsigned(block.start_row))?;
            let column = column.checked_sub(unsigned(block.start_column))?;
            let cells = block.row_data.get(usize::try_from(row).ok()?)?;
            cells.values.get(usize::try_from(column).ok()?)
        })
    }

    /// What a cell shows; none when it is empty or was not read.
    pub(super) fn value(&self, row: u32, column: u32) -> Option<Value> {
        Some(match self.cell(row, column)?.effective_value.as_ref()? {
            EffectiveValue::NumberValue(number) => Value::from(*number),
            EffectiveValue::StringValue(text) => Value::from(text.as_str()),
            EffectiveValue::BoolValue(value) => Value::from(*value),
            EffectiveValue::ErrorValue(error) => error.clone(),
        })
    }

    /// The note of a cell.
    pub(super) fn note(&self, row: u32, column: u32) -> Option<&'a str> {
        self.cell(row, column)?.note.as_deref()
    }
}

/// The managed cells of a worksheet, to be filled row by row.
pub(super) struct Frame {
    pub(super) grid: Grid,
    columns: Vec<(u32, ColumnKey)>,
    place_of: HashMap<u32, usize>,
    groups: Option<u32>,
    fields: Option<u32>,
    /// Columns up to the last managed one.
    pub(super) width: u32,
    /// Rows up to the last managed one.
    pub(super) last: u32,
}

impl Frame {
    pub(super) fn of(state: &SheetState, before: Option<&Grid>, listed_now: &HashSet<&str>) -> Self {
        let mut columns: Vec<(u32, ColumnKey)> = Vec::new();
        let mut values: Vec<Arc<str>> = Vec::new();
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        for column in (state.columns.iter()).filter(|column| column.index < state.column_count) {
            // Of doubled names the leftmost is ours.
            let name = column.name();
            if let Some(key) = ColumnKey::parse(&name)
                && seen.insert(Arc::clone(&name))
            {
                columns.push((column.index, key));
                values.push(name);
            }
        }
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
        let mut grid = Grid::new(values, rows.collect());
        if let Some(before) = before {
            grid = grid.looking_like(before);
        }
        let header = |value: &str| {
            let rows = state.header_rows.iter().filter(|row| *row.value == *value);
            rows.map(|row| row.index).min()
        };
        let headers = [HEADER_GROUPS, HEADER_FIELDS].map(header);
        let mut place_of: HashMap<u32, usize> = HashMap::with_capacity(products.len() + 2);
        place_of.extend(
            headers
                .into_iter()
                .enumerate()
                .filter_map(|(place, row)| Some((row?, place))),
        );
        place_of.extend(products.iter().zip(2..).map(|((_, row), place)| (*row, place)));
        Self {
            grid,
            width: columns
                .iter()
                .map(|(index, _)| index + 1)
                .max()
                .unwrap_or_default(),
            last: place_of.keys().copied().max().map_or(0, |row| row + 1),
            columns,
            place_of,
            groups: headers[0],
            fields: headers[1],
        }
    }

    /// Takes over what a row of the worksheet shows, if it is one of ours.
    pub(super) fn fill(&mut self, row: u32, value: impl Fn(u32) -> Option<Value>) {
        let Some(place) = self.place_of.get(&row).copied() else {
            return;
        };
        for (number, (column, key)) in self.columns.iter().enumerate() {
            let read = value(*column).map_or(Cell::Empty, |value| cell(&value, key, place < 2));
            self.grid.set(place, number, read);
        }
    }

    /// Where titles of groups may be, left to right: row, column, and what is under it.
    pub(super) fn titles_at(&self) -> impl Iterator<Item = (u32, u32, ColumnKey)> {
        let mut columns = self.columns.clone();
        columns.sort_unstable_by_key(|(index, _)| *index);
        let row = self.groups;
        (columns.into_iter()).filter_map(move |(index, key)| Some((row?, index, key)))
    }

    /// Where the freshness note is.
    pub(super) fn note_at(&self) -> Option<(u32, u32)> {
        let available = ColumnKey::Base(BaseField::AvailableTotal);
        let found = self.columns.iter().find(|(_, key)| *key == available);
        Some((self.fields?, found?.0))
    }
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

pub(super) trait WholeNumber {
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
    use super::{Cell, ColumnKey, cell};
    use serde_json::json;
    use sheet_layout::BaseField;

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
