//! The tenant's spreadsheet: which one, and how it shall look.

use serde::{Deserialize, Serialize};

use crate::cabinet::Marketplace;
use crate::ids::{CabinetId, CredentialId};

/// A spreadsheet was linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetLinked {
    /// Google's id of the spreadsheet.
    pub spreadsheet_id: String,
    /// Title of the managed worksheet.
    pub worksheet: String,
    /// The tenant's own service account in the vault; none when the service's own is used.
    pub credential_id: Option<CredentialId>,
}

/// The spreadsheet was unlinked; what was written stays in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetUnlinked {}

/// The spreadsheet cannot be written until somebody does something about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetBlocked {
    /// Code of the reason, as the API shows it.
    pub reason: String,
}

/// The spreadsheet can be written again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetUnblocked {}

/// The tenant wants its table to look otherwise, in the sheet and in exports. The whole choice, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetLayoutChanged {
    /// Language of the titles, `ru` or `en`.
    pub language: String,
    /// Marketplaces that are shown; empty for all.
    pub marketplaces: Vec<Marketplace>,
    /// Cabinets that are shown; empty for all.
    pub cabinets: Vec<CabinetId>,
    /// Whether a product is one row or one row per size.
    pub sizes: Sizes,
    /// Order of new rows and of exports.
    pub sort: Sort,
    /// Columns behind the totals.
    pub extra_columns: Vec<ExtraColumn>,
    /// Colours low stock; none colours nothing.
    pub low_stock: Option<LowStock>,
    /// Warehouses without stock and orders get no columns.
    pub hide_empty_warehouses: bool,
    /// Counts with grouped digits.
    pub number_formats: bool,
}

impl Default for SheetLayoutChanged {
    fn default() -> Self {
        Self {
            language: "ru".to_owned(),
            marketplaces: Vec::new(),
            cabinets: Vec::new(),
            sizes: Sizes::default(),
            sort: Sort::default(),
            extra_columns: Vec::new(),
            low_stock: None,
            hide_empty_warehouses: false,
            number_formats: false,
        }
    }
}

/// What becomes of a product's sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Sizes {
    /// One row per product.
    #[default]
    Summed,
    /// One row per size.
    Rows,
}

/// An order of products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Largest first.
    pub descending: bool,
}

/// What products are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SortBy {
    /// As they were first seen.
    #[default]
    Given,
    /// Brand.
    Brand,
    /// Category.
    Subject,
    /// The seller's article.
    VendorCode,
    /// The marketplace's article.
    NmId,
    /// Units available.
    Available,
    /// Orders of the last seven days.
    Orders,
    /// Days of stock.
    Turnover,
}

/// A column behind the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ExtraColumn {
    /// Orders of the last 14 days.
    #[serde(rename = "orders_14")]
    Orders14,
    /// Orders of the last 28 days.
    #[serde(rename = "orders_28")]
    Orders28,
    /// Days that the stock is expected to last.
    #[serde(rename = "days_of_stock")]
    DaysOfStock,
    /// The day on which it is expected to end.
    #[serde(rename = "stock_out_on")]
    StockOutOn,
}

/// From when on stock is low. What is out of stock is coloured in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LowStock {
    /// Fewer units than this.
    pub below_units: Option<i64>,
    /// Fewer days of stock than this.
    pub below_days: Option<u32>,
}
