//! What a tenant may choose about its table. Everything defaults to the layout sellers know; the sheet and
//! the exports read the same choice, so they cannot look different.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::column::ExtraField;

/// A tenant's choice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct View {
    /// Of titles and notes.
    pub language: Language,
    /// Marketplaces whose products are shown, by [`crate::ProductFacts::marketplace`]; empty for all. Rows
    /// that the sheet has already of other products are treated as those of delisted ones.
    pub marketplaces: BTreeSet<Arc<str>>,
    /// Cabinets whose products are shown, by [`crate::ProductFacts::cabinet`]; empty for all.
    pub cabinets: BTreeSet<Arc<str>>,
    /// One row per product, or one per size. A row of a size that is summed again is treated as that of a
    /// delisted product.
    pub sizes: Sizes,
    /// Order of products in exports, in a first write and among products added together. A row that is in the
    /// sheet is never moved: the seller's notes and formulas hang on it.
    pub sort: Sort,
    /// Columns behind the totals. One that is no longer chosen stays until the seller deletes it, since
    /// formulas may read it.
    pub extra_columns: BTreeSet<ExtraField>,
    /// Colours totals that are low; none colours nothing.
    pub low_stock: Option<LowStock>,
    /// A warehouse without any stock and orders gets no columns. Columns that the sheet has already stay.
    pub hide_empty_warehouses: bool,
    /// Counts with grouped digits and days with one decimal, always; otherwise as the program shows bare
    /// numbers.
    pub number_formats: bool,
}

/// How a product with several sizes is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sizes {
    /// One row with all sizes together.
    #[default]
    Summed,
    /// A row for each size, and one for what no size was told of.
    Rows,
}

/// Of titles and notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Russian.
    #[default]
    Russian,
    /// English.
    English,
}

impl Language {
    pub(crate) const fn pick(self, russian: &'static str, english: &'static str) -> &'static str {
        match self {
            Self::Russian => russian,
            Self::English => english,
        }
    }
}

/// An order of products; what is equal stays in the given order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Largest first. What is empty comes last in both directions.
    pub descending: bool,
}

/// What products are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// As they come in.
    #[default]
    Given,
    /// Brand, without regard to case.
    Brand,
    /// Category, without regard to case.
    Subject,
    /// The seller's article, without regard to case.
    VendorCode,
    /// The marketplace's article.
    NmId,
    /// Units available over all warehouses.
    Available,
    /// Orders of the last seven days.
    Orders,
    /// Days of stock; ascending shows first what runs out first.
    Turnover,
}

/// From when on stock counts as low. Nothing available is out of stock, whatever the thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LowStock {
    /// Low with fewer units than this over all warehouses.
    pub below_units: Option<i64>,
    /// Low with a turnover of fewer days than this.
    pub below_days: Option<u32>,
}

/// How a product's stock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Not coloured.
    #[default]
    Enough,
    /// Yellow.
    Low,
    /// Red.
    Out,
}

impl LowStock {
    /// The level that a listed product's totals show.
    #[must_use]
    pub fn level(self, available: &Cell, turnover: &Cell) -> Level {
        let Cell::Int(units) = available else {
            return Level::Enough;
        };
        let few = self.below_units.is_some_and(|limit| *units < limit);
        let soon = match (turnover, self.below_days) {
            (Cell::Tenths(days), Some(limit)) => *days < i64::from(limit) * 10,
            _ => false,
        };
        match *units {
            ..=0 => Level::Out,
            _ if few || soon => Level::Low,
            _ => Level::Enough,
        }
    }
}

/// The part of a view that stands in the sheet without being a cell's value, remembered to see it change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Look {
    pub(crate) language: Language,
    pub(crate) low_stock: Option<LowStock>,
    pub(crate) number_formats: bool,
}

impl View {
    pub(crate) const fn look(&self) -> Look {
        Look {
            language: self.language,
            low_stock: self.low_stock,
            number_formats: self.number_formats,
        }
    }
}
