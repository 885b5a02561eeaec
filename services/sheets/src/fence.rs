//! Fences around a batch. Its requests name rows and columns by number, and between the reading and the
//! writing a person may insert, delete, sort or move, or another process of ours may write. Google does a
//! batch as a whole or not at all, but has no condition for it; so the batch says its own: some requests fail
//! when the sheet is not any more what was read, and then nothing of the batch is done.
//!
//! | fence | fails when |
//! |---|---|
//! | count | another batch of ours was done since the reading; late and repeated batches too |
//! | marks | a row or column with a mark of ours is not where it was |
//! | edges | the grid has fewer rows or columns than were read |
//!
//! A mark is deleted *if it is at its place* and made again under its id, which is refused while it exists
//! elsewhere.
//!
//! Columns carry the layout's marks. Rows of products get marks of their own, a hundred with each batch, as
//! far as the sheet's budget of metadata allows; a row without one is proved by the next one below that has
//! one. A fence does not see contents that were moved without their row (cut and paste): those are seen by
//! the next reading.

use std::collections::{BTreeMap, BTreeSet};

use connectors::google::{self as wire, DeveloperMetadata, DeveloperMetadataLookup, Dimension};
use sheet_layout::{Request, SheetState};

use crate::requests::{Piece, touched};

/// Key of a row's mark: as short as can be, for there are many.
pub(crate) const ROW_MARK: &str = "st";
/// Key of the count of batches, which hangs on the worksheet.
pub(crate) const COUNT_MARK: &str = "st:n";
/// Key of a mark that is gone when the batch is done.
const EDGE_MARK: &str = "st:e";

/// Columns whose places one batch proves.
const MOST_COLUMNS: usize = 90;
/// Rows whose places one batch proves, and rows that get a mark in one batch.
const MOST_ROWS: usize = 100;
/// Rows of a worksheet that carry marks.
const MOST_MARKS: usize = 1_000;
/// Marks made in one batch; of 500 Google has refused some (Sheets, seen live, reason unknown).
const MOST_CREATED: usize = 380;
/// Characters of all marks of a worksheet that we go to; Google's limit is 30,000.
const MOST_CHARACTERS: usize = 27_000;

/// What was read of a worksheet, as far as its fences go.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Marks {
    /// All of ours on it, with places.
    pub(crate) all: Vec<DeveloperMetadata>,
    pub(crate) rows: u32,
    pub(crate) columns: u32,
}

impl Marks {
    /// Those of a worksheet.
    pub(crate) fn of(state: &SheetState, found: impl Iterator<Item = DeveloperMetadata>) -> Self {
        let here = |mark: &DeveloperMetadata| {
            let place = mark.location.as_ref();
            let on = place.and_then(|place| {
                place
                    .sheet_id
                    .or(place.dimension_range.map(|range| range.sheet_id))
            });
            // What hangs on the worksheet itself comes with it, and says so or not.
            on.is_none_or(|on| on == state.sheet_id)
        };
        let mut all: Vec<_> = found.filter(here).collect();
        for mark in &mut all {
            if let Some(place) = &mut mark.location {
                place.location_type = None;
            }
        }
        Self {
            all,
            rows: state.row_count,
            columns: state.column_count,
        }
    }
}

impl Marks {
    /// The same after a batch that did what is planned behind this fence.
    pub(crate) fn after(mut self, sheet_id: i32, planned: &[Request], seed: i32) -> Self {
        for request in planned {
            match request {
                Request::InsertDimension { range, .. } => {
                    let length = range.end_index - range.start_index;
                    self.shift(range.dimension, |at| {
                        Some(if at >= range.start_index { at + length } else { at })
                    });
                    *self.count_of(range.dimension) += length;
                }
                Request::DeleteDimension { range } => {
                    let length = range.end_index - range.start_index;
                    self.shift(range.dimension, |at| match at {
                        at if at < range.start_index => Some(at),
                        at if at < range.end_index => None,
                        at => Some(at - length),
                    });
                    *self.count_of(range.dimension) -= length;
                }
                Request::AppendDimension {
                    dimension, length, ..
                } => *self.count_of(*dimension) += length,
                Request::UpdateDeveloperMetadata(renamed) => {
                    let mut named = self.all.iter_mut();
                    if let Some(mark) = named.find(|mark| mark.metadata_id == Some(renamed.metadata_id)) {
                        mark.metadata_value = Some(renamed.metadata_value.clone());
                    }
                }
                _ => {}
            }
        }
        let mut fence = Fence::default();
        count(&mut fence, sheet_id, &self, seed);
        self.all.retain(|mark| key(mark) != COUNT_MARK);
        let counted = fence.before.into_iter().filter_map(|request| match request {
            wire::Request::CreateDeveloperMetadata(made) => Some(made.developer_metadata),
            _ => None,
        });
        self.all.extend(counted);
        self
    }

    fn count_of(&mut self, dimension: sheet_layout::Dimension) -> &mut u32 {
        match dimension {
            sheet_layout::Dimension::Rows => &mut self.rows,
            sheet_layout::Dimension::Columns => &mut self.columns,
        }
    }

    fn shift(&mut self, dimension: sheet_layout::Dimension, to: impl Fn(u32) -> Option<u32>) {
        let rows = dimension == sheet_layout::Dimension::Rows;
        self.all.retain_mut(|mark| {
            let Some((of, at)) = place(mark).filter(|(of, _)| (*of == Dimension::Rows) == rows) else {
                return true;
            };
            let (Some(new), Some(location)) = (to(at), &mut mark.location) else {
                return false;
            };
            let sheet_id = location.dimension_range.map_or(0, |range| range.sheet_id);
            *location = on(sheet_id, of, new);
            true
        });
    }
}

/// The fence of one batch.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    /// Goes before the batch's own requests.
    pub(crate) before: Vec<wire::Request>,
    /// Goes behind them.
    pub(crate) after: Vec<wire::Request>,
}

impl Fence {
    /// Without marks of rows that are still to be made.
    pub(crate) fn without_new_marks(mut self) -> Self {
        self.after.retain(|request| !makes_row_mark(request));
        self
    }

    /// Whether the request of this number in the whole batch makes a mark of a row.
    pub(crate) fn marks_rows(&self, request: usize, total: usize) -> bool {
        let place = (request + self.after.len()).checked_sub(total);
        place
            .and_then(|place| self.after.get(place))
            .is_some_and(makes_row_mark)
    }

    /// Whether a refusal in these words, of the request of this number in the whole batch, is the fence's
    /// doing.
    pub(crate) fn refused(&self, request: usize, total: usize, detail: &str) -> bool {
        let ours = request < self.before.len() || request + self.after.len() >= total;
        ours && detail.contains("DeveloperMetadata:")
    }
}

fn makes_row_mark(request: &wire::Request) -> bool {
    match request {
        wire::Request::CreateDeveloperMetadata(create) => key(&create.developer_metadata) == ROW_MARK,
        _ => false,
    }
}

fn key(mark: &DeveloperMetadata) -> &str {
    mark.metadata_key.as_deref().unwrap_or_default()
}

fn place(mark: &DeveloperMetadata) -> Option<(Dimension, u32)> {
    let range = mark.location.as_ref()?.dimension_range?;
    Some((range.dimension, u32::try_from(range.start_index).ok()?))
}

fn create(mark: DeveloperMetadata) -> wire::Request {
    wire::Request::CreateDeveloperMetadata(wire::CreateDeveloperMetadata {
        developer_metadata: mark,
    })
}

fn delete(lookup: DeveloperMetadataLookup) -> wire::Request {
    wire::Request::DeleteDeveloperMetadata(wire::DeleteDeveloperMetadata {
        data_filter: lookup.into(),
    })
}

fn on(sheet_id: i32, dimension: Dimension, at: u32) -> wire::DeveloperMetadataLocation {
    let at = i32::try_from(at).unwrap_or(i32::MAX);
    wire::DeveloperMetadataLocation {
        dimension_range: Some(wire::DimensionRange {
            sheet_id,
            dimension,
            start_index: at,
            end_index: Some(at.saturating_add(1)),
        }),
        ..wire::DeveloperMetadataLocation::default()
    }
}

fn mark(
    key: &str,
    id: Option<i32>,
    value: Option<String>,
    at: wire::DeveloperMetadataLocation,
) -> DeveloperMetadata {
    DeveloperMetadata {
        metadata_id: id,
        metadata_key: Some(key.to_owned()),
        metadata_value: value,
        location: Some(at),
        visibility: Some("PROJECT".to_owned()),
    }
}

/// Evenly chosen, the first and the last among them.
fn some<T: Copy>(list: &[T], most: usize) -> Vec<T> {
    if list.len() <= most || most < 2 {
        return list.iter().take(most).copied().collect();
    }
    (0..most)
        .filter_map(|number| list.get(number * (list.len() - 1) / (most - 1)))
        .copied()
        .collect()
}

/// Where a row or column was before the batch's insertions and deletions; none for one that they make.
fn origin(planned: &[Request], dimension: sheet_layout::Dimension, mut at: u32) -> Option<u32> {
    for request in planned.iter().rev() {
        match request {
            Request::InsertDimension { range, .. } if range.dimension == dimension => {
                if at >= range.end_index {
                    at -= range.end_index - range.start_index;
                } else if at >= range.start_index {
                    return None;
                }
            }
            Request::DeleteDimension { range } if range.dimension == dimension && at >= range.start_index => {
                at += range.end_index - range.start_index;
            }
            _ => {}
        }
    }
    Some(at)
}

/// Rows (as they will be) and columns (as they were) that a batch relies on.
fn relied_on(planned: &[Request], batch: &[Piece<'_>]) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let (mut rows, mut columns) = (BTreeSet::new(), BTreeSet::new());
    for piece in batch {
        match piece {
            Piece::Rows(block, from, to) => {
                let at = |count: &usize| {
                    let count = u32::try_from(*count).unwrap_or(u32::MAX);
                    block.start.row_index.saturating_add(count)
                };
                rows.extend(at(from)..at(to));
                let left = block.start.column_index;
                columns.extend(left..left.saturating_add(block.width));
            }
            Piece::Whole(Request::InsertDimension { range, .. }) => {
                // What is beside the place where something is put in.
                let beside = range.start_index.saturating_sub(1);
                match range.dimension {
                    sheet_layout::Dimension::Rows => rows.insert(beside),
                    sheet_layout::Dimension::Columns => columns.insert(beside),
                };
            }
            Piece::Whole(request) => {
                if let Some(((top, _), (left, right))) = touched(request) {
                    rows.insert(top);
                    columns.extend(left..right.min(left.saturating_add(20_000)));
                }
            }
            Piece::Unveil(_) => {}
        }
    }
    let columns = columns
        .into_iter()
        .filter_map(|at| origin(planned, sheet_layout::Dimension::Columns, at))
        .collect();
    (rows, columns)
}

/// The fence of a batch for a worksheet that is there; `planned` holds the insertions that the batch does
/// itself, `products` are the rows of products after it.
pub(crate) fn around(
    sheet: (i32, i32),
    marks: &Marks,
    planned: &[Request],
    batch: &[Piece<'_>],
    products: &[u32],
) -> Fence {
    let (sheet_id, seed) = sheet;
    let mut fence = Fence::default();
    count(&mut fence, sheet_id, marks, seed);
    edges(&mut fence, sheet_id, marks);
    let (rows, columns) = relied_on(planned, batch);
    let mut marked: BTreeMap<u32, &DeveloperMetadata> = BTreeMap::new();
    let mut named: BTreeMap<u32, &DeveloperMetadata> = BTreeMap::new();
    for mark in marks.all.iter().filter(|mark| mark.metadata_id.is_some()) {
        match place(mark) {
            Some((Dimension::Rows, at)) => marked.entry(at).or_insert(mark),
            Some((Dimension::Columns, at)) => named.entry(at).or_insert(mark),
            None => continue,
        };
    }
    let was = |row: &u32| origin(planned, sheet_layout::Dimension::Rows, *row);
    // A row without a mark is proved by the next one below: whatever is put in above moves both.
    let near = |row: u32| marked.range(row..).next().map(|(at, _)| *at);
    let proved: BTreeSet<u32> = rows.iter().filter_map(was).filter_map(near).collect();
    let proved: Vec<u32> = proved.into_iter().collect();
    let columns: Vec<u32> = columns.into_iter().filter(|at| named.contains_key(at)).collect();
    let rows_proved = some(&proved, MOST_ROWS)
        .into_iter()
        .filter_map(|at| marked.get(&at));
    let columns_proved = some(&columns, MOST_COLUMNS)
        .into_iter()
        .filter_map(|at| named.get(&at));
    for mark in rows_proved.chain(columns_proved) {
        fence.before.push(delete(DeveloperMetadataLookup {
            metadata_id: mark.metadata_id,
            metadata_location: mark.location.clone(),
            location_matching_strategy: Some("EXACT_LOCATION".to_owned()),
            ..DeveloperMetadataLookup::default()
        }));
        fence.before.push(create((*mark).clone()));
    }
    let bare = |row: &&u32| was(row).is_none_or(|row| !marked.contains_key(&row));
    let bare: Vec<u32> = products.iter().filter(bare).copied().collect();
    let room = room(marks, planned, &fence);
    fence.after.extend(row_marks(sheet_id, &bare, room));
    fence
}

/// A worksheet is counted from its first batch on, which makes it.
pub(crate) fn behind_the_first(sheet: (i32, i32), planned: &[Request], products: &[u32]) -> Fence {
    let (sheet_id, seed) = sheet;
    let mut fence = Fence::default();
    count(&mut fence, sheet_id, &Marks::default(), seed);
    let room = room(&Marks::default(), planned, &fence);
    let mut after = std::mem::take(&mut fence.before);
    after.extend(row_marks(sheet_id, products, room));
    fence.after = after;
    fence
}

/// Marks for some of these rows, spread over all of them.
fn row_marks(sheet_id: i32, rows: &[u32], room: usize) -> impl Iterator<Item = wire::Request> {
    let chosen = some(rows, room.min(MOST_ROWS));
    let at = move |row| on(sheet_id, Dimension::Rows, row);
    chosen
        .into_iter()
        .map(move |row| create(mark(ROW_MARK, None, None, at(row))))
}

/// The count goes up by one from what was read, or the batch is refused. `seed` is its id where there is none
/// yet.
fn count(fence: &mut Fence, sheet_id: i32, marks: &Marks, seed: i32) {
    let known = marks.all.iter().find(|mark| key(mark) == COUNT_MARK);
    let (id, value) = known.map_or((None, None), |mark| {
        (mark.metadata_id, mark.metadata_value.clone())
    });
    if let (Some(id), Some(value)) = (id, &value) {
        fence.before.push(delete(DeveloperMetadataLookup {
            metadata_id: Some(id),
            metadata_key: Some(COUNT_MARK.to_owned()),
            metadata_value: Some(value.clone()),
            ..DeveloperMetadataLookup::default()
        }));
    }
    let next = value
        .and_then(|value| value.parse::<u64>().ok())
        .unwrap_or_default()
        + 1;
    let here = wire::DeveloperMetadataLocation {
        sheet_id: Some(sheet_id),
        ..wire::DeveloperMetadataLocation::default()
    };
    fence.before.push(create(mark(
        COUNT_MARK,
        Some(id.unwrap_or(seed)),
        Some(next.to_string()),
        here,
    )));
}

/// The last row and the last column are there: a mark can be hung on them.
fn edges(fence: &mut Fence, sheet_id: i32, marks: &Marks) {
    let ends = [(Dimension::Rows, marks.rows), (Dimension::Columns, marks.columns)];
    for (dimension, count) in ends {
        if let Some(last) = count.checked_sub(1) {
            let edge = mark(EDGE_MARK, None, None, on(sheet_id, dimension, last));
            fence.before.push(create(edge));
        }
    }
    fence.before.push(delete(DeveloperMetadataLookup {
        metadata_key: Some(EDGE_MARK.to_owned()),
        ..DeveloperMetadataLookup::default()
    }));
}

/// Marks of rows that may be made with this batch.
fn room(marks: &Marks, planned: &[Request], fence: &Fence) -> usize {
    let length = |mark: &DeveloperMetadata| {
        let value = mark.metadata_value.as_deref().unwrap_or_default();
        key(mark).chars().count() + value.chars().count()
    };
    let planned = planned.iter().filter_map(|request| match request {
        Request::CreateDeveloperMetadata { developer_metadata } => Some(
            developer_metadata.metadata_key.chars().count()
                + developer_metadata.metadata_value.chars().count(),
        ),
        _ => None,
    });
    let (created, characters) = planned.fold((0, 0), |(count, sum), length| (count + 1, sum + length));
    let used: usize = marks.all.iter().map(length).sum::<usize>() + characters;
    let rows = marks.all.iter().filter(|mark| key(mark) == ROW_MARK).count();
    MOST_CREATED
        .saturating_sub(created + fence.before.len())
        .min(MOST_MARKS.saturating_sub(rows))
        .min(MOST_CHARACTERS.saturating_sub(used) / ROW_MARK.len())
}

#[cfg(test)]
mod tests {
    use super::{origin, some};
    use sheet_layout::{Dimension, DimensionRange, Request};

    fn insert(start_index: u32, end_index: u32) -> Request {
        Request::InsertDimension {
            range: DimensionRange {
                sheet_id: 1,
                dimension: Dimension::Rows,
                start_index,
                end_index,
            },
            inherit_from_before: true,
        }
    }

    #[test]
    fn a_place_after_insertions_is_told_where_it_was_before() {
        let planned = [insert(2, 4), insert(7, 8)];
        let was = |at| origin(&planned, Dimension::Rows, at);
        assert_eq!(
            [was(0), was(1), was(2), was(3), was(4)],
            [Some(0), Some(1), None, None, Some(2)]
        );
        assert_eq!([was(6), was(7), was(8)], [Some(4), None, Some(5)]);
        assert_eq!(origin(&planned, Dimension::Columns, 3), Some(3));
    }

    #[test]
    fn the_first_and_the_last_are_always_among_some() {
        let list: Vec<u32> = (0..1_000).collect();
        let chosen = some(&list, 10);
        assert_eq!(
            (chosen.len(), chosen.first(), chosen.last()),
            (10, Some(&0), Some(&999))
        );
        assert_eq!(some(&list[..3], 10), [0, 1, 2]);
        assert_eq!(some(&list[..0], 10), [0_u32; 0]);
    }
}
