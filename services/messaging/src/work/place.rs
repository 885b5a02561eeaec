//! Whether a queue's consumer still knows its place. A stream that lost its messages (a broken disk, an older
//! copy put back, a server that comes up without them) numbers anew, while its consumer may keep the numbers
//! it had reached: seen on nats-server 2.12; newer ones mend it half, at their start. The jobs that are there
//! then are never delivered, nothing reports an error, and since a subject holds one job, none can be added.

use std::time::Duration;

use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Queue, QueueFigures, WorkError};
use crate::{Broker, TopologyError, topology};

/// What looks lost is looked at again after this: a job that is being acknowledged this moment is not.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// A job that waits for so long while no job of its queue is being worked on is taken by no one.
const WAITS_TOO_LONG: TimeDelta = TimeDelta::seconds(60);

/// How a queue stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueState {
    /// Its jobs are delivered, or it has none.
    Moves,
    /// Its consumer stands behind jobs that it has not delivered and never will.
    LostPlace {
        /// The last place that the consumer has delivered.
        delivered: u64,
        /// The last place in the stream.
        last: u64,
    },
    /// A job waits, none is being worked on, and no worker takes it.
    Untaken {
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// What a look at consumer and stream showed.
struct Look {
    delivered: u64,
    acknowledged: u64,
    in_hand: usize,
    waiting: u64,
    last: u64,
    /// The oldest job of the queue, and when it was published; unknown where it could not be asked for.
    oldest: Option<(u64, DateTime<Utc>)>,
}

impl Look {
    /// In a work queue a job that was acknowledged is gone. One that is there at a place that the consumer
    /// has left behind, and is in no one's hands, is lost to it.
    fn is_lost(&self) -> bool {
        let left_behind = self
            .oldest
            .is_some_and(|(at, _)| at <= self.acknowledged || (at <= self.delivered && self.in_hand == 0));
        self.delivered > self.last || left_behind
    }
}

/// How a queue stands as of `now`.
///
/// # Errors
/// [`WorkError`] when the broker is away, or stream or consumer are missing.
pub(super) async fn state(
    broker: &Broker,
    queue: Queue,
    now: DateTime<Utc>,
) -> Result<QueueState, WorkError> {
    let look = settled_look(broker, queue).await?;
    Ok(match look.oldest {
        _ if look.is_lost() => QueueState::LostPlace {
            delivered: look.delivered,
            last: look.last,
        },
        Some((_, since)) if look.in_hand == 0 && now - since > WAITS_TOO_LONG => {
            QueueState::Untaken { since }
        }
        _ => QueueState::Moves,
    })
}

/// How many jobs a queue has, and since when.
///
/// # Errors
/// [`WorkError`] when the broker is away, or stream or consumer are missing.
pub(super) async fn figures(broker: &Broker, queue: Queue) -> Result<QueueFigures, WorkError> {
    let look = look(broker, queue).await?;
    Ok(QueueFigures {
        in_hand: look.in_hand as u64,
        waiting: look.waiting,
        oldest: look.oldest.map(|(_, at)| at),
    })
}

/// Makes the consumer anew if it has lost its place; says whether it had. Jobs that are in someone's hands
/// are then given out once more, which every job has to bear anyway.
///
/// # Errors
/// [`WorkError`] when the broker is away, or the consumer could not be made.
pub(super) async fn heal(broker: &Broker, queue: Queue) -> Result<bool, WorkError> {
    let look = settled_look(broker, queue).await?;
    if !look.is_lost() {
        return Ok(false);
    }
    tracing::warn!(
        queue = queue.as_str(),
        delivered = look.delivered,
        last = look.last,
        "the queue's consumer has lost its place in the stream and is made anew"
    );
    let stream = stream(broker).await?;
    // Another worker may have been faster.
    if let Err(error) = stream.delete_consumer(queue.as_str()).await {
        tracing::debug!(%error, queue = queue.as_str(), "no consumer to replace");
    }
    let restored = topology::restore(broker, &[topology::WORK]).await;
    restored.map_err(WorkError::Topology)?;
    Ok(true)
}

/// A look, or a second one where the first looked lost.
async fn settled_look(broker: &Broker, queue: Queue) -> Result<Look, WorkError> {
    let first = look(broker, queue).await?;
    if !first.is_lost() {
        return Ok(first);
    }
    tokio::time::sleep(LOOK_AGAIN).await;
    look(broker, queue).await
}

async fn look(broker: &Broker, queue: Queue) -> Result<Look, WorkError> {
    let stream = stream(broker).await?;
    // The consumer first: what is published between the two looks then is behind it and not lost.
    let info: Info = stream.consumer_info(queue.as_str()).await.map_err(unavailable)?;
    let last = stream.get_info().await.map_err(unavailable)?.state.last_sequence;
    let filter = filter(queue).map_err(WorkError::Topology)?;
    let oldest = match stream.direct_get_next_for_subject(filter, Some(1)).await {
        Ok(job) => {
            let at = DateTime::from_timestamp(job.time.unix_timestamp(), job.time.nanosecond());
            at.map(|at| (job.sequence, at))
        }
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => None,
        Err(error) => {
            tracing::debug!(%error, queue = queue.as_str(), "the oldest job could not be looked at");
            None
        }
    };
    Ok(Look {
        delivered: info.delivered.stream_sequence,
        acknowledged: info.ack_floor.stream_sequence,
        in_hand: info.num_ack_pending,
        waiting: info.num_pending,
        last,
        oldest,
    })
}

/// Which subjects a queue has, as declared.
fn filter(queue: Queue) -> Result<String, TopologyError> {
    let declared = topology::names()?.consumers;
    declared
        .into_iter()
        .find(|consumer| consumer.stream == topology::WORK && consumer.durable == queue.as_str())
        .map(|consumer| consumer.filter)
        .ok_or_else(|| TopologyError::Missing {
            name: format!("{}/{}", topology::WORK, queue.as_str()),
        })
}

async fn stream(broker: &Broker) -> Result<Stream<()>, WorkError> {
    let stream = broker.jetstream().get_stream_no_info(topology::WORK).await;
    stream.map_err(unavailable)
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> WorkError {
    WorkError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_lost_where_the_consumer_has_left_it_behind_and_no_one_holds_it() {
        let lost = |delivered, acknowledged, in_hand, last, oldest: Option<u64>| {
            let oldest = oldest.map(|at| (at, DateTime::<Utc>::MIN_UTC));
            Look {
                delivered,
                acknowledged,
                in_hand,
                waiting: 0,
                last,
                oldest,
            }
            .is_lost()
        };
        assert!(!lost(0, 0, 0, 0, None), "new");
        assert!(!lost(4, 4, 0, 6, Some(5)), "waiting");
        assert!(!lost(6, 4, 1, 6, Some(5)), "in hand");
        assert!(!lost(6, 6, 0, 6, None), "all done");
        assert!(lost(9, 9, 0, 3, Some(1)), "the stream began anew");
        assert!(lost(9, 9, 0, 0, None), "and has nothing yet");
        assert!(lost(9, 9, 0, 12, Some(5)), "and has grown beyond it since");
        assert!(lost(9, 4, 0, 9, Some(5)), "delivered, but in no one's hands");
    }
}
