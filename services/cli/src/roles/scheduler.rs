//! The role `scheduler`; it needs the broker and nothing else.

use worker::scheduler::Scheduler;

use crate::Failure;
use crate::assembly::Assembly;

/// Requests what is due.
pub(crate) fn start(assembly: &Assembly) {
    let scheduler = Scheduler {
        broker: assembly.broker.clone(),
        ids: assembly.ids.clone(),
        default_interval_seconds: u32::try_from(assembly.settings.sync.interval.as_secs())
            .unwrap_or(u32::MAX),
    };
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("scheduler", async move {
        scheduler.run(stop).await;
        Ok::<(), Failure>(())
    });
}
