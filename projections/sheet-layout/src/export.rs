//! The layout without a spreadsheet service: the grid of a first write as CSV or as an Excel workbook. Both
//! come from one [`Table`], so they cannot show other numbers than the sheet.
//!
//! Nothing that comes from a marketplace may be calculated by the program that opens the file. A text whose
//! first character could begin a formula (`= + - @`, tab, line ends, NUL and the full-width forms that East
//! Asian programs read as the same) gets an apostrophe in front in CSV for spreadsheets, and none in CSV for
//! programs. In a workbook it stays as it is: the cell is typed as text and marked to stay so when it is
//! edited. Numbers are numbers in both.

mod csv;
mod xlsx;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use rust_xlsxwriter::XlsxError;

pub use csv::CsvDialect;

use crate::cell::Cell;
use crate::column::{BaseField, ColumnKey};
use crate::grid::HEADER_ROWS;
use crate::input::{LayoutError, SheetInput};
use crate::plan::formula_note;
use crate::shown::Shown;
use crate::sizes;
use crate::view::{Level, View};

/// Why a table could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The text could not be written.
    #[error("the table cannot be written as CSV")]
    Csv(#[source] ::csv::Error),
    /// More than Excel holds: 1,048,576 rows and 16,384 columns (Excel specifications and limits).
    #[error("{rows} rows and {columns} columns do not fit into a workbook")]
    TooLarge {
        /// Rows needed.
        rows: usize,
        /// Columns needed.
        columns: usize,
    },
    /// The workbook could not be written.
    #[error("the table cannot be written as a workbook")]
    Workbook(#[source] XlsxError),
}

/// A laid out table: two header rows, then one row per product.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    columns: Vec<ColumnKey>,
    cells: Vec<Cell>,
    view: View,
    freshness: Arc<str>,
    /// Notes on group titles, by the group's first column.
    title_notes: Vec<(usize, Arc<str>)>,
    /// Product rows that have no level, because their sizes have rows.
    uncoloured: HashSet<usize>,
}

impl Table {
    /// Lays out what the view shows, with the columns and rows that a first write would have.
    ///
    /// # Errors
    /// [`LayoutError`] where the input contradicts itself or does not know what the view asks for.
    pub fn new(input: &SheetInput, view: &View) -> Result<Self, LayoutError> {
        let by_size = sizes::expand(input, view)?;
        let shown = match &by_size {
            Some(rows) => Shown::chosen(rows, view)?,
            None => Shown::new(input, view)?,
        };
        let columns = shown.initial_columns();
        let split = sizes::split_products(shown.products.iter().map(|product| &*product.key));
        let uncoloured = (shown.products.iter().enumerate())
            .filter(|(_, product)| split.contains(&*product.key))
            .map(|(row, _)| row);
        let mut cells = shown.cells(&columns)?;
        let title_notes = mark_left_out(&shown, &columns, &mut cells);
        Ok(Self {
            uncoloured: uncoloured.collect(),
            cells,
            columns,
            title_notes,
            freshness: input.freshness.note(view.language).into(),
            view: view.clone(),
        })
    }

    /// The columns, left to right.
    #[must_use]
    pub fn columns(&self) -> &[ColumnKey] {
        &self.columns
    }

    /// The rows, top to bottom: group titles (in the first column of each group), field titles, products.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[Cell]> {
        self.cells.chunks(self.columns.len().max(1))
    }

    /// The columns under each group title; in a workbook their title cells are merged.
    #[must_use]
    pub fn groups(&self) -> Vec<Range<usize>> {
        let mut end = 0;
        (self.columns.chunk_by(|a, b| a.group() == b.group()))
            .map(|columns| {
                let start = end;
                end += columns.len();
                start..end
            })
            .collect()
    }

    /// Notes on group titles, by the group's first column: of warehouses that are no part of the totals, and
    /// why. Their titles are marked as well, for files that have no notes.
    #[must_use]
    pub fn title_notes(&self) -> &[(usize, Arc<str>)] {
        &self.title_notes
    }

    /// Notes on field titles, by column.
    #[must_use]
    pub fn notes(&self) -> Vec<(usize, &str)> {
        let place = |field| {
            let key = ColumnKey::Base(field);
            self.columns.iter().position(|column| *column == key)
        };
        let formula = formula_note(self.view.language);
        [
            (BaseField::AvailableTotal, &*self.freshness),
            (BaseField::Turnover, formula),
        ]
        .into_iter()
        .filter_map(|(field, note)| Some((place(field)?, note)))
        .collect()
    }

    /// Product rows' levels by the view's thresholds, without the header rows.
    #[must_use]
    pub fn levels(&self) -> Vec<Level> {
        let place = |field| {
            let key = ColumnKey::Base(field);
            self.columns.iter().position(|column| *column == key)
        };
        let (available, turnover) = (place(BaseField::AvailableTotal), place(BaseField::Turnover));
        let level = |row: &[Cell]| {
            let low_stock = self.view.low_stock?;
            Some(low_stock.level(row.get(available?)?, row.get(turnover?)?))
        };
        (self.rows().skip(HEADER_ROWS).enumerate())
            .map(|(place, row)| level(row).filter(|_| !self.uncoloured.contains(&place)))
            .map(Option::unwrap_or_default)
            .collect()
    }

    /// As UTF-8, quoted and ended by CR LF as RFC 4180 has it. Dates are ISO 8601; separator, decimal sign,
    /// byte order mark (without one Excel takes the file for another encoding) and how texts are kept as
    /// texts are the dialect's.
    ///
    /// # Errors
    /// [`ExportError::Csv`].
    pub fn to_csv(&self, dialect: CsvDialect) -> Result<Vec<u8>, ExportError> {
        csv::write(self, dialect)
    }

    /// As a workbook with one worksheet of this name, with the sheet's merges, frozen rows, widths, heights,
    /// colours, borders and notes, and always with number formats. The same table gives the same bytes. A
    /// text is cut at the 32,767 characters that Excel holds; whole numbers beyond 2^53 are rounded to a
    /// double.
    ///
    /// # Errors
    /// [`ExportError::TooLarge`] or [`ExportError::Workbook`], the latter also for a name that Excel does not
    /// take.
    pub fn to_xlsx(&self, worksheet: &str) -> Result<Vec<u8>, ExportError> {
        xlsx::write(self, worksheet)
    }
}

/// Marks the titles of warehouses that are left out, and tells the notes on them.
fn mark_left_out(shown: &Shown<'_>, columns: &[ColumnKey], cells: &mut [Cell]) -> Vec<(usize, Arc<str>)> {
    let mark = shown.view.language.pick("не учитывается", "not counted");
    let notes = shown.title_notes();
    let mut found = Vec::new();
    for (place, (column, title)) in columns.iter().zip(cells).enumerate() {
        if let ColumnKey::Warehouse(code, _) = column
            && let Some(note) = notes.get(code)
            && *title != Cell::Empty
        {
            *title = Cell::text(&format!("{title} ({mark})"));
            found.push((place, Arc::clone(note)));
        }
    }
    found
}

/// Whether a program may take a text that begins like this for a formula.
fn is_dangerous(text: &str) -> bool {
    const FIRST: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];
    text.starts_with(FIRST)
}
