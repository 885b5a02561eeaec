//! What is done now and then for the installation as a whole. The scheduler queues it by the clock, any
//! worker does it; each job may be done twice, or late.

mod keys;

use std::time::Duration;

use application::domain::subscription::GRACE;
use application::{Context, subscriptions};
use auth::{IdempotencyKeys, StoreError};
use events::ids::CommandId;
use messaging::{Job, Queue, WorkError, WorkQueue};
use runtime::Clock;
use tokio_util::sync::CancellationToken;

pub use keys::watch_keys;

use crate::payloads::{self, PayloadLimits};
use crate::sync::Syncs;

/// Forgets answers to repeated requests that need not be kept any longer.
pub const PURGE_ANSWERS: &str = "work.maintenance.purge_answers";
/// Announces the end of keys, and tries keys that were offered and could not be tried then.
pub const WATCH_KEYS: &str = "work.maintenance.watch_keys";
/// Ends contracts whose time is over and that nobody prolonged.
pub const END_CONTRACTS: &str = "work.maintenance.end_contracts";
/// Destroys kept raw answers that are too old or too many.
pub const PURGE_PAYLOADS: &str = "work.maintenance.purge_payloads";
/// Every job, to be queued once per [`EVERY`].
pub const JOBS: [&str; 4] = [PURGE_ANSWERS, WATCH_KEYS, END_CONTRACTS, PURGE_PAYLOADS];
/// How often: answers are kept for a day and contracts for a month, so an hour more is little.
pub const EVERY: Duration = Duration::from_secs(3600);

/// How long a worker waits for a job before it asks again.
const WAIT: Duration = Duration::from_secs(5);
/// Pause after the queue could not be asked.
const PAUSE: Duration = Duration::from_secs(1);
/// Contracts ended in one go.
const CONTRACTS: i32 = 100;
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
    /// How much is kept of raw answers, and for how long.
    pub payload_limits: PayloadLimits,
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
    /// Keys could not be listed, or raw answers not be purged.
    #[error("the maintenance's tables cannot be used")]
    Database(#[from] database::DatabaseError),
    /// A contract could not be ended.
    #[error("a contract could not be ended")]
    Contracts(#[source] Box<dyn std::error::Error + Send + Sync>),
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
            PURGE_PAYLOADS => self.purge_payloads().await,
            WATCH_KEYS => keys::watch_keys(&self.syncs).await.map_err(Into::into),
            END_CONTRACTS => self.end_contracts().await,
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

    /// Ends every contract whose time is over; returns when none is left.
    async fn end_contracts(&self) -> Result<(), MaintenanceError> {
        loop {
            let now = self.clock.now();
            let over = self.syncs.app.terms.lapsed(now, GRACE, CONTRACTS).await?;
            for (tenant_id, user_id) in &over {
                let command_id = CommandId::derived(user_id.uuid(), &format!("lapse {now}"));
                let context = Context {
                    tenant_id: *tenant_id,
                    actor: "worker".to_owned(),
                    command_id,
                    correlation_id: command_id.uuid(),
                    causation_id: None,
                    traceparent: runtime::trace::current(),
                    now,
                };
                subscriptions::pass(&self.syncs.app, &context, *user_id)
                    .await
                    .map_err(|error| MaintenanceError::Contracts(Box::new(error)))?;
                tracing::info!(user.id = %user_id, "a contract followed the clock");
            }
            if over.len() < usize::try_from(CONTRACTS).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    async fn purge_payloads(&self) -> Result<(), MaintenanceError> {
        payloads::purge(
            self.syncs.app.store.pool(),
            &self.payload_limits,
            self.clock.now(),
        )
        .await?;
        Ok(())
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
