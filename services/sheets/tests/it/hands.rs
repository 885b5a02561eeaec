//! What a seller's hands do in the sheet, and where the layout's cells are then: for histories that nobody
//! thought of.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use sheet_layout::COLUMN_METADATA_KEY;

use crate::world::{PRODUCTS, World};

pub(crate) const ARTICLE: &str = "Артикул товара (nmid)";
pub(crate) const IDENTITY: &str = "Основная информация";
pub(crate) const SIZE: &str = "Размер";
const METRICS: &str = "Общие метрики";

#[derive(Debug, Clone)]
pub(crate) enum Edit {
    InsertColumn(Index),
    InsertRow(Index),
    DeleteColumn(Index),
    DeleteRow(Index),
    MoveColumn(Index, Index),
    MoveRow(Index, Index),
    Hide {
        rows: bool,
        at: Index,
    },
    /// Over a managed cell, also in the header; a formula or a text.
    Overwrite(Index, Index, bool),
    Filter,
    Rename,
    MoveWorksheet,
    DeleteWorksheet,
    /// All rows below the titles by a column, downwards or upwards.
    Sort(Index, bool),
    /// A cell of the seller's, to a place beside everything.
    Cut(Index),
    /// Columns that do not scroll.
    Freeze(u8),
    /// A Table of the titles and all rows; its columns with a type or without.
    Table(bool),
    Band,
    /// The worksheet, kept as an archive.
    Copy,
    Bin(bool),
}

pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    prop_oneof![
        3 => place().prop_map(Edit::InsertColumn),
        3 => place().prop_map(Edit::InsertRow),
        1 => place().prop_map(Edit::DeleteColumn),
        1 => place().prop_map(Edit::DeleteRow),
        2 => (place(), place()).prop_map(|(from, to)| Edit::MoveColumn(from, to)),
        2 => (place(), place()).prop_map(|(from, to)| Edit::MoveRow(from, to)),
        1 => (any::<bool>(), place()).prop_map(|(rows, at)| Edit::Hide { rows, at }),
        3 => (place(), place(), any::<bool>()).prop_map(|(row, column, formula)| {
            Edit::Overwrite(row, column, formula)
        }),
        1 => Just(Edit::Filter),
        1 => Just(Edit::Rename),
        1 => Just(Edit::MoveWorksheet),
        1 => Just(Edit::DeleteWorksheet),
        2 => (place(), any::<bool>()).prop_map(|(column, down)| Edit::Sort(column, down)),
        1 => place().prop_map(Edit::Cut),
        1 => (0_u8..4).prop_map(Edit::Freeze),
        1 => any::<bool>().prop_map(Edit::Table),
        1 => Just(Edit::Band),
        1 => Just(Edit::Copy),
        1 => any::<bool>().prop_map(Edit::Bin),
    ]
}

/// The seller's side: what stands in the sheet of theirs, and under which title.
pub(crate) struct Hands {
    pub(crate) spreadsheet: String,
    pub(crate) title: String,
    pub(crate) own: BTreeSet<String>,
    /// Names of the layout's columns that the seller does not want to see.
    pub(crate) hidden: BTreeSet<String>,
    pub(crate) made: usize,
    /// Archives by title, with what is in them.
    pub(crate) copies: BTreeMap<String, Vec<Vec<Value>>>,
}

impl Hands {
    pub(crate) fn on(spreadsheet: String) -> Self {
        Self {
            spreadsheet,
            title: PRODUCTS.to_owned(),
            own: BTreeSet::new(),
            hidden: BTreeSet::new(),
            made: 0,
            copies: BTreeMap::new(),
        }
    }
}

/// Where the layout's cells are, as far as titles tell.
pub(crate) struct Places {
    groups: usize,
    fields: usize,
    /// Columns by group and title.
    pub(crate) columns: BTreeMap<(String, String), usize>,
    /// Rows by article and size, which is empty for a whole product.
    pub(crate) rows: Vec<((i64, String), usize)>,
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// None where a title by which they are found was overwritten.
pub(crate) fn places(grid: &[Vec<Value>]) -> Option<Places> {
    let holds = |title: &str| {
        grid.iter()
            .position(|row| row.iter().any(|cell| text(cell) == title))
    };
    let (groups, fields) = (holds(IDENTITY)?, holds(ARTICLE)?);
    let mut group = "";
    let mut columns = BTreeMap::new();
    for (column, title) in grid[fields].iter().enumerate() {
        let above = text(&grid[groups][column]);
        let title = text(title);
        if !above.is_empty() {
            group = above;
        } else if title == "Остатки" && group == METRICS {
            // The group of a warehouse that is gone has no title where a person has deleted the row of
            // titles.
            group = "";
        }
        // A Table gives titles of its own to columns that have none.
        if !title.is_empty() && !title.starts_with("own") && !title.starts_with("Столбец") {
            columns.insert((group.to_owned(), title.to_owned()), column);
        }
    }
    let article = columns
        .iter()
        .find(|((_, title), _)| title == ARTICLE)
        .map(|(_, column)| *column)?;
    let rows = grid.iter().enumerate().skip(fields + 1);
    let size = columns.get(&(IDENTITY.to_owned(), SIZE.to_owned()));
    let size = |cells: &[Value]| size.map_or_else(String::new, |column| text(&cells[*column]).to_owned());
    let rows = rows.filter_map(|(row, cells)| Some(((cells[article].as_f64()? as i64, size(cells)), row)));
    Some(Places {
        groups,
        fields,
        rows: rows.collect(),
        columns,
    })
}

/// The worksheet as a person sees it.
struct Page {
    sheet_id: i64,
    grid: Vec<Vec<Value>>,
    places: Places,
}

impl Page {
    fn open(world: &World, hands: &Hands) -> Option<Self> {
        let grid = world.google.grid(&hands.spreadsheet, &hands.title)?;
        Some(Self {
            sheet_id: world.google.sheet_id(&hands.spreadsheet, &hands.title)?,
            places: places(&grid)?,
            grid,
        })
    }

    fn height(&self) -> usize {
        self.grid.len()
    }

    fn width(&self) -> usize {
        self.grid[0].len()
    }

    fn range(&self, dimension: &str, at: usize) -> Value {
        json!({"sheetId": self.sheet_id, "dimension": dimension, "startIndex": at, "endIndex": at + 1})
    }

    fn cell(&self, row: usize, column: usize, content: &Value, fields: &str) -> Value {
        json!({"updateCells": {"start": {"sheetId": self.sheet_id, "rowIndex": row, "columnIndex": column},
            "rows": [{"values": [content]}], "fields": fields}})
    }

    /// A new row or column with a text and a note in it.
    fn insertion(&self, dimension: &str, at: usize, cell: (usize, usize), name: &str) -> Value {
        let own = json!({"userEnteredValue": {"stringValue": name}, "note": name});
        let range = self.range(dimension, at);
        json!([
            {"insertDimension": {"range": range, "inheritFromBefore": false}},
            self.cell(cell.0, cell.1, &own, "userEnteredValue,note"),
        ])
    }

    /// Below the header: a row that is moved above it is no row of a product any more.
    fn below(&self, at: &Index) -> usize {
        self.places.fields + 1 + at.index(self.height() - self.places.fields - 1)
    }

    /// Over a managed cell, also one of the header.
    fn overwriting(&self, row: &Index, column: &Index, formula: bool) -> Value {
        let mut rows: Vec<usize> = self.places.rows.iter().map(|(_, row)| *row).collect();
        rows.extend([self.places.groups, self.places.fields]);
        let columns: Vec<usize> = self.places.columns.values().copied().collect();
        let value = if formula {
            json!({"formulaValue": "=1+1"})
        } else {
            json!({"stringValue": "typed"})
        };
        let content = json!({"userEnteredValue": value});
        json!([self.cell(
            *row.get(&rows),
            *column.get(&columns),
            &content,
            "userEnteredValue"
        )])
    }

    /// What the edit asks of Google; none where it makes no sense.
    fn requests(&self, edit: &Edit, name: &str) -> Option<Value> {
        let (height, width) = (self.height(), self.width());
        let properties = |properties: Value, fields: &str| json!([{"updateSheetProperties": {"properties": properties, "fields": fields}}]);
        Some(match edit {
            Edit::InsertColumn(at) => {
                let at = at.index(width);
                self.insertion("COLUMNS", at, (height - 1, at), name)
            }
            Edit::InsertRow(at) => {
                let at = at.index(height);
                self.insertion("ROWS", at, (at, 0), name)
            }
            Edit::DeleteColumn(at) => {
                json!([{"deleteDimension": {"range": self.range("COLUMNS", at.index(width))}}])
            }
            Edit::DeleteRow(at) => {
                json!([{"deleteDimension": {"range": self.range("ROWS", at.index(height))}}])
            }
            Edit::MoveColumn(from, to) => {
                let (source, to) = (self.range("COLUMNS", from.index(width)), to.index(width));
                json!([{"moveDimension": {"source": source, "destinationIndex": to}}])
            }
            Edit::MoveRow(from, to) if height > self.places.fields + 1 => {
                let source = self.range("ROWS", self.below(from));
                json!([{"moveDimension": {"source": source, "destinationIndex": self.below(to)}}])
            }
            Edit::MoveRow(..) => return None,
            Edit::Hide { rows, at } => {
                let (dimension, count) = if *rows {
                    ("ROWS", height)
                } else {
                    ("COLUMNS", width)
                };
                let range = self.range(dimension, at.index(count));
                json!([{"updateDimensionProperties": {"range": range, "fields": "hiddenByUser",
                    "properties": {"hiddenByUser": true}}}])
            }
            Edit::Overwrite(row, column, formula) => self.overwriting(row, column, *formula),
            Edit::Filter => {
                let range = json!({"sheetId": self.sheet_id, "startRowIndex": self.places.fields,
                    "endRowIndex": height, "startColumnIndex": 0, "endColumnIndex": width});
                json!([{"setBasicFilter": {"filter": {"range": range}}}])
            }
            Edit::Rename => properties(json!({"sheetId": self.sheet_id, "title": name}), "title"),
            Edit::MoveWorksheet => properties(json!({"sheetId": self.sheet_id, "index": 0}), "index"),
            Edit::DeleteWorksheet => json!([{"deleteSheet": {"sheetId": self.sheet_id}}]),
            Edit::Sort(column, down) => {
                let order = if *down { "DESCENDING" } else { "ASCENDING" };
                let specs = json!([{"dimensionIndex": column.index(width), "sortOrder": order}]);
                json!([{"sortRange": {"range": self.table(self.places.fields + 1), "sortSpecs": specs}}])
            }
            Edit::Cut(which) => {
                let cells = self.grid.iter().enumerate().flat_map(|(row, cells)| {
                    let own = cells
                        .iter()
                        .enumerate()
                        .filter(|(_, cell)| text(cell).starts_with("own"));
                    own.map(move |(column, _)| (row, column))
                });
                let cells: Vec<(usize, usize)> = cells.collect();
                if cells.is_empty() {
                    return None;
                }
                let (row, column) = *which.get(&cells);
                let source = json!({"sheetId": self.sheet_id, "startRowIndex": row, "endRowIndex": row + 1,
                    "startColumnIndex": column, "endColumnIndex": column + 1});
                let place =
                    json!({"sheetId": self.sheet_id, "rowIndex": height + 1, "columnIndex": width + 1});
                json!([{"cutPaste": {"source": source, "destination": place, "pasteType": "PASTE_NORMAL"}}])
            }
            Edit::Freeze(columns) => {
                let grid = json!({"frozenColumnCount": columns});
                let fields = "gridProperties.frozenColumnCount";
                properties(json!({"sheetId": self.sheet_id, "gridProperties": grid}), fields)
            }
            Edit::Table(typed) => {
                let kind = if *typed {
                    "DOUBLE"
                } else {
                    "COLUMN_TYPE_UNSPECIFIED"
                };
                let columns: Vec<Value> = (0..width)
                    .map(|column| json!({"columnIndex": column, "columnType": kind}))
                    .collect();
                json!([{"addTable": {"table": {"name": name.replace(' ', "_"),
                    "range": self.table(self.places.fields), "columnProperties": columns}}}])
            }
            Edit::Band => json!([{"addBanding": {"bandedRange": {"range": self.table(self.places.fields),
                "rowProperties": {"firstBandColorStyle": {"rgbColor": {"red": 1}}}}}}]),
            Edit::Copy => json!([{"duplicateSheet": {"sourceSheetId": self.sheet_id, "newSheetName": name,
                "insertSheetIndex": 1}}]),
            Edit::Bin(_) => return None,
        })
    }

    /// From this row on, as wide as what is there.
    fn table(&self, from: usize) -> Value {
        json!({"sheetId": self.sheet_id, "startRowIndex": from, "endRowIndex": self.height().max(from + 1),
            "startColumnIndex": 0, "endColumnIndex": self.width()})
    }
}

/// What a person does in the page. What Google does not let them do, they leave.
pub(crate) fn by_hand(world: &World, hands: &mut Hands, edit: &Edit) {
    if let Edit::Bin(binned) = edit {
        world.google.bin(&hands.spreadsheet, *binned);
    }
    let Some(page) = Page::open(world, hands) else {
        return;
    };
    hands.made += 1;
    let name = format!("own {}", hands.made);
    let Some(requests) = page.requests(edit, &name) else {
        return;
    };
    let names = match edit {
        Edit::DeleteColumn(at) => names_at(world, hands, at.index(page.width())),
        _ => Vec::new(),
    };
    if world.google.edit(&hands.spreadsheet, &requests).is_err() {
        return;
    }
    let gone: Vec<String> = match edit {
        Edit::Hide { rows: false, at } => {
            hands
                .hidden
                .extend(names_at(world, hands, at.index(page.width())));
            return;
        }
        Edit::InsertColumn(_) | Edit::InsertRow(_) => {
            hands.own.insert(name);
            return;
        }
        Edit::Rename => {
            hands.title = name;
            return;
        }
        Edit::Copy => {
            let copy = world.google.grid(&hands.spreadsheet, &name);
            hands.copies.insert(name, copy.expect("the copy"));
            return;
        }
        Edit::DeleteColumn(at) => {
            let at = at.index(page.width());
            hands.hidden.retain(|name| !names.contains(name));
            page.grid.iter().map(|row| text(&row[at]).to_owned()).collect()
        }
        Edit::DeleteRow(at) => {
            let row = &page.grid[at.index(page.height())];
            row.iter().map(|cell| text(cell).to_owned()).collect()
        }
        Edit::DeleteWorksheet => {
            PRODUCTS.clone_into(&mut hands.title);
            hands.hidden.clear();
            hands.own.iter().cloned().collect()
        }
        _ => return,
    };
    for text in gone {
        hands.own.remove(&text);
    }
}

/// What is in the way of our writing is taken away: Tables become ranges again, the file leaves the bin.
pub(crate) fn tidy_up(world: &World, hands: &Hands) {
    world.google.bin(&hands.spreadsheet, false);
    let book = world
        .google
        .everything(&hands.spreadsheet)
        .expect("the spreadsheet");
    let tables = book["sheets"].as_array().expect("sheets").iter();
    let tables = tables.flat_map(|sheet| sheet["tables"].as_array().cloned().unwrap_or_default());
    for table in tables {
        let request = json!([{"deleteTable": {"tableId": table["tableId"]}}]);
        world
            .google
            .edit(&hands.spreadsheet, &request)
            .expect("the end of a table");
    }
}

/// The spreadsheet with everything in it, and the worksheet.
fn everything(world: &World, hands: &Hands) -> (Value, Value) {
    let book = world
        .google
        .everything(&hands.spreadsheet)
        .expect("the spreadsheet");
    let mut sheets = book["sheets"].as_array().expect("sheets").iter();
    let sheet = sheets.find(|sheet| sheet["title"] == json!(hands.title));
    let sheet = sheet.expect("the worksheet").clone();
    (book, sheet)
}

/// The layout's columns: name and place.
fn named_columns(world: &World, hands: &Hands) -> Vec<(String, usize)> {
    let (book, sheet) = everything(world, hands);
    let names = book["metadata"].as_array().expect("metadata").iter();
    names
        .filter(|name| name["key"] == COLUMN_METADATA_KEY)
        .filter_map(|name| {
            let place = &name["place"]["column"];
            let at = usize::try_from(place[1].as_u64()?).ok()?;
            (place[0] == sheet["id"]).then(|| (text(&name["value"]).to_owned(), at))
        })
        .collect()
}

fn names_at(world: &World, hands: &Hands, at: usize) -> Vec<String> {
    let all = named_columns(world, hands).into_iter();
    all.filter(|(_, place)| *place == at)
        .map(|(name, _)| name)
        .collect()
}

/// Names of the layout's columns that nobody sees.
pub(crate) fn hidden(world: &World, hands: &Hands) -> BTreeSet<String> {
    let (_, sheet) = everything(world, hands);
    let all = named_columns(world, hands).into_iter();
    all.filter(|(_, at)| sheet["column_sizes"][*at]["h"] == json!(true))
        .map(|(name, _)| name)
        .collect()
}

/// Rows with a cell that is struck through.
pub(crate) fn struck(world: &World, hands: &Hands) -> BTreeSet<usize> {
    let (book, sheet) = everything(world, hands);
    let is_struck = |cell: &Value| {
        // Formats are counted from 1; 0 is none.
        let format = cell["f"].as_u64().unwrap_or_default().checked_sub(1);
        format.is_some_and(|place| {
            let format = &book["formats"][usize::try_from(place).unwrap()];
            format["textFormat"]["strikethrough"] == json!(true)
        })
    };
    let rows = sheet["rows"].as_array().expect("rows").iter().enumerate();
    rows.filter(|(_, row)| row.as_array().expect("cells").iter().any(is_struck))
        .map(|(row, _)| row)
        .collect()
}
