//! From the read model's rows to what the layout is given, in one place, so that the sheet, the preview and
//! the exports of a tenant cannot differ: which warehouses share a column, what the note says, and how the
//! tenant wants its table to look.
//!
//! Pure: rows that were read go in, a [`SheetInput`] and a [`View`] come out.

mod columns;
mod freshness;
mod held;
mod left_out;
mod view;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use read_models::inventory::queries::{SheetNeeds, SheetProduct, SheetRows, SheetSize};
use sheet_layout::{
    Freshness, IdentityCells, Language, LayoutError, ProductFacts, ProductRow, SheetInput, SizeRow, Sizes,
    View, size_row_key,
};

use columns::Columns;
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
    let columns = Columns::of(rows, language);
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
        None => freshness::freshness(rows, language),
    };
    let freshness = Freshness {
        sources: freshness
            .sources
            .into_iter()
            .chain(columns.left_out(language))
            .chain(columns.remark(language))
            .collect(),
        ..freshness
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
    // A window of which days are missing is empty, not smaller.
    let known = rows.known_orders.windows(product.cabinet_id, rows.today);
    ProductFacts {
        marketplace: texts.share(&product.marketplace),
        cabinet: texts.share(&product.cabinet_id.to_string()),
        orders_14: outlook
            .filter(|_| known.last_14)
            .map(|outlook| outlook.orders.last_14),
        orders_28: outlook
            .filter(|_| known.last_28)
            .map(|outlook| outlook.orders.last_28),
        days_of_stock: outlook.and_then(|outlook| outlook.days_of_stock(product.available)),
        stock_out_on: outlook.and_then(|outlook| outlook.stock_out_on(product.available)),
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
        uncounted: columns.uncounted(product),
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
