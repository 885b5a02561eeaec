//! Names what the plan made, so that the next one finds it wherever the seller moves it.

use std::collections::HashSet;

use super::arrange::HEADER_NAMES;
use super::{Arranged, Options};
use crate::board::{Board, HeaderRow, Placed};
use crate::column::{COLUMN_METADATA_KEY, NAMES_BUDGET};
use crate::request::{Dimension, DimensionRange, Metadata, MetadataLocation, Renamed, Request};
use crate::state::{HEADER_FIELDS, HEADER_GROUPS, ROW_METADATA_KEY, SheetState};

/// Names are short, and the sheet has room for a bounded number of characters: where a plan gives names, it
/// also shortens what was given earlier. Columns for whose names there is no room are found by their titles.
///
/// Ids are derived from what they name: if a batch that inserted columns is repeated because its answer was
/// lost, the id is taken and the API refuses the whole batch instead of inserting the columns twice.
pub(super) fn name_fresh(arranged: &mut Arranged<'_>, state: &SheetState, options: &Options) {
    let columns = state.columns.iter().map(|column| column.metadata_id);
    let mut used: HashSet<i32> = columns
        .chain(state.header_rows.iter().map(|row| row.metadata_id))
        .collect();
    let board = &mut arranged.board;
    let sheet_id = board.sheet_id;
    let fresh = board.columns.iter().any(|column| column.fresh);
    // Columns without names get some when names are given anyway, or where it was only one batch that was
    // full.
    let give = fresh || !(options.unnamed || state.written.full);
    let mut room = shorten(board, state, options.max_names);
    let mut left = options
        .max_names
        .saturating_sub(HEADER_NAMES)
        .max(board.columns.iter().filter(|column| column.fresh).count());
    for (row, value) in [
        (&mut arranged.groups, HEADER_GROUPS),
        (&mut arranged.fields, HEADER_FIELDS),
    ] {
        let HeaderRow {
            index,
            metadata_id,
            fresh: true,
            ..
        } = row
        else {
            continue;
        };
        let (id, request) = name_of(
            &mut used,
            ROW_METADATA_KEY,
            value,
            (sheet_id, Dimension::Rows, *index),
        );
        *metadata_id = id;
        board.requests.push(request);
        room = room.saturating_sub(length(ROW_METADATA_KEY, value));
    }
    // New ones first: they would be lost with the process.
    let mut nameless: Vec<&mut Placed> = board
        .columns
        .iter_mut()
        .filter(|one| one.metadata_id == 0)
        .collect();
    nameless.sort_by_key(|column| !column.fresh);
    for column in nameless.into_iter().filter(|_| give) {
        if left == 0 {
            board.deferred += 1;
            continue;
        }
        left -= 1;
        let long = length(COLUMN_METADATA_KEY, &column.value);
        if options.unnamed || long > room {
            arranged.unnamed += usize::from(column.fresh);
            continue;
        }
        room -= long;
        let place = (sheet_id, Dimension::Columns, column.index);
        let (id, request) = name_of(&mut used, COLUMN_METADATA_KEY, &column.value, place);
        column.metadata_id = id;
        board.requests.push(request);
    }
}

/// Characters that a name takes of the budget.
fn length(key: &str, value: &str) -> usize {
    key.len() + value.chars().count()
}

/// Gives long names in short, as many as one batch may take beside the new ones; answers the characters that
/// are left then.
fn shorten(board: &mut Board, state: &SheetState, at_most: usize) -> usize {
    let rows = state
        .header_rows
        .iter()
        .map(|row| length(ROW_METADATA_KEY, &row.value));
    let mut used: usize = rows.sum();
    let given = board.columns.iter().filter(|column| column.fresh).count();
    let mut left = if given > 0 {
        at_most.saturating_sub(given)
    } else {
        0
    };
    for column in board
        .columns
        .iter_mut()
        .filter(|column| !column.fresh && column.metadata_id != 0)
    {
        let short = length(COLUMN_METADATA_KEY, &column.value);
        match column.long {
            Some(_) if left > 0 => {
                left -= 1;
                column.long = None;
                board.requests.push(Request::UpdateDeveloperMetadata(Renamed {
                    metadata_id: column.metadata_id,
                    metadata_value: column.value.to_string(),
                }));
                used += short;
            }
            Some(long) => used += COLUMN_METADATA_KEY.len() + long,
            None => used += short,
        }
    }
    NAMES_BUDGET.saturating_sub(used)
}

fn free_id(sheet_id: i32, value: &str, used: &mut HashSet<i32>) -> i32 {
    let bytes = sheet_id.to_le_bytes().into_iter().chain(value.bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let mut id = (hash >> 1).cast_signed().max(1);
    while !used.insert(id) {
        id = if id == i32::MAX { 1 } else { id + 1 };
    }
    id
}

/// The request that gives one column or row its name, and the id it will have.
pub(crate) fn name_of(
    used: &mut HashSet<i32>,
    metadata_key: &'static str,
    value: &str,
    (sheet_id, dimension, index): (i32, Dimension, u32),
) -> (i32, Request) {
    let metadata_id = free_id(sheet_id, value, used);
    let dimension_range = DimensionRange {
        sheet_id,
        dimension,
        start_index: index,
        end_index: index + 1,
    };
    let request = Request::CreateDeveloperMetadata {
        developer_metadata: Metadata {
            metadata_id,
            metadata_key,
            metadata_value: value.to_owned(),
            location: MetadataLocation { dimension_range },
            visibility: "PROJECT",
        },
    };
    (metadata_id, request)
}
