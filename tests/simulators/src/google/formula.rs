//! Formulas: arithmetic and sums are computed, and references follow when rows or columns move, as a seller's
//! own formulas have to survive a client that inserts columns.

use std::sync::Arc;

use super::a1::{column_letters, quoted, read_corner};
use super::model::{Content, Spreadsheet};
use super::ranges::{Axis, Shift};

/// Deeper chains of formulas than this count as circular.
const MAX_DEPTH: usize = 64;
/// Cells that one formula may read, directly and through others; a circle of formulas ends here as well.
const MAX_READS: u32 = 200_000;

/// One reference found in a formula: where it stands, its sheet's name, and its text without the sheet.
struct Reference {
    start: usize,
    end: usize,
    sheet: Option<String>,
    from: String,
    to: Option<String>,
}

/// Finds the next reference at or after `at`; texts in quotes and function names are passed over.
fn next_reference(text: &str, mut at: usize) -> Option<Reference> {
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = text.get(at + 1..)?.find('"').map(|end| at + end + 2)?,
            byte if byte == b'\'' || byte == b'$' || byte.is_ascii_alphanumeric() || byte >= 0x80 => {
                let (sheet, cells) = read_sheet(text, at);
                let end = word_end(text, cells);
                let (from, mut stop) = (text.get(cells..end)?.to_owned(), end);
                let mut to = None;
                if bytes.get(end) == Some(&b':') {
                    let far = word_end(text, end + 1);
                    to = text
                        .get(end + 1..far)
                        .filter(|to| is_corner(to, true))
                        .map(str::to_owned);
                    stop = if to.is_some() { far } else { end };
                }
                let called = bytes.get(stop) == Some(&b'(');
                if !called && is_corner(&from, to.is_some()) {
                    return Some(Reference {
                        start: at,
                        end: stop,
                        sheet,
                        from,
                        to,
                    });
                }
                let width = text.get(at..)?.chars().next().map_or(1, char::len_utf8);
                at = stop.max(at + width);
            }
            _ => at += 1,
        }
    }
    None
}

/// The sheet named before a `!`, and where the cells begin.
fn read_sheet(text: &str, at: usize) -> (Option<String>, usize) {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(inner) = rest.strip_prefix('\'') {
        if let Some(end) = inner.find("'!") {
            return (inner.get(..end).map(|name| name.replace("''", "'")), at + end + 3);
        }
    } else if let Some(end) = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))
        && rest.as_bytes().get(end) == Some(&b'!')
    {
        return (rest.get(..end).map(str::to_owned), at + end + 1);
    }
    (None, at)
}

fn word_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start
        + rest
            .find(|c: char| !(c.is_alphanumeric() || c == '$' || c == '_'))
            .unwrap_or(rest.len())
}

fn is_corner(text: &str, open: bool) -> bool {
    let plain = text
        .bytes()
        .all(|byte| byte == b'$' || byte.is_ascii_digit() || byte.is_ascii_uppercase());
    plain
        && match read_corner(text) {
            Some((Some(_), Some(_))) => true,
            Some(_) => open,
            None => false,
        }
}

/// Rewrites every formula of the spreadsheet after rows or columns of sheet `at` have moved.
pub(crate) fn follow(book: &mut Spreadsheet, at: usize, axis: Axis, shift: Shift) {
    let Some(moved) = book.sheets.get(at).map(|sheet| sheet.title.clone()) else {
        return;
    };
    for (index, sheet) in book.sheets.iter_mut().enumerate() {
        for row in &mut sheet.rows {
            if !row
                .iter()
                .any(|cell| matches!(cell.content, Some(Content::Formula { .. })))
            {
                continue;
            }
            for cell in Arc::make_mut(row) {
                if let Some(Content::Formula { formula }) = &mut cell.content {
                    *formula = shifted(formula, axis, shift, |sheet| match sheet {
                        None => index == at,
                        Some(name) => name.eq_ignore_ascii_case(&moved),
                    });
                }
            }
        }
    }
}

/// The formula as it reads at another cell: what has no dollar sign moves along.
pub(crate) fn translated(formula: &str, from: (usize, usize), to: (usize, usize)) -> String {
    let corner = |text: &str| {
        let (column, row) = read_corner(text)?;
        let mut text = text.to_owned();
        let (bound_column, bound_row) = (text.starts_with('$'), text.trim_start_matches('$').contains('$'));
        if let Some(column) = column.filter(|_| !bound_column) {
            let new = (column + to.1).checked_sub(from.1)?;
            text = replace(&text, Axis::Columns, new);
        }
        if let Some(row) = row.filter(|_| !bound_row) {
            let new = (row + to.0).checked_sub(from.0)?;
            text = replace(&text, Axis::Rows, new);
        }
        Some(text)
    };
    let mut out = String::with_capacity(formula.len());
    let mut at = 0;
    while let Some(found) = next_reference(formula, at) {
        out.push_str(formula.get(at..found.start).unwrap_or_default());
        let sheet = found.sheet.as_deref().map(|name| format!("{}!", quoted(name)));
        let far = match &found.to {
            Some(far) => corner(far).map(|far| format!(":{far}")),
            None => Some(String::new()),
        };
        match corner(&found.from).zip(far) {
            Some((near, far)) => out.push_str(&format!("{}{near}{far}", sheet.unwrap_or_default())),
            None => out.push_str("#REF!"),
        }
        at = found.end;
    }
    out.push_str(formula.get(at..).unwrap_or_default());
    out
}

fn shifted(formula: &str, axis: Axis, shift: Shift, concerns: impl Fn(Option<&str>) -> bool) -> String {
    let mut out = String::with_capacity(formula.len());
    let mut at = 0;
    while let Some(found) = next_reference(formula, at) {
        out.push_str(formula.get(at..found.start).unwrap_or_default());
        let old = formula.get(found.start..found.end).unwrap_or_default();
        if concerns(found.sheet.as_deref()) {
            let sheet = found
                .sheet
                .as_deref()
                .map(|name| format!("{}!", quoted(name)))
                .unwrap_or_default();
            match shift_reference(&found, axis, shift) {
                Some(new) => out.push_str(&format!("{sheet}{new}")),
                None => out.push_str("#REF!"),
            }
        } else {
            out.push_str(old);
        }
        at = found.end;
    }
    out.push_str(formula.get(at..).unwrap_or_default());
    out
}

/// The reference's new text; `None` if its cells are gone.
fn shift_reference(found: &Reference, axis: Axis, shift: Shift) -> Option<String> {
    let pick = |text: &str| {
        let (column, row) = read_corner(text)?;
        match axis {
            Axis::Rows => row,
            Axis::Columns => column,
        }
    };
    let Some(to) = &found.to else {
        return match pick(&found.from) {
            Some(index) => Some(replace(&found.from, axis, shift.index(index)?)),
            None => Some(found.from.clone()),
        };
    };
    match (pick(&found.from), pick(to)) {
        (Some(start), Some(end)) if start <= end => match shift.span(start, end + 1) {
            Ok(span) => {
                let (start, end) = span?;
                Some(format!(
                    "{}:{}",
                    replace(&found.from, axis, start),
                    replace(to, axis, end - 1)
                ))
            }
            Err(()) => Some(format!("{}:{to}", found.from)),
        },
        _ => Some(format!("{}:{to}", found.from)),
    }
}

/// The corner with its row or column replaced, its dollar signs kept.
fn replace(corner: &str, axis: Axis, index: usize) -> String {
    let split = corner.find(|c: char| c.is_ascii_digit()).unwrap_or(corner.len());
    let split = if split > 0 && corner.as_bytes().get(split - 1) == Some(&b'$') {
        split - 1
    } else {
        split
    };
    let (letters, number) = corner.split_at(split);
    let dollar = |part: &str| if part.starts_with('$') { "$" } else { "" };
    match axis {
        Axis::Columns => format!("{}{}{number}", dollar(letters), column_letters(index)),
        Axis::Rows => format!("{letters}{}{}", dollar(number), index + 1),
    }
}

/// What a cell shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Blank,
    Number(f64),
    Text(String),
    Bool(bool),
    /// An error such as `#DIV/0!`.
    Error(&'static str),
}

/// The effective value of a cell.
pub(crate) fn effective(book: &Spreadsheet, sheet: usize, row: usize, column: usize) -> Shown {
    evaluate(book, sheet, row, column, 0, &Reads::new(MAX_READS))
}

/// Reads that are left.
type Reads = std::cell::Cell<u32>;

fn evaluate(
    book: &Spreadsheet,
    sheet: usize,
    row: usize,
    column: usize,
    depth: usize,
    reads: &Reads,
) -> Shown {
    let Some(left) = reads.get().checked_sub(1) else {
        return Shown::Error("#REF!");
    };
    reads.set(left);
    let cell = book.sheets.get(sheet).and_then(|sheet| sheet.cell(row, column));
    match cell.and_then(|cell| cell.content.as_ref()) {
        None => Shown::Blank,
        Some(Content::Number(value)) => Shown::Number(*value),
        Some(Content::Text(text)) => Shown::Text(text.clone()),
        Some(Content::Bool(value)) => Shown::Bool(*value),
        Some(Content::Formula { .. }) if depth > MAX_DEPTH => Shown::Error("#REF!"),
        Some(Content::Formula { formula }) => {
            let mut parser = Parser {
                book,
                sheet,
                text: formula,
                at: 1,
                depth,
                reads,
            };
            match parser.sum() {
                Ok(value) if parser.rest().trim().is_empty() => Shown::Number(value),
                Ok(_) => Shown::Error("#ERROR!"),
                Err(error) => Shown::Error(error),
            }
        }
    }
}

/// A recursive-descent evaluator of `+ - * /`, brackets, references and a few functions over ranges.
struct Parser<'a> {
    book: &'a Spreadsheet,
    sheet: usize,
    text: &'a str,
    at: usize,
    depth: usize,
    reads: &'a Reads,
}

type Computed = Result<f64, &'static str>;

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, wanted: char) -> bool {
        let spaces = self.rest().len() - self.rest().trim_start().len();
        let found = self.rest().trim_start().starts_with(wanted);
        if found {
            self.at += spaces + wanted.len_utf8();
        }
        found
    }

    fn sum(&mut self) -> Computed {
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value += self.product()?;
            } else if self.take('-') {
                value -= self.product()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Computed {
        let mut value = self.atom()?;
        loop {
            if self.take('*') {
                value *= self.atom()?;
            } else if self.take('/') {
                let divisor = self.atom()?;
                if divisor == 0.0 {
                    return Err("#DIV/0!");
                }
                value /= divisor;
            } else {
                return Ok(value);
            }
        }
    }

    fn atom(&mut self) -> Computed {
        if self.take('-') {
            return Ok(-self.atom()?);
        }
        if self.take('(') {
            let value = self.sum()?;
            return if self.take(')') { Ok(value) } else { Err("#ERROR!") };
        }
        self.at += self.rest().len() - self.rest().trim_start().len();
        if let Some(found) = next_reference(self.text, self.at)
            && found.start == self.at
        {
            self.at = found.end;
            return self
                .numbers(&found)?
                .first()
                .copied()
                .ok_or("#VALUE!")
                .or(Ok(0.0));
        }
        let length = self
            .rest()
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(self.rest().len());
        if length > 0 {
            let number = self.rest().get(..length).and_then(|text| text.parse().ok());
            self.at += length;
            return number.ok_or("#ERROR!");
        }
        self.function()
    }

    fn function(&mut self) -> Computed {
        let length = self
            .rest()
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(self.rest().len());
        let name = self.rest().get(..length).unwrap_or_default().to_uppercase();
        self.at += length;
        if !self.take('(') {
            return Err("#NAME?");
        }
        let mut values = Vec::new();
        while !self.take(')') {
            self.at += self.rest().len() - self.rest().trim_start().len();
            match next_reference(self.text, self.at) {
                Some(found) if found.start == self.at && found.to.is_some() => {
                    self.at = found.end;
                    values.extend(self.numbers(&found)?);
                }
                _ => values.push(self.sum()?),
            }
            if !(self.take(';') || self.take(',') || self.rest().trim_start().starts_with(')')) {
                return Err("#ERROR!");
            }
        }
        let total: f64 = values.iter().sum();
        match name.as_str() {
            "SUM" | "СУММ" => Ok(total),
            "COUNT" => Ok(values.len() as f64),
            "AVERAGE" if values.is_empty() => Err("#DIV/0!"),
            "AVERAGE" => Ok(total / values.len() as f64),
            "MAX" => Ok(values.iter().copied().reduce(f64::max).unwrap_or(0.0)),
            "MIN" => Ok(values.iter().copied().reduce(f64::min).unwrap_or(0.0)),
            "ABS" => Ok(total.abs()),
            "ROUND" => {
                let scale = 10_f64.powf(values.get(1).copied().unwrap_or(0.0));
                Ok((values.first().copied().unwrap_or(0.0) * scale).round() / scale)
            }
            _ => Err("#NAME?"),
        }
    }

    /// The numbers a reference stands for; texts inside a range do not count.
    fn numbers(&self, found: &Reference) -> Result<Vec<f64>, &'static str> {
        let sheet = match &found.sheet {
            None => self.sheet,
            Some(name) => {
                let known = self
                    .book
                    .sheets
                    .iter()
                    .position(|sheet| sheet.title.eq_ignore_ascii_case(name));
                known.ok_or("#REF!")?
            }
        };
        let grid = self.book.sheets.get(sheet).ok_or("#REF!")?;
        let (left, top) = read_corner(&found.from).ok_or("#REF!")?;
        let (right, bottom) = match &found.to {
            Some(to) => read_corner(to).ok_or("#REF!")?,
            None => (left, top),
        };
        let mut values = Vec::new();
        let last_row = bottom
            .unwrap_or(usize::MAX)
            .min(grid.rows.len().saturating_sub(1));
        for row in top.unwrap_or(0)..=last_row.max(if found.to.is_none() { top.unwrap_or(0) } else { 0 }) {
            for column in left.unwrap_or(0)
                ..=right
                    .unwrap_or(usize::MAX)
                    .min(grid.column_count.saturating_sub(1))
            {
                match evaluate(self.book, sheet, row, column, self.depth + 1, self.reads) {
                    Shown::Number(value) => values.push(value),
                    Shown::Bool(value) if found.to.is_none() => values.push(f64::from(u8::from(value))),
                    Shown::Text(_) if found.to.is_none() => return Err("#VALUE!"),
                    Shown::Error(error) => return Err(error),
                    Shown::Text(_) | Shown::Bool(_) | Shown::Blank => {}
                }
            }
        }
        Ok(values)
    }
}
