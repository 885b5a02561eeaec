//! Merged group titles, and the removal of merges that would hide a managed cell.

use super::{Arranged, segments};
use crate::board::runs;
use crate::request::{GridRange, Request};

/// What merging means for the cells.
pub(super) struct Merged {
    /// Positions in the board's columns where a group's title stands.
    pub(super) titles: Vec<usize>,
    /// Merges that were removed: Sheets keeps only the upper left value of a merge, so what was written there
    /// is gone.
    pub(super) suspect: Vec<GridRange>,
    /// Merges to be made.
    pub(super) new: Vec<GridRange>,
}

/// Finds the merges that the title row shall have, and ends those that hide something. A merge that spans a
/// seller's column inside a group stays (Sheets grows it when a column is inserted); a new one never covers a
/// seller's column, because merging destroys what is in it. Google merges no frozen column with one that
/// scrolls and nothing in a Table, so a title that lies across such a border stands on either side of it.
pub(super) fn settle(arranged: &mut Arranged<'_>) -> Merged {
    let board = &arranged.board;
    let row = (arranged.groups.index, arranged.groups.index + 1);
    let mut titles = Vec::new();
    let mut wanted: Vec<GridRange> = Vec::new();
    for segment in segments(board) {
        let columns = board.columns.get(segment.start..segment.end).unwrap_or_default();
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else {
            continue;
        };
        let whole = board.range(row, (first.index, last.index + 1));
        if board.merges.contains(&whole) {
            titles.push(segment.start);
            wanted.push(whole);
            continue;
        }
        let mut position = segment.start;
        let border = board.frozen_columns;
        let parts = runs(columns.iter().map(|column| column.index)).into_iter();
        for (start, end) in parts.flat_map(|part| split_at(part, border)) {
            titles.push(position);
            let title = board.range(row, (start, end));
            if end - start > 1 && !board.tables.iter().any(|table| table.range.intersects(&title)) {
                wanted.push(title);
            }
            position += usize::try_from(end - start).unwrap_or_default();
        }
    }
    let suspect: Vec<GridRange> = board
        .merges
        .iter()
        .filter(|merge| !wanted.contains(merge) && hides(arranged, merge))
        .copied()
        .collect();
    let new: Vec<GridRange> = wanted
        .into_iter()
        .filter(|merge| !board.merges.contains(merge))
        .collect();
    let board = &mut arranged.board;
    board.merges.retain(|merge| !suspect.contains(merge));
    board.requests.extend(
        suspect
            .iter()
            .map(|range| Request::UnmergeCells { range: *range }),
    );
    Merged { titles, suspect, new }
}

/// Makes the merges. They come after the values, of which each keeps the upper left one: the title.
pub(super) fn join(arranged: &mut Arranged<'_>, new: Vec<GridRange>) {
    let board = &mut arranged.board;
    board.merges.extend(&new);
    let merge = |range| Request::MergeCells {
        range,
        merge_type: "MERGE_ALL",
    };
    board.requests.extend(new.into_iter().map(merge));
}

/// A run of columns without the border of the frozen ones inside.
fn split_at((start, end): (u32, u32), border: u32) -> Vec<(u32, u32)> {
    if start < border && border < end {
        vec![(start, border), (border, end)]
    } else {
        vec![(start, end)]
    }
}

/// Whether a merge covers a managed cell.
fn hides(arranged: &Arranged<'_>, merge: &GridRange) -> bool {
    let columns = merge.start_column_index..merge.end_column_index;
    let rows = merge.start_row_index..merge.end_row_index;
    let next_row = arranged.rows.partition_point(|row| row.index < rows.start);
    let row = arranged
        .rows
        .get(next_row)
        .is_some_and(|row| rows.contains(&row.index))
        || rows.contains(&arranged.groups.index)
        || rows.contains(&arranged.fields.index);
    row && arranged
        .board
        .columns
        .iter()
        .any(|column| columns.contains(&column.index))
}
