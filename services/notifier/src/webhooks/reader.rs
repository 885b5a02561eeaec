//! Reads the log and makes messages for endpoints. Any number of processes may run it: the lock of the
//! position lets one at a time work.

use std::collections::BTreeSet;
use std::time::Duration;

use events::catalog::WebhookEndpointEvent;
use events::{Decoded, Event};
use notifications::webhooks::{Fanout, FanoutError, LogEntry, MessageId, NewMessage, Receiver};
use runtime::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::bodies::{self, Happened, LONGEST};

/// Positions of one page.
const PAGE: i64 = 1_000;
/// Floor beneath the wakes: how late an event may be noticed whose hint was lost.
const POLL: Duration = Duration::from_millis(500);

/// Why a page was not turned into messages; the next round starts from the same place.
#[derive(Debug, thiserror::Error)]
#[error("the log could not be turned into webhook messages")]
pub struct ReaderError(#[from] FanoutError);

impl From<notifications::StoreError> for ReaderError {
    fn from(error: notifications::StoreError) -> Self {
        Self(error.into())
    }
}

/// The reader and its means.
pub struct Reader {
    /// Tables.
    pub fanout: Fanout,
    /// Now.
    pub clock: Clock,
}

impl Reader {
    /// Runs until told to stop; `more` is notified of messages that a sender may take.
    pub async fn run(&self, mut wake: event_store::Subscription, more: &Notify, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.round().await {
                Ok(Some(messages)) => {
                    if messages > 0 {
                        more.notify_one();
                    }
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(error = ?error, "webhook messages could not be made"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _woken = wake.changed_or(POLL) => {}
            }
        }
    }

    /// One page; returns how many messages it has, or none at the end of the log.
    ///
    /// # Errors
    /// [`ReaderError`].
    pub async fn round(&self) -> Result<Option<usize>, ReaderError> {
        let mut session = self.fanout.session().await?;
        let Some(turn) = Fanout::turn(&mut session, PAGE).await? else {
            return Ok(None);
        };
        let happened: Vec<(&LogEntry, Event)> = turn
            .events
            .iter()
            .filter_map(|entry| Some((entry, decoded(entry)?)))
            .collect();
        let mut composed = Vec::new();
        for (entry, event) in &happened {
            let message = bodies::compose(Happened {
                event,
                stream_id: entry.stream_id,
                event_id: entry.event_id,
                position: entry.position,
                recorded_at: entry.recorded_at,
            });
            match message {
                Some((_, body)) if body.len() > LONGEST => {
                    tracing::error!(position = entry.position, "a webhook message would be too long");
                }
                Some((kind, body)) => composed.push((*entry, kind.as_str(), body)),
                None => {}
            }
        }
        let tenants: BTreeSet<Uuid> = composed
            .iter()
            .map(|(entry, _, _)| entry.tenant_id.uuid())
            .collect();
        let mut messages = Vec::new();
        if !tenants.is_empty() {
            let receivers = turn.receivers(&tenants.into_iter().collect::<Vec<_>>()).await?;
            for (entry, kind, body) in &composed {
                let wanting = receivers.iter().filter(|receiver| wants(receiver, entry, kind));
                messages.extend(wanting.map(|receiver| NewMessage {
                    tenant_id: receiver.tenant_id,
                    endpoint_id: receiver.endpoint_id,
                    message_id: MessageId::of(entry.event_id, receiver.endpoint_id),
                    position: entry.position,
                    kind,
                    body: body.clone(),
                }));
            }
        }
        turn.add(&messages, self.clock.now()).await?;
        for (entry, event) in &happened {
            if let Event::WebhookEndpoint(WebhookEndpointEvent::WebhookEndpointDisabled(_)) = event {
                turn.pause(entry.tenant_id, entry.stream_id, entry.position)
                    .await?;
            }
        }
        turn.finish().await?;
        Ok(Some(messages.len()))
    }
}

/// Whether an endpoint gets a message of this event. It is not told that it was switched off itself.
fn wants(receiver: &Receiver, entry: &LogEntry, kind: &str) -> bool {
    receiver.tenant_id == entry.tenant_id
        && receiver.place < entry.position
        && receiver.endpoint_id != entry.stream_id
        && (receiver.types.is_empty() || receiver.types.iter().any(|wanted| wanted == kind))
}

fn decoded(entry: &LogEntry) -> Option<Event> {
    match events::codec::decode(
        &entry.stream,
        &entry.event_type,
        entry.event_version,
        &entry.payload,
    ) {
        Ok(Decoded::Known(event)) => Some(event),
        Ok(Decoded::Unknown) => None,
        // Everything else goes on; the projector parks the stream and shows the reason.
        Err(error) => {
            tracing::error!(error = ?error, position = entry.position, "unreadable event");
            None
        }
    }
}
