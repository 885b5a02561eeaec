//! From what is in the sheet and what should be to the smallest atomic batch between them.

mod arrange;
mod content;
mod merge;
mod metadata;
mod paint;
mod style;
mod tables;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use arrange::MAX_CELLS;
pub(crate) use content::formula_note;
pub(crate) use metadata::name_of;
pub(crate) use paint::levels_of as grid_levels;
pub(crate) use style::{FIELDS_HEIGHT, GROUPS_HEIGHT};

use serde::Serialize;

use crate::board::{Board, HeaderRow};
use crate::column::{ColumnKey, NAMES_A_BATCH};
use crate::grid::{Grid, GridRow};
use crate::input::{LayoutError, ProductRow, SheetInput};
use crate::owed::Owed;
use crate::request::{Decoration, Dimension, GridProperties, Request, SheetProperties};
use crate::shown::Shown;
use crate::sizes;
use crate::state::{Current, HEADER_FIELDS, HEADER_GROUPS, ManagedColumn, ManagedRow, SheetState};
use crate::view::{Look, View};

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
    /// A fingerprint of everything in the sheet that may be in the way of decorations, and of the choice.
    /// What was refused under the same one is not asked again. None where nothing was read: then nothing is,
    /// either.
    pub structure: Option<u64>,
    /// Google has no room for more names in this sheet: new columns get none.
    pub unnamed: bool,
    /// Columns that are missing are not made, because the sheet refuses new ones: what is there is written.
    pub keep_columns: bool,
    /// At most about this many columns are named by one plan; the others follow with the next one
    /// ([`Plan::deferred_columns`]).
    pub max_names: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sheet_id: 1,
            title: "Products".to_owned(),
            max_new_rows: usize::MAX,
            view: View::default(),
            structure: None,
            unnamed: false,
            keep_columns: false,
            max_names: NAMES_A_BATCH,
        }
    }
}

/// One atomic batch and the sheet after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In the order in which they must be applied, values first; empty when the sheet is as it should be.
    pub requests: Vec<Request>,
    /// The sheet once the batch was applied; `after.written` is what to persist. Only true if the API said
    /// 200: after an unknown outcome the sheet must be read again, rows are not inserted idempotently.
    pub after: SheetState,
    /// Listed products that got no row because of [`Options::max_new_rows`].
    pub deferred_products: usize,
    /// Columns that have to wait because of [`Options::max_names`]; they follow with the next plan.
    pub deferred_columns: usize,
    /// Columns that got no name: there is no room for it, so they are found by their titles, and lost where
    /// those are written over.
    pub unnamed: usize,
    /// Columns that are missing because the sheet refuses new ones ([`Options::keep_columns`]).
    pub left_out: usize,
    /// How many of the requests are values.
    values: usize,
    /// What is owed if no decoration comes.
    owed: Option<Box<Owed>>,
    look: Look,
    skipped: BTreeSet<Decoration>,
}

impl Plan {
    /// Whether nothing has to wait for the next plan.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.deferred_products == 0 && self.deferred_columns == 0
    }

    /// Whether nothing has to be sent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Numbers and titles with all that they need: right in themselves, and never to be held back by the
    /// rest.
    #[must_use]
    pub fn values(&self) -> &[Request] {
        self.requests.get(..self.values).unwrap_or_default()
    }

    /// The rest: how it looks. Comes after the values, in the same batch or in later ones.
    #[must_use]
    pub fn decorations(&self) -> &[Request] {
        self.requests.get(self.values..).unwrap_or_default()
    }

    /// Says in [`Self::after`] that those kinds of decorations were refused in a sheet of this
    /// [`Options::structure`], and all others done; where it is `partly`, single ones of them were left out.
    /// What is owed is planned again under another structure.
    pub fn owe(&mut self, refused: &BTreeSet<Decoration>, partly: bool, structure: u64) {
        let Some(owed) = self.owed.take() else { return };
        let refused = refused.union(&self.skipped).copied().collect();
        self.after.written.owed = Some(owed.refused(refused, partly, structure, self.look));
    }

    /// Whether it makes columns.
    #[must_use]
    pub fn makes_columns(&self) -> bool {
        let makes = |request: &Request| match request {
            Request::AppendDimension { dimension, .. } => *dimension == Dimension::Columns,
            Request::InsertDimension { range, .. } => range.dimension == Dimension::Columns,
            _ => false,
        };
        self.values().iter().any(makes)
    }

    /// Says in the grid to be remembered that the decorations are still to come, for the time between the
    /// batch of values and theirs.
    #[must_use]
    pub fn before_decorations(&self) -> Grid {
        let mut written = self.after.written.clone();
        written.owed = self.owed.as_deref().cloned();
        written
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
pub(crate) struct RowPlan<'a> {
    index: u32,
    pub(crate) key: Arc<str>,
    /// `None` for a delisted product.
    pub(crate) product: Option<&'a ProductRow>,
    /// Made by this plan.
    pub(crate) fresh: bool,
    /// Without its look.
    bare: bool,
    /// Whether it is struck through in the sheet.
    pub(crate) struck: bool,
}

/// The arranged sheet: every managed column and row has its final place.
pub(crate) struct Arranged<'a> {
    pub(crate) board: Board,
    pub(crate) groups: HeaderRow,
    pub(crate) fields: HeaderRow,
    pub(crate) rows: Vec<RowPlan<'a>>,
    deferred: usize,
    /// Columns that got no name, because there was no room for one.
    unnamed: usize,
}

impl Arranged<'_> {
    /// By position, the columns that have no format yet. A header row that had to be made again needs its
    /// look over the whole width.
    fn unformatted(&self) -> Vec<bool> {
        let all = self.groups.bare || self.fields.bare || self.board.adopted;
        let columns = self.board.columns.iter();
        columns.map(|column| column.bare || all).collect()
    }

    /// Takes what was not decorated before for undecorated, and answers how the sheet looks.
    fn look_again(&mut self, owed: Option<&Owed>) {
        let headers = owed.is_some_and(|owed| owed.headers);
        for header in [&mut self.groups, &mut self.fields] {
            header.bare = header.fresh || headers;
        }
        for column in &mut self.board.columns {
            column.bare = column.fresh || owed.is_some_and(|owed| owed.columns.contains(&column.value));
        }
        for row in &mut self.rows {
            row.bare = row.fresh || owed.is_some_and(|owed| owed.rows.contains(&row.key));
            if let Some(worn) = owed.and_then(|owed| owed.worn.get(&row.key)) {
                row.struck = !worn.listed;
            }
        }
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
    let old = &state.written;
    metadata::name_fresh(&mut arranged, state, options);
    let mut merged = merge::settle(&mut arranged);
    let mut written = content::write(&mut arranged, old, shown, &merged)?;
    written.narrow = (arranged.board.left_out > 0)
        .then(|| options.structure.or(old.narrow))
        .flatten();
    written.full = !written.unnamed.is_empty() && (options.unnamed || old.full);
    let values = arranged.board.requests.len();
    // What was refused is left as it is while the sheet is the one that refused it.
    let known = old.owed.as_ref();
    let refused = known.filter(|owed| {
        owed.structure.is_some() && (options.structure.is_none() || owed.structure == options.structure)
    });
    let again = known.filter(|_| refused.is_none());
    arranged.look_again(again);
    merge::join(&mut arranged, std::mem::take(&mut merged.new));
    style::dress(&mut arranged, &options.view);
    let look = again.map_or_else(|| old.known_look(), |owed| owed.look);
    paint::number_formats(&mut arranged, look, &options.view);
    paint::levels(&mut arranged, old, &written, again);
    freeze(&mut arranged);
    let note = again.and_then(|owed| owed.note.as_deref()).unwrap_or(&old.note);
    content::notes(&mut arranged, (note, look), &written);
    let titles = again.and_then(|owed| owed.title_notes.as_ref());
    let titles = titles.unwrap_or(&old.title_notes);
    content::title_notes(&mut arranged, &merged.titles, titles, &written);
    tables::spare(&mut arranged.board, values);
    let skipped = refused.map(|owed| owed.refused.clone()).unwrap_or_default();
    let requests = &mut arranged.board.requests;
    let wanted = requests.len();
    let mut place = 0..;
    requests.retain(|request| {
        let decoration = place
            .next()
            .filter(|place| *place >= values)
            .and(request.decoration());
        decoration.is_none_or(|kind| !skipped.contains(&kind))
    });
    let left_out = wanted > requests.len();
    let owed = (left_out || requests.len() > values || known.is_some())
        .then(|| Box::new(Owed::of(&arranged, old, &written)));
    if let (Some(before), Some(owed)) = (refused, &owed) {
        let look = options.view.look();
        let structure = before.structure.unwrap_or_default();
        let partly = before.is_partial();
        written.owed = Some(Owed::clone(owed).refused(skipped.clone(), partly, structure, look));
    }
    let mut plan = finish(arranged, written);
    (plan.values, plan.owed, plan.skipped) = (values, owed, skipped);
    Ok(plan)
}

/// Freezes the header where it is not, for example after a seller inserted a row above it.
fn freeze(arranged: &mut Arranged<'_>) {
    let wanted = arranged.groups.index.max(arranged.fields.index) + 1;
    let board = &mut arranged.board;
    let moved = arranged.groups.bare || arranged.fields.bare;
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
        unnamed,
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
        values: 0,
        owed: None,
        look: written.look,
        skipped: BTreeSet::new(),
        after: SheetState {
            sheet_id: board.sheet_id,
            row_count: board.row_count,
            column_count: board.column_count,
            frozen_rows: board.frozen_rows,
            frozen_columns: board.frozen_columns,
            tables: board.tables,
            columns: board.columns.iter().map(column).collect(),
            header_rows: vec![header(groups, HEADER_GROUPS), header(fields, HEADER_FIELDS)],
            merges: board.merges,
            written,
            row_of_product: rows.into_iter().map(|row| (row.key, row.index)).collect(),
        },
        requests: board.requests,
        deferred_products: deferred,
        deferred_columns: board.deferred,
        left_out: board.left_out,
        unnamed,
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
