//! Events in order, with the least latency. The consumer in the broker knows nothing that matters: the
//! reader's own position is the truth. So it is made new whenever it is opened, after every error, and when
//! stream or consumer have vanished, each time from the last event handed out.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{AckKind, Message};
use events::Recorded;
use futures_util::{FutureExt, StreamExt};

use crate::headers::{self, HeaderError};
use crate::{Broker, topology};

/// Pull requests are renewed this often.
const EXPIRES: Duration = Duration::from_secs(5);
/// The broker says that often that it is still there; two missing ones end the link to the consumer.
const HEARTBEAT: Duration = Duration::from_millis(1_500);
/// Messages asked for in one pull request.
const PULL_BATCH: usize = 1_000;
/// Unacknowledged messages before the broker stops sending.
const MAX_ACK_PENDING: i64 = 20_000;
/// The broker forgets a consumer that nobody has used for so long.
const INACTIVE: Duration = Duration::from_secs(3_600);
/// Pause after a failure, so that a caller in a loop does not spin while the broker is away.
const PAUSE: Duration = Duration::from_millis(250);

/// No events could be fetched this time; the next call tries again from the same place.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The broker, the stream or the consumer is away. Read from the store meanwhile.
    #[error("no events can be read from the broker at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A message in the stream is no event, or holds none because it is too large. It is skipped; read from
    /// the store.
    #[error("a message in EVENTS holds no event")]
    Foreign(#[source] HeaderError),
}

/// A reader of the stream `EVENTS`. Delivery is at least once: after an error or a rebuilt stream events come
/// again, and a rebuilt stream may begin later than asked. The reader checks positions and fills holes from
/// the store.
pub struct EventsConsumer {
    broker: Broker,
    durable: String,
    after: i64,
    live: Option<pull::Stream>,
    unacknowledged: Option<Message>,
    /// What to report by the next call, after the events that came before it.
    foreign: Option<ConsumeError>,
}

impl std::fmt::Debug for EventsConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventsConsumer")
            .field("durable", &self.durable)
            .field("after", &self.after)
            .field("live", &self.live.is_some())
            .finish_non_exhaustive()
    }
}

impl EventsConsumer {
    /// Prepares a consumer named `durable` (letters, digits, `_`, `-`; one active reader per name) that
    /// begins behind `start_after`. Asks nothing of the broker yet.
    #[must_use]
    pub fn open(broker: &Broker, durable: &str, start_after: i64) -> Self {
        Self {
            broker: broker.clone(),
            durable: durable.to_owned(),
            after: start_after,
            live: None,
            unacknowledged: None,
            foreign: None,
        }
    }

    /// Starts over behind `position`, for a reader that has found more in the store.
    pub fn restart(&mut self, position: i64) {
        self.after = position;
        self.live = None;
        self.unacknowledged = None;
        self.foreign = None;
    }

    /// Waits up to `wait` for an event, then takes all that are there, at most `max`. Empty when none came.
    /// Events are in the order of the stream. Cancelling loses nothing that is not delivered again or in the
    /// store.
    ///
    /// # Errors
    /// [`ConsumeError`]; the caller goes on with the store and calls again.
    pub async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Recorded>, ConsumeError> {
        if let Some(foreign) = self.foreign.take() {
            return Err(foreign);
        }
        let mut batch = Vec::new();
        let first = tokio::time::timeout(wait, self.next_message()).await;
        let Ok(first) = first else { return Ok(batch) };
        match first {
            Ok(message) => self.take(message, &mut batch)?,
            Err(error) => {
                self.live = None;
                tokio::time::sleep(PAUSE.min(wait)).await;
                return Err(error);
            }
        }
        while batch.len() < max {
            let Some(live) = &mut self.live else { break };
            match live.next().now_or_never() {
                Some(Some(Ok(message))) => {
                    if let Err(error) = self.take(message, &mut batch) {
                        // What came before is good.
                        self.foreign = Some(error);
                        break;
                    }
                }
                Some(Some(Err(error))) => {
                    tracing::debug!(%error, consumer = %self.durable, "consumer is made new");
                    self.live = None;
                }
                Some(None) => self.live = None,
                None => break,
            }
        }
        Ok(batch)
    }

    /// Tells the broker that everything handed out is done with. Only housekeeping: nothing depends on its
    /// arrival.
    ///
    /// # Errors
    /// [`ConsumeError::Unavailable`] when the link is closed for good.
    pub async fn ack_all(&mut self) -> Result<(), ConsumeError> {
        match self.unacknowledged.take() {
            Some(message) => message
                .ack_with(AckKind::Ack)
                .await
                .map_err(ConsumeError::Unavailable),
            None => Ok(()),
        }
    }

    async fn next_message(&mut self) -> Result<Message, ConsumeError> {
        loop {
            let live = match &mut self.live {
                Some(live) => live,
                None => {
                    let made = make(&self.broker, &self.durable, self.after).await;
                    self.live.insert(made.map_err(ConsumeError::Unavailable)?)
                }
            };
            match live.next().await {
                Some(Ok(message)) => return Ok(message),
                Some(Err(error)) => return Err(ConsumeError::Unavailable(Box::new(error))),
                None => self.live = None,
            }
        }
    }

    fn take(&mut self, message: Message, batch: &mut Vec<Recorded>) -> Result<(), ConsumeError> {
        let none = async_nats::HeaderMap::new();
        let read = headers::from_message(
            &message.subject,
            message.headers.as_ref().unwrap_or(&none),
            &message.payload,
        );
        self.unacknowledged = Some(message);
        let event = read.map_err(ConsumeError::Foreign)?;
        self.after = event.position;
        batch.push(event);
        Ok(())
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

async fn make(broker: &Broker, durable: &str, after: i64) -> Result<pull::Stream, Cause> {
    let stream = broker.jetstream().get_stream_no_info(topology::EVENTS).await?;
    match stream.delete_consumer(durable).await {
        Ok(_) => {}
        Err(error) => tracing::trace!(%error, durable, "no consumer to replace"),
    }
    // Sequence = position, so the next event has the next sequence; see nats/README.md.
    let start_sequence = u64::try_from(after).unwrap_or(0).saturating_add(1);
    let config = pull::Config {
        durable_name: Some(durable.to_owned()),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ack_policy: AckPolicy::All,
        ack_wait: Duration::from_secs(60),
        max_ack_pending: MAX_ACK_PENDING,
        inactive_threshold: INACTIVE,
        ..pull::Config::default()
    };
    let consumer: consumer::PullConsumer = stream.create_consumer(config).await?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(PULL_BATCH)
        .expires(EXPIRES)
        .heartbeat(HEARTBEAT)
        .messages()
        .await?;
    Ok(messages)
}
