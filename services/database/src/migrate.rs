//! Brings the write side's schema up to date. Read models are not migrated: they are built anew from the log.

use secrecy::SecretString;
use tokio_postgres::Client;

use crate::{DatabaseError, roles};

mod core {
    refinery::embed_migrations!("../../migrations/core");
}

/// The lock that keeps two migrators apart; any number nobody else uses.
const MIGRATION_LOCK: i64 = 0x5354_6d69;

/// Makes missing roles, applies what is missing, each migration in a transaction of its own, and returns the
/// names of what was applied. Two migrators at once wait for each other. The user of the address owns the
/// database and may make roles; it need not be a superuser.
///
/// # Errors
/// [`DatabaseError::Migration`] when a step fails or an applied one was altered,
/// [`DatabaseError::Administrator`] with the script to run first where the user may not make roles.
pub async fn migrate(admin_url: &SecretString) -> Result<Vec<String>, DatabaseError> {
    let mut client = locked(admin_url).await?;
    roles::make(&client).await?;
    let report = core::migrations::runner()
        .run_async(&mut client)
        .await
        .map_err(|error| DatabaseError::Migration(Box::new(error)))?;
    client.batch_execute(BACKUP).await?;
    Ok(report
        .applied_migrations()
        .iter()
        .map(ToString::to_string)
        .collect())
}

/// Makes the roles only: before a backup is restored on a server that has none.
///
/// # Errors
/// As [`migrate`].
pub async fn make_roles(admin_url: &SecretString) -> Result<(), DatabaseError> {
    roles::make(&locked(admin_url).await?).await
}

/// What the backup's role may read: the tables of `core`, and which migrations they come from.
const BACKUP: &str = "GRANT SELECT ON public.refinery_schema_history TO st_backup; \
                      BEGIN; SET LOCAL ROLE st_owner; SELECT core.open_to_backup(); COMMIT";

async fn locked(admin_url: &SecretString) -> Result<Client, DatabaseError> {
    let client = crate::connect(admin_url, None).await?;
    client.batch_execute("SET search_path = public").await?;
    client
        .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
        .await?;
    Ok(client)
}
