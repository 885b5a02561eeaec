//! Connections that nobody uses end. The HTTP library times the head of a connection's first request and the
//! silence after an answer, but nothing between the first byte of a later head and its last one, nor a body
//! that goes on after its answer: a client that stops there would hold its connection for ever. So each
//! connection knows how many requests it is busy with, and one that has been busy with none for too long is
//! shut. So is one whose client takes nothing of an answer any more.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Extensions;
use actix_web::rt;
use bytes::Bytes;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Most bytes of an answer that are handed over at once, so that a client's progress shows.
const PIECE: usize = 64 * 1024;

/// What a connection is busy with.
#[derive(Debug)]
struct Use {
    requests: usize,
    /// Answers of which a piece was handed over and the next one not yet asked for.
    handed: usize,
    /// When that was last changed.
    since: Instant,
}

/// A connection, for its requests. Dropped with the connection.
pub struct Watched {
    in_use: Arc<Mutex<Use>>,
    _gone: DropGuard,
}

/// A request that is being worked on, up to the last byte of its answer.
pub struct Busy {
    in_use: Arc<Mutex<Use>>,
    handed: bool,
}

impl Watched {
    /// One more request.
    pub fn busy(&self) -> Busy {
        change(&self.in_use, |in_use| {
            in_use.requests = in_use.requests.saturating_add(1);
        });
        Busy {
            in_use: self.in_use.clone(),
            handed: false,
        }
    }
}

impl Busy {
    /// Whether the client has to take a piece before it gets the next one.
    fn handed(&mut self, handed: bool) {
        if handed == self.handed {
            return;
        }
        self.handed = handed;
        change(&self.in_use, |in_use| {
            in_use.handed = if handed {
                in_use.handed.saturating_add(1)
            } else {
                in_use.handed.saturating_sub(1)
            };
        });
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.handed(false);
        change(&self.in_use, |in_use| {
            in_use.requests = in_use.requests.saturating_sub(1);
        });
    }
}

fn change(in_use: &Mutex<Use>, to: impl FnOnce(&mut Use)) {
    let mut in_use = in_use.lock().unwrap_or_else(PoisonError::into_inner);
    to(&mut in_use);
    in_use.since = Instant::now();
}

/// Watches a connection that was just made; one that is unused for `limit` is shut.
pub fn watch(connection: &dyn Any, extensions: &mut Extensions, limit: Duration) {
    let stream = connection.downcast_ref::<rt::net::TcpStream>().or_else(|| {
        Some(
            connection
                .downcast_ref::<TlsStream<rt::net::TcpStream>>()?
                .get_ref()
                .0,
        )
    });
    // A second handle, since the first one belongs to the library. Without one there is nothing to be shut
    // by.
    let Some(Ok(socket)) = stream.map(|stream| stream.as_fd().try_clone_to_owned()) else {
        return;
    };
    let gone = CancellationToken::new();
    let in_use = Arc::new(Mutex::new(Use {
        requests: 0,
        handed: 0,
        since: Instant::now(),
    }));
    rt::spawn(shut_when_unused(socket, in_use.clone(), limit, gone.clone()));
    extensions.insert(Watched {
        in_use,
        _gone: gone.drop_guard(),
    });
}

async fn shut_when_unused(
    socket: OwnedFd,
    in_use: Arc<Mutex<Use>>,
    limit: Duration,
    gone: CancellationToken,
) {
    loop {
        let (waits, since) = {
            let in_use = in_use.lock().unwrap_or_else(PoisonError::into_inner);
            (in_use.requests == 0 || in_use.handed > 0, in_use.since)
        };
        let now = Instant::now();
        // Otherwise the client waits for us.
        let at = if waits { since + limit } else { now + limit };
        if at <= now {
            // Fails where the other end was faster.
            drop(TcpStream::from(socket).shutdown(Shutdown::Both));
            return;
        }
        tokio::select! {
            () = gone.cancelled() => return,
            () = sleep_until(at) => {}
        }
    }
}

/// An answer's body that keeps its connection busy for as long as it is being sent, in pieces.
pub struct Sent {
    body: BoxBody,
    busy: Option<Busy>,
    rest: Bytes,
}

impl Sent {
    /// `body`, sent on the connection of `busy`.
    pub fn new(body: BoxBody, busy: Option<Busy>) -> Self {
        Self {
            body,
            busy,
            rest: Bytes::new(),
        }
    }

    fn handed(&mut self, handed: bool) {
        if let Some(busy) = &mut self.busy {
            busy.handed(handed);
        }
    }
}

impl MessageBody for Sent {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.handed(false);
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => self.rest = bytes,
                other => return other,
            }
        }
        let piece = PIECE.min(self.rest.len());
        let piece = self.rest.split_to(piece);
        self.handed(true);
        Poll::Ready(Some(Ok(piece)))
    }
}
