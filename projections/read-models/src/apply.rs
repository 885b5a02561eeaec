//! A batch of events becomes rows and a position, in one transaction. The position is moved first, by a
//! statement that only the current holder of the fence can make succeed; everything after it is known to be
//! alone.
//!
//! An event whose payload cannot be read or folded parks its stream: the event and all that follow in the
//! stream wait in order, everybody else goes on. A batch that the database itself refuses is cut in halves
//! until the one event is found.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::Range;
use std::panic::AssertUnwindSafe;

use chrono::{DateTime, Utc};
use database::{DatabaseError, Session};
use deadpool_postgres::Transaction;
use events::Recorded;
use futures_util::join;
use uuid::Uuid;

use crate::erasure::Erasure;
use crate::projection::{Projection, Reading, cause_of, write_rows};

/// Where a holder of a projection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Position of the last event applied.
    pub position: i64,
    /// Fence; raised by every new holder.
    pub epoch: i64,
}

/// Why a stream is parked whose event this program does not know. Passed over, the event would be missing
/// from the rows for ever; the next program that knows it catches the stream up.
pub(crate) const NEWER: &str = "the event was written by a newer program";

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Position of the last event applied.
    pub position: i64,
    /// Events folded.
    pub folded: u64,
    /// Events of a type or version this program does not know; in streams that it knows they park the stream.
    pub unknown: u64,
    /// Events that now wait in a parked stream.
    pub parked: u64,
}

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else holds the projection, or it was swapped for a rebuilt one.
    #[error("the projection `{0}` is held by somebody else")]
    Fenced(&'static str),
    /// The batch does not continue the cursor.
    #[error("expected position {expected}, found {found}")]
    Gap {
        /// Position that should come.
        expected: i64,
        /// Position that came.
        found: i64,
    },
    /// The database failed in a way that no event is to blame for.
    #[error("the read model cannot be written")]
    Database(#[source] DatabaseError),
}

impl From<tokio_postgres::Error> for ApplyError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Name of a stream inside a projection.
pub(crate) type StreamKey = (Uuid, String, Uuid);

/// An event and what it is to the projection. Reading needs no database, so a rebuild reads the next batch
/// while this one is being written.
pub struct Read<E, P: Projection> {
    event: E,
    /// Or why it cannot be read.
    pub(crate) reading: Result<Reading<P::Fact>, String>,
}

impl<E: Borrow<Recorded>, P: Projection> Read<E, P> {
    /// Reads the event. One whose reading panics is one that cannot be read.
    #[must_use]
    pub fn of(event: E) -> Self {
        let reading = std::panic::catch_unwind(AssertUnwindSafe(|| P::read(event.borrow())));
        let reading = match reading {
            Ok(reading) => reading.map_err(|error| chain(&error)),
            Err(_panic) => Err("reading it panicked".to_owned()),
        };
        Self { event, reading }
    }

    /// The event.
    pub fn event(&self) -> &Recorded {
        self.event.borrow()
    }
}

/// Applies `batch`, which must continue `cursor` without a gap, to the copy in `schema`.
///
/// # Errors
/// [`ApplyError`]. After an error the cursor has to be read anew: a part of the batch may be in.
pub async fn apply<P: Projection>(
    session: &mut Session,
    schema: &str,
    cursor: Cursor,
    batch: &[Recorded],
) -> Result<Applied, ApplyError> {
    let read: Vec<Read<&Recorded, P>> = batch.iter().map(Read::of).collect();
    apply_read(session, schema, cursor, &read).await
}

/// As [`apply`], for events that were read already.
///
/// # Errors
/// As [`apply`].
pub async fn apply_read<E: Borrow<Recorded> + Sync, P: Projection>(
    session: &mut Session,
    schema: &str,
    cursor: Cursor,
    read: &[Read<E, P>],
) -> Result<Applied, ApplyError> {
    for (expected, read) in (cursor.position + 1..).zip(read) {
        let found = read.event().position;
        if found != expected {
            return Err(ApplyError::Gap { expected, found });
        }
    }
    let mut done = Applied {
        position: cursor.position,
        ..Applied::default()
    };
    let mut pieces = VecDeque::new();
    pieces.push_back(0..read.len());
    while let Some(piece) = pieces.pop_front() {
        if piece.is_empty() {
            continue;
        }
        let here = Cursor {
            position: done.position,
            epoch: cursor.epoch,
        };
        match attempt(session, schema, here, &read[piece.clone()], None).await {
            Ok(part) => done.add(part),
            Err(Failure::Fault(reason)) => {
                if let Some((first, second)) = halves(&piece) {
                    pieces.push_front(second);
                    pieces.push_front(first);
                } else {
                    let parked = attempt(session, schema, here, &read[piece], Some(&reason)).await;
                    done.add(parked.map_err(Failure::into_error)?);
                }
            }
            Err(failure) => return Err(failure.into_error()),
        }
    }
    Ok(done)
}

/// Why a transaction was rolled back.
enum Failure {
    /// One of its events is to blame, for this reason.
    Fault(String),
    /// No event is.
    Other(ApplyError),
}

impl Failure {
    fn into_error(self) -> ApplyError {
        match self {
            Self::Fault(reason) => ApplyError::Database(DatabaseError::Unsuitable(reason)),
            Self::Other(error) => error,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        if is_fault_of_event(&error) {
            Self::Fault(reason_of(&error))
        } else {
            Self::Other(error.into())
        }
    }
}

impl Applied {
    fn add(&mut self, part: Self) {
        self.position = part.position;
        self.folded += part.folded;
        self.unknown += part.unknown;
        self.parked += part.parked;
    }
}

fn halves(piece: &Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    (piece.len() > 1).then(|| {
        let middle = piece.start + piece.len() / 2;
        (piece.start..middle, middle..piece.end)
    })
}

/// One transaction. `refused` parks the (only) event for this reason without trying it.
async fn attempt<E: Borrow<Recorded> + Sync, P: Projection>(
    session: &mut Session,
    schema: &str,
    cursor: Cursor,
    batch: &[Read<E, P>],
    refused: Option<&str>,
) -> Result<Applied, Failure> {
    let Some(last) = batch.last().map(Read::event) else {
        return Ok(unmoved(cursor));
    };
    let tx = begin(session, schema).await?;
    let mut rows = P::Rows::default();
    let facts = if refused.is_none() {
        facts(batch)
    } else {
        Vec::new()
    };
    // All on their way together; what is read for somebody who is fenced is thrown away.
    let (moved, parked, loaded) = join!(
        set_position::<P>(&tx, cursor, last.position, last.recorded_at),
        Parking::load(&tx),
        P::load(&mut rows, &tx, &facts)
    );
    let (moved, mut parking) = match (moved, parked) {
        (Ok(moved), Ok(parking)) => {
            loaded?;
            (moved, parking)
        }
        (moved, parked) => {
            cause_of([moved.map(drop), parked.map(drop), loaded])?;
            return Ok(unmoved(cursor));
        }
    };
    if !moved {
        return Err(Failure::Other(ApplyError::Fenced(P::NAME)));
    }
    let mut done = Applied {
        position: last.position,
        ..Applied::default()
    };
    if let Some(reason) = refused {
        for read in batch {
            parking.park(read.event(), reason.to_owned());
        }
    } else {
        // A fold that panics has left the rows in pieces; they go with the transaction, and the event is
        // searched for like one that the database refuses.
        let folding = AssertUnwindSafe(|| {
            for read in batch {
                fold_one::<E, P>(&mut rows, &mut parking, &mut done, read);
            }
        });
        if std::panic::catch_unwind(folding).is_err() {
            return Err(Failure::Fault("the fold panicked".to_owned()));
        }
        P::store(rows, &tx).await?;
    }
    done.parked = parking.store(&tx).await?;
    tx.commit().await?;
    Ok(done)
}

/// What became of no events.
fn unmoved(cursor: Cursor) -> Applied {
    Applied {
        position: cursor.position,
        ..Applied::default()
    }
}

pub(crate) fn facts<E: Borrow<Recorded>, P: Projection>(batch: &[Read<E, P>]) -> Vec<(&Recorded, &P::Fact)> {
    batch
        .iter()
        .filter_map(|read| match &read.reading {
            Ok(Reading::Fact(fact)) => Some((read.event(), fact)),
            _ => None,
        })
        .collect()
}

/// Moves the position on from the cursor. Whether the cursor's holder still holds the projection.
pub(crate) async fn set_position<P: Projection>(
    tx: &Transaction<'_>,
    cursor: Cursor,
    position: i64,
    recorded_at: DateTime<Utc>,
) -> Result<bool, tokio_postgres::Error> {
    let statement = tx
        .prepare_cached(
            "UPDATE projection SET position = $3, updated_at = $4 WHERE name = $1 AND position = $2 AND \
               epoch = $5",
        )
        .await?;
    let moved = tx
        .execute(
            &statement,
            &[&P::NAME, &cursor.position, &position, &recorded_at, &cursor.epoch],
        )
        .await?;
    Ok(moved > 0)
}

pub(crate) fn fold_one<E: Borrow<Recorded>, P: Projection>(
    rows: &mut P::Rows,
    parking: &mut Parking,
    done: &mut Applied,
    read: &Read<E, P>,
) {
    let event = read.event();
    if parking.erasure.takes(event) {
        return;
    }
    if parking.holds(event) {
        parking.add(event);
        return;
    }
    match &read.reading {
        Ok(Reading::Fact(fact)) => match P::fold(rows, event, fact) {
            Ok(()) => done.folded += 1,
            Err(rejected) => parking.park(event, rejected.to_string()),
        },
        Ok(Reading::Irrelevant) => {}
        Ok(Reading::Unknown) => {
            done.unknown += 1;
            // A kind of stream that this program does not know is none of its rows' concern.
            if event.stream_type().is_some() {
                parking.park(event, NEWER.to_owned());
            }
        }
        Err(reason) => parking.park(event, reason.clone()),
    }
}

/// Begins a transaction of a fold. Plans are nested loops over keys, and made anew for every batch: one that
/// was kept from when the tables were empty looks a product up through an index that knows only its tenant,
/// and reads all of the tenant's rows for every key. Nothing needs to be on disk before the log's own copy
/// is, since a lost tail is folded again.
pub(crate) async fn begin<'s>(
    session: &'s mut Session,
    schema: &str,
) -> Result<Transaction<'s>, tokio_postgres::Error> {
    let tx = session.transaction().await?;
    let statement = tx
        .prepare_cached(
            "SELECT set_config('search_path', $1, true), set_config('synchronous_commit', 'off', true), \
                    set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), \
                    set_config('enable_mergejoin', 'off', true), \
                    set_config('plan_cache_mode', 'force_custom_plan', true)",
        )
        .await?;
    tx.execute(&statement, &[&schema]).await?;
    Ok(tx)
}

/// What the frame keeps back from the fold: streams that are parked, tenants that were erased, and what this
/// batch adds to them.
#[derive(Default)]
pub(crate) struct Parking {
    erasure: Erasure,
    held: HashSet<StreamKey>,
    streams: BTreeMap<StreamKey, (i64, i64, String)>,
    events: Vec<(StreamKey, i64, i64, String)>,
}

impl Parking {
    pub(crate) async fn load(tx: &Transaction<'_>) -> Result<Self, tokio_postgres::Error> {
        let statement = tx
            .prepare_cached("SELECT tenant_id, stream_type, stream_id FROM parked_streams")
            .await?;
        let mut parking = Self {
            erasure: Erasure::load(tx).await?,
            ..Self::default()
        };
        for row in tx.query(&statement, &[]).await? {
            parking
                .held
                .insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        }
        Ok(parking)
    }

    /// Events that were added.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    fn holds(&self, event: &Recorded) -> bool {
        !self.held.is_empty() && self.held.contains(&key(event))
    }

    fn park(&mut self, event: &Recorded, reason: String) {
        if self.held.insert(key(event)) {
            self.streams
                .insert(key(event), (event.position, event.version, reason));
        }
        self.add(event);
    }

    fn add(&mut self, event: &Recorded) {
        self.events.push((
            key(event),
            event.version,
            event.position,
            event.event_type.clone(),
        ));
    }

    pub(crate) async fn store(self, tx: &Transaction<'_>) -> Result<u64, tokio_postgres::Error> {
        let streams: Vec<_> = self.streams.into_iter().collect();
        write_rows!(
            tx,
            &streams,
            "INSERT INTO parked_streams (tenant_id, stream_type, stream_id, first_position, first_version, \
               reason) \
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], \
             $6::text[])",
            |((tenant, kind, id), (position, version, reason))| *tenant,
            kind.as_str(),
            *id,
            *position,
            *version,
            reason.as_str()
        );
        write_rows!(
            tx,
            &self.events,
            "INSERT INTO parked_events (tenant_id, stream_type, stream_id, version, position, event_type) \
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], \
             $6::text[])",
            |((tenant, kind, id), version, position, event_type)| *tenant,
            kind.as_str(),
            *id,
            *version,
            *position,
            event_type.as_str()
        );
        // Waiting is over for the streams of whoever is gone.
        let erasure = self.erasure;
        let parked = self.events.iter().filter(|(key, ..)| !erasure.has(key.0)).count();
        erasure.store(tx).await?;
        Ok(parked as u64)
    }
}

fn key(event: &Recorded) -> StreamKey {
    (
        event.metadata.tenant_id.uuid(),
        event.stream.clone(),
        event.stream_id,
    )
}

/// Whether the database refused what an event says, as opposed to having trouble of its own: data exceptions
/// (22), cardinality (21), integrity (23) and program limits (54) of the SQL standard's classes.
pub(crate) fn is_fault_of_event(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|db| matches!(db.code().code().get(..2), Some("21" | "22" | "23" | "54")))
}

/// The refusal in the database's words, without the row it quotes.
pub(crate) fn reason_of(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || chain(error),
        |db| format!("{} ({})", db.message(), db.code().code()),
    )
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    // A reason is shown and stored; a NUL from a payload would make it unstorable.
    text.replace('\0', "")
}
