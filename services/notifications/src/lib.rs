//! The tables of notifications beside the log: what waits for which receiver, which member wants what and
//! when, where webhooks go, and how deliveries ended. What is a notification is decided in `notifier`.

pub mod webhooks;

/// Why the tables of this crate could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or the server refused.
    #[error("the tables of notifications cannot be reached")]
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
