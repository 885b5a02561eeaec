//! Spreadsheets as data. Rows are shared until written, so that a batch can work on a copy and be thrown
//! away.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::errors::ApiError;

/// Cells of all sheets of one spreadsheet together.
pub(crate) const MAX_CELLS: usize = 10_000_000;
/// Characters of one cell.
pub(crate) const MAX_CHARACTERS: usize = 50_000;
/// Pixels of a column and of a row that nobody sized.
pub(crate) const DEFAULT_WIDTH: u32 = 100;
/// See [`DEFAULT_WIDTH`].
pub(crate) const DEFAULT_HEIGHT: u32 = 21;

/// What a user put into a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    Bool(bool),
    Number(f64),
    Text(String),
    Formula { formula: String },
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Content>,
    /// Place in the spreadsheet's table of formats; 0 is no format.
    #[serde(rename = "f", default, skip_serializing_if = "is_zero")]
    pub(crate) format: u32,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Cell {
    pub(crate) fn is_blank(&self) -> bool {
        self.content.is_none() && self.format == 0 && self.note.is_none()
    }
}

/// Half-open, zero-based, inside the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rect {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) bottom: usize,
    pub(crate) right: usize,
}

impl Rect {
    pub(crate) const fn intersects(&self, other: &Self) -> bool {
        self.top < other.bottom
            && other.top < self.bottom
            && self.left < other.right
            && other.left < self.right
    }

    pub(crate) const fn contains(&self, other: &Self) -> bool {
        self.top <= other.top
            && other.bottom <= self.bottom
            && self.left <= other.left
            && other.right <= self.right
    }

    pub(crate) const fn cells(&self) -> usize {
        (self.bottom - self.top) * (self.right - self.left)
    }
}

/// Size and visibility of one row or column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dimension {
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(crate) pixels: Option<u32>,
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hidden: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sheet {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) hidden: bool,
    pub(crate) tab_colour: Option<Value>,
    pub(crate) row_count: usize,
    pub(crate) column_count: usize,
    pub(crate) frozen_rows: usize,
    pub(crate) frozen_columns: usize,
    pub(crate) hide_gridlines: bool,
    /// At most `row_count` rows of at most `column_count` cells; what is missing is blank.
    pub(crate) rows: Vec<Arc<Vec<Cell>>>,
    pub(crate) merges: Vec<Rect>,
    pub(crate) row_sizes: Vec<Dimension>,
    pub(crate) column_sizes: Vec<Dimension>,
    pub(crate) conditional: Vec<Value>,
    pub(crate) protected: Vec<Value>,
    pub(crate) filter: Option<Value>,
    #[serde(default)]
    pub(crate) filter_views: Vec<Value>,
    #[serde(default)]
    pub(crate) tables: Vec<Value>,
    #[serde(default)]
    pub(crate) banding: Vec<Value>,
    #[serde(default)]
    pub(crate) slicers: Vec<Value>,
}

impl Sheet {
    pub(crate) fn new(id: i64, title: &str, row_count: usize, column_count: usize) -> Self {
        Self {
            id,
            title: title.to_owned(),
            hidden: false,
            tab_colour: None,
            row_count,
            column_count,
            frozen_rows: 0,
            frozen_columns: 0,
            hide_gridlines: false,
            rows: Vec::new(),
            merges: Vec::new(),
            row_sizes: vec![Dimension::default(); row_count],
            column_sizes: vec![Dimension::default(); column_count],
            conditional: Vec::new(),
            protected: Vec::new(),
            filter: None,
            filter_views: Vec::new(),
            tables: Vec::new(),
            banding: Vec::new(),
            slicers: Vec::new(),
        }
    }

    pub(crate) fn cell(&self, row: usize, column: usize) -> Option<&Cell> {
        self.rows.get(row).and_then(|row| row.get(column))
    }

    /// The cell for writing; the caller has checked the grid.
    pub(crate) fn cell_mut(&mut self, row: usize, column: usize) -> &mut Cell {
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Arc::default);
        }
        let cells = Arc::make_mut(&mut self.rows[row]);
        if cells.len() <= column {
            cells.resize_with(column + 1, Cell::default);
        }
        &mut cells[column]
    }

    /// Number of rows up to the last one with content.
    pub(crate) fn used_rows(&self) -> usize {
        self.rows
            .iter()
            .rposition(|row| row.iter().any(|cell| cell.content.is_some()))
            .map_or(0, |last| last + 1)
    }

    /// Number of columns up to the last one with content.
    pub(crate) fn used_columns(&self) -> usize {
        self.rows
            .iter()
            .filter_map(|row| row.iter().rposition(|cell| cell.content.is_some()))
            .max()
            .map_or(0, |last| last + 1)
    }

    /// Gives the grid another size; what lies outside is lost.
    pub(crate) fn resize(&mut self, row_count: usize, column_count: usize) {
        self.rows.truncate(row_count);
        if column_count < self.column_count {
            for row in self.rows.iter_mut().filter(|row| row.len() > column_count) {
                Arc::make_mut(row).truncate(column_count);
            }
        }
        self.row_sizes.resize(row_count, Dimension::default());
        self.column_sizes.resize(column_count, Dimension::default());
        self.merges
            .retain(|merge| merge.bottom <= row_count && merge.right <= column_count);
        self.row_count = row_count;
        self.column_count = column_count;
    }
}

/// Where metadata hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    Spreadsheet,
    Sheet(i64),
    Row(i64, usize),
    Column(i64, usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) visibility: String,
    pub(crate) place: Place,
}

/// Formats of a spreadsheet, each kept once.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Value>", into = "Vec<Value>")]
pub(crate) struct Formats {
    list: Vec<Arc<Value>>,
    known: HashMap<String, u32>,
}

impl From<Vec<Value>> for Formats {
    fn from(list: Vec<Value>) -> Self {
        let mut formats = Self::default();
        for format in list {
            formats.add(format);
        }
        formats
    }
}

impl From<Formats> for Vec<Value> {
    fn from(formats: Formats) -> Self {
        formats.list.iter().map(|format| Value::clone(format)).collect()
    }
}

impl Formats {
    pub(crate) fn get(&self, id: u32) -> Option<&Value> {
        usize::try_from(id)
            .ok()?
            .checked_sub(1)
            .and_then(|at| self.list.get(at))
            .map(AsRef::as_ref)
    }

    /// The number of a format; an empty one is 0.
    pub(crate) fn add(&mut self, format: Value) -> u32 {
        if format.as_object().is_none_or(serde_json::Map::is_empty) {
            return 0;
        }
        let text = format.to_string();
        if let Some(&id) = self.known.get(&text) {
            return id;
        }
        self.list.push(Arc::new(format));
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.known.insert(text, id);
        id
    }
}

/// What somebody may do with a spreadsheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees it.
    Reader,
    /// Sees it and comments.
    Commenter,
    /// Changes it (what the interface calls Editor).
    Writer,
    /// Owns it.
    Owner,
}

/// What Google does in places that no one has measured or documented: each can be set, so that a client is
/// tried with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habits {
    /// `duplicateSheet` gives the copy the developer metadata of the original, under fresh ids. Documented
    /// nowhere.
    pub duplicates_carry_metadata: bool,
    /// A copy of a whole file keeps its developer metadata (TylerMoser/BudgetApp#39 says it does).
    pub file_copies_carry_metadata: bool,
    /// A title that a Table has already is changed to one that it has not, as the interface does. Otherwise
    /// the request is refused. What the API does is documented nowhere.
    pub tables_rename_titles: bool,
    /// `sortRange` takes a row's metadata along, as one project has seen (contracts C.4).
    pub sorts_carry_metadata: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            duplicates_carry_metadata: false,
            file_copies_carry_metadata: true,
            tables_rename_titles: false,
            sorts_carry_metadata: true,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spreadsheet {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) locale: String,
    pub(crate) time_zone: String,
    pub(crate) sheets: Vec<Sheet>,
    pub(crate) formats: Formats,
    pub(crate) metadata: Vec<Metadata>,
    /// Role per e-mail; the e-mail `anyone` is a link.
    pub(crate) permissions: BTreeMap<String, Role>,
    pub(crate) deleted: bool,
    /// It lies in the bin: every call works as before, only Drive tells.
    #[serde(default)]
    pub(crate) trashed: bool,
    #[serde(default)]
    pub(crate) habits: Habits,
    /// The shared drive it lies in; its members may write it.
    #[serde(default)]
    pub(crate) drive: Option<String>,
    /// What a program wrote down about the file.
    #[serde(default)]
    pub(crate) app_properties: BTreeMap<String, String>,
    /// Source of ids that a request leaves open.
    pub(crate) next_id: i64,
    /// Counts changes, for the page's refresh.
    pub(crate) version: u64,
}

impl Spreadsheet {
    pub(crate) fn new(id: &str, title: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            locale: "ru_RU".to_owned(),
            time_zone: "Europe/Moscow".to_owned(),
            sheets: vec![Sheet::new(0, "Лист1", 1000, 26)],
            formats: Formats::default(),
            metadata: Vec::new(),
            permissions: BTreeMap::new(),
            deleted: false,
            trashed: false,
            habits: Habits::default(),
            drive: None,
            app_properties: BTreeMap::new(),
            next_id: 1_000_000_001,
            version: 1,
        }
    }

    pub(crate) fn fresh_id(&mut self) -> i64 {
        // Strides keep made-up ids visibly random without ever meeting each other.
        self.next_id = (self.next_id + 7_919 * 31) % i64::from(i32::MAX);
        self.next_id
    }

    pub(crate) fn position(&self, sheet_id: i64) -> Result<usize, ApiError> {
        self.sheets
            .iter()
            .position(|sheet| sheet.id == sheet_id)
            .ok_or_else(|| ApiError::invalid(format!("No grid with id: {sheet_id}")))
    }

    pub(crate) fn cells(&self) -> usize {
        self.sheets
            .iter()
            .map(|sheet| sheet.row_count * sheet.column_count)
            .sum()
    }

    /// Refuses a spreadsheet that has grown too large.
    pub(crate) fn check_size(&self) -> Result<(), ApiError> {
        if self.cells() > MAX_CELLS {
            return Err(ApiError::too_many_cells());
        }
        let widest = self
            .sheets
            .iter()
            .map(|sheet| sheet.column_count)
            .max()
            .unwrap_or(0);
        if widest > super::a1::MAX_COLUMNS {
            return Err(ApiError::invalid(format!(
                "This action would increase the number of columns above the limit of {} columns.",
                super::a1::MAX_COLUMNS
            )));
        }
        Ok(())
    }

    /// The caller's role, by name or by link.
    pub(crate) fn role(&self, email: &str) -> Option<Role> {
        self.permissions
            .get(email)
            .max(self.permissions.get("anyone"))
            .copied()
    }
}
