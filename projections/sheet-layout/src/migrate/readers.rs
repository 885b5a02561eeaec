//! Which columns a formula reads. Nothing is calculated: references are found in its text, also in the texts
//! inside it, because `INDIRECT` takes those. What is put together from parts is not found.

use super::letters;

/// Functions that count columns from the left of a range, in English and as the Russian interface calls them.
const COUNTING: [&str; 8] = [
    "VLOOKUP",
    "ВПР",
    "INDEX",
    "ИНДЕКС",
    "OFFSET",
    "СМЕЩ",
    "QUERY",
    "CHOOSECOLS",
];

/// Columns of one reference, both ends included.
#[derive(Debug, PartialEq, Eq)]
struct Reference {
    /// The worksheet where one is named.
    worksheet: Option<String>,
    left: String,
    right: String,
}

impl Reference {
    fn ends_at(&self, column: u32) -> bool {
        let wanted = letters(column);
        self.left == wanted || self.right == wanted
    }

    fn spans(&self, column: u32) -> bool {
        let wanted = letters(column);
        // Longer names are further right.
        let place = |name: &str| (name.len(), name.to_owned());
        place(&self.left) < place(&wanted) && place(&wanted) < place(&self.right)
    }
}

/// Whether a formula needs this column of the worksheet in which it stands. A range that only spans it
/// survives its removal, unless its columns are counted.
pub(super) fn reads(formula: &str, column: u32) -> bool {
    needs(formula, column, |_worksheet| true)
}

/// The same for a formula of another worksheet.
pub(super) fn reads_from(formula: &str, title: &str, column: u32) -> bool {
    let title = title.to_lowercase();
    needs(formula, column, |worksheet| {
        worksheet.is_some_and(|name| name.to_lowercase() == title)
    })
}

fn needs(formula: &str, column: u32, there: impl Fn(Option<&str>) -> bool) -> bool {
    let upper = formula.to_uppercase();
    let counted = COUNTING.iter().any(|function| upper.contains(function));
    let found = references(formula);
    let mut found = found
        .iter()
        .filter(|reference| there(reference.worksheet.as_deref()));
    found.any(|reference| reference.ends_at(column) || (counted && reference.spans(column)))
}

fn references(formula: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut rest = formula;
    while let Some(first) = rest.chars().next() {
        let (name, after) = if first == '\'' {
            quoted(rest)
        } else {
            let (word, after) = word(rest);
            (word.to_owned(), after)
        };
        rest = match after.strip_prefix('!') {
            Some(behind) if !name.is_empty() => reference(Some(name), behind, &mut found),
            // An apostrophe may stand in a text; what follows it is looked at like everything else.
            _ if first == '\'' || name.is_empty() => rest.get(first.len_utf8()..).unwrap_or_default(),
            _ => reference(None, rest, &mut found),
        };
    }
    found
}

/// The name between quotes, and what follows; empty where they do not end.
fn quoted(text: &str) -> (String, &str) {
    let inside = text.strip_prefix('\'').unwrap_or(text);
    let mut name = String::new();
    let mut places = inside.char_indices().peekable();
    while let Some((at, c)) = places.next() {
        if c != '\'' {
            name.push(c);
        } else if places.next_if(|(_, next)| *next == '\'').is_some() {
            name.push('\'');
        } else {
            return (name, inside.get(at + 1..).unwrap_or_default());
        }
    }
    (String::new(), text)
}

/// Letters, digits and signs of one name or cell, and what follows.
fn word(text: &str) -> (&str, &str) {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
    let end = text.find(|c: char| !part(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// A cell, a range or whole columns at the beginning of a text; answers what follows.
fn reference<'a>(worksheet: Option<String>, text: &'a str, found: &mut Vec<Reference>) -> &'a str {
    let (first, after) = word(text);
    let (last, behind) = after.strip_prefix(':').map_or(("", after), word);
    let (left, right) = (column(first), column(last));
    if let Some((left, row)) = &left
        && (*row || right.is_some())
    {
        let right = right.as_ref().map_or(left, |(right, _)| right).clone();
        found.push(Reference {
            worksheet,
            left: left.clone(),
            right,
        });
        return if last.is_empty() { after } else { behind };
    }
    after
}

/// Letters of the column, and whether a row follows; none for what is no cell.
fn column(word: &str) -> Option<(String, bool)> {
    let plain = word.replace('$', "").to_uppercase();
    let end = plain
        .find(|c: char| !c.is_ascii_uppercase())
        .unwrap_or(plain.len());
    let (name, row) = plain.split_at(end);
    let is_cell = (1..=3).contains(&name.len()) && row.chars().all(|c| c.is_ascii_digit());
    is_cell.then(|| (name.to_owned(), !row.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::{reads, reads_from};

    const G: u32 = 6;

    #[test]
    fn a_cell_a_column_and_an_end_of_a_range_are_read_and_a_sum_across_is_not() {
        for formula in [
            "=G3",
            "=$G$3*2",
            "=SUM(G:G)",
            "=SUM(G2:K9)",
            "=SUM(E2:G)",
            "=g3",
            "=INDIRECT(\"G3\")",
            "=VLOOKUP(A1,A:K,7,FALSE)",
            "=ВПР(A1;$D:$K;4;0)",
        ] {
            assert!(reads(formula, G), "{formula}");
        }
        for formula in [
            "=SUM(E2:J9)",
            "=AG3",
            "=G",
            "=ROUND(F3,1)",
            "=\"It's\"",
            "=VLOOKUP(A1,A:F,2)",
            "=2:3",
            "",
        ] {
            assert!(!reads(formula, G), "{formula}");
        }
    }

    #[test]
    fn another_worksheets_formula_reads_what_it_names_by_the_title() {
        for formula in [
            "=Products!G3",
            "=SUM(products!E3:G9)",
            "='Products'!$G$3+1",
            "=INDIRECT(\"Products!G3\")",
            "=A1+VLOOKUP(B2,Products!$D:$K,4,0)",
            "=\"it's \"&Products!G3&\" that's left\"",
        ] {
            assert!(reads_from(formula, "Products", G), "{formula}");
        }
        for formula in [
            "=G3",
            "=Other!G3",
            "='Products 2'!G3",
            "=Products!F3+G3",
            "=SUM(Products!E:J)",
        ] {
            assert!(!reads_from(formula, "Products", G), "{formula}");
        }
        assert!(reads_from("='Seller''s stock'!G3", "Seller's stock", G));
        assert!(reads_from("=Товары!G3", "товары", G));
    }
}
