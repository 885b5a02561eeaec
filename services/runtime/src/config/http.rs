//! Where the program listens, and to whom.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::source::{Problem, Source, malformed};

/// Settings of the listeners.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// `ST_HTTP_ADDR`: the HTTP API.
    pub address: SocketAddr,
    /// `ST_METRICS_ADDR`: `/metrics` and `/health/live`.
    pub metrics_address: SocketAddr,
    /// `ST_HTTP_CERT_FILE` and `ST_HTTP_KEY_FILE`: the API speaks TLS if both are given.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// `ST_HTTP_ORIGINS`: whose pages may call.
    pub origins: Vec<String>,
    /// `ST_HTTP_PROXIES`: networks whose word about the client's address counts.
    pub proxies: Vec<Network>,
    /// `ST_HTTP_CONNECTIONS`: most connections at a time.
    pub connections: usize,
    /// `ST_HTTP_HEAD_SECONDS`: for the head of a request.
    pub head_time: Duration,
    /// `ST_HTTP_BODY_SECONDS`: for the body of a request.
    pub body_time: Duration,
    /// `ST_HTTP_IDLE_SECONDS`: between two requests on one connection.
    pub idle_time: Duration,
    /// `ST_LIMITS_FILE`: table of request limits; `None` for the one that comes with the program.
    pub limits_file: Option<PathBuf>,
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// From `10.0.0.0/8`, or a single address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = if bits.is_empty() { most } else { bits.parse().ok()? };
        (bits <= most).then_some(Self { address, bits })
    }

    /// Whether an address is one of them. One of version 4 that is written as version 6 counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

pub(super) fn read(source: &Source) -> Result<HttpSettings, Problem> {
    let address = |name| {
        source.required(name, "an address with port such as 127.0.0.1:8080", |text| {
            text.parse().ok()
        })
    };
    let path = |name| source.text(name).map(PathBuf::from);
    let certificate = match (path("ST_HTTP_CERT_FILE"), path("ST_HTTP_KEY_FILE")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(missing("ST_HTTP_KEY_FILE")),
        (None, Some(_)) => return Err(missing("ST_HTTP_CERT_FILE")),
    };
    let origins = source.parsed(
        "ST_HTTP_ORIGINS",
        "origins such as https://app.example.com, separated by commas",
        |text| list(text, |entry| is_origin(entry).then(|| entry.to_owned())),
    )?;
    let proxies = source.parsed(
        "ST_HTTP_PROXIES",
        "networks such as 10.0.0.0/8, separated by commas",
        |text| list(text, Network::parse),
    )?;
    let seconds = |name| {
        let seconds = source.number(name, "a number of seconds from 1 to 300", 1..=300)?;
        Ok(Duration::from_secs(seconds))
    };
    let (own, metrics): (SocketAddr, SocketAddr) = (address("ST_HTTP_ADDR")?, address("ST_METRICS_ADDR")?);
    let everywhere = own.ip().is_unspecified() || metrics.ip().is_unspecified();
    if own.port() == metrics.port() && own.port() != 0 && (own.ip() == metrics.ip() || everywhere) {
        let expected = "another address or port than ST_HTTP_ADDR";
        return Err(malformed("ST_METRICS_ADDR", expected, &metrics.to_string()));
    }
    Ok(HttpSettings {
        address: own,
        metrics_address: metrics,
        certificate,
        origins: origins.unwrap_or_default(),
        proxies: proxies.unwrap_or_default(),
        connections: source.number("ST_HTTP_CONNECTIONS", "a number from 16 to 100000", 16..=100_000)?,
        head_time: seconds("ST_HTTP_HEAD_SECONDS")?,
        body_time: seconds("ST_HTTP_BODY_SECONDS")?,
        idle_time: seconds("ST_HTTP_IDLE_SECONDS")?,
        limits_file: path("ST_LIMITS_FILE"),
    })
}

fn missing(key: &'static str) -> Problem {
    Problem::Missing {
        key,
        purpose: "TLS of the HTTP API",
    }
}

fn list<Entry>(text: &str, parse: impl Fn(&str) -> Option<Entry>) -> Option<Vec<Entry>> {
    text.split(',').map(|entry| parse(entry.trim())).collect()
}

/// Scheme, host and perhaps a port: what a browser sends, with nothing behind it. No star: a list is a list.
fn is_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|host| {
        !host.is_empty() && !host.contains(|c: char| c == '/' || c == '*' || c == '@' || c.is_whitespace())
    })
}

#[cfg(test)]
mod tests {
    use super::{Network, is_origin};

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        let within = |network: &str, address: &str| {
            Network::parse(network)
                .is_some_and(|network| address.parse().is_ok_and(|address| network.contains(address)))
        };
        assert!(within("10.0.0.0/8", "10.255.0.1"));
        assert!(!within("10.0.0.0/8", "11.0.0.1"));
        assert!(within("192.0.2.7", "192.0.2.7"));
        assert!(!within("192.0.2.7", "192.0.2.8"));
        assert!(within("fd00::/8", "fd12::1"));
        assert!(!within("fd00::/8", "10.0.0.1"));
        assert!(within("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(within("0.0.0.0/0", "203.0.113.9"));
        assert_eq!(Network::parse("10.0.0.0/33"), None);
        assert_eq!(Network::parse("proxy.example.com"), None);
    }

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_no_star() {
        assert!(is_origin("https://app.example.com") && is_origin("http://localhost:3000"));
        for wrong in [
            "*",
            "app.example.com",
            "https://",
            "https://*.example.com",
            "https://a.b/c",
        ] {
            assert!(!is_origin(wrong), "{wrong}");
        }
    }
}
