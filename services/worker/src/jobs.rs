//! Takes jobs off the queue and holds their lease while they run. A worker that cannot renew its lease stops
//! the job itself, before the broker gives it to somebody else.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use messaging::{Job, Queue, WorkQueue};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::SyncJob;
use crate::sync::{End, Syncs};

/// How long a worker waits for a job before it asks again.
const WAIT: Duration = Duration::from_secs(5);
/// Pause after the queue could not be asked.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a lease is renewed; the broker gives a job away after 30 s without renewal.
const RENEW: Duration = Duration::from_secs(8);
/// A lease that could not be renewed for this long is taken for lost.
const LEASE: Duration = Duration::from_secs(25);

/// Takes up sync jobs, `parallel` at a time, until told to stop; then lets the running ones end. While all
/// places are taken nobody waits long for a limit: somebody else's job may be waiting for the place.
pub async fn run(queue: &WorkQueue, syncs: &Syncs, parallel: usize, stop: &CancellationToken) {
    let running = TaskTracker::new();
    let places = Arc::new(Places {
        all: parallel.max(1),
        taken: AtomicUsize::new(0),
    });
    for _slot in 0..places.all {
        let (queue, syncs, stop, places) = (queue.clone(), syncs.clone(), stop.clone(), Arc::clone(&places));
        running.spawn(async move { slot(&queue, &syncs, &places, &stop).await });
    }
    running.close();
    running.wait().await;
}

/// The places of a process for running syncs.
struct Places {
    all: usize,
    taken: AtomicUsize,
}

impl Places {
    fn took(&self, syncs: &Syncs) {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        // The only place is nobody else's.
        syncs
            .marketplaces
            .limits()
            .crowd(taken >= self.all && self.all > 1);
    }

    fn left(&self, syncs: &Syncs) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        syncs.marketplaces.limits().crowd(false);
    }
}

async fn slot(queue: &WorkQueue, syncs: &Syncs, places: &Places, stop: &CancellationToken) {
    let mut jobs = queue.consumer(Queue::Sync);
    while !stop.is_cancelled() {
        let next = tokio::select! {
            () = stop.cancelled() => return,
            next = jobs.next(WAIT) => next,
        };
        match next {
            Ok(Some(job)) => {
                places.took(syncs);
                one(&job, syncs).await;
                places.left(syncs);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(error = ?error, "no jobs at the moment");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn one(job: &Job, syncs: &Syncs) {
    let Ok(wanted) = serde_json::from_slice::<SyncJob>(&job.payload) else {
        tracing::error!(subject = %job.subject, "a job that cannot be read");
        report(job.dead("the job cannot be read").await);
        return;
    };
    let end = tokio::select! {
        end = syncs.run(&wanted, job.sequence, job.deliveries) => end,
        () = lease_lost(|| job.in_progress()) => {
            tracing::warn!(sync.id = %wanted.sync_id, "lease lost, job left to another worker");
            return;
        }
    };
    match end {
        // The log knows how it ended; the job is only a reminder.
        End::Done | End::WillRetry => report(job.ack().await),
        End::GivenUp { reason } => report(job.dead(&reason).await),
        // Nothing could be recorded: the same job shall come again soon.
        End::Undecided => report(job.nak(PAUSE * 5).await),
    }
}

/// Renews the lease until that has failed for too long.
async fn lease_lost<F, E>(renew: impl Fn() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Debug,
{
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(RENEW).await;
        // A process that was stopped and woken finds its lease long gone.
        if renewed.elapsed() > LEASE {
            return;
        }
        match renew().await {
            Ok(()) => renewed = Instant::now(),
            Err(error) => tracing::debug!(error = ?error, "lease not renewed"),
        }
    }
}

fn report(outcome: Result<(), messaging::WorkError>) {
    if let Err(error) = outcome {
        tracing::warn!(error = ?error, "the end of a job was not confirmed; it may come again");
    }
}
