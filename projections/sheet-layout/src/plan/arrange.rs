//! Gives every managed column and row its place, inserting only what is missing and always so that what a
//! seller put beside or below survives.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Arranged, Options, RowPlan};
use crate::board::{Board, HeaderRow, Placed};
use crate::column::{ColumnKey, WarehouseField, warehouse_code};
use crate::input::{LayoutError, ProductRow, WarehouseColumn};
use crate::request::{Dimension, GridProperties, Request, SheetProperties};
use crate::shown::Shown;
use crate::state::{HEADER_FIELDS, HEADER_GROUPS, SheetState};

/// Cells of all worksheets of a spreadsheet together (Sheets v4 usage limits).
pub const MAX_CELLS: u64 = 10_000_000;
/// Columns of a worksheet (the same).
const MAX_COLUMNS: u64 = 18_278;
/// Columns for which every plan has a name, whatever the bound is: those before the warehouses.
const FEW: usize = 20;
/// Names of the two header rows.
pub(super) const HEADER_NAMES: usize = 2;
/// Two header rows, and one more because Sheets refuses to freeze all rows of a sheet.
const MIN_ROWS: u32 = 3;

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn check_size(rows: u64, columns: u64) -> Result<(), LayoutError> {
    if columns > MAX_COLUMNS || rows.saturating_mul(columns) > MAX_CELLS {
        return Err(LayoutError::TooLarge { rows, columns });
    }
    Ok(())
}

fn fresh_column(key: ColumnKey, index: u32) -> Placed {
    Placed {
        value: key.to_string().into(),
        key,
        index,
        metadata_id: 0,
        fresh: true,
        bare: true,
        long: None,
    }
}

/// A worksheet that fits exactly, created by the batch itself.
pub(super) fn new_sheet<'a>(shown: &Shown<'a>, options: &Options) -> Result<Arranged<'a>, LayoutError> {
    let mut columns = shown.initial_columns();
    let all = columns.len();
    check_size(MIN_ROWS.into(), count(all).into())?;
    // Whole warehouses only; the others come with the next plan.
    let leading = shown.leading_columns().len();
    let fields = WarehouseField::ALL.len();
    let fit = options
        .max_names
        .saturating_sub(HEADER_NAMES + leading)
        .max(fields);
    columns.truncate(leading.saturating_add(fit / fields * fields));
    let deferred = all - columns.len();
    let new = shown.products.len().min(options.max_new_rows);
    let row_count = (count(new).saturating_add(2)).max(MIN_ROWS);
    let column_count = count(columns.len());
    check_size(row_count.into(), column_count.into())?;
    let grid_properties = GridProperties {
        row_count: Some(row_count),
        column_count: Some(column_count),
        frozen_row_count: 2,
    };
    let properties = SheetProperties {
        sheet_id: options.sheet_id,
        title: Some(options.title.clone()),
        grid_properties,
    };
    let board = Board {
        sheet_id: options.sheet_id,
        row_count,
        column_count,
        frozen_rows: 2,
        frozen_columns: 0,
        columns: columns
            .into_iter()
            .zip(0..)
            .map(|(key, index)| fresh_column(key, index))
            .collect(),
        groups: None,
        fields: None,
        merges: Vec::new(),
        tables: Vec::new(),
        row_of: HashMap::new(),
        names_left: 0,
        deferred,
        left_out: 0,
        requests: vec![Request::AddSheet { properties }],
        adopted: false,
    };
    let rows = shown
        .products
        .iter()
        .take(new)
        .zip(2..)
        .map(|(product, index)| RowPlan {
            index,
            key: Arc::clone(&product.key),
            product: Some(*product),
            fresh: true,
            bare: true,
            struck: false,
        });
    Ok(Arranged {
        board,
        groups: HeaderRow {
            index: 0,
            metadata_id: 0,
            fresh: true,
            bare: true,
        },
        fields: HeaderRow {
            index: 1,
            metadata_id: 0,
            fresh: true,
            bare: true,
        },
        rows: rows.collect(),
        deferred: shown.products.len() - new,
        unnamed: 0,
    })
}

/// The worksheet as it is, with what is missing inserted.
pub(super) fn existing<'a>(
    state: &SheetState,
    shown: &Shown<'a>,
    options: &Options,
) -> Result<Arranged<'a>, LayoutError> {
    let mut board = Board {
        sheet_id: state.sheet_id,
        row_count: state.row_count,
        column_count: state.column_count,
        frozen_rows: state.frozen_rows,
        frozen_columns: state.frozen_columns,
        columns: known_columns(state),
        groups: known_header(state, HEADER_GROUPS),
        fields: known_header(state, HEADER_FIELDS),
        merges: state.merges.clone(),
        tables: state.tables.clone(),
        row_of: HashMap::new(),
        names_left: options.max_names.max(HEADER_NAMES + FEW),
        deferred: 0,
        left_out: 0,
        requests: Vec::new(),
        adopted: false,
    };
    board.row_of = known_rows(state, shown, &board);
    place_header(&mut board);
    board.names_left -= HEADER_NAMES;
    // What was refused is not asked again while the sheet is the one that refused it.
    let refused = state.written.narrow.is_some()
        && (options.structure.is_none() || state.written.narrow == options.structure);
    let narrow = (options.keep_columns || refused) && !board.columns.is_empty();
    if narrow {
        board.left_out = missing(&board, shown);
        board.columns.sort_by_key(|column| column.index);
    } else {
        place_columns(&mut board, shown);
    }
    let (groups, fields) = (board.groups.unwrap_or_default(), board.fields.unwrap_or_default());
    let (rows, deferred) = place_rows(&mut board, state, shown, options, groups.index.max(fields.index));
    check_size(board.row_count.into(), board.column_count.into())?;
    Ok(Arranged {
        board,
        groups,
        fields,
        rows,
        deferred,
        unnamed: 0,
    })
}

/// Columns whose metadata this layout knows. Sheets accepts duplicates; the leftmost one is ours.
fn known_columns(state: &SheetState) -> Vec<Placed> {
    let mut columns: Vec<Placed> = Vec::with_capacity(state.columns.len());
    for column in &state.columns {
        let inside = column.index < state.column_count;
        let Some(key) = ColumnKey::parse(&column.value).filter(|_| inside) else {
            continue;
        };
        let value: Arc<str> = column.name();
        columns.push(Placed {
            long: (value != column.value).then(|| column.value.chars().count()),
            key,
            value,
            index: column.index,
            metadata_id: column.metadata_id,
            fresh: false,
            bare: false,
        });
    }
    columns.sort_by_key(|column| (column.index, column.metadata_id));
    let (mut keys, mut places) = (HashSet::new(), HashSet::new());
    columns.retain(|column| places.insert(column.index) && keys.insert(Arc::clone(&column.value)));
    columns
}

fn known_header(state: &SheetState, value: &str) -> Option<HeaderRow> {
    let rows = state
        .header_rows
        .iter()
        .filter(|row| &*row.value == value && row.index < state.row_count);
    rows.min_by_key(|row| row.index).map(|row| HeaderRow {
        index: row.index,
        metadata_id: row.metadata_id,
        fresh: false,
        bare: false,
    })
}

/// Rows of products that are listed now or were written before; a row never belongs to two products or to the
/// header.
fn known_rows(state: &SheetState, shown: &Shown<'_>, board: &Board) -> HashMap<Arc<str>, u32> {
    let listed = shown.by_key();
    let written = state.written.row_indices();
    let mut taken: HashSet<u32> = board
        .groups
        .iter()
        .chain(&board.fields)
        .map(|row| row.index)
        .collect();
    let mut row_of = HashMap::with_capacity(state.row_of_product.len());
    for (key, row) in &state.row_of_product {
        let ours = listed.contains_key(&**key) || written.contains_key(&**key);
        if ours && *row < state.row_count && taken.insert(*row) {
            row_of.insert(Arc::clone(key), *row);
        }
    }
    row_of
}

fn place_header(board: &mut Board) {
    let fresh = |index| {
        Some(HeaderRow {
            index,
            metadata_id: 0,
            fresh: true,
            bare: true,
        })
    };
    match (board.groups, board.fields) {
        (Some(_), Some(_)) => {}
        (Some(groups), None) => {
            board.insert(Dimension::Rows, groups.index + 1, 1, true);
            board.fields = fresh(groups.index + 1);
        }
        (None, Some(fields)) => {
            board.insert(Dimension::Rows, fields.index, 1, false);
            board.groups = fresh(fields.index);
        }
        (None, None) => {
            board.insert(Dimension::Rows, 0, 2, false);
            (board.groups, board.fields) = (fresh(0), fresh(1));
        }
    }
}

/// How many columns are missing.
fn missing(board: &Board, shown: &Shown<'_>) -> usize {
    let known: HashSet<&str> = board.columns.iter().map(|column| &*column.value).collect();
    let wanted = shown.initial_columns();
    let missing = wanted.iter().filter(|key| !known.contains(&*key.to_string()));
    missing.count()
}

fn place_columns(board: &mut Board, shown: &Shown<'_>) {
    complete(board, &shown.leading_columns());
    let mut known: Vec<Arc<str>> = Vec::new();
    for column in &board.columns {
        if let ColumnKey::Warehouse(key, _) = &column.key
            && !known.contains(key)
        {
            known.push(Arc::clone(key));
        }
    }
    for key in &known {
        complete(
            board,
            &WarehouseField::ALL.map(|field| ColumnKey::Warehouse(Arc::clone(key), field)),
        );
    }
    let known: HashSet<Arc<str>> = known.into_iter().collect();
    let mut new: Vec<WarehouseColumn> = shown.blocks();
    new.retain(|warehouse| !known.contains(&warehouse_code(&warehouse.key)));
    new.sort_by(|a, b| (&a.name, &a.key).cmp(&(&b.name, &b.key)));
    // A column comes together with its name, or a process that died in between would have lost it.
    let fields = WarehouseField::ALL.len();
    let fit = (board.names_left / fields).min(new.len());
    board.deferred += (new.len() - fit) * fields;
    let keys = new
        .iter()
        .take(fit)
        .flat_map(|warehouse| WarehouseField::ALL.map(|field| ColumnKey::warehouse(&warehouse.key, field)));
    let last = board
        .columns
        .iter()
        .map(|column| column.index + 1)
        .max()
        .unwrap_or_default();
    insert_columns(board, last, keys.collect());
    board.columns.sort_by_key(|column| column.index);
}

/// Inserts the missing ones of columns that belong together, each next to its neighbour of the usual order.
fn complete(board: &mut Board, keys: &[ColumnKey]) {
    let mut from = 0;
    while from < keys.len() {
        let index_of = |board: &Board, key: Option<&ColumnKey>| {
            key.and_then(|key| board.columns.iter().find(|column| column.key == *key))
                .map(|column| column.index)
        };
        let missing = keys
            .iter()
            .skip(from)
            .take_while(|key| index_of(board, Some(key)).is_none())
            .count();
        if missing > board.names_left {
            board.deferred += missing;
        } else if missing > 0 {
            let before = from
                .checked_sub(1)
                .and_then(|previous| index_of(board, keys.get(previous)));
            let after = index_of(board, keys.get(from + missing));
            let at = before.map(|index| index + 1).or(after).unwrap_or_default();
            insert_columns(board, at, keys.iter().skip(from).take(missing).cloned().collect());
        }
        from += missing + 1;
    }
}

fn insert_columns(board: &mut Board, at: u32, keys: Vec<ColumnKey>) {
    board.names_left = board.names_left.saturating_sub(keys.len());
    board.insert(Dimension::Columns, at, count(keys.len()), true);
    board.columns.extend(
        keys.into_iter()
            .zip(at..)
            .map(|(key, index)| fresh_column(key, index)),
    );
}

fn place_rows<'a>(
    board: &mut Board,
    state: &SheetState,
    shown: &Shown<'a>,
    options: &Options,
    header: u32,
) -> (Vec<RowPlan<'a>>, usize) {
    let listed = shown.by_key();
    let missing: Vec<&ProductRow> = shown
        .products
        .iter()
        .copied()
        .filter(|product| !board.row_of.contains_key(&product.key))
        .collect();
    let new = missing.iter().take(options.max_new_rows);
    let last_product = board.row_of.values().copied().max();
    let at = last_product.map_or(header, |row| row.max(header)) + 1;
    board.insert(Dimension::Rows, at, count(new.len()), last_product.is_some());
    let struck: HashSet<&str> = state
        .written
        .rows()
        .iter()
        .filter(|row| !row.listed)
        .map(|row| &*row.key)
        .collect();
    let mut rows: Vec<RowPlan<'a>> = board
        .row_of
        .iter()
        .map(|(key, index)| RowPlan {
            index: *index,
            key: Arc::clone(key),
            product: listed.get(&**key).copied(),
            fresh: false,
            bare: false,
            struck: struck.contains(&**key),
        })
        .collect();
    let deferred = missing.len() - new.len();
    rows.extend(new.zip(at..).map(|(product, index)| RowPlan {
        index,
        key: Arc::clone(&product.key),
        product: Some(*product),
        fresh: true,
        bare: true,
        struck: false,
    }));
    rows.sort_by_key(|row| row.index);
    if board.row_count <= header + 1 {
        board.insert(
            Dimension::Rows,
            board.row_count,
            header + 2 - board.row_count,
            false,
        );
    }
    (rows, deferred)
}
