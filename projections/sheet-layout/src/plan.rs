//! From what is in the sheet and what should be to the smallest atomic batch between them.

mod arrange;
mod content;
mod merge;
mod metadata;
mod paint;
mod style;

use std::sync::Arc;

pub use arrange::MAX_CELLS;
pub(crate) use content::formula_note;
pub(crate) use metadata::name_of;
pub(crate) use style::{FIELDS_HEIGHT, GROUPS_HEIGHT};

use serde::Serialize;

use crate::board::{Board, HeaderRow};
use crate::column::ColumnKey;
use crate::grid::GridRow;
use crate::input::{LayoutError, ProductRow, SheetInput};
use crate::request::{GridProperties, Request, SheetProperties};
use crate::shown::Shown;
use crate::sizes;
use crate::state::{Current, HEADER_FIELDS, HEADER_GROUPS, ManagedColumn, ManagedRow, SheetState};
use crate::view::View;

/// Choices that are the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Id of the worksheet if it must be created. Deriving it from the tenant makes a repeated creation fail
    /// instead of doubling the sheet.
    pub sheet_id: i32,
    /// Title of the worksheet if it must be created.
    pub title: String,
    /// At most this many product rows are added by one plan, to bound the size of a first write; the others
    /// follow with the next plan ([`Plan::deferred_products`]).
    pub max_new_rows: usize,
    /// The tenant's choice.
    pub view: View,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sheet_id: 1,
            title: "Products".to_owned(),
            max_new_rows: usize::MAX,
            view: View::default(),
        }
    }
}

/// One atomic batch and the sheet after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In the order in which they must be applied; empty when the sheet is as it should be.
    pub requests: Vec<Request>,
    /// The sheet once the batch was applied; `after.written` is what to persist. Only true if the API said
    /// 200: after an unknown outcome the sheet must be read again, rows are not inserted idempotently.
    pub after: SheetState,
    /// Listed products that got no row because of [`Options::max_new_rows`].
    pub deferred_products: usize,
}

impl Plan {
    /// Whether nothing has to be sent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether only the freshness note would change; a caller short of quota may let that wait.
    #[must_use]
    pub fn is_freshness_only(&self) -> bool {
        matches!(self.requests.as_slice(), [Request::UpdateNote(_)])
    }

    /// The body of `spreadsheets.batchUpdate`, UTF-8. About 35 bytes per written cell: 10,000 new products
    /// with 60 warehouses are 62 MB where 9 MB is the most known to be accepted, see
    /// [`Options::max_new_rows`].
    ///
    /// # Errors
    /// Never for a plan made by [`plan`]; the signature is `serde_json`'s.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            requests: &'a [Request],
            include_spreadsheet_in_response: bool,
        }
        let cells: usize = (self.requests.iter())
            .map(|request| {
                if let Request::UpdateCells(block) = request {
                    block.cells.len()
                } else {
                    0
                }
            })
            .sum();
        // Growing by doubling would hold twice the body at its peak.
        let mut body = Vec::with_capacity(self.requests.len() * 256 + cells * 42);
        let content = Body {
            requests: &self.requests,
            include_spreadsheet_in_response: false,
        };
        serde_json::to_writer(&mut body, &content)?;
        Ok(body)
    }
}

/// A managed product row in final coordinates.
struct RowPlan<'a> {
    index: u32,
    key: Arc<str>,
    /// `None` for a delisted product.
    product: Option<&'a ProductRow>,
    /// Made by this plan.
    fresh: bool,
    /// Whether it is struck through in the sheet.
    struck: bool,
}

/// The arranged sheet: every managed column and row has its final place.
struct Arranged<'a> {
    board: Board,
    groups: HeaderRow,
    fields: HeaderRow,
    rows: Vec<RowPlan<'a>>,
    deferred: usize,
}

impl Arranged<'_> {
    /// By position, the columns that have no format yet. A header row that had to be made again needs its
    /// look over the whole width.
    fn unformatted(&self) -> Vec<bool> {
        let all = self.groups.fresh || self.fields.fresh || self.board.adopted;
        let columns = self.board.columns.iter();
        columns.map(|column| column.fresh || all).collect()
    }
}

/// Plans the smallest batch that makes the sheet show `input`.
///
/// # Errors
/// [`LayoutError`] where the input contradicts itself or does not fit into a spreadsheet.
pub fn plan(current: &Current, input: &SheetInput, options: &Options) -> Result<Plan, LayoutError> {
    let by_size = sizes::expand(input, &options.view)?;
    let shown = match &by_size {
        Some(rows) => Shown::chosen(rows, &options.view)?,
        None => Shown::new(input, &options.view)?,
    };
    let empty = SheetState::default();
    let (state, arranged) = match &current.sheet {
        Some(sheet) => (sheet, arrange::existing(sheet, &shown, options)?),
        None => (&empty, arrange::new_sheet(&shown, options)?),
    };
    draw(arranged, state, &shown, options)
}

/// [`plan`] for a sheet that an earlier layout wrote and whose columns and header rows get their names by
/// `named`, which begins the batch; `state` is the sheet after it. Everything gets the look of this layout.
pub(crate) fn adopt(
    state: &SheetState,
    input: &SheetInput,
    options: &Options,
    mut named: Vec<Request>,
) -> Result<Plan, LayoutError> {
    let by_size = sizes::expand(input, &options.view)?;
    let shown = match &by_size {
        Some(rows) => Shown::chosen(rows, &options.view)?,
        None => Shown::new(input, &options.view)?,
    };
    let mut arranged = arrange::existing(state, &shown, options)?;
    named.append(&mut arranged.board.requests);
    (arranged.board.requests, arranged.board.adopted) = (named, true);
    draw(arranged, state, &shown, options)
}

/// Everything but places.
fn draw(
    mut arranged: Arranged<'_>,
    state: &SheetState,
    shown: &Shown<'_>,
    options: &Options,
) -> Result<Plan, LayoutError> {
    metadata::name_fresh(&mut arranged, state);
    let merged = merge::settle(&mut arranged);
    let written = content::write(&mut arranged, &state.written, shown, &merged)?;
    style::dress(&mut arranged, &options.view);
    paint::number_formats(&mut arranged, state.written.known_look(), &options.view);
    paint::levels(&mut arranged, &state.written, &written);
    freeze(&mut arranged);
    content::notes(&mut arranged, &state.written, &written);
    Ok(finish(arranged, written))
}

/// Freezes the header where it is not, for example after a seller inserted a row above it.
fn freeze(arranged: &mut Arranged<'_>) {
    let wanted = arranged.groups.index.max(arranged.fields.index) + 1;
    let board = &mut arranged.board;
    let moved = arranged.groups.fresh || arranged.fields.fresh;
    if !board.adopted && board.frozen_rows >= wanted && !(moved && board.frozen_rows != wanted) {
        return;
    }
    board.frozen_rows = wanted;
    let grid_properties = GridProperties {
        row_count: None,
        column_count: None,
        frozen_row_count: wanted,
    };
    board.requests.push(Request::UpdateSheetProperties {
        properties: SheetProperties {
            sheet_id: board.sheet_id,
            title: None,
            grid_properties,
        },
        fields: "gridProperties.frozenRowCount",
    });
}

fn finish(arranged: Arranged<'_>, written: crate::grid::Grid) -> Plan {
    let Arranged {
        board,
        groups,
        fields,
        rows,
        deferred,
    } = arranged;
    let column = |placed: &crate::board::Placed| ManagedColumn {
        metadata_id: placed.metadata_id,
        value: Arc::clone(&placed.value),
        index: placed.index,
    };
    let header = |row: HeaderRow, value: &str| ManagedRow {
        metadata_id: row.metadata_id,
        value: value.into(),
        index: row.index,
    };
    Plan {
        after: SheetState {
            sheet_id: board.sheet_id,
            row_count: board.row_count,
            column_count: board.column_count,
            frozen_rows: board.frozen_rows,
            columns: board.columns.iter().map(column).collect(),
            header_rows: vec![header(groups, HEADER_GROUPS), header(fields, HEADER_FIELDS)],
            merges: board.merges,
            written,
            row_of_product: rows.into_iter().map(|row| (row.key, row.index)).collect(),
        },
        requests: board.requests,
        deferred_products: deferred,
    }
}

/// Grid rows as they are remembered.
fn grid_rows(rows: &[RowPlan<'_>]) -> Vec<GridRow> {
    rows.iter()
        .map(|row| GridRow {
            key: Arc::clone(&row.key),
            listed: row.product.is_some(),
        })
        .collect()
}

/// First and last physical column of each stretch of managed columns of one group (a seller's column may lie
/// between), left to right. A group that a seller tore apart has several.
fn segments(board: &Board) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for (position, column) in board.columns.iter().enumerate() {
        match segments.last_mut() {
            Some(last) if same_group(&last.key, &column.key) => last.end = position + 1,
            _ => segments.push(Segment {
                key: column.key.clone(),
                start: position,
                end: position + 1,
            }),
        }
    }
    segments
}

/// Positions `start..end` in [`Board::columns`] that belong together.
struct Segment {
    key: ColumnKey,
    start: usize,
    end: usize,
}

fn same_group(a: &ColumnKey, b: &ColumnKey) -> bool {
    a.group() == b.group()
}
