//! What the layout is given, and the checks without which sums would silently disagree.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::column::{BaseField, ColumnKey, warehouse_code};
use crate::state::IdentityCells;
use crate::view::{Language, View};
use measures::Tenths;

/// Key of the column block that takes orders which name no warehouse.
pub const UNPLACED_KEY: &str = "unplaced";
/// Title of that block. It appears with the first such order and stays.
pub const UNPLACED_NAME: &str = "Без склада";

pub(crate) const fn unplaced_name(language: Language) -> &'static str {
    language.pick(UNPLACED_NAME, "No warehouse")
}

/// Everything one sheet shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetInput {
    /// Listed products, in the order in which new ones are to appear. A product left out counts as delisted.
    pub products: Vec<ProductRow>,
    /// Warehouses, in any order; pseudo-warehouses are never among them.
    pub warehouses: Vec<WarehouseColumn>,
    /// How old the numbers are.
    pub freshness: Freshness,
    /// What only some views need, by product key.
    pub facts: HashMap<Arc<str>, ProductFacts>,
}

/// Where a product comes from, and what is foretold about it. What is unknown is an empty cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductFacts {
    /// For example `wildberries`.
    pub marketplace: Arc<str>,
    /// Identity of the cabinet.
    pub cabinet: Arc<str>,
    /// Orders of the last 14 days without cancelled ones.
    pub orders_14: Option<i64>,
    /// Orders of the last 28 days without cancelled ones.
    pub orders_28: Option<i64>,
    /// Days that the stock is expected to last.
    pub days_of_stock: Option<Tenths>,
    /// The day on which it is expected to end.
    pub stock_out_on: Option<NaiveDate>,
}

/// One product of one cabinet. Totals are not given: they are the sums over [`Self::cells`], of available
/// units without [`Self::uncounted`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductRow {
    /// Stable identity, for example the product id; never shown.
    pub key: Arc<str>,
    /// Brand; may be empty.
    pub brand: Arc<str>,
    /// Category; may be empty.
    pub subject: Arc<str>,
    /// The seller's article; may be empty.
    pub vendor_code: Arc<str>,
    /// The marketplace's article.
    pub nm_id: i64,
    /// Shown in the size column where a row is a size; the layout fills it from [`Self::sizes`].
    pub size: Arc<str>,
    /// Units on their way to buyers.
    pub in_way_to_client: i64,
    /// Units on their way back.
    pub in_way_from_client: i64,
    /// `(index into warehouses, available units, orders of the last seven days without cancelled ones)`. A
    /// warehouse left out counts as 0 and 0; one that is named twice is summed.
    pub cells: Vec<(usize, i64, i64)>,
    /// Warehouses whose available units are no part of the total and of what is computed from it, by index.
    /// Their own columns show them, and their orders count.
    pub uncounted: Arc<[usize]>,
    /// Orders of the last seven days that name no warehouse, or one that cannot be told apart; shown in the
    /// block [`UNPLACED_NAME`] and part of the total.
    pub orders_without_warehouse: i64,
    /// The part of the numbers above that was told by size, in the order in which sizes are to appear. Looked
    /// at by views that show sizes as rows.
    pub sizes: Vec<SizeRow>,
}

/// One size of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SizeRow {
    /// Stable identity inside the product, for example Wildberries' `chrtID`.
    pub id: Arc<str>,
    /// Shown name; the id where it is empty.
    pub name: Arc<str>,
    /// As [`ProductRow::cells`], of this size alone.
    pub cells: Vec<(usize, i64, i64)>,
    /// As [`ProductRow::orders_without_warehouse`], of this size alone.
    pub orders_without_warehouse: i64,
}

/// One warehouse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WarehouseColumn {
    /// Stable identity; survives renaming.
    pub key: Arc<str>,
    /// Shown name.
    pub name: Arc<str>,
    /// Why its units are no part of the totals of some products or of all, in the view's language; empty
    /// where they are. Shown as a note on its title.
    pub left_out: Arc<str>,
}

/// How the note on the title of a warehouse that is left out begins. One that begins otherwise is not ours.
#[must_use]
pub fn left_out_heading(language: Language) -> String {
    let total = ColumnKey::Base(BaseField::AvailableTotal).title(language);
    match language {
        Language::Russian => format!("Не учитывается в «{total}»"),
        Language::English => format!("Not part of “{total}”"),
    }
}

pub(crate) fn is_left_out_note(note: &str) -> bool {
    [Language::Russian, Language::English]
        .into_iter()
        .any(|language| note.starts_with(&left_out_heading(language)))
}

impl WarehouseColumn {
    /// The note on its title; none where it counts.
    pub(crate) fn note(&self, language: Language) -> Option<String> {
        let note = || format!("{}: {}", left_out_heading(language), self.left_out);
        (!self.left_out.is_empty()).then(note)
    }
}

/// When and from where the numbers come, shown as a note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Time of the observation as the reader should see it.
    pub observed_at: String,
    /// The sync that saw it.
    pub sync_id: String,
    /// One line per source, for example a source that failed and how old its kept numbers are.
    pub sources: Vec<String>,
}

impl Freshness {
    /// The note's text. The lines on sources are the caller's, in the same language.
    #[must_use]
    pub fn note(&self, language: Language) -> String {
        let (data, sync) = (
            language.pick("Данные на", "Data as of"),
            language.pick("Синхронизация", "Sync"),
        );
        let mut note = format!("{data} {}\n{sync} {}", self.observed_at, self.sync_id);
        for line in &self.sources {
            note.push('\n');
            note.push_str(line);
        }
        note
    }
}

/// Why an input cannot be laid out. All of them are faults of the caller, none is worth a retry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LayoutError {
    /// Two products share a key.
    #[error("product key {0} occurs twice")]
    DuplicateProduct(Arc<str>),
    /// Two warehouses share a key, or one uses [`UNPLACED_KEY`].
    #[error("warehouse key {0} occurs twice or is reserved")]
    DuplicateWarehouse(Arc<str>),
    /// A product's cell names a warehouse that is not in the list.
    #[error("product {product} names warehouse {index} of {warehouses}")]
    UnknownWarehouse {
        /// The product's key.
        product: Arc<str>,
        /// The index it names.
        index: usize,
        /// How many warehouses there are.
        warehouses: usize,
    },
    /// A view of some cabinets or marketplaces, and a product of which neither is known.
    #[error("it is not known which cabinet product {0} belongs to")]
    UnknownOrigin(Arc<str>),
    /// A sum over warehouses does not fit.
    #[error("numbers of product {0} overflow")]
    Overflow(Arc<str>),
    /// More than Google allows: 10,000,000 cells and 18,278 columns (Sheets v4 usage limits).
    #[error("{rows} rows and {columns} columns do not fit into a spreadsheet")]
    TooLarge {
        /// Rows needed.
        rows: u64,
        /// Columns needed.
        columns: u64,
    },
}

impl SheetInput {
    /// What identifies the rows that these products have in a view, for [`crate::locate_rows`].
    ///
    /// # Errors
    /// [`LayoutError`] where the input contradicts itself.
    pub fn identities(&self, view: &View) -> Result<Vec<IdentityCells<Arc<str>>>, LayoutError> {
        let expanded = crate::sizes::expand(self, view)?;
        let shown = match &expanded {
            Some(rows) => crate::shown::Shown::chosen(rows, view)?,
            None => crate::shown::Shown::new(self, view)?,
        };
        let identity = |product: &ProductRow| IdentityCells {
            of: Arc::clone(&product.key),
            nm_id: Some(product.nm_id),
            vendor_code: Arc::clone(&product.vendor_code),
            size: Arc::clone(&product.size).into(),
        };
        Ok(shown.products.into_iter().map(identity).collect())
    }

    pub(crate) fn check(&self) -> Result<(), LayoutError> {
        let mut codes = HashSet::from([warehouse_code(UNPLACED_KEY)]);
        let mut seen = HashSet::with_capacity(self.products.len());
        for warehouse in &self.warehouses {
            if !codes.insert(warehouse_code(&warehouse.key)) {
                return Err(LayoutError::DuplicateWarehouse(Arc::clone(&warehouse.key)));
            }
        }
        for product in &self.products {
            if !seen.insert(&*product.key) {
                return Err(LayoutError::DuplicateProduct(Arc::clone(&product.key)));
            }
            for (index, _, _) in &product.cells {
                if *index >= self.warehouses.len() {
                    return Err(LayoutError::UnknownWarehouse {
                        product: Arc::clone(&product.key),
                        index: *index,
                        warehouses: self.warehouses.len(),
                    });
                }
            }
        }
        Ok(())
    }
}
