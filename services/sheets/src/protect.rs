//! Protected ranges that keep us from writing: which ones are in the way of what is planned.

use connectors::google::{ProtectedRange, Span};
use sheet_layout::{Dimension, DimensionRange, Request};

use crate::requests;

/// The ranges that keep us from doing what is planned. A plan speaks of places after its insertions, so the
/// ranges move along.
pub(crate) fn in_the_way<'a>(ranges: &'a [ProtectedRange], planned: &[Request]) -> Vec<&'a ProtectedRange> {
    let mut moved = ranges.to_vec();
    let mut hit = vec![false; ranges.len()];
    for request in planned {
        if let Request::InsertDimension { range, .. } = request {
            moved.iter_mut().for_each(|protected| insert(protected, range));
        } else if let Some(cells) = requests::touched(request) {
            for (hit, range) in hit.iter_mut().zip(&moved) {
                *hit |= blocks(range, cells);
            }
        }
    }
    let hit = ranges.iter().zip(hit).filter(|(_, hit)| *hit);
    hit.map(|(range, _)| range).collect()
}

fn insert(protected: &mut ProtectedRange, inserted: &DimensionRange) {
    let signed = |index: u32| i32::try_from(index).unwrap_or(i32::MAX);
    let at = signed(inserted.start_index);
    let count = signed(inserted.end_index).saturating_sub(at);
    for range in protected
        .range
        .iter_mut()
        .chain(&mut protected.unprotected_ranges)
    {
        let (start, end) = match inserted.dimension {
            Dimension::Rows => (&mut range.start_row_index, &mut range.end_row_index),
            Dimension::Columns => (&mut range.start_column_index, &mut range.end_column_index),
        };
        if let Some(start) = start.as_mut().filter(|start| **start >= at) {
            *start = start.saturating_add(count);
        }
        if let Some(end) = end.as_mut().filter(|end| **end > at) {
            *end = end.saturating_add(count);
        }
    }
}

/// Whether a range that is protected from us keeps us from changing these cells.
fn blocks(range: &ProtectedRange, (rows, columns): (Span, Span)) -> bool {
    // Without a range a whole worksheet is protected, or a named range, of which Google tells the cells too.
    let Some(area) = &range.range else { return true };
    let meet = |a: Span, b: Span| a.0 < b.1 && b.0 < a.1;
    let inside = |outer: Span, inner: Span| outer.0 <= inner.0 && inner.1 <= outer.1;
    let (on_rows, on_columns) = area.spans();
    let free = range.unprotected_ranges.iter().any(|free| {
        let (free_rows, free_columns) = free.spans();
        inside(free_rows, rows) && inside(free_columns, columns)
    });
    meet(on_rows, rows) && meet(on_columns, columns) && !free
}

#[cfg(test)]
mod tests {
    use super::blocks;
    use connectors::google::{GridRange, ProtectedRange};

    fn range(rows: Option<(i32, i32)>, columns: Option<(i32, i32)>) -> GridRange {
        GridRange {
            sheet_id: 1,
            start_row_index: rows.map(|rows| rows.0),
            end_row_index: rows.map(|rows| rows.1),
            start_column_index: columns.map(|columns| columns.0),
            end_column_index: columns.map(|columns| columns.1),
        }
    }

    fn protected(range: GridRange) -> ProtectedRange {
        ProtectedRange {
            range: Some(range),
            ..ProtectedRange::default()
        }
    }

    #[test]
    fn a_range_blocks_what_it_meets_unless_it_is_left_open_there() {
        let column = protected(range(None, Some((2, 3))));
        assert!(blocks(&column, ((5, 6), (0, 3))) && !blocks(&column, ((5, 6), (3, 9))));
        let sheet = ProtectedRange {
            unprotected_ranges: vec![range(None, Some((0, 9)))],
            ..protected(range(None, None))
        };
        assert!(!blocks(&sheet, ((0, 2), (0, 9))) && blocks(&sheet, ((0, 2), (8, 10))));
    }
}
