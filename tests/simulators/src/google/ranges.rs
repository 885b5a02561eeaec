//! Ranges as they come in requests, and their way onto a real sheet.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::errors::ApiError;
use super::model::{Rect, Sheet, Spreadsheet};

/// Half-open and zero-based; a missing end is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct GridRange {
    pub(crate) sheet_id: i64,
    pub(crate) start_row_index: Option<usize>,
    pub(crate) end_row_index: Option<usize>,
    pub(crate) start_column_index: Option<usize>,
    pub(crate) end_column_index: Option<usize>,
}

impl GridRange {
    /// Position of the sheet and the cells meant.
    pub(crate) fn resolve(&self, book: &Spreadsheet) -> Result<(usize, Rect), ApiError> {
        let at = book.position(self.sheet_id)?;
        let sheet = &book.sheets[at];
        let rect = Rect {
            top: self.start_row_index.unwrap_or(0),
            left: self.start_column_index.unwrap_or(0),
            bottom: self.end_row_index.unwrap_or(sheet.row_count),
            right: self.end_column_index.unwrap_or(sheet.column_count),
        };
        if rect.bottom > sheet.row_count || rect.right > sheet.column_count {
            return Err(beyond(sheet, rect));
        }
        if rect.top >= rect.bottom || rect.left >= rect.right {
            return Err(ApiError::invalid(
                "The range is empty: a start index must be less than its end index.",
            ));
        }
        Ok((at, rect))
    }
}

/// The error of a range that leaves the grid.
pub(crate) fn beyond(sheet: &Sheet, rect: Rect) -> ApiError {
    ApiError::invalid(format!(
        "Range ({}) exceeds grid limits. Max rows: {}, max columns: {}",
        super::a1::range_text(&sheet.title, rect),
        sheet.row_count,
        sheet.column_count
    ))
}

/// `{"sheetId":…,"startRowIndex":…}`
pub(crate) fn rect_json(sheet_id: i64, rect: Rect) -> Value {
    json!({
        "sheetId": sheet_id, "startRowIndex": rect.top, "endRowIndex": rect.bottom,
        "startColumnIndex": rect.left, "endColumnIndex": rect.right,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Axis {
    #[serde(rename = "ROWS")]
    Rows,
    #[serde(rename = "COLUMNS")]
    Columns,
}

impl Axis {
    pub(crate) fn count(self, sheet: &Sheet) -> usize {
        match self {
            Self::Rows => sheet.row_count,
            Self::Columns => sheet.column_count,
        }
    }
}

/// Rows or columns of a sheet.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DimensionRange {
    #[serde(default)]
    pub(crate) sheet_id: i64,
    pub(crate) dimension: Axis,
    pub(crate) start_index: Option<usize>,
    pub(crate) end_index: Option<usize>,
}

impl DimensionRange {
    /// Position of the sheet, start and end, inside the grid.
    pub(crate) fn resolve(&self, book: &Spreadsheet) -> Result<(usize, usize, usize), ApiError> {
        let at = book.position(self.sheet_id)?;
        let count = self.dimension.count(&book.sheets[at]);
        let (start, end) = (self.start_index.unwrap_or(0), self.end_index.unwrap_or(count));
        if start >= end {
            return Err(ApiError::invalid(
                "range.startIndex must be less than range.endIndex.",
            ));
        }
        if end > count {
            return Err(ApiError::invalid(format!(
                "range.endIndex[{end}] is too large, the grid has {count}."
            )));
        }
        Ok((at, start, end))
    }
}

/// How positions along one axis change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shift {
    Insert { at: usize, count: usize },
    Delete { start: usize, end: usize },
    Move { start: usize, end: usize, to: usize },
}

impl Shift {
    /// The new position of a row or column; `None` if it is gone.
    pub(crate) fn index(self, index: usize) -> Option<usize> {
        match self {
            Self::Insert { at, count } => Some(if index >= at { index + count } else { index }),
            Self::Delete { start, end } if (start..end).contains(&index) => None,
            Self::Delete { start, end } => Some(if index >= end {
                index - (end - start)
            } else {
                index
            }),
            Self::Move { start, end, to } => {
                let length = end - start;
                Some(if (start..end).contains(&index) {
                    if to <= start {
                        to + index - start
                    } else {
                        to - length + index - start
                    }
                } else if index < start && index >= to {
                    index + length
                } else if index >= end && index < to {
                    index - length
                } else {
                    index
                })
            }
        }
    }

    /// The new span; `None` if nothing of it is left. A span that a move would tear apart is an `Err`.
    pub(crate) fn span(self, start: usize, end: usize) -> Result<Option<(usize, usize)>, ()> {
        match self {
            Self::Insert { at, count } => {
                let shifted = |edge: usize, inside: bool| if inside { edge + count } else { edge };
                Ok(Some((shifted(start, start >= at), shifted(end, end > at))))
            }
            Self::Delete { start: from, end: to } => {
                let cut = |edge: usize| edge - edge.clamp(from, to).saturating_sub(from);
                let (start, end) = (cut(start), cut(end));
                Ok((start < end).then_some((start, end)))
            }
            Self::Move { .. } => {
                let moved: Vec<usize> = (start..end).filter_map(|index| self.index(index)).collect();
                let (low, high) = (moved.iter().min().copied(), moved.iter().max().copied());
                match (low, high) {
                    (Some(low), Some(high)) if high + 1 - low == end - start => Ok(Some((low, high + 1))),
                    _ => Err(()),
                }
            }
        }
    }

    /// Shifts a range kept as JSON (rules, protections, filters); false if nothing is left of it.
    pub(crate) fn range_json(self, axis: Axis, range: &mut Map<String, Value>) -> bool {
        let (from, to) = match axis {
            Axis::Rows => ("startRowIndex", "endRowIndex"),
            Axis::Columns => ("startColumnIndex", "endColumnIndex"),
        };
        let read = |range: &Map<String, Value>, name: &str| {
            range
                .get(name)
                .and_then(Value::as_u64)
                .and_then(|value| usize::try_from(value).ok())
        };
        let (start, end) = (read(range, from), read(range, to));
        // An open end stays open; a far one stands for it in the arithmetic.
        let far = usize::MAX / 4;
        if matches!(self, Self::Move { .. }) && end.is_none() {
            return true;
        }
        match self.span(start.unwrap_or(0), end.unwrap_or(far)) {
            Ok(Some((new_start, new_end))) => {
                if start.is_some() {
                    range.insert(from.to_owned(), json!(new_start));
                }
                if end.is_some() {
                    range.insert(to.to_owned(), json!(new_end));
                }
                true
            }
            Ok(None) => false,
            Err(()) => true,
        }
    }
}
