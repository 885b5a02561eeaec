//! The layout's requests in the connector's types. Both follow the same discovery document; the layout may
//! not know of a network and the connector not of a layout, so this is where they meet.

use connectors::google as wire;
use sheet_layout::{self as layout, Cell};

fn signed(index: u32) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

/// What one batch carries of a plan.
pub(crate) enum Piece<'a> {
    /// A request.
    Whole(&'a layout::Request),
    /// Some rows of a rectangle of values.
    Rows(layout::GridCoordinate, u32, &'a [Cell]),
}

impl Piece<'_> {
    /// Number of cells it writes.
    pub(crate) fn cells(&self) -> usize {
        match self {
            Self::Whole(_) => 0,
            Self::Rows(_, _, cells) => cells.len(),
        }
    }

    /// As it is sent.
    pub(crate) fn request(&self) -> wire::Request {
        match self {
            Self::Whole(whole) => request(whole),
            Self::Rows(start, width, cells) => {
                wire::Request::UpdateCells(update_cells(*start, *width, cells))
            }
        }
    }
}

/// Number of cells the requests write, the measure of their size.
pub(crate) fn cells(requests: &[layout::Request]) -> usize {
    let count = |request: &layout::Request| match request {
        layout::Request::UpdateCells(block) => block.cells.len(),
        _ => 0,
    };
    requests.iter().map(count).sum()
}

/// A plan in batches of at most `limit` cells (a row is never cut). Everything but values comes first and at
/// once, so that between two batches only values are missing, which the next reading finds; all indices in a
/// plan are those after its insertions, so values may come last.
pub(crate) fn batches(requests: &[layout::Request], limit: usize) -> Vec<Vec<Piece<'_>>> {
    let mut batches = vec![Vec::new()];
    let mut room = limit;
    let mut blocks = Vec::new();
    for request in requests {
        match request {
            layout::Request::UpdateCells(block) => blocks.push(block),
            other => batches
                .iter_mut()
                .for_each(|first| first.push(Piece::Whole(other))),
        }
    }
    for block in blocks {
        let width = usize::try_from(block.width).unwrap_or(usize::MAX).max(1);
        let (mut rest, mut start) = (block.cells.as_slice(), block.start);
        while !rest.is_empty() {
            if room < width && room < limit {
                batches.push(Vec::new());
                room = limit;
            }
            let rows = (room / width).max(1).min(rest.len().div_ceil(width));
            let (now, later) = rest.split_at((rows * width).min(rest.len()));
            if let Some(batch) = batches.last_mut() {
                batch.push(Piece::Rows(start, block.width, now));
            }
            room = room.saturating_sub(now.len());
            start.row_index = start
                .row_index
                .saturating_add(u32::try_from(rows).unwrap_or(u32::MAX));
            rest = later;
        }
    }
    batches
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
                pixel_size: Some(signed(properties.pixel_size)),
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
                note: Some(note.note.clone()),
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

    #[test]
    fn values_are_cut_between_rows_and_come_after_everything_else() {
        let block = CellBlock {
            start: at(2),
            width: 3,
            cells: (0..15).map(Cell::Int).collect(),
        };
        let note = NoteCell {
            start: at(0),
            note: "n".to_owned(),
        };
        let plan = [Request::UpdateCells(block), Request::UpdateNote(note)];
        let batches = batches(&plan, 7);
        let shape: Vec<Vec<String>> = batches
            .iter()
            .map(|batch| {
                let name = |piece: &Piece<'_>| match piece {
                    Piece::Whole(_) => "note".to_owned(),
                    Piece::Rows(start, _, cells) => format!("{}:{}", start.row_index, cells.len()),
                };
                batch.iter().map(name).collect()
            })
            .collect();
        assert_eq!(shape, [vec!["note", "2:6"], vec!["4:6"], vec!["6:3"]]);
    }
}
