//! The role `projector`.

use std::sync::Arc;

use projector::{Notice, ProjectorOptions};

use crate::Failure;
use crate::assembly::Assembly;

/// Keeps the read models going; returns what knows how far they are.
pub(crate) fn start(assembly: &Assembly) -> Result<read_models::Positions, Failure> {
    let options = ProjectorOptions::new(
        assembly.settings.database.required_url()?.clone(),
        assembly.clock.clone(),
    );
    let figures = database::Pool::open(
        assembly.settings.database.required_url()?,
        database::Role::Projector,
        1,
    )?;
    super::figures::projections(assembly, &figures);
    let positions = read_models::Positions::default();
    let metrics = assembly.metrics.clone();
    let observer: projector::Observer = Arc::new(move |projection, notice| match notice {
        Notice::Lag { events, age } => metrics.projection_lag(projection, *events, *age),
        Notice::Active(active) => tracing::info!(projection, active, "projection"),
        Notice::Rebuilt(rebuilt) => tracing::info!(projection, position = rebuilt.position, "rebuilt"),
        Notice::Applied { .. } | Notice::Trouble(_) => {}
    });
    let running = projector::run(
        options,
        assembly.broker.clone(),
        assembly.wake.clone(),
        positions.clone(),
        assembly.lifecycle.soft(),
        observer,
    );
    assembly.lifecycle.spawn("projector", running);
    Ok(positions)
}
