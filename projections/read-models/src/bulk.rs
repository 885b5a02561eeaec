//! The fold of a rebuild: page after page into rows that stay in memory, written once when they are many or
//! the log has ended. While a copy is empty and nobody else sees it, its rows are streamed in by `COPY` and
//! nothing has to be read back; what no later event changes (the history) is streamed out page by page.
//!
//! What this holds is bounded: [`MOST_ROWS`] rows, some hundred bytes each, and the page at hand. A log
//! that touches more is folded in several such chunks, of which all but the first look up what they touch.
//!
//! Nothing is repaired here. When the database refuses a chunk, or its fold panics, the chunk is gone with
//! its transaction, and [`crate::apply`] goes through the same events and finds the one to blame.

use std::borrow::Borrow;
use std::panic::AssertUnwindSafe;

use chrono::{DateTime, Utc};
use database::Session;
use deadpool_postgres::Transaction;
use events::Recorded;

use crate::apply::{
    Applied, ApplyError, Cursor, Parking, Read, begin, facts, fold_one, is_fault_of_event, set_position,
};
use crate::projection::Projection;

/// Rows in memory before they are written, about 100 MB of them.
const MOST_ROWS: usize = 250_000;

/// Why a chunk was not written.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// One of its events is to blame: apply them one batch at a time.
    #[error("an event of the chunk cannot be applied")]
    Fault,
    /// No event is.
    #[error("the chunk cannot be written")]
    Apply(#[from] ApplyError),
}

impl From<tokio_postgres::Error> for BulkError {
    fn from(error: tokio_postgres::Error) -> Self {
        if is_fault_of_event(&error) {
            Self::Fault
        } else {
            Self::Apply(error.into())
        }
    }
}

/// A chunk of the log on its way into a copy that nobody else sees. Dropped, it leaves no trace.
pub struct Bulk<'s, P: Projection> {
    tx: Transaction<'s>,
    cursor: Cursor,
    rows: P::Rows,
    parking: Parking,
    done: Applied,
    recorded_at: Option<DateTime<Utc>>,
}

impl<'s, P: Projection> Bulk<'s, P> {
    /// Begins a chunk behind `cursor`.
    ///
    /// # Errors
    /// [`BulkError::Apply`] when the database fails.
    pub async fn begin(session: &'s mut Session, schema: &str, cursor: Cursor) -> Result<Self, BulkError> {
        let tx = begin(session, schema).await?;
        let parking = Parking::load(&tx).await?;
        Ok(Self {
            tx,
            cursor,
            rows: P::Rows::default(),
            parking,
            done: Applied {
                position: cursor.position,
                ..Applied::default()
            },
            recorded_at: None,
        })
    }

    /// Folds a page, which must continue the one before.
    ///
    /// # Errors
    /// [`BulkError`]; the chunk is of no use any more.
    pub async fn add<E: Borrow<Recorded> + Sync>(&mut self, page: &[Read<E, P>]) -> Result<(), BulkError> {
        if !self.begins_empty() {
            P::load(&mut self.rows, &self.tx, &facts(page)).await?;
        }
        for (expected, read) in (self.done.position + 1..).zip(page) {
            let found = read.event().position;
            if found != expected {
                return Err(ApplyError::Gap { expected, found }.into());
            }
        }
        let (rows, parking, done) = (&mut self.rows, &mut self.parking, &mut self.done);
        let folding = AssertUnwindSafe(|| {
            for read in page {
                fold_one::<E, P>(rows, parking, done, read);
            }
        });
        if std::panic::catch_unwind(folding).is_err() {
            return Err(BulkError::Fault);
        }
        if let Some(last) = page.last().map(Read::event) {
            self.done.position = last.position;
            self.recorded_at = Some(last.recorded_at);
        }
        Ok(P::spill(&mut self.rows, &self.tx).await?)
    }

    /// Whether it has to be written now.
    pub fn is_full(&self) -> bool {
        P::held(&self.rows).saturating_add(self.parking.len()) >= MOST_ROWS
    }

    /// Position of the last event folded.
    pub const fn position(&self) -> i64 {
        self.done.position
    }

    /// Writes the rows and the position.
    ///
    /// # Errors
    /// [`BulkError`]; nothing is written then.
    pub async fn commit(mut self) -> Result<Applied, BulkError> {
        let Some(recorded_at) = self.recorded_at else {
            return Ok(self.done);
        };
        if !set_position::<P>(&self.tx, self.cursor, self.done.position, recorded_at).await? {
            return Err(ApplyError::Fenced(P::NAME).into());
        }
        let empty = self.begins_empty();
        P::fill(self.rows, &self.tx, empty).await?;
        self.done.parked = self.parking.store(&self.tx).await?;
        self.tx.commit().await?;
        Ok(self.done)
    }

    const fn begins_empty(&self) -> bool {
        self.cursor.position == 0
    }
}
