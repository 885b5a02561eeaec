//! The end of a cabinet's key is looked at, by the clock.

use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use events::ids::CabinetId;

use crate::{App, Context, ExecuteError, Receipt};

/// Announces the end where it is due, and tells that it has come. Looking again changes nothing.
///
/// # Errors
/// [`ExecuteError`].
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
) -> Result<Receipt, ExecuteError<CabinetRefusal>> {
    let command = CabinetCommand::WatchExpiry { at: context.now };
    Ok(app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?
        .receipt)
}
