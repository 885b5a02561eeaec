//! The part of an input that a view shows: which products in which order, and which warehouses have columns.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::cell::Cell;
use crate::column::{BaseField, ColumnKey, Group, WarehouseField, warehouse_code};
use crate::input::{LayoutError, ProductRow, SheetInput, UNPLACED_KEY, WarehouseColumn, unplaced_name};
use crate::render::Renderer;
use crate::view::{Sizes, Sort, SortBy, View};
use measures::{Tenths, turnover};

pub(crate) struct Shown<'a> {
    pub(crate) input: &'a SheetInput,
    pub(crate) view: &'a View,
    /// In the view's order.
    pub(crate) products: Vec<&'a ProductRow>,
}

impl<'a> Shown<'a> {
    pub(crate) fn new(input: &'a SheetInput, view: &'a View) -> Result<Self, LayoutError> {
        input.check()?;
        let mut products = Vec::with_capacity(input.products.len());
        for product in &input.products {
            if is_chosen(product, input, view)? {
                products.push(product);
            }
        }
        sort(&mut products, view.sort);
        Ok(Self {
            input,
            view,
            products,
        })
    }

    /// Of an input that was chosen and sorted already.
    pub(crate) fn chosen(input: &'a SheetInput, view: &'a View) -> Result<Self, LayoutError> {
        input.check()?;
        Ok(Self {
            input,
            view,
            products: input.products.iter().collect(),
        })
    }

    pub(crate) fn by_key(&self) -> HashMap<&'a str, &'a ProductRow> {
        self.products
            .iter()
            .map(|product| (&*product.key, *product))
            .collect()
    }

    /// The warehouses that get columns, and the block for orders without one where it is needed.
    pub(crate) fn blocks(&self) -> Vec<WarehouseColumn> {
        let all = self.view.marketplaces.is_empty() && self.view.cabinets.is_empty();
        let hide = self.view.hide_empty_warehouses;
        let mut used = vec![all && !hide; self.input.warehouses.len()];
        if hide || !all {
            for (index, available, orders) in self.products.iter().flat_map(|product| &product.cells) {
                if let Some(used) = used.get_mut(*index) {
                    *used |= !hide || *available != 0 || *orders != 0;
                }
            }
        }
        let warehouses = self.input.warehouses.iter().zip(used);
        let mut blocks: Vec<WarehouseColumn> = warehouses
            .filter(|(_, used)| *used)
            .map(|(warehouse, _)| warehouse.clone())
            .collect();
        if self
            .products
            .iter()
            .any(|product| product.orders_without_warehouse != 0)
        {
            blocks.push(WarehouseColumn {
                key: UNPLACED_KEY.into(),
                name: unplaced_name(self.view.language).into(),
                ..WarehouseColumn::default()
            });
        }
        blocks
    }

    /// The columns before the warehouses.
    pub(crate) fn leading_columns(&self) -> Vec<ColumnKey> {
        let mut columns: Vec<ColumnKey> = BaseField::ALL.into_iter().map(ColumnKey::Base).collect();
        if self.view.sizes == Sizes::Rows {
            let identities = columns.iter().take_while(|column| column.is_identity()).count();
            columns.insert(identities, ColumnKey::Size);
        }
        columns.extend(self.view.extra_columns.iter().copied().map(ColumnKey::Extra));
        columns
    }

    /// The columns of a first write.
    pub(crate) fn initial_columns(&self) -> Vec<ColumnKey> {
        let mut blocks = self.blocks();
        blocks.sort_by(|a, b| (&a.name, &a.key).cmp(&(&b.name, &b.key)));
        let mut columns = self.leading_columns();
        columns.extend(blocks.iter().flat_map(|warehouse| {
            WarehouseField::ALL.map(|field| ColumnKey::warehouse(&warehouse.key, field))
        }));
        columns
    }

    /// The title of a group as the input knows it; none for a warehouse that is not in it.
    pub(crate) fn group_title(&self, group: &Group, names: &HashMap<Arc<str>, Cell>) -> Cell {
        match group {
            Group::Warehouse(key) => names.get(key).cloned().unwrap_or_default(),
            fixed => fixed
                .fixed_title(self.view.language)
                .map_or(Cell::Empty, |title| Cell::Text(title.into())),
        }
    }

    /// Names of warehouses by code, those without columns of their own too: a sheet may have them from
    /// before. No two are alike, so that one group is not taken for another: of warehouses with one name all
    /// but the first by key have their key behind it.
    pub(crate) fn names(&self) -> HashMap<Arc<str>, Cell> {
        let unplaced = unplaced_name(self.view.language);
        let mut taken: HashSet<String> = [unplaced.to_lowercase()].into();
        let mut names: HashMap<Arc<str>, Cell> =
            [(warehouse_code(UNPLACED_KEY), Cell::Text(unplaced.into()))].into();
        let mut warehouses: Vec<&WarehouseColumn> = self.input.warehouses.iter().collect();
        warehouses.sort_by(|a, b| a.key.cmp(&b.key));
        for warehouse in warehouses {
            let name = if taken.insert(warehouse.name.trim().to_lowercase()) {
                Cell::text(&warehouse.name)
            } else {
                Cell::text(&format!("{} ({})", warehouse.name, warehouse.key))
            };
            names.insert(warehouse_code(&warehouse.key), name);
        }
        names
    }

    /// Notes on the titles of warehouses that are left out, by code.
    pub(crate) fn title_notes(&self) -> BTreeMap<Arc<str>, Arc<str>> {
        let note = |warehouse: &WarehouseColumn| {
            let note = warehouse.note(self.view.language)?;
            Some((warehouse_code(&warehouse.key), note.into()))
        };
        self.input.warehouses.iter().filter_map(note).collect()
    }

    /// All cells, row after row: group titles (in the first column of each group), field titles, products.
    pub(crate) fn cells(&self, columns: &[ColumnKey]) -> Result<Vec<Cell>, LayoutError> {
        let mut cells = Vec::with_capacity((self.products.len() + 2) * columns.len());
        let names = self.names();
        let mut previous = None;
        for column in columns {
            let group = column.group();
            cells.push(if previous.as_ref() == Some(&group) {
                Cell::Empty
            } else {
                self.group_title(&group, &names)
            });
            previous = Some(group);
        }
        let title = |column: &ColumnKey| Cell::Text(column.title(self.view.language).into());
        cells.extend(columns.iter().map(title));
        let mut renderer = Renderer::new(self.input, columns);
        for product in &self.products {
            renderer.product(product, &mut cells)?;
        }
        Ok(cells)
    }
}

fn is_chosen(product: &ProductRow, input: &SheetInput, view: &View) -> Result<bool, LayoutError> {
    if view.marketplaces.is_empty() && view.cabinets.is_empty() {
        return Ok(true);
    }
    // Taking what is unknown for "not chosen" would strike through a whole sheet because of a caller's
    // omission.
    let facts = (input.facts.get(&product.key))
        .ok_or_else(|| LayoutError::UnknownOrigin(Arc::clone(&product.key)))?;
    Ok(
        (view.marketplaces.is_empty() || view.marketplaces.contains(&facts.marketplace))
            && (view.cabinets.is_empty() || view.cabinets.contains(&facts.cabinet)),
    )
}

fn sort(products: &mut Vec<&ProductRow>, order: Sort) {
    let text = |field: fn(&ProductRow) -> &str| {
        move |product: &ProductRow| Some(field(product).to_lowercase()).filter(|text| !text.is_empty())
    };
    match order.by {
        SortBy::Given => {
            if order.descending {
                products.reverse();
            }
        }
        SortBy::Brand => by(products, order, text(|product| &product.brand)),
        SortBy::Subject => by(products, order, text(|product| &product.subject)),
        SortBy::VendorCode => by(products, order, text(|product| &product.vendor_code)),
        SortBy::NmId => by(products, order, |product| Some(product.nm_id)),
        SortBy::Available => by(products, order, |product| Some(totals(product).0)),
        SortBy::Orders => by(products, order, |product| Some(totals(product).1)),
        SortBy::Turnover => by(products, order, |product| -> Option<Tenths> {
            let (available, orders) = totals(product);
            turnover(available, orders)
        }),
    }
}

fn by<K: Ord>(products: &mut Vec<&ProductRow>, order: Sort, key: impl Fn(&ProductRow) -> Option<K>) {
    let compare = |a: &Option<K>, b: &Option<K>| match (a, b) {
        (Some(a), Some(b)) if order.descending => Reverse(a).cmp(&Reverse(b)),
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let mut keyed: Vec<_> = products
        .drain(..)
        .map(|product| (key(product), product))
        .collect();
    keyed.sort_by(|(a, _), (b, _)| compare(a, b));
    products.extend(keyed.into_iter().map(|(_, product)| product));
}

/// Saturating, since rendering refuses what overflows.
fn totals(product: &ProductRow) -> (i64, i64) {
    let start = (0_i64, product.orders_without_warehouse);
    product.cells.iter().fold(start, |(units, ordered), cell| {
        let counted = if product.uncounted.contains(&cell.0) {
            0
        } else {
            cell.1
        };
        (units.saturating_add(counted), ordered.saturating_add(cell.2))
    })
}
