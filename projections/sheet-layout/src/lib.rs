//! How rows look as a sheet, kept pure so that every layout decision is testable without a network: products
//! and warehouses go in, the smallest atomic list of Sheets v4 requests comes out.
//!
//! # What identifies what
//!
//! * **Columns** are found by developer metadata on the column, key [`COLUMN_METADATA_KEY`], value
//!   [`ColumnKey`] (`base:brand`, nine letters for a column of a warehouse). Header rows carry
//!   [`ROW_METADATA_KEY`] with [`HEADER_GROUPS`] or [`HEADER_FIELDS`]. Both follow their column or row when a
//!   seller inserts, moves or sorts.
//! * **Rows** are found by the value in the managed column `Артикул товара (nmid)`; vendor codes decide where
//!   two cabinets show the same number or where that column was deleted, sizes where they have rows
//!   ([`locate_rows`]). Metadata per
//!   product row was rejected: Sheets refuses batches with hundreds of them.
//!
//! # Rules of stability
//!
//! * The first write sorts warehouses by name (code points); afterwards a warehouse keeps its columns for
//!   ever and new ones go right after the last managed column, by insertion, so that a seller's columns and
//!   formulas survive.
//! * A warehouse that vanished keeps its columns and shows 0, 0, empty.
//! * A product keeps its row; new ones go below the last managed row, by insertion. A product that is missing
//!   from the input is delisted: its row stays, its numbers become zero and its identity cells are struck
//!   through, until it is listed again or the seller deletes the row. A caller whose sources failed must pass
//!   the last known products.
//! * A column or header row that the seller deleted comes back next to its neighbours; a deleted product row
//!   comes back at the bottom while the product is listed. Only where both article columns are deleted at
//!   once are rows lost: every product is then added again and the old rows are the seller's.
//! * Values come before decorations ([`Plan::values`], [`Plan::decorations`]), and are right without them:
//!   what a sheet refuses of its look is remembered as owed ([`Plan::owe`]) and planned again when the sheet
//!   or the choice is another one.
//! * No title crosses the border of frozen columns, and nothing that a Table refuses is asked of one.
//! * A tenant's [`View`] changes what is new and what is said, never where something stands: rows keep their
//!   places whatever the sort order, columns that are no longer chosen stay until the seller deletes them.
//! * Orders that name no warehouse go to a column block of their own ([`UNPLACED_NAME`]), so that sums over
//!   warehouses always equal the totals.

mod board;
mod cell;
mod column;
pub mod export;
mod grid;
mod input;
pub mod migrate;
mod owed;
mod plan;
mod render;
mod request;
mod shown;
mod sizes;
mod state;
mod view;

pub use cell::{Cell, MAX_CELL_CHARACTERS, Text};
pub use column::{
    BaseField, COLUMN_METADATA_KEY, ColumnKey, ExtraField, Group, Kind, NAMES_A_BATCH, NAMES_BUDGET,
    WarehouseField,
};
pub use grid::{Grid, GridDecodeError, GridRow};
pub use input::{
    Freshness, LayoutError, ProductFacts, ProductRow, SheetInput, SizeRow, UNPLACED_KEY, UNPLACED_NAME,
    WarehouseColumn, left_out_heading,
};
pub use measures::{Tenths, turnover};
pub use plan::{MAX_CELLS, Options, Plan, plan};
pub use render::{initial_columns, render_rows};
pub use request::{
    Border, BorderStyle, Borders, CellBlock, CellFormat, ColorStyle, Decoration, Dimension,
    DimensionProperties, DimensionRange, FormatCell, GridCoordinate, GridProperties, GridRange, Metadata,
    MetadataLocation, NoteCell, NumberFormat, Renamed, Request, Rgb, SheetProperties, TextFormat,
};
pub use sizes::size_row_key;
pub use state::{
    Current, HEADER_FIELDS, HEADER_GROUPS, IdentityCells, ManagedColumn, ManagedRow, ROW_METADATA_KEY,
    SheetState, Table, locate_rows,
};
pub use view::{Language, Level, LowStock, Sizes, Sort, SortBy, View};
