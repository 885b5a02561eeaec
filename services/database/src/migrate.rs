//! Brings the write side's schema up to date. Read models are not migrated: they are built anew from the log.

use secrecy::SecretString;

use crate::DatabaseError;

mod core {
    refinery::embed_migrations!("../../migrations/core");
}

/// The lock that keeps two migrators apart; any number nobody else uses.
const MIGRATION_LOCK: i64 = 0x5354_6d69;

/// Applies what is missing, each migration in a transaction of its own, and returns the names of what was
/// applied. Two migrators at once wait for each other.
///
/// # Errors
/// [`DatabaseError::Migration`] when a step fails or an applied one was altered.
pub async fn migrate(admin_url: &SecretString) -> Result<Vec<String>, DatabaseError> {
    let mut client = crate::connect(admin_url, None).await?;
    client.batch_execute("SET search_path = public").await?;
    client
        .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
        .await?;
    let report = core::migrations::runner()
        .run_async(&mut client)
        .await
        .map_err(|error| DatabaseError::Migration(Box::new(error)))?;
    Ok(report
        .applied_migrations()
        .iter()
        .map(ToString::to_string)
        .collect())
}
