//! One relay at a time: a session lock on a PostgreSQL connection of its own. Whoever loses the connection
//! has lost the lock. A relay that is paused keeps its connection, so the server is told to end the session
//! of a leader that has been silent for some seconds; another one takes over, and the paused one finds its
//! session gone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use database::{DatabaseError, Role};
use tokio_postgres::Client;

/// Key of the lock; any constant that nobody else in the database uses. "relay" in ASCII.
const LOCK: i64 = 0x72_65_6c_61_79;
/// The leader shows that often that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// No answer to that within this time, and it steps down by itself, before the server does it.
const PATIENCE: Duration = Duration::from_secs(3);
/// The server ends the session of a leader that has been silent for so long (`idle_session_timeout`,
/// PostgreSQL 14).
const SILENCE: &str = "SET idle_session_timeout = '5s'";

type Connecting = Pin<Box<dyn Future<Output = Result<Client, DatabaseError>> + Send>>;

/// Makes connections for the lock.
pub type LockConnection = Arc<dyn Fn() -> Connecting + Send + Sync>;

/// Connections to this database, in the relay's role.
#[must_use]
pub fn lock_connection(url: secrecy::SecretString) -> LockConnection {
    Arc::new(move || {
        let url = url.clone();
        Box::pin(async move { database::connect(&url, Some(Role::Relay)).await })
    })
}

/// The lock is not held, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// No connection for it.
    #[error("no connection for the relay's lock")]
    Connect(#[source] DatabaseError),
    /// The connection broke, or the server ended the session.
    #[error("the relay's lock is lost")]
    Lost(#[source] tokio_postgres::Error),
    /// The server does not answer.
    #[error("the database does not answer to the holder of the relay's lock")]
    Silent,
}

/// The held lock.
#[derive(Debug)]
pub struct Leadership {
    client: Client,
}

impl Leadership {
    /// Waits until the lock is free, then holds it.
    ///
    /// # Errors
    /// [`LeaderError`] when the connection cannot be made or breaks while waiting.
    pub async fn acquire(connect: &LockConnection) -> Result<Self, LeaderError> {
        let client = connect().await.map_err(LeaderError::Connect)?;
        client.batch_execute(SILENCE).await.map_err(LeaderError::Lost)?;
        client
            .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
            .await
            .map_err(LeaderError::Lost)?;
        Ok(Self { client })
    }

    /// Asks the server whether this session still holds the lock.
    ///
    /// # Errors
    /// [`LeaderError`] when it does not, or cannot be known to.
    pub async fn confirm(&self) -> Result<(), LeaderError> {
        // The session is the lock: an answer on it is the proof.
        match tokio::time::timeout(PATIENCE, self.client.simple_query("")).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(LeaderError::Lost(error)),
            Err(_elapsed) => Err(LeaderError::Silent),
        }
    }

    /// Returns when the lock is lost, and shows until then that the leader is alive.
    pub async fn lost(&self) -> LeaderError {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            if let Err(error) = self.confirm().await {
                return error;
            }
        }
    }
}
