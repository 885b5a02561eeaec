//! What Tables refuse is not asked of them: the types of their columns fix how numbers look. Google answers
//! "This operation is not allowed on cells in typed columns." and does nothing of the batch.

use crate::board::Board;
use crate::request::{GridRange, Request};

/// A whole format.
const WHOLE: &str = "userEnteredFormat";
/// The same but for the format of numbers.
const WITHOUT_NUMBERS: &str = "userEnteredFormat(backgroundColorStyle,horizontalAlignment,verticalAlignment,\
                               wrapStrategy,textFormat)";
const NUMBERS: &str = "userEnteredFormat.numberFormat";

/// Takes number formats out of the decorations, which begin at `from`, where a Table has its own.
pub(super) fn spare(board: &mut Board, from: usize) {
    if board.tables.iter().all(|table| table.typed.is_empty()) {
        return;
    }
    let decorations = board.requests.split_off(from);
    for request in decorations {
        match request {
            Request::RepeatCell { range, cell, fields } if [WHOLE, NUMBERS].contains(&fields) => {
                for (columns, typed) in parts(board, &range) {
                    let fields = match (typed, fields) {
                        (false, fields) => fields,
                        (true, WHOLE) => WITHOUT_NUMBERS,
                        (true, _) => continue,
                    };
                    let mut cell = cell.clone();
                    if typed {
                        cell.user_entered_format.number_format = None;
                    }
                    let range = GridRange {
                        start_column_index: columns.0,
                        end_column_index: columns.1,
                        ..range
                    };
                    board.requests.push(Request::RepeatCell { range, cell, fields });
                }
            }
            other => board.requests.push(other),
        }
    }
}

/// The columns of a range in runs, with whether a Table types them in one of its rows.
fn parts(board: &Board, range: &GridRange) -> Vec<((u32, u32), bool)> {
    let typed = |column: u32| {
        let tables = board.tables.iter().filter(|table| table.range.intersects(range));
        tables.into_iter().any(|table| table.typed.contains(&column))
    };
    let mut parts: Vec<((u32, u32), bool)> = Vec::new();
    for column in range.start_column_index..range.end_column_index {
        match parts.last_mut() {
            Some(((_, end), known)) if *known == typed(column) => *end = column + 1,
            _ => parts.push(((column, column + 1), typed(column))),
        }
    }
    parts
}
