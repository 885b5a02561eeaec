//! The role `scheduler`; it needs the broker and nothing else.

use worker::scheduler::Scheduler;

use crate::Failure;
use crate::assembly::Assembly;

/// Requests what is due.
pub(crate) fn start(assembly: &Assembly) {
    let scheduler = Scheduler {
        broker: assembly.broker.clone(),
        ids: assembly.ids.clone(),
        most_outstanding: assembly.settings.sync.outstanding,
    };
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("scheduler", async move {
        scheduler.run(stop).await;
        Ok::<(), Failure>(())
    });
}
