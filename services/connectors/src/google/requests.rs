//! The requests of `spreadsheets.batchUpdate` that the sheets role sends, as types: a misspelt field name
//! would otherwise be found by Google, and only at night.

use serde::Serialize;

use super::wire::{
    Border, CellData, DataFilter, DeveloperMetadata, Dimension, DimensionProperties, DimensionRange,
    GridCoordinate, GridRange, RowData, SheetProperties, SpreadsheetProperties,
};

/// One request of a batch. `fields` in them is the mask of what is written: what it names and the value
/// leaves out is cleared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub enum Request {
    UpdateSpreadsheetProperties(UpdateSpreadsheetProperties),
    AddSheet(AddSheet),
    DuplicateSheet(DuplicateSheet),
    UpdateSheetProperties(UpdateSheetProperties),
    MergeCells(MergeCells),
    UnmergeCells(RangeField),
    RepeatCell(RepeatCell),
    UpdateCells(UpdateCells),
    UpdateBorders(Box<UpdateBorders>),
    UpdateDimensionProperties(UpdateDimensionProperties),
    InsertDimension(InsertDimension),
    AppendDimension(AppendDimension),
    DeleteDimension(DimensionRangeField),
    CreateDeveloperMetadata(CreateDeveloperMetadata),
    UpdateDeveloperMetadata(UpdateDeveloperMetadata),
    DeleteDeveloperMetadata(DeleteDeveloperMetadata),
}

/// Changes the spreadsheet's own properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct UpdateSpreadsheetProperties {
    pub properties: SpreadsheetProperties,
    pub fields: String,
}

/// Adds a sheet; a title or id that is taken is a 400.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct AddSheet {
    pub properties: SheetProperties,
}

/// Copies a sheet as it is when the request comes; a title that is taken is a 400.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct DuplicateSheet {
    pub source_sheet_id: i32,
    pub insert_sheet_index: i32,
    pub new_sheet_name: String,
}

/// Changes a sheet's properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct UpdateSheetProperties {
    pub properties: SheetProperties,
    pub fields: String,
}

/// Merges cells; over a part of another merge it is a 400.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct MergeCells {
    pub range: GridRange,
    /// `MERGE_ALL`, `MERGE_COLUMNS`, `MERGE_ROWS`.
    pub merge_type: String,
}

/// A request that is nothing but a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct RangeField {
    pub range: GridRange,
}

/// Writes one cell into a whole range.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct RepeatCell {
    pub range: GridRange,
    pub cell: CellData,
    pub fields: String,
}

/// Writes rows of cells from `start`; beyond the grid's columns it is a 400.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct UpdateCells {
    pub start: GridCoordinate,
    pub rows: Vec<RowData>,
    pub fields: String,
}

/// Draws lines around and inside a range; absent ones are left as they are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct UpdateBorders {
    pub range: GridRange,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<Border>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bottom: Option<Border>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Border>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<Border>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_horizontal: Option<Border>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_vertical: Option<Border>,
}

/// Widths and heights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct UpdateDimensionProperties {
    pub range: DimensionRange,
    pub properties: DimensionProperties,
    pub fields: String,
}

/// Inserts empty rows or columns; what was there moves on, metadata included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct InsertDimension {
    pub range: DimensionRange,
    pub inherit_from_before: bool,
}

/// Adds empty rows or columns at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct AppendDimension {
    pub sheet_id: i32,
    pub dimension: Dimension,
    pub length: i32,
}

/// A request that is nothing but rows or columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct DimensionRangeField {
    pub range: DimensionRange,
}

/// Hangs a key and a value on a row, column or sheet. Duplicates are accepted: read back to be sure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct CreateDeveloperMetadata {
    pub developer_metadata: DeveloperMetadata,
}

/// Changes all metadata that the filters find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct UpdateDeveloperMetadata {
    pub data_filters: Vec<DataFilter>,
    pub developer_metadata: DeveloperMetadata,
    pub fields: String,
}

/// Removes all metadata that the filter finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub struct DeleteDeveloperMetadata {
    pub data_filter: DataFilter,
}

#[cfg(test)]
mod tests;
