//! Columns that have no names, because the worksheet had no room for more: found by the titles that were
//! written above them. Only columns that were made without a name are looked for: a seller's copy of ours is
//! theirs.

use std::collections::HashSet;

use serde_json::Value;
use sheet_layout::{Cell, Grid, HEADER_FIELDS, HEADER_GROUPS, ManagedColumn, SheetState};

/// Adds them to the columns of a worksheet, left to right; `value` are its cells, as far as they were read.
pub(super) fn find(state: &mut SheetState, written: &Grid, value: impl Fn(u32, u32) -> Option<Value>) {
    let known: HashSet<u32> = state.columns.iter().map(|column| column.index).collect();
    let names: HashSet<_> = state.columns.iter().map(ManagedColumn::name).collect();
    let mut lost: Vec<_> = written
        .unnamed()
        .filter(|(name, ..)| !names.contains(*name))
        .collect();
    let header = |value: &str| {
        let rows = state.header_rows.iter().filter(|row| *row.value == *value);
        rows.map(|row| row.index).min()
    };
    let (Some(groups), Some(fields), false) = (header(HEADER_GROUPS), header(HEADER_FIELDS), lost.is_empty())
    else {
        return;
    };
    let text = |row: u32, column: u32| match value(row, column) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    };
    let mut group: Option<String> = None;
    let mut found = Vec::new();
    for index in 0..state.column_count {
        if known.contains(&index) {
            group = None;
            continue;
        }
        group = text(groups, index).or(group);
        let Some((title, group)) = text(fields, index).zip(group.as_ref()) else {
            continue;
        };
        let is = |cell: &Cell, text: &str| matches!(cell, Cell::Text(known) if **known == *text);
        let place = lost
            .iter()
            .position(|(_, of, own)| is(of, group) && is(own, &title));
        if let Some((name, ..)) = place.map(|place| lost.remove(place)) {
            found.push(ManagedColumn {
                metadata_id: 0,
                value: name.clone(),
                index,
            });
        }
    }
    state.columns.append(&mut found);
    state
        .columns
        .sort_by_key(|column| (column.index, column.metadata_id));
}
