//! Questions about products, stock and orders. Each runs in a tenant's transaction and sees that tenant only:
//! by row security, and by name in every statement, so that a role with wider sight gets no wider answer.

mod history;
mod known_at;
mod outlook;
mod product;
mod products;
mod sheet;
mod sizes;
mod totals;
mod warehouses;

pub use history::{Change, HistoryQuery, history};
pub use outlook::{OrderCounts, Outlook, Paces, outlooks};
pub use product::{Level, ProductDetail, product};
pub use products::{Cursor, ProductPage, ProductQuery, ProductSummary, Sort, products};
pub use sheet::{SheetCell, SheetNeeds, SheetProduct, SheetRows, sheet, sheet_rows, sheet_rows_known_at};
pub use sizes::SheetSize;
pub use totals::{Distribution, Totals, distribution, totals, unprocessed};
pub use warehouses::{Freshness, Warehouse, WarehouseTotal, freshness, warehouse_totals, warehouses};

/// Below this many units stock counts as low, unless the caller says otherwise.
pub const LOW_STOCK: i64 = 10;

/// The only tenant a statement may see.
const MINE: &str = "(SELECT core.current_tenant())";
