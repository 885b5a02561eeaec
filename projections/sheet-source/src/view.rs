//! The tenant's choice as its event tells it, in the layout's words.

use events::sheet::{ExtraColumn, SheetLayoutChanged, Sizes as ChosenSizes, SortBy as Chosen};
use sheet_layout::{ExtraField, Language, LowStock, Sizes, Sort, SortBy, View};

/// How the table looks.
#[must_use]
pub fn view(chosen: &SheetLayoutChanged) -> View {
    View {
        language: match chosen.language.as_str() {
            "en" => Language::English,
            _ => Language::Russian,
        },
        marketplaces: (chosen.marketplaces.iter())
            .map(|marketplace| marketplace.as_str().into())
            .collect(),
        cabinets: (chosen.cabinets.iter())
            .map(|cabinet| cabinet.uuid().to_string().into())
            .collect(),
        sizes: match chosen.sizes {
            ChosenSizes::Summed => Sizes::Summed,
            ChosenSizes::Rows => Sizes::Rows,
        },
        sort: Sort {
            by: sort_by(chosen.sort.by),
            descending: chosen.sort.descending,
        },
        extra_columns: chosen.extra_columns.iter().copied().map(extra).collect(),
        low_stock: chosen.low_stock.map(|low| LowStock {
            below_units: low.below_units,
            below_days: low.below_days,
        }),
        hide_empty_warehouses: chosen.hide_empty_warehouses,
        number_formats: chosen.number_formats,
    }
}

const fn sort_by(chosen: Chosen) -> SortBy {
    match chosen {
        Chosen::Given => SortBy::Given,
        Chosen::Brand => SortBy::Brand,
        Chosen::Subject => SortBy::Subject,
        Chosen::VendorCode => SortBy::VendorCode,
        Chosen::NmId => SortBy::NmId,
        Chosen::Available => SortBy::Available,
        Chosen::Orders => SortBy::Orders,
        Chosen::Turnover => SortBy::Turnover,
    }
}

const fn extra(chosen: ExtraColumn) -> ExtraField {
    match chosen {
        ExtraColumn::Orders14 => ExtraField::Orders14,
        ExtraColumn::Orders28 => ExtraField::Orders28,
        ExtraColumn::DaysOfStock => ExtraField::DaysOfStock,
        ExtraColumn::StockOutOn => ExtraField::StockOutOn,
    }
}
