//! How a call leaves the house: one client, so that no call is without a deadline, a size limit, a name for
//! the metrics, or protection for the secret it carries.

mod call;
mod told;
mod traces;
mod turns;

use std::sync::{Arc, Once};
use std::time::Duration;

use reqwest::dns::Resolve;

pub(crate) use call::{Call, Opened, Reply};
pub(crate) use told::retry_after;
pub use traces::TraceClient;
pub use turns::{Turn, Turns};

/// Time allowed for the connection itself, within the deadline of the whole call.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Told to every vendor, so that their support can find our calls.
const USER_AGENT: &str = concat!("stock-tracker/", env!("CARGO_PKG_VERSION"));

/// What one finished call looked like, for metrics and logs. Holds no secret and no id.
#[derive(Debug, Clone, Copy)]
pub struct CallRecord<'a> {
    /// Host that was called, or `receivers` where customers choose the hosts: labels are few.
    pub host: &'a str,
    /// Method and path template.
    pub endpoint: &'static str,
    /// HTTP status, or none when no answer came.
    pub status: Option<u16>,
    /// From sending to the last byte of the body.
    pub duration: Duration,
    /// Size of the body in bytes after decompression.
    pub bytes: u64,
}

/// Is told about every finished call.
pub trait CallObserver: Send + Sync {
    /// Called once per call, whether it succeeded or not. Must not block.
    fn observe(&self, record: &CallRecord<'_>);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl CallObserver for NoObserver {
    fn observe(&self, _record: &CallRecord<'_>) {}
}

/// The one HTTP client. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    /// What stands for the host in metrics and logs, where it is not the host itself.
    host: Option<&'static str>,
    observer: Arc<dyn CallObserver>,
    /// Whose turns requests take, if they do.
    turns: Option<(Turns, u128)>,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpClient")
    }
}

/// The HTTP client cannot be built, for instance because the system has no certificate authorities.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built (are the system's CA certificates installed?)")]
pub struct BuildError(#[source] reqwest::Error);

impl HttpClient {
    /// The client with TLS by rustls and ring, gzip, no redirects (a redirect would carry the credential to
    /// a place nobody chose), and proxies only from the environment.
    ///
    /// # Errors
    /// When the TLS roots of the system cannot be loaded.
    pub fn new(observer: Arc<dyn CallObserver>) -> Result<Self, BuildError> {
        Self::build(observer, None, builder().gzip(true))
    }

    /// The client for addresses that customers choose. It connects to nothing but what `resolver` hands it,
    /// and therefore uses no proxy, whatever the environment says: a proxy resolves names by itself, and
    /// reaches networks that we do not. Answers are not decompressed, since nobody reads them.
    ///
    /// # Errors
    /// As [`HttpClient::new`].
    pub(crate) fn for_receivers(
        observer: Arc<dyn CallObserver>,
        resolver: Arc<dyn Resolve>,
        https_only: bool,
    ) -> Result<Self, BuildError> {
        let builder = builder()
            .gzip(false)
            .no_proxy()
            .https_only(https_only)
            .dns_resolver(resolver)
            // A receiver gets a message now and then; thousands of them are not kept open for it.
            .pool_max_idle_per_host(1);
        Self::build(observer, Some("receivers"), builder)
    }

    fn build(
        observer: Arc<dyn CallObserver>,
        host: Option<&'static str>,
        builder: reqwest::ClientBuilder,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            inner: builder.build().map_err(BuildError)?,
            host,
            observer,
            turns: None,
        })
    }

    /// The same client for a tenant, whose requests take turns with those of the others.
    #[must_use]
    pub fn taking_turns(&self, turns: &Turns, tenant: u128) -> Self {
        Self {
            turns: Some((turns.clone(), tenant)),
            ..self.clone()
        }
    }
}

/// What every client has.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where a client is built"
)]
fn builder() -> reqwest::ClientBuilder {
    install_crypto();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .pool_idle_timeout(Duration::from_secs(60))
}

/// Makes ring the process's TLS provider, once. Whoever came first wins: it is the same library anyway.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
        {
            tracing::debug!("a TLS provider was installed before ours");
        }
    });
}
