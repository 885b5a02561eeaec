//! What people put into a worksheet that Google lets stand in the way of decorations.

use connectors::google::{GridRange, ProtectedRange, Sheet};
use sheet_layout::{SheetState, Table};

use super::bounded;

/// The type of a column that has none (Sheets discovery document).
const UNTYPED: &str = "COLUMN_TYPE_UNSPECIFIED";

/// The Tables of a worksheet.
pub(super) fn tables(sheet: &Sheet, state: &SheetState) -> Vec<Table> {
    let table = |table: &connectors::google::Table| {
        let range = bounded(table.range.as_ref()?, state);
        let typed = table.column_properties.iter().filter(|column| {
            let kind = column.column_type.as_deref();
            kind.is_some_and(|kind| kind != UNTYPED)
        });
        let place = |index: i32| range.start_column_index.checked_add(u32::try_from(index).ok()?);
        Some(Table {
            range,
            typed: typed.filter_map(|column| place(column.column_index)).collect(),
        })
    };
    sheet.tables.iter().filter_map(table).collect()
}

/// Changes with everything that may have refused a decoration: what is frozen, hidden or merged, Tables,
/// filter, banding, slicers, ranges that are protected from us, and the width of the grid. New rows change
/// nothing.
pub(super) fn fingerprint(sheet: &Sheet) -> u64 {
    let grid = sheet.properties.grid_properties.unwrap_or_default();
    let wide = |range: &GridRange| {
        (
            range.start_row_index,
            range.start_column_index,
            range.end_column_index,
        )
    };
    let closed = sheet.protected_ranges.iter().filter(|range| range.is_closed());
    let protected = |range: &ProtectedRange| (range.range, range.unprotected_ranges.clone());
    let tables = sheet.tables.iter().map(|table| {
        let range = table.range.as_ref().map(wide);
        (range, table.column_properties.clone())
    });
    let text = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        (grid.frozen_row_count, grid.frozen_column_count, grid.column_count),
        sheet.properties.hidden,
        sheet.merges,
        tables.collect::<Vec<_>>(),
        sheet.basic_filter.as_ref().map(|filter| {
            let column = |name: &str| filter.pointer(&format!("/range/{name}"));
            (
                column("startRowIndex"),
                column("startColumnIndex"),
                column("endColumnIndex"),
            )
        }),
        sheet.banded_ranges,
        sheet.slicers,
        closed.map(protected).collect::<Vec<_>>(),
        sheet.properties.sheet_id,
    );
    fnv1a(text.bytes())
}

/// The same in every process and version of the compiler, unlike the standard library's.
pub(crate) fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    (bytes.into_iter()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
