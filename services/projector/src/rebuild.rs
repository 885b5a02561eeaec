//! The whole log folded anew, beside the live copy, straight from the store. Up to where the log ends at the
//! start it goes in chunks that are as large as memory may be used ([`read_models::bulk`]), with the pages
//! ahead being read and parsed meanwhile ([`crate::pages`]); what was appended since is caught up in batches.
//! The new copy takes the live one's name when it has read at
//! least as far; whoever folds into the live one is refused by the raised fence, looks again, and goes on
//! with the new one.

use database::{DatabaseError, ErrorClass, Pool, Role};
use event_store::{GlobalReader, ReadError};
use read_models::Projection;
use read_models::apply::{Applied, ApplyError, Cursor, apply_read};
use read_models::bulk::{Bulk, BulkError};
use read_models::schema::{self, Swap};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::pages::Pages;

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

/// Rebuilds a projection. The former copy stays as `<schema>_old` until the projector's next term or the next
/// rebuild.
///
/// # Errors
/// [`RebuildError`]; the live copy is untouched then, and the half-made one is dropped by the next rebuild.
pub async fn rebuild<P: Projection>(
    database_url: &SecretString,
    reader: &GlobalReader,
    shutdown: &CancellationToken,
) -> Result<Rebuilt, RebuildError> {
    rebuild_with::<P>(database_url, reader, shutdown, &|_, _| {}).await
}

/// As [`rebuild`]; `progress` is called with the position that was read and the one to be reached.
///
/// # Errors
/// As [`rebuild`].
pub async fn rebuild_with<P: Projection>(
    database_url: &SecretString,
    reader: &GlobalReader,
    shutdown: &CancellationToken,
    progress: &(dyn Fn(i64, i64) + Sync),
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
    let mut copy = Copy::<'_, P> {
        session,
        reader: reader.clone(),
        shutdown: shutdown.clone(),
        schema: next,
        cursor,
        parked: 0,
        progress,
        projection: std::marker::PhantomData,
    };
    copy.fill().await?;
    schema::seal::<P>(&mut copy.session, &copy.schema).await?;
    for _ in 0..SWAP_ATTEMPTS {
        copy.catch_up().await?;
        match schema::swap::<P>(&mut copy.session, &copy.schema).await {
            Ok(Swap::Done(position)) => {
                let events = u64::try_from(position).unwrap_or(0);
                tracing::info!(projection = P::NAME, position, "rebuilt copy is live");
                // The server frees the lock of a closed connection only when it notices; a rebuild that
                // follows at once would be refused.
                if let Err(error) = lock.batch_execute("SELECT pg_advisory_unlock_all()").await {
                    tracing::debug!(%error, "the lock of the rebuild ends with its connection");
                }
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

struct Copy<'a, P: Projection> {
    session: database::Session,
    reader: GlobalReader,
    shutdown: CancellationToken,
    schema: String,
    cursor: Cursor,
    parked: u64,
    progress: &'a (dyn Fn(i64, i64) + Sync),
    projection: std::marker::PhantomData<P>,
}

impl<P: Projection> Copy<'_, P> {
    /// Folds up to the present end of the log, in chunks, into the copy that is not sealed yet.
    async fn fill(&mut self) -> Result<(), RebuildError> {
        let end = self.reader.head().await?;
        let mut pages = self.pages(end);
        while self.cursor.position < end {
            let began = self.cursor.position;
            match self.chunk(&mut pages, end).await {
                // A log that ends before it should is not this one's concern.
                Ok(applied) if applied.position == began => return Ok(()),
                Ok(applied) => self.advance(applied),
                Err(Interrupted::Other(error)) => return Err(error),
                Err(Interrupted::Fault(position)) => {
                    tracing::info!(
                        projection = P::NAME,
                        from = began + 1,
                        to = position,
                        "an event cannot be applied and is searched for"
                    );
                    self.apply_up_to(position).await?;
                    pages = self.pages(end);
                }
            }
        }
        Ok(())
    }

    /// One chunk: as many pages as memory may be used for.
    async fn chunk(&mut self, pages: &mut Pages<P>, end: i64) -> Result<Applied, Interrupted> {
        let mut reached = self.cursor.position;
        let at = |reached| move |error| Interrupted::at(reached, error);
        let mut bulk = Bulk::<P>::begin(&mut self.session, &self.schema, self.cursor)
            .await
            .map_err(at(reached))?;
        while let Some(page) = pages.next().await.map_err(Interrupted::Other)? {
            if self.shutdown.is_cancelled() {
                return Err(Interrupted::Other(RebuildError::CalledOff));
            }
            reached = page.last().map_or(reached, |last| last.event().position);
            bulk.add(&page).await.map_err(at(reached))?;
            (self.progress)(reached, end);
            if bulk.is_full() {
                break;
            }
        }
        bulk.commit().await.map_err(at(reached))
    }

    /// Folds up to the present end of the log, beside whoever appends.
    async fn catch_up(&mut self) -> Result<(), RebuildError> {
        let end = self.reader.head().await?;
        self.apply_up_to(end).await
    }

    async fn apply_up_to(&mut self, end: i64) -> Result<(), RebuildError> {
        let mut pages = self.pages(end);
        while let Some(page) = pages.next().await? {
            if self.shutdown.is_cancelled() {
                return Err(RebuildError::CalledOff);
            }
            let applied = apply_read(&mut self.session, &self.schema, self.cursor, &page).await?;
            self.advance(applied);
            (self.progress)(self.cursor.position, end);
        }
        Ok(())
    }

    fn pages(&self, end: i64) -> Pages<P> {
        Pages::open(self.reader.clone(), self.cursor.position, end)
    }

    const fn advance(&mut self, applied: Applied) {
        self.cursor.position = applied.position;
        self.parked += applied.parked;
    }
}

/// A chunk was not written.
enum Interrupted {
    /// An event up to this position is to blame.
    Fault(i64),
    Other(RebuildError),
}

impl Interrupted {
    fn at(reached: i64, error: BulkError) -> Self {
        match error {
            BulkError::Fault => Self::Fault(reached),
            BulkError::Apply(error) => Self::Other(error.into()),
        }
    }
}
