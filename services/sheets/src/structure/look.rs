//! A look between two batches of one plan: is everything still where the first of them left it? It costs one
//! reading of the header rows and of the column of article numbers.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use connectors::google::{GoogleError, SheetsClient, Spreadsheet, letters};
use sheet_layout::{BaseField, Cell, ColumnKey, ROW_METADATA_KEY, SheetState};

use super::cells::{Cells, WholeNumber};
use super::rows::identity_columns;
use super::{AT_ONCE, COLUMN_METADATA_KEY, lookup, skeleton};
use crate::fence::Marks;

/// Where columns, header rows and article numbers are once a plan's insertions are done.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) sheet_id: i32,
    columns: BTreeMap<Arc<str>, u32>,
    headers: BTreeMap<Arc<str>, u32>,
    /// Where the article numbers stand, and which one in which row.
    number_column: Option<u32>,
    numbers: Vec<(u32, i64)>,
}

impl Expected {
    /// As a plan leaves the sheet.
    pub(crate) fn of(after: &SheetState) -> Self {
        let is_number = |name: &str| ColumnKey::parse(name) == Some(ColumnKey::Base(BaseField::NmId));
        let grid = &after.written;
        let column = grid.columns().iter().position(|column| is_number(column));
        let rows = grid.rows().iter().enumerate();
        let numbers = rows.filter_map(|(place, row)| match grid.get(place + 2, column?) {
            Some(Cell::Int(number)) => Some((*after.row_of_product.get(&row.key)?, *number)),
            _ => None,
        });
        Self {
            sheet_id: after.sheet_id,
            columns: columns_of(after),
            headers: headers_of(after),
            number_column: (after.columns.iter())
                .find(|column| is_number(&column.value))
                .map(|column| column.index),
            numbers: numbers.collect(),
        }
    }

    /// The cells that tell whose rows these are, in A1 notation; none where no row is a product's.
    pub(crate) fn identities_in(&self, title: &str, rows: &HashSet<u32>) -> Option<String> {
        let column = self.number_column?;
        let known = self
            .numbers
            .iter()
            .map(|(row, _)| *row)
            .filter(|row| rows.contains(row));
        let (first, last) = known.fold(None, |span: Option<(u32, u32)>, row| {
            let (first, last) = span.unwrap_or((row, row));
            Some((first.min(row), last.max(row)))
        })?;
        let letters = letters(column);
        let title = title.replace('\'', "''");
        Some(format!("'{title}'!{letters}{}:{letters}{}", first + 1, last + 1))
    }

    /// Of these rows those that are another's, as a batch's answer shows them.
    pub(crate) fn strange_rows(&self, shown: &Spreadsheet, rows: &HashSet<u32>) -> Vec<u32> {
        let mut sheets = shown.sheets.iter();
        let sheet = sheets.find(|sheet| sheet.properties.sheet_id == self.sheet_id);
        // An answer without the range that was asked for says nothing.
        let sheet = sheet.filter(|sheet| !sheet.data.is_empty());
        let (Some(sheet), Some(column)) = (sheet, self.number_column) else {
            return Vec::new();
        };
        let cells = Cells::of(sheet);
        let strange = self.numbers.iter().filter(|(row, number)| {
            let there = cells.value(*row, column);
            rows.contains(row) && there.and_then(|there| there.as_i64_like()) != Some(*number)
        });
        strange.map(|(row, _)| *row).collect()
    }
}

/// Columns that have names, by what they are called now; of doubled ones the first.
fn columns_of(state: &SheetState) -> BTreeMap<Arc<str>, u32> {
    let named = state.columns.iter().filter(|column| column.metadata_id != 0);
    first(named.map(|column| (column.name(), column.index)))
}

fn headers_of(state: &SheetState) -> BTreeMap<Arc<str>, u32> {
    first(
        state
            .header_rows
            .iter()
            .map(|row| (Arc::clone(&row.value), row.index)),
    )
}

fn first(list: impl Iterator<Item = (Arc<str>, u32)>) -> BTreeMap<Arc<str>, u32> {
    let mut found: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for (name, index) in list {
        let first = found.entry(name).or_insert(index);
        *first = index.min(*first);
    }
    found
}

/// The marks as they are now; none when something is not where it is expected.
pub(crate) async fn look(
    client: &SheetsClient,
    spreadsheet_id: &str,
    expected: &Expected,
) -> Result<Option<Marks>, GoogleError> {
    let number = ColumnKey::Base(BaseField::NmId);
    let filters = [
        lookup(ROW_METADATA_KEY, None),
        lookup(COLUMN_METADATA_KEY, Some(number)),
    ];
    let answer = client.get_by_filter(spreadsheet_id, AT_ONCE, &filters).await?;
    let mut sheets = answer.sheets.into_iter();
    let Some(sheet) = sheets.find(|sheet| sheet.properties.sheet_id == expected.sheet_id) else {
        return Ok(None);
    };
    let cells = Cells::of(&sheet);
    let names = cells.names();
    let state = skeleton(&sheet, &names);
    let (columns, headers) = (columns_of(&state), headers_of(&state));
    let [Some(number), ..] = identity_columns(&state) else {
        return Ok(None);
    };
    // A row whose number is still to come is blank, or a person has just emptied it: nobody else's.
    let strange = |(row, expected): &(u32, i64)| {
        let there = cells.value(*row, number);
        there.is_some_and(|there| there.as_i64_like() != Some(*expected))
    };
    let there = |names: &BTreeMap<Arc<str>, u32>, expected: &BTreeMap<Arc<str>, u32>| {
        (expected.iter()).all(|(name, index)| names.get(name) == Some(index))
    };
    let moved = !there(&columns, &expected.columns) || !there(&headers, &expected.headers);
    if moved || expected.numbers.iter().any(strange) {
        return Ok(None);
    }
    let marks = names.into_iter().chain(sheet.developer_metadata.iter().cloned());
    Ok(Some(Marks::of(&state, marks)))
}
