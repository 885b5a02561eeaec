//! Where the database is.

use secrecy::{ExposeSecret, SecretString};

use super::source::{Problem, Source, malformed};

/// Settings of the connection to PostgreSQL.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `DATABASE_URL`; a secret because it may carry a password. `None` stands for the embedded server.
    pub url: Option<SecretString>,
    /// `ST_DATABASE_CONNECTIONS`: most connections of one role in one process, without those below.
    pub connections: usize,
    /// `ST_DATABASE_APPEND_CONNECTIONS`: further connections for appending to the log.
    pub append_connections: usize,
}

impl DatabaseSettings {
    /// The address, for roles that cannot do without.
    ///
    /// # Errors
    /// [`Problem::Missing`] naming the key.
    pub fn required_url(&self) -> Result<&SecretString, Problem> {
        let missing = Problem::Missing {
            key: "DATABASE_URL",
            purpose: "every role without --embedded",
        };
        self.url.as_ref().ok_or(missing)
    }
}

pub(super) fn read(source: &Source) -> Result<DatabaseSettings, Problem> {
    let url = source.secret("DATABASE_URL")?;
    let is_address = |text: &str| text.starts_with("postgres://") || text.starts_with("postgresql://");
    match url.as_ref().map(ExposeSecret::expose_secret) {
        Some(text) if !is_address(text) => Err(malformed("DATABASE_URL", "a postgres:// address", text)),
        _ => Ok(DatabaseSettings {
            url,
            connections: source.number("ST_DATABASE_CONNECTIONS", "a number from 4 to 500", 4..=500)?,
            append_connections: source.number(
                "ST_DATABASE_APPEND_CONNECTIONS",
                "a number from 1 to 16",
                1..=16,
            )?,
        }),
    }
}
