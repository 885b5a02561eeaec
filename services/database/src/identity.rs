//! Who a connection is. Row security and grants are written for roles, so a connection that acts as the wrong
//! one works and shows too much. Each new connection takes its role by a statement, since a pooler may drop
//! start-up options, and proves it before its first use.
//!
//! Settings made by statements hold only where a client keeps its server process. A mark left on every
//! connection shows where it does not: a fresh connection that carries somebody else's, or loses its own.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::{DatabaseError, Role};

/// The server ends a session whose process stopped in the middle of a transaction: it may hold what the
/// others wait for, and a halted process or a lost network does not let go by itself.
const HALTED: &str = "20s";
/// The server finds out within a minute that a client's host is gone, and frees what it held: leaders' locks
/// live as long as their connection, and the server's own patience is two hours.
const GONE: &str =
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3";

/// A connection that must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The server process behind the connection serves other clients as well.
    #[error(
        "the database's pooler gives a connection to several clients in turn (transaction or statement pooling, \
         or session pooling without `server_reset_query = DISCARD ALL`); roles and locks need session pooling \
         or a direct connection"
    )]
    Shared,
    /// The connection acts as another role than it has to.
    #[error("the database connection acts as `{actual}` and not as `{wanted}`")]
    Role {
        /// The role it has to act as.
        wanted: &'static str,
        /// The role it acts as.
        actual: String,
    },
    /// Row security does not bind the role.
    #[error(
        "row security does not bind the database role `{role}` ({reason}); it would see all tenants. \
         An administrator ends that with `ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS`"
    )]
    Unbound {
        /// The role.
        role: &'static str,
        /// Why not: superuser, `BYPASSRLS`, or the setting `row_security`.
        reason: &'static str,
    },
}

/// What is left on a connection to recognise it by.
#[derive(Debug)]
pub(crate) struct Mark(String);

/// Makes a new connection act as `role`, or as its login without one, and proves it.
///
/// # Errors
/// [`DatabaseError::Identity`] when it is not who it has to be, [`DatabaseError::Query`] when the login may
/// not act as the role.
pub(crate) async fn take(client: &Client, role: Option<Role>) -> Result<Mark, DatabaseError> {
    if !mark(client).await?.is_empty() {
        return Err(IdentityError::Shared.into());
    }
    let own = Mark::new();
    // One message is one transaction: no pooler can tear it apart.
    let mut settings = format!("SET app.connection = '{}'; SET search_path = core; {GONE}", own.0);
    if let Some(role) = role {
        settings.push_str("; SET row_security = on; SET idle_in_transaction_session_timeout = '");
        settings.push_str(HALTED);
        settings.push_str("'; SET ROLE ");
        settings.push_str(role.name());
    }
    client.batch_execute(&settings).await?;
    unshared(client, &own).await?;
    if let Some(role) = role {
        prove(client, role).await?;
    }
    Ok(own)
}

/// Makes sure that a connection still is the one that was marked.
///
/// # Errors
/// [`IdentityError::Shared`] when it is not.
pub(crate) async fn unshared(client: &Client, own: &Mark) -> Result<(), DatabaseError> {
    if mark(client).await? == own.0 {
        Ok(())
    } else {
        Err(IdentityError::Shared.into())
    }
}

async fn prove(client: &Client, role: Role) -> Result<(), DatabaseError> {
    let asked = "SELECT current_user, current_setting('row_security'), rolsuper, rolbypassrls \
                 FROM pg_catalog.pg_roles WHERE rolname = current_user";
    let row = first_row(client, asked).await?;
    let said = |place| row.as_ref().and_then(|row| row.get(place)).unwrap_or_default();
    let wanted = role.name();
    if said(0) != wanted {
        let actual = said(0).to_owned();
        return Err(IdentityError::Role { wanted, actual }.into());
    }
    let reason = if said(1) != "on" {
        "row_security is off"
    } else if said(2) != "f" {
        "it is a superuser"
    } else if said(3) != "f" {
        "it has BYPASSRLS"
    } else {
        return Ok(());
    };
    Err(IdentityError::Unbound { role: wanted, reason }.into())
}

/// The mark on the connection; empty on one that is fresh or was reset.
async fn mark(client: &Client) -> Result<String, DatabaseError> {
    let row = first_row(client, "SELECT current_setting('app.connection', true)").await?;
    Ok(row
        .as_ref()
        .and_then(|row| row.get(0))
        .unwrap_or_default()
        .to_owned())
}

/// Prepared statements are what some poolers cannot do, so nothing is prepared before they are found out.
async fn first_row(client: &Client, sql: &str) -> Result<Option<SimpleQueryRow>, DatabaseError> {
    let answer = client.simple_query(sql).await?;
    Ok(answer.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }))
}

impl Mark {
    /// Different for each connection of this process, and in all likelihood from those of others.
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}-{number}", std::process::id()))
    }
}
