//! How a connection is made: to the address, protected as it says, and as a role that has been proved.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};

use crate::identity::Mark;
use crate::protection::{self, Protection};
use crate::{DatabaseError, Role, identity};

/// How long a caller waits for a free connection, and how long for a new one.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

/// After this without the other host's acknowledgement a connection counts as lost. The system's own
/// patience is a quarter of an hour, in which a caller would hang. A link that acknowledges and delivers
/// nothing is not found.
const UNHEARD: Duration = Duration::from_secs(10);

/// How connections to one address are made.
pub(crate) struct Connections {
    config: Config,
    protection: Protection,
    role: Option<Role>,
}

impl Connections {
    pub(crate) fn to(url: &SecretString, role: Option<Role>) -> Result<Self, DatabaseError> {
        let (mut config, protection) = protection::of(url.expose_secret())?;
        if let Some(role) = role {
            config.application_name(role.name());
        }
        config
            .connect_timeout(WAIT)
            .tcp_user_timeout(UNHEARD)
            .keepalives_idle(UNHEARD)
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
        Ok(Self {
            config,
            protection,
            role,
        })
    }

    /// What a pool makes its connections with. They still have to be settled.
    pub(crate) fn manager(self) -> Manager {
        let settings = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        match self.protection {
            Protection::None(none) => Manager::from_config(self.config, none, settings),
            Protection::Full(full) => Manager::from_config(self.config, full, settings),
        }
    }

    async fn make(&self) -> Result<(Client, Mark), DatabaseError> {
        let making = async {
            match self.protection.clone() {
                Protection::None(none) => over(&self.config, none).await,
                Protection::Full(full) => over(&self.config, full).await,
            }
        };
        let client = tokio::time::timeout(WAIT, making)
            .await
            .map_err(|_elapsed| DatabaseError::Slow)??;
        let mark = settle(&client, self.role).await?;
        Ok((client, mark))
    }
}

/// Makes a new connection act as `role`, or as its login, and proves it, within the time of a new connection.
pub(crate) async fn settle(client: &Client, role: Option<Role>) -> Result<Mark, DatabaseError> {
    tokio::time::timeout(WAIT, identity::take(client, role))
        .await
        .map_err(|_elapsed| DatabaseError::Slow)?
}

/// A connection of its own, outside any pool: for leader locks, which live as long as their connection.
/// Without a role it acts as the login itself, which only administration needs.
///
/// # Errors
/// [`DatabaseError::Address`] or [`DatabaseError::Authorities`] when the address cannot be used,
/// [`DatabaseError::Connect`] when the server is away or refuses, [`DatabaseError::Slow`] when it does not
/// answer within five seconds, [`DatabaseError::Identity`] when the connection cannot prove that it acts as
/// the role.
pub async fn connect(url: &SecretString, role: Option<Role>) -> Result<Client, DatabaseError> {
    let (client, _mark) = Connections::to(url, role)?.make().await?;
    Ok(client)
}

/// Finds out at the start whether the way to the database can be used as `role`. Two connections in turn, for
/// that is when a pooler that shares connections mixes them up.
///
/// # Errors
/// As [`connect`].
pub async fn prove(url: &SecretString, role: Role) -> Result<(), DatabaseError> {
    let connections = Connections::to(url, Some(role))?;
    let (first, first_mark) = connections.make().await?;
    let (second, second_mark) = connections.make().await?;
    for (client, mark) in [
        (&first, &first_mark),
        (&second, &second_mark),
        (&first, &first_mark),
    ] {
        identity::unshared(client, mark).await?;
    }
    Ok(())
}

async fn over<T>(config: &Config, tls: T) -> Result<Client, DatabaseError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await.map_err(DatabaseError::Connect)?;
    // Its end is the client's end, and the other way round.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = %error, "database connection ended");
        }
    });
    Ok(client)
}
