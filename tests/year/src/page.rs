//! The seller's worksheet as a person reads it: titles above columns, articles beside rows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use simulators::Google;

use crate::Failure;

/// Worksheet that the product manages.
const WORKSHEET: &str = "Products";
/// Rows 1 and 2 are headers.
pub(crate) const FIRST_ROW: usize = 2;
const IDENTITY: &str = "Основная информация";
const ARTICLE: &str = "Артикул товара (nmid)";
pub(crate) const TOTALS: &str = "Общие метрики";
pub(crate) const STOCK: &str = "Остатки";

/// The worksheet at one moment.
pub(crate) struct Page {
    pub(crate) spreadsheet: String,
    pub(crate) sheet_id: i64,
    pub(crate) grid: Vec<Vec<Value>>,
    /// Columns by group and title.
    pub(crate) columns: BTreeMap<(String, String), usize>,
    /// Rows by article, those that are struck through left out.
    pub(crate) rows: BTreeMap<i64, Vec<usize>>,
    struck: BTreeSet<usize>,
}

impl Page {
    /// Reads the worksheet; an error where it is not there or its titles are gone.
    pub(crate) fn open(google: &Google, spreadsheet: &str) -> Result<Self, Failure> {
        let missing = || format!("no worksheet {WORKSHEET}");
        let grid = google.grid(spreadsheet, WORKSHEET).ok_or_else(missing)?;
        let sheet_id = google.sheet_id(spreadsheet, WORKSHEET).ok_or_else(missing)?;
        let (groups, fields) = match grid.as_slice() {
            [groups, fields, ..] => (groups, fields),
            _ => return Err("the worksheet has no header".into()),
        };
        let mut columns = BTreeMap::new();
        let mut group = "";
        for (column, title) in fields.iter().enumerate() {
            if !text(&groups[column]).is_empty() {
                group = text(&groups[column]);
            }
            if !text(title).is_empty() {
                let key = (group.to_owned(), text(title).to_owned());
                if columns.insert(key, column).is_some() {
                    return Err(format!("two columns are {group}, {}", text(title)).into());
                }
            }
        }
        let article = columns
            .get(&(IDENTITY.to_owned(), ARTICLE.to_owned()))
            .ok_or("no column of articles")?;
        let struck = struck(google, spreadsheet, sheet_id, *article)?;
        let mut rows: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (row, cells) in grid.iter().enumerate().skip(FIRST_ROW) {
            if let Some(article) = cells[*article].as_i64().filter(|_| !struck.contains(&row)) {
                rows.entry(article).or_default().push(row);
            }
        }
        Ok(Self {
            spreadsheet: spreadsheet.to_owned(),
            sheet_id,
            columns,
            rows,
            struck,
            grid,
        })
    }

    pub(crate) fn height(&self) -> usize {
        self.grid.len()
    }

    pub(crate) fn width(&self) -> usize {
        self.grid.first().map_or(0, Vec::len)
    }

    /// Columns that hold numbers of ours.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> {
        let numbers = self.columns.iter().filter(|((group, _), _)| group != IDENTITY);
        numbers.map(|(_, column)| *column)
    }

    /// The number in a column of the row, in tenths; an empty cell is none.
    pub(crate) fn tenths(&self, row: usize, group: &str, title: &str) -> Result<Option<i64>, Failure> {
        let key = (group.to_owned(), title.to_owned());
        let column = self
            .columns
            .get(&key)
            .ok_or_else(|| format!("no column {group}, {title}"))?;
        Ok(tenths(&self.grid[row][*column]))
    }

    /// Every text in the grid that begins so.
    pub(crate) fn texts(&self, beginning: &str) -> BTreeSet<String> {
        let cells = self.grid.iter().flatten().map(text);
        cells
            .filter(|text| text.starts_with(beginning))
            .map(str::to_owned)
            .collect()
    }

    /// Every row with the number in any of its cells, struck through or not, for a person to look at.
    pub(crate) fn anywhere(&self, number: i64) -> Vec<(usize, bool, &[Value])> {
        let rows = self.grid.iter().enumerate();
        let found = rows.filter(|(_, cells)| cells.iter().any(|cell| cell.as_i64() == Some(number)));
        found
            .map(|(row, cells)| (row, self.struck.contains(&row), cells.as_slice()))
            .collect()
    }

    /// Warehouses of the header: their titles.
    pub(crate) fn warehouses(&self) -> impl Iterator<Item = &str> {
        let groups = self
            .columns
            .keys()
            .filter(|(group, title)| group != TOTALS && title == STOCK);
        groups.map(|(group, _)| group.as_str())
    }
}

/// A number in tenths; text and nothing are none.
fn tenths(value: &Value) -> Option<i64> {
    let number = value.as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "units of a small shop are far from the limits"
    )]
    Some((number * 10.0).round() as i64)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Rows of products that are not sold any more: their article is struck through. A column that the person
/// inserted may have inherited that, and keeps it.
fn struck(
    google: &Google,
    spreadsheet: &str,
    sheet_id: i64,
    article: usize,
) -> Result<BTreeSet<usize>, Failure> {
    let book = google.everything(spreadsheet).ok_or("no spreadsheet")?;
    let sheets = book["sheets"].as_array().ok_or("no sheets")?;
    let sheet = sheets.iter().find(|sheet| sheet["id"] == json!(sheet_id));
    let rows = sheet
        .and_then(|sheet| sheet["rows"].as_array())
        .ok_or("no rows")?;
    // Formats are counted from 1; 0 is none.
    let is_struck = |cell: &Value| {
        let format = cell["f"].as_u64().unwrap_or_default().checked_sub(1);
        let format = format.and_then(|at| book["formats"].get(usize::try_from(at).ok()?));
        format.is_some_and(|format| format["textFormat"]["strikethrough"] == json!(true))
    };
    let is_struck_row = |row: &Value| row.get(article).is_some_and(is_struck);
    let struck = rows.iter().enumerate().filter(|(_, row)| is_struck_row(row));
    Ok(struck.map(|(row, _)| row).collect())
}
