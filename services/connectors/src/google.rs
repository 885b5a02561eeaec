//! Google Sheets v4 and the little of Drive v3 that tells whether a spreadsheet may be written, by a service
//! account.
//!
//! Sources: the Sheets discovery document, revision 20261019; quotas at
//! <https://developers.google.com/workspace/sheets/api/limits>.

mod auth;
mod create;
mod drive;
mod error;
mod finding;
mod protected;
mod requests;
mod sheets;
mod wire;

pub use auth::{KeyError, ServiceAccount, TokenHosts};
pub use create::NewSpreadsheet;
pub use error::GoogleError;
pub use finding::{LinkFinding, LinkReport};
pub use protected::{Span, letters, range_names};
pub use requests::{
    AddSheet, AppendDimension, CreateDeveloperMetadata, DeleteDeveloperMetadata, DimensionRangeField,
    DuplicateSheet, InsertDimension, MergeCells, RangeField, RepeatCell, Request, UpdateBorders, UpdateCells,
    UpdateDeveloperMetadata, UpdateDimensionProperties, UpdateSheetProperties, UpdateSpreadsheetProperties,
};
pub use sheets::{Accounts, Answered, SheetsClient, SheetsOptions, Turn, Turns, WriteTurn};
pub use wire::{
    Border, CellData, CellFormat, Color, ColorStyle, DataFilter, DeveloperMetadata,
    DeveloperMetadataLocation, DeveloperMetadataLookup, Dimension, DimensionNames, DimensionProperties,
    DimensionRange, EffectiveValue, ExtendedValue, GridCoordinate, GridData, GridProperties, GridRange,
    NumberFormat, ProtectedRange, ReadCell, ReadRow, RowData, Sheet, SheetProperties, Spreadsheet,
    SpreadsheetProperties, Table, TableColumn, TextFormat, ValueRange,
};
