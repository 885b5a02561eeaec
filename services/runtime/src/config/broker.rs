//! Where the message broker is.

use std::path::PathBuf;

use secrecy::SecretString;

use super::source::{Problem, Source, malformed};

/// Settings of the connection to NATS.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// `NATS_URL`; a secret because it may carry a password. `None` stands for the embedded server.
    pub url: Option<SecretString>,
    /// `ST_NATS_SEED_DIR`: folder with a seed per user; `None` for what the address says.
    pub seed_dir: Option<PathBuf>,
    /// `ST_NATS_CA_FILE`: the only authorities to be trusted; `None` for the operating system's.
    pub ca_file: Option<PathBuf>,
    /// `ST_NATS_REPLICAS`: servers that keep a copy of each stream; `None` for what `nats/streams.toml`
    /// declares.
    pub replicas: Option<usize>,
}

impl BrokerSettings {
    /// The address, for roles that cannot do without.
    ///
    /// # Errors
    /// [`Problem::Missing`] naming the key.
    pub fn required_url(&self) -> Result<&SecretString, Problem> {
        self.url.as_ref().ok_or(Problem::Missing {
            key: "NATS_URL",
            purpose: "every role without --embedded",
        })
    }
}

pub(super) fn read(source: &Source) -> Result<BrokerSettings, Problem> {
    use secrecy::ExposeSecret;

    let url = source.secret("NATS_URL")?;
    let schemes = ["nats://", "tls://", "ws://", "wss://"];
    let is_address = |text: &str| {
        schemes
            .iter()
            .any(|scheme| text.strip_prefix(scheme).is_some_and(|host| !host.is_empty()))
    };
    match url.as_ref().map(ExposeSecret::expose_secret) {
        Some(text) if !text.split(',').map(str::trim).all(is_address) => Err(malformed(
            "NATS_URL",
            "one or more nats:// or tls:// addresses separated by commas",
            text,
        )),
        _ => Ok(BrokerSettings {
            url,
            replicas: source.parsed("ST_NATS_REPLICAS", "1, 3 or 5", |text| {
                // An even number survives no more than the odd one below it.
                text.parse().ok().filter(|replicas| [1, 3, 5].contains(replicas))
            })?,
            seed_dir: source.text("ST_NATS_SEED_DIR").map(PathBuf::from),
            ca_file: source.text("ST_NATS_CA_FILE").map(PathBuf::from),
        }),
    }
}
