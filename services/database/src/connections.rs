//! How a connection is made: to the address, protected as it says, and as a role that has been proved.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};

use crate::identity::Mark;
use crate::protection::{self, Protection};
use crate::{DatabaseError, Role, identity};

/// How long a caller waits for a free connection, and how long for a new one.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

/// Makes a pool's connections.
pub struct Connections {
    config: Config,
    protection: Protection,
    role: Option<Role>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Connections {
    pub(crate) fn to(url: &SecretString, role: impl Into<Option<Role>>) -> Result<Self, DatabaseError> {
        let role = role.into();
        let (mut config, protection) = protection::of(url.expose_secret())?;
        if let Some(role) = role {
            config.application_name(role.name());
        }
        config
            .connect_timeout(WAIT)
            .keepalives_idle(Duration::from_secs(30));
        Ok(Self {
            config,
            protection,
            role,
        })
    }

    async fn make(&self) -> Result<(Client, JoinHandle<()>, Mark), DatabaseError> {
        let making = async {
            let (client, task) = match self.protection.clone() {
                Protection::None(none) => over(&self.config, none).await,
                Protection::Full(full) => over(&self.config, full).await,
            }?;
            let mark = identity::take(&client, self.role).await?;
            Ok((client, task, mark))
        };
        tokio::time::timeout(WAIT, making)
            .await
            .map_err(|_elapsed| DatabaseError::Slow)?
    }
}

impl Manager for Connections {
    type Type = ClientWrapper;
    type Error = DatabaseError;

    async fn create(&self) -> Result<ClientWrapper, DatabaseError> {
        let (client, task, _mark) = self.make().await?;
        Ok(ClientWrapper::new(client, task))
    }

    async fn recycle(&self, client: &mut ClientWrapper, _: &Metrics) -> RecycleResult<DatabaseError> {
        if client.is_closed() {
            return Err(RecycleError::message("the connection is closed"));
        }
        Ok(())
    }
}

/// A connection of its own, outside any pool: for leader locks, which live as long as their connection.
/// Without a role it acts as the login itself, which only administration needs.
///
/// # Errors
/// [`DatabaseError::Address`] or [`DatabaseError::Authorities`] when the address cannot be used,
/// [`DatabaseError::Connect`] when the server is away or refuses, [`DatabaseError::Slow`] when it does not answer within
/// five seconds, [`DatabaseError::Identity`] when the connection cannot prove that it acts as the role.
pub async fn connect(url: &SecretString, role: Option<Role>) -> Result<Client, DatabaseError> {
    // The task ends with the client.
    let (client, _task, _mark) = Connections::to(url, role)?.make().await?;
    Ok(client)
}

/// Finds out at the start whether the way to the database can be used as `role`. Two connections in turn, for
/// that is when a pooler that shares connections mixes them up.
///
/// # Errors
/// As [`connect`].
pub async fn prove(url: &SecretString, role: Role) -> Result<(), DatabaseError> {
    let connections = Connections::to(url, role)?;
    let (first, _task, first_mark) = connections.make().await?;
    let (second, _task, second_mark) = connections.make().await?;
    for (client, mark) in [
        (&first, &first_mark),
        (&second, &second_mark),
        (&first, &first_mark),
    ] {
        identity::unshared(client, mark).await?;
    }
    Ok(())
}

async fn over<T>(config: &Config, tls: T) -> Result<(Client, JoinHandle<()>), DatabaseError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await.map_err(DatabaseError::Connect)?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = %error, "database connection ended");
        }
    });
    Ok((client, task))
}
