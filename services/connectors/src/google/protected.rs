//! Protected ranges: which ones are closed to this account, and what a person sees them called.

use super::wire::{GridRange, ProtectedRange};

/// From the first row or column to the one behind the last.
pub type Span = (u32, u32);

impl GridRange {
    /// Its rows and columns; what is left open goes on for ever.
    #[must_use]
    pub fn spans(&self) -> (Span, Span) {
        let or =
            |index: Option<i32>, absent| index.map_or(absent, |index| u32::try_from(index).unwrap_or(absent));
        (
            (or(self.start_row_index, 0), or(self.end_row_index, u32::MAX)),
            (
                or(self.start_column_index, 0),
                or(self.end_column_index, u32::MAX),
            ),
        )
    }
}

impl ProtectedRange {
    /// Whether the account that asked may not edit it. One that only warns people warns no program.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        !self.requesting_user_can_edit && !self.warning_only
    }

    /// Whether it keeps an account to which it is closed from changing these rows and columns.
    #[must_use]
    pub fn blocks(&self, (rows, columns): (Span, Span)) -> bool {
        // Without a range a whole worksheet is protected, or a named range, whose cells Google tells too.
        let Some(area) = &self.range else { return true };
        let meet = |a: Span, b: Span| a.0 < b.1 && b.0 < a.1;
        let inside = |outer: Span, inner: Span| outer.0 <= inner.0 && inner.1 <= outer.1;
        let (on_rows, on_columns) = area.spans();
        let free = self.unprotected_ranges.iter().any(|free| {
            let (free_rows, free_columns) = free.spans();
            inside(free_rows, rows) && inside(free_columns, columns)
        });
        meet(on_rows, rows) && meet(on_columns, columns) && !free
    }

    /// Whether it is the whole worksheet, with nothing left open in it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let everything = ((0, u32::MAX), (0, u32::MAX));
        self.unprotected_ranges.is_empty()
            && self
                .range
                .as_ref()
                .is_none_or(|range| range.spans() == everything)
    }
}

/// What ranges of a worksheet are called in the menu of protected ranges; the first five of them.
#[must_use]
pub fn range_names(title: &str, ranges: &[&ProtectedRange]) -> String {
    const SHOWN: usize = 5;
    let name = |range: &&ProtectedRange| {
        let place = range
            .range
            .as_ref()
            .map_or_else(|| title.to_owned(), |range| a1(title, range));
        match range.description.as_deref() {
            Some(text) if !text.is_empty() => format!("{place} «{text}»"),
            _ => place,
        }
    };
    let mut list: Vec<String> = ranges.iter().take(SHOWN).map(name).collect();
    if ranges.len() > SHOWN {
        list.push("…".to_owned());
    }
    list.join(", ")
}

fn a1(title: &str, range: &GridRange) -> String {
    let ((top, bottom), (left, right)) = range.spans();
    let (rows, columns) = (bottom != u32::MAX, right != u32::MAX);
    match (rows, columns) {
        (false, false) => title.to_owned(),
        (false, true) => format!("{title}!{}:{}", letters(left), letters(right.saturating_sub(1))),
        (true, false) => format!("{title}!{}:{bottom}", top + 1),
        (true, true) => format!(
            "{title}!{}{}:{}{bottom}",
            letters(left),
            top + 1,
            letters(right.saturating_sub(1))
        ),
    }
}

/// Letters of a zero-based column: 0 is `A`, 26 is `AA`.
#[must_use]
pub fn letters(column: u32) -> String {
    let mut rest = column + 1;
    let mut text = Vec::new();
    while rest > 0 {
        let digit = (rest - 1) % 26;
        text.push(char::from(b'A' + u8::try_from(digit).unwrap_or_default()));
        rest = (rest - 1) / 26;
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::{letters, range_names};
    use crate::google::{GridRange, ProtectedRange};

    fn range(rows: Option<(i32, i32)>, columns: Option<(i32, i32)>) -> GridRange {
        GridRange {
            sheet_id: 1,
            start_row_index: rows.map(|rows| rows.0),
            end_row_index: rows.map(|rows| rows.1),
            start_column_index: columns.map(|columns| columns.0),
            end_column_index: columns.map(|columns| columns.1),
        }
    }

    fn protected(range: GridRange) -> ProtectedRange {
        ProtectedRange {
            range: Some(range),
            ..ProtectedRange::default()
        }
    }

    #[test]
    fn a_range_blocks_what_it_meets_unless_it_is_left_open_there() {
        let column = protected(range(None, Some((2, 3))));
        assert!(column.blocks(((5, 6), (0, 3))) && !column.blocks(((5, 6), (3, 9))));
        let sheet = ProtectedRange {
            unprotected_ranges: vec![range(None, Some((0, 9)))],
            ..protected(range(None, None))
        };
        assert!(!sheet.blocks(((0, 2), (0, 9))) && sheet.blocks(((0, 2), (8, 10))));
    }

    #[test]
    fn a_worksheet_is_whole_unless_something_in_it_is_left_open() {
        assert!(ProtectedRange::default().is_whole());
        assert!(protected(range(None, None)).is_whole());
        assert!(!protected(range(None, Some((0, 1)))).is_whole());
        let open = ProtectedRange {
            unprotected_ranges: vec![range(None, Some((0, 9)))],
            ..protected(range(None, None))
        };
        assert!(!open.is_whole());
    }

    #[test]
    fn columns_are_named_as_in_the_sheet() {
        assert_eq!(
            [0, 25, 26, 51, 52, 701, 702].map(letters),
            ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]
        );
    }

    #[test]
    fn ranges_are_named_as_in_the_menu() {
        let named = ProtectedRange {
            description: Some("Итоги".to_owned()),
            ..protected(range(Some((0, 2)), Some((0, 27))))
        };
        let list = [
            &named,
            &protected(range(None, Some((1, 2)))),
            &protected(range(Some((3, 4)), None)),
            &protected(range(None, None)),
        ];
        assert_eq!(
            range_names("Товары", &list),
            "Товары!A1:AA2 «Итоги», Товары!B:B, Товары!4:4, Товары"
        );
    }
}
