//! The active instance at work. Events come from the broker; their positions decide what is done with them.
//! What was seen is dropped, what is missing is read from the store, and when the broker is silent although
//! the log has grown, the store is read on its own.

use std::collections::BTreeSet;
use std::time::Duration;

use database::Session;
use events::Recorded;
use messaging::EventsConsumer;
use read_models::Projection;
use read_models::apply::{ApplyError, Cursor, apply};
use tokio_postgres::Client;

use crate::{Notice, ProjectorError, Shared, Source};

/// Most events of one transaction while following the log.
const BATCH: usize = 1_000;
/// Most events of one transaction while catching up.
const BACKLOG_BATCH: i64 = 5_000;
/// A backlog that the broker need not send any more after it was read from the store.
const SKIP_AT_BROKER: i64 = 2_000;
/// Silences in which the log grew, with no event of the broker's between them, before the broker's consumer
/// is not believed any more.
const MISSED_AT_BROKER: u32 = 3;
/// How long one call waits for the broker; silence is noticed sooner.
const FETCH: Duration = Duration::from_secs(30);

/// What the next look brought.
enum Heard {
    Events(Vec<Recorded>),
    /// The broker is silent, or away, and it may be that the log has grown.
    Silence,
    End,
}

pub(crate) struct Consumption<'a, P: Projection> {
    shared: &'a Shared,
    session: Session,
    cursor: Cursor,
    consumer: EventsConsumer,
    head: i64,
    projection: std::marker::PhantomData<P>,
}

impl<'a, P: Projection> Consumption<'a, P> {
    pub(crate) fn new(shared: &'a Shared, session: Session, cursor: Cursor) -> Self {
        Self {
            shared,
            session,
            cursor,
            consumer: EventsConsumer::open(&shared.broker, P::NAME, cursor.position),
            head: cursor.position,
            projection: std::marker::PhantomData,
        }
    }

    /// Works until the end is asked for, or something breaks. `lock` is the connection that made this the
    /// active instance.
    pub(crate) async fn go_on(mut self, lock: &Client, worked: &mut bool) -> Result<(), ProjectorError> {
        // What happened while nobody was active.
        self.follow_store(worked).await?;
        let mut wake = self.shared.wake.subscribe();
        let mut missed = 0;
        loop {
            match self.listen(&mut wake).await {
                Heard::End => return Ok(()),
                Heard::Events(batch) => {
                    missed = 0;
                    self.take(batch, worked).await?;
                    if let Err(error) = self.consumer.ack_all().await {
                        tracing::debug!(%error, projection = P::NAME, "acknowledgement not sent");
                    }
                }
                Heard::Silence => {
                    if lock.is_closed() {
                        // Somebody else may be active already; its fence would tell with the next batch.
                        return Err(ApplyError::Fenced(P::NAME).into());
                    }
                    let before = self.cursor.position;
                    self.follow_store(worked).await?;
                    // A silence in which nothing happened says nothing.
                    missed += u32::from(self.cursor.position > before);
                    if missed >= MISSED_AT_BROKER {
                        // The stream may number anew while the consumer waits for a number far ahead.
                        tracing::info!(
                            projection = P::NAME,
                            "the broker sends nothing; its consumer is made anew"
                        );
                        self.consumer.restart(self.cursor.position);
                        missed = 0;
                    }
                }
            }
        }
    }

    async fn listen(&mut self, wake: &mut event_store::Subscription) -> Heard {
        let options = &self.shared.options;
        let up = self.shared.broker.connected().borrow().up;
        let patience = if up { options.silence } else { options.poll };
        let fetch = self.consumer.next_batch(BATCH, FETCH);
        tokio::select! {
            biased;
            () = self.shared.shutdown.cancelled() => Heard::End,
            fetched = fetch => match fetched {
                Ok(batch) if batch.is_empty() => Heard::Silence,
                Ok(batch) => Heard::Events(batch),
                Err(error) => {
                    tracing::debug!(%error, projection = P::NAME, "no events from the broker");
                    Heard::Silence
                }
            },
            () = tokio::time::sleep(patience) => Heard::Silence,
            // While the broker is away, whoever appends in this process is the quickest to tell.
            _ = wake.changed_or(patience), if !up => Heard::Silence,
        }
    }

    /// Applies what continues the cursor; drops what was seen; reads from the store what is missing in
    /// between.
    async fn take(&mut self, batch: Vec<Recorded>, worked: &mut bool) -> Result<(), ProjectorError> {
        self.prove(&batch, worked).await?;
        let mut rest = batch.as_slice();
        while let Some(first) = rest.first() {
            let next = self.cursor.position + 1;
            if first.position < next {
                rest = &rest[1..];
            } else if first.position > next {
                tracing::info!(
                    projection = P::NAME,
                    from = next,
                    to = first.position - 1,
                    "hole, read from the store"
                );
                self.read_store(first.position - 1, worked).await?;
            } else {
                let run = (next..)
                    .zip(rest)
                    .take_while(|(expected, event)| event.position == *expected)
                    .count();
                let (now, later) = rest.split_at(run);
                self.commit(now, Source::Broker, worked).await?;
                rest = later;
            }
        }
        Ok(())
    }

    /// Refuses what is not the log's. Positions alone prove nothing: a restored log gives the positions it
    /// lost to other events. One event of a batch stands for those before it, because what a broker has kept
    /// of an earlier log differs from some position on to its end.
    async fn prove(&mut self, batch: &[Recorded], worked: &mut bool) -> Result<(), ProjectorError> {
        let Some(last) = batch.last().filter(|last| last.position > self.cursor.position) else {
            return Ok(());
        };
        if self.shared.reader.has(last).await? {
            return Ok(());
        }
        self.consumer.restart(self.cursor.position);
        // The log goes on meanwhile; the relay replaces the stream.
        self.follow_store(worked).await?;
        Err(ProjectorError::NotInLog {
            position: last.position,
        })
    }

    /// Reads the store up to its present end, if it is ahead.
    async fn follow_store(&mut self, worked: &mut bool) -> Result<(), ProjectorError> {
        self.head = self.shared.reader.head().await?;
        let before = self.cursor.position;
        if self.head > before {
            self.read_store(self.head, worked).await?;
            if self.cursor.position - before > SKIP_AT_BROKER {
                self.consumer.restart(self.cursor.position);
            }
        } else {
            self.tell_lag(None);
        }
        Ok(())
    }

    async fn read_store(&mut self, up_to: i64, worked: &mut bool) -> Result<(), ProjectorError> {
        while self.cursor.position < up_to && !self.shared.shutdown.is_cancelled() {
            let limit = BACKLOG_BATCH.min(up_to - self.cursor.position);
            let events = self.shared.reader.read_after(self.cursor.position, limit).await?;
            if events.is_empty() {
                self.consumer.restart(self.cursor.position);
                return Err(ProjectorError::Shortened {
                    asked: up_to,
                    read: self.cursor.position,
                });
            }
            self.commit(&events, Source::Store, worked).await?;
        }
        Ok(())
    }

    async fn commit(
        &mut self,
        events: &[Recorded],
        source: Source,
        worked: &mut bool,
    ) -> Result<(), ProjectorError> {
        let spans = traced(events);
        let applied = apply::<P>(&mut self.session, P::SCHEMA, self.cursor, events).await?;
        drop(spans);
        self.cursor.position = applied.position;
        self.head = self.head.max(applied.position);
        *worked = true;
        self.shared.positions.reached(P::NAME, applied.position);
        let latency = events.last().map_or(Duration::ZERO, |last| self.age(last));
        self.shared.tell::<P>(&Notice::Applied {
            applied,
            source,
            latency,
        });
        self.tell_lag(events.last());
        Ok(())
    }

    fn tell_lag(&self, last: Option<&Recorded>) {
        let events = u64::try_from(self.head - self.cursor.position).unwrap_or(0);
        let age = if events == 0 {
            Duration::ZERO
        } else {
            last.map_or(Duration::ZERO, |last| self.age(last))
        };
        self.shared.tell::<P>(&Notice::Lag { events, age });
    }

    fn age(&self, event: &Recorded) -> Duration {
        (self.shared.options.clock.now() - event.recorded_at)
            .to_std()
            .unwrap_or(Duration::ZERO)
    }
}

/// One span in every trace that these events came from, up to a bound: a rebuild is nobody's request.
fn traced(events: &[Recorded]) -> Vec<tracing::Span> {
    /// Traces of one batch that are told.
    const MOST: usize = 100;
    let parents: BTreeSet<&str> = events
        .iter()
        .filter_map(|event| event.metadata.traceparent.as_deref())
        .collect();
    parents
        .into_iter()
        .take(MOST)
        .map(|parent| runtime::trace::follows("project", parent))
        .filter(|span| !span.is_disabled())
        .collect()
}
