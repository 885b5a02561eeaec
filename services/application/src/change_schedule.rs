//! A seller changes a cabinet's rhythm.

use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use events::ids::CabinetId;

use crate::{App, Context, ExecuteError, Receipt};

/// Records it.
///
/// # Errors
/// [`ExecuteError`].
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    interval_seconds: u32,
    paused: bool,
) -> Result<Receipt, ExecuteError<CabinetRefusal>> {
    let command = CabinetCommand::ChangeSchedule {
        interval_seconds,
        paused,
    };
    Ok(app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?
        .receipt)
}
