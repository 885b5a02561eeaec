//! The table as CSV. Quoting is the library's; what cells read like is ours.

use std::borrow::Cow;

use chrono::NaiveDate;
use csv::{Terminator, WriterBuilder};

use super::{ExportError, Table, is_dangerous};
use crate::cell::{Cell, SERIAL_OF_UNIX_EPOCH};
use crate::column::Kind;
use crate::grid::HEADER_ROWS;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

pub(super) fn write(table: &Table) -> Result<Vec<u8>, ExportError> {
    let kinds: Vec<Kind> = table.columns.iter().map(super::ColumnKey::kind).collect();
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(BYTE_ORDER_MARK.to_vec());
    for (index, row) in table.rows().enumerate() {
        for (cell, kind) in row.iter().zip(&kinds) {
            let kind = if index < HEADER_ROWS { Kind::Text } else { *kind };
            writer
                .write_field(&*field(cell, kind))
                .map_err(ExportError::Csv)?;
        }
        writer.write_record(None::<&[u8]>).map_err(ExportError::Csv)?;
    }
    // Into memory, flushing cannot fail.
    writer
        .into_inner()
        .map_err(|error| ExportError::Csv(error.into_error().into()))
}

fn field(cell: &Cell, kind: Kind) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) if is_dangerous(text) => Cow::Owned(format!("'{text}")),
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Int(serial) if kind == Kind::Date => {
            let day = (serial.checked_sub(SERIAL_OF_UNIX_EPOCH))
                .and_then(|days| NaiveDate::from_epoch_days(i32::try_from(days).ok()?));
            Cow::Owned(day.map_or_else(|| serial.to_string(), |day| day.to_string()))
        }
        other => Cow::Owned(other.to_string()),
    }
}
