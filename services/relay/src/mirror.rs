//! Is the stream a copy of the log, and where does it end? Asked before anything is published. The log is the
//! only truth: a stream that cannot be one of its copies is replaced.

use std::fmt;

use async_nats::jetstream::context::{DeleteStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{ErrorCode, stream};
use event_store::{GlobalReader, ReadError};
use messaging::{Broker, TopologyError, async_nats, topology};

use crate::leader::{LeaderError, Leadership};
use crate::publisher::WINDOW;
use crate::verify::{self, VerifyError};

/// Messages at the end of a stream that are compared with the log; no publisher has more on its way.
const TAIL: i64 = WINDOW as i64;

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
    /// A message at its end is not the event of that position.
    Foreign {
        /// Which.
        position: i64,
    },
    /// It refuses, again and again, the event that comes next.
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

/// Looks at the stream and compares its last messages with the log.
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
    let last = signed(info.state.last_sequence);
    if last > head {
        return Ok(Found::Flawed(Flaw::Ahead { last, head }));
    }
    if let Some(flaw) = misshapen(&info) {
        return Ok(Found::Flawed(flaw));
    }
    if info.state.messages == 0 {
        // Made when the log was shorter or longer, or by somebody who does not know the log.
        let usable = last < beginning(head, &info.config);
        return Ok(if usable {
            Found::Copy(copy(&info))
        } else {
            Found::Flawed(Flaw::Emptied)
        });
    }
    // The whole last window: when one foreign message takes the place of an event, the server refuses that
    // event and takes those behind it.
    let first = signed(info.state.first_sequence).max(last - TAIL + 1);
    match verify::range(&found, reader, first, last).await {
        Ok(()) => Ok(Found::Copy(copy(&info))),
        Err(VerifyError::Broker(source)) => Err(MirrorError::Broker(source)),
        Err(VerifyError::Log(source)) => Err(MirrorError::Log(source)),
        Err(
            VerifyError::Foreign { position, .. }
            | VerifyError::Order {
                expected: position, ..
            }
            | VerifyError::Differs { position }
            | VerifyError::Ahead { position },
        ) => Ok(Found::Flawed(Flaw::Foreign { position })),
    }
}

/// What is wrong with a stream that can be seen without looking into it: nothing may be missing between its
/// first and its last message, nor at its beginning except what the declared limit has driven out.
fn misshapen(info: &Info) -> Option<Flaw> {
    let (first, last) = (
        signed(info.state.first_sequence),
        signed(info.state.last_sequence),
    );
    let (messages, fresh) = (
        signed(info.state.messages),
        info.config.first_sequence.map_or(1, signed),
    );
    if messages == 0 {
        return (last + 1 != fresh).then_some(Flaw::Emptied);
    }
    let bounded = info.config.max_messages > 0 && info.config.max_bytes <= 0;
    let begins = fresh.max(last - info.config.max_messages + 1);
    (messages != last - first + 1 || (bounded && first > begins)).then_some(Flaw::Holes)
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
    Ok(copy(info) == known && misshapen(info).is_none())
}

/// Replaces the stream by an empty one whose first message will be the oldest event it can keep. Makes
/// everything else that is declared and missing, because what took one stream away mostly took all.
///
/// # Errors
/// [`MirrorError`]; nothing is replaced when the lock is not held any more.
pub async fn replace(
    broker: &Broker,
    reader: &GlobalReader,
    leadership: &Leadership,
) -> Result<Copy, MirrorError> {
    let mut config = topology::declared_stream(topology::EVENTS)?;
    if let Some(replicas) = broker.replicas() {
        config.num_replicas = replicas;
    }
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
    if let Err(error) = topology::restore_all(broker).await {
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
    let DeleteStreamErrorKind::JetStream(error) = kind else {
        return false;
    };
    error.error_code() == ErrorCode::STREAM_NOT_FOUND
}

fn broken(source: impl std::error::Error + Send + Sync + 'static) -> MirrorError {
    MirrorError::Broker(Box::new(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(max_messages: i64) -> stream::Config {
        stream::Config {
            max_messages,
            ..stream::Config::default()
        }
    }

    #[test]
    fn a_rebuilt_stream_begins_with_the_oldest_event_that_it_can_keep() {
        assert_eq!(beginning(0, &keeps(5)), 1);
        assert_eq!(beginning(5, &keeps(5)), 1);
        assert_eq!(beginning(12, &keeps(5)), 8);
        assert_eq!(beginning(12, &keeps(-1)), 1);
    }
}
