//! Values and notes: renders the new grid and emits only what differs from the written one, as few rectangles
//! as the changes allow.

use std::collections::HashMap;
use std::sync::Arc;

use super::merge::Merged;
use super::{Arranged, grid_rows};
use crate::board::Board;
use crate::cell::Cell;
use crate::column::{BaseField, ColumnKey};
use crate::grid::{Grid, HEADER_ROWS};
use crate::input::LayoutError;
use crate::render::Renderer;
use crate::request::{CellBlock, GridCoordinate, NoteCell, Request};
use crate::shown::Shown;
use crate::view::Language;

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

    cells.extend(group_titles(board, old, shown, merged));
    let header =
        |row: usize| (old.rows.len() + HEADER_ROWS > row && !old.columns.is_empty()).then(|| old.row(row));
    diff.row(arranged.groups.index, arranged.groups.fresh, header(0), &cells);
    cells.extend(
        board
            .columns
            .iter()
            .map(|column| Cell::Text(column.key.title(shown.view.language).into())),
    );
    diff.row(
        arranged.fields.index,
        arranged.fields.fresh,
        header(1),
        cells.get(width..).unwrap_or_default(),
    );

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
    arranged
        .board
        .requests
        .extend(blocks.into_iter().map(Request::UpdateCells));
    Ok(Grid {
        columns,
        rows: grid_rows(&arranged.rows),
        cells,
        note: shown.input.freshness.note(shown.view.language).into(),
        look: shown.view.look(),
        doubted: false,
    })
}

/// Titles above the groups. A vanished warehouse keeps the name that was written; where even that is unknown,
/// the sheet keeps what it shows.
fn group_titles(board: &Board, old: &Grid, shown: &Shown<'_>, merged: &Merged) -> Vec<Cell> {
    let mut names: HashMap<Arc<str>, Cell> = HashMap::new();
    for (value, title) in old.columns.iter().zip(old.row(0)) {
        if let (Some(ColumnKey::Warehouse(key, _)), Cell::Text(_)) = (ColumnKey::parse(value), title) {
            names.entry(key).or_insert_with(|| title.clone());
        }
    }
    names.extend(shown.names());
    let mut titles = vec![Cell::Empty; board.columns.len()];
    for position in &merged.titles {
        let Some((column, title)) = board.columns.get(*position).zip(titles.get_mut(*position)) else {
            continue;
        };
        *title = shown.group_title(&column.key.group(), &names);
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
            let changed = fresh || column.fresh || {
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
pub(super) fn notes(arranged: &mut Arranged<'_>, old: &Grid, new: &Grid) {
    let board = &mut arranged.board;
    let row = arranged.fields;
    let notes = [
        (BaseField::AvailableTotal, &*new.note, old.note != new.note),
        (
            BaseField::Turnover,
            formula_note(new.look.language),
            old.known_look()
                .is_none_or(|look| look.language != new.look.language),
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
        if changed || column.fresh || row.fresh || board.adopted {
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
