//! The role `worker`: the sync policy, sync jobs, and the errands that need a credential.

use std::sync::Arc;

use application::App;
use auth::IdempotencyKeys;
use billing::Backlog;
use connectors::http::Turns;
use database::{Pool, Role};
use messaging::{Cache, DeadLetters, Queue, QueueState, WorkQueue};
use worker::billing::Deliveries;
use worker::erasures::Erasures;
use worker::gauges;
use worker::maintenance::Maintenance;
use worker::paused::{self, Paused};
use worker::payloads::{PayloadLimits, Payloads};
use worker::plans::PlanPolicy;
use worker::policy::SyncPolicy;
use worker::reports::KeptReports;
use worker::sync::{Limits, Syncs};

use crate::Failure;
use crate::assembly::Assembly;

/// Runs policy, jobs and errands.
pub(crate) fn start(assembly: &Assembly) -> Result<(), Failure> {
    let pool = assembly.pool(Role::Worker)?;
    let settings = &assembly.settings.sync;
    let metrics = assembly.metrics.clone();
    let payload_limits = PayloadLimits {
        days: settings.payload_days,
        of_cabinet: settings.payload_cabinet_bytes,
        of_all: settings.payload_total_bytes,
    };
    let app = assembly.app(pool.clone())?;
    let payloads = (payload_limits.days > 0).then(|| Payloads {
        pool: pool.clone(),
        vault: app.vault.clone(),
        limits: payload_limits,
        clock: assembly.clock.clone(),
    });
    let source_metrics = metrics.clone();
    let syncs = Syncs {
        app,
        marketplaces: assembly
            .marketplaces()?
            .keeping(Arc::new(KeptReports::new(&assembly.broker))),
        cache: Arc::new(Cache::new(&assembly.broker)),
        clock: assembly.clock.clone(),
        limits: Limits {
            soft: settings.soft_limit,
            hard: settings.hard_limit,
            attempts: settings.attempts,
            pause: settings.retry_pause,
        },
        turns: Some(Turns::new(settings.requests)),
        order_days: settings.order_days,
        observer: Some(Arc::new(move |marketplace, outcome, duration| {
            metrics.sync_ended(marketplace, outcome, duration);
        })),
        source_observer: Some(Arc::new(move |marketplace, source, outcome| {
            source_metrics.source_ended(marketplace, source, outcome);
        })),
        payloads,
    };
    let queue = WorkQueue::new(&assembly.broker);
    let maintenance = Maintenance {
        answers: IdempotencyKeys::new(pool.clone()),
        payload_limits,
        syncs: syncs.clone(),
        metrics: assembly.metrics.clone(),
        clock: assembly.clock.clone(),
    };
    take_deliveries(assembly, syncs.app.clone());
    check_queues(assembly, &queue);
    super::figures::jetstream(assembly);
    super::figures::work(assembly, pool.clone(), &queue);
    tell_figures(assembly, pool.clone());
    let policy = SyncPolicy {
        pool,
        queue: queue.clone(),
        clock: assembly.clock.clone(),
        plans: assembly.plans()?,
        per_tenant: settings.per_tenant.into(),
    };
    let (wake, stop) = (assembly.wake.subscribe(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("sync policy", async move {
        policy.run(wake, stop).await;
        Ok::<(), Failure>(())
    });
    let plans = PlanPolicy {
        app: syncs.app.clone(),
        clock: assembly.clock.clone(),
    };
    let (wake, stop) = (assembly.wake.subscribe(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("plan policy", async move {
        plans.run(wake, stop).await;
        Ok::<(), Failure>(())
    });
    let erasures = Erasures {
        app: syncs.app.clone(),
        broker: assembly.broker.clone(),
        clock: assembly.clock.clone(),
    };
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("erasures", async move {
        erasures.run(&stop).await;
        Ok::<(), Failure>(())
    });
    errands(assembly, syncs.clone());
    let (jobs, stop) = (queue.clone(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("maintenance", async move {
        maintenance.run(&jobs, &stop).await;
        Ok::<(), Failure>(())
    });
    let (parallel, stop) = (settings.parallel, assembly.lifecycle.soft());
    assembly.lifecycle.spawn("sync jobs", async move {
        worker::jobs::run(&queue, &syncs, parallel, &stop).await;
        Ok::<(), Failure>(())
    });
    Ok(())
}

/// Handles what Stripe sends, where something is sold by card.
fn take_deliveries(assembly: &Assembly, app: App) {
    if app.card.is_none() {
        return;
    }
    let deliveries = Deliveries::new(app, assembly.clock.clone());
    let (inbox, clock) = (deliveries.taking.inbox.clone(), assembly.clock.clone());
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("Stripe's events", async move {
        deliveries.run(&stop).await;
        Ok::<(), Failure>(())
    });
    let (metrics, stop) = (assembly.metrics.clone(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("billing figures", async move {
        let tell = |backlog: Backlog| {
            let count = |events: i64| u64::try_from(events).unwrap_or(0);
            let age = backlog.oldest.map(|arrived| clock.now() - arrived);
            let oldest = age.and_then(|age| age.to_std().ok()).unwrap_or_default();
            metrics.billing_inbox(count(backlog.pending), count(backlog.failed), oldest);
        };
        gauges::watch(|| inbox.backlog(), tell, &stop).await;
        Ok::<(), Failure>(())
    });
}

/// Ready means as well: the jobs that wait are delivered, and someone takes them. A queue that stands still
/// reports no error anywhere else.
fn check_queues(assembly: &Assembly, queue: &WorkQueue) {
    let (queue, clock) = (queue.clone(), assembly.clock.clone());
    assembly.health.register("jobs", move || {
        let (queue, now) = (queue.clone(), clock.now());
        async move {
            for which in [Queue::Sync, Queue::Maintenance] {
                let name = which.as_str();
                match queue.state(which, now).await {
                    Ok(QueueState::Moves) => {}
                    Ok(QueueState::LostPlace { .. }) => {
                        return Err(format!("the queue `{name}` does not deliver its jobs"));
                    }
                    Ok(QueueState::Untaken { since }) => {
                        return Err(format!(
                            "no worker has taken a job of the queue `{name}` since {since}"
                        ));
                    }
                    Err(error) => return Err(format!("the queue `{name}`: {error}")),
                }
            }
            Ok(())
        }
    });
}

/// Tells how many cabinets rest, and why, and how many jobs were given up.
fn tell_figures(assembly: &Assembly, pool: Pool) {
    let (metrics, stop) = (assembly.metrics.clone(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("paused cabinets", async move {
        let tell = |paused: Paused| {
            for (reason, cabinets) in paused.by_reason() {
                metrics.cabinets_paused(reason, cabinets);
            }
        };
        gauges::watch(|| paused::count(&pool), tell, &stop).await;
        Ok::<(), Failure>(())
    });
    let (metrics, stop) = (assembly.metrics.clone(), assembly.lifecycle.soft());
    let letters = DeadLetters::new(&assembly.broker);
    assembly.lifecycle.spawn("dead letters", async move {
        let tell = |waiting| metrics.dead_letters(waiting);
        gauges::watch(|| letters.count(), tell, &stop).await;
        Ok::<(), Failure>(())
    });
}

fn errands(assembly: &Assembly, syncs: Syncs) {
    let (broker, stop) = (assembly.broker.clone(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("errands", async move {
        while !stop.is_cancelled() {
            match worker::errands::answer(&broker, &syncs).await {
                Ok(answering) => {
                    stop.cancelled().await;
                    drop(answering);
                }
                Err(error) => {
                    tracing::debug!(error = ?error, "errands cannot be answered yet");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
        Ok::<(), Failure>(())
    });
}
