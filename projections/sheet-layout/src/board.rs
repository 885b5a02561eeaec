//! The sheet as it will be after the requests so far. Every insertion moves indices and merges; doing that in
//! one place is what lets the rest of the plan speak in final coordinates.

use std::collections::HashMap;
use std::sync::Arc;

use crate::column::ColumnKey;
use crate::request::{Dimension, DimensionProperties, DimensionRange, GridRange, Request};
use crate::state::Table;

/// A managed column in the sheet.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) key: ColumnKey,
    pub(crate) value: Arc<str>,
    pub(crate) index: u32,
    pub(crate) metadata_id: i32,
    /// Made by this plan: empty, unformatted, without metadata yet.
    pub(crate) fresh: bool,
    /// Without its look: made by this plan, or by an earlier one whose decorations did not come.
    pub(crate) bare: bool,
    /// Its name in the sheet is longer than one that is given now.
    pub(crate) long: Option<usize>,
}

/// A header row in the sheet.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HeaderRow {
    pub(crate) index: u32,
    pub(crate) metadata_id: i32,
    pub(crate) fresh: bool,
    /// As for columns.
    pub(crate) bare: bool,
}

pub(crate) struct Board {
    pub(crate) sheet_id: i32,
    pub(crate) row_count: u32,
    pub(crate) column_count: u32,
    pub(crate) frozen_rows: u32,
    pub(crate) frozen_columns: u32,
    /// Sorted by index once the columns stand.
    pub(crate) columns: Vec<Placed>,
    pub(crate) groups: Option<HeaderRow>,
    pub(crate) fields: Option<HeaderRow>,
    pub(crate) merges: Vec<GridRange>,
    pub(crate) tables: Vec<Table>,
    pub(crate) row_of: HashMap<Arc<str>, u32>,
    /// Names that this plan may still give.
    pub(crate) names_left: usize,
    /// Columns that have to wait for that reason.
    pub(crate) deferred: usize,
    /// Columns that the sheet refuses.
    pub(crate) left_out: usize,
    pub(crate) requests: Vec<Request>,
    /// An earlier layout wrote what is there: values hold, looks do not.
    pub(crate) adopted: bool,
}

impl Board {
    /// Makes room for `count` rows or columns at `at`, by growth at the end of the grid and by insertion
    /// elsewhere.
    pub(crate) fn insert(&mut self, dimension: Dimension, at: u32, count: u32, inherit_from_before: bool) {
        if count == 0 {
            return;
        }
        let extent = match dimension {
            Dimension::Rows => &mut self.row_count,
            Dimension::Columns => &mut self.column_count,
        };
        if at >= *extent {
            let length = at - *extent + count;
            *extent += length;
            self.requests.push(Request::AppendDimension {
                sheet_id: self.sheet_id,
                dimension,
                length,
            });
            return;
        }
        *extent += count;
        let range = DimensionRange {
            sheet_id: self.sheet_id,
            dimension,
            start_index: at,
            end_index: at + count,
        };
        // The API refuses inheritance where nothing is before.
        let inherit_from_before = inherit_from_before && at > 0;
        self.requests.push(Request::InsertDimension {
            range: range.clone(),
            inherit_from_before,
        });
        // A neighbour's properties come with its looks, and a person may have hidden that neighbour.
        self.requests.push(Request::UpdateDimensionProperties {
            range,
            properties: DimensionProperties {
                pixel_size: None,
                hidden_by_user: Some(false),
            },
            fields: "hiddenByUser",
        });
        self.shift(dimension, at, count);
    }

    fn shift(&mut self, dimension: Dimension, at: u32, count: u32) {
        let moved = |index: &mut u32| {
            if *index >= at {
                *index += count;
            }
        };
        match dimension {
            Dimension::Columns => {
                self.columns
                    .iter_mut()
                    .for_each(|column| moved(&mut column.index));
                self.tables
                    .iter_mut()
                    .flat_map(|table| &mut table.typed)
                    .for_each(moved);
                // What is inserted right behind the frozen ones is not frozen.
                if at < self.frozen_columns {
                    self.frozen_columns += count;
                }
            }
            Dimension::Rows => {
                self.row_of.values_mut().for_each(moved);
                self.groups
                    .iter_mut()
                    .chain(self.fields.iter_mut())
                    .for_each(|row| moved(&mut row.index));
            }
        }
        let tables = self.tables.iter_mut().map(|table| &mut table.range);
        for merge in self.merges.iter_mut().chain(tables) {
            let (start, end) = match dimension {
                Dimension::Rows => (&mut merge.start_row_index, &mut merge.end_row_index),
                Dimension::Columns => (&mut merge.start_column_index, &mut merge.end_column_index),
            };
            moved(start);
            // A merge that ends where something is inserted does not grow.
            if *end > at {
                *end += count;
            }
        }
    }

    pub(crate) fn range(&self, rows: (u32, u32), columns: (u32, u32)) -> GridRange {
        GridRange {
            sheet_id: self.sheet_id,
            start_row_index: rows.0,
            end_row_index: rows.1,
            start_column_index: columns.0,
            end_column_index: columns.1,
        }
    }
}

/// Half-open runs of neighbouring indices; `indices` ascend.
pub(crate) fn runs(indices: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for index in indices {
        match runs.last_mut() {
            Some((_, end)) if *end == index => *end += 1,
            _ => runs.push((index, index + 1)),
        }
    }
    runs
}
