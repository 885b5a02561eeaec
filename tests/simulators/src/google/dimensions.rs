//! Requests that change rows, columns and merges. Whatever hangs on a row or column follows it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{Fail, Reply, fields, read};
use super::errors::ApiError;
use super::model::{Cell, Dimension, Place, Rect, Sheet, Spreadsheet};
use super::ranges::{Axis, DimensionRange, GridRange, Shift};

fn refuse(message: impl Into<String>) -> Fail {
    Fail::Refused(ApiError::invalid(message))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Merge {
    range: GridRange,
    merge_type: Option<MergeType>,
}

#[derive(Deserialize, Clone, Copy)]
enum MergeType {
    #[serde(rename = "MERGE_ALL")]
    All,
    #[serde(rename = "MERGE_COLUMNS")]
    Columns,
    #[serde(rename = "MERGE_ROWS")]
    Rows,
}

/// `mergeCells`
pub(crate) fn merge(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Merge = read(body)?;
    let (at, rect) = request.range.resolve(book)?;
    let sheet = &mut book.sheets[at];
    if sheet
        .merges
        .iter()
        .any(|merge| merge.intersects(&rect) && !rect.contains(merge))
    {
        return Err(refuse(
            "You must select all cells in a merged range to merge or unmerge them.",
        ));
    }
    if let Some(frozen) = torn_by_freeze(sheet, rect) {
        return Err(refuse(format!("You can't merge frozen and non-frozen {frozen}.")));
    }
    sheet.merges.retain(|merge| !rect.contains(merge));
    let parts: Vec<Rect> = match request.merge_type.unwrap_or(MergeType::All) {
        MergeType::All => vec![rect],
        MergeType::Columns => (rect.left..rect.right)
            .map(|left| Rect {
                left,
                right: left + 1,
                ..rect
            })
            .collect(),
        MergeType::Rows => (rect.top..rect.bottom)
            .map(|top| Rect {
                top,
                bottom: top + 1,
                ..rect
            })
            .collect(),
    };
    for part in parts.into_iter().filter(|part| part.cells() > 1) {
        // Only the upper left content survives a merge.
        for row in part.top..part.bottom {
            for column in part.left..part.right {
                let first = (row, column) == (part.top, part.left);
                if !first && sheet.cell(row, column).is_some_and(|cell| cell.content.is_some()) {
                    sheet.cell_mut(row, column).content = None;
                }
            }
        }
        sheet.merges.push(part);
    }
    Ok(json!({}))
}

fn torn_by_freeze(sheet: &Sheet, rect: Rect) -> Option<&'static str> {
    if rect.top < sheet.frozen_rows && sheet.frozen_rows < rect.bottom {
        Some("rows")
    } else if rect.left < sheet.frozen_columns && sheet.frozen_columns < rect.right {
        Some("columns")
    } else {
        None
    }
}

/// `unmergeCells`
pub(crate) fn unmerge(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Unmerge {
        range: GridRange,
    }
    let request: Unmerge = read(body)?;
    let (at, rect) = request.range.resolve(book)?;
    let sheet = &mut book.sheets[at];
    if sheet
        .merges
        .iter()
        .any(|merge| merge.intersects(&rect) && !rect.contains(merge))
    {
        return Err(refuse(
            "You must select all cells in a merged range to merge or unmerge them.",
        ));
    }
    sheet.merges.retain(|merge| !rect.contains(merge));
    Ok(json!({}))
}

/// Moves everything that hangs on rows or columns of a sheet.
fn follow(book: &mut Spreadsheet, at: usize, axis: Axis, shift: Shift) -> Result<(), Fail> {
    let sheet = &mut book.sheets[at];
    let id = sheet.id;
    let mut merges = Vec::with_capacity(sheet.merges.len());
    for merge in &sheet.merges {
        let span = match axis {
            Axis::Rows => shift.span(merge.top, merge.bottom),
            Axis::Columns => shift.span(merge.left, merge.right),
        };
        let torn = |()| refuse("You can't move part of a merged range.");
        if let Some((start, end)) = span.map_err(torn)? {
            let moved = match axis {
                Axis::Rows => Rect {
                    top: start,
                    bottom: end,
                    ..*merge
                },
                Axis::Columns => Rect {
                    left: start,
                    right: end,
                    ..*merge
                },
            };
            if moved.cells() > 1 {
                merges.push(moved);
            }
        }
    }
    sheet.merges = merges;
    for rule in &mut sheet.conditional {
        if let Some(ranges) = rule.get_mut("ranges").and_then(Value::as_array_mut) {
            ranges.retain_mut(|range| {
                range
                    .as_object_mut()
                    .is_none_or(|range| shift.range_json(axis, range))
            });
        }
    }
    let has_range = |rule: &Value| {
        rule.get("ranges")
            .and_then(Value::as_array)
            .is_none_or(|list| !list.is_empty())
    };
    sheet.conditional.retain(has_range);
    let mut keep = |part: &mut Value| {
        part.get_mut("range")
            .and_then(Value::as_object_mut)
            .is_none_or(|range| shift.range_json(axis, range))
    };
    sheet.protected.retain_mut(&mut keep);
    sheet.filter_views.retain_mut(&mut keep);
    if !sheet.filter.as_mut().is_none_or(&mut keep) {
        sheet.filter = None;
    }
    super::objects::follow(sheet, axis, shift);
    book.metadata.retain_mut(|entry| match (&mut entry.place, axis) {
        (Place::Row(sheet, index), Axis::Rows) | (Place::Column(sheet, index), Axis::Columns)
            if *sheet == id =>
        {
            shift.index(*index).is_some_and(|new| {
                *index = new;
                true
            })
        }
        _ => true,
    });
    super::formula::follow(book, at, axis, shift);
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Insert {
    range: DimensionRange,
    #[serde(default)]
    inherit_from_before: bool,
}

/// `insertDimension`
pub(crate) fn insert(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Insert = read(body)?;
    let at = book.position(request.range.sheet_id)?;
    let axis = request.range.dimension;
    let (Some(start), Some(end)) = (request.range.start_index, request.range.end_index) else {
        return Err(refuse("range.startIndex and range.endIndex must be set."));
    };
    let existing = axis.count(&book.sheets[at]);
    if start >= end || start > existing {
        return Err(refuse(format!(
            "range.startIndex[{start}] must be less than the grid size ({existing})."
        )));
    }
    if request.inherit_from_before && start == 0 {
        return Err(refuse(
            "inheritFromBefore cannot be true if inserting at the start of the sheet.",
        ));
    }
    let count = end - start;
    let across = match axis {
        Axis::Rows => book.sheets[at].column_count,
        Axis::Columns => book.sheets[at].row_count,
    };
    if count.saturating_mul(across).saturating_add(book.cells()) > super::model::MAX_CELLS {
        return Err(ApiError::too_many_cells().into());
    }
    let model = if request.inherit_from_before {
        start - 1
    } else {
        start
    };
    insert_blank(&mut book.sheets[at], axis, start, count, model);
    follow(book, at, axis, Shift::Insert { at: start, count })?;
    book.check_size()?;
    Ok(json!({}))
}

/// Makes room; new cells take the format of row or column `model`.
fn insert_blank(sheet: &mut Sheet, axis: Axis, start: usize, count: usize, model: usize) {
    let looks = |cell: Option<&Cell>| Cell {
        format: cell.map_or(0, |cell| cell.format),
        ..Cell::default()
    };
    match axis {
        Axis::Rows => {
            if start < sheet.rows.len() {
                let blank: Vec<Cell> = sheet
                    .rows
                    .get(model)
                    .map(|row| row.iter().map(|cell| looks(Some(cell))).collect())
                    .unwrap_or_default();
                let blank = Arc::new(blank);
                sheet.rows.splice(start..start, std::iter::repeat_n(blank, count));
            }
            let size = sheet.row_sizes.get(model).copied().unwrap_or_default();
            sheet
                .row_sizes
                .splice(start..start, std::iter::repeat_n(size, count));
            sheet.row_count += count;
            sheet.frozen_rows += if start < sheet.frozen_rows { count } else { 0 };
        }
        Axis::Columns => {
            for row in sheet
                .rows
                .iter_mut()
                .filter(|row| row.len() > start || row.len() > model)
            {
                let row = Arc::make_mut(row);
                let blank = looks(row.get(model));
                if row.len() >= start {
                    row.splice(start..start, std::iter::repeat_n(blank, count));
                }
            }
            let size = sheet.column_sizes.get(model).copied().unwrap_or_default();
            sheet
                .column_sizes
                .splice(start..start, std::iter::repeat_n(size, count));
            sheet.column_count += count;
            sheet.frozen_columns += if start < sheet.frozen_columns { count } else { 0 };
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    range: DimensionRange,
}

/// `deleteDimension`
pub(crate) fn delete(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Delete = read(body)?;
    let (at, start, end) = request.range.resolve(book)?;
    let axis = request.range.dimension;
    let sheet = &mut book.sheets[at];
    let (count, frozen, name) = match axis {
        Axis::Rows => (sheet.row_count, &mut sheet.frozen_rows, "rows"),
        Axis::Columns => (sheet.column_count, &mut sheet.frozen_columns, "columns"),
    };
    let frozen_left = *frozen
        - frozen
            .saturating_sub(start)
            .min(end.min(*frozen).saturating_sub(start));
    let left = count - (end - start);
    if left == 0 {
        return Err(refuse(format!("You can't delete all the {name} on the sheet.")));
    }
    if left == frozen_left && *frozen > 0 {
        return Err(refuse(format!(
            "Sorry, it is not possible to delete all non-frozen {name}."
        )));
    }
    *frozen = frozen_left;
    match axis {
        Axis::Rows => {
            let last = sheet.rows.len();
            sheet.rows.drain(start.min(last)..end.min(last));
            sheet.row_sizes.drain(start..end);
            sheet.row_count = left;
        }
        Axis::Columns => {
            for row in sheet.rows.iter_mut().filter(|row| row.len() > start) {
                let row = Arc::make_mut(row);
                row.drain(start..end.min(row.len()));
            }
            sheet.column_sizes.drain(start..end);
            sheet.column_count = left;
        }
    }
    follow(book, at, axis, Shift::Delete { start, end })?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Append {
    #[serde(default)]
    sheet_id: i64,
    dimension: Axis,
    length: usize,
}

/// `appendDimension`
pub(crate) fn append(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Append = read(body)?;
    if request.length == 0 {
        return Err(refuse("length must be greater than 0."));
    }
    let at = book.position(request.sheet_id)?;
    let sheet = &book.sheets[at];
    let (rows, columns) = match request.dimension {
        Axis::Rows => (sheet.row_count + request.length, sheet.column_count),
        Axis::Columns => (sheet.row_count, sheet.column_count + request.length),
    };
    let others = book.cells() - sheet.row_count * sheet.column_count;
    if rows.saturating_mul(columns).saturating_add(others) > super::model::MAX_CELLS {
        return Err(ApiError::too_many_cells().into());
    }
    book.sheets[at].resize(rows, columns);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Move {
    source: DimensionRange,
    destination_index: usize,
}

/// `moveDimension`; the destination is counted before the source is taken out.
pub(crate) fn relocate(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Move = read(body)?;
    let (at, start, end) = request.source.resolve(book)?;
    let axis = request.source.dimension;
    let to = request.destination_index;
    let count = axis.count(&book.sheets[at]);
    if to > count || (start < to && to < end) {
        return Err(refuse(
            "destinationIndex must be outside the source range and inside the grid.",
        ));
    }
    let shift = Shift::Move { start, end, to };
    follow(book, at, axis, shift)?;
    let sheet = &mut book.sheets[at];
    match axis {
        Axis::Rows => {
            sheet.rows.resize_with(count, Arc::default);
            reorder(&mut sheet.rows, start, end, to);
            reorder(&mut sheet.row_sizes, start, end, to);
        }
        Axis::Columns => {
            for row in &mut sheet.rows {
                let row = Arc::make_mut(row);
                row.resize_with(count, Cell::default);
                reorder(row, start, end, to);
            }
            reorder(&mut sheet.column_sizes, start, end, to);
        }
    }
    Ok(json!({}))
}

fn reorder<T>(list: &mut [T], start: usize, end: usize, to: usize) {
    if to <= start {
        list[to..end].rotate_right(end - start);
    } else {
        list[start..to].rotate_left(end - start);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    range: DimensionRange,
    properties: Value,
    fields: String,
}

/// `updateDimensionProperties`
pub(crate) fn update_properties(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Properties = read(body)?;
    let (at, start, end) = request.range.resolve(book)?;
    let mask = fields(&request.fields)?;
    if let Some(unknown) = mask
        .names()
        .find(|name| !["pixelSize", "hiddenByUser"].contains(name))
    {
        return Err(refuse(format!("Invalid field: {unknown}")));
    }
    let pixels = request
        .properties
        .get("pixelSize")
        .and_then(Value::as_u64)
        .and_then(|size| u32::try_from(size).ok());
    let hidden = request
        .properties
        .get("hiddenByUser")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let sheet = &mut book.sheets[at];
    let sizes: &mut Vec<Dimension> = match request.range.dimension {
        Axis::Rows => &mut sheet.row_sizes,
        Axis::Columns => &mut sheet.column_sizes,
    };
    for size in sizes.get_mut(start..end).unwrap_or_default() {
        if mask.touches("pixelSize") {
            size.pixels = pixels;
        }
        if mask.touches("hiddenByUser") {
            size.hidden = hidden;
        }
    }
    Ok(json!({}))
}
