//! Jobs that survive their worker. At most one job per subject exists, waiting or running. A job whose worker
//! has died comes again; one that can never succeed leaves the queue for `DEAD`, with the reason.

mod place;

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Message, context::PublishErrorKind};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;

pub use place::QueueState;

use crate::dead;
use crate::{Broker, TopologyError, headers, topology};

/// One pull request waits at most this long for a job.
const EXPIRES: Duration = Duration::from_secs(5);
/// And at least this long.
const SHORTEST: Duration = Duration::from_millis(50);
/// The broker ends a request without a job itself; later than this it is taken for gone.
const GRACE: Duration = Duration::from_secs(2);
/// An acknowledgement is confirmed within this time or counts as lost.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a consumer that brings no jobs is asked whether it still knows its place.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// A subject may hold one job; the server words its refusal so (`ErrMaxMsgsPerSubject`, error code 10077).
const ONE_PER_SUBJECT: &str = "maximum messages per subject exceeded";

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The queue could not be used this time.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The broker did not answer or refused. Whether a job was taken over is unknown: publish again with the
    /// same id.
    #[error("the work queue cannot be reached")]
    Unavailable(#[source] Cause),
    /// The queue is not as declared and could not be made so.
    #[error("the work queue is not as declared")]
    Topology(#[source] TopologyError),
    /// The acknowledgement was not confirmed; the job may come again.
    #[error("the end of a job was not confirmed")]
    Unconfirmed(#[source] Cause),
}

/// What became of a published job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the queue.
    Published,
    /// The same message id was published within the last two minutes; nothing was added.
    Repeated,
    /// A job with this subject is waiting or running; nothing was added.
    AlreadyWaiting,
}

/// The queues, each with a consumer declared in `nats/streams.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queue {
    /// `work.sync.<tenant>.<cabinet>`
    Sync,
    /// `work.maintenance.>`
    Maintenance,
    /// `work.default.>`
    Default,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sync, Self::Maintenance, Self::Default];

    /// Name of the queue and of its consumer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Maintenance => "maintenance",
            Self::Default => "default",
        }
    }
}

/// The sending side.
#[derive(Debug, Clone)]
pub struct WorkQueue {
    broker: Broker,
}

impl WorkQueue {
    /// Over a link.
    #[must_use]
    pub fn new(broker: &Broker) -> Self {
        Self {
            broker: broker.clone(),
        }
    }

    /// Adds a job. `message_id` names the cause of the job, so that a repeated attempt adds nothing.
    ///
    /// # Errors
    /// [`WorkError`] when the broker is away. A queue that has vanished is declared again first.
    pub async fn publish(
        &self,
        subject: &str,
        payload: Bytes,
        message_id: &str,
    ) -> Result<Enqueued, WorkError> {
        let message = || {
            PublishMessage::build()
                .payload(payload.clone())
                .message_id(message_id)
        };
        match publish_once(&self.broker, subject, message()).await {
            Err(PublishFailure::NoStream(error)) => {
                tracing::warn!(%error, "WORK is missing and is declared again");
                declare(&self.broker).await?;
                publish_once(&self.broker, subject, message())
                    .await
                    .map_err(WorkError::from)
            }
            other => other.map_err(WorkError::from),
        }
    }

    /// The receiving side of one queue.
    #[must_use]
    pub fn consumer(&self, queue: Queue) -> JobConsumer {
        JobConsumer {
            broker: self.broker.clone(),
            queue,
            consumer: None,
            epoch: 0,
            checked: None,
        }
    }

    /// How many jobs a queue has, and since when the oldest is there.
    ///
    /// # Errors
    /// [`WorkError`] when the broker is away, or the queue is missing.
    pub async fn figures(&self, queue: Queue) -> Result<QueueFigures, WorkError> {
        place::figures(&self.broker, queue).await
    }

    /// How a queue stands as of `now`, for readiness: jobs may be there and never be delivered.
    ///
    /// # Errors
    /// [`WorkError`] when the broker is away, or the queue is missing.
    pub async fn state(&self, queue: Queue, now: DateTime<Utc>) -> Result<QueueState, WorkError> {
        place::state(&self.broker, queue, now).await
    }
}

/// What waits in a queue or is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFigures {
    /// Jobs that are given out at the moment.
    pub in_hand: u64,
    /// Jobs that wait.
    pub waiting: u64,
    /// When the oldest job was published, given out or not; `None` for an empty queue.
    pub oldest: Option<DateTime<Utc>>,
}

enum PublishFailure {
    NoStream(Cause),
    Other(Cause),
}

impl From<PublishFailure> for WorkError {
    fn from(failure: PublishFailure) -> Self {
        match failure {
            PublishFailure::NoStream(cause) | PublishFailure::Other(cause) => Self::Unavailable(cause),
        }
    }
}

async fn publish_once(
    broker: &Broker,
    subject: &str,
    message: PublishMessage,
) -> Result<Enqueued, PublishFailure> {
    let sent = match broker.jetstream().send_publish(subject.to_owned(), message).await {
        Ok(acknowledgement) => acknowledgement.await,
        Err(error) => Err(error),
    };
    match sent {
        Ok(acknowledgement) if acknowledgement.duplicate => Ok(Enqueued::Repeated),
        Ok(_) => Ok(Enqueued::Published),
        Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
            Err(PublishFailure::NoStream(Box::new(error)))
        }
        Err(error) if error.to_string().contains(ONE_PER_SUBJECT) => Ok(Enqueued::AlreadyWaiting),
        Err(error) => Err(PublishFailure::Other(Box::new(error))),
    }
}

/// The receiving side of one queue. Any number of these share its jobs.
#[derive(Debug)]
pub struct JobConsumer {
    broker: Broker,
    queue: Queue,
    consumer: Option<PullConsumer>,
    /// The link's epoch at which the consumer was found; after a reconnect the broker may be another one.
    epoch: u64,
    /// When the consumer was last found to know its place.
    checked: Option<Instant>,
}

impl JobConsumer {
    /// Waits up to `wait` for the next job; `None` when there was none. Exactly one job is fetched at a time,
    /// so a busy worker holds nothing that an idle one could do. A job fetched by a call that is cancelled
    /// comes again after 30 s.
    ///
    /// # Errors
    /// [`WorkError`] when the broker is away; the next call builds everything anew.
    pub async fn next(&mut self, wait: Duration) -> Result<Option<Job>, WorkError> {
        let fetched = self.fetch(wait).await;
        if fetched.is_err() {
            self.consumer = None;
        }
        fetched
    }

    async fn fetch(&mut self, wait: Duration) -> Result<Option<Job>, WorkError> {
        let epoch = self.broker.connected().borrow().epoch;
        if self.epoch != epoch {
            self.consumer = None;
            self.epoch = epoch;
        }
        if self.consumer.is_none() {
            self.checked = None;
        }
        let consumer = match &self.consumer {
            Some(consumer) => consumer,
            None => {
                let found = find_consumer(&self.broker, self.queue).await?;
                self.consumer.insert(found)
            }
        };
        if self.checked.is_none_or(|at| at.elapsed() > CHECK_EVERY) {
            // What cannot be checked is used as it is; the next round checks again.
            match place::heal(&self.broker, self.queue).await {
                Ok(_healed) => self.checked = Some(Instant::now()),
                Err(error) => {
                    tracing::debug!(error = ?error, queue = self.queue.as_str(), "the queue could not be checked");
                }
            }
        }
        let expires = wait.clamp(SHORTEST, EXPIRES);
        // No heartbeat: a batch that meets one loses its waker and sleeps for ever (async-nats 0.51,
        // `Batch::poll_next` returns `Pending` for it without polling again). The request's own end and the
        // link's pings tell in time that the broker is gone.
        let mut batch = consumer
            .batch()
            .max_messages(1)
            .expires(expires)
            .messages()
            .await
            .map_err(|error| WorkError::Unavailable(Box::new(error)))?;
        match tokio::time::timeout(expires + GRACE, batch.next()).await {
            Ok(Some(Ok(message))) => {
                self.checked = Some(Instant::now());
                Ok(Some(Job::new(&self.broker, message)?))
            }
            Ok(Some(Err(error))) => Err(WorkError::Unavailable(error)),
            Ok(None) => Ok(None),
            Err(elapsed) => Err(WorkError::Unavailable(Box::new(elapsed))),
        }
    }
}

async fn find_consumer(broker: &Broker, queue: Queue) -> Result<PullConsumer, WorkError> {
    let found = lookup(broker, queue).await;
    match found {
        Ok(consumer) => Ok(consumer),
        Err(error) => {
            tracing::debug!(%error, queue = queue.as_str(), "the queue is declared again");
            declare(broker).await?;
            lookup(broker, queue).await.map_err(WorkError::Unavailable)
        }
    }
}

/// The queue and its letter box, made when they are missing.
async fn declare(broker: &Broker) -> Result<(), WorkError> {
    let restored = topology::restore(broker, &[topology::WORK, topology::DEAD]).await;
    restored.map(drop).map_err(WorkError::Topology)
}

async fn lookup(broker: &Broker, queue: Queue) -> Result<PullConsumer, Cause> {
    let stream = broker.jetstream().get_stream_no_info(topology::WORK).await?;
    stream.get_consumer::<pull::Config>(queue.as_str()).await
}

/// A job in the hands of a worker. It has to be ended by [`Job::ack`], [`Job::nak`] or [`Job::dead`];
/// dropped, it comes again after 30 s.
#[derive(Debug)]
pub struct Job {
    /// Subject it was published under.
    pub subject: String,
    /// What is to be done.
    pub payload: Bytes,
    /// The how manieth delivery this is, from 1.
    pub deliveries: i64,
    /// Place in the queue; the same for every delivery of this job.
    pub sequence: u64,
    broker: Broker,
    message: Message,
}

impl Job {
    fn new(broker: &Broker, message: Message) -> Result<Self, WorkError> {
        let info = message.info().map_err(WorkError::Unavailable)?;
        let (deliveries, sequence) = (info.delivered, info.stream_sequence);
        Ok(Self {
            subject: message.subject.to_string(),
            payload: message.payload.clone(),
            deliveries,
            sequence,
            broker: broker.clone(),
            message,
        })
    }

    /// The job is done. Waits for the broker's confirmation.
    ///
    /// # Errors
    /// [`WorkError::Unconfirmed`] when none came: the job may come again and has to find itself done.
    pub async fn ack(&self) -> Result<(), WorkError> {
        // Not the client's `double_ack`: that takes any reply for a yes, a 503 included (async-nats 0.51,
        // src/jetstream/message.rs). A plain request reports a missing consumer as an error.
        let Some(reply) = self.message.reply.clone() else {
            return Err(WorkError::Unconfirmed(
                "the job carries no address for its end".into(),
            ));
        };
        let confirmed = self.broker.client().request(reply, AckKind::Ack.into());
        match tokio::time::timeout(ACK_TIMEOUT, confirmed).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(WorkError::Unconfirmed(Box::new(error))),
            Err(elapsed) => Err(WorkError::Unconfirmed(Box::new(elapsed))),
        }
    }

    /// The job failed this time and is to come again after `delay`.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`] when the link is closed; the job then comes again after 30 s.
    pub async fn nak(&self, delay: Duration) -> Result<(), WorkError> {
        self.message
            .ack_with(AckKind::Nak(Some(delay)))
            .await
            .map_err(WorkError::Unavailable)
    }

    /// The job goes on: another 30 s before it is given to somebody else. To be called every ten seconds or
    /// so.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`] when the link is closed.
    pub async fn in_progress(&self) -> Result<(), WorkError> {
        self.message
            .ack_with(AckKind::Progress)
            .await
            .map_err(WorkError::Unavailable)
    }

    /// The job can never succeed: it moves to `dead.<subject>` with the reason, which must hold no secret. It
    /// leaves the queue only after its letter is stored, and a second attempt stores no second letter.
    ///
    /// # Errors
    /// [`WorkError`]; the job then comes again.
    pub async fn dead(&self, reason: &str) -> Result<(), WorkError> {
        let mut carried = self.message.headers.clone().unwrap_or_default();
        let cause = carried
            .get(HeaderName::from_static(headers::MESSAGE_ID))
            .map_or_else(String::new, |id| id.as_str().to_owned());
        let mut put = |name: &'static str, value: HeaderValue| {
            carried.insert(HeaderName::from_static(name), value);
        };
        put(
            headers::MESSAGE_ID,
            HeaderValue::from(format!("dead-{}-{cause}", self.sequence)),
        );
        put(headers::DEAD_REASON, dead::one_line(reason));
        put(headers::DELIVERIES, self.deliveries.into());
        self.bury(carried).await?;
        self.ack().await
    }

    async fn bury(&self, headers: HeaderMap) -> Result<(), WorkError> {
        let letter = PublishMessage::build()
            .payload(self.payload.clone())
            .headers(headers);
        publish_once(&self.broker, &format!("dead.{}", self.subject), letter).await?;
        Ok(())
    }
}
