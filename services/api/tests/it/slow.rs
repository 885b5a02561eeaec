//! Clients that begin and do not go on, over bare sockets: each part of a request has its time, whoever is
//! slow is sent away, and whoever holds a place gives it up.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::{ServerOptions, Times};
use support::SOON;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use crate::edge::edge;
use crate::world::World;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);
/// A whole request, after which the connection stays.
const REQUEST: &str = "GET /api/v1/health/live HTTP/1.1\r\nHost: h\r\n\r\n";

/// Everything may take long but what a test is about.
fn patient() -> Times {
    Times {
        head: LONG,
        body: LONG,
        idle: LONG,
    }
}

async fn with(times: Times) -> World {
    edge(|options| options.times = times).await
}

async fn connected(world: &World) -> TcpStream {
    let address = world.base.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Sends one whole request and reads its answer.
async fn asked(stream: &mut TcpStream) {
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !is_whole(&text(&answer)) {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "it was sent away");
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .unwrap()
        .to_owned();
    length.lines().next().unwrap().parse() == Ok(body.len())
}

/// Sends this again and again, a little at a time, until the server ends the connection; what it said, and
/// how long it put up with it.
async fn trickled(stream: &mut TcpStream, drop_by_drop: &str) -> (String, Duration) {
    let (began, mut said) = (Instant::now(), Vec::new());
    while began.elapsed() < SOON {
        let written = stream.write_all(drop_by_drop.as_bytes()).await;
        match timeout(Duration::from_millis(20), stream.read_buf(&mut said)).await {
            Ok(Ok(0) | Err(_)) => return (text(&said), began.elapsed()),
            _ if written.is_err() => return (text(&said), began.elapsed()),
            _ => {}
        }
    }
    panic!("it goes on for ever, having said {}", text(&said));
}

/// What comes until the server ends the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "it goes on for ever, having said {}", text(&said));
    text(&said)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_head_that_trickles_is_told_so_and_the_connection_ends() {
    let world = with(Times {
        head: SHORT,
        ..patient()
    })
    .await;
    let mut stream = connected(&world).await;
    stream
        .write_all(b"GET /api/v1/health/live HTTP/1.1\r\nX: ")
        .await
        .unwrap();
    let (said, after) = trickled(&mut stream, "x").await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(after >= SHORT - Duration::from_millis(100), "{after:?}");
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_sent_away() {
    let world = with(Times {
        head: SHORT,
        ..patient()
    })
    .await;
    rest(&mut connected(&world).await).await;
}

#[tokio::test]
async fn a_later_head_on_the_same_connection_has_its_time_too() {
    let world = with(Times {
        head: SHORT,
        idle: SHORT,
        ..patient()
    })
    .await;
    let mut stream = connected(&world).await;
    asked(&mut stream).await;
    stream
        .write_all(b"GET /api/v1/health/live HTTP/1.1\r\nX: ")
        .await
        .unwrap();
    let (said, _) = trickled(&mut stream, "x").await;
    assert!(!said.contains(" 200 "), "{said}");
}

#[tokio::test]
async fn a_body_that_trickles_is_told_so_and_the_connection_ends() {
    let world = with(Times {
        body: SHORT,
        ..patient()
    })
    .await;
    let mut stream = connected(&world).await;
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
                Content-Length: 60000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (said, _) = trickled(&mut stream, " ").await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("body-too-slow"), "{said}");
}

#[tokio::test]
async fn a_body_that_goes_on_after_its_answer_holds_no_connection() {
    let world = with(Times {
        head: SHORT,
        idle: SHORT,
        ..patient()
    })
    .await;
    for length in [
        "Content-Length: 60000\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
    ] {
        let mut stream = connected(&world).await;
        let head = format!("POST /nowhere HTTP/1.1\r\nHost: h\r\n{length}");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (said, _) = trickled(&mut stream, "1\r\nx\r\n").await;
        assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    }
}

#[tokio::test]
async fn a_connection_that_is_used_no_more_ends() {
    let world = with(Times {
        idle: SHORT,
        ..patient()
    })
    .await;
    let mut stream = connected(&world).await;
    asked(&mut stream).await;
    asked(&mut stream).await;
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_holds_no_connection() {
    let times = Times {
        head: SHORT,
        idle: SHORT,
        ..patient()
    };
    let world = with(times).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let address = world.base.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    // More than any buffer on the way takes up.
    let requests = 400;
    let document = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: h\r\n\r\n".repeat(requests);
    let (mut reading, mut writing) = stream.split();
    let (_, began) = tokio::join!(
        // Ends with the connection.
        timeout(SOON, writing.write_all(document.as_bytes())),
        async {
            // pause: not to read for longer than the server waits is what this is about
            tokio::time::sleep(4 * (times.head + times.idle)).await;
            Instant::now()
        }
    );
    let mut said = Vec::new();
    // Its end may be a reset.
    drop(
        timeout(SOON, reading.read_to_end(&mut said))
            .await
            .expect("it goes on"),
    );
    assert!(began.elapsed() < SOON);
    let answers = text(&said).matches("HTTP/1.1 200 ").count();
    assert!(
        (1..requests / 2).contains(&answers),
        "{answers} answers were sent"
    );
}

#[tokio::test]
async fn who_reads_slowly_but_reads_gets_the_whole_answer() {
    let world = with(Times {
        head: SHORT,
        idle: SHORT,
        ..patient()
    })
    .await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let address = world.base.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let mut piece = [0; 32 * 1_024];
    loop {
        let read = stream.read(&mut piece).await.unwrap();
        if read == 0 {
            break;
        }
        said.extend_from_slice(&piece[..read]);
    }
    let said = text(&said);
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert!(
        head.to_lowercase()
            .contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
}

/// An API that speaks TLS, and its certificate.
async fn with_tls(times: Times) -> (World, rcgen::CertifiedKey<rcgen::KeyPair>) {
    let folder = support::scratch_folder("api-slow-tls");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let put = |name: &str, text: String| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = (
        put("c.pem", made.cert.pem()),
        put("k.pem", made.signing_key.serialize_pem()),
    );
    let world = edge(|options: &mut ServerOptions| {
        options.certificate = Some(certificate);
        options.times = times;
    })
    .await;
    (world, made)
}

#[tokio::test]
async fn who_connects_to_tls_and_says_nothing_is_sent_away() {
    let times = Times {
        head: SHORT,
        ..patient()
    };
    let (world, _) = with_tls(times).await;
    rest(&mut connected(&world).await).await;
}

#[tokio::test]
async fn over_tls_a_later_head_has_its_time_as_well() {
    let times = Times {
        head: SHORT,
        idle: SHORT,
        ..patient()
    };
    let (world, made) = with_tls(times).await;
    let address = world.base.strip_prefix("http://").unwrap().to_owned();
    let dialogue = move || {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().unwrap();
        let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        stream.write_all(REQUEST.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 1_024];
        while !is_whole(&text(&answer)) {
            let read = stream.read(&mut piece).unwrap();
            answer.extend_from_slice(&piece[..read]);
        }
        stream
            .write_all(b"GET /api/v1/health/live HTTP/1.1\r\nX: ")
            .unwrap();
        // An end without a good-bye is one too; only that nothing comes for so long is not.
        match stream.read(&mut piece) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    };
    assert!(
        tokio::task::spawn_blocking(dialogue).await.unwrap(),
        "it goes on for ever"
    );
}

#[tokio::test]
async fn more_connections_than_are_held_wait_until_one_ends() {
    let world = edge(|options| {
        options.connections = 2;
        options.times = patient();
    })
    .await;
    let mut held = [connected(&world).await, connected(&world).await];
    for stream in &mut held {
        asked(stream).await;
    }
    let mut third = connected(&world).await;
    third.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let waited = timeout(SHORT, third.read_exact(&mut answer)).await;
    assert!(waited.is_err(), "a third connection was answered: {waited:?}");
    drop(held);
    timeout(SOON, third.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}
