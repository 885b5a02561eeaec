//! Values and notes: renders the new grid and emits only what differs from the written one, as few rectangles
//! as the changes allow.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::merge::Merged;
use super::{Arranged, grid_rows};
use crate::board::{Board, Placed};
use crate::cell::Cell;
use crate::column::{BaseField, ColumnKey, Group};
use crate::grid::{Grid, HEADER_ROWS};
use crate::input::{LayoutError, is_left_out_note};
use crate::render::Renderer;
use crate::request::{CellBlock, GridCoordinate, GridRange, NoteCell, Request};
use crate::shown::Shown;
use crate::state::Table;
use crate::view::{Language, Look};

/// How turnover is computed.
pub(crate) const fn formula_note(language: Language) -> &'static str {
    language.pick(FORMULA_NOTE, FORMULA_NOTE_ENGLISH)
}

const FORMULA_NOTE_ENGLISH: &str = "Stock × 7 / orders of the last 7 days, one decimal. \
                                    Empty without stock or without orders.";
const FORMULA_NOTE: &str = "Остатки × 7 / заказы за последние 7 дней, один знак после запятой. \
                            Пусто, если остатков или заказов нет.";

/// Writes the changed cells and returns the new grid.
pub(super) fn write(
    arranged: &mut Arranged<'_>,
    old: &Grid,
    shown: &Shown<'_>,
    merged: &Merged,
) -> Result<Grid, LayoutError> {
    let board = &arranged.board;
    let width = board.columns.len();
    let columns: Vec<Arc<str>> = board
        .columns
        .iter()
        .map(|column| Arc::clone(&column.value))
        .collect();
    let mut cells = Vec::with_capacity((arranged.rows.len() + HEADER_ROWS) * width);
    let old_columns = old.column_indices();
    // Rows of sizes cannot be told apart without the sizes: which one holds which numbers is not known.
    let lost_sizes = old_columns.contains_key(&*ColumnKey::Size.to_string())
        && board
            .columns
            .iter()
            .any(|column| column.fresh && column.key == ColumnKey::Size);
    let old_rows = if lost_sizes {
        HashMap::new()
    } else {
        old.row_indices()
    };
    let headers = usize::from(arranged.groups.fresh) + usize::from(arranged.fields.fresh);
    let fresh = headers + arranged.rows.iter().filter(|row| row.fresh).count();
    let mut diff = Diff::new(board, merged, &old_columns, fresh);
    // Only where its titles are ours: a row of a product is written, whatever it is made of.
    let header = [arranged.groups.index, arranged.fields.index];
    diff.kept
        .retain(|titles| header.contains(&titles.start_row_index));

    let names = names(old, shown);
    cells.extend(group_titles(board, &names, shown, merged));
    let header =
        |row: usize| (old.rows.len() + HEADER_ROWS > row && !old.columns.is_empty()).then(|| old.row(row));
    diff.row(arranged.groups.index, arranged.groups.fresh, header(0), &cells);
    cells.extend(
        board
            .columns
            .iter()
            .map(|column| Cell::Text(column.key.title(shown.view.language).into())),
    );
    let titles = cells.get(width..).unwrap_or_default();
    let unique = diff.unique(arranged.fields.index, titles, &names);
    diff.row(arranged.fields.index, arranged.fields.fresh, header(1), &unique);

    let mut renderer = Renderer::new(shown.input, board.columns.iter().map(|column| &column.key));
    for row in &arranged.rows {
        let start = cells.len();
        let old_row = old_rows.get(&*row.key).map(|index| old.row(*index));
        match row.product {
            Some(product) => renderer.product(product, &mut cells)?,
            None => {
                let identity = |column: usize| {
                    let old_column = diff.old_columns.get(column).copied().flatten();
                    old_row
                        .and_then(|cells| cells.get(old_column?))
                        .cloned()
                        .unwrap_or_default()
                };
                renderer.delisted(identity, &mut cells);
            }
        }
        diff.row(
            row.index,
            row.fresh,
            old_row,
            cells.get(start..).unwrap_or_default(),
        );
    }
    let blocks = diff.finish();
    // A seller's own note on a title stays.
    let mut title_notes = shown.title_notes();
    let foreign = old.foreign_title_notes();
    title_notes.extend(foreign.map(|(code, note)| (Arc::clone(code), Arc::clone(note))));
    let unnamed = board.columns.iter().filter(|column| column.metadata_id == 0);
    let unnamed = unnamed.map(|column| Arc::clone(&column.value)).collect();
    arranged
        .board
        .requests
        .extend(blocks.into_iter().map(Request::UpdateCells));
    Ok(Grid {
        columns,
        rows: grid_rows(&arranged.rows),
        cells,
        note: shown.input.freshness.note(shown.view.language).into(),
        title_notes,
        look: shown.view.look(),
        doubted: false,
        owed: None,
        full: false,
        narrow: None,
        unnamed,
    })
}

/// Names of warehouses by code. A vanished one keeps the name that was written, unless another has that name
/// by now; where even that is unknown, the sheet keeps what it shows.
fn names(old: &Grid, shown: &Shown<'_>) -> HashMap<Arc<str>, Cell> {
    let mut names: HashMap<Arc<str>, Cell> = HashMap::new();
    for (value, title) in old.columns.iter().zip(old.row(0)) {
        if let (Some(ColumnKey::Warehouse(key, _)), Cell::Text(_)) = (ColumnKey::parse(value), title) {
            names.entry(key).or_insert_with(|| title.clone());
        }
    }
    let current = shown.names();
    let mut taken: HashSet<String> = current.values().map(plain).collect();
    names.retain(|code, _| !current.contains_key(code));
    // In a fixed order, so that the same sheet gets the same titles.
    let mut vanished: Vec<_> = names.iter_mut().collect();
    vanished.sort_by(|a, b| a.0.cmp(b.0));
    let former = shown.view.language.pick("прежний", "former");
    for (_, name) in vanished {
        let plainly = name.clone();
        for number in 2.. {
            if taken.insert(plain(name)) {
                break;
            }
            *name = if number == 2 {
                Cell::text(&format!("{plainly} ({former})"))
            } else {
                Cell::text(&format!("{plainly} ({former} {})", number - 1))
            };
        }
    }
    names.extend(current);
    names
}

/// A title as it is compared.
fn plain(name: &Cell) -> String {
    name.to_string().trim().to_lowercase()
}

/// Titles above the groups.
fn group_titles(
    board: &Board,
    names: &HashMap<Arc<str>, Cell>,
    shown: &Shown<'_>,
    merged: &Merged,
) -> Vec<Cell> {
    let mut titles = vec![Cell::Empty; board.columns.len()];
    for position in &merged.titles {
        let Some((column, title)) = board.columns.get(*position).zip(titles.get_mut(*position)) else {
            continue;
        };
        *title = shown.group_title(&column.key.group(), names);
    }
    titles
}

/// Compares row by row and collects changed cells into rectangles.
struct Diff<'a> {
    board: &'a Board,
    merged: &'a Merged,
    /// Position of each column in the old grid.
    old_columns: Vec<Option<usize>>,
    /// Rectangles that the next row may extend, left to right.
    open: Vec<CellBlock>,
    open_end: u32,
    done: Vec<CellBlock>,
    /// Rows made by this plan that are still to be compared.
    to_come: usize,
    /// Titles of Tables: Google makes them unique, and writes over what is written there again.
    kept: Vec<GridRange>,
}

impl<'a> Diff<'a> {
    fn new(board: &'a Board, merged: &'a Merged, old: &HashMap<&str, usize>, to_come: usize) -> Self {
        let old_columns = board
            .columns
            .iter()
            .map(|column| old.get(&*column.value).copied())
            .collect();
        Self {
            board,
            merged,
            old_columns,
            open: Vec::new(),
            open_end: 0,
            done: Vec::new(),
            to_come,
            kept: board.tables.iter().map(Table::titles).collect(),
        }
    }

    /// `old` is `None` where nothing is known about the row, so that every cell is written.
    fn row(&mut self, index: u32, fresh: bool, old: Option<&[Cell]>, new: &[Cell]) {
        let suspect: Vec<_> = (self.merged.suspect.iter())
            .filter(|range| (range.start_row_index..range.end_row_index).contains(&index))
            .collect();
        self.to_come = self.to_come.saturating_sub(usize::from(fresh));
        let mut runs: Vec<(usize, usize)> = Vec::new();
        let mut previous = None;
        for (position, (cell, column)) in new.iter().zip(&self.board.columns).enumerate() {
            // Cells made by this plan are written whole, empty ones too: one rectangle instead of thousands
            // of pieces.
            let kept = !column.fresh && self.is_kept(index, column.index);
            let changed = fresh
                || column.fresh
                || !kept && {
                    let known = self.old_columns.get(position).copied().flatten();
                    old.zip(known).and_then(|(row, place)| row.get(place)) != Some(cell)
                        || suspect.iter().any(|range| {
                            (range.start_column_index..range.end_column_index).contains(&column.index)
                        })
                };
            if !changed {
                previous = None;
                continue;
            }
            match runs.last_mut() {
                Some((_, end)) if previous.is_some_and(|before: u32| before + 1 == column.index) => *end += 1,
                _ => runs.push((position, position + 1)),
            }
            previous = Some(column.index);
        }
        let rows = if fresh { self.to_come + 1 } else { 1 };
        self.take(index, &runs, new, rows);
    }

    /// Titles of columns that are made inside a Table, each with its warehouse, since a Table has no two
    /// alike.
    fn unique(&self, row: u32, titles: &[Cell], names: &HashMap<Arc<str>, Cell>) -> Vec<Cell> {
        let title = |(title, column): (&Cell, &Placed)| match &column.key {
            ColumnKey::Warehouse(key, _) if column.fresh && self.is_kept(row, column.index) => {
                let name = names.get(key).map(ToString::to_string).unwrap_or_default();
                Cell::text(&format!("{title} · {name}"))
            }
            _ => title.clone(),
        };
        titles.iter().zip(&self.board.columns).map(title).collect()
    }

    fn is_kept(&self, row: u32, column: u32) -> bool {
        let inside = |range: &GridRange| {
            (range.start_row_index..range.end_row_index).contains(&row)
                && (range.start_column_index..range.end_column_index).contains(&column)
        };
        self.kept.iter().any(inside)
    }

    /// Extends the rectangles that continue in this row and starts new ones.
    fn take(&mut self, row: u32, runs: &[(usize, usize)], new: &[Cell], rows: usize) {
        if runs.is_empty() && self.open.is_empty() {
            return;
        }
        let adjacent = self.open_end == row;
        let mut before = std::mem::take(&mut self.open).into_iter().peekable();
        for (start, end) in runs {
            let Some(column) = self.board.columns.get(*start).map(|column| column.index) else {
                continue;
            };
            let cells = new.get(*start..*end).unwrap_or_default();
            let width = u32::try_from(end - start).unwrap_or(u32::MAX);
            while let Some(block) = before.next_if(|block| block.start.column_index < column) {
                self.done.push(block);
            }
            let same = |block: &CellBlock| block.start.column_index == column && block.width == width;
            match before.next_if(|block| adjacent && same(block)) {
                Some(mut block) => {
                    block.cells.extend_from_slice(cells);
                    self.open.push(block);
                }
                None => {
                    // A block of a first write takes all rows; growing by doubling would hold it twice.
                    let mut first = Vec::with_capacity(cells.len() * rows);
                    first.extend_from_slice(cells);
                    self.open.push(CellBlock {
                        start: GridCoordinate {
                            sheet_id: self.board.sheet_id,
                            row_index: row,
                            column_index: column,
                        },
                        width,
                        cells: first,
                    });
                }
            }
        }
        self.done.extend(before);
        self.open_end = row + 1;
    }

    fn finish(mut self) -> Vec<CellBlock> {
        self.done.append(&mut self.open);
        self.done
    }
}

/// Notes on header cells: how fresh the numbers are, and how turnover is computed.
/// `old` is the freshness note that is there, and the look as far as it is known.
pub(super) fn notes(arranged: &mut Arranged<'_>, old: (&str, Option<Look>), new: &Grid) {
    let board = &mut arranged.board;
    let row = arranged.fields;
    let notes = [
        (BaseField::AvailableTotal, &*new.note, old.0 != &*new.note),
        (
            BaseField::Turnover,
            formula_note(new.look.language),
            (old.1).is_none_or(|look| look.language != new.look.language),
        ),
    ];
    for (field, note, changed) in notes {
        let Some(column) = board
            .columns
            .iter()
            .find(|column| column.key == ColumnKey::Base(field))
        else {
            continue;
        };
        if changed || column.bare || row.bare || board.adopted {
            let start = GridCoordinate {
                sheet_id: board.sheet_id,
                row_index: row.index,
                column_index: column.index,
            };
            board.requests.push(Request::UpdateNote(NoteCell {
                start,
                note: note.to_owned(),
            }));
        }
    }
}

/// Notes on the titles of warehouses that are left out of totals, each on the first cell of its group. `old`
/// are those that are there.
pub(super) fn title_notes(
    arranged: &mut Arranged<'_>,
    titles: &[usize],
    old: &BTreeMap<Arc<str>, Arc<str>>,
    new: &Grid,
) {
    let row = arranged.groups;
    let board = &mut arranged.board;
    let mut seen: HashSet<Arc<str>> = HashSet::new();
    let mut requests = Vec::new();
    for column in titles.iter().filter_map(|position| board.columns.get(*position)) {
        let Group::Warehouse(code) = column.key.group() else {
            continue;
        };
        if !seen.insert(Arc::clone(&code)) {
            continue;
        }
        let (had, wanted) = (old.get(&code), new.title_notes.get(&code));
        let again =
            wanted.is_some_and(|note| is_left_out_note(note)) && (column.bare || row.bare || board.adopted);
        if had != wanted || again {
            let start = GridCoordinate {
                sheet_id: board.sheet_id,
                row_index: row.index,
                column_index: column.index,
            };
            requests.push(Request::UpdateNote(NoteCell {
                start,
                note: wanted.map(ToString::to_string).unwrap_or_default(),
            }));
        }
    }
    board.requests.extend(requests);
}
