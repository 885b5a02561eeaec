//! Brings messages to receivers. Any number of processes may: each message is one sender's until its lease
//! ends, and what a sender notes after that is not taken.
//!
//! A lease is longer than an attempt can take, so only a sender that died or stood still loses one.

use std::sync::Arc;
use std::time::Duration;

use application::{App, Context};
use chrono::{DateTime, TimeDelta, Utc};
use connectors::webhooks::{self as connector, Message, WebhookClient, next_attempt};
use events::ids::CommandId;
use events::webhook_endpoint::DisableReason;
use notifications::StoreError;
use notifications::webhooks::{Claimed, Ended, MessageId, MessageState, Outbox, Outcome, Slots};
use runtime::{Clock, Metrics};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::opened::{Cache, OpenError, Opened};

/// Messages on their way to sound endpoints, in one process.
const SOUND: i64 = 128;
/// Messages on their way to endpoints that have been failing; each of them may take the whole deadline.
const FAILING: i64 = 64;
/// Messages on their way to one sound endpoint.
const PER_ENDPOINT: i64 = 4;
/// An attempt takes 15 s at most; the rest is for the database.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How often is looked for what has become due.
const POLL: Duration = Duration::from_millis(500);
/// When a message is looked at again whose address or secret could not be opened.
const UNOPENED: TimeDelta = TimeDelta::seconds(30);
/// Nothing but failures for so long switches an endpoint off.
const HOPELESS: TimeDelta = TimeDelta::days(5);
/// How often figures are told.
const FIGURES: Duration = Duration::from_secs(15);
/// How often old messages are destroyed, in rounds of figures: once an hour.
const PURGE: u32 = 240;

/// Why a round did not work; leases run out, and the messages are sent all the same.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// The tables failed.
    #[error("webhook messages could not be taken or noted")]
    Store(#[from] StoreError),
    /// The log failed.
    #[error("a webhook endpoint could not be switched off")]
    Disable(#[from] application::webhooks::Error),
}

/// The sender and its means. Cheap to clone; clones share what is opened.
#[derive(Clone)]
pub struct Sender {
    outbox: Outbox,
    app: App,
    client: WebhookClient,
    clock: Clock,
    metrics: Metrics,
    cache: Arc<Cache>,
}

impl Sender {
    /// A sender; `app` acts as `st_notifier` and knows which addresses may be called, as `client` does.
    #[must_use]
    pub fn new(outbox: Outbox, app: App, client: WebhookClient, clock: Clock, metrics: Metrics) -> Self {
        Self {
            outbox,
            app,
            client,
            clock,
            metrics,
            cache: Arc::default(),
        }
    }

    /// Sends until told to stop; `more` says that there is something new. What is on its way then is waited
    /// for. Dropping the future ends the attempts at once.
    pub async fn run(&self, more: &Notify, stop: CancellationToken) {
        let mut running = JoinSet::new();
        let (mut sound, mut failing) = (0, 0);
        while !stop.is_cancelled() {
            let slots = Slots {
                sound: SOUND - sound,
                failing: FAILING - failing,
                per_endpoint: PER_ENDPOINT,
            };
            let now = self.clock.now();
            match self.outbox.claim(slots, now, now + LEASE).await {
                Ok(claimed) => {
                    for message in claimed {
                        *(if message.failing { &mut failing } else { &mut sound }) += 1;
                        let sender = self.clone();
                        running.spawn(async move {
                            if let Err(error) = sender.deliver(&message).await {
                                tracing::warn!(error = ?error, "a webhook message goes on after its lease");
                            }
                            message.failing
                        });
                    }
                }
                Err(error) => tracing::warn!(error = ?error, "webhook messages could not be taken"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = running.join_next() => {
                    *(if ended.unwrap_or_default() { &mut failing } else { &mut sound }) -= 1;
                    while let Some(ended) = running.try_join_next() {
                        *(if ended.unwrap_or_default() { &mut failing } else { &mut sound }) -= 1;
                    }
                }
                () = more.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Tells figures and destroys what is too old, until told to stop.
    pub async fn tend(&self, stop: CancellationToken) {
        let mut round = 0_u32;
        while !stop.is_cancelled() {
            if let Err(error) = self.tell(round.is_multiple_of(PURGE)).await {
                tracing::warn!(error = ?error, "figures of webhooks cannot be told");
            }
            round = round.wrapping_add(1);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(FIGURES) => {}
            }
        }
    }

    async fn tell(&self, purge: bool) -> Result<(), StoreError> {
        let now = self.clock.now();
        if purge {
            while self.outbox.purge(now).await? > 0 {}
        }
        let backlog = self.outbox.backlog().await?;
        let age = backlog.oldest.map_or(Duration::ZERO, |oldest| {
            (now - oldest).to_std().unwrap_or_default()
        });
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        self.metrics
            .webhook_backlog(count(backlog.waiting), count(backlog.paused), age);
        Ok(())
    }

    /// Tries one message once, and notes what came of it.
    async fn deliver(&self, claimed: &Claimed) -> Result<(), SenderError> {
        let now = self.clock.now();
        let opened = self
            .cache
            .open(&self.app, claimed.tenant_id, &claimed.opening, now);
        let result = match opened.await {
            Ok(opened) => self.attempt(claimed, &opened, now).await,
            // The setting was made narrower after the endpoint had been added.
            Err(OpenError::Target(_)) => Tried::failed(connector::Outcome::Blocked),
            Err(error) => {
                // Changed or removed a moment ago, or the vault is away: no fault of the receiver's.
                tracing::warn!(error = ?error, message.id = %claimed.message_id, "a webhook was not opened");
                return Ok(self.outbox.put_back(claimed, now + UNOPENED).await?);
            }
        };
        self.metrics.webhook_attempt(result.outcome.as_str());
        let outcome = outcome(claimed, &result, self.clock.now());
        if result.outcome == connector::Outcome::Gone {
            // Before it is noted: a process that dies in between finds the endpoint gone once more.
            self.disable(claimed, DisableReason::Gone, outcome.at).await?;
        }
        let Ended::Noted { failing_since } = self.outbox.end(claimed, &outcome).await? else {
            tracing::info!(message.id = %claimed.message_id, "another sender has a webhook message");
            return Ok(());
        };
        let hopeless = failing_since.is_some_and(|since| outcome.at - since >= HOPELESS);
        if hopeless && outcome.counts {
            self.disable(claimed, DisableReason::Failing, outcome.at).await?;
        }
        Ok(())
    }

    async fn attempt(&self, claimed: &Claimed, opened: &Opened, now: DateTime<Utc>) -> Tried {
        let id = claimed.message_id.to_string();
        let message = Message {
            id: &id,
            sent_at: now,
            secrets: &opened.secrets,
            body: claimed.body.clone().into(),
        };
        match self.client.send(&opened.target, message).await {
            Ok(delivered) => Tried {
                outcome: connector::Outcome::Delivered,
                status: Some(delivered.status),
                duration: delivered.duration,
                retry_after: None,
            },
            Err(error) => {
                tracing::debug!(error = ?error, message.id = %claimed.message_id, "a webhook was not taken");
                Tried {
                    outcome: error.outcome(),
                    status: error.failure.status(),
                    duration: error.duration,
                    retry_after: error.failure.retry_after(),
                }
            }
        }
    }

    async fn disable(
        &self,
        claimed: &Claimed,
        reason: DisableReason,
        now: DateTime<Utc>,
    ) -> Result<(), SenderError> {
        let name = format!("disable {} {}", claimed.message_id, claimed.claim);
        let command_id = CommandId::derived(claimed.endpoint_id, &name);
        let context = Context {
            tenant_id: claimed.tenant_id,
            actor: "notifier".to_owned(),
            command_id,
            correlation_id: command_id.uuid(),
            causation_id: None,
            traceparent: None,
            now,
        };
        application::webhooks::disable(&self.app, &context, claimed.endpoint_id, reason).await?;
        tracing::info!(
            tenant.id = %claimed.tenant_id, endpoint.id = %claimed.endpoint_id, reason = reason.as_str(),
            "a webhook endpoint was switched off"
        );
        Ok(())
    }
}

/// What came of an attempt.
struct Tried {
    outcome: connector::Outcome,
    status: Option<u16>,
    duration: Duration,
    retry_after: Option<Duration>,
}

impl Tried {
    const fn failed(outcome: connector::Outcome) -> Self {
        Self {
            outcome,
            status: None,
            duration: Duration::ZERO,
            retry_after: None,
        }
    }
}

/// What is noted of an attempt, and when the next one is.
fn outcome(claimed: &Claimed, tried: &Tried, at: DateTime<Utc>) -> Outcome {
    use connector::Outcome as Word;

    let made = claimed.attempts.saturating_add(1);
    let jitter = spread(claimed.message_id, made);
    let pause = next_attempt(made, tried.outcome, jitter, tried.retry_after);
    let state = match (tried.outcome, pause) {
        (Word::Delivered, _) => MessageState::Delivered,
        // Whoever comes back may have it replayed.
        (Word::Gone, _) => MessageState::Paused,
        (_, Some(_)) => MessageState::Waiting,
        (_, None) => MessageState::GivenUp,
    };
    Outcome {
        at,
        status: tried.status,
        word: tried.outcome.as_str(),
        duration_ms: u64::try_from(tried.duration.as_millis()).unwrap_or(u64::MAX),
        state,
        next_at: pause.and_then(|pause| TimeDelta::from_std(pause).ok().map(|pause| at + pause)),
        // A message that cannot be signed is our fault.
        counts: !matches!(tried.outcome, Word::Delivered | Word::Unsendable),
    }
}

/// A number from 0 to 1 that differs from message to message, so that those that failed together do not come
/// back together. It needs no randomness, because ids are hashes.
fn spread(message: MessageId, attempts: u32) -> f64 {
    let hash = Uuid::new_v5(&message.0, &attempts.to_be_bytes());
    let [a, b, c, d, ..] = hash.into_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}
