//! Questions about products, stock and orders. Each runs in a tenant's transaction and sees that tenant only:
//! by row security, and by name in every statement, so that a role with wider sight gets no wider answer.

mod excluded;
mod history;
mod known_at;
mod known_orders;
mod labels;
mod outlook;
mod product;
mod products;
mod sheet;
mod sizes;
mod totals;
mod warehouses;

pub use excluded::{Excludable, Exclusion, excludable};
pub use history::{Change, HistoryQuery, history};
pub use known_orders::{KnownOrders, known_orders};
pub use labels::{ProductLabel, product_labels};
pub use outlook::{OrderCounts, Outlook, Paces, outlooks};
pub use product::{Level, ProductDetail, product};
pub use products::{Cursor, ProductPage, ProductQuery, ProductSummary, Sort, cabinets_of, products};
pub use sheet::{SheetCell, SheetNeeds, SheetProduct, SheetRows, sheet, sheet_rows, sheet_rows_known_at};
pub use sizes::SheetSize;
pub use totals::{Distribution, Totals, distribution, totals, unprocessed};
pub use warehouses::{
    Freshness, NOWHERE, Warehouse, WarehouseTotal, freshness, warehouse_totals, warehouses,
};

/// Below this many units stock counts as low, unless the caller says otherwise.
pub const LOW_STOCK: i64 = 10;

/// A condition: a cabinet was not taken away, now or at the earlier instant that a parameter names. `cabinet`
/// is a column.
fn connected(cabinet: &str, at: Option<&str>) -> String {
    let away = match at {
        None => "gone.back_at IS NULL".to_owned(),
        Some(at) => format!("gone.left_at <= {at} AND (gone.back_at IS NULL OR gone.back_at > {at})"),
    };
    format!(
        "NOT EXISTS (SELECT FROM rm_inventory.cabinet_absences gone \
          WHERE gone.tenant_id = {MINE} AND gone.cabinet_id = {cabinet} AND {away})"
    )
}

/// The only tenant a statement may see.
const MINE: &str = "(SELECT core.current_tenant())";
