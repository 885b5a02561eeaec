//! One way to connect. The client's defaults notice a dead link after minutes and give up where they should
//! not; here every such choice is made on purpose.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::{Auth, AuthError, Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use crate::condition::{self, ConditionError};
use crate::users;

/// Requests to the broker's own interface are answered within this time or count as failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// One attempt to connect ends after this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
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
    /// As whom; `None` for what the address says, or nobody.
    pub user: Option<BrokerUser>,
    /// How the way there is protected.
    pub tls: BrokerTls,
    /// Servers that keep a copy of each stream; `None` for what `nats/streams.toml` declares.
    pub replicas: Option<usize>,
}

/// A user of `nats/users.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUser {
    /// Its name there, which is the role's.
    pub name: String,
    /// File of its seed. Read at every connect, so that a replaced seed needs no restart.
    pub seed_file: PathBuf,
}

/// How the way to the broker is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerTls {
    /// Never without TLS, whatever the address and the server say.
    pub required: bool,
    /// PEM file of the only authorities that are trusted; `None` for those of the operating system.
    pub ca_file: Option<PathBuf>,
}

impl BrokerOptions {
    /// The usual options.
    #[must_use]
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: name.into(),
            user: None,
            tls: BrokerTls::default(),
            replicas: None,
        }
    }

    /// As a user whose seed lies in `folder`.
    #[must_use]
    pub fn as_user(mut self, name: &str, folder: &std::path::Path) -> Self {
        self.user = Some(BrokerUser {
            name: name.to_owned(),
            seed_file: users::seed_file(folder, name),
        });
        self
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
    /// The seed of the user cannot be used.
    #[error("the broker's user cannot be used")]
    User(#[from] users::UsersError),
    /// The authorities to be trusted cannot be read.
    #[error("the broker's certificates cannot be checked")]
    Authorities(#[from] tls::TlsError),
    /// The broker is there and refuses this user, or it is not the broker that it should be.
    #[error("the broker refuses us, or cannot prove who it is")]
    Refused(#[source] async_nats::ConnectError),
    /// The broker cannot do what is needed.
    #[error("the broker cannot be used")]
    Unsuitable(#[source] ConditionError),
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
    replicas: Option<usize>,
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
    /// [`BrokerError`] when the address or the credentials can never work, or the server that answers is
    /// too old.
    pub async fn connect(options: BrokerOptions) -> Result<Self, BrokerError> {
        let servers = options
            .url
            .split(',')
            .map(|server| server.trim().parse::<ServerAddr>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(BrokerError::Address)?;
        try_once(&options, &servers).await?;
        let (state, connection) = watch::channel(Connection::default());
        let client = client_options(&options)?
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(reconnect_delay)
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
            replicas: options.replicas,
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

    /// Servers that keep a copy of each stream, where the installation says so.
    #[must_use]
    pub const fn replicas(&self) -> Option<usize> {
        self.replicas
    }

    /// Version of the server at the other end, such as `2.15.1`; empty while there was none.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.client.server_info().version
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

/// What does not change between two attempts.
fn client_options(options: &BrokerOptions) -> Result<ConnectOptions, BrokerError> {
    let mut client = match &options.user {
        Some(user) => {
            users::read_seed(&user.seed_file)?;
            let seed_file = user.seed_file.clone();
            ConnectOptions::with_auth_callback(move |nonce| {
                std::future::ready(sign(&seed_file, &nonce).map_err(AuthError::new))
            })
            .custom_inbox_prefix(users::inbox_prefix(&user.name))
        }
        None => ConnectOptions::new(),
    };
    if let Some(ca_file) = &options.tls.ca_file {
        client = client.tls_client_config(tls::trusting(ca_file)?);
    }
    Ok(client
        .name(&options.name)
        .require_tls(options.tls.required)
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT)))
}

fn sign(seed_file: &std::path::Path, nonce: &[u8]) -> Result<Auth, Box<dyn std::error::Error + Send + Sync>> {
    let pair = users::read_seed(seed_file)?;
    let mut auth = Auth::new();
    auth.nkey = Some(pair.public_key());
    auth.signature = Some(pair.sign(nonce)?);
    Ok(auth)
}

/// Waiting for a broker that is away is right; waiting for one that refuses us, that is somebody else or
/// too old is not: the client would try for ever and tell nobody.
async fn try_once(options: &BrokerOptions, servers: &[ServerAddr]) -> Result<(), BrokerError> {
    match client_options(options)?.connect(servers).await {
        Ok(client) => {
            let version = client.server_info().version;
            // Its end is seen by nobody.
            drop(client.drain().await);
            condition::new_enough(&version).map_err(BrokerError::Unsuitable)
        }
        Err(error) if is_final(&error) => Err(BrokerError::Refused(error)),
        Err(error) => {
            tracing::debug!(%error, "the broker is not there yet");
            Ok(())
        }
    }
}

fn is_final(error: &async_nats::ConnectError) -> bool {
    let refused = matches!(
        error.kind(),
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation
    );
    // The client calls a failed handshake an I/O error; what rustls said is inside.
    let first: &(dyn std::error::Error + 'static) = error;
    refused || std::iter::successors(Some(first), |error| error.source()).any(is_about_tls)
}

fn is_about_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let inside = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
        .and_then(|inside| inside.downcast_ref::<rustls::Error>());
    error.is::<rustls::Error>() || inside.is_some()
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
