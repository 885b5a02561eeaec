//! Whether the ways to the servers have to be protected.

use secrecy::ExposeSecret as _;

use super::database::DatabaseSettings;
use super::source::{Problem, Source, malformed};

/// Settings that hold for every way to a server.
#[derive(Debug, Clone)]
pub struct TransportSettings {
    /// `ST_REQUIRE_TLS`: no way without TLS and without proof of who is at its end.
    pub require_tls: bool,
}

pub(super) fn read(source: &Source) -> Result<TransportSettings, Problem> {
    let require_tls = source.required("ST_REQUIRE_TLS", "true or false", |text| text.parse().ok())?;
    Ok(TransportSettings { require_tls })
}

/// An address that would be used without protection is found here, not when the first password has travelled.
pub(super) fn check(transport: &TransportSettings, database: &DatabaseSettings) -> Result<(), Problem> {
    match &database.url {
        Some(url) if transport.require_tls && !names_both(url.expose_secret()) => Err(malformed(
            "DATABASE_URL",
            "an address with sslmode=verify-full and sslrootcert, because ST_REQUIRE_TLS is true",
            "",
        )),
        _ => Ok(()),
    }
}

fn names_both(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let has = |wanted: &str| query.split('&').any(|pair| pair.starts_with(wanted));
    has("sslmode=verify-full") && has("sslrootcert=")
}
