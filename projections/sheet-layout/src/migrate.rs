//! Takes up worksheets that an earlier Stock Tracker wrote: what is there is recognised by its titles, keeps
//! its cells, and gets the names by which it is found from then on. The rest is the usual plan, so a moved
//! sheet is one that this layout would have made itself, in one batch.
//!
//! # What is recognised
//!
//! * [`Layout::Vertical`]: one header row, warehouses as several lines in the cells of the last four columns.
//! * [`Layout::Horizontal`]: two header rows and three columns per warehouse, with five columns of totals or
//!   with six. The sixth is [`OUTDATED_TOTAL`].
//! * [`Layout::Current`]: has names already; there is nothing to do, which is what makes a repetition
//!   harmless.
//!
//! # What is left alone
//!
//! Everything that is not one of those columns in a row of a product: columns, rows, formulas and notes are
//! the seller's and move only as far as rows and columns are inserted before them. A column that has no
//! successor is removed only if nothing in it is the seller's and no formula, named range or chart of the
//! spreadsheet reads it; otherwise it stays as it is and the report says so. Where neither
//! article column can be found, nothing is touched at all.
//!
//! Numbers are not moved: they come from the input, like those of every plan.

mod readers;
mod recognise;
mod report;
mod take_over;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use recognise::recognise;
pub use report::{Entry, Fate, Report};

use crate::input::{LayoutError, SheetInput};
use crate::plan::{Options, Plan};
use crate::request::GridRange;
use crate::state::{IdentityCells, ManagedColumn, ManagedRow, Table};

/// Title of the column of totals that the layout had for ten days and then gave up.
pub const OUTDATED_TOTAL: &str = "Всего заказов на складах WB";
/// Rows in which a header is looked for: people put a few of their own above.
pub const HEADER_WITHIN: usize = 20;

/// A cell as it was read, formulas as formulas.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum FoundCell {
    /// Nothing.
    #[default]
    Empty,
    /// A number, a day too.
    Number(f64),
    /// A text.
    Text(Arc<str>),
    /// True or false.
    Bool(bool),
    /// A formula, with its `=`.
    Formula(Arc<str>),
}

impl FoundCell {
    fn is_empty(&self) -> bool {
        *self == Self::Empty
    }
}

/// A formula in another worksheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Title of that worksheet.
    pub worksheet: Arc<str>,
    /// With its `=`.
    pub formula: Arc<str>,
}

/// A worksheet with everything that decides about it. Indices are zero-based and absolute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Worksheet {
    /// The worksheet's id.
    pub sheet_id: i32,
    /// Its title, by which other worksheets refer to it.
    pub title: Arc<str>,
    /// Rows of its grid.
    pub row_count: u32,
    /// Columns of its grid.
    pub column_count: u32,
    /// Rows that do not scroll.
    pub frozen_rows: u32,
    /// Columns that do not scroll.
    pub frozen_columns: u32,
    /// Tables that people made of parts of it.
    pub tables: Vec<Table>,
    /// All merges.
    pub merges: Vec<GridRange>,
    /// Columns that carry our names, if any.
    pub columns: Vec<ManagedColumn>,
    /// Rows that carry our names, if any.
    pub header_rows: Vec<ManagedRow>,
    /// Cells row by row from the first; what is missing at the end is empty.
    pub cells: Vec<Vec<FoundCell>>,
    /// Row and column of every cell with a note.
    pub notes: BTreeSet<(u32, u32)>,
    /// Formulas in other worksheets that may read from it.
    pub elsewhere: Vec<Elsewhere>,
    /// Cells of it that named ranges and charts read, wherever those are.
    pub objects: Vec<GridRange>,
}

impl Worksheet {
    fn cell(&self, row: u32, column: u32) -> &FoundCell {
        static NOTHING: FoundCell = FoundCell::Empty;
        let place = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
        (self.cells.get(place(row)))
            .and_then(|cells| cells.get(place(column)))
            .unwrap_or(&NOTHING)
    }

    fn text(&self, row: u32, column: u32) -> Option<&Arc<str>> {
        match self.cell(row, column) {
            FoundCell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Every cell that holds something, row by row.
    fn filled(&self) -> impl Iterator<Item = (u32, u32, &FoundCell)> {
        self.cells.iter().zip(0..).flat_map(|(cells, row)| {
            let cells = cells.iter().zip(0..);
            cells
                .filter(|(cell, _)| !cell.is_empty())
                .map(move |(cell, column)| (row, column, cell))
        })
    }
}

/// Which layout a worksheet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Nothing in it.
    Empty,
    /// This one.
    Current,
    /// One header row, warehouses in lines of cells.
    Vertical,
    /// Two header rows and columns per warehouse, without names.
    Horizontal {
        /// With the column [`OUTDATED_TOTAL`].
        six_totals: bool,
    },
    /// Something else.
    Unknown,
}

impl Layout {
    /// Whether [`migrate`] changes a worksheet of this layout.
    #[must_use]
    pub const fn is_old(self) -> bool {
        matches!(self, Self::Vertical | Self::Horizontal { .. })
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Current => "the current layout",
            Self::Vertical => "the layout with one header row and warehouses in the lines of cells",
            Self::Horizontal { six_totals: true } => "the layout with six columns of totals",
            Self::Horizontal { six_totals: false } => "the current layout without its names",
            Self::Unknown => "no layout of ours",
        })
    }
}

/// What to do with a worksheet.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// What was found, and what becomes of it.
    pub report: Report,
    /// The batch and the sheet after it; none where there is nothing to do.
    pub plan: Option<Plan>,
}

/// Plans the batch that turns an old layout into the current one and shows `input`. `identities` are those of
/// all products that may have a row, as for [`crate::locate_rows`].
///
/// # Errors
/// [`LayoutError`] where the input contradicts itself or the result does not fit into a spreadsheet.
pub fn migrate(
    found: &Worksheet,
    identities: &[IdentityCells<Arc<str>>],
    input: &SheetInput,
    options: &Options,
) -> Result<Migration, LayoutError> {
    let layout = recognise(found);
    if !layout.is_old() {
        let mut report = Report::of(layout);
        if layout == Layout::Current {
            report.left_behind(found);
        }
        return Ok(Migration { report, plan: None });
    }
    take_over::take_over(found, layout, identities, input, options)
}

/// Letters of a zero-based column: 0 is `A`, 26 is `AA`.
fn letters(column: u32) -> String {
    let mut rest = u64::from(column) + 1;
    let mut text = Vec::new();
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or_default();
        text.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    text.iter().rev().collect()
}
