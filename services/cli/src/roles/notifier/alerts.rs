//! Runs the alert policy.

use std::sync::Arc;

use alerts::{AlertPolicy, Notice, Options};
use application::App;
use event_store::GlobalReader;
use events::StreamType;
use events::catalog::ENTRIES;

use crate::Failure;
use crate::assembly::Assembly;
use crate::roles::figures;

/// Runs the alert policy, and tells how far it is behind.
pub(crate) fn start(assembly: &Assembly, app: &App) -> Result<(), Failure> {
    let reader = GlobalReader::new(app.store.pool().clone());
    figures::alerts(assembly, reader.clone());
    let metrics = assembly.metrics.clone();
    // A series that begins with the first alert looks like one that is missing.
    for entry in ENTRIES.iter().filter(|entry| entry.stream == StreamType::Alert) {
        metrics.alerts_raised(entry.event_type, 0);
    }
    let policy = AlertPolicy {
        app: app.clone(),
        reader,
        database_url: assembly.settings.database.required_url()?.clone(),
        options: Options::default(),
        observer: Arc::new(move |notice| {
            if let Notice::Raised(kind) = notice {
                metrics.alerts_raised(kind, 1);
            }
        }),
    };
    let (wake, stop) = (assembly.wake.subscribe(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("alert policy", async move {
        policy.run(wake, stop).await;
        Ok::<(), Failure>(())
    });
    Ok(())
}
