//! Names to addresses, for addresses that customers choose.
//!
//! The check is here and not before the call: a name that answers with a public address when it is checked
//! and with a private one when it is called gets no second question. The client connects to the addresses
//! that were checked and asks nobody again.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::Refused;
use super::target::Policy;

/// The answer to the question for a name.
pub type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Asks for the addresses of a name. What it answers is not trusted.
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of the host, of both families.
    fn addresses(&self, host: String) -> Answer;
}

/// The system's own resolver: name servers, hosts file, and what else the machine is set up for.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, host: String) -> Answer {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name gave no address that may be called.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The name is unknown, or nobody answered.
    #[error("the name cannot be resolved")]
    Lookup(#[source] io::Error),
    /// The name is known and has no address.
    #[error("the name has no address")]
    Nothing,
    /// One of its addresses may not be called. One is enough: a name of a receiver has no reason to mix them.
    #[error("the name leads to an address that is not called")]
    Refused(#[source] Refused),
}

/// The resolver of the client: hands on the addresses of a name if all of them may be called.
#[derive(Clone)]
pub struct GuardedResolver {
    lookup: Arc<dyn Lookup>,
    policy: Policy,
}

impl GuardedResolver {
    /// Over a lookup, under a policy.
    #[must_use]
    pub fn new(lookup: Arc<dyn Lookup>, policy: Policy) -> Self {
        Self { lookup, policy }
    }

    /// The addresses of a name, in the order of the answer.
    ///
    /// # Errors
    /// [`ResolveError`]; also when only one of several addresses may not be called.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let found = self.lookup.addresses(host.to_owned()).await;
        let addresses = found.map_err(ResolveError::Lookup)?;
        if addresses.is_empty() {
            return Err(ResolveError::Nothing);
        }
        for address in &addresses {
            self.policy.permits(*address).map_err(ResolveError::Refused)?;
        }
        Ok(addresses)
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            // The client puts the port of the address that it calls in the place of 0.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
