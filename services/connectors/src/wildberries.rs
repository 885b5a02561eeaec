//! Wildberries, read only: cards, stock, orders. Facts about the vendor are those of its documentation of
//! October 2026 (<https://dev.wildberries.ru/docs/openapi>); where live answers were seen to differ, both
//! shapes are accepted.

mod cards;
mod check;
mod client;
mod error;
mod fbs;
mod limits;
mod orders;
mod pending;
mod prices;
mod remains;
mod stock;
mod time;
mod token;
mod wire;

pub use client::{Hosts, Options, Wildberries};
pub use limits::{Category, Group, Sellers};
pub use pending::PendingReports;
pub use token::{Scope, Scopes, Token, TokenError, TokenKind};

/// The warehouse id of masked rows in the synchronous report (since 2026-08-15).
const MASKED_ID: i64 = -999_999;

/// True for the names under which the reports hide Russian warehouses since 2026-08-15. Each report has its
/// own, so they must never be told apart by name.
#[must_use]
pub fn is_masked_name(name: &str) -> bool {
    matches!(name, "Склад WB" | "Склад WB РФ" | "Склад WB СГТ РФ")
}
