//! A small in-memory worksheet that applies `batchUpdate` bodies as Sheets v4 documents them, strict about
//! what the API refuses. It reads the JSON, not our types, so that a wrong field name fails here.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sheet_layout::migrate::{FoundCell, Worksheet};
use sheet_layout::{
    COLUMN_METADATA_KEY, ColumnKey, Current, Grid, GridRange, IdentityCells, ManagedColumn, ManagedRow,
    NAMES_A_BATCH, NAMES_BUDGET, ROW_METADATA_KEY, Request, SheetState, Table, locate_rows,
};

/// One cell: value, note, and the formats that reached it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ModelCell {
    pub(crate) value: Option<Value>,
    pub(crate) note: Option<String>,
    pub(crate) struck: bool,
    pub(crate) background: Option<Value>,
    pub(crate) number_format: Option<Value>,
    pub(crate) header: bool,
    pub(crate) thick_right: bool,
    pub(crate) thick_bottom: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Meta {
    id: i64,
    pub(crate) key: String,
    pub(crate) value: String,
    rows: bool,
    index: usize,
}

/// The worksheet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) sheet_id: i64,
    pub(crate) cells: Vec<Vec<ModelCell>>,
    pub(crate) merges: Vec<GridRange>,
    pub(crate) frozen: u32,
    pub(crate) frozen_columns: usize,
    pub(crate) tables: Vec<Table>,
    pub(crate) widths: BTreeMap<usize, i64>,
    pub(crate) metadata: Vec<Meta>,
    exists: bool,
}

fn number(value: &Value, name: &str) -> usize {
    usize::try_from(
        value[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} missing in {value}")),
    )
    .unwrap()
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap()
}

impl Model {
    /// A worksheet of the seller's, before we touch it.
    pub(crate) fn of_seller(sheet_id: i64, rows: usize, columns: usize) -> Self {
        Self {
            sheet_id,
            cells: vec![vec![ModelCell::default(); columns]; rows],
            exists: true,
            ..Self::default()
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.cells.first().map_or(0, Vec::len)
    }

    pub(crate) fn value(&self, row: usize, column: usize) -> Option<&Value> {
        self.cells[row][column].value.as_ref()
    }

    pub(crate) fn put(&mut self, row: usize, column: usize, text: &str) {
        self.cells[row][column].value = Some(Value::from(text));
    }

    /// The seller, or an earlier writer, merges cells of one row.
    pub(crate) fn join(&mut self, row: usize, left: usize, right: usize) {
        self.merges.push(GridRange {
            sheet_id: i32::try_from(self.sheet_id).unwrap(),
            start_row_index: small(row),
            end_row_index: small(row + 1),
            start_column_index: small(left),
            end_column_index: small(right),
        });
    }

    /// Everything that decides about a migration.
    pub(crate) fn worksheet(&self) -> Worksheet {
        let state = self.read(Grid::default(), &[]).sheet.unwrap();
        let cell = |cell: &ModelCell| match &cell.value {
            None => FoundCell::Empty,
            Some(Value::String(text)) if text.starts_with('=') => FoundCell::Formula(text.as_str().into()),
            Some(Value::String(text)) => FoundCell::Text(text.as_str().into()),
            Some(value) => FoundCell::Number(value.as_f64().unwrap()),
        };
        let noted = (self.cells.iter().enumerate()).flat_map(|(row, cells)| {
            let noted = cells.iter().enumerate().filter(|(_, cell)| cell.note.is_some());
            noted.map(move |(column, _)| (small(row), small(column)))
        });
        Worksheet {
            sheet_id: state.sheet_id,
            title: "Products".into(),
            row_count: state.row_count,
            column_count: state.column_count,
            frozen_rows: state.frozen_rows,
            frozen_columns: state.frozen_columns,
            tables: state.tables,
            merges: state.merges,
            columns: state.columns,
            header_rows: state.header_rows,
            cells: self
                .cells
                .iter()
                .map(|row| row.iter().map(cell).collect())
                .collect(),
            notes: noted.collect(),
            elsewhere: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// Applies a whole body.
    pub(crate) fn apply(&mut self, body: &[u8]) {
        let body: Value = serde_json::from_slice(body).unwrap();
        let given = body["requests"].as_array().unwrap().iter();
        let names = given.filter(|request| request.get("createDeveloperMetadata").is_some());
        assert!(names.count() <= NAMES_A_BATCH, "too many names at once");
        for request in body["requests"].as_array().unwrap() {
            let (name, content) = request.as_object().unwrap().iter().next().unwrap();
            assert!(
                self.exists || name == "addSheet",
                "{name} before the sheet exists"
            );
            self.request(name, content);
        }
    }

    /// Applies some requests.
    pub(crate) fn apply_all(&mut self, requests: &[Request]) {
        let body = serde_json::json!({"requests": requests});
        self.apply(&serde_json::to_vec(&body).unwrap());
    }

    fn request(&mut self, name: &str, content: &Value) {
        match name {
            "addSheet" => {
                assert!(!self.exists, "the sheet exists");
                let properties = &content["properties"];
                let grid = &properties["gridProperties"];
                *self = Self::of_seller(
                    properties["sheetId"].as_i64().unwrap(),
                    number(grid, "rowCount"),
                    number(grid, "columnCount"),
                );
                self.freeze(number(grid, "frozenRowCount"));
            }
            "updateSheetProperties" => {
                assert_eq!(content["fields"], "gridProperties.frozenRowCount");
                self.freeze(number(&content["properties"]["gridProperties"], "frozenRowCount"));
            }
            "appendDimension" => {
                let rows = content["dimension"] == "ROWS";
                let at = if rows { self.cells.len() } else { self.width() };
                self.insert(rows, at, number(content, "length"));
            }
            "insertDimension" => {
                let range = &content["range"];
                let (start, end) = (number(range, "startIndex"), number(range, "endIndex"));
                let rows = range["dimension"] == "ROWS";
                let extent = if rows { self.cells.len() } else { self.width() };
                assert!(
                    start < end && start < extent,
                    "insertion outside the grid: {content}"
                );
                assert!(
                    start > 0 || content["inheritFromBefore"] == false,
                    "nothing to inherit from"
                );
                self.insert(rows, start, end - start);
            }
            "deleteDimension" => {
                let range = &content["range"];
                for at in (number(range, "startIndex")..number(range, "endIndex")).rev() {
                    self.delete(range["dimension"] == "ROWS", at);
                }
            }
            "createDeveloperMetadata" => self.create_metadata(&content["developerMetadata"]),
            "updateDeveloperMetadata" => {
                assert_eq!(content["fields"], "metadataValue");
                let id = content["dataFilters"][0]["developerMetadataLookup"]["metadataId"].as_i64();
                let value = content["developerMetadata"]["metadataValue"].as_str().unwrap();
                let named = self.metadata.iter_mut().find(|meta| Some(meta.id) == id);
                value.clone_into(&mut named.unwrap().value);
            }
            "unmergeCells" => {
                let range = self.range(&content["range"]);
                assert!(
                    self.merges.contains(&range),
                    "cuts a merge or finds none: {range:?}"
                );
                self.merges.retain(|merge| *merge != range);
            }
            "mergeCells" => self.merge(content),
            "updateCells" => self.update_cells(content),
            "repeatCell" => self.repeat_cell(content),
            "updateBorders" => self.update_borders(content),
            "updateDimensionProperties" => {
                let range = &content["range"];
                if range["dimension"] == "COLUMNS" {
                    for column in number(range, "startIndex")..number(range, "endIndex") {
                        assert!(column < self.width());
                        if let Some(width) = content["properties"]["pixelSize"].as_i64() {
                            self.widths.insert(column, width);
                        }
                    }
                }
            }
            other => panic!("unknown request {other}"),
        }
    }

    fn freeze(&mut self, rows: usize) {
        assert!(rows < self.cells.len(), "Sheets refuses to freeze all rows");
        self.frozen = small(rows);
    }

    fn range(&self, range: &Value) -> GridRange {
        let found = GridRange {
            sheet_id: i32::try_from(range["sheetId"].as_i64().unwrap()).unwrap(),
            start_row_index: small(number(range, "startRowIndex")),
            end_row_index: small(number(range, "endRowIndex")),
            start_column_index: small(number(range, "startColumnIndex")),
            end_column_index: small(number(range, "endColumnIndex")),
        };
        assert_eq!(i64::from(found.sheet_id), self.sheet_id);
        assert!(found.start_row_index < found.end_row_index, "empty range {range}");
        assert!(
            found.start_column_index < found.end_column_index,
            "empty range {range}"
        );
        assert!(
            found.end_row_index <= small(self.cells.len()),
            "range outside the grid {range}"
        );
        assert!(
            found.end_column_index <= small(self.width()),
            "range outside the grid {range}"
        );
        found
    }

    /// Also the seller's hand: rows or columns come in, everything behind moves, metadata and merges follow.
    pub(crate) fn insert(&mut self, rows: bool, at: usize, count: usize) {
        if rows {
            let blank = vec![ModelCell::default(); self.width()];
            self.cells.splice(at..at, std::iter::repeat_n(blank, count));
        } else {
            for row in &mut self.cells {
                row.splice(at..at, std::iter::repeat_n(ModelCell::default(), count));
            }
            let widths = std::mem::take(&mut self.widths);
            self.widths = widths
                .into_iter()
                .map(|(column, width)| (column + if column >= at { count } else { 0 }, width))
                .collect();
        }
        for meta in self
            .metadata
            .iter_mut()
            .filter(|meta| meta.rows == rows && meta.index >= at)
        {
            meta.index += count;
        }
        if !rows && at < self.frozen_columns {
            self.frozen_columns += count;
        }
        let (at, count) = (small(at), small(count));
        for merge in &mut self.merges {
            let (start, end) = if rows {
                (&mut merge.start_row_index, &mut merge.end_row_index)
            } else {
                (&mut merge.start_column_index, &mut merge.end_column_index)
            };
            if *start >= at {
                (*start, *end) = (*start + count, *end + count);
            } else if *end > at {
                *end += count;
            }
        }
    }

    /// The seller deletes a row or column.
    pub(crate) fn delete(&mut self, rows: bool, at: usize) {
        if rows {
            self.cells.remove(at);
        } else {
            self.cells.iter_mut().for_each(|row| {
                row.remove(at);
            });
        }
        if !rows {
            let widths = std::mem::take(&mut self.widths).into_iter();
            let left = widths.filter(|(column, _)| *column != at);
            self.widths = left
                .map(|(column, width)| (column - usize::from(column > at), width))
                .collect();
        }
        self.metadata.retain(|meta| meta.rows != rows || meta.index != at);
        for meta in self
            .metadata
            .iter_mut()
            .filter(|meta| meta.rows == rows && meta.index > at)
        {
            meta.index -= 1;
        }
        if !rows && at < self.frozen_columns {
            self.frozen_columns -= 1;
        }
        let at = small(at);
        for merge in &mut self.merges {
            let (start, end) = if rows {
                (&mut merge.start_row_index, &mut merge.end_row_index)
            } else {
                (&mut merge.start_column_index, &mut merge.end_column_index)
            };
            *start -= u32::from(*start > at);
            *end -= u32::from(*end > at);
        }
        self.merges.retain(|merge| {
            let (rows, columns) = (
                merge.end_row_index - merge.start_row_index,
                merge.end_column_index - merge.start_column_index,
            );
            rows * columns > 1 && rows > 0
        });
    }

    fn create_metadata(&mut self, meta: &Value) {
        let range = &meta["location"]["dimensionRange"];
        assert_eq!(number(range, "endIndex"), number(range, "startIndex") + 1);
        assert_eq!(meta["visibility"], "PROJECT");
        let meta = Meta {
            id: meta["metadataId"].as_i64().unwrap(),
            key: meta["metadataKey"].as_str().unwrap().to_owned(),
            value: meta["metadataValue"].as_str().unwrap().to_owned(),
            rows: range["dimension"] == "ROWS",
            index: number(range, "startIndex"),
        };
        assert!(
            self.metadata.iter().all(|known| known.id != meta.id),
            "metadata id {} is taken",
            meta.id
        );
        self.metadata.push(meta);
        assert!(self.names() <= NAMES_BUDGET, "no room for the names");
    }

    fn merge(&mut self, content: &Value) {
        assert_eq!(content["mergeType"], "MERGE_ALL");
        let range = self.range(&content["range"]);
        assert!(
            self.merges.iter().all(|merge| !merge.intersects(&range)),
            "merges overlap: {range:?}"
        );
        let border = small(self.frozen_columns);
        assert!(
            !(range.start_column_index < border && border < range.end_column_index),
            "You can't merge frozen and non-frozen columns: {range:?} at {border}"
        );
        assert!(
            self.tables.iter().all(|table| !table.range.intersects(&range)),
            "a merge in a Table: {range:?}"
        );
        let mut first = true;
        self.each(range, |cell| {
            if !std::mem::take(&mut first) {
                cell.value = None;
            }
        });
        self.merges.push(range);
    }

    fn each(&mut self, range: GridRange, mut change: impl FnMut(&mut ModelCell)) {
        for row in range.start_row_index..range.end_row_index {
            for column in range.start_column_index..range.end_column_index {
                change(&mut self.cells[row as usize][column as usize]);
            }
        }
    }

    fn update_cells(&mut self, content: &Value) {
        let start = &content["start"];
        let (row, column) = (number(start, "rowIndex"), number(start, "columnIndex"));
        let rows = content["rows"].as_array().unwrap();
        assert!(!rows.is_empty());
        for (down, values) in rows.iter().enumerate() {
            for (right, cell) in values["values"].as_array().unwrap().iter().enumerate() {
                let place = &mut self.cells[row + down][column + right];
                match content["fields"].as_str().unwrap() {
                    "userEnteredValue" => {
                        let value = cell
                            .get("userEnteredValue")
                            .map(|value| value.as_object().unwrap());
                        place.value = value.and_then(|value| value.values().next().cloned());
                    }
                    "note" => place.note = cell["note"].as_str().map(str::to_owned),
                    other => panic!("fields {other}"),
                }
            }
        }
    }

    fn repeat_cell(&mut self, content: &Value) {
        let range = self.range(&content["range"]);
        let format = &content["cell"]["userEnteredFormat"];
        let fields = content["fields"].as_str().unwrap();
        let part = fields
            .strip_prefix("userEnteredFormat(")
            .and_then(|part| part.strip_suffix(')'));
        let masks = |name: &str| {
            fields == "userEnteredFormat"
                || fields == format!("userEnteredFormat.{name}")
                || part.is_some_and(|part| part.split(',').any(|field| name.starts_with(field)))
        };
        let known = ["textFormat.strikethrough", "backgroundColorStyle", "numberFormat"];
        assert!(known.into_iter().any(masks), "fields {fields}");
        let whole = fields == "userEnteredFormat";
        if masks("numberFormat") {
            let columns = range.start_column_index..range.end_column_index;
            let in_table = |table: &Table| {
                table.range.intersects(&range) && table.typed.iter().any(|typed| columns.contains(typed))
            };
            assert!(
                !self.tables.iter().any(in_table),
                "This operation is not allowed on cells in typed columns: {content}"
            );
        }
        let struck = format["textFormat"]["strikethrough"] == true;
        let header = format["wrapStrategy"] == "WRAP";
        let found = |name: &str| Some(&format[name]).filter(|value| !value.is_null()).cloned();
        self.each(range, |cell| {
            if whole {
                (cell.header, cell.thick_right, cell.thick_bottom) = (header, false, false);
            }
            if masks("textFormat.strikethrough") {
                cell.struck = struck;
            }
            if masks("backgroundColorStyle") {
                cell.background = found("backgroundColorStyle");
            }
            if masks("numberFormat") {
                cell.number_format = found("numberFormat");
            }
        });
    }

    fn update_borders(&mut self, content: &Value) {
        let range = self.range(&content["range"]);
        let thick = |side: &str| (!content[side].is_null()).then(|| content[side]["style"] == "SOLID_THICK");
        for row in range.start_row_index..range.end_row_index {
            for column in range.start_column_index..range.end_column_index {
                let right = if column + 1 == range.end_column_index {
                    "right"
                } else {
                    "innerVertical"
                };
                let bottom = if row + 1 == range.end_row_index {
                    "bottom"
                } else {
                    "innerHorizontal"
                };
                let cell = &mut self.cells[row as usize][column as usize];
                cell.thick_right = thick(right).unwrap_or(cell.thick_right);
                cell.thick_bottom = thick(bottom).unwrap_or(cell.thick_bottom);
                // A left or top edge is the neighbour's right or bottom one.
                if let (Some(thick), true) = (thick("left"), column == range.start_column_index && column > 0)
                {
                    self.cells[row as usize][column as usize - 1].thick_right = thick;
                }
                if let (Some(thick), true) = (thick("top"), row == range.start_row_index && row > 0) {
                    self.cells[row as usize - 1][column as usize].thick_bottom = thick;
                }
            }
        }
    }

    /// Physical index of a managed column.
    pub(crate) fn column(&self, key: &str) -> Option<usize> {
        let wanted = ColumnKey::parse(key);
        self.metadata
            .iter()
            .find(|meta| !meta.rows && ColumnKey::parse(&meta.value) == wanted)
            .map(|meta| meta.index)
    }

    /// Physical index of a header row.
    pub(crate) fn header_row(&self, value: &str) -> Option<usize> {
        let mut found = self
            .metadata
            .iter()
            .filter(|meta| meta.rows && meta.value == value);
        found.next().map(|meta| meta.index)
    }

    /// Reads the sheet as a caller would.
    pub(crate) fn read(&self, written: Grid, products: &[IdentityCells<Arc<str>>]) -> Current {
        if !self.exists {
            return Current::default();
        }
        let mut state = SheetState {
            sheet_id: i32::try_from(self.sheet_id).unwrap(),
            row_count: small(self.cells.len()),
            column_count: small(self.width()),
            frozen_rows: self.frozen,
            frozen_columns: small(self.frozen_columns),
            tables: self.tables.clone(),
            merges: self.merges.clone(),
            written,
            ..SheetState::default()
        };
        for meta in &self.metadata {
            let (metadata_id, index) = (i32::try_from(meta.id).unwrap(), small(meta.index));
            let value: Arc<str> = meta.value.as_str().into();
            match meta.key.as_str() {
                COLUMN_METADATA_KEY => state.columns.push(ManagedColumn {
                    metadata_id,
                    value,
                    index,
                }),
                ROW_METADATA_KEY => state.header_rows.push(ManagedRow {
                    metadata_id,
                    value,
                    index,
                }),
                other => panic!("metadata key {other}"),
            }
        }
        state.row_of_product = locate_rows(&self.identities(), products);
        Current { sheet: Some(state) }
    }

    fn identities(&self) -> Vec<IdentityCells<u32>> {
        let (nm_id, vendor) = (self.column("base:nm_id"), self.column("base:vendor_code"));
        let size = self.column("base:size");
        let first = self
            .metadata
            .iter()
            .filter(|meta| meta.rows)
            .map(|meta| meta.index + 1)
            .max()
            .unwrap_or_default();
        let mut identities = Vec::new();
        for (row, cells) in self.cells.iter().enumerate().skip(first) {
            let value = |column: Option<usize>| column.and_then(|column| cells[column].value.as_ref());
            let number = value(nm_id).and_then(Value::as_i64);
            if nm_id.is_some() && number.is_none() {
                continue;
            }
            let text = |column| value(column).and_then(Value::as_str).unwrap_or_default().into();
            identities.push(IdentityCells {
                of: small(row),
                nm_id: number,
                vendor_code: text(vendor),
                size: size.map(|_| text(size)),
            });
        }
        identities
    }

    /// The managed columns, left to right.
    pub(crate) fn managed(&self) -> Vec<(ColumnKey, usize)> {
        let mut columns: Vec<_> = (self.metadata.iter())
            .filter(|meta| !meta.rows)
            .map(|meta| (ColumnKey::parse(&meta.value).unwrap(), meta.index))
            .collect();
        columns.sort_by_key(|(_, index)| *index);
        columns
    }
}
