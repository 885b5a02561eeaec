//! A business keeps its days by another clock; daily syncs move with it.

use domain::tenant::{Tenant, TenantCommand, TenantRefusal};

use crate::{App, Context, ExecuteError, Receipt};

/// Records it.
///
/// # Errors
/// [`ExecuteError`].
pub async fn execute(
    app: &App,
    context: &Context,
    time_zone: &str,
) -> Result<Receipt, ExecuteError<TenantRefusal>> {
    let command = TenantCommand::SetTimeZone {
        time_zone: time_zone.to_owned(),
    };
    let executed = app
        .execute::<Tenant>(context, context.tenant_id.uuid(), command, |_| None)
        .await?;
    Ok(executed.receipt)
}
