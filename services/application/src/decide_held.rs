//! A person decides about a result that was held back because it looks implausible.

use domain::sync::{Sync, SyncCommand, SyncRefusal};
use events::ids::{CabinetId, SyncId};

use crate::{App, Context, ExecuteError, Receipt};

/// What the person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is true: exactly what was seen is recorded.
    Release,
    /// It is not: what was seen is destroyed.
    Discard,
}

/// Records the decision. A released result is recorded by a worker, as an attempt of the same sync.
///
/// # Errors
/// [`SyncRefusal::NotHeld`], [`SyncRefusal::Busy`].
pub async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    sync_id: SyncId,
    decision: Decision,
) -> Result<Receipt, ExecuteError<SyncRefusal>> {
    let at = context.now;
    let command = match decision {
        Decision::Release => SyncCommand::Release { sync_id, at },
        Decision::Discard => SyncCommand::Discard { sync_id, at },
    };
    Ok(app
        .execute::<Sync>(context, cabinet_id.uuid(), command, |_| None)
        .await?
        .receipt)
}
