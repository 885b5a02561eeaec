//! A small listener of its own for `/metrics`, `/health/live` and `/health/ready`, which every role has.
//!
//! It is no general HTTP server: it reads the head of one GET or HEAD request, answers and closes. That needs
//! no framework in the roles that have no API, and keeps the numbers off the public port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::metrics::Metrics;

/// A head of a scrape has a few hundred bytes.
const HEAD_LIMIT_BYTES: usize = 8 * 1024;
/// From the connection to the end of the answer; slow or silent callers are cut off.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// More callers at once wait in the kernel's queue.
const CONNECTIONS: usize = 32;
/// Pause after the kernel refused to hand over a connection, for instance for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for metrics on {address} (ST_METRICS_ADDR)")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    #[source]
    source: io::Error,
}

/// A bound listener, ready to answer.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
    metrics: Metrics,
    health: Health,
}

struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
}

impl MetricsServer {
    /// Takes the address; port 0 chooses a free one.
    ///
    /// # Errors
    /// [`BindError`] naming the address, most often because another process has it.
    pub async fn bind(address: SocketAddr, metrics: Metrics, health: Health) -> Result<Self, BindError> {
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self {
                listener,
                metrics,
                health,
            }),
            Err(source) => Err(BindError { address, source }),
        }
    }

    /// The address that is really listened on.
    ///
    /// # Errors
    /// If the operating system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` is cancelled. Never fails: a caller's trouble is the caller's.
    ///
    /// # Errors
    /// None; the type fits [`crate::Lifecycle::spawn`].
    pub async fn run(self, stop: CancellationToken) -> Result<(), io::Error> {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let next = async {
                let place = Arc::clone(&places)
                    .acquire_owned()
                    .await
                    .map_err(io::Error::other)?;
                Ok::<_, io::Error>((place, self.listener.accept().await?))
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                accepted = next => accepted,
            };
            match accepted {
                Ok((place, (stream, _caller))) => {
                    let (metrics, health) = (self.metrics.clone(), self.health.clone());
                    tokio::spawn(async move {
                        let served =
                            tokio::time::timeout(REQUEST_LIMIT, serve(stream, &metrics, &health)).await;
                        tracing::trace!(served = ?served, "metrics request");
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(error = %error, "no connection accepted on the metrics port");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(mut stream: TcpStream, metrics: &Metrics, health: &Health) -> io::Result<()> {
    let Some(head) = read_head(&mut stream).await? else {
        return Ok(());
    };
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let answer = match method {
        "GET" | "HEAD" => answer(path, metrics, health).await,
        _ => text("405 Method Not Allowed", "only GET and HEAD\n"),
    };
    let Answer {
        status,
        content_type,
        body,
    } = answer;
    let allow = if status.starts_with("405") {
        "Allow: GET, HEAD\r\n"
    } else {
        ""
    };
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}\
         Connection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    if method != "HEAD" {
        bytes.extend(body);
    }
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

/// The head up to its empty line; `None` if the caller hung up or sends more than a head may have.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if head.windows(4).any(|window| window == b"\r\n\r\n") {
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        if head.len() >= HEAD_LIMIT_BYTES || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
}

async fn answer(path: &str, metrics: &Metrics, health: &Health) -> Answer {
    match path {
        "/metrics" => match metrics.render() {
            Ok(body) => Answer {
                status: "200 OK",
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body,
            },
            Err(error) => {
                tracing::error!(error = %error, "metrics page");
                text(
                    "500 Internal Server Error",
                    "the metrics cannot be shown; see the log\n",
                )
            }
        },
        "/health/live" => text("200 OK", "live\n"),
        "/health/ready" => {
            let checks = health.report().await;
            let ready = checks.iter().all(|check| check.problem.is_none());
            let lines = checks.iter().map(|check| {
                let said = check.problem.as_deref().unwrap_or("ok");
                format!("{}: {said}\n", check.name)
            });
            let body: String = lines.collect();
            text(
                if ready {
                    "200 OK"
                } else {
                    "503 Service Unavailable"
                },
                &body,
            )
        }
        _ => text("404 Not Found", "try /metrics, /health/live or /health/ready\n"),
    }
}

fn text(status: &'static str, body: &str) -> Answer {
    Answer {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn started() -> (
        SocketAddr,
        CancellationToken,
        tokio::task::JoinHandle<io::Result<()>>,
    ) {
        let health = Health::default();
        health.register("database", async || Err("no connection".to_owned()));
        let metrics = Metrics::new("test").unwrap();
        metrics.relay_position(41);
        let server = MetricsServer::bind("127.0.0.1:0".parse().unwrap(), metrics, health)
            .await
            .unwrap();
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        (address, stop.clone(), tokio::spawn(server.run(stop)))
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn each_page_answers_and_everything_else_is_refused() {
        let (address, stop, running) = started().await;
        let metrics = ask(address, "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(
            metrics.starts_with("HTTP/1.1 200 OK\r\n") && metrics.contains("stock_relay_position 41"),
            "{metrics}"
        );
        let live = ask(address, "GET /health/live HTTP/1.1\r\n\r\n").await;
        assert!(live.ends_with("\r\n\r\nlive\n"), "{live}");
        let ready = ask(address, "GET /health/ready HTTP/1.1\r\n\r\n").await;
        assert!(
            ready.starts_with("HTTP/1.1 503") && ready.ends_with("database: no connection\n"),
            "{ready}"
        );
        let head = ask(address, "HEAD /health/live HTTP/1.1\r\n\r\n").await;
        assert!(
            head.contains("Content-Length: 5\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        assert!(
            ask(address, "GET / HTTP/1.1\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 404")
        );
        assert!(
            ask(address, "POST /metrics HTTP/1.1\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 405")
        );
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_head_without_end_is_cut_off_and_others_are_still_served() {
        let (address, _stop, _running) = started().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let line = "x".repeat(HEAD_LIMIT_BYTES);
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The connection may be reset because unread bytes are thrown away; what counts is that nothing is
        // answered.
        drop(stream.read_to_end(&mut answer).await);
        assert!(answer.is_empty());
        assert!(
            ask(address, "GET /health/live HTTP/1.1\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 200")
        );
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named_with_its_setting() {
        let (address, _stop, _running) = started().await;
        let metrics = Metrics::new("test").unwrap();
        let error = MetricsServer::bind(address, metrics, Health::default())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot listen for metrics on {address} (ST_METRICS_ADDR)")
        );
    }
}
