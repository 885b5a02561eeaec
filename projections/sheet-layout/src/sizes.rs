//! A product as one row, or as rows of its sizes. The layout itself knows rows only: a view by size is the
//! same table of an input in which every size is a row of its own, so nothing else has to ask.
//!
//! A product that was told in several sizes has one row for what no size was told of (units of sources that
//! do not know sizes, units on their way, orders without a size) and one for each size behind it. The first
//! is always there, also when it is all zero: a row that came and went would move what a seller put beside
//! it. Together the rows show the product's totals. A product of one size is one row.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::input::{LayoutError, ProductFacts, ProductRow, SheetInput, SizeRow};
use crate::shown::Shown;
use crate::view::{Sizes, View};

/// Stands between a product's key and a size's id in the key of the size's row.
const SEPARATOR: char = '#';

/// The key of a size's row.
#[must_use]
pub fn size_row_key(product: &str, size: &str) -> Arc<str> {
    format!("{product}{SEPARATOR}{size}").into()
}

/// The input with a row for each size, chosen and sorted as the view wants; none where the view sums them.
pub(crate) fn expand(input: &SheetInput, view: &View) -> Result<Option<SheetInput>, LayoutError> {
    if view.sizes == Sizes::Summed {
        return Ok(None);
    }
    let chosen = Shown::new(input, view)?.products;
    let mut expanded = SheetInput {
        products: Vec::with_capacity(chosen.len()),
        warehouses: input.warehouses.clone(),
        freshness: input.freshness.clone(),
        facts: input.facts.clone(),
    };
    for product in chosen {
        if let [] | [_] = product.sizes.as_slice() {
            expanded.products.push(ProductRow {
                size: product.sizes.first().map(shown_name).unwrap_or_default(),
                sizes: Vec::new(),
                ..product.clone()
            });
            continue;
        }
        let overflow = || LayoutError::Overflow(Arc::clone(&product.key));
        expanded.products.push(rest(product).ok_or_else(overflow)?);
        let origin = input.facts.get(&product.key).map(|facts| ProductFacts {
            marketplace: Arc::clone(&facts.marketplace),
            cabinet: Arc::clone(&facts.cabinet),
            ..ProductFacts::default()
        });
        for size in &product.sizes {
            let key = size_row_key(&product.key, &size.id);
            if let Some(origin) = &origin {
                expanded.facts.insert(Arc::clone(&key), origin.clone());
            }
            expanded.products.push(ProductRow {
                key,
                size: shown_name(size),
                cells: size.cells.clone(),
                orders_without_warehouse: size.orders_without_warehouse,
                in_way_to_client: 0,
                in_way_from_client: 0,
                sizes: Vec::new(),
                ..product.clone()
            });
        }
    }
    Ok(Some(expanded))
}

/// A size without a name is told apart by its id.
fn shown_name(size: &SizeRow) -> Arc<str> {
    Arc::clone(if size.name.is_empty() {
        &size.id
    } else {
        &size.name
    })
}

/// What no size was told of; none on overflow.
fn rest(product: &ProductRow) -> Option<ProductRow> {
    let mut cells: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    for (warehouse, available, orders) in &product.cells {
        let (units, ordered) = cells.entry(*warehouse).or_default();
        *units = units.checked_add(*available)?;
        *ordered = ordered.checked_add(*orders)?;
    }
    let mut orders_without_warehouse = product.orders_without_warehouse;
    for size in &product.sizes {
        orders_without_warehouse = orders_without_warehouse.checked_sub(size.orders_without_warehouse)?;
        for (warehouse, available, orders) in &size.cells {
            let (units, ordered) = cells.entry(*warehouse).or_default();
            *units = units.checked_sub(*available)?;
            *ordered = ordered.checked_sub(*orders)?;
        }
    }
    let cells = cells
        .into_iter()
        .map(|(warehouse, (units, ordered))| (warehouse, units, ordered));
    Some(ProductRow {
        cells: cells.collect(),
        orders_without_warehouse,
        sizes: Vec::new(),
        ..product.clone()
    })
}

/// Of these rows those of products whose sizes have rows of their own: what is left in them says nothing
/// about how the product stands.
pub(crate) fn split_products<'a>(keys: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
    keys.filter_map(|key| key.split_once(SEPARATOR).map(|(product, _)| product))
        .collect()
}
