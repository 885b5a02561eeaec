//! The managed columns: their stable names (written as developer metadata), titles and widths, in one table
//! so that writer, reader and tests cannot disagree. Titles and widths are those sellers know from the
//! original layout.

use std::fmt;
use std::sync::Arc;

/// Developer metadata key on every managed column; the value is a [`ColumnKey`].
pub const COLUMN_METADATA_KEY: &str = "st:col";

/// A column every sheet has, in the order of the first write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BaseField {
    /// The product's brand.
    Brand,
    /// The product's category.
    Subject,
    /// The seller's own article.
    VendorCode,
    /// The marketplace's article; identifies the row.
    NmId,
    /// Units on their way to buyers.
    InWayToClient,
    /// Units on their way back to the warehouse.
    InWayFromClient,
    /// Orders of the last seven days over all warehouses.
    OrdersTotal,
    /// Units available over all warehouses.
    AvailableTotal,
    /// Days of stock over all warehouses.
    Turnover,
}

impl BaseField {
    /// All, in the order of the first write.
    pub const ALL: [Self; 9] = [
        Self::Brand,
        Self::Subject,
        Self::VendorCode,
        Self::NmId,
        Self::InWayToClient,
        Self::InWayFromClient,
        Self::OrdersTotal,
        Self::AvailableTotal,
        Self::Turnover,
    ];

    /// Name in the metadata, title in row 2, width in pixels.
    const fn facts(self) -> (&'static str, &'static str, u32) {
        match self {
            Self::Brand => ("brand", "Бренд", 150),
            Self::Subject => ("subject", "Предмет", 200),
            Self::VendorCode => ("vendor_code", "Артикул продавца", 180),
            Self::NmId => ("nm_id", "Артикул товара (nmid)", 150),
            Self::InWayToClient => ("in_way_to_client", "В пути до покупателя", 120),
            Self::InWayFromClient => ("in_way_from_client", "В пути конв. на склад WB", 120),
            Self::OrdersTotal => ("orders_total", "Заказы (всего)", 120),
            Self::AvailableTotal => ("available_total", "Остатки (всего)", 120),
            Self::Turnover => ("turnover", "Оборачиваемость (дни)", 120),
        }
    }

    const fn is_identity(self) -> bool {
        matches!(self, Self::Brand | Self::Subject | Self::VendorCode | Self::NmId)
    }
}

/// One of the three columns of a warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarehouseField {
    /// Units available.
    Stock,
    /// Orders of the last seven days.
    Orders,
    /// Days of stock.
    Turnover,
}

impl WarehouseField {
    /// All, in the order of the first write.
    pub const ALL: [Self; 3] = [Self::Stock, Self::Orders, Self::Turnover];

    const fn facts(self) -> (&'static str, &'static str) {
        match self {
            Self::Stock => ("stock", "Остатки"),
            Self::Orders => ("orders", "Заказы"),
            Self::Turnover => ("turnover", "Оборач."),
        }
    }
}

/// Which managed column it is. Its text form is the metadata value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnKey {
    /// `base:<field>`.
    Base(BaseField),
    /// `wh:<warehouse key>:<field>`; the warehouse key may itself contain colons.
    Warehouse(Arc<str>, WarehouseField),
}

/// The columns that share a merged title in row 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Group {
    /// `Основная информация`.
    Identity,
    /// `Общие метрики`.
    Metrics,
    /// One warehouse, by key.
    Warehouse(Arc<str>),
}

impl ColumnKey {
    /// Reads a metadata value; `None` for a value that this layout does not manage.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        if let Some(name) = value.strip_prefix("base:") {
            return BaseField::ALL
                .into_iter()
                .find(|field| field.facts().0 == name)
                .map(Self::Base);
        }
        let (warehouse, name) = value.strip_prefix("wh:")?.rsplit_once(':')?;
        let field = WarehouseField::ALL
            .into_iter()
            .find(|field| field.facts().0 == name)?;
        Some(Self::Warehouse(warehouse.into(), field))
    }

    /// The group whose title stands above this column.
    #[must_use]
    pub fn group(&self) -> Group {
        match self {
            Self::Base(field) if field.is_identity() => Group::Identity,
            Self::Base(_) => Group::Metrics,
            Self::Warehouse(key, _) => Group::Warehouse(Arc::clone(key)),
        }
    }

    /// The column's title in row 2.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Base(field) => field.facts().1,
            Self::Warehouse(_, field) => field.facts().1,
        }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        match self {
            Self::Base(field) => field.facts().2,
            Self::Warehouse(..) => 90,
        }
    }

    /// Whether the column says what the product is (left-aligned) instead of counting it (centred).
    #[must_use]
    pub const fn is_identity(&self) -> bool {
        matches!(self, Self::Base(field) if field.is_identity())
    }
}

impl fmt::Display for ColumnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base(field) => write!(f, "base:{}", field.facts().0),
            Self::Warehouse(key, field) => write!(f, "wh:{key}:{}", field.facts().0),
        }
    }
}

impl Group {
    /// The fixed title; a warehouse's title is its name, which only the input knows.
    #[must_use]
    pub const fn fixed_title(&self) -> Option<&'static str> {
        match self {
            Self::Identity => Some("Основная информация"),
            Self::Metrics => Some("Общие метрики"),
            Self::Warehouse(_) => None,
        }
    }
}
