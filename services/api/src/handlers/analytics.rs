//! A tenant's business in numbers.

pub mod dashboard;
pub mod low_stock;
pub mod stock_distribution;
pub mod sync_history;
pub mod top_products;
pub mod turnover;
pub mod warehouses;
