//! The tables of notifications beside the log: what waits for which receiver, which member wants what and
//! when, where webhooks go, and how deliveries ended. What is a notification is decided in `notifier`.

mod chats;
mod fan_out;
mod members;
mod outbox;
mod preferences;
mod settings;
mod sheets;
mod snoozes;
pub mod webhooks;
mod work;

pub use chats::{Chat, Chats, LinkError};
pub use fan_out::{FanOut, NewNotice, Outdated, Page, Run};
pub use members::{Plan, Receiver, Unplanned};
pub use outbox::{Figures, Outbox, Parcel, Ready, Taken};
pub use preferences::{Channel, DAY_MINUTES, Language, Preferences, QuietHours, is_usual, may_get};
pub use settings::{Settings, Stored};
pub use sheets::{Hindered, SheetTroubles};
pub use snoozes::{Snooze, Snoozed, Snoozes};
pub use work::{Lease, Work};

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

/// Why the holder of a lease could not write.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another process holds the lease by now; nothing was written.
    #[error("another process does this work by now")]
    Fenced,
    /// The tables failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<tokio_postgres::Error> for WriteError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<database::DatabaseError> for WriteError {
    fn from(error: database::DatabaseError) -> Self {
        Self::Store(error.into())
    }
}

const fn inconsistent(table: &'static str, column: &'static str) -> StoreError {
    StoreError::Inconsistent { table, column }
}
