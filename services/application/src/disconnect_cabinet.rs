//! A seller takes a cabinet away; its history stays, its keys do not.

use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use events::ids::CabinetId;

use crate::retired;
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
    let before = retired::cabinet(app, context, cabinet_id).await?;
    let command = CabinetCommand::Disconnect;
    let executed = app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?;
    retired::destroy(app, context, &before, None, &executed.state).await;
    Ok(executed.receipt)
}
