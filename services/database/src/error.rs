//! What can go wrong with the database, sorted by what a caller can do about it.

use tokio_postgres::error::SqlState;

use crate::IdentityError;

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address cannot be understood.
    #[error("the database address is malformed")]
    Address(#[source] tokio_postgres::Error),
    /// The authorities that may vouch for the server cannot be read.
    #[error("the database's certificates cannot be checked")]
    Authorities(#[source] tls::TlsError),
    /// No connection could be made: the server is away, refuses, or cannot prove who it is.
    #[error("no connection to the database")]
    Connect(#[source] tokio_postgres::Error),
    /// All connections of the pool were in use for as long as a caller may wait.
    #[error("no database connection was free: {0}")]
    Exhausted(String),
    /// The server did not answer a new connection within five seconds.
    #[error("the database does not answer")]
    Slow,
    /// A connection is not who it has to be.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The pool cannot be set up.
    #[error("the connection pool cannot be built")]
    Build(#[from] deadpool_postgres::BuildError),
    /// A statement failed.
    #[error("a database statement failed")]
    Query(#[from] tokio_postgres::Error),
    /// A migration failed; nothing of it remains.
    #[error("a migration failed")]
    Migration(#[source] Box<refinery::Error>),
    /// The user may not make the roles that the program needs.
    #[error("an administrator has to run this with psql first:\n{script}")]
    Administrator {
        /// Statements for psql, as a superuser in any database of the server.
        script: String,
        /// What the user may not do.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The database is not what the program needs.
    #[error("{0}")]
    Unsuitable(String),
}

/// What a failure means to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorClass {
    /// A unique key already holds the value; the constraint's name.
    UniqueViolation(String),
    /// The transaction lost against another one; repeating it may work.
    Contention,
    /// The connection is gone. What was being committed may or may not be in.
    ConnectionLost,
    /// Anything else: our defect or the server's trouble.
    Other,
}

impl DatabaseError {
    /// Sorts the failure.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Query(error) => classify(error),
            Self::Connect(error) if error.as_db_error().is_none() => ErrorClass::ConnectionLost,
            Self::Connect(error) => classify(error),
            Self::Exhausted(_) | Self::Slow => ErrorClass::ConnectionLost,
            _ => ErrorClass::Other,
        }
    }
}

fn classify(error: &tokio_postgres::Error) -> ErrorClass {
    if error.is_closed() {
        return ErrorClass::ConnectionLost;
    }
    let Some(db) = error.as_db_error() else {
        // Without an answer from the server the failure happened on the way.
        return if std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        {
            ErrorClass::ConnectionLost
        } else {
            ErrorClass::Other
        };
    };
    match db.code() {
        &SqlState::UNIQUE_VIOLATION => {
            ErrorClass::UniqueViolation(db.constraint().unwrap_or_default().to_owned())
        }
        &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::LOCK_NOT_AVAILABLE => ErrorClass::Contention,
        &SqlState::ADMIN_SHUTDOWN
        | &SqlState::CRASH_SHUTDOWN
        | &SqlState::CANNOT_CONNECT_NOW
        | &SqlState::TOO_MANY_CONNECTIONS => ErrorClass::ConnectionLost,
        _ => ErrorClass::Other,
    }
}
