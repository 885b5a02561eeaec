//! Reads the whole stream and compares it with the log, event by event: for the audit, and for tests that
//! have just done their worst to both.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{Message, consumer};
use event_store::{GlobalReader, ReadError};
use events::Recorded;
use futures_util::StreamExt;
use messaging::headers::{self, HeaderError};
use messaging::{Broker, async_nats, topology};

/// Events compared at a time.
const PAGE: i64 = 1_000;
/// A broker that lets one message wait for so long is taken for broken.
const PATIENCE: Duration = Duration::from_secs(5);

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The stream is a copy of the log from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// First position in the stream; one more than `last` when it is empty.
    pub first: i64,
    /// Last position in the stream.
    pub last: i64,
    /// Length of the log, read before the stream; `last` is at least this when the copy is complete.
    pub head: i64,
}

/// The stream is no copy of the log, or could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The broker did not answer or refused.
    #[error("the stream cannot be read")]
    Broker(#[source] Cause),
    /// The log could not be read.
    #[error("the log cannot be read")]
    Log(#[from] ReadError),
    /// A message is no event.
    #[error("the message at position {position} is no event")]
    Foreign {
        /// Where.
        position: i64,
        /// Why.
        #[source]
        source: HeaderError,
    },
    /// The stream is not dense, or not in order.
    #[error("position {expected} should come next, and {found} came at sequence {sequence}")]
    Order {
        /// Position that should have come.
        expected: i64,
        /// Position that came.
        found: i64,
        /// Where.
        sequence: u64,
    },
    /// An event differs from the log.
    #[error("position {position} differs from the log")]
    Differs {
        /// Which.
        position: i64,
    },
    /// The stream is longer than the log.
    #[error("position {position} is not in the log")]
    Ahead {
        /// First one too many.
        position: i64,
    },
}

/// Compares everything in the stream with the log.
///
/// # Errors
/// [`VerifyError`] for the first difference.
pub async fn verify(broker: &Broker, reader: &GlobalReader) -> Result<Verified, VerifyError> {
    let head = reader.head().await?;
    let stream = broker
        .jetstream()
        .get_stream(topology::EVENTS)
        .await
        .map_err(broken)?;
    let state = &stream.cached_info().state;
    let first = i64::try_from(state.first_sequence).unwrap_or(i64::MAX).max(1);
    let last = i64::try_from(state.last_sequence).unwrap_or(i64::MAX);
    let mut verified = Verified {
        first,
        last: first - 1,
        head,
    };
    if state.messages == 0 {
        return Ok(verified);
    }
    range(&stream, reader, first, last).await?;
    verified.last = last;
    Ok(verified)
}

/// Compares the messages at the positions `first` to `last` with the log.
///
/// # Errors
/// [`VerifyError`] for the first difference.
pub(crate) async fn range(
    stream: &Stream,
    reader: &GlobalReader,
    first: i64,
    last: i64,
) -> Result<(), VerifyError> {
    let start_sequence = u64::try_from(first).unwrap_or(1);
    let deliver_policy = DeliverPolicy::ByStartSequence { start_sequence };
    let consumer: consumer::Consumer<OrderedConfig> = stream
        .create_consumer(OrderedConfig {
            deliver_policy,
            ..OrderedConfig::default()
        })
        .await
        .map_err(broken)?;
    let mut messages = consumer.messages().await.map_err(broken)?;
    let mut done = first - 1;
    while done < last {
        let stored = reader.read_after(done, PAGE.min(last - done)).await?;
        if stored.is_empty() {
            return Err(VerifyError::Ahead { position: done + 1 });
        }
        for event in &stored {
            compare(event, &next(&mut messages).await?)?;
            done = event.position;
        }
    }
    Ok(())
}

async fn next(messages: &mut Ordered) -> Result<Message, VerifyError> {
    match tokio::time::timeout(PATIENCE, messages.next()).await {
        Ok(Some(Ok(message))) => Ok(message),
        Ok(Some(Err(error))) => Err(broken(error)),
        Err(elapsed) => Err(broken(elapsed)),
        Ok(None) => Err(VerifyError::Broker("the stream ended early".into())),
    }
}

fn compare(stored: &Recorded, message: &Message) -> Result<(), VerifyError> {
    let sequence = message.info().map_err(VerifyError::Broker)?.stream_sequence;
    let none = async_nats::HeaderMap::new();
    let fields = message.headers.as_ref().unwrap_or(&none);
    let foreign = |source| VerifyError::Foreign {
        position: stored.position,
        source,
    };
    let position = headers::position(fields).map_err(foreign)?;
    if position != stored.position || i64::try_from(sequence) != Ok(position) {
        return Err(VerifyError::Order {
            expected: stored.position,
            found: position,
            sequence,
        });
    }
    let same = match headers::from_message(&message.subject, fields, &message.payload) {
        Ok(event) => event == *stored,
        Err(HeaderError::PayloadInStore(_)) => {
            let id = fields
                .get(headers::MESSAGE_ID)
                .map(async_nats::HeaderValue::as_str);
            id == Some(stored.event_id.to_string().as_str())
        }
        Err(source) => return Err(foreign(source)),
    };
    if same {
        Ok(())
    } else {
        Err(VerifyError::Differs { position })
    }
}

fn broken(source: impl std::error::Error + Send + Sync + 'static) -> VerifyError {
    VerifyError::Broker(Box::new(source))
}
