//! What is in the sheet now, as the caller read it, and how product rows are found in it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::column::ColumnKey;
use crate::grid::Grid;
use crate::request::GridRange;

/// Developer metadata key on the two header rows; values [`HEADER_GROUPS`] and [`HEADER_FIELDS`].
pub const ROW_METADATA_KEY: &str = "st:row";
/// Metadata value of the row of merged group titles.
pub const HEADER_GROUPS: &str = "header:groups";
/// Metadata value of the row of field titles.
pub const HEADER_FIELDS: &str = "header:fields";

/// The worksheet, or its absence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Current {
    /// `None` before the worksheet exists.
    pub sheet: Option<SheetState>,
}

/// An existing worksheet. All indices are zero-based and absolute in the sheet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SheetState {
    /// The worksheet's id.
    pub sheet_id: i32,
    /// Rows of its grid.
    pub row_count: u32,
    /// Columns of its grid.
    pub column_count: u32,
    /// Rows that do not scroll.
    pub frozen_rows: u32,
    /// Columns that do not scroll; no merge may cross their border.
    pub frozen_columns: u32,
    /// Typed tables that people made of a part of the sheet.
    pub tables: Vec<Table>,
    /// Columns that carry [`crate::COLUMN_METADATA_KEY`], in any order. Unknown values are left alone.
    pub columns: Vec<ManagedColumn>,
    /// Rows that carry [`ROW_METADATA_KEY`].
    pub header_rows: Vec<ManagedRow>,
    /// All merges of the sheet, the seller's too.
    pub merges: Vec<GridRange>,
    /// What was written last or read back; a default (empty) grid where nothing is known, which rewrites
    /// every cell.
    pub written: Grid,
    /// Row of each product, see [`locate_rows`]. Products not in here get a new row.
    pub row_of_product: BTreeMap<Arc<str>, u32>,
}

/// A Table: a range whose first row holds unique titles that belong to Google, and whose columns may have
/// types that fix how their cells look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its cells, the titles' row first.
    pub range: GridRange,
    /// Columns with a type, absolute.
    pub typed: Vec<u32>,
}

impl Table {
    pub(crate) const fn titles(&self) -> GridRange {
        GridRange {
            end_row_index: self.range.start_row_index + 1,
            ..self.range
        }
    }
}

/// A column that carries our metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedColumn {
    /// Id of the metadata; 0 for a column that has none and was found by its titles.
    pub metadata_id: i32,
    /// Its value, a [`crate::ColumnKey`] as text.
    pub value: Arc<str>,
    /// Where the column is.
    pub index: u32,
}

impl ManagedColumn {
    /// The value as it would be given now.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        ColumnKey::renewed(&self.value)
    }
}

/// A header row that carries our metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedRow {
    /// Id of the metadata.
    pub metadata_id: i32,
    /// [`HEADER_GROUPS`] or [`HEADER_FIELDS`].
    pub value: Arc<str>,
    /// Where the row is.
    pub index: u32,
}

/// What identifies a product, as known to us or as read from a row of the sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityCells<K> {
    /// The product's key, or the row's index.
    pub of: K,
    /// `Артикул товара (nmid)`; `None` for a row where that column is gone.
    pub nm_id: Option<i64>,
    /// `Артикул продавца`; empty if unknown.
    pub vendor_code: Arc<str>,
    /// `Размер`; empty for a whole product, `None` for a row where that column is not there.
    pub size: Option<Arc<str>>,
}

impl<K> IdentityCells<K> {
    /// Whether a row of this size may be that of `product`, where several rows or products show its article.
    /// Sizes that are known are never mixed up; without the column rows are what their order says.
    fn is_size_of<P>(&self, product: &IdentityCells<P>) -> bool {
        let wanted = product.size.as_deref().unwrap_or_default();
        self.size.as_deref().is_none_or(|size| size == wanted)
    }
}

/// Finds each product's row. `rows` are the rows below the header whose managed nmId cell holds a number, top
/// to bottom; `products` are all products that may have a row (listed ones and those of the last written
/// grid).
///
/// One row and one product with the same nmId belong together. Where two cabinets show the same nmId, rows
/// and products with the same vendor code are paired first, the rest in the given order. A row copied by the
/// seller stays theirs: the topmost one is ours.
///
/// Where several products of the list show an article, as the sizes of one do, a row is that of its size. A
/// row of a size that none of them has was written over by a person, and goes to the one that has none. Where
/// the size column is gone, rows are taken in the given order and the plan writes all of them anew.
///
/// If the seller deleted the nmId column, pass all rows without a number: they are found by vendor code, as
/// far as that is unique among the rows, so that a plan repairs the column instead of adding every product
/// again.
#[must_use]
pub fn locate_rows(
    rows: &[IdentityCells<u32>],
    products: &[IdentityCells<Arc<str>>],
) -> BTreeMap<Arc<str>, u32> {
    let mut numbered: HashMap<i64, Vec<&IdentityCells<u32>>> = HashMap::with_capacity(rows.len());
    let mut nameless: HashMap<(&str, Option<&str>), Vec<u32>> = HashMap::new();
    for row in rows {
        match row.nm_id {
            Some(nm_id) => numbered.entry(nm_id).or_default().push(row),
            None if row.vendor_code.is_empty() => {}
            None => {
                let name = (&*row.vendor_code, row.size.as_deref());
                nameless.entry(name).or_default().push(row.of);
            }
        }
    }
    let mut sharing: HashMap<i64, usize> = HashMap::with_capacity(products.len());
    let mut sizes: HashSet<(i64, &str)> = HashSet::with_capacity(products.len());
    for product in products {
        if let Some(nm_id) = product.nm_id {
            *sharing.entry(nm_id).or_default() += 1;
            sizes.insert((nm_id, product.size.as_deref().unwrap_or_default()));
        }
    }
    let of_no_size = |row: &IdentityCells<u32>| {
        let size = row.nm_id.zip(row.size.as_deref());
        size.is_some_and(|size| !sizes.contains(&size))
    };
    let mut found = BTreeMap::new();
    for (of_size, by_vendor_code) in [(true, true), (true, false), (false, true), (false, false)] {
        for product in products {
            let alone = product.nm_id.is_some_and(|nm_id| sharing.get(&nm_id) == Some(&1));
            let candidates = product.nm_id.and_then(|nm_id| numbered.get_mut(&nm_id));
            let (Some(candidates), false) = (candidates, found.contains_key(&product.of)) else {
                continue;
            };
            let fits = |row: &&IdentityCells<u32>| {
                (row.is_size_of(product) || (!of_size && (alone || of_no_size(row))))
                    && (!by_vendor_code || row.vendor_code == product.vendor_code)
            };
            if let Some(place) = candidates.iter().position(fits) {
                found.insert(Arc::clone(&product.of), candidates.remove(place).of);
            }
        }
    }
    for product in products {
        if found.contains_key(&product.of) {
            continue;
        }
        let size = product.size.as_deref().unwrap_or_default();
        for name in [(&*product.vendor_code, Some(size)), (&*product.vendor_code, None)] {
            if let Some([row]) = nameless.get(&name).map(Vec::as_slice) {
                found.insert(Arc::clone(&product.of), *row);
                nameless.remove(&name);
                break;
            }
        }
    }
    found
}
