//! A pooler between a client and PostgreSQL, as small as one can be that shows what poolers do to sessions.
//! Like PgBouncer it refuses start-up parameters that it does not know, and in its transaction mode it
//! gives a server's connection to whichever client has a transaction to run, settings of others and all.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long a client keeps a server's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Until it ends.
    Session,
    /// Until its transaction ends.
    Transaction,
}

/// A pooler that listens until the test's runtime ends.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
}

/// What the protocol asks of a client before it may send anything else.
const SSL_REQUEST: u32 = 80_877_103;
/// Start-up parameters that PgBouncer passes on.
const KNOWN: [&str; 5] = [
    "user",
    "database",
    "client_encoding",
    "application_name",
    "DateStyle",
];

type Idle = Arc<Mutex<Vec<TcpStream>>>;
type Io<T> = std::io::Result<T>;

impl Pooler {
    /// A pooler in front of the server on this port of the loopback address.
    pub async fn before(server: u16, pooling: Pooling) -> Self {
        let listener = match TcpListener::bind(("127.0.0.1", 0)).await {
            Ok(listener) => listener,
            Err(error) => panic!("no port for the pooler: {error}"),
        };
        let port = match listener.local_addr() {
            Ok(address) => address.port(),
            Err(error) => panic!("the pooler has no address: {error}"),
        };
        let idle = Idle::default();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let idle = Arc::clone(&idle);
                // A client that ends, or a server that does, ends the conversation.
                tokio::spawn(async move { drop(serve(client, server, pooling, &idle).await) });
            }
        });
        Self { port }
    }

    /// The address of a database, by way of the pooler.
    pub fn url(&self, direct: &str, server: u16) -> String {
        let through = direct.replace(&format!(":{server}"), &format!(":{}", self.port));
        assert_ne!(through, direct, "the address names no port");
        through
    }
}

async fn serve(mut client: TcpStream, server: u16, pooling: Pooling, idle: &Idle) -> Io<()> {
    let startup = loop {
        let length = client.read_u32().await?;
        let mut body = vec![0; length.saturating_sub(4) as usize];
        client.read_exact(&mut body).await?;
        if body.starts_with(&SSL_REQUEST.to_be_bytes()) {
            client.write_all(b"N").await?;
        } else {
            break body;
        }
    };
    let names = startup
        .get(4..)
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .step_by(2);
    for name in names.map(String::from_utf8_lossy).filter(|name| !name.is_empty()) {
        if !KNOWN.contains(&name.as_ref()) {
            return refuse(&mut client, &format!("unsupported startup parameter: {name}")).await;
        }
    }
    let (mut backend, greeting) = open(server, &startup).await?;
    client.write_all(&greeting).await?;
    if pooling == Pooling::Session {
        return tokio::io::copy_bidirectional(&mut client, &mut backend)
            .await
            .map(drop);
    }
    give_back(idle, backend);
    loop {
        let first = message(&mut client).await?;
        if first.starts_with(b"X") {
            return Ok(());
        }
        let free = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut backend = match free {
            Some(backend) => backend,
            None => open(server, &startup).await?.0,
        };
        if run(first, &mut client, &mut backend).await? {
            give_back(idle, backend);
        }
    }
}

/// Passes messages on until no transaction is open. False when the client went in the middle.
async fn run(first: Vec<u8>, client: &mut TcpStream, backend: &mut TcpStream) -> Io<bool> {
    let mut next = first;
    loop {
        let asks = next.starts_with(b"Q") || next.starts_with(b"S");
        if next.starts_with(b"X") {
            return Ok(false);
        }
        backend.write_all(&next).await?;
        if asks && answered(client, backend).await? {
            return Ok(true);
        }
        next = message(client).await?;
    }
}

/// Passes answers on until the server is ready; true when no transaction is open then.
async fn answered(client: &mut TcpStream, backend: &mut TcpStream) -> Io<bool> {
    loop {
        let answer = message(backend).await?;
        client.write_all(&answer).await?;
        if answer.starts_with(b"Z") {
            return Ok(answer.ends_with(b"I"));
        }
    }
}

/// A new connection to the server, and what it said until it was ready.
async fn open(server: u16, startup: &[u8]) -> Io<(TcpStream, Vec<u8>)> {
    let mut backend = TcpStream::connect(("127.0.0.1", server)).await?;
    let length = u32::try_from(startup.len() + 4).map_err(std::io::Error::other)?;
    backend.write_u32(length).await?;
    backend.write_all(startup).await?;
    let mut greeting = Vec::new();
    loop {
        let said = message(&mut backend).await?;
        greeting.extend_from_slice(&said);
        if said.starts_with(b"Z") {
            return Ok((backend, greeting));
        }
    }
}

fn give_back(idle: &Idle, backend: TcpStream) {
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(backend);
}

/// One message with its tag and length.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> Io<Vec<u8>> {
    let tag = from.read_u8().await?;
    let length = from.read_u32().await?;
    let mut whole = vec![0; length as usize + 1];
    whole[0] = tag;
    whole[1..5].copy_from_slice(&length.to_be_bytes());
    from.read_exact(&mut whole[5..]).await?;
    Ok(whole)
}

async fn refuse(client: &mut (impl AsyncWrite + Unpin), text: &str) -> Io<()> {
    let fields = format!("SFATAL\0VFATAL\0C08P01\0M{text}\0\0");
    let length = u32::try_from(fields.len() + 4).map_err(std::io::Error::other)?;
    client.write_u8(b'E').await?;
    client.write_u32(length).await?;
    client.write_all(fields.as_bytes()).await
}
