//! A tap on the shoulder of other processes: there is something new in the log. Plain publish, no stream, no
//! database `NOTIFY` (that takes a lock which every commit waits for). Whoever misses a hint polls anyway.

use async_nats::Subscriber;
use futures_util::StreamExt;

use crate::Broker;

/// Subject of the hints.
pub const POSITIONS: &str = "hints.positions";

/// The sending and receiving side.
#[derive(Debug, Clone)]
pub struct Hints {
    broker: Broker,
}

/// Hints as they come.
#[derive(Debug)]
pub struct HintStream {
    subscriber: Subscriber,
}

/// No hint can be sent or received. Nothing depends on one.
#[derive(Debug, thiserror::Error)]
#[error("hints cannot be exchanged at the moment")]
pub struct HintError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Hints {
    /// Over a link.
    #[must_use]
    pub fn new(broker: &Broker) -> Self {
        Self {
            broker: broker.clone(),
        }
    }

    /// Tells everybody that the log reaches `position`. Does nothing while the broker is away: an old hint is
    /// worth nothing, and must not pile up in the client.
    ///
    /// # Errors
    /// [`HintError`] when the link is closed for good.
    pub async fn publish(&self, position: i64) -> Result<(), HintError> {
        if !self.broker.connected().borrow().up {
            return Ok(());
        }
        let sent = self
            .broker
            .client()
            .publish(POSITIONS, position.to_string().into())
            .await;
        sent.map_err(|error| HintError(Box::new(error)))
    }

    /// Listens. The subscription survives reconnects; hints given meanwhile are lost.
    ///
    /// # Errors
    /// [`HintError`] when the link is closed for good.
    pub async fn subscribe(&self) -> Result<HintStream, HintError> {
        let subscriber = self.broker.client().subscribe(POSITIONS).await;
        subscriber
            .map(|subscriber| HintStream { subscriber })
            .map_err(|error| HintError(Box::new(error)))
    }
}

impl HintStream {
    /// The next hint; `None` when the link is closed for good. Cancel safe.
    pub async fn next(&mut self) -> Option<i64> {
        loop {
            let message = self.subscriber.next().await?;
            if let Some(position) = std::str::from_utf8(&message.payload)
                .ok()
                .and_then(|text| text.parse().ok())
            {
                return Some(position);
            }
        }
    }
}
