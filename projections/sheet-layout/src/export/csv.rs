//! The table as CSV. Quoting is the library's; what cells read like is ours, and depends on who reads: a
//! program takes every field for what it is, a spreadsheet guesses by the rules of its country.

use std::borrow::Cow;

use chrono::NaiveDate;
use csv::{Terminator, WriterBuilder};

use super::{ExportError, Table, is_dangerous};
use crate::cell::{Cell, SERIAL_OF_UNIX_EPOCH};
use crate::column::Kind;
use crate::grid::HEADER_ROWS;
use crate::view::Language;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// From twelve digits on a spreadsheet shows a whole number as `1,2E+11`, and from sixteen on it loses digits
/// (Excel specifications and limits: 15 digits of precision).
const SHOWN_WHOLE: i64 = 100_000_000_000;
/// Longest text in a formula (Excel specifications and limits).
const FORMULA_TEXT: usize = 255;

/// For whom a CSV file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvDialect {
    /// For programs: commas, a decimal point, no byte order mark, every text as it is. A spreadsheet must not
    /// open it: a text may look like a formula.
    Machine,
    /// For a spreadsheet that is set to this language's country. Russian: semicolons and a decimal comma;
    /// English: commas and a decimal point; both with a byte order mark. A text that would be taken for a
    /// formula has an apostrophe in front; one that would be taken for a number, date, time or truth value is
    /// written as `="…"`, which is that text in the cell.
    Spreadsheet(Language),
}

impl CsvDialect {
    const fn separator(self) -> u8 {
        match self {
            Self::Machine | Self::Spreadsheet(Language::English) => b',',
            Self::Spreadsheet(Language::Russian) => b';',
        }
    }

    const fn decimal_comma(self) -> bool {
        matches!(self, Self::Spreadsheet(Language::Russian))
    }
}

pub(super) fn write(table: &Table, dialect: CsvDialect) -> Result<Vec<u8>, ExportError> {
    let kinds: Vec<Kind> = table.columns.iter().map(super::ColumnKey::kind).collect();
    let start = match dialect {
        CsvDialect::Machine => Vec::new(),
        CsvDialect::Spreadsheet(_) => BYTE_ORDER_MARK.to_vec(),
    };
    let mut writer = WriterBuilder::new()
        .delimiter(dialect.separator())
        .terminator(Terminator::CRLF)
        .from_writer(start);
    for (index, row) in table.rows().enumerate() {
        for (cell, kind) in row.iter().zip(&kinds) {
            let kind = if index < HEADER_ROWS { Kind::Text } else { *kind };
            writer
                .write_field(&*field(cell, kind, dialect))
                .map_err(ExportError::Csv)?;
        }
        writer.write_record(None::<&[u8]>).map_err(ExportError::Csv)?;
    }
    // Into memory, flushing cannot fail.
    writer
        .into_inner()
        .map_err(|error| ExportError::Csv(error.into_error().into()))
}

fn field(cell: &Cell, kind: Kind, dialect: CsvDialect) -> Cow<'_, str> {
    let guarded = dialect != CsvDialect::Machine;
    match cell {
        Cell::Text(text) if guarded && is_dangerous(text) => Cow::Owned(format!("'{text}")),
        Cell::Text(text) if guarded && is_guessed(text) => as_text(text),
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Int(serial) if kind == Kind::Date => {
            let day = (serial.checked_sub(SERIAL_OF_UNIX_EPOCH))
                .and_then(|days| NaiveDate::from_epoch_days(i32::try_from(days).ok()?));
            Cow::Owned(day.map_or_else(|| serial.to_string(), |day| day.to_string()))
        }
        Cell::Int(number) if guarded && kind == Kind::Article && *number >= SHOWN_WHOLE => {
            Cow::Owned(format!("=\"{number}\""))
        }
        Cell::Tenths(_) if dialect.decimal_comma() => Cow::Owned(cell.to_string().replace('.', ",")),
        other => Cow::Owned(other.to_string()),
    }
}

/// The text as a formula that is nothing but this text; one too long for that is no number anyway.
fn as_text(text: &str) -> Cow<'_, str> {
    if text.encode_utf16().count() > FORMULA_TEXT {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("=\"{}\"", text.replace('"', "\"\"")))
}

/// Whether a spreadsheet may take a text for something else: it has a digit and no letters but those of an
/// exponent, a month, a currency or a half of the day, or it is a truth value. Rather too often than too
/// seldom.
fn is_guessed(text: &str) -> bool {
    const WORDS: [&str; 37] = [
        "e",
        "p",
        "a",
        "am",
        "pm",
        "р",
        "руб",
        "true",
        "false",
        "истина",
        "ложь",
        "jan",
        "feb",
        "mar",
        "apr",
        "may",
        "jun",
        "jul",
        "aug",
        "sep",
        "oct",
        "nov",
        "dec",
        "янв",
        "фев",
        "мар",
        "апр",
        "май",
        "мая",
        "июн",
        "июл",
        "авг",
        "сен",
        "окт",
        "ноя",
        "дек",
        "г",
    ];
    const TRUTH: [&str; 4] = ["true", "false", "истина", "ложь"];
    let lower = text.trim().to_lowercase();
    if TRUTH.contains(&lower.as_str()) {
        return true;
    }
    let mut words = lower
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty());
    lower.contains(|c: char| c.is_numeric())
        && words.all(|word| {
            // Months are known by their beginning, however far they are written out.
            WORDS.iter().any(|known| {
                if known.chars().count() == 3 {
                    word.starts_with(known)
                } else {
                    word == *known
                }
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_a_spreadsheet_would_change_are_known() {
        for text in [
            "00123",
            "4600000000000",
            "1E5",
            "12e3",
            "10-12",
            "1/2",
            "3.14",
            "3,14",
            "12:30",
            "50%",
            "$5",
            "5 р.",
            "1 мая",
            "май 2026",
            "MAR1",
            "2026-11-30",
            " 7 ",
            "1,000",
            "TRUE",
            "ложь",
            "10 PM",
            "(5)",
            "№ 5",
        ] {
            assert!(is_guessed(text), "{text}");
        }
        for text in [
            "ABC-123",
            "Платье 42",
            "Бренд",
            "",
            "-",
            "A1B2",
            "12 шт",
            "42 размер",
            "XL",
        ] {
            assert!(!is_guessed(text), "{text}");
        }
    }

    #[test]
    fn what_is_kept_as_text_is_one_literal_whatever_is_in_it() {
        assert_eq!(as_text("00123"), "=\"00123\"");
        assert_eq!(as_text("1\"2"), "=\"1\"\"2\"");
        let long = "1".repeat(256);
        assert_eq!(as_text(&long), long.as_str());
    }
}
