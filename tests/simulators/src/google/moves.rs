//! What people do with a block of cells: sort it, cut it, copy it, replace in it. Rows and columns stay where
//! they are, only contents move; that is what tells these requests from those in `dimensions`.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{Fail, Reply, read};
use super::errors::ApiError;
use super::formula::{self, Shown};
use super::input::number_text;
use super::model::{Cell, Content, Place, Rect, Sheet, Spreadsheet};
use super::ranges::GridRange;

fn refuse(message: impl Into<String>) -> Fail {
    Fail::Refused(ApiError::invalid(message))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Sort {
    range: GridRange,
    sort_specs: Vec<Spec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    dimension_index: usize,
    sort_order: Option<String>,
}

/// Numbers, then texts, then truth values; blank cells come last in either direction.
fn compare(one: &Shown, other: &Shown, descending: bool) -> Ordering {
    let class = |shown: &Shown| match shown {
        Shown::Number(_) => 0,
        Shown::Text(_) => 1,
        Shown::Bool(_) => 2,
        Shown::Error(_) => 3,
        Shown::Blank => 4,
    };
    let order = match (one, other) {
        (Shown::Blank, _) | (_, Shown::Blank) => return class(one).cmp(&class(other)),
        (Shown::Number(a), Shown::Number(b)) => a.total_cmp(b),
        (Shown::Text(a), Shown::Text(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
        (Shown::Bool(a), Shown::Bool(b)) => a.cmp(b),
        _ => class(one).cmp(&class(other)),
    };
    if descending { order.reverse() } else { order }
}

/// `sortRange`
pub(crate) fn sort(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Sort = read(body)?;
    let (at, rect) = request.range.resolve(book)?;
    if request.sort_specs.is_empty() {
        return Err(refuse("At least one sort spec must be given."));
    }
    // The interface says the same of a range with merges; the API's own words are not known.
    let tall = |merge: &Rect| merge.intersects(&rect) && merge.bottom - merge.top > 1;
    if book.sheets[at].merges.iter().any(tall) {
        return Err(refuse("You can't sort a range with vertical merges."));
    }
    let key = |row: usize, spec: &Spec| formula::effective(book, at, row, spec.dimension_index);
    let mut order: Vec<usize> = (rect.top..rect.bottom).collect();
    order.sort_by(|one, other| {
        let specs = request.sort_specs.iter().map(|spec| {
            let descending = spec.sort_order.as_deref() == Some("DESCENDING");
            compare(&key(*one, spec), &key(*other, spec), descending)
        });
        specs.fold(Ordering::Equal, Ordering::then)
    });
    let old: Vec<Vec<Cell>> = (rect.top..rect.bottom)
        .map(|row| block_row(&book.sheets[at], row, rect))
        .collect();
    for (row, from) in (rect.top..rect.bottom).zip(&order) {
        let cells = old.get(from - rect.top).cloned().unwrap_or_default();
        for (column, cell) in (rect.left..rect.right).zip(cells) {
            put(
                &mut book.sheets[at],
                (row, column),
                moved(cell, (*from, column), (row, column)),
            );
        }
    }
    let whole = rect.left == 0 && rect.right >= book.sheets[at].used_columns();
    if book.habits.sorts_carry_metadata && whole {
        let id = book.sheets[at].id;
        for entry in &mut book.metadata {
            if let Place::Row(sheet, row) = &mut entry.place
                && *sheet == id
                && let Some(place) = order.iter().position(|from| from == row)
            {
                *row = rect.top + place;
            }
        }
    }
    Ok(json!({}))
}

fn block_row(sheet: &Sheet, row: usize, rect: Rect) -> Vec<Cell> {
    (rect.left..rect.right)
        .map(|column| sheet.cell(row, column).cloned().unwrap_or_default())
        .collect()
}

/// Blank cells are only written where something was.
fn put(sheet: &mut Sheet, (row, column): (usize, usize), cell: Cell) {
    if !cell.is_blank() || sheet.cell(row, column).is_some() {
        *sheet.cell_mut(row, column) = cell;
    }
}

/// A cell at another place: what its formula says relatively goes along.
fn moved(mut cell: Cell, from: (usize, usize), to: (usize, usize)) -> Cell {
    if let Some(Content::Formula { formula }) = &mut cell.content {
        *formula = formula::translated(formula, from, to);
    }
    cell
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Coordinate {
    sheet_id: i64,
    row_index: usize,
    column_index: usize,
}

/// What is pasted of a cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paste {
    All,
    Values,
    Formulas,
    Format,
}

impl Paste {
    fn read(text: Option<&str>) -> Result<Self, Fail> {
        match text {
            None | Some("PASTE_NORMAL" | "PASTE_NO_BORDERS") => Ok(Self::All),
            Some("PASTE_VALUES") => Ok(Self::Values),
            Some("PASTE_FORMULA") => Ok(Self::Formulas),
            Some("PASTE_FORMAT") => Ok(Self::Format),
            Some(other) => Err(Fail::Schema(format!("not simulated: {other}"))),
        }
    }

    fn onto(self, old: &Cell, new: Cell, value: Option<Content>) -> Cell {
        match self {
            Self::All => new,
            Self::Values => Cell {
                content: value,
                ..old.clone()
            },
            Self::Formulas => Cell {
                content: new.content,
                ..old.clone()
            },
            Self::Format => Cell {
                format: new.format,
                ..old.clone()
            },
        }
    }
}

/// What a cell shows, as a content.
fn value_of(shown: &Shown) -> Option<Content> {
    match shown {
        Shown::Blank => None,
        Shown::Number(number) => Some(Content::Number(*number)),
        Shown::Text(text) => Some(Content::Text(text.clone())),
        Shown::Bool(value) => Some(Content::Bool(*value)),
        Shown::Error(error) => Some(Content::Text((*error).to_owned())),
    }
}

/// The source's cells with what they show, row by row.
type Lifted = Vec<Vec<(Cell, Option<Content>)>>;

fn lift(book: &Spreadsheet, at: usize, rect: Rect) -> Lifted {
    let cell = |row, column| {
        let shown = value_of(&formula::effective(book, at, row, column));
        (
            book.sheets[at].cell(row, column).cloned().unwrap_or_default(),
            shown,
        )
    };
    let row = |row| (rect.left..rect.right).map(|column| cell(row, column)).collect();
    (rect.top..rect.bottom).map(row).collect()
}

fn check_merges(sheet: &Sheet, rect: Rect) -> Result<(), Fail> {
    let torn = |merge: &Rect| merge.intersects(&rect) && !rect.contains(merge);
    if sheet.merges.iter().any(torn) {
        return Err(refuse(
            "You must select all cells in a merged range to merge or unmerge them.",
        ));
    }
    Ok(())
}

/// Grows the grid to the pasted block's size, as pasting does.
fn make_room(book: &mut Spreadsheet, at: usize, target: Rect) -> Result<(), Fail> {
    let sheet = &mut book.sheets[at];
    let (rows, columns) = (
        sheet.row_count.max(target.bottom),
        sheet.column_count.max(target.right),
    );
    if (rows, columns) != (sheet.row_count, sheet.column_count) {
        sheet.resize(rows, columns);
    }
    Ok(book.check_size()?)
}

/// `cutPaste`. References of other formulas to the cells do not follow here, as they do at Google.
pub(crate) fn cut(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Cut {
        source: GridRange,
        #[serde(default)]
        destination: Coordinate,
        paste_type: Option<String>,
    }
    let request: Cut = read(body)?;
    let paste = Paste::read(request.paste_type.as_deref())?;
    let (from, source) = request.source.resolve(book)?;
    let to = book.position(request.destination.sheet_id)?;
    let start = (request.destination.row_index, request.destination.column_index);
    let target = Rect {
        top: start.0,
        left: start.1,
        bottom: start.0 + source.bottom - source.top,
        right: start.1 + source.right - source.left,
    };
    check_merges(&book.sheets[from], source)?;
    make_room(book, to, target)?;
    check_merges(&book.sheets[to], target)?;
    let lifted = lift(book, from, source);
    let merges: Vec<Rect> = (book.sheets[from].merges.iter())
        .filter(|merge| source.contains(merge))
        .copied()
        .collect();
    book.sheets[from].merges.retain(|merge| !source.contains(merge));
    for row in source.top..source.bottom {
        for column in source.left..source.right {
            put(&mut book.sheets[from], (row, column), Cell::default());
        }
    }
    book.sheets[to].merges.retain(|merge| !target.contains(merge));
    for (row, cells) in (target.top..).zip(lifted) {
        for (column, (cell, value)) in (target.left..).zip(cells) {
            let old = book.sheets[to].cell(row, column).cloned().unwrap_or_default();
            // What is cut keeps its references.
            put(&mut book.sheets[to], (row, column), paste.onto(&old, cell, value));
        }
    }
    if paste == Paste::All {
        let moved = merges.iter().map(|merge| Rect {
            top: merge.top + target.top - source.top,
            left: merge.left + target.left - source.left,
            bottom: merge.bottom + target.top - source.top,
            right: merge.right + target.left - source.left,
        });
        book.sheets[to].merges.extend(moved);
    }
    Ok(json!({}))
}

/// `copyPaste`; a destination that is a multiple of the source is filled.
pub(crate) fn copy(book: &mut Spreadsheet, body: &Value) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Copy {
        source: GridRange,
        destination: GridRange,
        paste_type: Option<String>,
        paste_orientation: Option<String>,
    }
    let request: Copy = read(body)?;
    if request.paste_orientation.as_deref() == Some("TRANSPOSE") {
        return Err(Fail::Schema("not simulated: TRANSPOSE".to_owned()));
    }
    let paste = Paste::read(request.paste_type.as_deref())?;
    let (from, source) = request.source.resolve(book)?;
    let to = book.position(request.destination.sheet_id)?;
    let (height, width) = (source.bottom - source.top, source.right - source.left);
    let times = |start: usize, end: Option<usize>, size: usize| {
        let span = end.map_or(size, |end| end.saturating_sub(start));
        if span.is_multiple_of(size) {
            (span / size).max(1)
        } else {
            1
        }
    };
    let (top, left) = (
        request.destination.start_row_index.unwrap_or(0),
        request.destination.start_column_index.unwrap_or(0),
    );
    let target = Rect {
        top,
        left,
        bottom: top + height * times(top, request.destination.end_row_index, height),
        right: left + width * times(left, request.destination.end_column_index, width),
    };
    make_room(book, to, target)?;
    check_merges(&book.sheets[to], target)?;
    let lifted = lift(book, from, source);
    book.sheets[to].merges.retain(|merge| !target.contains(merge));
    for row in target.top..target.bottom {
        for column in target.left..target.right {
            let (down, across) = ((row - target.top) % height, (column - target.left) % width);
            let Some((cell, value)) = lifted.get(down).and_then(|cells| cells.get(across)) else {
                continue;
            };
            let was = (source.top + down, source.left + across);
            let cell = moved(cell.clone(), was, (row, column));
            let old = book.sheets[to].cell(row, column).cloned().unwrap_or_default();
            let new = paste.onto(&old, cell, value.clone());
            put(&mut book.sheets[to], (row, column), new);
        }
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Find {
    find: String,
    #[serde(default)]
    replacement: String,
    #[serde(default)]
    match_case: bool,
    #[serde(default)]
    match_entire_cell: bool,
    #[serde(default)]
    search_by_regex: bool,
    #[serde(default)]
    include_formulas: bool,
    range: Option<GridRange>,
    sheet_id: Option<i64>,
    #[serde(default)]
    all_sheets: bool,
}

impl Find {
    /// The text with everything that was found replaced, and how often; none where nothing was.
    fn replaced(&self, text: &str) -> Option<(String, usize)> {
        let same = |one: &str| {
            if self.match_case {
                one == self.find
            } else {
                one.to_lowercase() == self.find.to_lowercase()
            }
        };
        if self.match_entire_cell {
            return same(text).then(|| (self.replacement.clone(), 1));
        }
        let (mut out, mut count, mut rest) = (String::new(), 0, text);
        while let Some(first) = rest.chars().next() {
            match rest.get(..self.find.len()).filter(|part| same(part)) {
                Some(part) => {
                    out.push_str(&self.replacement);
                    count += 1;
                    rest = rest.get(part.len()..).unwrap_or_default();
                }
                None => {
                    out.push(first);
                    rest = rest.get(first.len_utf8()..).unwrap_or_default();
                }
            }
        }
        (count > 0).then_some((out, count))
    }
}

/// `findReplace`
pub(crate) fn find(book: &mut Spreadsheet, body: &Value) -> Reply {
    let request: Find = read(body)?;
    if request.search_by_regex || request.include_formulas {
        return Err(Fail::Schema(
            "not simulated: searchByRegex, includeFormulas".to_owned(),
        ));
    }
    if request.find.is_empty() {
        return Err(refuse("find must not be empty."));
    }
    let whole = |sheet: &Sheet| Rect {
        top: 0,
        left: 0,
        bottom: sheet.row_count,
        right: sheet.column_count,
    };
    let places: Vec<(usize, Rect)> = match (&request.range, request.sheet_id, request.all_sheets) {
        (Some(range), None, false) => vec![range.resolve(book)?],
        (None, Some(id), false) => {
            let at = book.position(id)?;
            vec![(at, whole(&book.sheets[at]))]
        }
        (None, None, true) => book.sheets.iter().map(whole).enumerate().collect(),
        _ => return Err(refuse("Exactly one of range, sheetId and allSheets must be set.")),
    };
    let (mut values, mut occurrences) = (0, 0);
    for (at, rect) in places {
        let sheet = &mut book.sheets[at];
        for row in rect.top..rect.bottom.min(sheet.rows.len()) {
            for column in rect.left..rect.right {
                let text = match sheet.cell(row, column).and_then(|cell| cell.content.as_ref()) {
                    Some(Content::Text(text)) => text.clone(),
                    Some(Content::Number(number)) => number_text(*number, None),
                    _ => continue,
                };
                let Some((new, count)) = request.replaced(&text) else {
                    continue;
                };
                values += 1;
                occurrences += count;
                // A replacement is read as if it were typed.
                let content = new.parse().map_or(Content::Text(new), Content::Number);
                sheet.cell_mut(row, column).content = Some(content);
            }
        }
    }
    Ok(json!({"findReplace": {"valuesChanged": values, "occurrencesChanged": occurrences}}))
}
