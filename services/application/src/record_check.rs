//! A key was tried at its marketplace: the one in use, or one that was offered.

use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal, CheckOutcome};
use events::ids::{CabinetId, CredentialId};

use crate::retired;
use crate::{App, Context, ExecuteError, Executed};

/// Records what came of it and what follows from it, and returns the cabinet as it is then.
///
/// # Errors
/// [`ExecuteError`].
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    credential_id: CredentialId,
    outcome: CheckOutcome,
) -> Result<Executed<Cabinet>, ExecuteError<CabinetRefusal>> {
    let command = CabinetCommand::RecordCheck {
        credential_id,
        outcome,
        checked_at: context.now,
    };
    let before = retired::cabinet(app, context, cabinet_id).await?;
    let executed = app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?;
    retired::destroy(app, context, &before, None, &executed.state).await;
    Ok(executed)
}
