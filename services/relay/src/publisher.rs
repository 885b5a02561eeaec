//! Publishes events in order through a window, each under the condition that the stream ends right before it.
//!
//! The client's own JetStream publish keeps a future, a channel and a permit per message and may hide a
//! failure when a future is dropped; here one subscription receives all acknowledgements, and they are
//! checked in order.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use async_nats::header::HeaderName;
use async_nats::{Client, StatusCode, Subscriber};
use bytes::Bytes;
use events::Recorded;
use futures_util::{FutureExt, StreamExt};
use messaging::{Broker, async_nats, headers, topology};
use serde::Deserialize;
use tokio::time::Instant;

/// Events on their way at a time. The server refuses more than 10,000 unprocessed ones; 1,000 reach full
/// speed.
pub const WINDOW: usize = 1_000;
/// Without any acknowledgement for so long nothing is known about what was sent.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Room for headers and protocol beside a payload, when it is compared with the largest message the server
/// takes.
const OVERHEAD: usize = 4_096;

/// The stream is not what this publisher took it for, or nothing is known about it. What was sent may be in
/// or not; the stream has to be looked at again.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The server refused: the stream does not end where it should, is missing, frozen or full.
    #[error("position {position} was refused with code {code}: {description}")]
    Refused {
        /// First position refused.
        position: i64,
        /// JetStream error code; 10071 is a stream that ends elsewhere, 503 one that is missing.
        code: u64,
        /// The server's words.
        description: String,
    },
    /// The event was in the stream before.
    #[error("position {position} had been published before")]
    Repeated {
        /// Which.
        position: i64,
    },
    /// The event was stored in the wrong place: the stream is no copy of the log.
    #[error("position {position} was stored as {sequence} in `{stream}`")]
    Misplaced {
        /// Which.
        position: i64,
        /// Where it is.
        sequence: u64,
        /// In which stream.
        stream: String,
    },
    /// The events given to the publisher do not continue each other; nothing was sent.
    #[error("position {found} does not follow {last}")]
    Order {
        /// Last position sent.
        last: i64,
        /// Position given.
        found: i64,
    },
    /// No acknowledgement in time.
    #[error("no acknowledgement for position {position} in time")]
    TimedOut {
        /// First position that is open.
        position: i64,
    },
    /// An answer that is none.
    #[error("the answer to position {position} cannot be read")]
    Answer {
        /// Which.
        position: i64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The link is closed.
    #[error("the link to the broker is closed")]
    Closed(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

/// What the server says about a message.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    stream: Cow<'a, str>,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    #[serde(borrow)]
    error: Option<Refusal<'a>>,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    err_code: u64,
    #[serde(borrow, default)]
    description: Cow<'a, str>,
}

/// Continues the stream behind one position. After any error it is of no use; look at the stream again and
/// open a new one.
#[derive(Debug)]
pub struct Publisher {
    client: Client,
    answers: Subscriber,
    inbox: String,
    sent: i64,
    acknowledged: i64,
    window: usize,
    progress: Instant,
    traced: VecDeque<Traced>,
}

/// Neighbouring events of one trace on their way: the span lasts until the broker has the last of them.
#[derive(Debug)]
struct Traced {
    until: i64,
    traceparent: String,
    _span: tracing::Span,
}

impl Publisher {
    /// A publisher that believes the stream to end with position `after`. Believing wrongly does no harm: the
    /// first event is refused then.
    ///
    /// # Errors
    /// [`PublishError::Closed`].
    pub async fn open(broker: &Broker, after: i64, window: usize) -> Result<Self, PublishError> {
        let client = broker.client().clone();
        // An inbox of its own, so that late answers to an earlier publisher reach nobody.
        let inbox = client.new_inbox();
        let answers = client.subscribe(format!("{inbox}.*")).await.map_err(closed)?;
        Ok(Self {
            client,
            answers,
            inbox,
            sent: after,
            acknowledged: after,
            window: window.max(1),
            progress: Instant::now(),
            traced: VecDeque::new(),
        })
    }

    /// Everything up to this position is in the stream.
    #[must_use]
    pub const fn acknowledged(&self) -> i64 {
        self.acknowledged
    }

    /// Last position sent.
    #[must_use]
    pub const fn sent(&self) -> i64 {
        self.sent
    }

    /// Whether answers are due.
    #[must_use]
    pub const fn in_flight(&self) -> bool {
        self.sent > self.acknowledged
    }

    /// Events on their way.
    fn on_their_way(&self) -> usize {
        usize::try_from(self.sent - self.acknowledged).unwrap_or(0)
    }

    /// Sends the next event, after waiting for room in the window.
    ///
    /// # Errors
    /// [`PublishError`], about this or an earlier event.
    pub async fn send(&mut self, event: Recorded) -> Result<(), PublishError> {
        if event.position != self.sent + 1 {
            return Err(PublishError::Order {
                last: self.sent,
                found: event.position,
            });
        }
        if self.on_their_way() >= self.window {
            // Room for a quarter of the window, so that one answer does not wake this task for one event.
            while self.on_their_way() > self.window - self.window.div_ceil(4) {
                self.acknowledgement().await?;
            }
        }
        if !self.in_flight() {
            self.progress = Instant::now();
        }
        self.trace(&event);
        let previous = (event.position > 1).then_some(event.position - 1);
        let mut fields = headers::to_headers(&event, previous);
        fields.insert(
            HeaderName::from_static(headers::EXPECTED_LAST_SEQUENCE),
            self.sent.to_string(),
        );
        let subject = events::subject::of(&event);
        let reply = format!("{}.{}", self.inbox, event.position);
        let payload = if event.payload.len() + OVERHEAD > self.client.max_payload() {
            fields.insert(HeaderName::from_static(headers::PAYLOAD_IN_STORE), "1");
            Bytes::new()
        } else {
            Bytes::from(event.payload)
        };
        let sent = self
            .client
            .publish_with_reply_and_headers(subject, reply, fields, payload)
            .await;
        sent.map_err(closed)?;
        self.sent = event.position;
        Ok(())
    }

    /// Waits for the next answer, then takes all that are there. Returns the last position acknowledged.
    /// Cancel safe. Waits for ever when nothing is on its way.
    ///
    /// # Errors
    /// [`PublishError`] about the first event that is not where it should be.
    pub async fn acknowledgement(&mut self) -> Result<i64, PublishError> {
        if !self.in_flight() {
            return std::future::pending().await;
        }
        let Ok(answer) = tokio::time::timeout_at(self.progress + ACK_TIMEOUT, self.answers.next()).await
        else {
            return Err(PublishError::TimedOut {
                position: self.acknowledged + 1,
            });
        };
        self.take(answer)?;
        while self.in_flight()
            && let Some(answer) = self.answers.next().now_or_never()
        {
            self.take(answer)?;
        }
        self.progress = Instant::now();
        Ok(self.acknowledged)
    }

    /// Waits until everything sent is acknowledged.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn settle(&mut self) -> Result<i64, PublishError> {
        while self.in_flight() {
            self.acknowledgement().await?;
        }
        Ok(self.acknowledged)
    }

    fn trace(&mut self, event: &Recorded) {
        let Some(parent) = &event.metadata.traceparent else {
            return;
        };
        if let Some(last) = self.traced.back_mut()
            && last.traceparent == *parent
        {
            last.until = event.position;
            return;
        }
        let span = runtime::trace::follows("relay", parent);
        if !span.is_disabled() {
            self.traced.push_back(Traced {
                until: event.position,
                traceparent: parent.clone(),
                _span: span,
            });
        }
    }

    fn take(&mut self, answer: Option<async_nats::Message>) -> Result<(), PublishError> {
        let Some(answer) = answer else {
            return Err(PublishError::Closed(None));
        };
        let position = self.acknowledged + 1;
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            let description = "no stream takes events".to_owned();
            return Err(PublishError::Refused {
                position,
                code: 503,
                description,
            });
        }
        let read: Answer<'_> = serde_json::from_slice(&answer.payload)
            .map_err(|source| PublishError::Answer { position, source })?;
        if let Some(refusal) = read.error {
            let code = if refusal.err_code == 0 {
                refusal.code
            } else {
                refusal.err_code
            };
            let description = refusal.description.into_owned();
            return Err(PublishError::Refused {
                position,
                code,
                description,
            });
        }
        if read.duplicate {
            return Err(PublishError::Repeated { position });
        }
        // The sequence is the position, so an answer out of order would be found here as well.
        if i64::try_from(read.seq) != Ok(position) || read.stream != topology::EVENTS {
            let stream = read.stream.into_owned();
            return Err(PublishError::Misplaced {
                position,
                sequence: read.seq,
                stream,
            });
        }
        self.acknowledged = position;
        while self.traced.front().is_some_and(|first| first.until <= position) {
            self.traced.pop_front();
        }
        Ok(())
    }
}

fn closed(source: impl std::error::Error + Send + Sync + 'static) -> PublishError {
    PublishError::Closed(Some(Box::new(source)))
}
