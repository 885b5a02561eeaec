//! A1 notation: reading what a client asks for and writing ranges the way Google normalises them.

use super::errors::ApiError;
use super::model::{Rect, Sheet, Spreadsheet};

/// Most columns a sheet can have (ZZZ).
pub(crate) const MAX_COLUMNS: usize = 18_278;

/// A range on a sheet; missing ends are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Position of the sheet in the spreadsheet.
    pub(crate) sheet: usize,
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) bottom: Option<usize>,
    pub(crate) right: Option<usize>,
    /// Written as one cell: a write may extend from there.
    pub(crate) single: bool,
}

impl Asked {
    /// The range cut to the sheet's grid.
    pub(crate) fn clip(&self, sheet: &Sheet) -> Rect {
        let bottom = self.bottom.unwrap_or(sheet.row_count).min(sheet.row_count);
        let right = self.right.unwrap_or(sheet.column_count).min(sheet.column_count);
        Rect {
            top: self.top.min(bottom),
            left: self.left.min(right),
            bottom,
            right,
        }
    }
}

/// `0` → `A`, `26` → `AA`.
pub(crate) fn column_letters(index: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = index + 1;
    while rest > 0 {
        letters.push(char::from(b'A' + u8::try_from((rest - 1) % 26).unwrap_or(0)));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

/// A sheet's title as it stands before the `!`.
pub(crate) fn quoted(title: &str) -> String {
    let plain = title.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && title.chars().next().is_some_and(|c| !c.is_ascii_digit());
    if plain {
        title.to_owned()
    } else {
        format!("'{}'", title.replace('\'', "''"))
    }
}

/// `Products!A1:C4`.
pub(crate) fn range_text(title: &str, rect: Rect) -> String {
    let start = format!("{}{}", column_letters(rect.left), rect.top + 1);
    let end = format!("{}{}", column_letters(rect.right.saturating_sub(1)), rect.bottom);
    if start == end {
        format!("{}!{start}", quoted(title))
    } else {
        format!("{}!{start}:{end}", quoted(title))
    }
}

/// Finds the sheet and cells that `text` names.
pub(crate) fn parse(book: &Spreadsheet, text: &str) -> Result<Asked, ApiError> {
    read(book, text).ok_or_else(|| ApiError::invalid(format!("Unable to parse range: {text}")))
}

fn read(book: &Spreadsheet, text: &str) -> Option<Asked> {
    let find = |title: &str| {
        book.sheets
            .iter()
            .position(|sheet| sheet.title.eq_ignore_ascii_case(title))
    };
    let (sheet, cells) = if let Some(rest) = text.strip_prefix('\'') {
        let end = closing_quote(rest)?;
        let (title, after) = rest.split_at_checked(end)?;
        let after = after.get(1..)?;
        let cells = if after.is_empty() {
            None
        } else {
            Some(after.strip_prefix('!')?)
        };
        (find(&title.replace("''", "'"))?, cells)
    } else if let Some((title, cells)) = text.rsplit_once('!') {
        (find(title)?, Some(cells))
    } else if let Some(sheet) = find(text) {
        (sheet, None)
    } else {
        (0, Some(text))
    };
    book.sheets.get(sheet)?;
    let whole = Asked {
        sheet,
        top: 0,
        left: 0,
        bottom: None,
        right: None,
        single: false,
    };
    match cells {
        None => Some(whole),
        Some(cells) => read_cells(whole, cells),
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut quotes = text.match_indices('\'').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.peek() == Some(&(at + 1)) {
            quotes.next();
        } else {
            return Some(at);
        }
    }
    None
}

fn read_cells(mut range: Asked, text: &str) -> Option<Asked> {
    let (from, to) = match text.split_once(':') {
        Some((from, to)) => (read_corner(from)?, Some(read_corner(to)?)),
        None => (read_corner(text)?, None),
    };
    range.left = from.0.unwrap_or(0);
    range.top = from.1.unwrap_or(0);
    match to {
        None => {
            // A lone column or row is not a range in A1 notation.
            range.right = Some(from.0? + 1);
            range.bottom = Some(from.1? + 1);
            range.single = true;
        }
        Some((column, row)) => {
            range.right = column.map(|column| column + 1);
            range.bottom = row.map(|row| row + 1);
            if let Some(right) = range.right
                && right <= range.left
            {
                (range.left, range.right) = (right - 1, Some(range.left + 1));
            }
            if let Some(bottom) = range.bottom
                && bottom <= range.top
            {
                (range.top, range.bottom) = (bottom - 1, Some(range.top + 1));
            }
        }
    }
    Some(range)
}

/// `B7`, `B` or `7` as zero-based column and row.
pub(crate) fn read_corner(text: &str) -> Option<(Option<usize>, Option<usize>)> {
    let text = text.trim().replace('$', "");
    let digits = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let (letters, number) = text.split_at(digits);
    let mut column = None;
    for letter in letters.chars() {
        let value = usize::from(
            u8::try_from(letter.to_ascii_uppercase())
                .ok()?
                .checked_sub(b'A')?,
        );
        if value > 25 {
            return None;
        }
        let so_far: usize = column.map_or(0, |column: usize| column + 1);
        column = Some(so_far * 26 + value);
        if column >= Some(MAX_COLUMNS) {
            return None;
        }
    }
    let row = if number.is_empty() {
        None
    } else {
        Some(number.parse::<usize>().ok()?.checked_sub(1)?)
    };
    (column.is_some() || row.is_some()).then_some((column, row))
}
