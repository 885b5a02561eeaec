//! One way to connect. The client's defaults notice a dead link after minutes and give up where they should
//! not; here every such choice is made on purpose.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::watch;

/// Requests to the broker's own interface are answered within this time or count as failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A half-open link is noticed after two of these.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// Longest pause between two attempts to connect.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// Where and as whom to connect.
#[derive(Clone)]
pub struct BrokerOptions {
    /// `nats://[user:password@]host:port`, several separated by commas.
    pub url: String,
    /// Name of this connection in the broker's lists.
    pub name: String,
}

impl BrokerOptions {
    /// The usual options.
    #[must_use]
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: name.into(),
        }
    }
}

impl fmt::Debug for BrokerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("BrokerOptions")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The address or the credentials cannot be used at all. A broker that is away is no error: it will come.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// An address is malformed.
    #[error("the broker's address cannot be read")]
    Address(#[source] std::io::Error),
    /// The client could not be set up.
    #[error("the broker's client cannot be set up")]
    Connect(#[source] async_nats::ConnectError),
}

/// State of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Connection {
    /// Whether the link stands.
    pub up: bool,
    /// How often it came to stand; grows with every reconnect.
    pub epoch: u64,
}

/// The link to the broker, shared by everything in a process.
#[derive(Clone)]
pub struct Broker {
    client: Client,
    jetstream: jetstream::Context,
    connection: watch::Receiver<Connection>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("connection", &*self.connection.borrow())
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// Starts to connect and returns at once; attempts go on for ever, in the background.
    ///
    /// # Errors
    /// [`BrokerError`] when the address or the credentials can never work.
    pub async fn connect(options: BrokerOptions) -> Result<Self, BrokerError> {
        let servers = options
            .url
            .split(',')
            .map(|server| server.trim().parse::<async_nats::ServerAddr>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(BrokerError::Address)?;
        let (state, connection) = watch::channel(Connection::default());
        let client = ConnectOptions::new()
            .name(&options.name)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(reconnect_delay)
            .connection_timeout(Duration::from_secs(5))
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .event_callback(move |event| {
                note(&state, &event);
                std::future::ready(())
            })
            .connect(servers)
            .await
            .map_err(BrokerError::Connect)?;
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .ack_timeout(REQUEST_TIMEOUT)
            .max_ack_inflight(4_096)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self {
            client,
            jetstream,
            connection,
        })
    }

    /// The plain client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The JetStream interface: requests end after 5 s, publishing waits while 4,096 acknowledgements are
    /// due.
    #[must_use]
    pub const fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// The link's state, to be watched. After a change of [`Connection::epoch`] nothing that was known about
    /// the broker's contents holds any more.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<Connection> {
        self.connection.clone()
    }

    /// Waits until the link stands. `false` when `patience` ran out before.
    pub async fn wait_connected(&self, patience: Duration) -> bool {
        let mut connection = self.connection.clone();
        matches!(
            tokio::time::timeout(patience, connection.wait_for(|now| now.up)).await,
            Ok(Ok(_))
        )
    }
}

fn reconnect_delay(attempt: usize) -> Duration {
    let step = Duration::from_millis(50);
    if attempt <= 1 {
        return Duration::ZERO;
    }
    step.saturating_mul(1_u32 << attempt.min(6))
        .min(MAX_RECONNECT_DELAY)
}

fn note(state: &watch::Sender<Connection>, event: &Event) {
    match event {
        Event::Connected => {
            state.send_modify(|now| {
                now.up = true;
                now.epoch += 1;
            });
            tracing::info!("broker connected");
        }
        Event::Disconnected | Event::Closed => {
            state.send_modify(|now| now.up = false);
            tracing::warn!(%event, "broker link lost");
        }
        Event::SlowConsumer(_) | Event::ServerError(_) | Event::ClientError(_) => {
            tracing::warn!(%event, "broker reports a problem");
        }
        Event::LameDuckMode | Event::Draining => tracing::info!(%event, "broker link changes"),
    }
}
