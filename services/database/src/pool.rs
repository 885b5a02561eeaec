//! Pools and sessions. A pool acts as exactly one database role, whatever login its address names, because
//! row security and grants are written for roles. A connection proves its role before anybody gets it.

use deadpool_postgres::{Hook, HookError, PoolError, Runtime, TimeoutType, Transaction};
use events::ids::TenantId;
use secrecy::SecretString;
use tokio_postgres::IsolationLevel;

use crate::DatabaseError;
use crate::connections::{self, Connections, WAIT};

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
    /// Reads the log and names, appends alerts, calls receivers.
    Notifier,
    /// Rotates the vault's keys; for the tool `keys`, never for a server.
    Keys,
    /// Reads kept raw answers; for the tool `payloads`, never for a server.
    Audit,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 9] = [
        Self::Api,
        Self::Gateway,
        Self::Relay,
        Self::Projector,
        Self::Worker,
        Self::Sheets,
        Self::Notifier,
        Self::Keys,
        Self::Audit,
    ];

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
            Self::Notifier => "st_notifier",
            Self::Keys => "st_keys",
            Self::Audit => "st_audit",
        }
    }
}

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
        let inner = deadpool_postgres::Pool::builder(Connections::to(url, Some(role))?.manager())
            .max_size(max_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .recycle_timeout(Some(WAIT))
            .post_create(Hook::async_fn(move |client, _metrics| {
                Box::pin(async move {
                    connections::settle(client, Some(role))
                        .await
                        .map_or_else(refused, |_| Ok(()))
                })
            }))
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
    /// [`DatabaseError::Exhausted`] when none is free within five seconds, [`DatabaseError::Slow`] when the
    /// server does not answer in that time, [`DatabaseError::Connect`] and [`DatabaseError::Query`] when it
    /// refuses, [`DatabaseError::Unsuitable`] when a new connection cannot prove that it acts as the role.
    pub async fn get(&self) -> Result<Session, DatabaseError> {
        self.inner.get().await.map_err(|error| match error {
            PoolError::Backend(error) => DatabaseError::Connect(error),
            PoolError::PostCreateHook(HookError::Backend(error)) => DatabaseError::Query(error),
            PoolError::PostCreateHook(HookError::Message(text)) if text == SLOW => DatabaseError::Slow,
            PoolError::PostCreateHook(HookError::Message(text)) => {
                DatabaseError::Unsuitable(text.into_owned())
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => DatabaseError::Slow,
            other => DatabaseError::Exhausted(other.to_string()),
        })
    }

    /// A connection for the work of one tenant.
    ///
    /// # Errors
    /// As [`Pool::get`].
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantSession, DatabaseError> {
        Ok(TenantSession {
            session: self.get().await?,
            tenant,
        })
    }
}

/// What the pool's hook says of a server that does not answer; the pool has words only, no errors of ours.
const SLOW: &str = "slow";

fn refused(error: DatabaseError) -> Result<(), HookError> {
    Err(match error {
        DatabaseError::Query(error) => HookError::Backend(error),
        DatabaseError::Slow => HookError::message(SLOW),
        other => HookError::message(other.to_string()),
    })
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
