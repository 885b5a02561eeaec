//! A business changes its name. The name is personal data of a sole trader, so it goes to the side table; the
//! stream records that it changed.

use auth::StoreError;
use auth::profiles::Subject;
use domain::tenant::{Tenant, TenantCommand, TenantRefusal};

use crate::{App, Context, ExecuteError, Receipt};

/// Why the name did not change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenant refused, or the log failed.
    #[error("the tenant was not renamed")]
    Execute(#[from] ExecuteError<TenantRefusal>),
    /// The side table failed.
    #[error("the name could not be stored")]
    Store(#[from] StoreError),
}

/// Records that the name changed, then changes it. Both may be repeated.
///
/// # Errors
/// [`Error`].
pub async fn execute(app: &App, context: &Context, name: &str) -> Result<Receipt, Error> {
    let tenant_id = context.tenant_id;
    let executed = app
        .execute::<Tenant>(context, tenant_id.uuid(), TenantCommand::Rename, |_| None)
        .await?;
    app.profiles
        .set(tenant_id, Subject::Tenant, tenant_id.uuid(), name)
        .await?;
    Ok(executed.receipt)
}
