//! What can go wrong with the log, from the caller's point of view.

use database::DatabaseError;

/// Why a command's events are not in the log, as far as is known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The stream is elsewhere; decide again on its new state.
    #[error("the stream is at version {actual}")]
    Conflict {
        /// Where the stream is; -1 when it is another tenant's, which no expectation ever meets.
        actual: i64,
    },
    /// The answer did not come: the events may or may not be in. The same command may be sent again with the
    /// same id; if it is in, it is answered like the first time.
    #[error("the log did not answer in time; the command may be repeated under its id")]
    Unknown(#[source] std::sync::Arc<DatabaseError>),
    /// The log refused the batch for a reason that repeating cannot mend.
    #[error("the log refused the command")]
    Refused(#[source] std::sync::Arc<DatabaseError>),
    /// An event cannot be written as JSON.
    #[error("an event cannot be written as JSON")]
    Encode(#[source] std::sync::Arc<serde_json::Error>),
    /// The process is shutting down.
    #[error("the store is shutting down")]
    Closed,
}

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database failed.
    #[error("the log could not be read")]
    Database(#[from] DatabaseError),
    /// A position is missing: the one thing that must never be. Nothing may go on past it.
    #[error("position {expected} is missing from the log, which goes on at {found}")]
    Gap {
        /// Position that should come next.
        expected: i64,
        /// Position found instead.
        found: i64,
    },
    /// An event was written by a newer program, and what follows from it is not known here. During an update
    /// a process of the newer program does what this one cannot.
    #[error("the event `{event_type}` at position {position} was written by a newer program")]
    Newer {
        /// Type of the event.
        event_type: String,
        /// Its position.
        position: i64,
    },
    /// A row does not have the shape the schema promises.
    #[error("column `{column}` of position {position} holds {value}")]
    Inconsistent {
        /// Column.
        column: &'static str,
        /// Position of the row.
        position: i64,
        /// What it holds.
        value: String,
    },
}

impl From<tokio_postgres::Error> for ReadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}
