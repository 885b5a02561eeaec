//! What a view adds to the look and what changes with it: number formats and the colours of low stock. Only
//! differences to what was written are sent, since everything else may have been restyled by the seller.

use std::collections::HashMap;

use super::Arranged;
use super::style::{repeat, spans};
use crate::board::runs;
use crate::column::{BaseField, ColumnKey};
use crate::grid::{Grid, HEADER_ROWS};
use crate::owed::Owed;
use crate::request::{CellFormat, NumberFormat};
use crate::sizes;
use crate::view::{Level, Look, View};

/// Sets the number formats of columns that stood before the view changed; new ones have theirs.
pub(super) fn number_formats(arranged: &mut Arranged<'_>, old: Option<Look>, view: &View) {
    let unformatted = arranged.unformatted();
    let board = &arranged.board;
    let header = arranged.groups.index.max(arranged.fields.index);
    let Some(last) = arranged
        .rows
        .last()
        .map(|row| row.index)
        .filter(|row| *row > header)
    else {
        return;
    };
    let changed: Vec<Option<Option<NumberFormat>>> = (board.columns.iter().zip(unformatted))
        .map(|(column, unformatted)| {
            let before = old.map(|old| column.key.number_format(old.language, old.number_formats));
            let now = column.key.number_format(view.language, view.number_formats);
            (!unformatted && before != Some(now)).then_some(now)
        })
        .collect();
    let mut formats: Vec<Option<NumberFormat>> = Vec::new();
    for format in changed.iter().flatten() {
        if !formats.contains(format) {
            formats.push(*format);
        }
    }
    let mut requests = Vec::new();
    for number_format in formats {
        let concerned = |position: usize| changed.get(position) == Some(&Some(number_format));
        for columns in spans(board, concerned) {
            let format = CellFormat {
                number_format,
                ..CellFormat::default()
            };
            let range = board.range((header + 1, last + 1), columns);
            requests.push(repeat(range, format, "userEnteredFormat.numberFormat"));
        }
    }
    arranged.board.requests.append(&mut requests);
}

/// Columns whose cells have the colour of a product's level. Warehouses have none: most products are out of
/// stock in most of them.
const COLOURED: [ColumnKey; 2] = [
    ColumnKey::Base(BaseField::AvailableTotal),
    ColumnKey::Base(BaseField::Turnover),
];

/// Colours the totals whose level is another one than in the sheet, as it was written or as it was left.
pub(super) fn levels(arranged: &mut Arranged<'_>, old: &Grid, new: &Grid, owed: Option<&Owed>) {
    let look = owed.map_or_else(|| old.known_look(), |owed| owed.look);
    let unknown = look.is_none();
    let coloured = |look: Look| look.low_stock.is_some();
    let worn = owed.is_some_and(|owed| !owed.worn.is_empty());
    if !unknown && !worn && !look.is_some_and(coloured) && !coloured(old.look) && !coloured(new.look) {
        return;
    }
    let mut before: HashMap<&str, Option<Level>> =
        levels_of(old).map(|(key, level)| (key, Some(level))).collect();
    before.extend(
        owed.into_iter()
            .flat_map(|owed| &owed.worn)
            .map(|(key, worn)| (&**key, worn.level)),
    );
    let unformatted = arranged.unformatted();
    let after: Vec<(u32, bool, Option<Level>, Level)> = (arranged.rows.iter().zip(levels_of(new)))
        .map(|(row, (key, level))| {
            let before = before.get(key).copied().flatten().filter(|_| !unknown);
            (row.index, row.bare, before, level)
        })
        .collect();
    let board = &arranged.board;
    let mut requests = Vec::new();
    for unformatted_now in [true, false] {
        let concerned = |position: usize| {
            unformatted.get(position) == Some(&unformatted_now)
                && (board.columns.get(position)).is_some_and(|column| COLOURED.contains(&column.key))
        };
        let columns = spans(board, concerned);
        for level in [Level::Enough, Level::Low, Level::Out] {
            let rows = after.iter().filter(|(_, bare, before, now)| {
                let shown = if *bare || unformatted_now {
                    Some(Level::Enough)
                } else {
                    *before
                };
                *now == level && shown != Some(level)
            });
            for rows in runs(rows.map(|(index, ..)| *index)) {
                requests.extend(columns.iter().map(|columns| {
                    repeat(
                        board.range(rows, *columns),
                        CellFormat::level(level),
                        "userEnteredFormat.backgroundColorStyle",
                    )
                }));
            }
        }
    }
    arranged.board.requests.append(&mut requests);
}

/// The level of every product row as the grid's numbers and its thresholds make it.
pub(crate) fn levels_of(grid: &Grid) -> impl Iterator<Item = (&str, Level)> {
    let places = COLOURED.map(|column| {
        let value = column.to_string();
        grid.columns.iter().position(|known| **known == *value)
    });
    let listed = grid.rows.iter().filter(|row| row.listed);
    let split = sizes::split_products(listed.map(|row| &*row.key));
    (grid.rows.iter().zip(HEADER_ROWS..)).map(move |(row, index)| {
        let [available, turnover] = places.map(|place| grid.get(index, place?));
        let level = match (grid.look.low_stock, available, turnover) {
            (Some(low_stock), Some(available), Some(turnover))
                if row.listed && !split.contains(&*row.key) =>
            {
                low_stock.level(available, turnover)
            }
            _ => Level::Enough,
        };
        (&*row.key, level)
    })
}
