//! A second person in the seller's spreadsheet: sorts, inserts, moves, hides, freezes, filters and types over
//! numbers while the year goes on. What Google does not allow is left undone, as it would be by hand.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use simulators::Google;

use crate::Failure;
use crate::page::{FIRST_ROW, Page};

/// The person adds this many rows and as many columns at most, so that a long year does not drown the sheet.
const OWN_OF_A_KIND: usize = 12;

/// Something a person does in a spreadsheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    InsertRow,
    InsertColumn,
    MoveRow,
    MoveColumn,
    Sort,
    Hide,
    Freeze,
    Filter,
    Overtype,
    Band,
}

const ACTS: [Act; 10] = [
    Act::InsertRow,
    Act::InsertColumn,
    Act::MoveRow,
    Act::MoveColumn,
    Act::Sort,
    Act::Hide,
    Act::Freeze,
    Act::Filter,
    Act::Overtype,
    Act::Band,
];

impl Act {
    const fn word(self) -> &'static str {
        match self {
            Self::InsertRow => "row inserted",
            Self::InsertColumn => "column inserted",
            Self::MoveRow => "row moved",
            Self::MoveColumn => "column moved",
            Self::Sort => "rows sorted",
            Self::Hide => "column hidden",
            Self::Freeze => "columns frozen",
            Self::Filter => "filter set",
            Self::Overtype => "number overtyped",
            Self::Band => "banding added",
        }
    }
}

/// Whoever works in the spreadsheet beside us. The same seed does the same things.
pub(crate) struct Person {
    dice: Xoshiro256PlusPlus,
    /// Texts of the person's own; each stands in one cell.
    pub(crate) own: BTreeSet<String>,
    rows: usize,
    columns: usize,
    /// What was done, and how often Google took it.
    pub(crate) done: BTreeMap<String, u64>,
}

impl Person {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x005e_ed0f_4e75_0a11),
            own: BTreeSet::new(),
            rows: 0,
            columns: 0,
            done: BTreeMap::new(),
        }
    }

    /// True about every third time.
    pub(crate) fn comes_by(&mut self) -> bool {
        self.below(3) == 0
    }

    /// Does one thing.
    pub(crate) fn act(&mut self, google: &Google, page: &Page) -> Result<(), Failure> {
        let act = ACTS[self.below(ACTS.len())];
        let name = format!("own {}", self.own.len() + 1);
        let Some(requests) = self.requests(act, page, &name) else {
            return Ok(());
        };
        let refused = match google.edit(&page.spreadsheet, &requests) {
            Ok(_) => false,
            // Merged cells and frozen borders are in the way now and then; a form that Google does not know
            // is a mistake of ours.
            Err(refusal) if refusal.to_string().contains("Unknown") => {
                return Err(format!("{}: {refusal}", act.word()).into());
            }
            Err(_) => true,
        };
        let word = if refused { "refused" } else { act.word() };
        *self.done.entry(word.to_owned()).or_default() += 1;
        if !refused && matches!(act, Act::InsertRow | Act::InsertColumn) {
            self.own.insert(name);
            self.rows += usize::from(act == Act::InsertRow);
            self.columns += usize::from(act == Act::InsertColumn);
        }
        Ok(())
    }

    fn requests(&mut self, act: Act, page: &Page, name: &str) -> Option<Value> {
        let (height, width) = (page.height(), page.width());
        if height <= FIRST_ROW + 1 {
            return None;
        }
        let row = FIRST_ROW + self.below(height - FIRST_ROW);
        let column = self.below(width);
        Some(match act {
            Act::InsertRow if self.rows < OWN_OF_A_KIND => insertion(page, "ROWS", row, (row, 0), name),
            // The last row is one of a product or of the person; the header stays free.
            Act::InsertColumn if self.columns < OWN_OF_A_KIND => {
                insertion(page, "COLUMNS", column, (height - 1, column), name)
            }
            Act::InsertRow | Act::InsertColumn => return None,
            Act::MoveRow => {
                let to = FIRST_ROW + self.below(height - FIRST_ROW);
                moved(page, "ROWS", row, to)
            }
            Act::MoveColumn => moved(page, "COLUMNS", column, self.below(width)),
            Act::Sort => {
                let order = if self.below(2) == 0 {
                    "ASCENDING"
                } else {
                    "DESCENDING"
                };
                json!([{"sortRange": {"range": body(page), "sortSpecs": [{"dimensionIndex": column, "sortOrder": order}]}}])
            }
            Act::Hide => {
                let hidden = self.below(2) == 0;
                json!([{"updateDimensionProperties": {"range": span(page, "COLUMNS", column),
                    "fields": "hiddenByUser", "properties": {"hiddenByUser": hidden}}}])
            }
            Act::Freeze => {
                let grid = json!({"frozenColumnCount": self.below(6)});
                json!([{"updateSheetProperties": {"properties": {"sheetId": page.sheet_id, "gridProperties": grid},
                    "fields": "gridProperties.frozenColumnCount"}}])
            }
            Act::Filter => {
                let mut range = body(page);
                range["startRowIndex"] = json!(FIRST_ROW - 1);
                json!([{"setBasicFilter": {"filter": {"range": range}}}])
            }
            Act::Overtype => {
                let (row, column) = self.number(page)?;
                let content = json!({"userEnteredValue": {"numberValue": 4_242}});
                json!([cell(page, (row, column), &content, "userEnteredValue")])
            }
            Act::Band => {
                let color = json!({"red": 0.9, "green": 0.95, "blue": 1.0});
                let banding = json!({"range": body(page), "rowProperties": {"firstBandColor": color,
                    "secondBandColor": {"red": 1.0, "green": 1.0, "blue": 1.0}}});
                json!([{"addBanding": {"bandedRange": banding}}])
            }
        })
    }

    /// A cell with a number of ours.
    fn number(&mut self, page: &Page) -> Option<(usize, usize)> {
        let rows: Vec<usize> = page.rows.values().flatten().copied().collect();
        let columns: Vec<usize> = page.numbers().collect();
        if rows.is_empty() || columns.is_empty() {
            return None;
        }
        Some((rows[self.below(rows.len())], columns[self.below(columns.len())]))
    }

    fn below(&mut self, end: usize) -> usize {
        self.dice.random_range(0..end.max(1))
    }
}

fn span(page: &Page, dimension: &str, at: usize) -> Value {
    json!({"sheetId": page.sheet_id, "dimension": dimension, "startIndex": at, "endIndex": at + 1})
}

/// Everything below the two header rows.
fn body(page: &Page) -> Value {
    json!({"sheetId": page.sheet_id, "startRowIndex": FIRST_ROW, "endRowIndex": page.height(),
        "startColumnIndex": 0, "endColumnIndex": page.width()})
}

fn cell(page: &Page, (row, column): (usize, usize), content: &Value, fields: &str) -> Value {
    json!({"updateCells": {"start": {"sheetId": page.sheet_id, "rowIndex": row, "columnIndex": column},
        "rows": [{"values": [content]}], "fields": fields}})
}

fn insertion(page: &Page, dimension: &str, at: usize, place: (usize, usize), name: &str) -> Value {
    let own = json!({"userEnteredValue": {"stringValue": name}});
    json!([
        {"insertDimension": {"range": span(page, dimension, at), "inheritFromBefore": false}},
        cell(page, place, &own, "userEnteredValue"),
    ])
}

fn moved(page: &Page, dimension: &str, from: usize, to: usize) -> Value {
    json!([{"moveDimension": {"source": span(page, dimension, from), "destinationIndex": to}}])
}
