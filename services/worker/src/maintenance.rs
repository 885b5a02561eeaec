//! What is done now and then for the installation as a whole. The scheduler queues it by the clock, any
//! worker does it; each job may be done twice, or late.

mod contracts;
mod keys;

use std::time::Duration;

use application::billing::reconcile::ReconcileError;
use auth::{IdempotencyKeys, StoreError};
use messaging::{Job, Queue, WorkError, WorkQueue};
use runtime::{Clock, Metrics};
use tokio_util::sync::CancellationToken;

pub use contracts::{EndError, end_contracts};
pub use keys::watch_keys;

use crate::billing::Deliveries;
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
/// Asks Stripe for events that were not delivered and for contracts that stand otherwise there, and
/// destroys what it sent long ago.
pub const RECONCILE_BILLING: &str = "work.maintenance.reconcile_billing";
/// Every job, to be queued once per [`EVERY`].
pub const JOBS: [&str; 5] = [
    PURGE_ANSWERS,
    WATCH_KEYS,
    END_CONTRACTS,
    PURGE_PAYLOADS,
    RECONCILE_BILLING,
];
/// How often: answers are kept for a day and contracts for a month, so an hour more is little.
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
    /// How much is kept of raw answers, and for how long.
    pub payload_limits: PayloadLimits,
    /// Syncs, whose means open keys.
    pub syncs: Syncs,
    /// Numbers for operators.
    pub metrics: Metrics,
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
    /// Stripe's events could not be listed, or contracts not be compared.
    #[error("billing could not be reconciled with Stripe")]
    Reconcile(#[from] ReconcileError),
    /// The inbox could not be purged.
    #[error("old events of Stripe's could not be forgotten")]
    Inbox(#[from] billing::StoreError),
    /// Contracts whose time is over still stand.
    #[error("contracts could not be ended")]
    Contracts(#[from] EndError),
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
            END_CONTRACTS => end_contracts(&self.syncs.app, &self.clock)
                .await
                .map_err(Into::into),
            RECONCILE_BILLING => self.reconcile_billing().await,
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

    async fn reconcile_billing(&self) -> Result<(), MaintenanceError> {
        let billing = Deliveries::new(self.syncs.app.clone(), self.clock.clone());
        billing.taking.inbox.purge(self.clock.now()).await?;
        match billing.fetch_missed().await {
            Err(ReconcileError::NotSelling) => return Ok(()),
            fetched => fetched?,
        };
        let compared = billing.compare().await?;
        self.metrics.billing_differences(compared.differed);
        Ok(())
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
