//! Servers that `all --embedded` starts by itself.

use std::path::PathBuf;

use super::source::{Problem, Source, malformed};

/// Settings of the embedded PostgreSQL and NATS.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// `ST_DATA_DIR`: folder of their data.
    pub data_dir: PathBuf,
    /// `ST_EMBEDDED_POSTGRES_PORT`; a free one is chosen if `None`.
    pub postgres_port: Option<u16>,
    /// `ST_EMBEDDED_NATS_PORT`; a free one is chosen if `None`.
    pub nats_port: Option<u16>,
}

pub(super) fn read(source: &Source) -> Result<EmbeddedSettings, Problem> {
    let port = |name| {
        source.parsed(name, "a port, 1 to 65535", |text| {
            text.parse().ok().filter(|port| *port != 0)
        })
    };
    let settings = EmbeddedSettings {
        data_dir: source.required("ST_DATA_DIR", "a folder", |text| Some(PathBuf::from(text)))?,
        postgres_port: port("ST_EMBEDDED_POSTGRES_PORT")?,
        nats_port: port("ST_EMBEDDED_NATS_PORT")?,
    };
    match settings.nats_port {
        Some(port) if settings.postgres_port == Some(port) => Err(malformed(
            "ST_EMBEDDED_NATS_PORT",
            "another port than ST_EMBEDDED_POSTGRES_PORT",
            &port.to_string(),
        )),
        _ => Ok(settings),
    }
}
