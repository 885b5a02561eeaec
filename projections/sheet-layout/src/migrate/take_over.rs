//! The batch: names for what stays, removal of what has no successor, and the plan for everything else.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::readers::{reads, reads_from};
use super::recognise::{Column, Header, header, plain};
use super::report::{Fate, Report};
use super::{Elsewhere, FoundCell, Layout, Migration, Worksheet, letters};
use crate::cell::Cell;
use crate::column::{BaseField, ColumnKey, Kind};
use crate::grid::{Grid, GridRow};
use crate::input::{LayoutError, SheetInput, UNPLACED_KEY, unplaced_name};
use crate::plan::{Options, Plan, adopt, name_of};
use crate::request::{Dimension, DimensionRange, GridRange, Request};
use crate::state::{
    HEADER_FIELDS, HEADER_GROUPS, IdentityCells, ManagedColumn, ManagedRow, ROW_METADATA_KEY, SheetState,
    locate_rows,
};
use crate::view::Language;

/// Orders that name a warehouse without an id have this key; one that comes up again finds its columns.
const BY_NAME: &str = "fbo:name:";

pub(super) fn take_over(
    found: &Worksheet,
    layout: Layout,
    identities: &[IdentityCells<Arc<str>>],
    input: &SheetInput,
    options: &Options,
) -> Result<Migration, LayoutError> {
    let mut report = Report::of(layout);
    let Some((_, header)) = header(found, |_| true) else {
        return Ok(Migration { report, plan: None });
    };
    let kept = named(&header, input, &mut report);
    let mut rows = product_rows(found, &header, &kept);
    let row_of_product = locate_rows(&rows, identities);
    // Without a number, a row is a product's if its seller's article is one's.
    let located: HashSet<u32> = row_of_product.values().copied().collect();
    rows.retain(|row| row.nm_id.is_some() || located.contains(&row.of));
    let removed = removable(found, &header, &rows, &mut report);

    let mut state = SheetState {
        sheet_id: found.sheet_id,
        row_count: found.row_count,
        column_count: found.column_count,
        frozen_rows: found.frozen_rows,
        frozen_columns: found.frozen_columns,
        tables: found.tables.clone(),
        merges: found.merges.clone(),
        written: read_back(found, &header, &kept, &row_of_product),
        row_of_product,
        ..SheetState::default()
    };
    let mut requests = Vec::new();
    name_all(&mut state, &header, &kept, &mut requests);
    for column in removed.iter().rev() {
        remove_column(&mut state, *column, &mut requests);
    }
    let plan = adopt(&state, input, options, requests)?;
    tell(
        &mut report,
        found,
        &Told {
            header: &header,
            kept: &kept,
            rows: &rows,
            removed: &removed,
        },
        &plan,
    );
    Ok(Migration {
        report,
        plan: Some(plan),
    })
}

/// The columns that stay, with what they are from now on.
fn named(header: &Header, input: &SheetInput, report: &mut Report) -> Vec<(u32, ColumnKey)> {
    let mut free: HashMap<String, Vec<&Arc<str>>> = HashMap::new();
    for warehouse in input.warehouses.iter().rev() {
        free.entry(plain(&warehouse.name))
            .or_default()
            .push(&warehouse.key);
    }
    let unplaced: Arc<str> = UNPLACED_KEY.into();
    for language in [Language::Russian, Language::English] {
        free.entry(plain(unplaced_name(language)))
            .or_default()
            .push(&unplaced);
    }
    let mut keys: HashMap<&Arc<str>, Arc<str>> = HashMap::new();
    let mut columns = Vec::new();
    for (index, column) in &header.columns {
        let key = match column {
            Column::Known(key) => key.clone(),
            Column::Outdated => continue,
            Column::OfWarehouse(name, field) => {
                let key = keys.entry(name).or_insert_with(|| {
                    let known = free.get_mut(&plain(name)).and_then(Vec::pop);
                    if known.is_none() {
                        report.add(
                            Fate::Unclear,
                            format!(
                                "no stock and no orders are known of warehouse “{name}”; its columns stay and show 0"
                            ),
                        );
                    }
                    known.map_or_else(|| format!("{BY_NAME}{name}").into(), Arc::clone)
                });
                ColumnKey::warehouse(key, *field)
            }
        };
        columns.push((*index, key));
    }
    columns
}

fn index_of(kept: &[(u32, ColumnKey)], wanted: &ColumnKey) -> Option<u32> {
    kept.iter()
        .find(|(_, key)| key == wanted)
        .map(|(index, _)| *index)
}

/// The rows below the header that show an article, as [`locate_rows`] wants them.
fn product_rows(found: &Worksheet, header: &Header, kept: &[(u32, ColumnKey)]) -> Vec<IdentityCells<u32>> {
    let column = |field: BaseField| index_of(kept, &ColumnKey::Base(field));
    let (nm_id, vendor_code) = (column(BaseField::NmId), column(BaseField::VendorCode));
    let size = index_of(kept, &ColumnKey::Size);
    let text = |row: u32, column: u32| -> Arc<str> {
        match found.cell(row, column) {
            FoundCell::Text(text) => text.trim().into(),
            FoundCell::Number(number) => number.to_string().into(),
            _ => "".into(),
        }
    };
    let last = u32::try_from(found.cells.len()).unwrap_or(u32::MAX);
    let rows = (header.fields + 1..last).filter_map(|of| {
        let number = nm_id.and_then(|column| article(found.cell(of, column)));
        if nm_id.is_some() && number.is_none() {
            return None;
        }
        Some(IdentityCells {
            of,
            nm_id: number,
            vendor_code: vendor_code.map(|column| text(of, column)).unwrap_or_default(),
            size: size.map(|column| text(of, column)),
        })
    });
    rows.collect()
}

/// An article number, also one that became a text on the way.
fn article(cell: &FoundCell) -> Option<i64> {
    match cell {
        FoundCell::Number(number) => whole(*number),
        FoundCell::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| *number > 0)
}

#[expect(clippy::cast_possible_truncation, reason = "only used where it is in range")]
fn whole(number: f64) -> Option<i64> {
    // Beyond 2^53 doubles skip whole numbers.
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Columns without a successor that can go, left to right.
fn removable(
    found: &Worksheet,
    header: &Header,
    rows: &[IdentityCells<u32>],
    report: &mut Report,
) -> Vec<u32> {
    let mut ours: HashSet<u32> = rows.iter().map(|row| row.of).collect();
    ours.extend(header.groups.into_iter().chain([header.fields]));
    let outdated: BTreeSet<u32> = (header.columns.iter())
        .filter(|(_, column)| *column == Column::Outdated)
        .map(|(index, _)| *index)
        .collect();
    let mut keep: BTreeMap<u32, String> = BTreeMap::new();
    for (row, column, cell) in found.filled() {
        match cell {
            FoundCell::Formula(formula) => {
                if outdated.contains(&column) {
                    keep.insert(column, "it holds a formula of yours".to_owned());
                }
                for column in outdated.iter().filter(|column| reads(formula, **column)) {
                    keep.entry(*column)
                        .or_insert_with(|| "a formula reads it".to_owned());
                }
            }
            _ if outdated.contains(&column) && !ours.contains(&row) => {
                keep.insert(column, "something of yours stands in it".to_owned());
            }
            _ => {}
        }
    }
    for (_, column) in found.notes.iter().filter(|(_, column)| outdated.contains(column)) {
        keep.entry(*column)
            .or_insert_with(|| "a note of yours hangs on it".to_owned());
    }
    for Elsewhere { worksheet, formula } in &found.elsewhere {
        let read = outdated
            .iter()
            .filter(|column| reads_from(formula, &found.title, **column));
        for column in read {
            keep.entry(*column)
                .or_insert_with(|| format!("a formula in the worksheet “{worksheet}” reads it"));
        }
    }
    for object in &found.objects {
        for column in outdated.range(object.start_column_index..object.end_column_index) {
            keep.entry(*column)
                .or_insert_with(|| "a named range or a chart reads it".to_owned());
        }
    }
    for (column, why) in &keep {
        let title = found.text(header.fields, *column).map_or("", |title| title);
        report.add(
            Fate::Kept,
            format!(
                "column {} “{title}” stays as it is, because {why}; nobody updates it",
                letters(*column)
            ),
        );
    }
    outdated
        .into_iter()
        .filter(|column| !keep.contains_key(column))
        .collect()
}

/// What the columns that stay show, so that only what differs is written.
fn read_back(
    found: &Worksheet,
    header: &Header,
    kept: &[(u32, ColumnKey)],
    row_of_product: &BTreeMap<Arc<str>, u32>,
) -> Grid {
    let mut products: Vec<(&Arc<str>, u32)> = row_of_product.iter().map(|(key, row)| (key, *row)).collect();
    products.sort_by_key(|(_, row)| *row);
    let rows = products.iter().map(|(key, _)| GridRow {
        key: Arc::clone(key),
        listed: true,
    });
    let columns = kept.iter().map(|(_, key)| key.to_string().into());
    let mut grid = Grid::new(columns.collect(), rows.collect());
    let rows = [header.groups, Some(header.fields)].into_iter();
    let rows = rows.chain(products.iter().map(|(_, row)| Some(*row)));
    for (place, row) in rows.enumerate() {
        let Some(row) = row else { continue };
        for (number, (column, key)) in kept.iter().enumerate() {
            grid.set(place, number, shown(found.cell(row, *column), key, place < 2));
        }
    }
    grid
}

/// A cell as this layout would have written it; what it never writes becomes a text that differs from
/// anything.
fn shown(cell: &FoundCell, column: &ColumnKey, header: bool) -> Cell {
    match cell {
        FoundCell::Empty => Cell::Empty,
        FoundCell::Text(text) => Cell::text(text),
        FoundCell::Number(number) if column.kind() == Kind::Days && !header => {
            let tenths = (number * 10.0).round();
            let near = (number * 10.0 - tenths).abs() < 1e-6;
            let tenths = whole(tenths).filter(|_| near).map(Cell::Tenths);
            tenths.unwrap_or_else(|| foreign(number))
        }
        FoundCell::Number(number) => whole(*number).map_or_else(|| foreign(number), Cell::Int),
        FoundCell::Bool(value) => foreign(value),
        FoundCell::Formula(formula) => foreign(formula),
    }
}

fn foreign(what: impl std::fmt::Display) -> Cell {
    // The blank in front keeps it apart from a text of ours that reads the same.
    Cell::Text(format!(" {what}").into())
}

/// Names the header rows, and lists the columns where they are.
fn name_all(state: &mut SheetState, header: &Header, kept: &[(u32, ColumnKey)], requests: &mut Vec<Request>) {
    let mut used = HashSet::new();
    let rows = [
        (header.groups, HEADER_GROUPS),
        (Some(header.fields), HEADER_FIELDS),
    ];
    for (row, value) in rows {
        let Some(index) = row else { continue };
        let place = (state.sheet_id, Dimension::Rows, index);
        let (metadata_id, request) = name_of(&mut used, ROW_METADATA_KEY, value, place);
        requests.push(request);
        state.header_rows.push(ManagedRow {
            metadata_id,
            value: value.into(),
            index,
        });
    }
    // The plan names them, as many as go into one batch.
    state
        .columns
        .extend(kept.iter().map(|(index, key)| ManagedColumn {
            metadata_id: 0,
            value: key.to_string().into(),
            index: *index,
        }));
}

/// Removes one column, in the sheet and from what is known of it.
fn remove_column(state: &mut SheetState, at: u32, requests: &mut Vec<Request>) {
    requests.push(Request::DeleteDimension {
        range: DimensionRange {
            sheet_id: state.sheet_id,
            dimension: Dimension::Columns,
            start_index: at,
            end_index: at + 1,
        },
    });
    state.column_count -= 1;
    for column in state.columns.iter_mut().filter(|column| column.index > at) {
        column.index -= 1;
    }
    for merge in &mut state.merges {
        merge.start_column_index -= u32::from(merge.start_column_index > at);
        merge.end_column_index -= u32::from(merge.end_column_index > at);
    }
    let is_merge = |merge: &GridRange| {
        let columns = merge.end_column_index.saturating_sub(merge.start_column_index);
        let rows = merge.end_row_index.saturating_sub(merge.start_row_index);
        columns > 0 && columns * rows > 1
    };
    state.merges.retain(is_merge);
}

struct Told<'a> {
    header: &'a Header,
    kept: &'a [(u32, ColumnKey)],
    rows: &'a [IdentityCells<u32>],
    removed: &'a [u32],
}

/// What became of what was there.
fn tell(report: &mut Report, found: &Worksheet, told: &Told<'_>, plan: &Plan) {
    let title = |column: u32| found.text(told.header.fields, column).map_or("", |title| title);
    for column in told.removed {
        report.add(
            Fate::Removed,
            format!(
                "column {} “{}”, which this layout does not have",
                letters(*column),
                title(*column)
            ),
        );
    }
    let managed: HashMap<&str, u32> = (plan.after.columns.iter())
        .map(|column| (&*column.value, column.index))
        .collect();
    for (index, key) in told.kept {
        let now = managed.get(key.to_string().as_str()).copied().unwrap_or(*index);
        if now != *index {
            report.add(
                Fate::Moved,
                format!(
                    "column {} “{}” is now column {}",
                    letters(*index),
                    title(*index),
                    letters(now)
                ),
            );
        }
    }
    let located: HashSet<u32> = told.rows.iter().map(|row| row.of).collect();
    let ours: HashSet<u32> = told
        .kept
        .iter()
        .map(|(index, _)| *index)
        .chain(told.removed.iter().copied())
        .collect();
    let mut columns: BTreeSet<u32> = BTreeSet::new();
    let mut rows: BTreeSet<u32> = BTreeSet::new();
    let headers = [told.header.groups, Some(told.header.fields)];
    for (row, column, _) in found.filled() {
        if !ours.contains(&column) {
            columns.insert(column);
        } else if !located.contains(&row) && !headers.contains(&Some(row)) {
            rows.insert(row);
        }
    }
    for column in columns {
        let now = moved(&plan.requests, Dimension::Columns, column).map_or_else(String::new, letters);
        report.add(
            Fate::Kept,
            format!(
                "your column {} “{}” is column {now}",
                letters(column),
                title(column)
            ),
        );
    }
    if !rows.is_empty() {
        let numbers: Vec<String> = rows.iter().map(|row| (row + 1).to_string()).collect();
        report.add(Fate::Kept, format!("your rows {}", numbers.join(", ")));
    }
    if !found.notes.is_empty() {
        report.add(Fate::Kept, format!("{} notes on their cells", found.notes.len()));
    }
    products(report, told, plan, found);
}

fn products(report: &mut Report, told: &Told<'_>, plan: &Plan, found: &Worksheet) {
    let after: HashSet<u32> = plan.after.row_of_product.values().copied().collect();
    let mut stayed = 0_usize;
    for row in told.rows {
        let now = moved(&plan.requests, Dimension::Rows, row.of);
        if now.is_some_and(|now| after.contains(&now)) {
            stayed += 1;
            continue;
        }
        let article = row
            .nm_id
            .map_or_else(|| row.vendor_code.to_string(), |number| number.to_string());
        if !article.is_empty() {
            report.add(
                Fate::Unclear,
                format!(
                    "row {} shows article {article}, which is none of the products or stands twice; it stays as it is",
                    row.of + 1
                ),
            );
        }
    }
    report.add(
        Fate::Moved,
        format!("{stayed} rows of products keep their places"),
    );
    let new = plan.after.row_of_product.len().saturating_sub(stayed);
    if new + plan.deferred_products > 0 {
        report.add(
            Fate::Moved,
            format!(
                "{} products that had no row get one below",
                new + plan.deferred_products
            ),
        );
    }
    if report.layout == Layout::Vertical {
        warehouses(report, told, plan, found);
    }
}

/// Which of the names in the cells have columns now.
fn warehouses(report: &mut Report, told: &Told<'_>, plan: &Plan, found: &Worksheet) {
    let Some(column) = (told.header.columns.iter().map(|(index, _)| *index)).find(|index| {
        found
            .text(told.header.fields, *index)
            .is_some_and(|title| plain(title) == NAMES)
    }) else {
        return;
    };
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for row in told.rows {
        if let Some(cell) = found.text(row.of, column) {
            names.extend(cell.split('\n').map(str::trim).filter(|name| !name.is_empty()));
        }
    }
    let grid = &plan.after.written;
    for name in names {
        let place = grid.row(0).iter().position(|cell| match cell {
            Cell::Text(title) => plain(title) == plain(name),
            _ => false,
        });
        let index = place
            .and_then(|place| plan.after.columns.get(place))
            .map(|column| column.index);
        match index {
            Some(index) => report.add(
                Fate::Moved,
                format!("warehouse “{name}” has columns from {} on", letters(index)),
            ),
            None => report.add(
                Fate::Unclear,
                format!("nothing is known of “{name}”, which was named as a warehouse"),
            ),
        }
    }
}

/// Title over the warehouses' names in the vertical layout, as it is compared.
const NAMES: &str = "название склада";

/// Where a row or column of the sheet as it was is after these requests; none if it was removed.
fn moved(requests: &[Request], wanted: Dimension, index: u32) -> Option<u32> {
    requests.iter().try_fold(index, |index, request| match request {
        Request::InsertDimension { range, .. } if range.dimension == wanted && range.start_index <= index => {
            Some(index + range.end_index - range.start_index)
        }
        Request::DeleteDimension { range } if range.dimension == wanted && range.start_index <= index => {
            (range.end_index <= index).then(|| index - (range.end_index - range.start_index))
        }
        _ => Some(index),
    })
}
