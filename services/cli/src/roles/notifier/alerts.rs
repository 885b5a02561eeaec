//! Runs the alert policy.

use application::App;

use crate::Failure;
use crate::assembly::Assembly;

/// Runs the alert policy.
pub(crate) fn start(_assembly: &Assembly, _app: &App) -> Result<(), Failure> {
    Ok(())
}
