//! The layout's requests in the connector's types. Both follow the same discovery document; the layout may
//! not know of a network and the connector not of a layout, so this is where they meet.

use std::collections::HashMap;

use connectors::google as wire;
use sheet_layout::{self as layout, Cell};

fn signed(index: u32) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

/// What one batch carries of a plan.
pub(crate) enum Piece<'a> {
    /// A request.
    Whole(&'a layout::Request),
    /// Some rows of a rectangle of values: from one, up to before another.
    Rows(&'a layout::CellBlock, usize, usize),
    /// The worksheet is shown to people.
    Unveil(i32),
}

fn width(block: &layout::CellBlock) -> usize {
    usize::try_from(block.width).unwrap_or(usize::MAX).max(1)
}

fn rows(block: &layout::CellBlock, from: usize, to: usize) -> &[Cell] {
    let (start, end) = (from * width(block), (to * width(block)).min(block.cells.len()));
    block.cells.get(start..end).unwrap_or_default()
}

impl Piece<'_> {
    /// Number of cells it writes.
    pub(crate) fn cells(&self) -> usize {
        match self {
            Self::Whole(_) | Self::Unveil(_) => 0,
            Self::Rows(block, from, to) => rows(block, *from, *to).len(),
        }
    }

    /// What takes away again the values that it writes into a row; none where it writes none there.
    pub(crate) fn blank(&self, row: u32) -> Option<wire::Request> {
        let Self::Rows(block, from, to) = self else {
            return None;
        };
        let at = usize::try_from(row.checked_sub(block.start.row_index)?).ok()?;
        let start = layout::GridCoordinate {
            row_index: row,
            ..block.start
        };
        let empty = vec![Cell::Empty; width(block)];
        (*from..*to)
            .contains(&at)
            .then(|| wire::Request::UpdateCells(update_cells(start, block.width, &empty)))
    }

    /// As it is sent. A worksheet that is made in several batches is made `veiled`.
    pub(crate) fn request(&self, veiled: bool) -> wire::Request {
        match self {
            Self::Whole(whole) => match request(whole) {
                wire::Request::AddSheet(mut add) => {
                    add.properties.hidden = veiled.then_some(true);
                    wire::Request::AddSheet(add)
                }
                other => other,
            },
            Self::Rows(block, from, to) => {
                let mut start = block.start;
                start.row_index = start
                    .row_index
                    .saturating_add(u32::try_from(*from).unwrap_or(u32::MAX));
                wire::Request::UpdateCells(update_cells(start, block.width, rows(block, *from, *to)))
            }
            Self::Unveil(sheet_id) => wire::Request::UpdateSheetProperties(wire::UpdateSheetProperties {
                properties: wire::SheetProperties {
                    sheet_id: *sheet_id,
                    hidden: Some(false),
                    ..wire::SheetProperties::default()
                },
                fields: "hidden".to_owned(),
            }),
        }
    }
}

/// Bytes around the rows of one request.
const AROUND: usize = 160;

/// Bytes of a cell on the wire, not less than it takes.
fn cell_bytes(cell: &Cell) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=31 => 6,
        _ => 1,
    };
    match cell {
        Cell::Empty => 3,
        Cell::Int(_) | Cell::Tenths(_) => 64,
        Cell::Text(text) => 48 + text.bytes().map(escaped).sum::<usize>(),
    }
}

/// Bytes of the requests on the wire, not less than they take.
pub(crate) fn bytes(requests: &[layout::Request]) -> usize {
    let count = |one: &layout::Request| match one {
        layout::Request::UpdateCells(block) => {
            AROUND + block.cells.iter().map(cell_bytes).sum::<usize>() + block.cells.len() / width(block) * 16
        }
        other => serde_json::to_vec(&request(other)).map_or(AROUND, |body| body.len() + 1),
    };
    requests.iter().map(count).sum()
}

/// A plan in batches of at most `limit` bytes, as far as one row and what is no value allow. Everything but
/// values comes first and at once; all indices in a plan are those after its insertions, so values may come
/// last. A batch ends with whole rows: everything that changes in a row changes at once.
pub(crate) fn batches(requests: &[layout::Request], limit: usize) -> Vec<Vec<Piece<'_>>> {
    let mut first = Vec::new();
    let mut lines: Vec<(u32, &layout::CellBlock, usize)> = Vec::new();
    let mut others = Vec::new();
    for request in requests {
        if let layout::Request::UpdateCells(block) = request {
            let count = block.cells.len().div_ceil(width(block));
            lines.extend(
                (block.start.row_index..)
                    .zip(0..count)
                    .map(|(row, at)| (row, block, at)),
            );
        } else {
            first.push(Piece::Whole(request));
            others.push(request.clone());
        }
    }
    lines.sort_by_key(|(row, ..)| *row);
    let mut used = bytes(&others);
    let mut batches = vec![first];
    let mut open: HashMap<*const layout::CellBlock, usize> = HashMap::new();
    for line in lines.chunk_by(|a, b| a.0 == b.0) {
        let values = |(_, block, at): &(u32, &layout::CellBlock, usize)| -> usize {
            AROUND + rows(block, *at, at + 1).iter().map(cell_bytes).sum::<usize>()
        };
        let wanted: usize = line.iter().map(values).sum();
        if used > 0 && used + wanted > limit {
            batches.push(Vec::new());
            open.clear();
            used = 0;
        }
        used += wanted;
        let Some(batch) = batches.last_mut() else { continue };
        for (_, block, at) in line {
            let known = open.get(&std::ptr::from_ref(*block)).copied();
            match known.and_then(|place| batch.get_mut(place)) {
                Some(Piece::Rows(_, _, to)) if *to == *at => *to += 1,
                _ => {
                    open.insert(std::ptr::from_ref(*block), batch.len());
                    batch.push(Piece::Rows(block, *at, at + 1));
                }
            }
        }
    }
    batches
}

/// The cells that a request changes, as half-open rows and columns.
pub(crate) fn touched(request: &layout::Request) -> Option<((u32, u32), (u32, u32))> {
    use layout::Request as From;
    let of = |range: &layout::GridRange| {
        (
            (range.start_row_index, range.end_row_index),
            (range.start_column_index, range.end_column_index),
        )
    };
    match request {
        From::UpdateCells(block) => {
            let rows = u32::try_from(block.cells.len().div_ceil(width(block))).unwrap_or(u32::MAX);
            let at = block.start;
            Some((
                (at.row_index, at.row_index.saturating_add(rows)),
                (at.column_index, at.column_index.saturating_add(block.width)),
            ))
        }
        From::UpdateNote(note) => {
            let at = note.start;
            Some((
                (at.row_index, at.row_index + 1),
                (at.column_index, at.column_index + 1),
            ))
        }
        From::MergeCells { range, .. }
        | From::UnmergeCells { range }
        | From::RepeatCell { range, .. }
        | From::UpdateBorders { range, .. } => Some(of(range)),
        From::AddSheet { .. }
        | From::UpdateSheetProperties { .. }
        | From::AppendDimension { .. }
        | From::InsertDimension { .. }
        | From::DeleteDimension { .. }
        | From::CreateDeveloperMetadata { .. }
        | From::UpdateDeveloperMetadata(_)
        | From::UpdateDimensionProperties { .. } => None,
    }
}

/// One request as it is sent.
fn request(request: &layout::Request) -> wire::Request {
    use layout::Request as From;
    match request {
        From::AddSheet { properties } => wire::Request::AddSheet(wire::AddSheet {
            properties: sheet_properties(properties),
        }),
        From::UpdateSheetProperties { properties, fields } => {
            wire::Request::UpdateSheetProperties(wire::UpdateSheetProperties {
                properties: sheet_properties(properties),
                fields: (*fields).to_owned(),
            })
        }
        From::AppendDimension {
            sheet_id,
            dimension,
            length,
        } => wire::Request::AppendDimension(wire::AppendDimension {
            sheet_id: *sheet_id,
            dimension: dimension_of(*dimension),
            length: signed(*length),
        }),
        From::InsertDimension {
            range,
            inherit_from_before,
        } => wire::Request::InsertDimension(wire::InsertDimension {
            range: dimension_range(range),
            inherit_from_before: *inherit_from_before,
        }),
        From::DeleteDimension { range } => wire::Request::DeleteDimension(wire::DimensionRangeField {
            range: dimension_range(range),
        }),
        From::CreateDeveloperMetadata { developer_metadata } => {
            wire::Request::CreateDeveloperMetadata(wire::CreateDeveloperMetadata {
                developer_metadata: metadata(developer_metadata),
            })
        }
        From::UpdateDeveloperMetadata(renamed) => {
            wire::Request::UpdateDeveloperMetadata(wire::UpdateDeveloperMetadata {
                data_filters: vec![
                    wire::DeveloperMetadataLookup {
                        metadata_id: Some(renamed.metadata_id),
                        ..wire::DeveloperMetadataLookup::default()
                    }
                    .into(),
                ],
                developer_metadata: wire::DeveloperMetadata {
                    metadata_value: Some(renamed.metadata_value.clone()),
                    ..wire::DeveloperMetadata::default()
                },
                fields: "metadataValue".to_owned(),
            })
        }
        From::UnmergeCells { range } => wire::Request::UnmergeCells(wire::RangeField {
            range: grid_range(range),
        }),
        From::MergeCells { range, merge_type } => wire::Request::MergeCells(wire::MergeCells {
            range: grid_range(range),
            merge_type: (*merge_type).to_owned(),
        }),
        From::UpdateCells(block) => {
            wire::Request::UpdateCells(update_cells(block.start, block.width, &block.cells))
        }
        From::UpdateNote(note) => wire::Request::UpdateCells(update_note(note)),
        From::RepeatCell { range, cell, fields } => wire::Request::RepeatCell(wire::RepeatCell {
            range: grid_range(range),
            cell: wire::CellData {
                user_entered_format: Some(format(&cell.user_entered_format)),
                ..wire::CellData::default()
            },
            fields: (*fields).to_owned(),
        }),
        From::UpdateBorders { range, sides } => wire::Request::UpdateBorders(Box::new(wire::UpdateBorders {
            range: grid_range(range),
            top: border(sides.top),
            bottom: border(sides.bottom),
            left: border(sides.left),
            right: border(sides.right),
            inner_horizontal: border(sides.inner_horizontal),
            inner_vertical: border(sides.inner_vertical),
        })),
        From::UpdateDimensionProperties {
            range,
            properties,
            fields,
        } => wire::Request::UpdateDimensionProperties(wire::UpdateDimensionProperties {
            range: dimension_range(range),
            properties: wire::DimensionProperties {
                pixel_size: properties.pixel_size.map(signed),
                hidden_by_user: properties.hidden_by_user,
            },
            fields: (*fields).to_owned(),
        }),
    }
}

fn sheet_properties(properties: &layout::SheetProperties) -> wire::SheetProperties {
    let grid = &properties.grid_properties;
    wire::SheetProperties {
        sheet_id: properties.sheet_id,
        title: properties.title.clone(),
        index: None,
        hidden: None,
        grid_properties: Some(wire::GridProperties {
            row_count: grid.row_count.map(signed),
            column_count: grid.column_count.map(signed),
            frozen_row_count: Some(signed(grid.frozen_row_count)),
            frozen_column_count: None,
        }),
    }
}

const fn dimension_of(dimension: layout::Dimension) -> wire::Dimension {
    match dimension {
        layout::Dimension::Rows => wire::Dimension::Rows,
        layout::Dimension::Columns => wire::Dimension::Columns,
    }
}

fn dimension_range(range: &layout::DimensionRange) -> wire::DimensionRange {
    wire::DimensionRange {
        sheet_id: range.sheet_id,
        dimension: dimension_of(range.dimension),
        start_index: signed(range.start_index),
        end_index: Some(signed(range.end_index)),
    }
}

fn grid_range(range: &layout::GridRange) -> wire::GridRange {
    wire::GridRange {
        sheet_id: range.sheet_id,
        start_row_index: Some(signed(range.start_row_index)),
        end_row_index: Some(signed(range.end_row_index)),
        start_column_index: Some(signed(range.start_column_index)),
        end_column_index: Some(signed(range.end_column_index)),
    }
}

fn metadata(metadata: &layout::Metadata) -> wire::DeveloperMetadata {
    wire::DeveloperMetadata {
        metadata_id: Some(metadata.metadata_id),
        metadata_key: Some(metadata.metadata_key.to_owned()),
        metadata_value: Some(metadata.metadata_value.clone()),
        location: Some(wire::DeveloperMetadataLocation {
            dimension_range: Some(dimension_range(&metadata.location.dimension_range)),
            ..wire::DeveloperMetadataLocation::default()
        }),
        visibility: Some(metadata.visibility.to_owned()),
    }
}

fn coordinate(at: layout::GridCoordinate) -> wire::GridCoordinate {
    wire::GridCoordinate {
        sheet_id: at.sheet_id,
        row_index: signed(at.row_index),
        column_index: signed(at.column_index),
    }
}

fn update_cells(start: layout::GridCoordinate, width: u32, cells: &[Cell]) -> wire::UpdateCells {
    let width = usize::try_from(width).unwrap_or(usize::MAX).max(1);
    let rows = cells
        .chunks(width)
        .map(|row| wire::RowData {
            values: row
                .iter()
                .map(|cell| wire::CellData {
                    user_entered_value: value(cell),
                    ..wire::CellData::default()
                })
                .collect(),
        })
        .collect();
    wire::UpdateCells {
        start: coordinate(start),
        rows,
        fields: "userEnteredValue".to_owned(),
    }
}

fn update_note(note: &layout::NoteCell) -> wire::UpdateCells {
    wire::UpdateCells {
        start: coordinate(note.start),
        rows: vec![wire::RowData {
            values: vec![wire::CellData {
                // What the mask names and the cell lacks is cleared.
                note: (!note.note.is_empty()).then(|| note.note.clone()),
                ..wire::CellData::default()
            }],
        }],
        fields: "note".to_owned(),
    }
}

/// Google holds every number as a binary double; article numbers and units are far below its 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "the sheet's own numbers have no more digits"
)]
fn value(cell: &Cell) -> Option<wire::ExtendedValue> {
    match cell {
        Cell::Empty => None,
        Cell::Int(number) => Some(wire::ExtendedValue::NumberValue(*number as f64)),
        Cell::Tenths(tenths) => Some(wire::ExtendedValue::NumberValue(*tenths as f64 / 10.0)),
        Cell::Text(text) => Some(wire::ExtendedValue::StringValue(text.to_string())),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a colour's part has three digits")]
fn color(style: layout::ColorStyle) -> wire::ColorStyle {
    wire::Color {
        red: style.rgb_color.red as f32,
        green: style.rgb_color.green as f32,
        blue: style.rgb_color.blue as f32,
    }
    .into()
}

fn border(border: Option<layout::Border>) -> Option<wire::Border> {
    border.map(|border| wire::Border {
        style: match border.style {
            layout::BorderStyle::Solid => "SOLID",
            layout::BorderStyle::SolidThick => "SOLID_THICK",
        }
        .to_owned(),
        color_style: Some(color(border.color_style)),
    })
}

fn format(format: &layout::CellFormat) -> wire::CellFormat {
    wire::CellFormat {
        number_format: format.number_format.map(|number| wire::NumberFormat {
            kind: number.kind.to_owned(),
            pattern: number.pattern.to_owned(),
        }),
        background_color_style: format.background_color_style.map(color),
        text_format: format.text_format.as_ref().map(text_format),
        horizontal_alignment: format.horizontal_alignment.map(str::to_owned),
        vertical_alignment: format.vertical_alignment.map(str::to_owned),
        wrap_strategy: format.wrap_strategy.map(str::to_owned),
    }
}

fn text_format(format: &layout::TextFormat) -> wire::TextFormat {
    wire::TextFormat {
        bold: format.bold,
        italic: None,
        strikethrough: format.strikethrough,
        font_size: format.font_size.map(signed),
        font_family: None,
        foreground_color_style: format.foreground_color_style.map(color),
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, batches, text_format};
    use sheet_layout::{Cell, CellBlock, GridCoordinate, NoteCell, Request};

    #[test]
    fn the_mark_of_a_delisted_row_is_sent_and_so_is_its_end() {
        for struck in [true, false] {
            let format = sheet_layout::TextFormat {
                strikethrough: Some(struck),
                ..Default::default()
            };
            assert_eq!(text_format(&format).strikethrough, Some(struck));
        }
    }

    fn at(row_index: u32) -> GridCoordinate {
        GridCoordinate {
            sheet_id: 1,
            row_index,
            column_index: 4,
        }
    }

    fn block(row_index: u32, width: u32, cells: std::ops::Range<i64>) -> Request {
        Request::UpdateCells(CellBlock {
            start: at(row_index),
            width,
            cells: cells.map(Cell::Int).collect(),
        })
    }

    #[test]
    fn a_row_is_never_torn_between_two_batches_and_values_come_after_everything_else() {
        let note = NoteCell {
            start: at(0),
            note: "n".to_owned(),
        };
        // Two rectangles over the same rows: what is in a row goes together.
        let plan = [block(2, 3, 0..9), block(2, 1, 0..3), Request::UpdateNote(note)];
        let limit = super::bytes(&plan[2..]) + 700;
        let batches = batches(&plan, limit);
        let shape: Vec<Vec<String>> = batches
            .iter()
            .map(|batch| {
                let name = |piece: &Piece<'_>| match piece {
                    Piece::Whole(_) | Piece::Unveil(_) => "note".to_owned(),
                    Piece::Rows(block, from, to) => format!("{}x{from}-{to}", block.width),
                };
                batch.iter().map(name).collect()
            })
            .collect();
        assert_eq!(
            shape,
            [
                vec!["note", "3x0-1", "1x0-1"],
                vec!["3x1-2", "1x1-2"],
                vec!["3x2-3", "1x2-3"]
            ]
        );
    }

    #[test]
    fn the_size_of_a_batch_is_never_guessed_too_small() {
        let text = CellBlock {
            start: at(2),
            width: 2,
            cells: vec![Cell::Text("\"q\"\n\u{1}".into()), Cell::Text("Коллаген".into())],
        };
        let plan = [block(2, 4, -40..0), Request::UpdateCells(text)];
        let sent: Vec<_> = batches(&plan, usize::MAX)
            .iter()
            .flatten()
            .map(|piece| piece.request(false))
            .collect();
        let body = serde_json::to_vec(&sent).unwrap();
        assert!(
            body.len() <= super::bytes(&plan),
            "{} of {}",
            body.len(),
            super::bytes(&plan)
        );
    }
}
