//! Questions about products, stock and orders. Each runs in a tenant's transaction and sees that tenant only:
//! by row security, and by name in every statement, so that a role with wider sight gets no wider answer.

mod history;
mod products;
mod sheet;
mod totals;
mod warehouses;

pub use history::{Change, HistoryQuery, history};
pub use products::{
    Cursor, Level, OrderCounts, ProductDetail, ProductPage, ProductQuery, ProductSummary, Sort, product,
    products,
};
pub use sheet::{SheetCell, SheetProduct, SheetRows, sheet_rows};
pub use totals::{Distribution, Totals, distribution, totals};
pub use warehouses::{Freshness, Warehouse, WarehouseTotal, freshness, warehouse_totals, warehouses};

/// Below this many units stock counts as low, unless the caller says otherwise.
pub const LOW_STOCK: i64 = 10;

/// The only tenant a statement may see.
const MINE: &str = "(SELECT core.current_tenant())";
