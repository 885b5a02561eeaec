//! The parts of Sheets v4 that are written or read here. Everything is optional on the wire: what is absent
//! is zero, false or unbounded.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A color by parts from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Color {
    #[serde(default)]
    pub red: f32,
    #[serde(default)]
    pub green: f32,
    #[serde(default)]
    pub blue: f32,
}

/// A color as newer fields want it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColorStyle {
    /// The color; a theme's color is not used here.
    pub rgb_color: Option<Color>,
}

impl From<Color> for ColorStyle {
    fn from(color: Color) -> Self {
        Self {
            rgb_color: Some(color),
        }
    }
}

/// Half-open, zero-based; a missing end is unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct GridRange {
    pub sheet_id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_row_index: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_row_index: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_column_index: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column_index: Option<i32>,
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct GridCoordinate {
    pub sheet_id: i32,
    pub row_index: i32,
    pub column_index: i32,
}

/// Rows or columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Dimension {
    Rows,
    Columns,
}

/// Some rows or columns of a sheet, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields say it")]
pub struct DimensionRange {
    #[serde(default)]
    pub sheet_id: i32,
    pub dimension: Dimension,
    #[serde(default)]
    pub start_index: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_index: Option<i32>,
}

/// Size and frozen rows of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct GridProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_row_count: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_column_count: Option<i32>,
}

/// A sheet's name, place and size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct SheetProperties {
    pub sheet_id: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid_properties: Option<GridProperties>,
}

/// Width or height, and whether it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DimensionProperties {
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_size: Option<i32>,
    /// By a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_by_user: Option<bool>,
}

/// A value as somebody would type it. `Formula` is missing on purpose: nothing that comes from a marketplace
/// may be calculated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExtendedValue {
    /// A number.
    NumberValue(f64),
    /// A text; one that begins with `=` stays a text.
    StringValue(String),
    /// True or false.
    BoolValue(bool),
}

/// How a number looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberFormat {
    /// `NUMBER`, `TEXT`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Such as `#,##0.0`.
    #[serde(default)]
    pub pattern: String,
}

/// How letters look.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct TextFormat {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bold: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub italic: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strikethrough: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub font_size: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub font_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreground_color_style: Option<ColorStyle>,
}

/// One edge of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Border {
    /// `SOLID`, `SOLID_THICK`, `NONE`, …
    pub style: String,
    /// Its color; black when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_style: Option<ColorStyle>,
}

/// How a cell looks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct CellFormat {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_format: Option<NumberFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_color_style: Option<ColorStyle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_format: Option<TextFormat>,
    /// `LEFT`, `CENTER`, `RIGHT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizontal_alignment: Option<String>,
    /// `TOP`, `MIDDLE`, `BOTTOM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertical_alignment: Option<String>,
    /// `WRAP`, `CLIP`, `OVERFLOW_CELL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrap_strategy: Option<String>,
}

/// A cell to write. With `userEnteredValue` in the mask, an absent value clears the cell.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct CellData {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_entered_value: Option<ExtendedValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_entered_format: Option<CellFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A row of cells to write.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RowData {
    /// From left to right.
    #[serde(default)]
    pub values: Vec<CellData>,
}

/// Where a piece of metadata hangs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct DeveloperMetadataLocation {
    /// Only in answers: `ROW`, `COLUMN`, `SHEET`, `SPREADSHEET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spreadsheet: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension_range: Option<DimensionRange>,
}

/// A key and a value that follow their row, column or sheet through sorting and inserting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct DeveloperMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<DeveloperMetadataLocation>,
    /// `PROJECT` hides it from other programs, `DOCUMENT` shows it to all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<String>,
}

/// What metadata to find; absent fields match everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields say it")]
pub struct DeveloperMetadataLookup {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_location: Option<DeveloperMetadataLocation>,
    /// `EXACT_LOCATION` or `INTERSECTING_LOCATION`; Google takes the latter for unsaid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_matching_strategy: Option<String>,
}

/// Selects by metadata or by place; exactly one of the two is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataFilter {
    /// What to find.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub developer_metadata_lookup: Option<DeveloperMetadataLookup>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid_range: Option<GridRange>,
}

impl From<DeveloperMetadataLookup> for DataFilter {
    fn from(lookup: DeveloperMetadataLookup) -> Self {
        Self {
            developer_metadata_lookup: Some(lookup),
            grid_range: None,
        }
    }
}

/// A spreadsheet, as far as the field mask asked for it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Spreadsheet {
    pub spreadsheet_id: Option<String>,
    pub properties: Option<SpreadsheetProperties>,
    pub sheets: Vec<Sheet>,
    pub named_ranges: Vec<Value>,
    pub developer_metadata: Vec<DeveloperMetadata>,
}

/// Its title.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct SpreadsheetProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// One sheet of it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Sheet {
    pub properties: SheetProperties,
    pub merges: Vec<GridRange>,
    pub protected_ranges: Vec<ProtectedRange>,
    pub tables: Vec<Table>,
    pub basic_filter: Option<Value>,
    pub banded_ranges: Vec<Value>,
    pub slicers: Vec<Value>,
    pub charts: Vec<Value>,
    pub data: Vec<GridData>,
    pub developer_metadata: Vec<DeveloperMetadata>,
}

/// A Table that people made of some cells; its first row holds the titles.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Table {
    pub table_id: Option<String>,
    pub range: Option<GridRange>,
    pub column_properties: Vec<TableColumn>,
}

/// A column of a Table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TableColumn {
    /// Counted from the Table's first one.
    pub column_index: i32,
    /// `DOUBLE`, `TEXT`, `DROPDOWN`, …; absent or `COLUMN_TYPE_UNSPECIFIED` for none.
    pub column_type: Option<String>,
}

/// Cells that not everybody may change.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ProtectedRange {
    pub range: Option<GridRange>,
    pub description: Option<String>,
    pub warning_only: bool,
    pub requesting_user_can_edit: bool,
    pub unprotected_ranges: Vec<GridRange>,
}

/// A rectangle of cells with what hangs on its rows and columns.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct GridData {
    pub start_row: i32,
    pub start_column: i32,
    pub row_data: Vec<ReadRow>,
    pub row_metadata: Vec<DimensionNames>,
    pub column_metadata: Vec<DimensionNames>,
}

/// A row that was read; trailing empty cells are missing.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct ReadRow {
    /// From left to right.
    pub values: Vec<ReadCell>,
}

/// A cell that was read.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadCell {
    /// What it shows: `numberValue`, `stringValue`, `boolValue` or `errorValue`.
    pub effective_value: Option<EffectiveValue>,
    /// Its note.
    pub note: Option<String>,
}

/// What a cell shows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Google's")]
pub enum EffectiveValue {
    NumberValue(f64),
    StringValue(String),
    BoolValue(bool),
    ErrorValue(Value),
}

/// What hangs on a row or column.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DimensionNames {
    /// Its metadata.
    pub developer_metadata: Vec<DeveloperMetadata>,
}

/// Cells that were read. Trailing empty rows and cells are missing; an empty range has no rows at all.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ValueRange {
    pub range: String,
    pub values: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchUpdated {
    #[serde(default)]
    pub(super) replies: Vec<Value>,
    pub(super) updated_spreadsheet: Option<Spreadsheet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BatchValues {
    #[serde(default)]
    pub(super) value_ranges: Vec<ValueRange>,
}

/// A spreadsheet of which only notes were asked.
#[derive(Deserialize)]
pub(super) struct Noted {
    #[serde(default)]
    pub(super) sheets: Vec<NotedSheet>,
}

#[derive(Deserialize)]
pub(super) struct NotedSheet {
    #[serde(default)]
    pub(super) data: Vec<NotedData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NotedData {
    #[serde(default)]
    pub(super) start_row: u32,
    #[serde(default)]
    pub(super) start_column: u32,
    #[serde(default)]
    pub(super) row_data: Vec<RowData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FoundMetadata {
    #[serde(default)]
    pub(super) matched_developer_metadata: Vec<MatchedMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MatchedMetadata {
    pub(super) developer_metadata: DeveloperMetadata,
}

/// `files.get` of Drive.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DriveFile {
    #[serde(default)]
    pub(super) trashed: bool,
    pub(super) capabilities: Option<DriveCapabilities>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DriveCapabilities {
    #[serde(default)]
    pub(super) can_edit: bool,
}

/// `permissions.list` of Drive. Other people's addresses are read to find ours and are not kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DrivePermissions {
    #[serde(default)]
    pub(super) permissions: Vec<DrivePermission>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DrivePermission {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) role: String,
    pub(super) email_address: Option<String>,
}
