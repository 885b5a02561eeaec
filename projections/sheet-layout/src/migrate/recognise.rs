//! Finds the header of an old layout and says what each column under it was. Titles are compared without
//! regard to case and spaces, wherever they stand: people retype, reorder and insert.

use std::collections::HashSet;
use std::sync::Arc;

use super::{HEADER_WITHIN, Layout, OUTDATED_TOTAL, Worksheet};
use crate::column::{BaseField, ColumnKey, ExtraField, Group, WarehouseField};
use crate::view::Language;

/// Columns of the vertical layout that hold a product's warehouses, line by line.
const LINES: [&str; 4] = [
    "Название склада",
    "Заказы со склада",
    "Остатки на складе",
    "Оборачиваемость по складам",
];
/// What the vertical layout called columns that there still are.
const VERTICAL_NAMES: [(&str, BaseField); 2] = [
    ("Артикул товара", BaseField::NmId),
    ("Оборачиваемость", BaseField::Turnover),
];
/// How many of the nine columns a horizontal header has to show to be taken for one.
const ENOUGH: usize = 5;

/// What a column was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// Still is.
    Known(ColumnKey),
    /// One of a warehouse's, under this title.
    OfWarehouse(Arc<str>, WarehouseField),
    /// Has no successor.
    Outdated,
}

/// An old header and the columns under it, left to right.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) groups: Option<u32>,
    pub(super) fields: u32,
    pub(super) columns: Vec<(u32, Column)>,
}

/// Which layout it is.
#[must_use]
pub fn recognise(found: &Worksheet) -> Layout {
    if found
        .columns
        .iter()
        .any(|column| ColumnKey::parse(&column.value).is_some())
    {
        return Layout::Current;
    }
    if found.filled().next().is_none() {
        return Layout::Empty;
    }
    header(found, |_| true).map_or(Layout::Unknown, |(layout, _)| layout)
}

/// A title as it is compared.
pub(super) fn plain(title: &str) -> String {
    let words: Vec<&str> = title.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// The best header among the first rows, looking at the columns that `concerned` lets through.
pub(super) fn header(found: &Worksheet, concerned: impl Fn(u32) -> bool) -> Option<(Layout, Header)> {
    let rows = found.cells.len().min(HEADER_WITHIN);
    let headers = (0..u32::try_from(rows).unwrap_or_default()).filter_map(|row| {
        let header = read(found, row, &concerned);
        Some((layout_of(found, &header)?, header))
    });
    // The topmost of equals: a copy that a person keeps further down is theirs.
    headers.fold(None, |best: Option<(Layout, Header)>, candidate| match best {
        Some(best) if best.1.columns.len() >= candidate.1.columns.len() => Some(best),
        _ => Some(candidate),
    })
}

fn layout_of(found: &Worksheet, header: &Header) -> Option<Layout> {
    let has = |field: BaseField| {
        let key = Column::Known(ColumnKey::Base(field));
        header.columns.iter().any(|(_, column)| *column == key)
    };
    if !has(BaseField::NmId) && !has(BaseField::VendorCode) {
        return None;
    }
    let title = |index: u32| {
        found
            .text(header.fields, index)
            .map(|text| plain(text))
            .unwrap_or_default()
    };
    let outdated: Vec<String> = (header.columns.iter())
        .filter(|(_, column)| *column == Column::Outdated)
        .map(|(index, _)| title(*index))
        .collect();
    let warehouses = (header.columns.iter()).any(|(_, column)| matches!(column, Column::OfWarehouse(..)));
    let bases = BaseField::ALL.into_iter().filter(|field| has(*field)).count();
    let six_totals = outdated.contains(&plain(OUTDATED_TOTAL));
    if outdated.len() - usize::from(six_totals) >= 2 && !warehouses {
        return Some(Layout::Vertical);
    }
    (bases >= ENOUGH).then_some(Layout::Horizontal { six_totals })
}

/// What the columns are if this row holds their titles. A title that repeats is the seller's from the second
/// time on.
fn read(found: &Worksheet, row: u32, concerned: impl Fn(u32) -> bool) -> Header {
    let groups = row.checked_sub(1);
    let mut columns: Vec<(u32, Column)> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    let mut warehouse: Option<Arc<str>> = None;
    let mut blocks: HashSet<String> = HashSet::new();
    for index in 0..found.column_count {
        if !concerned(index) {
            continue;
        }
        if let Some(title) = groups.and_then(|groups| found.text(groups, index)) {
            // A second block of the same warehouse is a copy.
            let new = !is_fixed_group(title) && blocks.insert(plain(title));
            warehouse = new.then(|| Arc::clone(title));
        }
        let Some(title) = found.text(row, index) else {
            continue;
        };
        let Some(column) = column(&plain(title), warehouse.as_ref()) else {
            continue;
        };
        if seen.insert(name(&column, title)) {
            columns.push((index, column));
        }
    }
    // One lonely column under a name of the seller's is the seller's; of a block two are there at least.
    let of = |warehouse: &Arc<str>, columns: &[(u32, Column)]| {
        let of = |column: &Column| matches!(column, Column::OfWarehouse(name, _) if name == warehouse);
        columns.iter().filter(|(_, column)| of(column)).count()
    };
    let all = columns.clone();
    columns.retain(|(_, column)| match column {
        Column::OfWarehouse(warehouse, _) => of(warehouse, &all) > 1,
        _ => true,
    });
    // A row above that says nothing we know is not the other half of this header.
    let titled = groups.filter(|groups| {
        let texts = (0..found.column_count).filter_map(|index| found.text(*groups, index));
        let mut known = texts.filter(|text| is_fixed_group(text));
        known.next().is_some()
            || columns
                .iter()
                .any(|(_, column)| matches!(column, Column::OfWarehouse(..)))
    });
    Header {
        groups: titled,
        fields: row,
        columns,
    }
}

fn name(column: &Column, title: &str) -> String {
    match column {
        Column::Known(key) => key.to_string(),
        Column::OfWarehouse(name, field) => format!("{field:?} {}", plain(name)),
        Column::Outdated => plain(title),
    }
}

fn is_fixed_group(title: &str) -> bool {
    let title = plain(title);
    [Group::Identity, Group::Metrics].iter().any(|group| {
        let titles = [Language::Russian, Language::English].map(|language| group.fixed_title(language));
        titles.into_iter().flatten().any(|known| plain(known) == title)
    })
}

fn column(title: &str, warehouse: Option<&Arc<str>>) -> Option<Column> {
    let known = (BaseField::ALL.into_iter().map(ColumnKey::Base))
        .chain([ColumnKey::Size])
        .chain(ExtraField::ALL.into_iter().map(ColumnKey::Extra));
    let called = |key: &ColumnKey| {
        [Language::Russian, Language::English]
            .into_iter()
            .any(|language| plain(key.title(language)) == title)
    };
    if let Some(key) = known.into_iter().find(called) {
        return Some(Column::Known(key));
    }
    if let Some((_, field)) = VERTICAL_NAMES.iter().find(|(name, _)| plain(name) == title) {
        return Some(Column::Known(ColumnKey::Base(*field)));
    }
    if LINES
        .iter()
        .chain([&OUTDATED_TOTAL])
        .any(|name| plain(name) == title)
    {
        return Some(Column::Outdated);
    }
    let warehouse = warehouse?;
    let field = WarehouseField::ALL
        .into_iter()
        .find(|field| called(&ColumnKey::Warehouse("".into(), *field)))?;
    Some(Column::OfWarehouse(Arc::clone(warehouse), field))
}
