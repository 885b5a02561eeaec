//! A wire between a client and PostgreSQL that can be cut at the worst moment: after the server has
//! committed, before the client hears of it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is to go wrong, counted down.
#[derive(Debug, Default)]
struct Faults {
    lose_answers: usize,
    refuse_connections: usize,
    lost: usize,
}

/// Listens until the test's runtime ends.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    port: u16,
    faults: Arc<Mutex<Faults>>,
}

impl Proxy {
    /// A wire to the server on this port.
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            faults: Arc::default(),
        };
        let faults = Arc::clone(&proxy.faults);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !take(&faults, |faults| &mut faults.refuse_connections) {
                    tokio::spawn(carry(client, server, Arc::clone(&faults)));
                }
            }
        });
        proxy
    }

    /// The same database through the wire.
    pub(crate) fn url(&self, direct: &str, server: u16) -> String {
        let through = direct.replace(&format!(":{server}"), &format!(":{}", self.port));
        assert_ne!(through, direct, "the address names no port");
        through
    }

    /// From now on: the next answers are lost together with their connection, and then connections are
    /// refused.
    pub(crate) fn break_down(&self, lose_answers: usize, refuse_connections: usize) {
        let mut faults = self.faults.lock().unwrap();
        faults.lose_answers = lose_answers;
        faults.refuse_connections = refuse_connections;
    }

    /// From now on everything passes.
    pub(crate) fn heal(&self) {
        self.break_down(0, 0);
    }

    /// Answers lost so far.
    pub(crate) fn lost(&self) -> usize {
        self.faults.lock().unwrap().lost
    }
}

fn take(faults: &Mutex<Faults>, of: impl FnOnce(&mut Faults) -> &mut usize) -> bool {
    let mut faults = faults.lock().unwrap();
    let left = of(&mut faults);
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

/// Both directions, until one side ends or an answer is to be lost; then both connections are closed.
async fn carry(client: TcpStream, server: u16, faults: Arc<Mutex<Faults>>) {
    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move {
        // Its end is the other direction's end too.
        drop(tokio::io::copy(&mut from_client, &mut to_server).await);
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
        if take(&faults, |faults| &mut faults.lose_answers) {
            // `ReadyForQuery` comes when the transaction is over; only then is the answer really lost.
            let mut tail = buffer[..count].to_vec();
            while !tail.ends_with(b"Z\0\0\0\x05I") {
                match from_server.read(&mut buffer).await {
                    Ok(count @ 1..) => tail.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            faults.lock().unwrap().lost += 1;
            break;
        }
        if to_client.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    asking.abort();
}
