//! What was written last, in the layout's own coordinates (product, column), so that a seller who moves,
//! sorts or inserts does not invalidate it.

mod codec;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use codec::GridDecodeError;

use crate::cell::Cell;
use crate::column::ColumnKey;
use crate::input::is_left_out_note;
use crate::owed::Owed;
use crate::view::Look;

/// A product's row in the grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridRow {
    /// The product's key.
    pub key: Arc<str>,
    /// Whether the product was listed when the row was written; a delisted one is struck through.
    pub listed: bool,
}

/// Managed cells: two header rows, then one row per product, times the managed columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grid {
    pub(crate) columns: Vec<Arc<str>>,
    pub(crate) rows: Vec<GridRow>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) note: Arc<str>,
    /// Notes on the titles of warehouses, by code: ours, and a seller's own where one was seen.
    pub(crate) title_notes: BTreeMap<Arc<str>, Arc<str>>,
    pub(crate) look: Look,
    /// It is not known how the sheet looks; never stored.
    pub(crate) doubted: bool,
    /// What is not there yet of how it should look.
    pub(crate) owed: Option<Owed>,
    /// Columns that have no name in the sheet because there was no room for it.
    pub(crate) unnamed: BTreeSet<Arc<str>>,
    /// Google had no room for their names.
    pub(crate) full: bool,
    /// Fingerprint of the sheet that refused new columns.
    pub(crate) narrow: Option<u64>,
}

/// Header rows of every grid: group titles, field titles.
pub(crate) const HEADER_ROWS: usize = 2;

impl Grid {
    /// A grid of empty cells. `columns` are metadata values.
    #[must_use]
    pub fn new(columns: Vec<Arc<str>>, rows: Vec<GridRow>) -> Self {
        let cells = vec![Cell::Empty; (rows.len() + HEADER_ROWS) * columns.len()];
        Self {
            columns,
            rows,
            cells,
            note: "".into(),
            title_notes: BTreeMap::new(),
            look: Look::default(),
            doubted: false,
            owed: None,
            unnamed: BTreeSet::new(),
            full: false,
            narrow: None,
        }
    }

    /// Takes over what is not read back with the cells, its language, colours and notes on titles and what
    /// the sheet refused, from what was written before. Without it the default look is assumed.
    #[must_use]
    pub fn looking_like(mut self, before: &Self) -> Self {
        self.look = before.look;
        self.title_notes.clone_from(&before.title_notes);
        self.owed.clone_from(&before.owed);
        (self.full, self.narrow) = (before.full, before.narrow);
        self
    }

    /// Says that a batch may have been done of which nothing was recorded: values were read back, and what
    /// cannot be is given anew. Columns and rows that are not in `before`, what was recorded last, were made
    /// by that batch and may be without their look.
    #[must_use]
    pub fn of_unknown_look(mut self, before: Option<&Self>) -> Self {
        self.doubted = true;
        self.owed = before.map(|before| Owed::after_a_cut(before, &self));
        (self.full, self.narrow) = before.map_or((false, None), |before| (before.full, before.narrow));
        // Notes that may be there or not: with another text they are written again, or taken away.
        let ours = before.into_iter().flat_map(|before| &before.title_notes);
        let ours = ours.filter(|(_, note)| is_left_out_note(note));
        self.title_notes = ours
            .map(|(code, note)| (Arc::clone(code), format!("{note}?").into()))
            .collect();
        self
    }

    /// Columns that are found by their titles, because there was no room for their names: each with the title
    /// of its group and its own.
    pub fn unnamed(&self) -> impl Iterator<Item = (&Arc<str>, &Cell, &Cell)> {
        let group = |column: &ColumnKey| {
            let same = |name: &&Arc<str>| {
                ColumnKey::parse(name).is_some_and(|other| other.group() == column.group())
            };
            let mut titles = self.columns.iter().zip(self.row(0));
            titles.find_map(|(name, title)| (same(&name) && *title != Cell::Empty).then_some(title))
        };
        let columns = self.columns.iter().zip(self.row(1));
        let unnamed = columns.filter(|(name, _)| self.unnamed.contains(*name));
        unnamed.filter_map(move |(name, title)| Some((name, group(&ColumnKey::parse(name)?)?, title)))
    }

    /// Whether a column has no name in the sheet.
    #[must_use]
    pub fn is_unnamed(&self, column: &str) -> bool {
        self.unnamed.contains(column)
    }

    /// Whether new columns were refused and are not there.
    #[must_use]
    pub const fn lacks_columns(&self) -> bool {
        self.narrow.is_some()
    }

    /// Whether a part of the look was refused and is not there.
    #[must_use]
    pub fn lacks_look(&self) -> bool {
        self.owed.as_ref().is_some_and(|owed| owed.structure.is_some())
    }

    pub(crate) fn known_look(&self) -> Option<Look> {
        (!self.doubted && !self.columns.is_empty()).then_some(self.look)
    }

    /// Takes over the freshness note that was read back with the cells. Without it the note is written again.
    #[must_use]
    pub fn noted(mut self, note: &str) -> Self {
        self.note = note.into();
        self
    }

    /// Takes over the notes on titles that were read back, by the column under the title.
    #[must_use]
    pub fn with_title_notes<'a>(mut self, notes: impl IntoIterator<Item = (&'a ColumnKey, &'a str)>) -> Self {
        self.title_notes.clear();
        for (column, note) in notes {
            if let ColumnKey::Warehouse(code, _) = column {
                self.title_notes
                    .entry(Arc::clone(code))
                    .or_insert_with(|| note.into());
            }
        }
        self
    }

    /// Notes on titles that a seller wrote.
    pub(crate) fn foreign_title_notes(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        let notes = self.title_notes.iter();
        notes.filter(|(_, note)| !is_left_out_note(note))
    }

    /// Metadata values of the columns, left to right.
    #[must_use]
    pub fn columns(&self) -> &[Arc<str>] {
        &self.columns
    }

    /// Product rows, top to bottom, without the two header rows.
    #[must_use]
    pub fn rows(&self) -> &[GridRow] {
        &self.rows
    }

    /// The freshness note that was written; empty if none.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// All cells of a row; rows 0 and 1 are the headers, products follow. Empty beyond the end.
    #[must_use]
    pub fn row(&self, row: usize) -> &[Cell] {
        let width = self.columns.len();
        self.cells.get(row * width..(row + 1) * width).unwrap_or_default()
    }

    /// The cell at a grid row (headers count) and grid column.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> Option<&Cell> {
        if column < self.columns.len() {
            self.cells.get(row * self.columns.len() + column)
        } else {
            None
        }
    }

    /// Corrects a cell by what was read back from the sheet, so that the next plan heals it. Returns false
    /// outside.
    pub fn set(&mut self, row: usize, column: usize, cell: Cell) -> bool {
        let width = self.columns.len();
        match self.cells.get_mut(row * width + column) {
            Some(place) if column < width => {
                *place = cell;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn column_indices(&self) -> HashMap<&str, usize> {
        self.columns
            .iter()
            .enumerate()
            .map(|(index, value)| (&**value, index))
            .collect()
    }

    /// Grid rows (headers counted) by product key.
    pub(crate) fn row_indices(&self) -> HashMap<&str, usize> {
        self.rows
            .iter()
            .enumerate()
            .map(|(index, row)| (&*row.key, index + HEADER_ROWS))
            .collect()
    }
}
