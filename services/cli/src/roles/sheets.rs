//! The role `sheets`.

use crate::Failure;
use crate::assembly::Assembly;

/// Keeps every linked spreadsheet equal to the read models.
pub(crate) async fn start(_assembly: &Assembly) -> Result<(), Failure> {
    Ok(())
}
