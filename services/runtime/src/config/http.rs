//! Where the program listens.

use std::net::SocketAddr;

use super::source::{Problem, Source};

/// Settings of the listeners.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// `ST_HTTP_ADDR`: the HTTP API.
    pub address: SocketAddr,
    /// `ST_METRICS_ADDR`: `/metrics` and `/health/live`.
    pub metrics_address: SocketAddr,
}

pub(super) fn read(source: &Source) -> Result<HttpSettings, Problem> {
    let address = |name| {
        source.required(name, "an address with port such as 127.0.0.1:8080", |text| {
            text.parse().ok()
        })
    };
    Ok(HttpSettings {
        address: address("ST_HTTP_ADDR")?,
        metrics_address: address("ST_METRICS_ADDR")?,
    })
}
