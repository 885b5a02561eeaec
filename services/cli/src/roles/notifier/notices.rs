//! Runs what turns events into notices, and what sends them to members.

use application::App;

use crate::Failure;
use crate::assembly::Assembly;

/// Runs what turns events into notices, and what sends them to members.
pub(crate) fn start(_assembly: &Assembly, _app: &App) -> Result<(), Failure> {
    Ok(())
}
