//! The endpoints, one file each, grouped by resource. A file has its parts in one order: what it takes, its
//! documentation, the handler, and how its use case's refusals become problems.

pub mod admin;
pub mod alert_rules;
pub mod alerts;
pub mod analytics;
pub mod api_keys;
pub mod auth;
pub mod billing;
pub mod cabinets;
pub mod docs;
pub mod elsewhere;
pub mod erasure;
pub mod events;
pub mod exports;
pub mod health;
pub mod notifications;
pub mod operations;
pub mod products;
pub mod sheets;
mod sse;
pub mod syncs;
mod tag;
pub mod tenants;
pub mod warehouses;
pub mod webhook_endpoints;

use application::ExecuteError;

use crate::problem::Problem;

/// The problem of a use case: its aggregate's refusal as `on_refusal` says, everything else as a failure.
pub(crate) fn execute_problem<R>(error: ExecuteError<R>, on_refusal: impl FnOnce(&R) -> Problem) -> Problem
where
    R: std::error::Error + Send + Sync + 'static,
{
    match error {
        ExecuteError::Refused(refusal) => on_refusal(&refusal),
        ExecuteError::Contention => Problem::unavailable("it keeps being changed by others; try again"),
        error => Problem::failure(error),
    }
}
