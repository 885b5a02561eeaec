//! The role `relay`.

use std::sync::Arc;

use database::Role;
use event_store::GlobalReader;
use relay::{Observer, RelayOptions};
use runtime::Metrics;

use crate::Failure;
use crate::assembly::Assembly;

/// Copies the log to JetStream while this process leads.
pub(crate) fn start(assembly: &Assembly) -> Result<(), Failure> {
    let reader = GlobalReader::new(assembly.pool(Role::Relay)?);
    super::figures::relay(assembly, reader.clone());
    let options = RelayOptions {
        reader,
        broker: assembly.broker.clone(),
        wake: assembly.wake.clone(),
        lock: relay::lock_connection(assembly.settings.database.required_url()?.clone()),
        shutdown: assembly.lifecycle.soft(),
        observer: Arc::new(Told(assembly.metrics.clone())),
    };
    assembly.lifecycle.spawn("relay", async move {
        relay::run(options).await;
        Ok::<(), Failure>(())
    });
    Ok(())
}

/// Turns what the relay tells into metrics and log lines.
struct Told(Metrics);

impl Observer for Told {
    fn leader(&self, leading: bool) {
        tracing::info!(leading, "relay");
    }

    fn published(&self, position: i64) {
        self.0.relay_position(u64::try_from(position).unwrap_or(0));
    }

    fn resync(&self, reason: &str) {
        tracing::info!(reason, "the stream is looked at again");
    }

    fn rebuilt(&self, reason: &str, from: i64) {
        tracing::warn!(reason, from, "the stream was no copy of the log and is made anew");
    }
}
