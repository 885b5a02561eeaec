//! The value of one cell, small enough (16 bytes) that grids of millions of cells can be held and compared.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::ser::{Serialize, SerializeMap, Serializer};

use measures::Tenths;

/// Google's limit on the characters of one cell (Sheets v4 usage limits); longer text is cut, so that one
/// product cannot make a whole sheet unwritable.
pub const MAX_CELL_CHARACTERS: usize = 50_000;

/// 1 January 1970 as spreadsheets count days.
pub(crate) const SERIAL_OF_UNIX_EPOCH: i64 = 25_569;

/// Text of a cell behind one thin pointer: a wide one would make every cell of a grid half as large again.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(Arc<Box<str>>);

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Arc::new(text.into()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Arc::new(text.into()))
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&**self, f)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}

/// A literal cell value. There are no formulas: a text that begins with `=` stays text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cell {
    /// Nothing in the cell.
    #[default]
    Empty,
    /// A whole number (units, orders, article numbers).
    Int(i64),
    /// A number with one decimal (days).
    Tenths(i64),
    /// Text, never empty when made by [`Cell::text`].
    Text(Text),
}

impl Cell {
    /// Text as a cell: empty text is an empty cell, text beyond [`MAX_CELL_CHARACTERS`] is cut.
    #[must_use]
    pub fn text(text: &str) -> Self {
        if text.is_empty() {
            return Self::Empty;
        }
        // Bytes bound characters from above, so that the count is paid only by texts that might be too long.
        if text.len() > MAX_CELL_CHARACTERS {
            // Sheets counts UTF-16 units.
            let mut units = 0;
            for (offset, character) in text.char_indices() {
                units += character.len_utf16();
                if units > MAX_CELL_CHARACTERS {
                    return Self::Text(text.get(..offset).unwrap_or_default().into());
                }
            }
        }
        Self::Text(text.into())
    }

    /// Days as a cell; none is an empty cell.
    #[must_use]
    pub fn days(days: Option<Tenths>) -> Self {
        days.map_or(Self::Empty, |tenths| Self::Tenths(tenths.0))
    }
}

impl Cell {
    /// A day as a cell: days since 30 December 1899, which is how Sheets and Excel hold dates (for Excel from
    /// March 1900 on); none is an empty cell.
    #[must_use]
    pub fn day(day: Option<NaiveDate>) -> Self {
        day.map_or(Self::Empty, |day| {
            Self::Int(i64::from(day.to_epoch_days()) + SERIAL_OF_UNIX_EPOCH)
        })
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Int(number) => write!(f, "{number}"),
            Self::Tenths(tenths) => write!(f, "{}", Tenths(*tenths)),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Grids of millions of them are held twice at a time.
const _: () = assert!(size_of::<Cell>() == 16);

/// Serialises a [`Cell`] as Sheets v4 `CellData` holding only `userEnteredValue`; an empty cell is `{}`,
/// which clears.
pub(crate) struct CellData<'a>(pub(crate) &'a Cell);

struct ExtendedValue<'a>(&'a Cell);

impl Serialize for CellData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if *self.0 != Cell::Empty {
            map.serialize_entry("userEnteredValue", &ExtendedValue(self.0))?;
        }
        map.end()
    }
}

impl Serialize for ExtendedValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.0 {
            Cell::Empty => {}
            Cell::Int(number) => map.serialize_entry("numberValue", number)?,
            Cell::Tenths(tenths) if tenths % 10 == 0 => map.serialize_entry("numberValue", &(tenths / 10))?,
            Cell::Tenths(tenths) => map.serialize_entry("numberValue", &(*tenths as f64 / 10.0))?,
            Cell::Text(text) => map.serialize_entry("stringValue", &**text)?,
        }
        map.end()
    }
}
