//! What platform administrators do to logins and businesses. Who is one is decided before; the context
//! carries the tenant of whom it is about.

use domain::tenant::{Tenant, TenantCommand, TenantRefusal};
use domain::user::{User, UserCommand, UserRefusal};
use events::ids::UserId;

use crate::{App, Context, ExecuteError, Receipt};

/// Closes a login or opens it again. Closing ends its sessions.
///
/// # Errors
/// [`ExecuteError`].
pub async fn set_active(
    app: &App,
    context: &Context,
    user_id: UserId,
    active: bool,
) -> Result<Receipt, ExecuteError<UserRefusal>> {
    let command = if active {
        UserCommand::Reactivate
    } else {
        UserCommand::Deactivate
    };
    let executed = app
        .execute::<User>(context, user_id.uuid(), command, |_| None)
        .await?;
    Ok(executed.receipt)
}

/// Makes a login a platform administrator, or an ordinary one again.
///
/// # Errors
/// [`ExecuteError`].
pub async fn set_admin(
    app: &App,
    context: &Context,
    user_id: UserId,
    admin: bool,
) -> Result<Receipt, ExecuteError<UserRefusal>> {
    let command = if admin {
        UserCommand::GrantAdmin
    } else {
        UserCommand::RevokeAdmin
    };
    let executed = app
        .execute::<User>(context, user_id.uuid(), command, |_| None)
        .await?;
    Ok(executed.receipt)
}

/// Stops all use by the context's tenant for a reason, or allows it again.
///
/// # Errors
/// [`ExecuteError`].
pub async fn set_suspended(
    app: &App,
    context: &Context,
    reason: Option<String>,
) -> Result<Receipt, ExecuteError<TenantRefusal>> {
    let command = match reason {
        Some(reason) => TenantCommand::Suspend { reason },
        None => TenantCommand::Reactivate,
    };
    let executed = app
        .execute::<Tenant>(context, context.tenant_id.uuid(), command, |_| None)
        .await?;
    Ok(executed.receipt)
}
