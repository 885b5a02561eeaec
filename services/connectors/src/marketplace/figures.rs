//! What a marketplace tells of stock beyond the units for sale: units of other kinds, and its own figures of
//! turnover, which are kept beside ours and never in place of them.

/// A kind of units that belong to a warehouse, are not for sale and not on the road to or from buyers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// Ordered and not yet shipped.
    Reserved,
    /// Being prepared for sale.
    Preparing,
    /// In applications for a supply.
    Requested,
    /// On the way with a supply.
    SupplyTransit,
    /// Being taken in, or moved between warehouses.
    Replenishment,
    /// Being checked.
    InCheck,
    /// Left over from a supply, to be fetched.
    Excess,
    /// About to pass their date.
    Expiring,
    /// Defective on arrival, to be fetched.
    SupplyDefective,
    /// Defective from stock, to be fetched.
    StockDefective,
    /// To be marked, waiting for the seller.
    WaitingForMarking,
    /// To be marked, waiting to be fetched.
    WaitingForExport,
    /// Asked back by the seller.
    ReturnRequested,
    /// Going back to the seller: being picked.
    ReturnPicking,
    /// Going back to the seller: ready to leave.
    ReturnReady,
    /// Going back to the seller: on the way.
    ReturnLeft,
    /// Taken off sale.
    NotSold,
}

impl Bucket {
    /// Stable word for events and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Preparing => "preparing",
            Self::Requested => "requested",
            Self::SupplyTransit => "supply_transit",
            Self::Replenishment => "replenishment",
            Self::InCheck => "in_check",
            Self::Excess => "excess",
            Self::Expiring => "expiring",
            Self::SupplyDefective => "supply_defective",
            Self::StockDefective => "stock_defective",
            Self::WaitingForMarking => "waiting_for_marking",
            Self::WaitingForExport => "waiting_for_export",
            Self::ReturnRequested => "return_requested",
            Self::ReturnPicking => "return_picking",
            Self::ReturnReady => "return_ready",
            Self::ReturnLeft => "return_left",
            Self::NotSold => "not_sold",
        }
    }
}

/// Units of a product in one bucket of one warehouse; twelve bytes, because a large seller has millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketUnits {
    /// Index into [`StockSnapshot::warehouses`](super::StockSnapshot::warehouses).
    pub warehouse: u32,
    /// How many; never zero. Several entries of one bucket at one warehouse add up.
    pub units: i32,
    /// Which kind.
    pub bucket: Bucket,
}

/// Units for sale of one size of a product at one warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeUnits {
    /// Index into [`StockSnapshot::warehouses`](super::StockSnapshot::warehouses).
    pub warehouse: u32,
    /// Index into [`StockSnapshot::sizes`](super::StockSnapshot::sizes).
    pub size: u32,
    /// How many; never zero. Several entries of one size at one warehouse add up.
    pub units: i32,
}

/// A size as a stock report names it: by its id, or only by its name, which is unique within an article.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SizeLabel {
    /// The marketplace's id (`chrtId`).
    Id(u64),
    /// The seller's name of the size.
    Name(String),
}

/// How the marketplace grades the turnover of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the vendor's words")]
pub enum Grade {
    Deficit,
    Popular,
    Actual,
    Surplus,
    NoSales,
    WasNoSales,
    RestrictedNoSales,
    CollectingData,
    WaitingForSupply,
    WasDeficit,
    WasPopular,
    WasActual,
    WasSurplus,
    /// A word that did not exist when this was written.
    Other,
}

impl Grade {
    /// Stable word for events and columns.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deficit => "deficit",
            Self::Popular => "popular",
            Self::Actual => "actual",
            Self::Surplus => "surplus",
            Self::NoSales => "no_sales",
            Self::WasNoSales => "was_no_sales",
            Self::RestrictedNoSales => "restricted_no_sales",
            Self::CollectingData => "collecting_data",
            Self::WaitingForSupply => "waiting_for_supply",
            Self::WasDeficit => "was_deficit",
            Self::WasPopular => "was_popular",
            Self::WasActual => "was_actual",
            Self::WasSurplus => "was_surplus",
            Self::Other => "other",
        }
    }
}

/// Turnover over the last 28 days as the marketplace counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turnover {
    /// Average sales per day, in thousandths of a unit.
    pub daily_sales_milli: Option<u32>,
    /// Days that the stock lasts at that rate, in thousandths of a day.
    pub days_of_stock_milli: Option<u32>,
    /// Days since the last sale.
    pub days_without_sales: Option<u32>,
    /// The grade.
    pub grade: Option<Grade>,
}

/// A region of warehouses that the marketplace counts as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The marketplace's id.
    pub id: i64,
    /// Name as the source gives it.
    pub name: String,
}

/// One product's turnover, in one cluster or in all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnoverFigures {
    /// The marketplace's article.
    pub nm_id: i64,
    /// Index into [`StockSnapshot::clusters`](super::StockSnapshot::clusters); none for all together.
    pub cluster: Option<u32>,
    /// The figures.
    pub turnover: Turnover,
}
