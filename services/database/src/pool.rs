//! Pools and sessions. A pool acts as exactly one database role, whatever login its address names, because
//! row security and grants are written for roles. The role is a start-up parameter of the connection, so no
//! reset can lead back to the login's own rights.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod, Runtime, Transaction};
use events::ids::TenantId;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, IsolationLevel, Socket};

use crate::DatabaseError;
use crate::protection::{self, Protection};

/// The database role a process acts as; see `migrations/core/V1__roles.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// HTTP: commands and queries of one tenant at a time.
    Api,
    /// The same over NATS.
    Gateway,
    /// Reads the log.
    Relay,
    /// Reads the log, writes read models.
    Projector,
    /// Policies and syncs.
    Worker,
    /// Reads read models, writes spreadsheets.
    Sheets,
    /// Rotates the vault's keys; for the tool `keys`, never for a server.
    Keys,
    /// Reads kept raw answers; for the tool `payloads`, never for a server.
    Audit,
}

impl Role {
    /// Name of the role in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "st_api",
            Self::Gateway => "st_gateway",
            Self::Relay => "st_relay",
            Self::Projector => "st_projector",
            Self::Worker => "st_worker",
            Self::Sheets => "st_sheets",
            Self::Keys => "st_keys",
            Self::Audit => "st_audit",
        }
    }
}

/// How long a caller waits for a free or new connection.
const WAIT: Duration = Duration::from_secs(5);
/// After this the server ends a session whose process stopped in the middle of a transaction: it may hold
/// what the others wait for, and a halted process or a lost network does not let go by itself.
const HALTED: &str = "20s";
/// A host that is gone is found out within a minute, and what it held is free: leaders' locks live as long as
/// their connection, and the server's own patience is two hours.
const GONE: &str = " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3";

/// A bounded set of connections that act as one role.
#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    role: Role,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// One connection out of a pool, returned on drop. No tenant is set on it.
pub type Session = deadpool_postgres::Object;

/// One connection out of a pool whose transactions see one tenant.
pub struct TenantSession {
    session: Session,
    tenant: TenantId,
}

impl Pool {
    /// A pool of at most `max_size` connections that act as `role`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`DatabaseError::Address`] when the address cannot be understood.
    pub fn open(url: &SecretString, role: Role, max_size: usize) -> Result<Self, DatabaseError> {
        let settings = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let (config, protection) = config(url, Some(role))?;
        let manager = match protection {
            Protection::None(none) => Manager::from_config(config, none, settings),
            Protection::Full(full) => Manager::from_config(config, full, settings),
        };
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(max_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .recycle_timeout(Some(WAIT))
            .build()?;
        Ok(Self { inner, role })
    }

    /// The role this pool acts as.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// A connection without a tenant: for the log, and for functions that are meant to work without one.
    ///
    /// # Errors
    /// [`DatabaseError::Pool`] when none is free within five seconds.
    pub async fn get(&self) -> Result<Session, DatabaseError> {
        Ok(self.inner.get().await?)
    }

    /// A connection for the work of one tenant.
    ///
    /// # Errors
    /// [`DatabaseError::Pool`] when none is free within five seconds.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantSession, DatabaseError> {
        Ok(TenantSession {
            session: self.get().await?,
            tenant,
        })
    }
}

impl TenantSession {
    /// Begins a transaction that sees the tenant's rows and no others. The tenant is set for the transaction
    /// only, so nothing of it stays on the connection.
    ///
    /// # Errors
    /// [`DatabaseError::Query`] when the connection is broken.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, DatabaseError> {
        let tenant = self.tenant;
        Self::of_tenant(tenant, self.session.transaction().await?).await
    }

    /// Begins a read-only transaction whose queries all see one moment.
    ///
    /// # Errors
    /// [`DatabaseError::Query`] when the connection is broken.
    pub async fn begin_snapshot(&mut self) -> Result<Transaction<'_>, DatabaseError> {
        let tenant = self.tenant;
        let transaction = self
            .session
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        Self::of_tenant(tenant, transaction).await
    }

    async fn of_tenant(
        tenant: TenantId,
        transaction: Transaction<'_>,
    ) -> Result<Transaction<'_>, DatabaseError> {
        let tenant = tenant.to_string();
        let statement = transaction
            .prepare_cached("SELECT set_config('app.tenant', $1, true)")
            .await?;
        transaction.execute(&statement, &[&tenant]).await?;
        Ok(transaction)
    }
}

/// A connection of its own, outside any pool: for leader locks, which live as long as their connection.
/// Without a role it acts as the login itself, which only administration needs.
///
/// # Errors
/// [`DatabaseError::Address`] or [`DatabaseError::Query`].
pub async fn connect(
    url: &SecretString,
    role: Option<Role>,
) -> Result<tokio_postgres::Client, DatabaseError> {
    match config(url, role)? {
        (config, Protection::None(none)) => connect_over(&config, none).await,
        (config, Protection::Full(full)) => connect_over(&config, full).await,
    }
}

async fn connect_over<T>(config: &Config, tls: T) -> Result<tokio_postgres::Client, DatabaseError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = %error, "database connection ended");
        }
    });
    Ok(client)
}

fn config(url: &SecretString, role: Option<Role>) -> Result<(Config, Protection), DatabaseError> {
    let (mut config, protection) = protection::of(url.expose_secret())?;
    let mut options = config.get_options().unwrap_or_default().to_owned();
    options.push_str(" -c search_path=core");
    options.push_str(GONE);
    if let Some(role) = role {
        options.push_str(" -c role=");
        options.push_str(role.name());
        options.push_str(" -c idle_in_transaction_session_timeout=");
        options.push_str(HALTED);
        config.application_name(role.name());
    }
    config
        .options(options.trim_start())
        .connect_timeout(WAIT)
        .keepalives_idle(Duration::from_secs(30));
    Ok((config, protection))
}
