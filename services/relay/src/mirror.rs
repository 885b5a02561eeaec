//! Is the stream a copy of the log, and where does it end? Asked before anything is published. The log is the only
//! truth: a stream that cannot be one of its copies is replaced.

use std::fmt;

use async_nats::jetstream::context::{DeleteStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Info, RawMessageErrorKind, Stream};
use async_nats::jetstream::{ErrorCode, stream};
use event_store::{GlobalReader, ReadError};
use messaging::{Broker, TopologyError, async_nats, headers, topology};

use crate::leader::{LeaderError, Leadership};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The stream could not be looked at or replaced this time.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The broker did not answer or refused.
    #[error("the stream of events cannot be looked at")]
    Broker(#[source] Cause),
    /// The log could not be read.
    #[error("the log cannot be read")]
    Log(#[from] ReadError),
    /// The declaration cannot be applied.
    #[error("the declared streams cannot be made")]
    Topology(#[from] TopologyError),
    /// Another relay leads; this one must not replace anything.
    #[error("the stream is not replaced by a relay that does not lead")]
    NotLeading(#[from] LeaderError),
}

/// Why a stream is no copy of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It does not exist.
    Missing,
    /// It holds nothing, but does not begin where the copy has to.
    Emptied,
    /// It is longer than the log.
    Ahead {
        /// Its last sequence.
        last: i64,
        /// The log's length.
        head: i64,
    },
    /// Messages are missing inside it, or at its beginning.
    Holes,
    /// Its last message is not the event of that position.
    Foreign {
        /// Which.
        position: i64,
    },
    /// It refuses events as repeated that it does not hold.
    Stuck,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Emptied => f.write_str("emptied"),
            Self::Ahead { last, head } => write!(f, "at {last}, ahead of the log at {head}"),
            Self::Holes => f.write_str("messages are missing in it"),
            Self::Foreign { position } => write!(f, "position {position} is another event"),
            Self::Stuck => f.write_str("takes no events"),
        }
    }
}

/// A stream that is a copy of the log, up to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    /// Last position in it.
    pub last: i64,
    /// When the stream was made, in nanoseconds since 1970; another value means another stream.
    pub created: i128,
}

/// What [`examine`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A copy, as far as it goes.
    Copy(Copy),
    /// Something else.
    Flawed(Flaw),
}

/// Looks at the stream and compares its last message with the log.
///
/// # Errors
/// [`MirrorError`] when it cannot be looked at.
pub async fn examine(broker: &Broker, reader: &GlobalReader) -> Result<Found, MirrorError> {
    let found = match broker.jetstream().get_stream(topology::EVENTS).await {
        Ok(found) => found,
        Err(error) if is_missing(&error.kind()) => return Ok(Found::Flawed(Flaw::Missing)),
        Err(error) => return Err(broken(error)),
    };
    let info = found.cached_info().clone();
    // Read after the stream: whatever is in the stream was in the log before.
    let head = reader.head().await?;
    let (first, last) = (
        signed(info.state.first_sequence),
        signed(info.state.last_sequence),
    );
    if last > head {
        return Ok(Found::Flawed(Flaw::Ahead { last, head }));
    }
    if info.state.messages == 0 {
        let fresh = info.config.first_sequence.map_or(1, signed);
        let usable = last + 1 == fresh && fresh <= beginning(head, &info.config);
        return Ok(if usable {
            Found::Copy(copy(&info))
        } else {
            Found::Flawed(Flaw::Emptied)
        });
    }
    let begins = info
        .config
        .first_sequence
        .map_or(1, signed)
        .max(last - info.config.max_messages + 1);
    let bounded = info.config.max_messages > 0 && info.config.max_bytes <= 0;
    if signed(info.state.messages) != last - first + 1 || (bounded && first > begins) {
        return Ok(Found::Flawed(Flaw::Holes));
    }
    if is_the_event(&found, reader, last).await? {
        Ok(Found::Copy(copy(&info)))
    } else {
        Ok(Found::Flawed(Flaw::Foreign { position: last }))
    }
}

/// Whether the stream is still the one described, ending where it did. Asks the broker once.
///
/// # Errors
/// [`MirrorError::Broker`] when it cannot be asked.
pub async fn unchanged(broker: &Broker, known: Copy) -> Result<bool, MirrorError> {
    let found = match broker.jetstream().get_stream(topology::EVENTS).await {
        Ok(found) => found,
        Err(error) if is_missing(&error.kind()) => return Ok(false),
        Err(error) => return Err(broken(error)),
    };
    let info = found.cached_info();
    let holds = signed(info.state.messages) == known.last - signed(info.state.first_sequence) + 1;
    Ok(copy(info) == known && holds)
}

/// Replaces the stream by an empty one whose first message will be the oldest event it can keep. Makes everything
/// else that is declared and missing, because what took one stream away mostly took all.
///
/// # Errors
/// [`MirrorError`]; nothing is replaced when the lock is not held any more.
pub async fn replace(
    broker: &Broker,
    reader: &GlobalReader,
    leadership: &Leadership,
) -> Result<Copy, MirrorError> {
    let mut config = topology::declared_stream(topology::EVENTS)?;
    let head = reader.head().await?;
    let from = beginning(head, &config);
    config.first_sequence = (from > 1).then_some(unsigned(from));
    leadership.confirm().await?;
    match broker.jetstream().delete_stream(topology::EVENTS).await {
        Ok(_) => {}
        Err(error) if is_gone(&error.kind()) => {}
        Err(error) => return Err(broken(error)),
    }
    let made = broker.jetstream().create_stream(config).await.map_err(broken)?;
    let made = copy(made.cached_info());
    if let Err(error) = topology::apply(broker).await {
        // Somebody else's stream differs; that stops its users, not the events.
        tracing::warn!(%error, "not everything is as declared");
    }
    Ok(made)
}

/// The oldest position that a rebuilt stream holds.
fn beginning(head: i64, config: &stream::Config) -> i64 {
    if config.max_messages > 0 {
        (head - config.max_messages + 1).max(1)
    } else {
        1
    }
}

async fn is_the_event(stream: &Stream, reader: &GlobalReader, position: i64) -> Result<bool, MirrorError> {
    let message = match stream.get_raw_message(unsigned(position)).await {
        Ok(message) => message,
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(false),
        Err(error) => return Err(broken(error)),
    };
    let stored = reader.read_after(position - 1, 1).await?;
    let Some(stored) = stored.first() else {
        return Ok(false);
    };
    let id = message
        .headers
        .get(headers::MESSAGE_ID)
        .map(async_nats::HeaderValue::as_str);
    Ok(id == Some(stored.event_id.to_string().as_str())
        && headers::position(&message.headers).is_ok_and(|carried| carried == position))
}

fn copy(info: &Info) -> Copy {
    Copy {
        last: signed(info.state.last_sequence),
        created: info.created.unix_timestamp_nanos(),
    }
}

fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn unsigned(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_gone(kind: &DeleteStreamErrorKind) -> bool {
    matches!(kind, DeleteStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn broken(source: impl std::error::Error + Send + Sync + 'static) -> MirrorError {
    MirrorError::Broker(Box::new(source))
}
