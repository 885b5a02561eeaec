//! Starts one role or all of them under one lifecycle, waits for the end, and says how it was.

mod api;
mod figures;
mod gateway;
mod notifier;
mod projector;
mod relay;
mod scheduler;
mod sheets;
mod worker;

use std::sync::Arc;

use database::DatabaseError;
use runtime::Settings;
use runtime::metrics_server::MetricsServer;

use crate::args::{AllArguments, Role};
use crate::assembly::Assembly;
use crate::embedded_servers::EmbeddedServers;
use crate::progress::Form;
use crate::{Failure, tools};

/// Runs until a signal, or until a part fails for good; returns the exit code.
pub(crate) async fn run(role: Role, mut settings: Settings) -> Result<u8, Failure> {
    let embedded = match &role {
        Role::All(AllArguments { embedded: true }) => {
            let servers = EmbeddedServers::start(&mut settings).await?;
            prepare(&settings).await?;
            Some(Arc::new(servers))
        }
        _ => None,
    };
    let assembly = Assembly::new(settings, user_of(&role)).await?;
    assembly.lifecycle.end_on_signals()?;
    serve_metrics(&assembly).await?;
    assembly.bridge_hints();
    if let Some(servers) = embedded.clone() {
        let stop = assembly.lifecycle.soft();
        let watch = async move { servers.watch(stop).await };
        assembly.lifecycle.spawn("embedded servers", watch);
    }
    start(&role, &assembly).await?;
    let outcome = assembly.lifecycle.wait().await;
    for failure in &outcome.failures {
        tracing::error!(task.name = failure.task, cause = ?failure.cause, "task failed");
    }
    // Said good-bye to before an embedded broker stops, so that its end is no surprise.
    assembly.leave_broker().await;
    if let Some(servers) = embedded {
        servers.stop().await;
    }
    if outcome.is_orderly() {
        tracing::info!("ended in order");
    }
    Ok(outcome.exit_code())
}

/// An embedded installation brings its own servers up to date; others are prepared by `migrate` and `nats
/// apply`.
async fn prepare(settings: &Settings) -> Result<(), Failure> {
    tools::migrate(settings, Form::Lines).await?;
    tools::nats_apply(settings, Form::Lines).await?;
    Ok(())
}

async fn start(role: &Role, assembly: &Assembly) -> Result<(), Failure> {
    let most = crate::connections::needed(role, &assembly.settings.database);
    tracing::info!(connections = most, "connections to the database, at most");
    prove(role, &assembly.settings).await?;
    match role {
        Role::Api => api::start(assembly, None)?,
        Role::Gateway => gateway::start(assembly)?,
        Role::Relay => relay::start(assembly)?,
        Role::Projector => {
            projector::start(assembly)?;
        }
        Role::Sheets(_) => sheets::start(assembly)?,
        Role::Worker => worker::start(assembly)?,
        Role::Scheduler => scheduler::start(assembly),
        Role::Notifier => notifier::start(assembly)?,
        Role::All(_) => {
            relay::start(&assembly.acting_as("relay").await?)?;
            let positions = projector::start(&assembly.acting_as("projector").await?)?;
            gateway::start(&assembly.acting_as("gateway").await?)?;
            worker::start(&assembly.acting_as("worker").await?)?;
            sheets::start(&assembly.acting_as("sheets").await?)?;
            scheduler::start(&assembly.acting_as("scheduler").await?);
            notifier::start(&assembly.acting_as("notifier").await?)?;
            api::start(assembly, Some(positions))?;
        }
    }
    Ok(())
}

/// A way to the database that would give wrong rights ends the start. A database that is away does not: it is
/// waited for, and each connection proves itself again.
async fn prove(role: &Role, settings: &Settings) -> Result<(), Failure> {
    for role in database_roles(role) {
        match database::prove(settings.database.required_url()?, *role).await {
            Err(error @ DatabaseError::Identity(_)) => return Err(error.into()),
            Err(error) => tracing::warn!(error = ?error, "the database is not reachable yet"),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// What a role of the program is to the database.
const fn database_roles(role: &Role) -> &'static [database::Role] {
    use database::Role as Is;

    match role {
        Role::Api => &[Is::Api],
        Role::Gateway => &[Is::Gateway],
        Role::Relay => &[Is::Relay],
        Role::Projector => &[Is::Projector],
        Role::Sheets(_) => &[Is::Sheets],
        Role::Worker => &[Is::Worker],
        Role::Scheduler => &[],
        Role::Notifier => &[Is::Notifier],
        Role::All(_) => &[
            Is::Api,
            Is::Gateway,
            Is::Relay,
            Is::Projector,
            Is::Sheets,
            Is::Worker,
            Is::Notifier,
        ],
    }
}

async fn serve_metrics(assembly: &Assembly) -> Result<(), Failure> {
    let address = assembly.settings.http.metrics_address;
    let server = MetricsServer::bind(address, assembly.metrics.clone(), assembly.health.clone()).await?;
    tracing::info!(address = %server.address()?, "metrics at /metrics");
    let stop = assembly.lifecycle.hard();
    let soft = assembly.lifecycle.soft();
    assembly.lifecycle.spawn("metrics", async move {
        tokio::select! {
            ended = server.run(soft) => ended,
            () = stop.cancelled() => Ok(()),
        }
    });
    Ok(())
}

/// The broker's user of a role. All of them together begin as the API.
const fn user_of(role: &Role) -> &'static str {
    match role {
        Role::All(_) => "api",
        _ => name_of(role),
    }
}

pub(crate) const fn name_of(role: &Role) -> &'static str {
    match role {
        Role::Api => "api",
        Role::Gateway => "gateway",
        Role::Relay => "relay",
        Role::Projector => "projector",
        Role::Sheets(_) => "sheets",
        Role::Worker => "worker",
        Role::Scheduler => "scheduler",
        Role::Notifier => "notifier",
        Role::All(_) => "all",
    }
}
