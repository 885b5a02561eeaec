//! A grid as bytes, so that what was written survives a restart. Most cells of a real grid are a warehouse
//! without stock (0, 0, empty); a run of those takes two or three bytes, which is why no compression library
//! is needed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Grid, GridRow, HEADER_ROWS};
use crate::cell::{Cell, Text};
use crate::column::ColumnKey;
use crate::view::Look;

/// Raised with every change of the encoding; other versions are refused and the sheet is then verified by
/// reading.
const VERSION: u8 = 1;
/// With the look behind the note; used where the look is not the default.
const VERSION_WITH_LOOK: u8 = 2;
/// With what is missing of the look, of names and of columns behind it; used where something is.
const VERSION_WITH_OWED: u8 = 3;
/// With notes on the titles of warehouses behind all of it; used where there are some.
const VERSION_WITH_TITLE_NOTES: u8 = 4;
/// No spreadsheet has more cells, so no honest encoding does.
const MAX_CELLS: usize = 10_000_000;
const CHECKSUM_BYTES: usize = 8;

const TAG_RUN: u128 = 0;
const TAG_INT: u128 = 1;
const TAG_TENTHS: u128 = 2;
const TAG_TEXT: u128 = 3;

/// Why bytes are not a grid. The remedy is always to treat the grid as unknown.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GridDecodeError {
    /// Written by another version of the encoding.
    #[error("grid encoding version {0} is not known")]
    Version(u8),
    /// The checksum does not match.
    #[error("grid bytes are damaged")]
    Checksum,
    /// The checksum matches but the content does not decode.
    #[error("grid bytes are malformed")]
    Malformed,
}

impl Grid {
    /// Encodes the grid.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // A look is a handful of choices; should it ever fail to encode, the default makes the next plan
        // rewrite notes and colours.
        let rest = (&self.owed, &self.unnamed, self.full, self.narrow);
        let notes = (!self.title_notes.is_empty())
            .then(|| serde_json::to_string(&self.title_notes).ok())
            .flatten();
        let lacking = self.owed.is_some() || !self.unnamed.is_empty() || self.narrow.is_some();
        let owed = (lacking || notes.is_some())
            .then(|| serde_json::to_string(&rest).ok())
            .flatten();
        let look = (self.look != Look::default() || owed.is_some())
            .then(|| serde_json::to_string(&self.look).ok())
            .flatten();
        let version = match (&look, &owed, &notes) {
            (Some(_), Some(_), Some(_)) => VERSION_WITH_TITLE_NOTES,
            (Some(_), Some(_), None) => VERSION_WITH_OWED,
            (Some(_), None, _) => VERSION_WITH_LOOK,
            (None, ..) => VERSION,
        };
        let mut out = vec![version];
        put_text(&mut out, &self.note);
        if let Some(look) = look {
            put_text(&mut out, &look);
            if let Some(owed) = owed {
                put_text(&mut out, &owed);
                if let Some(notes) = notes {
                    put_text(&mut out, &notes);
                }
            }
        }
        put_size(&mut out, self.columns.len());
        for column in &self.columns {
            put_text(&mut out, column);
        }
        put_size(&mut out, self.rows.len());
        for row in &self.rows {
            put_text(&mut out, &row.key);
            out.push(u8::from(row.listed));
        }
        self.put_cells(&mut out);
        let sum = fnv1a(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// A hash of the whole content, stable over processes and versions of the compiler; not cryptographic.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let bytes = self.to_bytes();
        fnv1a(bytes.get(..bytes.len() - CHECKSUM_BYTES).unwrap_or_default())
    }

    /// Decodes what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`GridDecodeError`] on another version, damage, or bytes that never were a grid.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GridDecodeError> {
        let version = *bytes.first().ok_or(GridDecodeError::Malformed)?;
        if !(VERSION..=VERSION_WITH_TITLE_NOTES).contains(&version) {
            return Err(GridDecodeError::Version(version));
        }
        let (body, sum) = bytes
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .and_then(|length| bytes.split_at_checked(length))
            .ok_or(GridDecodeError::Malformed)?;
        if fnv1a(body).to_le_bytes() != sum {
            return Err(GridDecodeError::Checksum);
        }
        Reader {
            bytes: body.get(1..).unwrap_or_default(),
        }
        .grid(version)
        .ok_or(GridDecodeError::Malformed)
    }

    fn put_cells(&self, out: &mut Vec<u8>) {
        let mut texts: HashMap<&str, usize> = HashMap::new();
        let mut at = 0;
        while let Some(cell) = self.cells.get(at) {
            let mut runs: u128 = 0;
            while let Some([Cell::Int(0), Cell::Int(0), Cell::Empty]) = self.cells.get(at..at + 3) {
                runs += 1;
                at += 3;
            }
            if runs > 0 {
                put_varint(out, runs << 2 | TAG_RUN);
                continue;
            }
            at += 1;
            match cell {
                Cell::Empty => put_varint(out, TAG_RUN),
                Cell::Int(number) => put_varint(out, zigzag(*number) << 2 | TAG_INT),
                Cell::Tenths(number) => put_varint(out, zigzag(*number) << 2 | TAG_TENTHS),
                Cell::Text(text) => {
                    let next = texts.len();
                    let index = *texts.entry(text).or_insert(next);
                    put_varint(out, u128::try_from(index).unwrap_or_default() << 2 | TAG_TEXT);
                    if index == next {
                        put_text(out, text);
                    }
                }
            }
        }
    }
}

fn zigzag(number: i64) -> u128 {
    u128::from(((number << 1) ^ (number >> 63)).cast_unsigned())
}

fn unzigzag(number: u128) -> Option<i64> {
    let number = u64::try_from(number).ok()?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

fn put_varint(out: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn put_size(out: &mut Vec<u8>, size: usize) {
    put_varint(out, u128::try_from(size).unwrap_or_default());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_size(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// FNV-1a, 64 bit: finds accidental damage; nobody gains by forging a grid.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u128> {
        let mut number: u128 = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A count of things that each take at least a byte, so that a lie cannot reserve memory.
    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?)
            .ok()
            .filter(|size| *size <= self.bytes.len())
    }

    fn text(&mut self) -> Option<Arc<str>> {
        let size = self.size()?;
        let (text, rest) = self.bytes.split_at_checked(size)?;
        self.bytes = rest;
        Some(std::str::from_utf8(text).ok()?.into())
    }

    fn grid(mut self, version: u8) -> Option<Grid> {
        let note = self.text()?;
        let look = if version == VERSION {
            Look::default()
        } else {
            serde_json::from_str(&self.text()?).ok()?
        };
        let (owed, unnamed, full, narrow) = if version >= VERSION_WITH_OWED {
            serde_json::from_str(&self.text()?).ok()?
        } else {
            (None, BTreeSet::new(), false, None)
        };
        let title_notes = if version == VERSION_WITH_TITLE_NOTES {
            serde_json::from_str(&self.text()?).ok()?
        } else {
            BTreeMap::new()
        };
        let columns = (0..self.size()?)
            .map(|_| self.text().map(|name| ColumnKey::renewed(&name)))
            .collect::<Option<Vec<_>>>()?;
        let count = self.size()?;
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            let key = self.text()?;
            let listed = match self.byte()? {
                0 => false,
                1 => true,
                _ => return None,
            };
            rows.push(GridRow { key, listed });
        }
        let wanted = (rows.len() + HEADER_ROWS)
            .checked_mul(columns.len())
            .filter(|cells| *cells <= MAX_CELLS)?;
        let mut cells = Vec::with_capacity(wanted);
        let mut texts: Vec<Text> = Vec::new();
        while cells.len() < wanted {
            self.cells(&mut cells, &mut texts, wanted)?;
        }
        (cells.len() == wanted && self.bytes.is_empty()).then_some(Grid {
            columns,
            rows,
            cells,
            note,
            title_notes,
            look,
            doubted: false,
            owed,
            unnamed,
            full,
            narrow,
        })
    }

    fn cells(&mut self, cells: &mut Vec<Cell>, texts: &mut Vec<Text>, wanted: usize) -> Option<()> {
        let token = self.varint()?;
        let value = token >> 2;
        match token & 3 {
            TAG_RUN if value == 0 => cells.push(Cell::Empty),
            TAG_RUN => {
                let runs = usize::try_from(value)
                    .ok()
                    .filter(|runs| *runs <= (wanted - cells.len()) / 3)?;
                for _ in 0..runs {
                    cells.extend([Cell::Int(0), Cell::Int(0), Cell::Empty]);
                }
            }
            TAG_INT => cells.push(Cell::Int(unzigzag(value)?)),
            TAG_TENTHS => cells.push(Cell::Tenths(unzigzag(value)?)),
            _ => {
                let index = usize::try_from(value).ok()?;
                if index == texts.len() {
                    let text = self.text()?;
                    texts.push((&*text).into());
                }
                cells.push(Cell::Text(texts.get(index)?.clone()));
            }
        }
        Some(())
    }
}
