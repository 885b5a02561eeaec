//! A seller takes a cabinet away; its history stays.

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
) -> Result<Receipt, ExecuteError<CabinetRefusal>> {
    let command = CabinetCommand::Disconnect;
    Ok(app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?
        .receipt)
}
