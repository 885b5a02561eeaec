//! Rows of products in a worksheet: by their numbers, or by what else tells whose they are.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use sheet_layout::{BaseField, ColumnKey, Grid, IdentityCells, SheetState, locate_rows};

use super::cells::WholeNumber;

/// The first row that may hold a product.
pub(super) fn below_header(state: &SheetState) -> u32 {
    state
        .header_rows
        .iter()
        .map(|row| row.index + 1)
        .max()
        .unwrap_or_default()
}

/// Name of the column that tells rows of sizes apart.
pub(super) fn size_column() -> String {
    ColumnKey::Size.to_string()
}

/// Where the article numbers, the seller's articles and the sizes stand.
pub(super) fn identity_columns(state: &SheetState) -> [Option<u32>; 3] {
    let column = |value: String| {
        state
            .columns
            .iter()
            .find(|column| *column.value == *value && column.index < state.column_count)
            .map(|column| column.index)
    };
    let base = |field: BaseField| column(ColumnKey::Base(field).to_string());
    [
        base(BaseField::NmId),
        base(BaseField::VendorCode),
        column(size_column()),
    ]
}

/// Rows of products: by their numbers, and where somebody wrote over a number, by the seller's article. The
/// latter only for products that had a row: in others the seller may prepare something.
pub(super) fn locate(
    state: &SheetState,
    rows: Vec<IdentityCells<u32>>,
    products: &[IdentityCells<Arc<str>>],
    written: Option<&Grid>,
) -> BTreeMap<Arc<str>, u32> {
    if identity_columns(state)[0].is_none() {
        return locate_rows(&rows, products);
    }
    let (numbered, nameless): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.nm_id.is_some());
    let mut found = locate_rows(&numbered, products);
    let had = written.map_or(&[][..], Grid::rows).iter().map(|row| &*row.key);
    let had: HashSet<&str> = had.filter(|key| !found.contains_key(*key)).collect();
    if had.is_empty() {
        return found;
    }
    let lost = products.iter().filter(|product| had.contains(&*product.of));
    let lost: Vec<_> = lost.cloned().collect();
    let known: HashSet<i64> = products.iter().filter_map(|product| product.nm_id).collect();
    let foreign = |row: &IdentityCells<u32>| row.nm_id.is_some_and(|number| !known.contains(&number));
    let written_over: Vec<_> = nameless
        .into_iter()
        .chain(numbered.into_iter().filter(foreign))
        .map(|row| IdentityCells { nm_id: None, ..row })
        .collect();
    found.extend(locate_rows(&written_over, &lost));
    found
}

/// The rows below the header, up to `end`, that hold an article, a number or the seller's; all rows when the
/// column of numbers is gone.
pub(super) fn identities(
    state: &SheetState,
    value: impl Fn(u32, u32) -> Option<Value>,
    end: u32,
) -> Vec<IdentityCells<u32>> {
    let [nm_id, vendor_code, size] = identity_columns(state);
    let text = |row: u32, column: u32| -> Arc<str> {
        match value(row, column) {
            Some(Value::String(text)) => text.into(),
            // A size that looks like a number may be one after a person has touched it.
            Some(number @ Value::Number(_)) => {
                let whole = number.as_i64_like();
                whole
                    .map_or_else(|| number.to_string(), |whole| whole.to_string())
                    .into()
            }
            _ => "".into(),
        }
    };
    let mut rows = Vec::new();
    for of in below_header(state)..end {
        let number = nm_id.and_then(|column| value(of, column)?.as_i64_like());
        let row = IdentityCells {
            of,
            nm_id: number,
            vendor_code: vendor_code.map_or_else(|| "".into(), |column| text(of, column)),
            size: size.map(|column| text(of, column)),
        };
        if number.is_some() || nm_id.is_none() || !row.vendor_code.is_empty() {
            rows.push(row);
        }
    }
    rows
}
