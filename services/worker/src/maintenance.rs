//! What is done now and then for the installation as a whole. The scheduler queues it by the clock, any
//! worker does it; each job may be done twice, or late.

use std::time::Duration;

use auth::{IdempotencyKeys, StoreError};
use messaging::{Job, Queue, WorkError, WorkQueue};
use runtime::Clock;
use tokio_util::sync::CancellationToken;

/// Forgets answers to repeated requests that need not be kept any longer.
pub const PURGE_ANSWERS: &str = "work.maintenance.purge_answers";
/// Every job, to be queued once per [`EVERY`].
pub const JOBS: [&str; 1] = [PURGE_ANSWERS];
/// How often: answers are kept for a day, so an hour more is little.
pub const EVERY: Duration = Duration::from_secs(3600);

/// How long a worker waits for a job before it asks again.
const WAIT: Duration = Duration::from_secs(5);
/// Pause after the queue could not be asked.
const PAUSE: Duration = Duration::from_secs(1);
/// A job that failed comes again after this.
const AGAIN: Duration = Duration::from_secs(60);

/// Puts all jobs on the queue; those that are still there are not doubled.
///
/// # Errors
/// [`WorkError`] when the broker is away.
pub async fn queue_all(queue: &WorkQueue, ids: &runtime::Ids) -> Result<(), WorkError> {
    for subject in JOBS {
        let id = ids.next().to_string();
        queue.publish(subject, bytes::Bytes::new(), &id).await?;
    }
    Ok(())
}

/// Does the jobs.
#[derive(Clone)]
pub struct Maintenance {
    /// Answers to repeated requests, as the worker.
    pub answers: IdempotencyKeys,
    /// Now.
    pub clock: Clock,
}

impl Maintenance {
    /// Takes jobs off the queue until told to stop.
    pub async fn run(&self, queue: &WorkQueue, stop: &CancellationToken) {
        let mut jobs = queue.consumer(Queue::Maintenance);
        while !stop.is_cancelled() {
            let next = tokio::select! {
                () = stop.cancelled() => return,
                next = jobs.next(WAIT) => next,
            };
            match next {
                Ok(Some(job)) => self.one(&job).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(error = ?error, "no maintenance at the moment");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn one(&self, job: &Job) {
        let ended = if job.subject == PURGE_ANSWERS {
            match self.purge_answers().await {
                Ok(()) => job.ack().await,
                Err(error) => {
                    tracing::warn!(error = ?error, subject = %job.subject, "maintenance failed");
                    job.nak(AGAIN).await
                }
            }
        } else {
            // A newer scheduler's job; an operator replays it when the workers are new as well.
            job.dead("this worker does not know the job").await
        };
        if let Err(error) = ended {
            tracing::warn!(error = ?error, "the end of a job was not confirmed; it may come again");
        }
    }

    async fn purge_answers(&self) -> Result<(), StoreError> {
        let purged = self.answers.purge(self.clock.now()).await?;
        tracing::info!(answers.purged = purged, "old answers forgotten");
        Ok(())
    }
}
