//! Protected ranges that keep us from writing: which ones are in the way of what is planned.

use connectors::google::ProtectedRange;
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
                *hit |= range.blocks(cells);
            }
        }
    }
    let hit = ranges.iter().zip(hit).filter(|(_, hit)| *hit);
    hit.map(|(range, _)| range).collect()
}

/// Decorations that protected ranges keep us from.
pub(crate) struct Blocked<'a> {
    /// Of each decoration, whether it is.
    pub(crate) hit: Vec<bool>,
    /// The ranges.
    pub(crate) ranges: Vec<&'a ProtectedRange>,
}

/// The decorations that cannot be done after these values.
pub(crate) fn blocked<'a>(
    ranges: &'a [ProtectedRange],
    values: &[Request],
    decorations: &[Request],
) -> Blocked<'a> {
    let mut moved = ranges.to_vec();
    for request in values {
        if let Request::InsertDimension { range, .. } = request {
            moved.iter_mut().for_each(|protected| insert(protected, range));
        }
    }
    let blocks = |range: &ProtectedRange, request: &Request| {
        requests::touched(request).is_some_and(|cells| range.blocks(cells))
    };
    let hit = decorations
        .iter()
        .map(|request| moved.iter().any(|range| blocks(range, request)));
    let named = ranges.iter().zip(&moved);
    let named = named.filter(|(_, range)| decorations.iter().any(|request| blocks(range, request)));
    Blocked {
        hit: hit.collect(),
        ranges: named.map(|(range, _)| range).collect(),
    }
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
