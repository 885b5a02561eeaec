//! A parked stream's second chance.

use database::{DatabaseError, Pool};
use event_store::{GlobalReader, ReadError};
use read_models::apply::ApplyError;
use read_models::{Projection, Unparked};
use uuid::Uuid;

/// Events read at once; a stream that waits is rarely longer.
const PAGE: i64 = 5_000;
/// Attempts in case the stream grows while it is read.
const ATTEMPTS: u32 = 10;

/// Why a stream could not even be tried.
#[derive(Debug, thiserror::Error)]
pub enum UnparkError {
    /// The database failed.
    #[error("the read model's database failed")]
    Database(#[from] DatabaseError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The read model cannot be written.
    #[error("the waiting events cannot be applied")]
    Apply(#[from] ApplyError),
    /// The stream grew faster than it could be read.
    #[error("the stream grows too fast to be caught up")]
    Restless,
}

/// Applies the waiting events of a stream, in order, to the live copy of `P`. `pool` acts as the projector.
/// The stream's type is given by name because it may be one this program learnt only now.
///
/// # Errors
/// [`UnparkError`]; the stream is parked as before then.
pub async fn unpark<P: Projection>(
    pool: &Pool,
    reader: &GlobalReader,
    stream_type: &str,
    stream_id: Uuid,
) -> Result<Unparked, UnparkError> {
    for _ in 0..ATTEMPTS {
        let mut history = Vec::new();
        loop {
            let after = history.last().map_or(0, |event: &events::Recorded| event.version);
            let page = reader.read_stream(stream_type, stream_id, after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            history.extend(page);
        }
        let mut session = pool.get().await?;
        let outcome = read_models::unpark::<P>(&mut session, P::SCHEMA, stream_id, &history).await?;
        if outcome != Unparked::Incomplete {
            return Ok(outcome);
        }
    }
    Err(UnparkError::Restless)
}
