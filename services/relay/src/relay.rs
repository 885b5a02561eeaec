//! The loop: lead, look at the stream, publish until something is not as it was, look again.

use std::sync::Arc;
use std::time::Duration;

use event_store::{GlobalReader, ReadError, Wake};
use events::Recorded;
use messaging::{Broker, Hints};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::leader::{Leadership, LockConnection};
use crate::mirror::{self, Copy, Flaw, Found, MirrorError};
use crate::observer::Observer;
use crate::publisher::{PublishError, Publisher, WINDOW};

/// Events read from the log in one query.
const BATCH: i64 = 1_000;
/// Batches read ahead while acknowledgements are due.
const AHEAD: usize = 2;
/// A lost wake-up delays an event by at most this.
const POLL: Duration = Duration::from_millis(50);
/// While nothing is published, the stream is looked at that often.
const CHECK: Duration = Duration::from_secs(1);
/// First and longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// JetStream's error code for a stream that ends elsewhere.
const WRONG_LAST_SEQUENCE: u64 = 10_071;
/// So many times in a row a sound stream may refuse the event that it lacks.
const REFUSALS: u32 = 3;
/// Between two replacements for that reason.
const REST: Duration = Duration::from_secs(60);
/// A failure after so long without one is the first again.
const CALM: Duration = Duration::from_secs(10);

/// Everything a relay needs.
pub struct RelayOptions {
    /// Reads the log.
    pub reader: GlobalReader,
    /// Link to the broker.
    pub broker: Broker,
    /// Tells that the log grew in this process; other processes give hints over the broker.
    pub wake: Wake,
    /// Makes the connection that holds the leader's lock.
    pub lock: LockConnection,
    /// Ends the relay.
    pub shutdown: CancellationToken,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
}

impl std::fmt::Debug for RelayOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayOptions")
            .field("broker", &self.broker)
            .finish_non_exhaustive()
    }
}

/// Why publishing stopped for the moment.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("the stream could not be examined")]
    Mirror(#[from] MirrorError),
    #[error("an event was not taken")]
    Publish(#[from] PublishError),
    #[error("the log could not be read")]
    Log(#[from] ReadError),
    #[error("the link to the broker changed")]
    Link,
    #[error("the stream is not what it was")]
    Changed,
    #[error("the reading of the log ended")]
    FeedEnded,
}

/// Copies the log into the stream until `shutdown`. Waits while another relay leads; outlives every failure
/// of broker and database, for however long they take.
pub async fn run(options: RelayOptions) {
    let shutdown = options.shutdown.clone();
    let hinted = Arc::new(Notify::new());
    let _hints = AbortOnDropHandle::new(tokio::spawn(listen(options.broker.clone(), Arc::clone(&hinted))));
    let relay = Relay { options, hinted };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = relay.candidate() => {}
    }
    relay.options.observer.leader(false);
}

/// Other processes' hints. What they say does not matter, only that they say it: a wrong one costs a query.
async fn listen(broker: Broker, hinted: Arc<Notify>) {
    match Hints::new(&broker).subscribe().await {
        Ok(mut hints) => {
            while hints.next().await.is_some() {
                hinted.notify_one();
            }
        }
        Err(error) => tracing::warn!(%error, "no hints; polling"),
    }
}

struct Relay {
    options: RelayOptions,
    hinted: Arc<Notify>,
}

/// Pauses that grow with failures in a row.
struct Patience {
    pause: Duration,
    last: Option<Instant>,
}

impl Patience {
    const fn new() -> Self {
        Self {
            pause: PAUSES.0,
            last: None,
        }
    }

    async fn pause(&mut self) {
        if self.last.is_none_or(|last| last.elapsed() > CALM) {
            self.pause = PAUSES.0;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
        self.last = Some(Instant::now());
    }
}

/// A stream can be sound to look at and still take nothing. After it could not write to its disk, nats-server
/// 2.15 answers nothing at all, or "wrong last sequence" with the very sequence that was expected. A new
/// stream helps.
#[derive(Default)]
struct Doubt {
    position: i64,
    refusals: u32,
    condemned: Option<Instant>,
}

impl Doubt {
    fn note(&mut self, interruption: &Interruption) {
        let Interruption::Publish(
            PublishError::Repeated { position }
            | PublishError::TimedOut { position }
            | PublishError::Refused {
                position,
                code: WRONG_LAST_SEQUENCE,
                ..
            },
        ) = interruption
        else {
            return;
        };
        self.refusals = if self.position == *position {
            self.refusals + 1
        } else {
            1
        };
        self.position = *position;
    }

    /// Whether a stream that takes no `next` has to go. Not over and over again: a full disk is not mended by
    /// it.
    fn condemns(&mut self, next: i64) -> bool {
        let stuck = self.position == next && self.refusals >= REFUSALS;
        let rested = self.condemned.is_none_or(|last| last.elapsed() > REST);
        if stuck && rested {
            self.refusals = 0;
            self.condemned = Some(Instant::now());
        }
        stuck && rested
    }
}

impl Relay {
    async fn candidate(&self) {
        let mut patience = Patience::new();
        loop {
            match Leadership::acquire(&self.options.lock).await {
                Ok(leadership) => {
                    tracing::info!("this relay leads");
                    self.options.observer.leader(true);
                    let lost = tokio::select! {
                        lost = leadership.lost() => lost,
                        never = self.lead(&leadership) => match never {},
                    };
                    self.options.observer.leader(false);
                    tracing::warn!(
                        error = &lost as &dyn std::error::Error,
                        "this relay does not lead any more"
                    );
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "this relay cannot lead");
                }
            }
            patience.pause().await;
        }
    }

    /// Publishes for as long as it is polled.
    async fn lead(&self, leadership: &Leadership) -> std::convert::Infallible {
        let mut patience = Patience::new();
        let mut doubt = Doubt::default();
        loop {
            let mut link = self.options.broker.connected();
            if link.wait_for(|now| now.up).await.is_err() {
                patience.pause().await;
                continue;
            }
            let epoch = link.borrow_and_update().epoch;
            let interruption = tokio::select! {
                Err(interruption) = self.copy(leadership, &mut doubt) => interruption,
                _ = link.wait_for(|now| !now.up || now.epoch != epoch) => Interruption::Link,
            };
            doubt.note(&interruption);
            let reason = describe(&interruption);
            tracing::warn!(reason, "the stream is looked at again");
            self.options.observer.resync(&reason);
            patience.pause().await;
        }
    }

    async fn copy(
        &self,
        leadership: &Leadership,
        doubt: &mut Doubt,
    ) -> Result<std::convert::Infallible, Interruption> {
        let mut copy = self.repaired(leadership, doubt).await?;
        let mut publisher = Publisher::open(&self.options.broker, copy.last, WINDOW).await?;
        self.options.observer.published(copy.last);
        let (sender, mut batches) = mpsc::channel(AHEAD);
        let _feed = AbortOnDropHandle::new(tokio::spawn(self.feed(copy.last, sender)));
        let mut check = tokio::time::interval_at(Instant::now() + CHECK, CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                batch = batches.recv() => {
                    for event in batch.ok_or(Interruption::FeedEnded)?? {
                        publisher.send(event).await?;
                    }
                }
                acknowledged = publisher.acknowledgement() => {
                    self.options.observer.published(acknowledged?);
                    check.reset();
                }
                _ = check.tick(), if !publisher.in_flight() => {
                    copy.last = publisher.acknowledged();
                    if !mirror::unchanged(&self.options.broker, copy).await? {
                        return Err(Interruption::Changed);
                    }
                }
            }
        }
    }

    /// The stream as a copy of the log, replaced if it was none.
    async fn repaired(&self, leadership: &Leadership, doubt: &mut Doubt) -> Result<Copy, MirrorError> {
        let (broker, reader) = (&self.options.broker, &self.options.reader);
        let flaw = match mirror::examine(broker, reader).await? {
            Found::Copy(copy) if doubt.condemns(copy.last + 1) => Flaw::Stuck,
            Found::Copy(copy) => return Ok(copy),
            Found::Flawed(flaw) => flaw,
        };
        let copy = mirror::replace(broker, reader, leadership).await?;
        let (reason, from) = (flaw.to_string(), copy.last + 1);
        tracing::warn!(reason, from, "the stream of events is replaced from the log");
        self.options.observer.rebuilt(&reason, from);
        Ok(copy)
    }

    /// Reads the log ahead of the publisher.
    fn feed(
        &self,
        after: i64,
        batches: mpsc::Sender<Result<Vec<Recorded>, ReadError>>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let reader = self.options.reader.clone();
        let mut wake = self.options.wake.subscribe();
        let hinted = Arc::clone(&self.hinted);
        let observer = Arc::clone(&self.options.observer);
        let mut after = after;
        async move {
            loop {
                let batch = reader.read_after(after, BATCH).await;
                let ended = batch.is_err();
                match batch.as_deref() {
                    Ok([]) => {
                        tokio::select! {
                            _ = wake.changed_or(POLL) => {}
                            () = hinted.notified() => {}
                        }
                        continue;
                    }
                    Ok([.., last]) => {
                        after = last.position;
                        observer.read(after);
                    }
                    Err(_) => {}
                }
                if batches.send(batch).await.is_err() || ended {
                    return;
                }
            }
        }
    }
}

/// An error with its causes, in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(position: i64, code: u64) -> Interruption {
        let description = String::new();
        Interruption::Publish(PublishError::Refused {
            position,
            code,
            description,
        })
    }

    #[test]
    fn a_stream_is_condemned_after_three_refusals_of_its_next_event_and_then_left_alone_for_a_while() {
        let mut doubt = Doubt::default();
        for _ in 0..2 {
            doubt.note(&refused(7, WRONG_LAST_SEQUENCE));
            assert!(!doubt.condemns(7));
        }
        doubt.note(&refused(7, WRONG_LAST_SEQUENCE));
        assert!(!doubt.condemns(8), "the stream has moved on");
        assert!(doubt.condemns(7));
        for _ in 0..3 {
            doubt.note(&refused(7, WRONG_LAST_SEQUENCE));
        }
        assert!(!doubt.condemns(7), "a full disk is not mended by it");
    }

    #[test]
    fn progress_and_other_refusals_condemn_nothing() {
        let mut doubt = Doubt::default();
        for position in [7, 7, 8] {
            doubt.note(&refused(position, WRONG_LAST_SEQUENCE));
        }
        assert!(!doubt.condemns(8));
        for _ in 0..3 {
            doubt.note(&refused(9, 10_047));
            doubt.note(&Interruption::Link);
        }
        assert!(!doubt.condemns(9));
    }
}
