//! How the tenant's table looks: as it is shown, and as a change of it is read.

use application::domain::sheet::{MOST_CABINETS, MOST_DAYS, MOST_UNITS};
use events::cabinet::Marketplace;
use events::ids::CabinetId;
use events::sheet::{ExtraColumn, LowStock, SheetLayoutChanged, Sizes, Sort, SortBy};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::input::{Fields, Given, Input, shape};

/// How the table looks, in the sheet and in exports.
#[derive(Debug, Serialize, ToSchema)]
pub struct LayoutView {
    /// Language of titles, notes and instructions: `ru` or `en`.
    pub language: String,
    /// Marketplaces that are shown; empty for all.
    pub marketplaces: Vec<String>,
    /// Cabinets that are shown; empty for all.
    pub cabinets: Vec<Uuid>,
    /// Whether the sizes of a product are `summed` in one row, or `rows` of their own.
    pub sizes: String,
    /// Order of new rows and of exports.
    pub sort: SortView,
    /// Columns behind the totals.
    pub extra_columns: Vec<String>,
    /// When stock counts as low; null colours nothing.
    pub low_stock: Option<LowStockView>,
    /// Whether warehouses without stock and orders get no columns.
    pub hide_empty_warehouses: bool,
    /// Whether counts have grouped digits.
    pub number_formats: bool,
}

/// An order of products.
#[derive(Debug, Serialize, ToSchema)]
pub struct SortView {
    /// `given`, `brand`, `subject`, `vendor_code`, `nm_id`, `available`, `orders` or `turnover`.
    pub by: String,
    /// Largest first.
    pub descending: bool,
}

/// From when on stock is coloured yellow; what is out of stock is red in any case.
#[derive(Debug, Serialize, ToSchema)]
pub struct LowStockView {
    /// Fewer units than this.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub below_units: Option<i64>,
    /// Fewer days of stock than this.
    #[schema(minimum = 1, maximum = 3_650)]
    pub below_days: Option<u32>,
}

const SORTS: &[(&str, SortBy)] = &[
    ("given", SortBy::Given),
    ("brand", SortBy::Brand),
    ("subject", SortBy::Subject),
    ("vendor_code", SortBy::VendorCode),
    ("nm_id", SortBy::NmId),
    ("available", SortBy::Available),
    ("orders", SortBy::Orders),
    ("turnover", SortBy::Turnover),
];
const SIZES: &[(&str, Sizes)] = &[("summed", Sizes::Summed), ("rows", Sizes::Rows)];
const EXTRAS: [(&str, ExtraColumn); 4] = [
    ("orders_14", ExtraColumn::Orders14),
    ("orders_28", ExtraColumn::Orders28),
    ("days_of_stock", ExtraColumn::DaysOfStock),
    ("stock_out_on", ExtraColumn::StockOutOn),
];
const MARKETPLACES: [Marketplace; 2] = [Marketplace::Wildberries, Marketplace::Ozon];
const LANGUAGES: &[(&str, &str)] = &[("ru", "ru"), ("en", "en")];

fn word<T: PartialEq>(words: &[(&str, T)], value: &T) -> String {
    let found = words.iter().find(|(_, known)| known == value);
    found.map_or_else(String::new, |(word, _)| (*word).to_owned())
}

impl From<SheetLayoutChanged> for LayoutView {
    fn from(layout: SheetLayoutChanged) -> Self {
        Self {
            language: layout.language,
            marketplaces: (layout.marketplaces.iter())
                .map(|marketplace| marketplace.as_str().to_owned())
                .collect(),
            cabinets: layout.cabinets.iter().map(|cabinet| cabinet.uuid()).collect(),
            sizes: word(SIZES, &layout.sizes),
            sort: SortView {
                by: word(SORTS, &layout.sort.by),
                descending: layout.sort.descending,
            },
            extra_columns: (layout.extra_columns.iter())
                .map(|column| word(&EXTRAS, column))
                .collect(),
            low_stock: layout.low_stock.map(|low| LowStockView {
                below_units: low.below_units,
                below_days: low.below_days,
            }),
            hide_empty_warehouses: layout.hide_empty_warehouses,
            number_formats: layout.number_formats,
        }
    }
}

/// What shall be otherwise; what is left out stays.
#[derive(Debug, Clone, Default, ToSchema)]
pub struct LayoutChange {
    /// Language of titles, notes and instructions: `ru` or `en`.
    #[schema(required = false, value_type = String)]
    pub language: Option<&'static str>,
    /// Marketplaces to show; an empty list shows all.
    #[schema(required = false, value_type = Vec<String>)]
    pub marketplaces: Option<Vec<Marketplace>>,
    /// Cabinets to show, all of the caller's own; an empty list shows all.
    #[schema(required = false, value_type = Vec<Uuid>)]
    pub cabinets: Option<Vec<CabinetId>>,
    /// `summed` shows a product as one row, `rows` shows each of its sizes as well.
    #[schema(required = false, value_type = String)]
    pub sizes: Option<Sizes>,
    /// Order of new rows and of exports. Rows that stand in the sheet keep their places.
    #[schema(required = false, value_type = SortView)]
    pub sort: Option<Sort>,
    /// Columns behind the totals: `orders_14`, `orders_28`, `days_of_stock`, `stock_out_on`.
    #[schema(required = false, value_type = Vec<String>)]
    pub extra_columns: Option<Vec<ExtraColumn>>,
    /// When stock counts as low; null colours nothing.
    #[schema(required = false, value_type = Option<LowStockView>)]
    pub low_stock: Option<Option<LowStock>>,
    /// Whether warehouses without stock and orders get no columns.
    #[schema(required = false)]
    pub hide_empty_warehouses: Option<bool>,
    /// Whether counts have grouped digits.
    #[schema(required = false)]
    pub number_formats: Option<bool>,
}

impl Input for LayoutChange {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            language: fields.optional("language", shape::one_of(LANGUAGES)),
            marketplaces: fields.optional(
                "marketplaces",
                shape::list_of(0, MARKETPLACES.len(), |text| {
                    let mut known = MARKETPLACES.into_iter();
                    known.find(|marketplace| marketplace.as_str() == text)
                }),
            ),
            cabinets: fields.optional(
                "cabinets",
                shape::list_of(0, MOST_CABINETS, |text| Uuid::parse_str(text).ok().map(CabinetId)),
            ),
            sizes: fields.optional("sizes", shape::one_of(SIZES)),
            sort: fields.optional("sort", sort),
            extra_columns: fields.optional(
                "extra_columns",
                shape::list_of(0, EXTRAS.len(), |text| {
                    let mut known = EXTRAS.into_iter();
                    known.find(|(word, _)| *word == text).map(|(_, column)| column)
                }),
            ),
            low_stock: fields.nullable("low_stock", low_stock),
            hide_empty_warehouses: fields.optional("hide_empty_warehouses", shape::boolean),
            number_formats: fields.optional("number_formats", shape::boolean),
        })
    }
}

impl LayoutChange {
    /// The whole choice afterwards.
    pub fn applied_to(self, mut layout: SheetLayoutChanged) -> SheetLayoutChanged {
        fn set<T>(place: &mut T, wanted: Option<T>) {
            if let Some(wanted) = wanted {
                *place = wanted;
            }
        }
        set(&mut layout.language, self.language.map(str::to_owned));
        set(&mut layout.marketplaces, self.marketplaces);
        set(&mut layout.cabinets, self.cabinets);
        set(&mut layout.sizes, self.sizes);
        set(&mut layout.sort, self.sort);
        set(&mut layout.extra_columns, self.extra_columns);
        set(&mut layout.low_stock, self.low_stock);
        set(&mut layout.hide_empty_warehouses, self.hide_empty_warehouses);
        set(&mut layout.number_formats, self.number_formats);
        layout
    }
}

fn sort(given: Given<'_>) -> Result<Sort, String> {
    let fields = shape::object(given, &["by", "descending"])?;
    Ok(Sort {
        by: shape::part(fields, "by", shape::one_of(SORTS))?.ok_or("needs `by`")?,
        descending: shape::part(fields, "descending", shape::boolean)?.unwrap_or_default(),
    })
}

fn low_stock(given: Given<'_>) -> Result<LowStock, String> {
    let fields = shape::object(given, &["below_units", "below_days"])?;
    let below_days = shape::part(fields, "below_days", shape::integer(1, MOST_DAYS.into()))?;
    Ok(LowStock {
        below_units: shape::part(fields, "below_units", shape::integer(1, MOST_UNITS))?,
        below_days: below_days.and_then(|days| u32::try_from(days).ok()),
    })
}
