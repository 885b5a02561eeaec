//! The managed columns: their stable names (written as developer metadata), titles and widths, in one table
//! so that writer, reader and tests cannot disagree. Titles and widths are those sellers know from the
//! original layout.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::request::NumberFormat;
use crate::view::Language;

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

    /// Name in the metadata, Russian and English title in row 2, width in pixels.
    const fn facts(self) -> (&'static str, &'static str, &'static str, u32) {
        match self {
            Self::Brand => ("brand", "Бренд", "Brand", 150),
            Self::Subject => ("subject", "Предмет", "Category", 200),
            Self::VendorCode => ("vendor_code", "Артикул продавца", "Seller's article", 180),
            Self::NmId => ("nm_id", "Артикул товара (nmid)", "Product article (nmid)", 150),
            Self::InWayToClient => (
                "in_way_to_client",
                "В пути до покупателя",
                "On the way to buyers",
                120,
            ),
            Self::InWayFromClient => (
                "in_way_from_client",
                "В пути конв. на склад WB",
                "On the way back to WB warehouses",
                120,
            ),
            Self::OrdersTotal => ("orders_total", "Заказы (всего)", "Orders (total)", 120),
            Self::AvailableTotal => ("available_total", "Остатки (всего)", "Stock (total)", 120),
            Self::Turnover => ("turnover", "Оборачиваемость (дни)", "Turnover (days)", 120),
        }
    }

    const fn is_identity(self) -> bool {
        matches!(self, Self::Brand | Self::Subject | Self::VendorCode | Self::NmId)
    }
}

/// A column that a tenant may choose, behind the totals. Its numbers are [`crate::ProductFacts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtraField {
    /// Orders of the last 14 days.
    Orders14,
    /// Orders of the last 28 days.
    Orders28,
    /// Days that the stock is expected to last.
    DaysOfStock,
    /// The day on which it is expected to end.
    StockOutOn,
}

impl ExtraField {
    /// All, in the order in which they appear.
    pub const ALL: [Self; 4] = [
        Self::Orders14,
        Self::Orders28,
        Self::DaysOfStock,
        Self::StockOutOn,
    ];
    const WIDTH: u32 = 120;

    /// Name in the metadata, Russian and English title.
    const fn facts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Orders14 => ("orders_14", "Заказы за 14 дней", "Orders in 14 days"),
            Self::Orders28 => ("orders_28", "Заказы за 28 дней", "Orders in 28 days"),
            Self::DaysOfStock => ("days_of_stock", "Запас (дни)", "Days of stock"),
            Self::StockOutOn => ("stock_out_on", "Закончится", "Runs out on"),
        }
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

    const fn facts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Stock => ("stock", "Остатки", "Stock"),
            Self::Orders => ("orders", "Заказы", "Orders"),
            Self::Turnover => ("turnover", "Оборач.", "Turnover"),
        }
    }

    /// In the metadata.
    const fn letter(self) -> &'static str {
        match self {
            Self::Stock => "s",
            Self::Orders => "o",
            Self::Turnover => "t",
        }
    }
}

/// Name of the size column in the metadata, and its width in pixels.
const SIZE_NAME: &str = "base:size";
const SIZE_WIDTH: u32 = 100;

/// Characters of keys and values together that Google keeps of all names on a worksheet's rows and columns
/// (guide to developer metadata, "Metadata storage limits").
pub const NAMES_BUDGET: usize = 30_000;
/// Names that one batch gives. Four of six batches with 500 were refused live, for a reason that is not
/// known.
pub const NAMES_A_BATCH: usize = 200;

/// Letters of a warehouse's code.
const CODE: usize = 8;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A warehouse's key in eight letters: keys hold names of any length, and there is room for 30,000 characters
/// of names in a worksheet. With 48 bits, two of 1,000 warehouses meet once in 500 million sheets.
pub(crate) fn warehouse_code(key: &str) -> Arc<str> {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The last letters of a text hardly reach the upper bits of FNV-1a; this spreads them (splitmix64).
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let mixed = mixed ^ (mixed >> 31);
    let letter = |place: usize| {
        let six = usize::try_from((mixed >> (6 * place)) & 63).unwrap_or_default();
        LETTERS.get(six).copied().map_or('A', char::from)
    };
    (0..CODE).map(letter).collect::<String>().into()
}

/// Which managed column it is. Its text form is the metadata value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnKey {
    /// `base:<field>`.
    Base(BaseField),
    /// `base:size`: which size the row is, in a view that shows sizes as rows.
    Size,
    /// `extra:<field>`.
    Extra(ExtraField),
    /// `<code of the warehouse><letter of the field>`, see [`ColumnKey::warehouse`]. Sheets that were written
    /// earlier have `wh:<warehouse key>:<field>`, which means the same.
    Warehouse(Arc<str>, WarehouseField),
}

/// What a column's cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    Text,
    /// An article number: a number that nobody adds up.
    Article,
    /// A count: a whole number.
    Count,
    /// Days with one decimal.
    Days,
    /// A day, as the number that spreadsheets hold for it ([`crate::Cell::day`]).
    Date,
}

/// The columns that share a merged title in row 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Group {
    /// `Основная информация`.
    Identity,
    /// `Общие метрики`.
    Metrics,
    /// One warehouse, by code.
    Warehouse(Arc<str>),
}

impl ColumnKey {
    /// The column of a warehouse.
    #[must_use]
    pub fn warehouse(key: &str, field: WarehouseField) -> Self {
        Self::Warehouse(warehouse_code(key), field)
    }

    /// A name as it is given now, for one that may have been given earlier; what this layout does not manage
    /// stays.
    #[must_use]
    pub fn renewed(name: &Arc<str>) -> Arc<str> {
        match Self::parse(name) {
            Some(key @ Self::Warehouse(..)) => key.to_string().into(),
            _ => Arc::clone(name),
        }
    }

    /// Reads a metadata value; `None` for a value that this layout does not manage.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        if value == SIZE_NAME {
            return Some(Self::Size);
        }
        if let Some(name) = value.strip_prefix("base:") {
            return BaseField::ALL
                .into_iter()
                .find(|field| field.facts().0 == name)
                .map(Self::Base);
        }
        if let Some(name) = value.strip_prefix("extra:") {
            return ExtraField::ALL
                .into_iter()
                .find(|field| field.facts().0 == name)
                .map(Self::Extra);
        }
        let Some(long) = value.strip_prefix("wh:") else {
            let (code, letter) = value.split_at_checked(CODE)?;
            let field = WarehouseField::ALL
                .into_iter()
                .find(|field| field.letter() == letter)?;
            let is_code = code.bytes().all(|byte| LETTERS.contains(&byte));
            return is_code.then(|| Self::Warehouse(code.into(), field));
        };
        let (warehouse, name) = long.rsplit_once(':')?;
        let field = WarehouseField::ALL
            .into_iter()
            .find(|field| field.facts().0 == name)?;
        Some(Self::warehouse(warehouse, field))
    }

    /// The group whose title stands above this column.
    #[must_use]
    pub fn group(&self) -> Group {
        match self {
            Self::Base(field) if field.is_identity() => Group::Identity,
            Self::Size => Group::Identity,
            Self::Base(_) | Self::Extra(_) => Group::Metrics,
            Self::Warehouse(key, _) => Group::Warehouse(Arc::clone(key)),
        }
    }

    /// The column's title in row 2.
    #[must_use]
    pub const fn title(&self, language: Language) -> &'static str {
        let (russian, english) = match self {
            Self::Base(field) => (field.facts().1, field.facts().2),
            Self::Size => ("Размер", "Size"),
            Self::Extra(field) => (field.facts().1, field.facts().2),
            Self::Warehouse(_, field) => (field.facts().1, field.facts().2),
        };
        language.pick(russian, english)
    }

    /// What its cells are.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Base(BaseField::Brand | BaseField::Subject | BaseField::VendorCode) | Self::Size => {
                Kind::Text
            }
            Self::Base(BaseField::NmId) => Kind::Article,
            Self::Base(BaseField::Turnover)
            | Self::Extra(ExtraField::DaysOfStock)
            | Self::Warehouse(_, WarehouseField::Turnover) => Kind::Days,
            Self::Extra(ExtraField::StockOutOn) => Kind::Date,
            Self::Base(_) | Self::Extra(_) | Self::Warehouse(..) => Kind::Count,
        }
    }

    /// The column's number format. A day always has one, since it is unreadable without.
    pub(crate) const fn number_format(&self, language: Language, chosen: bool) -> Option<NumberFormat> {
        match self.kind() {
            Kind::Date => Some(NumberFormat {
                kind: "DATE",
                pattern: language.pick("dd.mm.yyyy", "yyyy-mm-dd"),
            }),
            Kind::Count if chosen => Some(NumberFormat::number("#,##0")),
            Kind::Days if chosen => Some(NumberFormat::number("0.0")),
            Kind::Article if chosen => Some(NumberFormat::number("0")),
            Kind::Text | Kind::Article | Kind::Count | Kind::Days => None,
        }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        match self {
            Self::Base(field) => field.facts().3,
            Self::Size => SIZE_WIDTH,
            Self::Extra(_) => ExtraField::WIDTH,
            Self::Warehouse(..) => 90,
        }
    }

    /// Whether the column says what the product is (left-aligned) instead of counting it (centred).
    #[must_use]
    pub const fn is_identity(&self) -> bool {
        match self {
            Self::Base(field) => field.is_identity(),
            Self::Size => true,
            Self::Extra(_) | Self::Warehouse(..) => false,
        }
    }
}

impl fmt::Display for ColumnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base(field) => write!(f, "base:{}", field.facts().0),
            Self::Size => f.write_str(SIZE_NAME),
            Self::Extra(field) => write!(f, "extra:{}", field.facts().0),
            Self::Warehouse(code, field) => write!(f, "{code}{}", field.letter()),
        }
    }
}

impl Group {
    /// The fixed title; a warehouse's title is its name, which only the input knows.
    #[must_use]
    pub const fn fixed_title(&self, language: Language) -> Option<&'static str> {
        match self {
            Self::Identity => Some(language.pick("Основная информация", "Product")),
            Self::Metrics => Some(language.pick("Общие метрики", "Totals")),
            Self::Warehouse(_) => None,
        }
    }
}
