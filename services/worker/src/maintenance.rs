//! What is done now and then for the installation as a whole. The scheduler queues it by the clock, any
//! worker does it; each job may be done twice, or late.

mod keys;

use std::time::Duration;

use auth::{IdempotencyKeys, StoreError};
use messaging::{Job, Queue, WorkError, WorkQueue};
use runtime::Clock;
use tokio_util::sync::CancellationToken;

pub use keys::watch_keys;

use crate::sync::Syncs;

/// Forgets answers to repeated requests that need not be kept any longer.
pub const PURGE_ANSWERS: &str = "work.maintenance.purge_answers";
/// Announces the end of keys, and tries keys that were offered and could not be tried then.
pub const WATCH_KEYS: &str = "work.maintenance.watch_keys";
/// Every job, to be queued once per [`EVERY`].
pub const JOBS: [&str; 2] = [PURGE_ANSWERS, WATCH_KEYS];
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
    /// Syncs, whose means open keys.
    pub syncs: Syncs,
    /// Now.
    pub clock: Clock,
}

/// Why a job did not work; it comes again.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// Kept answers could not be purged.
    #[error("old answers could not be forgotten")]
    Answers(#[from] StoreError),
    /// Keys could not be listed.
    #[error("the keys could not be looked at")]
    Keys(#[from] database::DatabaseError),
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
        let done = match job.subject.as_str() {
            PURGE_ANSWERS => self.purge_answers().await,
            WATCH_KEYS => keys::watch_keys(&self.syncs).await.map_err(Into::into),
            // A newer scheduler's job; an operator replays it when the workers are new as well.
            _ => return report(job.dead("this worker does not know the job").await),
        };
        report(match done {
            Ok(()) => job.ack().await,
            Err(error) => {
                tracing::warn!(error = ?error, subject = %job.subject, "maintenance failed");
                job.nak(AGAIN).await
            }
        });
    }

    async fn purge_answers(&self) -> Result<(), MaintenanceError> {
        let purged = self.answers.purge(self.clock.now()).await?;
        tracing::info!(answers.purged = purged, "old answers forgotten");
        Ok(())
    }
}

fn report(ended: Result<(), WorkError>) {
    if let Err(error) = ended {
        tracing::warn!(error = ?error, "the end of a job was not confirmed; it may come again");
    }
}
