//! Runs the sender of outgoing webhooks.

use application::App;

use crate::Failure;
use crate::assembly::Assembly;

/// Runs the sender of outgoing webhooks.
pub(crate) fn start(_assembly: &Assembly, _app: &App) -> Result<(), Failure> {
    Ok(())
}
