//! From the read model's rows to what the layout is given, in one place, so that the sheet, the preview and
//! the exports of a tenant cannot differ: which warehouses share a column, what the note says, and how the
//! tenant wants its table to look.
//!
//! Pure: rows that were read go in, a [`SheetInput`] and a [`View`] come out.

mod freshness;
mod view;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use read_models::inventory::queries::{SheetCell, SheetNeeds, SheetProduct, SheetRows, SheetSize};
use sheet_layout::{
    IdentityCells, Language, LayoutError, ProductFacts, ProductRow, SheetInput, SizeRow, Sizes, View,
    WarehouseColumn, size_row_key,
};
use uuid::Uuid;

pub use view::view;

/// What a table shall show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Position of the read model that it was taken from.
    pub position: i64,
    /// For the layout.
    pub input: SheetInput,
    /// All products that were ever seen, the delisted ones too: they may have rows.
    pub identities: Vec<IdentityCells<Arc<str>>>,
    /// Their sizes, if somebody asked: where a sheet tells sizes apart, these may have rows as well, whatever
    /// the view shows by now.
    pub sizes: Vec<IdentityCells<Arc<str>>>,
}

impl Source {
    /// What identifies the rows that products may have in a view, those of its sizes and of products that it
    /// does not show too.
    ///
    /// # Errors
    /// [`LayoutError`] where the input contradicts itself.
    pub fn identities_in(&self, view: &View) -> Result<Cow<'_, [IdentityCells<Arc<str>>]>, LayoutError> {
        if view.sizes == Sizes::Summed {
            return Ok(Cow::Borrowed(&self.identities));
        }
        let mut all = self.input.identities(view)?;
        let shown: HashSet<Arc<str>> = all.iter().map(|row| Arc::clone(&row.of)).collect();
        all.extend(
            self.identities
                .iter()
                .filter(|row| !shown.contains(&row.of))
                .cloned(),
        );
        Ok(Cow::Owned(all))
    }
}

/// What has to be asked for so that a view can be shown.
#[must_use]
pub fn needs(view: &View) -> SheetNeeds {
    SheetNeeds {
        outlooks: !view.extra_columns.is_empty(),
        sizes: view.sizes == Sizes::Rows,
        size_names: false,
    }
}

/// What the table shows; the note is in the given language. Without outlooks the columns that show them are
/// empty, and without sizes every product is one row; see [`needs`].
#[must_use]
pub fn source(rows: &SheetRows, language: Language) -> Source {
    let columns = Columns::of(rows);
    let identities = rows
        .products
        .iter()
        .map(|product| IdentityCells {
            of: product.product_id.to_string().into(),
            nm_id: Some(product.nm_id),
            vendor_code: product.vendor_code.as_str().into(),
            size: None,
        })
        .collect();
    let size_rows = rows
        .products
        .iter()
        .flat_map(|product| sizes_of(product, rows))
        .collect();
    let freshness = match rows.known_at {
        Some(at) => freshness::known_at(at, language),
        None => freshness::freshness(&rows.freshness, language),
    };
    // Brands, categories and cabinets repeat in thousands of rows.
    let mut texts = Texts::default();
    let listed = || rows.products.iter().filter(|product| !product.delisted);
    let products = listed()
        .map(|product| {
            let told = rows.sizes.as_ref().and_then(|all| all.get(&product.product_id));
            let sizes = told.map_or_else(Vec::new, |told| sizes(product, told, &columns, &mut texts));
            ProductRow {
                sizes,
                ..row(product, &columns, &mut texts)
            }
        })
        .collect();
    let facts = listed()
        .map(|product| {
            let key = product.product_id.to_string().into();
            (key, facts(product, rows, &mut texts))
        })
        .collect();
    Source {
        position: rows.position,
        input: SheetInput {
            products,
            warehouses: columns.list,
            freshness,
            facts,
        },
        identities,
        sizes: size_rows,
    }
}

/// What identifies the rows of a product's sizes.
fn sizes_of<'a>(
    product: &'a SheetProduct,
    rows: &'a SheetRows,
) -> impl Iterator<Item = IdentityCells<Arc<str>>> + 'a {
    let names = rows.size_names.get(&product.product_id).into_iter().flatten();
    names.map(|(id, name)| {
        let (key, id) = (product.product_id.to_string(), id.to_string());
        IdentityCells {
            of: size_row_key(&key, &id),
            nm_id: Some(product.nm_id),
            vendor_code: product.vendor_code.as_str().into(),
            size: Some(if name.is_empty() {
                id.into()
            } else {
                name.as_str().into()
            }),
        }
    })
}

fn facts(product: &SheetProduct, rows: &SheetRows, texts: &mut Texts) -> ProductFacts {
    // A product that is not among them was not ordered, and nothing is known of its pace.
    let outlook = rows
        .outlooks
        .as_ref()
        .map(|all| all.get(&product.product_id).copied().unwrap_or_default());
    ProductFacts {
        marketplace: texts.share(&product.marketplace),
        cabinet: texts.share(&product.cabinet_id.to_string()),
        orders_14: outlook.map(|outlook| outlook.orders.last_14),
        orders_28: outlook.map(|outlook| outlook.orders.last_28),
        days_of_stock: outlook.and_then(|outlook| outlook.days_of_stock(product.available)),
        stock_out_on: outlook.and_then(|outlook| outlook.stock_out_on(product.available)),
    }
}

/// Orders that name no warehouse have a key that ends like this; see the worker's `compose`.
const NAMELESS: &str = ":name:";
/// Keys of this marketplace stand in sheets as they are.
const FIRST_MARKETPLACE: &str = "wildberries";

/// Keys are unique inside a marketplace, so two cabinets of it share the columns of a warehouse.
struct Columns {
    list: Vec<WarehouseColumn>,
    index: HashMap<Uuid, HashMap<String, usize>>,
}

impl Columns {
    fn of(rows: &SheetRows) -> Self {
        let marketplaces: HashMap<Uuid, &str> = rows
            .products
            .iter()
            .map(|product| (product.cabinet_id, product.marketplace.as_str()))
            .collect();
        let mut list: Vec<WarehouseColumn> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut index: HashMap<Uuid, HashMap<String, usize>> = HashMap::new();
        for warehouse in &rows.warehouses {
            if warehouse.warehouse.ends_with(NAMELESS) && !warehouse.in_stock {
                continue;
            }
            let marketplace = marketplaces.get(&warehouse.cabinet_id).copied();
            let key = match marketplace.unwrap_or(FIRST_MARKETPLACE) {
                FIRST_MARKETPLACE => warehouse.warehouse.clone(),
                other => format!("{other}:{}", warehouse.warehouse),
            };
            let place = *places.entry(key).or_insert_with_key(|key| {
                list.push(WarehouseColumn {
                    key: key.as_str().into(),
                    name: warehouse.name.as_str().into(),
                });
                list.len() - 1
            });
            index
                .entry(warehouse.cabinet_id)
                .or_default()
                .insert(warehouse.warehouse.clone(), place);
        }
        tell_apart(&mut list);
        Self { list, index }
    }

    /// Cells in their columns, and the orders of those that have none.
    fn cells(&self, product: &SheetProduct, told: &[SheetCell]) -> (Vec<(usize, i64, i64)>, i64) {
        let places = self.index.get(&product.cabinet_id);
        let mut cells = Vec::with_capacity(told.len());
        let mut without_column = 0_i64;
        for cell in told {
            match places.and_then(|places| places.get(&cell.warehouse)) {
                Some(place) => cells.push((*place, cell.available, cell.orders_last_7)),
                None => without_column = without_column.saturating_add(cell.orders_last_7),
            }
        }
        (cells, without_column)
    }
}

/// Marketplaces have warehouses in the same towns: one that is called like another one of the first
/// marketplace says whose it is, or two groups of columns would carry one title.
fn tell_apart(list: &mut [WarehouseColumn]) {
    const OZON: &str = "ozon:";
    let names: HashSet<Arc<str>> = list
        .iter()
        .filter(|warehouse| !warehouse.key.starts_with(OZON))
        .map(|warehouse| Arc::clone(&warehouse.name))
        .collect();
    for warehouse in list
        .iter_mut()
        .filter(|warehouse| warehouse.key.starts_with(OZON))
    {
        if names.contains(&warehouse.name) {
            warehouse.name = format!("{} (Ozon)", warehouse.name).into();
        }
    }
}

#[derive(Default)]
struct Texts(HashMap<String, Arc<str>>);

impl Texts {
    fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = text.into();
        self.0.insert(text.to_owned(), Arc::clone(&shared));
        shared
    }
}

fn row(product: &SheetProduct, columns: &Columns, texts: &mut Texts) -> ProductRow {
    let (cells, orders_without_warehouse) = columns.cells(product, &product.cells);
    ProductRow {
        key: product.product_id.to_string().into(),
        brand: texts.share(&product.brand),
        subject: texts.share(&product.subject),
        vendor_code: product.vendor_code.as_str().into(),
        nm_id: product.nm_id,
        in_way_to_client: product.in_way_to_client,
        in_way_from_client: product.in_way_from_client,
        cells,
        orders_without_warehouse,
        ..ProductRow::default()
    }
}

fn sizes(product: &SheetProduct, told: &[SheetSize], columns: &Columns, texts: &mut Texts) -> Vec<SizeRow> {
    told.iter()
        .map(|size| {
            let (cells, orders_without_warehouse) = columns.cells(product, &size.cells);
            SizeRow {
                id: size.size_id.to_string().into(),
                name: texts.share(&size.name),
                cells,
                orders_without_warehouse,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{WarehouseColumn, tell_apart};

    #[test]
    fn a_warehouse_of_ozon_says_so_where_another_marketplace_uses_its_name() {
        let column = |key: &str, name: &str| WarehouseColumn {
            key: key.into(),
            name: name.into(),
        };
        let mut list = vec![
            column("fbo:117986", "Казань"),
            column("ozon:fbo:16", "Казань"),
            column("ozon:fbo:1", "Хоругвино"),
        ];
        tell_apart(&mut list);
        let names: Vec<&str> = list.iter().map(|warehouse| &*warehouse.name).collect();
        assert_eq!(names, ["Казань", "Казань (Ozon)", "Хоругвино"]);
    }
}
