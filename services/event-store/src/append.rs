//! One batch of commands, one call of the append function, one answer per command.

use std::sync::Arc;

use database::{DatabaseError, ErrorClass, Session};
use events::{Metadata, NewEvent, StreamType};
use uuid::Uuid;

use crate::AppendError;

/// Which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// Kind.
    pub stream: StreamType,
    /// Id.
    pub id: Uuid,
}

/// One command's events on their way into one stream.
#[derive(Debug, Clone)]
pub struct Append {
    /// Where to.
    pub stream: StreamId,
    /// Version the stream must have; 0 for one that does not exist yet.
    pub expected: i64,
    /// Circumstances; `metadata.command_id` is the key under which the answer is kept.
    pub metadata: Metadata,
    /// What happened; may be empty, then only the answer is kept.
    pub events: Vec<NewEvent>,
    /// Whatever the caller wants to be told again when the command is repeated.
    pub result: Option<String>,
}

/// The answer to a command that is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Version of the stream after it.
    pub version: i64,
    /// Position of the last event written, or of the log's end then if it wrote none.
    pub position: i64,
    /// Whether the command had been seen before; then this is the first answer.
    pub duplicate: bool,
    /// What the caller had asked to be told again.
    pub result: Option<String>,
}

pub(crate) type Answer = Result<Appended, AppendError>;

const STATEMENT: &str = "SELECT ordinal, status, new_version, last_position, answer \
     FROM core.append_events($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)";

/// The arrays the append function takes, column by column.
#[derive(Default)]
struct Columns {
    tenant: Vec<Uuid>,
    command: Vec<Uuid>,
    stream: Vec<&'static str>,
    id: Vec<Uuid>,
    expected: Vec<i64>,
    count: Vec<i32>,
    correlation: Vec<Uuid>,
    causation: Vec<Option<Uuid>>,
    actor: Vec<String>,
    metadata: Vec<String>,
    result: Vec<Option<String>>,
    event_command: Vec<i32>,
    event_index: Vec<i32>,
    event_id: Vec<Uuid>,
    event_type: Vec<&'static str>,
    event_version: Vec<String>,
    event_payload: Vec<String>,
}

impl Columns {
    fn of(batch: &[Append]) -> Result<Self, AppendError> {
        let mut columns = Self::default();
        for (ordinal, append) in (1_i32..).zip(batch) {
            columns.push(ordinal, append)?;
        }
        Ok(columns)
    }

    fn push(&mut self, ordinal: i32, append: &Append) -> Result<(), AppendError> {
        let metadata = &append.metadata;
        self.tenant.push(metadata.tenant_id.uuid());
        self.command.push(metadata.command_id.uuid());
        self.stream.push(append.stream.stream.as_str());
        self.id.push(append.stream.id);
        self.expected.push(append.expected);
        self.count
            .push(i32::try_from(append.events.len()).unwrap_or(i32::MAX));
        self.correlation.push(metadata.correlation_id);
        self.causation.push(metadata.causation_id);
        self.actor.push(metadata.actor.clone());
        self.metadata.push(metadata.traceparent.as_ref().map_or_else(
            || "{}".to_owned(),
            |traceparent| serde_json::json!({ "traceparent": traceparent }).to_string(),
        ));
        self.result.push(append.result.clone());
        for (index, new) in (1_i32..).zip(&append.events) {
            self.event_command.push(ordinal);
            self.event_index.push(index);
            self.event_id.push(new.event_id.uuid());
            self.event_type.push(new.event.event_type());
            self.event_version.push(new.event.event_version().to_string());
            self.event_payload.push(
                new.event
                    .to_json()
                    .map_err(|error| AppendError::Encode(Arc::new(error)))?,
            );
        }
        Ok(())
    }
}

/// Appends a batch in which no stream and no command occurs twice.
///
/// # Errors
/// [`AppendError::Unknown`] or [`AppendError::Refused`] for the batch as a whole; it is all in or all out.
pub(crate) async fn append(session: &Session, batch: &[Append]) -> Result<Vec<Answer>, AppendError> {
    let c = Columns::of(batch)?;
    let rows = async {
        let statement = session.prepare_cached(STATEMENT).await?;
        session
            .query(
                &statement,
                &[
                    &c.tenant,
                    &c.command,
                    &c.stream,
                    &c.id,
                    &c.expected,
                    &c.count,
                    &c.correlation,
                    &c.causation,
                    &c.actor,
                    &c.metadata,
                    &c.result,
                    &c.event_command,
                    &c.event_index,
                    &c.event_id,
                    &c.event_type,
                    &c.event_version,
                    &c.event_payload,
                ],
            )
            .await
    }
    .await
    .map_err(|error| failed(error.into()))?;
    let mut answers: Vec<Answer> = vec![Err(AppendError::Closed); batch.len()];
    for row in rows {
        let ordinal: i64 = row.get(0);
        let version: i64 = row.get(2);
        let answer = match row.get::<_, &str>(1) {
            "conflict" => Err(AppendError::Conflict { actual: version }),
            status => Ok(Appended {
                version,
                position: row.get(3),
                duplicate: status == "duplicate",
                result: row.get(4),
            }),
        };
        let slot = usize::try_from(ordinal - 1)
            .ok()
            .and_then(|index| answers.get_mut(index));
        if let Some(slot) = slot {
            *slot = answer;
        }
    }
    Ok(answers)
}

/// Sorts a failure of the batch. Only an answer of the server that names a reason is a refusal; everything
/// else may have been committed.
pub(crate) fn failed(error: DatabaseError) -> AppendError {
    match error.class() {
        ErrorClass::ConnectionLost | ErrorClass::Contention => AppendError::Unknown(Arc::new(error)),
        ErrorClass::UniqueViolation(_) | ErrorClass::Other => AppendError::Refused(Arc::new(error)),
    }
}
