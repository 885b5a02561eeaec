//! The table as an Excel workbook with the sheet's look.

use std::collections::HashMap;

use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Note, Workbook, Worksheet, XlsxError,
};

use super::{ExportError, Table, is_dangerous};
use crate::cell::Cell;
use crate::column::{BaseField, ColumnKey};
use crate::grid::HEADER_ROWS;
use crate::plan::{FIELDS_HEIGHT, GROUPS_HEIGHT};
use crate::request::Rgb;
use crate::view::Level;

/// Excel's limits (Excel specifications and limits).
const MAX_ROWS: usize = 1_048_576;
const MAX_COLUMNS: usize = 16_384;
const MAX_CELL_CHARACTERS: usize = 32_767;
/// A header cell's font size in points.
const HEADER_FONT_SIZE: u8 = 10;

type RowNumber = u32;
type ColumnNumber = u16;

/// Everything that makes two cells look different.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Look {
    part: Part,
    number_format: Option<&'static str>,
    /// The thick line that ends a group.
    ends_group: bool,
    level: Level,
    /// The text looks like a formula.
    quoted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Groups,
    Fields,
    Identity,
    Number,
}

pub(super) fn write(table: &Table, worksheet: &str) -> Result<Vec<u8>, ExportError> {
    let (rows, columns) = (table.rows().len(), table.columns.len());
    if rows > MAX_ROWS || columns > MAX_COLUMNS {
        return Err(ExportError::TooLarge { rows, columns });
    }
    workbook(table, worksheet).map_err(ExportError::Workbook)
}

fn workbook(table: &Table, name: &str) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    // Otherwise it is the time of writing, and the same table would give other bytes every second.
    let created = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
    let sheet = workbook.add_worksheet();
    sheet.set_name(name)?;
    let mut writer = Writer {
        table,
        ends: group_ends(table),
        formats: HashMap::new(),
    };
    writer.sizes(sheet)?;
    writer.group_titles(sheet)?;
    writer.cells(sheet)?;
    for (column, note) in table.title_notes() {
        let note = Note::new(&**note).add_author_prefix(false);
        sheet.insert_note(0, column_number(*column), &note)?;
    }
    for (column, note) in table.notes() {
        let note = Note::new(note).add_author_prefix(false);
        sheet.insert_note(1, column_number(column), &note)?;
    }
    workbook.save_to_buffer()
}

/// The columns right of which a thick line stands: the last of every group but the last warehouse.
fn group_ends(table: &Table) -> Vec<bool> {
    let mut ends = vec![false; table.columns.len()];
    let last_is_warehouse = matches!(table.columns.last(), Some(ColumnKey::Warehouse(..)));
    for group in table.groups() {
        if group.end == table.columns.len() && last_is_warehouse {
            continue;
        }
        if let Some(end) = group.end.checked_sub(1).and_then(|last| ends.get_mut(last)) {
            *end = true;
        }
    }
    ends
}

struct Writer<'a> {
    table: &'a Table,
    ends: Vec<bool>,
    formats: HashMap<Look, Format>,
}

impl Writer<'_> {
    fn sizes(&self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        sheet.set_row_height_pixels(0, GROUPS_HEIGHT)?;
        sheet.set_row_height_pixels(1, FIELDS_HEIGHT)?;
        for (place, column) in self.table.columns.iter().enumerate() {
            sheet.set_column_width_pixels(column_number(place), column.width())?;
        }
        sheet.set_freeze_panes(2, 0)?;
        Ok(())
    }

    /// The merged titles. They are written cell by cell afterwards, so that the last cell of a group has its
    /// line.
    fn group_titles(&mut self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        let look = self.look(0, 0, &Cell::Empty, Level::Enough);
        for group in self.table.groups() {
            let (first, last) = (column_number(group.start), column_number(group.end - 1));
            if first < last {
                sheet.merge_range(
                    0,
                    first,
                    0,
                    last,
                    "",
                    self.format(Look {
                        ends_group: false,
                        ..look
                    }),
                )?;
            }
        }
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a workbook holds numbers as doubles; units and articles are far below 2^53"
    )]
    fn cells(&mut self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        let table = self.table;
        let levels = table.levels();
        for (row, cells) in table.rows().enumerate() {
            let level = row.checked_sub(HEADER_ROWS).and_then(|row| levels.get(row));
            let number = row_number(row);
            for (place, cell) in cells.iter().enumerate() {
                let look = self.look(row, place, cell, level.copied().unwrap_or_default());
                let format = self.format(look);
                let column = column_number(place);
                match cell {
                    Cell::Empty => sheet.write_blank(number, column, format)?,
                    Cell::Int(value) => {
                        sheet.write_number_with_format(number, column, *value as f64, format)?
                    }
                    Cell::Tenths(value) => {
                        sheet.write_number_with_format(number, column, *value as f64 / 10.0, format)?
                    }
                    Cell::Text(text) => sheet.write_string_with_format(number, column, cut(text), format)?,
                };
            }
        }
        Ok(())
    }

    fn look(&self, row: usize, place: usize, cell: &Cell, level: Level) -> Look {
        let column = self.table.columns.get(place);
        let part = match (row, column) {
            (0, _) => Part::Groups,
            (1, _) => Part::Fields,
            (_, Some(column)) if column.is_identity() => Part::Identity,
            _ => Part::Number,
        };
        let coloured = matches!(
            column,
            Some(ColumnKey::Base(BaseField::AvailableTotal | BaseField::Turnover))
        );
        let language = self.table.view.language;
        Look {
            part,
            number_format: column
                .filter(|_| row >= HEADER_ROWS)
                .and_then(|column| column.number_format(language, true))
                .map(|format| format.pattern),
            ends_group: self.ends.get(place).copied().unwrap_or_default(),
            level: if coloured { level } else { Level::Enough },
            quoted: matches!(cell, Cell::Text(text) if is_dangerous(text)),
        }
    }

    fn format(&mut self, look: Look) -> &Format {
        self.formats.entry(look).or_insert_with(|| format(look))
    }
}

fn format(look: Look) -> Format {
    let (thin, thick) = (rgb(Rgb::grey(0.8)), rgb(Rgb::grey(0.2)));
    let mut format = Format::new().set_align(FormatAlign::VerticalCenter);
    format = match look.part {
        Part::Identity => format.set_align(FormatAlign::Left),
        Part::Number => format.set_align(FormatAlign::Center),
        Part::Groups | Part::Fields => format
            .set_align(FormatAlign::Center)
            .set_text_wrap()
            .set_bold()
            .set_font_size(HEADER_FONT_SIZE)
            .set_font_color(rgb(Rgb::grey(1.0)))
            .set_background_color(rgb(Rgb::HEADER)),
    };
    if look.part != Part::Groups {
        format = format.set_border(FormatBorder::Thin).set_border_color(thin);
    }
    if look.part == Part::Fields {
        format = format
            .set_border_bottom(FormatBorder::Thick)
            .set_border_bottom_color(thick);
    }
    if look.ends_group {
        format = format
            .set_border_right(FormatBorder::Thick)
            .set_border_right_color(thick);
    }
    if let Some(background) = Rgb::of_level(look.level) {
        format = format.set_background_color(rgb(background));
    }
    if let Some(pattern) = look.number_format {
        format = format.set_num_format(pattern);
    }
    if look.quoted {
        format = format.set_quote_prefix();
    }
    format
}

/// `0xRRGGBB`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a colour is between 0 and 1"
)]
fn rgb(color: Rgb) -> u32 {
    let part = |level: f64| (level.clamp(0.0, 1.0) * 255.0).round() as u32;
    part(color.red) << 16 | part(color.green) << 8 | part(color.blue)
}

/// At most what a cell holds; Excel counts UTF-16 units.
fn cut(text: &str) -> &str {
    if text.len() <= MAX_CELL_CHARACTERS {
        return text;
    }
    let mut units = 0;
    for (offset, character) in text.char_indices() {
        units += character.len_utf16();
        if units > MAX_CELL_CHARACTERS {
            return text.get(..offset).unwrap_or_default();
        }
    }
    text
}

/// Both are within Excel's limits, which were checked.
fn row_number(row: usize) -> RowNumber {
    RowNumber::try_from(row).unwrap_or(RowNumber::MAX)
}

fn column_number(column: usize) -> ColumnNumber {
    ColumnNumber::try_from(column).unwrap_or(ColumnNumber::MAX)
}
