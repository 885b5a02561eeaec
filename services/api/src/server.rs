//! Listening and ending. The port is bound before anything runs, so that whoever starts the process can say
//! where it is, or that the port is taken.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer, web};
use tokio_util::sync::CancellationToken;

use crate::state::ApiState;
use crate::{frame, handlers, routes};

/// Threads that answer requests. Each has its own event loop; the work below them is the database's.
const WORKERS: usize = 2;
/// How long requests may finish after the stop was asked for, seconds.
const GRACE_SECONDS: u64 = 10;
/// How long a client may take to send its request's head.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// An API that listens but does not answer yet.
pub struct Bound {
    address: SocketAddr,
    stopping: CancellationToken,
    server: Server,
}

/// Binds `address` (port 0 takes a free one) and sets the routes up. Must be called inside a tokio runtime.
/// What ends the server is `state.stopping`.
///
/// # Errors
/// [`BindError`] naming the address.
pub fn build(state: ApiState, address: SocketAddr) -> Result<Bound, BindError> {
    let failed = |source| BindError { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let stopping = state.stopping.clone();
    let state = Data::new(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(from_fn(frame::frame))
            .configure(routes::configure)
            .default_service(web::to(handlers::elsewhere::handle))
    })
    .workers(WORKERS)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_LIMIT)
    .shutdown_timeout(GRACE_SECONDS)
    .disable_signals()
    .listen(listener)
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
