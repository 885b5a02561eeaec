//! Names what the plan made, so that the next one finds it wherever the seller moves it.

use std::collections::HashSet;

use super::Arranged;
use crate::board::HeaderRow;
use crate::column::COLUMN_METADATA_KEY;
use crate::request::{Dimension, DimensionRange, Metadata, MetadataLocation, Request};
use crate::state::{HEADER_FIELDS, HEADER_GROUPS, ROW_METADATA_KEY, SheetState};

/// Ids are derived from what they name: if a batch that inserted columns is repeated because its answer was
/// lost, the id is taken and the API refuses the whole batch instead of inserting the columns twice.
pub(super) fn name_fresh(arranged: &mut Arranged<'_>, state: &SheetState) {
    let columns = state.columns.iter().map(|column| column.metadata_id);
    let mut used: HashSet<i32> = columns
        .chain(state.header_rows.iter().map(|row| row.metadata_id))
        .collect();
    let board = &mut arranged.board;
    let sheet_id = board.sheet_id;
    for (row, value) in [
        (&mut arranged.groups, HEADER_GROUPS),
        (&mut arranged.fields, HEADER_FIELDS),
    ] {
        let HeaderRow {
            index,
            metadata_id,
            fresh: true,
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
    }
    for column in board.columns.iter_mut().filter(|column| column.fresh) {
        let place = (sheet_id, Dimension::Columns, column.index);
        let (id, request) = name_of(&mut used, COLUMN_METADATA_KEY, &column.value, place);
        column.metadata_id = id;
        board.requests.push(request);
    }
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
