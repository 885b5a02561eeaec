//! A parked stream is caught up in order once the reason is gone: the program can read the event now, or the
//! log makes sense after all. Beside the live fold, whose position it locks and does not move.

use std::panic::AssertUnwindSafe;

use database::Session;
use events::Recorded;
use uuid::Uuid;

use crate::apply::{ApplyError, NEWER, Read, begin, is_fault_of_event, reason_of};
use crate::projection::{Projection, Reading, Rejected};

/// What became of a parked stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unparked {
    /// The stream is not parked.
    NotParked,
    /// All its events are applied.
    All(u64),
    /// It is parked again, at a later event or the same.
    StillParked {
        /// Events applied before.
        applied: u64,
        /// Position of the event that cannot be applied.
        position: i64,
        /// Why.
        reason: String,
    },
    /// `history` lacks an event that waits: read the stream again.
    Incomplete,
}

/// Applies the waiting events of a stream in order. `history` is the stream as the log has it (whole, or from
/// the first waiting event on); what is not waiting is passed over.
///
/// # Errors
/// [`ApplyError::Database`] when the database fails in a way that no event is to blame for; nothing has
/// changed.
pub async fn unpark<P: Projection>(
    session: &mut Session,
    schema: &str,
    stream_id: Uuid,
    history: &[Recorded],
) -> Result<Unparked, ApplyError> {
    let Some(any) = history.first() else {
        return Ok(Unparked::NotParked);
    };
    let (tenant, kind) = (any.metadata.tenant_id.uuid(), any.stream.clone());
    let mut tx = begin(session, schema).await?;
    // Waits for a batch that is being applied, and makes the next one wait.
    tx.execute("SELECT FROM projection WHERE name = $1 FOR UPDATE", &[&P::NAME])
        .await?;
    let waiting: Vec<i64> = tx
        .query(
            "SELECT version FROM parked_events WHERE tenant_id = $1 AND stream_type = $2 AND stream_id = $3 \
              ORDER BY version",
            &[&tenant, &kind, &stream_id],
        )
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    if waiting.is_empty() {
        return Ok(Unparked::NotParked);
    }
    let mut applied = 0;
    for version in waiting {
        let Some(event) = history
            .iter()
            .find(|event| event.version == version && event.stream_id == stream_id)
        else {
            return Ok(Unparked::Incomplete);
        };
        if let Err(reason) = one::<P>(&mut tx, event).await? {
            tx.execute(
                "UPDATE parked_streams SET first_position = $4, first_version = $5, reason = $6 \
                  WHERE tenant_id = $1 AND stream_type = $2 AND stream_id = $3",
                &[
                    &tenant,
                    &kind,
                    &stream_id,
                    &event.position,
                    &event.version,
                    &reason,
                ],
            )
            .await?;
            tx.commit().await?;
            return Ok(Unparked::StillParked {
                applied,
                position: event.position,
                reason,
            });
        }
        tx.execute(
            "DELETE FROM parked_events WHERE tenant_id = $1 AND stream_type = $2 AND stream_id = $3 AND \
               version = $4",
            &[&tenant, &kind, &stream_id, &version],
        )
        .await?;
        applied += 1;
    }
    tx.execute(
        "DELETE FROM parked_streams WHERE tenant_id = $1 AND stream_type = $2 AND stream_id = $3",
        &[&tenant, &kind, &stream_id],
    )
    .await?;
    tx.commit().await?;
    Ok(Unparked::All(applied))
}

/// Applies one event inside a savepoint; the inner error is the reason why it cannot be applied.
async fn one<P: Projection>(
    tx: &mut deadpool_postgres::Transaction<'_>,
    event: &Recorded,
) -> Result<Result<(), String>, ApplyError> {
    let read = Read::<_, P>::of(event);
    let fact = match &read.reading {
        Ok(Reading::Fact(fact)) => fact,
        Ok(Reading::Unknown) => return Ok(Err(NEWER.to_owned())),
        Ok(Reading::Irrelevant) => return Ok(Ok(())),
        Err(reason) => return Ok(Err(reason.clone())),
    };
    let savepoint = tx.transaction().await?;
    let mut rows = P::Rows::default();
    P::load(&mut rows, &savepoint, &[(event, fact)]).await?;
    let folding = AssertUnwindSafe(|| P::fold(&mut rows, event, fact));
    let folded = std::panic::catch_unwind(folding)
        .unwrap_or_else(|_panic| Err(Rejected("the fold panicked".to_owned())));
    if let Err(rejected) = folded {
        savepoint.rollback().await?;
        return Ok(Err(rejected.to_string()));
    }
    match P::store(rows, &savepoint).await {
        Ok(()) => {
            savepoint.commit().await?;
            Ok(Ok(()))
        }
        Err(error) if is_fault_of_event(&error) => {
            savepoint.rollback().await?;
            Ok(Err(reason_of(&error)))
        }
        Err(error) => Err(error.into()),
    }
}
