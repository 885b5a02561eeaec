//! What every question shares: its errors, and how far a projection has read.

use chrono::{DateTime, Utc};
use database::DatabaseError;
use deadpool_postgres::GenericClient;
use serde::Serialize;
use uuid::Uuid;

use crate::Projection;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The cursor belongs to another order of rows, or was tampered with.
    #[error("the cursor does not belong to this order of rows")]
    Cursor,
    /// The database failed.
    #[error("the read model cannot be read")]
    Database(#[source] DatabaseError),
}

impl From<tokio_postgres::Error> for QueryError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Position up to which a projection has read, and the time of that event. None while it was never installed.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn position<P: Projection>(
    client: &impl GenericClient,
) -> Result<Option<(i64, Option<DateTime<Utc>>)>, QueryError> {
    let sql = format!(
        "SELECT position, updated_at FROM {}.projection WHERE name = $1",
        P::SCHEMA
    );
    let statement = client.prepare_cached(&sql).await?;
    let row = client.query_opt(&statement, &[&P::NAME]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// How many streams of all tenants are parked. For the projector's role.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn parked_count<P: Projection>(client: &impl GenericClient) -> Result<u64, QueryError> {
    // Scans: parked streams are few, and each is a defect to be mended.
    let sql = format!("SELECT count(*) FROM {}.parked_streams", P::SCHEMA);
    let statement = client.prepare_cached(&sql).await?;
    let parked: i64 = client.query_one(&statement, &[]).await?.try_get(0)?;
    Ok(u64::try_from(parked).unwrap_or(0))
}

/// Streams of all tenants that are parked at an event which the program of then did not know: their types and
/// ids, oldest first. For the projector's role.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn parked_as_newer<P: Projection>(
    client: &impl GenericClient,
) -> Result<Vec<(String, Uuid)>, QueryError> {
    let sql = format!(
        "SELECT stream_type, stream_id FROM {}.parked_streams WHERE reason = $1 ORDER BY first_position",
        P::SCHEMA
    );
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[&crate::apply::NEWER]).await?;
    (rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))).collect()
}

/// A stream that waits because one of its events could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// Projection that could not apply it.
    pub projection: &'static str,
    /// Whose stream.
    pub tenant_id: Uuid,
    /// Its type.
    pub stream_type: String,
    /// Its id.
    pub stream_id: Uuid,
    /// Position of the event that could not be applied.
    pub first_position: i64,
    /// Why.
    pub reason: String,
    /// Events that wait.
    pub events: i64,
}

/// Parked streams of all tenants, oldest first; for the platform's administrators.
///
/// # Errors
/// [`QueryError::Database`].
pub async fn parked<P: Projection>(client: &impl GenericClient) -> Result<Vec<Parked>, QueryError> {
    let sql = format!(
        "SELECT tenant_id, stream_type, stream_id, first_position, reason, events FROM {}.all_parked()",
        P::SCHEMA
    );
    let statement = client.prepare_cached(&sql).await?;
    let rows = client.query(&statement, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Parked {
                projection: P::NAME,
                tenant_id: row.try_get(0)?,
                stream_type: row.try_get(1)?,
                stream_id: row.try_get(2)?,
                first_position: row.try_get(3)?,
                reason: row.try_get(4)?,
                events: row.try_get(5)?,
            })
        })
        .collect()
}
