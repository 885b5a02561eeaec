//! The whole log folded anew, beside the live copy, straight from the store and in big batches. Reading goes
//! on while the batch before is being written. The new copy takes the live one's name when it has read at
//! least as far; whoever folds into the live one is refused by the raised fence, looks again, and goes on
//! with the new one.

use database::{DatabaseError, ErrorClass, Pool, Role};
use event_store::{GlobalReader, ReadError};
use events::Recorded;
use read_models::Projection;
use read_models::apply::{ApplyError, Cursor, Read, apply_read};
use read_models::schema::{self, Swap};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

/// Events of one transaction. Bigger ones fold more changes of the same row into one write.
const BATCH: i64 = 20_000;
/// Attempts to get the live position's lock, two seconds each, with the gap closed anew before each.
const SWAP_ATTEMPTS: u32 = 30;

/// A new copy is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Position at which it took over.
    pub position: i64,
    /// Events read.
    pub events: u64,
    /// Events that wait in parked streams.
    pub parked: u64,
}

/// Why the live copy is still the old one.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another process is rebuilding the same projection.
    #[error("the projection is being rebuilt already")]
    Busy,
    /// The end of the process came first.
    #[error("the rebuild was called off")]
    CalledOff,
    /// The live position was locked by somebody all the time.
    #[error("the live copy was never free to be swapped")]
    Contended,
    /// The database failed.
    #[error("the new copy cannot be made")]
    Database(#[from] DatabaseError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// Reading an event panicked: a defect of this program.
    #[error("an event cannot even be read")]
    Panicked(#[source] tokio::task::JoinError),
    /// Events cannot be applied.
    #[error("events cannot be applied to the new copy")]
    Apply(#[from] ApplyError),
}

/// Rebuilds a projection. The former copy stays as `<schema>_old` until the next rebuild or
/// [`schema::drop_old`].
///
/// # Errors
/// [`RebuildError`]; the live copy is untouched then, and the half-made one is dropped by the next rebuild.
pub async fn rebuild<P: Projection>(
    database_url: &SecretString,
    reader: &GlobalReader,
    shutdown: &CancellationToken,
) -> Result<Rebuilt, RebuildError> {
    // Held by this connection until the end, whatever that is.
    let lock = database::connect(database_url, Some(Role::Projector)).await?;
    let row = lock
        .query_one(
            "SELECT pg_try_advisory_lock(hashtextextended('rebuild:' || $1, 0))",
            &[&P::NAME],
        )
        .await
        .map_err(DatabaseError::from)?;
    if !row.try_get::<_, bool>(0).map_err(DatabaseError::from)? {
        return Err(RebuildError::Busy);
    }
    let pool = Pool::open(database_url, Role::Projector, 1)?;
    let mut session = pool.get().await?;
    let next = schema::prepare::<P>(&mut session).await?;
    let cursor = schema::take_over::<P>(&session, &next).await?;
    let mut copy = Copy::<P> {
        session,
        reader: reader.clone(),
        shutdown: shutdown.clone(),
        schema: next,
        cursor,
        parked: 0,
        projection: std::marker::PhantomData,
    };
    copy.catch_up().await?;
    schema::seal::<P>(&mut copy.session, &copy.schema).await?;
    for _ in 0..SWAP_ATTEMPTS {
        copy.catch_up().await?;
        match schema::swap::<P>(&mut copy.session, &copy.schema).await {
            Ok(Swap::Done(position)) => {
                let events = u64::try_from(position).unwrap_or(0);
                tracing::info!(projection = P::NAME, position, "rebuilt copy is live");
                return Ok(Rebuilt {
                    position,
                    events,
                    parked: copy.parked,
                });
            }
            Ok(Swap::Behind(live)) => tracing::debug!(projection = P::NAME, live, "live copy is ahead"),
            Err(error) if error.class() == ErrorClass::Contention => {
                tracing::info!(
                    projection = P::NAME,
                    "live position is locked; swap is tried again"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(RebuildError::Contended)
}

struct Copy<P: Projection> {
    session: database::Session,
    reader: GlobalReader,
    shutdown: CancellationToken,
    schema: String,
    cursor: Cursor,
    parked: u64,
    projection: std::marker::PhantomData<P>,
}

impl<P: Projection> Copy<P> {
    /// Folds up to the present end of the log.
    async fn catch_up(&mut self) -> Result<(), RebuildError> {
        let mut batch = read_after::<P>(&self.reader, self.cursor.position).await?;
        while let Some(last) = batch.last() {
            if self.shutdown.is_cancelled() {
                return Err(RebuildError::CalledOff);
            }
            let reader = self.reader.clone();
            let ahead = read_after::<P>(&reader, last.event().position);
            let here = apply_read(&mut self.session, &self.schema, self.cursor, &batch);
            let (applied, following) = tokio::join!(here, ahead);
            let applied = applied?;
            self.cursor.position = applied.position;
            self.parked += applied.parked;
            batch = following?;
        }
        Ok(())
    }
}

/// The next batch, its payloads read on a thread of their own.
async fn read_after<P: Projection>(
    reader: &GlobalReader,
    position: i64,
) -> Result<Vec<Read<Recorded, P>>, RebuildError> {
    let events = reader.read_after(position, BATCH).await?;
    tokio::task::spawn_blocking(move || events.into_iter().map(Read::of).collect())
        .await
        .map_err(RebuildError::Panicked)
}
