//! Jobs that were given up, for an operator to look at, to try again or to remove.

use async_nats::header::{HeaderName, HeaderValue};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{Broker, Enqueued, WorkError, WorkQueue, headers, topology};

/// Prefix of every subject in the stream.
const PREFIX: &str = "dead.";

/// A job that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Place in the stream; its id for [`DeadLetters::replay`] and [`DeadLetters::remove`].
    pub sequence: u64,
    /// Subject of the job.
    pub subject: String,
    /// Why it was given up.
    pub reason: String,
    /// How often it had been tried.
    pub deliveries: i64,
    /// The job.
    pub payload: Bytes,
    /// When it was given up.
    pub at: DateTime<Utc>,
}

/// The stream `DEAD`.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    broker: Broker,
}

impl DeadLetters {
    /// Over a link.
    #[must_use]
    pub fn new(broker: &Broker) -> Self {
        Self {
            broker: broker.clone(),
        }
    }

    /// How many letters there are.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`] when the broker is away.
    pub async fn count(&self) -> Result<u64, WorkError> {
        let stream = self.broker.jetstream().get_stream(topology::DEAD).await;
        let stream = stream.map_err(|error| WorkError::Unavailable(Box::new(error)))?;
        Ok(stream.cached_info().state.messages)
    }

    /// Up to `limit` letters behind `after`, oldest first. One request each.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`] when the broker is away.
    pub async fn list(&self, after: u64, limit: usize) -> Result<Vec<DeadLetter>, WorkError> {
        let stream = self.stream().await?;
        let mut letters = Vec::new();
        let mut next = after + 1;
        while letters.len() < limit {
            let found = stream
                .raw_message_builder()
                .sequence(next)
                .next_by_subject("dead.>")
                .send()
                .await;
            let message = match found {
                Ok(message) => message,
                Err(error) if is_no_message(&error.kind()) => break,
                Err(error) => return Err(WorkError::Unavailable(Box::new(error))),
            };
            next = message.sequence + 1;
            letters.push(letter(&message));
        }
        Ok(letters)
    }

    /// Publishes the job of a letter again and removes the letter. `None` when there is no such letter; the
    /// letter stays when the same job is waiting already.
    ///
    /// # Errors
    /// [`WorkError`]; the letter is still there then.
    pub async fn replay(&self, sequence: u64) -> Result<Option<Enqueued>, WorkError> {
        let stream = self.stream().await?;
        let message = match stream.get_raw_message(sequence).await {
            Ok(message) => letter(&message),
            Err(error) if is_no_message(&error.kind()) => return Ok(None),
            Err(error) => return Err(WorkError::Unavailable(Box::new(error))),
        };
        let id = format!("replay-{sequence}-{}", message.at.timestamp_micros());
        let enqueued = WorkQueue::new(&self.broker)
            .publish(&message.subject, message.payload, &id)
            .await?;
        if enqueued != Enqueued::AlreadyWaiting {
            self.remove(sequence).await?;
        }
        Ok(Some(enqueued))
    }

    /// Removes a letter; `false` when there was none.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`] when the broker is away.
    pub async fn remove(&self, sequence: u64) -> Result<bool, WorkError> {
        let stream = self.stream().await?;
        if let Err(error) = stream.get_raw_message(sequence).await
            && is_no_message(&error.kind())
        {
            return Ok(false);
        }
        stream
            .delete_message(sequence)
            .await
            .map_err(|error| WorkError::Unavailable(Box::new(error)))
    }

    async fn stream(&self) -> Result<Stream<()>, WorkError> {
        let stream = self.broker.jetstream().get_stream_no_info(topology::DEAD).await;
        stream.map_err(|error| WorkError::Unavailable(Box::new(error)))
    }
}

fn is_no_message(kind: &RawMessageErrorKind) -> bool {
    matches!(kind, RawMessageErrorKind::NoMessageFound)
}

fn letter(message: &async_nats::jetstream::message::StreamMessage) -> DeadLetter {
    let text = |name: &'static str| {
        message
            .headers
            .get(HeaderName::from_static(name))
            .map_or("", HeaderValue::as_str)
            .to_owned()
    };
    let at = DateTime::from_timestamp(message.time.unix_timestamp(), message.time.nanosecond());
    DeadLetter {
        sequence: message.sequence,
        subject: message
            .subject
            .strip_prefix(PREFIX)
            .unwrap_or(&message.subject)
            .to_owned(),
        reason: text(headers::DEAD_REASON),
        deliveries: text(headers::DELIVERIES).parse().unwrap_or(0),
        payload: message.payload.clone(),
        at: at.unwrap_or_default(),
    }
}

/// A reason as a header: line breaks would end the header.
pub(crate) fn one_line(reason: &str) -> HeaderValue {
    HeaderValue::from(reason.replace(['\r', '\n'], " "))
}
