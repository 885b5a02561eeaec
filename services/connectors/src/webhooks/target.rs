//! The address of an endpoint, as a customer gave it: checked without asking anybody, so that what can be
//! known to be wrong is refused when it is entered. Names are looked at again when they are resolved.

use std::net::IpAddr;

use reqwest::Url;

use super::guard::{Refused, is_public};

/// Ports that are called unless the policy says otherwise.
const PORTS: [u16; 2] = [443, 8443];
/// Longest address, in bytes.
const LONGEST: usize = 2048;
/// Last labels of names that no public name server answers for: RFC 6761, RFC 6762, RFC 8375, and the one
/// that ICANN keeps for private use.
const LOCAL: [&str; 5] = ["localhost", "localdomain", "local", "internal", "home.arpa"];

/// Which addresses may be called. The default is for customers on the internet; the rest is for tests and for
/// people who run the product in a network of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// No plain HTTP.
    pub https_only: bool,
    /// The ports that may be called; any if none.
    pub ports: Option<&'static [u16]>,
    /// Loopback addresses, private ones and names of a network of one's own are called too. Link-local
    /// addresses, where clouds hand out credentials of a machine, are refused even then.
    pub private_addresses: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            https_only: true,
            ports: Some(&PORTS),
            private_addresses: false,
        }
    }
}

impl Policy {
    /// Whether a connection to this address may be made.
    ///
    /// # Errors
    /// The class of the address.
    pub fn permits(self, address: IpAddr) -> Result<(), Refused> {
        match is_public(address) {
            Err(Refused::Loopback | Refused::Private | Refused::Shared) if self.private_addresses => Ok(()),
            answer => answer,
        }
    }
}

/// Why an address cannot be the one of an endpoint. The texts are for the customer who entered it in the
/// field `url`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than 2048 bytes.
    #[error("`url` is longer than {LONGEST} bytes")]
    TooLong,
    /// No URL with a host.
    #[error("`url` is no address of the form https://host/path")]
    Malformed,
    /// Another scheme than HTTPS.
    #[error("`url` does not begin with https://")]
    Scheme,
    /// `https://user:password@…`.
    #[error("`url` has a user name or a password in it")]
    UserInfo,
    /// `…#part`, which is never sent.
    #[error("`url` has a fragment (#…)")]
    Fragment,
    /// Another port than 443 and 8443.
    #[error("`url` has the port {port}; 443 and 8443 are called")]
    Port {
        /// The port.
        port: u16,
    },
    /// A name that only a local network knows.
    #[error("`url` has a host that only a local network knows")]
    LocalName,
    /// An address in place of a name, and no public one.
    #[error("`url` has a host that is not called")]
    Address(#[source] Refused),
}

/// An address that may be called, as far as it can be told without resolving its name.
///
/// Customers put keys into paths and queries, so only the host is shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    /// The host, if it is an address and no name: nothing resolves it.
    address: Option<IpAddr>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.host())
    }
}

impl Target {
    /// Checks an address: scheme, port, user info, fragment, length and host. Hosts are compared after the
    /// normalisation by the parser that the client uses too, so that decimal, octal, hexadecimal and
    /// full-width forms are the addresses that they mean.
    ///
    /// # Errors
    /// [`TargetError`], the first thing that is wrong.
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, TargetError> {
        if text.len() > LONGEST {
            return Err(TargetError::TooLong);
        }
        // The parser would leave these out without a word.
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(TargetError::Malformed);
        }
        let mut url = Url::parse(text).map_err(malformed)?;
        match url.scheme() {
            "https" => {}
            "http" if !policy.https_only => {}
            _ => return Err(TargetError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if policy.ports.is_some_and(|ports| !ports.contains(&port)) || port == 0 {
            return Err(TargetError::Port { port });
        }
        let host = url.host_str().ok_or(TargetError::Malformed)?;
        let address = as_address(host);
        match address {
            Some(address) => policy.permits(address).map_err(TargetError::Address)?,
            None => {
                let name = checked_name(host, policy)?.to_owned();
                url.set_host(Some(&name)).map_err(malformed)?;
            }
        }
        Ok(Self { url, address })
    }

    /// The address in its normal form, to be stored and shown to its owner.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Its host, a name or an address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) const fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

fn malformed<E>(_cause: E) -> TargetError {
    TargetError::Malformed
}

fn as_address(host: &str) -> Option<IpAddr> {
    let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    in_brackets.unwrap_or(host).parse().ok()
}

/// Checks a normalised name; gives it without its last dot.
fn checked_name<'a>(host: &'a str, policy: &Policy) -> Result<&'a str, TargetError> {
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.split('.').any(str::is_empty) {
        return Err(TargetError::Malformed);
    }
    let is_local = |local: &str| {
        let before = name.strip_suffix(local);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let knows_only_itself = !name.contains('.') || LOCAL.into_iter().any(is_local);
    if knows_only_itself && !policy.private_addresses {
        return Err(TargetError::LocalName);
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
