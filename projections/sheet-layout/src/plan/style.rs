//! Formats, borders, widths and heights, for columns and rows that have none yet only: what a seller restyled
//! stays restyled.

use super::{Arranged, Segment, segments};
use crate::board::{Board, HeaderRow, runs};
use crate::column::{ColumnKey, Group};
use crate::request::{
    Border, Borders, CellFormat, Dimension, DimensionProperties, DimensionRange, FormatCell, GridRange,
    Request,
};
use crate::view::View;

/// Heights in pixels of the two header rows.
pub(crate) const GROUPS_HEIGHT: u32 = 35;
pub(crate) const FIELDS_HEIGHT: u32 = 40;

type Span = (u32, u32);

/// The rows involved, as spans.
struct Rows {
    /// Group titles and field titles, one span where they are neighbours.
    headers: Vec<Span>,
    fields: u32,
    /// Everything below the field titles down to the last product.
    data: Span,
    /// Product rows without a look.
    fresh: Vec<Span>,
}

pub(super) fn dress(arranged: &mut Arranged<'_>, view: &View) {
    let (groups, fields) = (arranged.groups, arranged.fields);
    let header = groups.index.max(fields.index);
    let last = arranged.rows.last().map_or(header, |row| row.index.max(header)) + 1;
    let fresh = runs(arranged.rows.iter().filter(|row| row.bare).map(|row| row.index));
    let mut indices = [groups.index, fields.index];
    indices.sort_unstable();
    let rows = Rows {
        headers: runs(indices),
        fields: fields.index,
        data: (header + 1, last),
        fresh,
    };
    let fresh_columns = arranged.unformatted();
    fill(&mut arranged.board, &rows, &fresh_columns, view);
    grid_lines(&mut arranged.board, &rows, &fresh_columns);
    thick_lines(&mut arranged.board, &rows, &fresh_columns);
    sizes(&mut arranged.board, groups, fields);
    strike(arranged);
}

pub(super) fn repeat(range: GridRange, format: CellFormat, fields: &'static str) -> Request {
    Request::RepeatCell {
        range,
        cell: FormatCell {
            user_entered_format: format,
        },
        fields,
    }
}

/// Physical spans of the columns that `pick` chooses.
pub(super) fn spans(board: &Board, pick: impl Fn(usize) -> bool) -> Vec<Span> {
    let chosen = board
        .columns
        .iter()
        .enumerate()
        .filter(|(position, _)| pick(*position));
    runs(chosen.map(|(_, column)| column.index))
}

/// Header and data formats. They replace whatever a new row or column inherited.
fn fill(board: &mut Board, rows: &Rows, fresh: &[bool], view: &View) {
    let is_fresh = |position: usize| fresh.get(position).copied().unwrap_or_default();
    let mut requests = Vec::new();
    for columns in spans(board, is_fresh) {
        for header in &rows.headers {
            requests.push(repeat(
                board.range(*header, columns),
                CellFormat::header(),
                "userEnteredFormat",
            ));
        }
    }
    for look in data_formats(board, view) {
        let looks_so = |position: usize| {
            let column = board.columns.get(position);
            column.is_some_and(|column| data_format(&column.key, view) == look)
        };
        let mut format = |data: Span, columns: Span| {
            if data.0 < data.1 {
                let range = board.range(data, columns);
                requests.push(repeat(range, look.clone(), "userEnteredFormat"));
            }
        };
        for columns in spans(board, |position| is_fresh(position) && looks_so(position)) {
            format(rows.data, columns);
        }
        for columns in spans(board, |position| !is_fresh(position) && looks_so(position)) {
            rows.fresh.iter().for_each(|new| format(*new, columns));
        }
    }
    board.requests.append(&mut requests);
}

fn data_format(column: &ColumnKey, view: &View) -> CellFormat {
    CellFormat {
        number_format: column.number_format(view.language, view.number_formats),
        ..CellFormat::data(column.is_identity())
    }
}

/// The formats that product cells have, those of identity first.
fn data_formats(board: &Board, view: &View) -> Vec<CellFormat> {
    let mut formats: Vec<CellFormat> = Vec::new();
    for identity in [true, false] {
        let columns = board.columns.iter().map(|column| &column.key);
        for column in columns.filter(|column| column.is_identity() == identity) {
            let format = data_format(column, view);
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
    }
    formats
}

fn borders(range: GridRange, sides: Borders) -> Request {
    Request::UpdateBorders {
        range,
        sides: Box::new(sides),
    }
}

/// Thin lines around every cell from the field titles down.
fn grid_lines(board: &mut Board, rows: &Rows, fresh: &[bool]) {
    let thin = Some(Border::THIN);
    let sides = Borders {
        top: thin,
        bottom: thin,
        left: thin,
        right: thin,
        inner_horizontal: thin,
        inner_vertical: thin,
    };
    let is_fresh = |position: usize| fresh.get(position).copied().unwrap_or_default();
    let mut ranges = Vec::new();
    for columns in spans(board, is_fresh) {
        if rows.data.0 == rows.fields + 1 {
            ranges.push(board.range((rows.fields, rows.data.1), columns));
        } else {
            ranges.push(board.range((rows.fields, rows.fields + 1), columns));
            ranges.extend((rows.data.0 < rows.data.1).then(|| board.range(rows.data, columns)));
        }
    }
    for new in &rows.fresh {
        ranges.extend(
            spans(board, |position| !is_fresh(position))
                .into_iter()
                .map(|columns| board.range(*new, columns)),
        );
    }
    board
        .requests
        .extend(ranges.into_iter().map(|range| borders(range, sides.clone())));
}

/// Thick lines under the header and right of every group except the last warehouse. They come after the thin
/// ones, whose outer edges run over them.
fn thick_lines(board: &mut Board, rows: &Rows, fresh: &[bool]) {
    let is_fresh = |position: usize| fresh.get(position).copied().unwrap_or_default();
    let header = (rows.fields, rows.fields + 1);
    let touched = rows.fresh.iter().any(|new| new.0 == rows.fields + 1);
    let under = Borders {
        bottom: Some(Border::THICK),
        ..Borders::default()
    };
    let beside = Borders {
        right: Some(Border::THICK),
        ..Borders::default()
    };
    let inside = Borders {
        right: Some(Border::THIN),
        ..Borders::default()
    };
    let mut requests: Vec<Request> = spans(board, |position| touched || is_fresh(position))
        .into_iter()
        .map(|columns| borders(board.range(header, columns), under.clone()))
        .collect();
    let segments = segments(board);
    let last = segments.len().saturating_sub(1);
    for (place, segment) in segments.iter().enumerate() {
        let Segment { key, end, .. } = segment;
        if place == last && matches!(key.group(), Group::Warehouse(_)) {
            continue;
        }
        let Some(column) = end
            .checked_sub(1)
            .and_then(|position| board.columns.get(position))
        else {
            continue;
        };
        let columns = (column.index, column.index + 1);
        if let Some(inner) = was_last(segment, is_fresh).and_then(|position| board.columns.get(position)) {
            let columns = (inner.index, inner.index + 1);
            for rows in [header, rows.data].into_iter().filter(|rows| rows.0 < rows.1) {
                requests.push(borders(board.range(rows, columns), inside.clone()));
            }
        }
        if is_fresh(end - 1) || is_fresh(*end) {
            for header in &rows.headers {
                let whole = if header.1 == rows.data.0 {
                    (header.0, rows.data.1)
                } else {
                    *header
                };
                requests.push(borders(board.range(whole, columns), beside.clone()));
            }
        } else {
            let new = rows.fresh.iter().map(|new| board.range(*new, columns));
            requests.extend(new.map(|range| borders(range, beside.clone())));
        }
    }
    board.requests.append(&mut requests);
}

/// The column with which a group ended before new ones were put behind it.
fn was_last(segment: &Segment, is_fresh: impl Fn(usize) -> bool) -> Option<usize> {
    let last = segment.end.checked_sub(1).filter(|last| is_fresh(*last))?;
    (segment.start..last).rev().find(|position| !is_fresh(*position))
}

fn sizes(board: &mut Board, groups: HeaderRow, fields: HeaderRow) {
    let size = |sheet_id: i32, dimension: Dimension, (start_index, end_index): Span, pixel_size: u32| {
        Request::UpdateDimensionProperties {
            range: DimensionRange {
                sheet_id,
                dimension,
                start_index,
                end_index,
            },
            properties: DimensionProperties {
                pixel_size: Some(pixel_size),
                hidden_by_user: None,
            },
            fields: "pixelSize",
        }
    };
    let mut requests = Vec::new();
    let mut widths: Vec<(Span, u32)> = Vec::new();
    for column in board.columns.iter().filter(|column| column.bare || board.adopted) {
        match widths.last_mut() {
            Some(((_, end), width)) if *end == column.index && *width == column.key.width() => *end += 1,
            _ => widths.push(((column.index, column.index + 1), column.key.width())),
        }
    }
    for (span, width) in widths {
        requests.push(size(board.sheet_id, Dimension::Columns, span, width));
    }
    for (row, height) in [(groups, GROUPS_HEIGHT), (fields, FIELDS_HEIGHT)] {
        if row.bare || board.adopted {
            requests.push(size(
                board.sheet_id,
                Dimension::Rows,
                (row.index, row.index + 1),
                height,
            ));
        }
    }
    board.requests.append(&mut requests);
}

/// Marks rows whose product was delisted and unmarks those listed again.
fn strike(arranged: &mut Arranged<'_>) {
    let board = &arranged.board;
    let fresh_identity = board
        .columns
        .iter()
        .any(|column| column.bare && column.key.is_identity());
    let mut requests = Vec::new();
    for struck in [true, false] {
        let concerned = arranged.rows.iter().filter(|row| {
            row.product.is_none() == struck && (row.struck != struck || (struck && fresh_identity))
        });
        for rows in runs(concerned.map(|row| row.index)) {
            let identity = |position: usize| {
                board
                    .columns
                    .get(position)
                    .is_some_and(|column| column.key.is_identity())
            };
            for columns in spans(board, identity) {
                let range = board.range(rows, columns);
                requests.push(repeat(
                    range,
                    CellFormat::struck(struck),
                    "userEnteredFormat.textFormat.strikethrough",
                ));
            }
        }
    }
    arranged.board.requests.append(&mut requests);
}
