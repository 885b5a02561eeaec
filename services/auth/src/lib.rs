//! Answers two questions about every request: who is calling, and may they do that.
//!
//! | module | question |
//! |---|---|
//! | [`accounts`] | which login belongs to this e-mail and password |
//! | [`sessions`] | is this login still going on (refresh tokens, rotation, reuse) |
//! | [`access`] | whose access token is this (signed, short-lived, checked without a database) |
//! | [`api_keys`] | whose program is this and what may it do |
//! | [`permission`] | may this role do that (a pure table) |
//! | [`invitations`], [`resets`] | is this one-time code good, and what for |
//! | [`attempts`] | were there too many failures from there |
//! | [`idempotency`] | was this very request answered before |
//! | [`profiles`] | what do people call their tenant and their cabinets |
//! | [`terms`] | what may this tenant, and by which clock does it live |
//! | [`erasures`] | who asked to be forgotten, and what was destroyed |
//!
//! It stores and checks. That a registration is also an event is the business of the use cases above it. Time
//! is a parameter of every call that needs it.

pub mod access;
pub mod accounts;
pub mod api_keys;
pub mod attempts;
pub mod email;
pub mod erasures;
pub mod idempotency;
pub mod invitations;
mod opaque;
pub mod password;
pub mod people;
pub mod permission;
pub mod profiles;
pub mod resets;
pub mod sellers;
pub mod sessions;
pub mod terms;

pub use access::{AccessTokens, Principal};
pub use accounts::Accounts;
pub use api_keys::ApiKeys;
pub use attempts::Attempts;
pub use email::Email;
pub use idempotency::IdempotencyKeys;
pub use invitations::Invitations;
pub use opaque::{IssueError, NoRandomness};
pub use people::People;
pub use permission::{Action, Role};
pub use profiles::Profiles;
pub use resets::PasswordResets;
pub use sellers::Sellers;
pub use sessions::{Sessions, Standing};
pub use terms::{Lapsed, Terms};

/// Why the tables of this crate could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or the server refused.
    #[error("the account tables cannot be reached")]
    Database(#[from] database::DatabaseError),
    /// A row holds what this program does not write.
    #[error("{table}.{column} holds an unknown value")]
    Inconsistent {
        /// Table without schema.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// A stored value cannot be read, or one to be stored cannot be written.
    #[error("{table}.{column} cannot be converted")]
    Malformed {
        /// Table without schema.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl StoreError {
    pub(crate) fn malformed(
        table: &'static str,
        column: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Malformed {
            table,
            column,
            source: Box::new(source),
        }
    }
}
