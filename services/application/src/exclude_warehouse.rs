//! A seller leaves a warehouse out of what can be sold, or counts it again. Which keys a warehouse has, and
//! that it exists, is for the caller to know: streams of cabinets hold no warehouses.

use domain::cabinet::{Cabinet, CabinetCommand, CabinetRefusal};
use events::ids::CabinetId;

use crate::{App, Context, ExecuteError, Receipt};

/// Leaves it out, from now on. The same reason again changes nothing; another one replaces it.
///
/// # Errors
/// [`CabinetRefusal::Reason`], [`CabinetRefusal::NotConnected`], or the log's failure.
pub async fn exclude(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    warehouse: String,
    reason: String,
) -> Result<Receipt, ExecuteError<CabinetRefusal>> {
    let command = CabinetCommand::ExcludeWarehouse { warehouse, reason };
    execute(app, context, cabinet_id, command).await
}

/// Counts it again, under each of `keys` that is left out. One that counts already changes nothing.
///
/// # Errors
/// [`CabinetRefusal::NotConnected`], or the log's failure.
pub async fn include(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    keys: Vec<String>,
) -> Result<Receipt, ExecuteError<CabinetRefusal>> {
    let command = CabinetCommand::IncludeWarehouse { keys };
    execute(app, context, cabinet_id, command).await
}

async fn execute(
    app: &App,
    context: &Context,
    cabinet_id: CabinetId,
    command: CabinetCommand,
) -> Result<Receipt, ExecuteError<CabinetRefusal>> {
    Ok(app
        .execute::<Cabinet>(context, cabinet_id.uuid(), command, |_| None)
        .await?
        .receipt)
}
