//! The Sheets v4 `batchUpdate` requests the layout needs, one variant per request, serialised exactly as the
//! API's discovery document names them. Typed instead of loose JSON, so that a misspelt field cannot reach
//! Google.

mod format;

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Deserialize, Serialize, Serializer};

pub use format::{Border, BorderStyle, CellFormat, ColorStyle, NumberFormat, Rgb, TextFormat};

use crate::cell::{Cell, CellData};

/// One request of a `batchUpdate`. Indices are zero-based, ranges half-open.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub enum Request {
    /// Creates the worksheet under a chosen id; a repeat is refused by the API.
    AddSheet { properties: SheetProperties },
    /// Sets the frozen rows.
    UpdateSheetProperties {
        properties: SheetProperties,
        fields: &'static str,
    },
    /// Adds rows or columns at the end of the grid.
    AppendDimension {
        sheet_id: i32,
        dimension: Dimension,
        length: u32,
    },
    /// Inserts rows or columns; what follows moves away, formulas included.
    InsertDimension {
        range: DimensionRange,
        inherit_from_before: bool,
    },
    /// Removes rows or columns; what follows moves up, formulas included.
    DeleteDimension { range: DimensionRange },
    /// Names a column or row of ours.
    CreateDeveloperMetadata { developer_metadata: Metadata },
    /// Gives a name in other words, wherever it is.
    UpdateDeveloperMetadata(Renamed),
    /// Splits exactly one merge.
    UnmergeCells { range: GridRange },
    /// Merges cells.
    MergeCells {
        range: GridRange,
        merge_type: &'static str,
    },
    /// Writes values; formats and notes stay.
    UpdateCells(CellBlock),
    /// Writes one note; value and format stay.
    #[serde(rename = "updateCells")]
    UpdateNote(NoteCell),
    /// Formats a range.
    RepeatCell {
        range: GridRange,
        cell: FormatCell,
        fields: &'static str,
    },
    /// Draws borders; a side that is absent stays as it is.
    UpdateBorders {
        range: GridRange,
        #[serde(flatten)]
        sides: Box<Borders>,
    },
    /// Sets widths or heights, or shows what was hidden.
    UpdateDimensionProperties {
        range: DimensionRange,
        properties: DimensionProperties,
        fields: &'static str,
    },
}

/// A kind of request that only changes how a sheet looks. A spreadsheet without any of them shows the same
/// numbers under the same titles, so none may hold a value back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoration {
    /// Merged titles of groups.
    Merge,
    /// Frozen header rows.
    Freeze,
    /// Formats of cells, number formats and colours among them.
    Format,
    /// Lines around cells.
    Border,
    /// Widths and heights.
    Size,
    /// Notes on titles.
    Note,
}

impl Decoration {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Merge,
        Self::Freeze,
        Self::Format,
        Self::Border,
        Self::Size,
        Self::Note,
    ];

    /// Whether a plan finds out by itself that it is missing, because the sheet tells.
    pub(crate) const fn is_seen(self) -> bool {
        matches!(self, Self::Merge | Self::Freeze)
    }
}

impl Request {
    /// Which decoration it is; none for values and for what they need: rows, columns and their names, and the
    /// end of merges that hide cells.
    #[must_use]
    pub const fn decoration(&self) -> Option<Decoration> {
        match self {
            Self::MergeCells { .. } => Some(Decoration::Merge),
            Self::UpdateSheetProperties { .. } => Some(Decoration::Freeze),
            Self::RepeatCell { .. } => Some(Decoration::Format),
            Self::UpdateBorders { .. } => Some(Decoration::Border),
            // What is inserted beside something hidden must be seen.
            Self::UpdateDimensionProperties { properties, .. } if properties.hidden_by_user.is_none() => {
                Some(Decoration::Size)
            }
            Self::UpdateNote(_) => Some(Decoration::Note),
            Self::AddSheet { .. }
            | Self::AppendDimension { .. }
            | Self::InsertDimension { .. }
            | Self::DeleteDimension { .. }
            | Self::CreateDeveloperMetadata { .. }
            | Self::UpdateDeveloperMetadata(_)
            | Self::UnmergeCells { .. }
            | Self::UpdateCells(_)
            | Self::UpdateDimensionProperties { .. } => None,
        }
    }
}

/// `SheetProperties`, as far as the layout sets them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SheetProperties {
    /// Which sheet.
    pub sheet_id: i32,
    /// Title, when it is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Extent and frozen rows.
    pub grid_properties: GridProperties,
}

/// `GridProperties`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GridProperties {
    /// Rows, when it is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u32>,
    /// Columns, when it is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_count: Option<u32>,
    /// Rows that do not scroll.
    pub frozen_row_count: u32,
}

/// Rows or columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Dimension {
    /// Rows.
    Rows,
    /// Columns.
    Columns,
}

/// `DimensionRange`: rows or columns from `start_index` up to, not including, `end_index`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct DimensionRange {
    pub sheet_id: i32,
    pub dimension: Dimension,
    pub start_index: u32,
    pub end_index: u32,
}

/// `GridRange`, always bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct GridRange {
    pub sheet_id: i32,
    pub start_row_index: u32,
    pub end_row_index: u32,
    pub start_column_index: u32,
    pub end_column_index: u32,
}

impl GridRange {
    /// Whether the two share a cell.
    #[must_use]
    pub const fn intersects(&self, other: &Self) -> bool {
        self.start_row_index < other.end_row_index
            && other.start_row_index < self.end_row_index
            && self.start_column_index < other.end_column_index
            && other.start_column_index < self.end_column_index
    }
}

/// `GridCoordinate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct GridCoordinate {
    pub sheet_id: i32,
    pub row_index: u32,
    pub column_index: u32,
}

/// `DeveloperMetadata` on one column or row, visible to this project only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct Metadata {
    pub metadata_id: i32,
    pub metadata_key: &'static str,
    pub metadata_value: String,
    pub location: MetadataLocation,
    pub visibility: &'static str,
}

/// Another value for metadata that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// Its id.
    pub metadata_id: i32,
    /// Its new value.
    pub metadata_value: String,
}

impl Serialize for Renamed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Lookup {
            metadata_id: i32,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Filter {
            developer_metadata_lookup: Lookup,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Value<'a> {
            metadata_value: &'a str,
        }
        let lookup = Lookup {
            metadata_id: self.metadata_id,
        };
        let filter = Filter {
            developer_metadata_lookup: lookup,
        };
        let value = Value {
            metadata_value: &self.metadata_value,
        };
        let mut request = serializer.serialize_struct("UpdateDeveloperMetadataRequest", 3)?;
        request.serialize_field("dataFilters", &[filter])?;
        request.serialize_field("developerMetadata", &value)?;
        request.serialize_field("fields", "metadataValue")?;
        request.end()
    }
}

/// Where metadata sits; the range spans exactly one column or row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct MetadataLocation {
    pub dimension_range: DimensionRange,
}

/// `properties` of `updateDimensionProperties`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DimensionProperties {
    /// Width or height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_size: Option<u32>,
    /// Whether a person does not want to see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_by_user: Option<bool>,
}

/// `CellData` that holds only a format.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FormatCell {
    /// The format.
    pub user_entered_format: CellFormat,
}

/// The sides of `updateBorders`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct Borders {
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

/// A rectangle of values from `start`, row by row. Kept flat: a first write has millions of cells.
#[derive(Debug, Clone, PartialEq)]
pub struct CellBlock {
    /// Upper left cell.
    pub start: GridCoordinate,
    /// Cells per row, at least one.
    pub width: u32,
    /// All cells, row after row.
    pub cells: Vec<Cell>,
}

struct Rows<'a>(&'a CellBlock);
#[derive(Serialize)]
struct RowData<'a> {
    values: Values<'a>,
}
struct Values<'a>(&'a [Cell]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(CellData))
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(None)?;
        let width = usize::try_from(self.0.width).unwrap_or(usize::MAX).max(1);
        for row in self.0.cells.chunks(width) {
            rows.serialize_element(&RowData { values: Values(row) })?;
        }
        rows.end()
    }
}

impl Serialize for CellBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut request = serializer.serialize_struct("UpdateCellsRequest", 3)?;
        request.serialize_field("start", &self.start)?;
        request.serialize_field("rows", &Rows(self))?;
        request.serialize_field("fields", "userEnteredValue")?;
        request.end()
    }
}

/// A note on one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteCell {
    /// The cell.
    pub start: GridCoordinate,
    /// Its note; empty to take it away.
    pub note: String,
}

impl Serialize for NoteCell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Note<'a> {
            #[serde(skip_serializing_if = "str::is_empty")]
            note: &'a str,
        }
        #[derive(Serialize)]
        struct Row<'a> {
            values: [Note<'a>; 1],
        }
        let mut request = serializer.serialize_struct("UpdateCellsRequest", 3)?;
        request.serialize_field("start", &self.start)?;
        request.serialize_field(
            "rows",
            &[Row {
                values: [Note { note: &self.note }],
            }],
        )?;
        request.serialize_field("fields", "note")?;
        request.end()
    }
}
