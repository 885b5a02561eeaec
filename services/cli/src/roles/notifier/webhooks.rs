//! Runs the reader that makes messages of events and the sender of outgoing webhooks.

use std::sync::Arc;

use application::App;
use connectors::http::NoObserver;
use connectors::webhooks::WebhookClient;
use notifications::webhooks::{Fanout, Outbox};
use notifier::webhooks::{Reader, Sender};
use tokio::sync::Notify;

use crate::Failure;
use crate::assembly::Assembly;

/// Runs both. Attempts are counted by the sender, by outcome; calls of receivers have no series by host.
pub(crate) fn start(assembly: &Assembly, app: &App) -> Result<(), Failure> {
    let pool = app.store.pool().clone();
    let more = Arc::new(Notify::new());
    let reader = Reader {
        fanout: Fanout::new(pool.clone()),
        clock: assembly.clock.clone(),
    };
    let (wake, notify, stop) = (
        assembly.wake.subscribe(),
        Arc::clone(&more),
        assembly.lifecycle.soft(),
    );
    assembly.lifecycle.spawn("webhook reader", async move {
        reader.run(wake, &notify, stop).await;
        Ok::<(), Failure>(())
    });
    let sender = Sender::new(
        Outbox::new(pool),
        app.clone(),
        WebhookClient::new(app.targets, Arc::new(NoObserver))?,
        assembly.clock.clone(),
        assembly.metrics.clone(),
    );
    let (tending, stop) = (sender.clone(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("webhook figures", async move {
        tending.tend(stop).await;
        Ok::<(), Failure>(())
    });
    let stop = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("webhook sender", async move {
        sender.run(&more, stop).await;
        Ok::<(), Failure>(())
    });
    Ok(())
}
