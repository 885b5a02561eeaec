//! Listening and ending. The port is bound before anything runs, so that whoever starts the process can say
//! where it is, or that the port is taken.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer, web};
use limits::Limiter;
use runtime::config::Network;
use tokio_util::sync::CancellationToken;

use crate::gate::{self, Gate};
use crate::state::ApiState;
use crate::{connections, frame, handlers, routes};

/// Threads that answer requests. Each has its own event loop; the work below them is the database's.
const WORKERS: usize = 2;
/// How long requests may finish after the stop was asked for, seconds.
const GRACE_SECONDS: u64 = 10;
/// Connections held at a time where nothing else is said.
const CONNECTIONS: usize = 4_096;

/// How long a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// For the head of a request, or for TLS before it.
    pub head: Duration,
    /// For the body.
    pub body: Duration,
    /// Until its next request on the same connection begins.
    pub idle: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(15),
            idle: Duration::from_secs(75),
        }
    }
}

/// How the API listens, and to whom.
#[derive(Debug)]
pub struct ServerOptions {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// Files of certificate and key; TLS is spoken if they are given.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Counts requests; `None` counts nothing.
    pub limiter: Option<Arc<Limiter>>,
    /// Whose `X-Forwarded-For` counts.
    pub proxies: Vec<Network>,
    /// Origins whose pages may call.
    pub origins: Vec<String>,
    /// Most connections at a time; more wait in the system's queue.
    pub connections: usize,
    /// How long a client may take.
    pub times: Times,
}

impl ServerOptions {
    /// Without TLS, limits, proxies or origins.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            certificate: None,
            limiter: None,
            proxies: Vec::new(),
            origins: Vec::new(),
            connections: CONNECTIONS,
            times: Times::default(),
        }
    }
}

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Address {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error("the API's certificate cannot be used")]
    Certificate(#[from] tls::TlsError),
}

/// An API that listens but does not answer yet.
pub struct Bound {
    address: SocketAddr,
    stopping: CancellationToken,
    server: Server,
}

/// Binds `address` (port 0 takes a free one) and sets the routes up, without TLS, limits, proxies or origins.
/// Must be called inside a tokio runtime. What ends the server is `state.stopping`.
///
/// # Errors
/// [`BindError`] naming the address.
pub fn build(state: ApiState, address: SocketAddr) -> Result<Bound, BindError> {
    build_with(state, ServerOptions::new(address))
}

/// As [`build`], saying how to listen and to whom.
///
/// # Errors
/// [`BindError`] naming the address, or the file of the certificate.
pub fn build_with(state: ApiState, options: ServerOptions) -> Result<Bound, BindError> {
    let address = options.address;
    let failed = |source| BindError::Address { address, source };
    let certificate = options
        .certificate
        .map(|(certificate, key)| tls::serving(&certificate, &key))
        .transpose()?;
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let stopping = state.stopping.clone();
    let state = Data::new(state);
    let gate = Data::new(Gate {
        limiter: options.limiter,
        proxies: options.proxies,
        origins: options.origins,
        times: options.times,
    });
    let times = options.times;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(gate.clone())
            .wrap(from_fn(gate::gate))
            .wrap(from_fn(frame::frame))
            .configure(routes::configure)
            .default_service(web::to(handlers::elsewhere::handle))
    })
    .workers(WORKERS)
    .max_connections(options.connections.div_ceil(WORKERS))
    .keep_alive(times.idle)
    .client_request_timeout(times.head)
    .tls_handshake_timeout(times.head)
    .on_connect(move |connection, extensions| {
        connections::watch(connection, extensions, times.idle + times.head);
    })
    .shutdown_timeout(GRACE_SECONDS)
    .disable_signals();
    let server = match certificate {
        Some(certificate) => server.listen_rustls_0_23(listener, certificate),
        None => server.listen(listener),
    }
    .map_err(failed)?
    .run();
    Ok(Bound {
        address: bound,
        stopping,
        server,
    })
}

impl Bound {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers requests until the state's `stopping` is cancelled, then lets what runs finish.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self) -> std::io::Result<()> {
        let handle = self.server.handle();
        let mut server = self.server;
        tokio::select! {
            ended = &mut server => return ended,
            () = self.stopping.cancelled() => {}
        }
        // The stop is answered by the server's own future, so both are driven.
        let (ended, ()) = tokio::join!(server, handle.stop(true));
        ended
    }
}
