//! The tables of billing beside the log: which customer of Stripe's a user is, the checkout that a user may
//! still pay, what Stripe sent, what a tenant has of what its plan counts, and what it used. Rules are in
//! `domain`, use cases in `application`.

mod checkouts;
mod customers;
mod former;
mod inbox;
mod places;
mod reconciliation;
mod usage;

pub use checkouts::{Checkout, Checkouts};
pub use customers::{Customer, Customers, Lease};
pub use former::FormerCustomers;
pub use inbox::{Backlog, Claimed, End, Inbox, Received};
pub use places::{CabinetPlace, Places, ProductCount, Room, Standing, Uncompared};
pub use reconciliation::Reconciliation;
pub use usage::{Counted, FRESH, Month, MonthUsage, PART_OF_QUOTA, Usage};

/// Why the tables of this crate could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or the server refused.
    #[error("the billing tables cannot be reached")]
    Database(#[from] database::DatabaseError),
    /// A row holds what this program does not write.
    #[error("{table}.{column} holds an unknown value")]
    Inconsistent {
        /// Table without schema.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}
