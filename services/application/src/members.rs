//! Who belongs to a business: inviting, changing roles, removing. The rules are the tenant's; what an event
//! means for logins happens in the transaction that appends it.

use auth::invitations::{IssuedCode, NewInvitation};
use auth::{Email, IssueError, Role, StoreError};
use domain::tenant::{Tenant, TenantCommand, TenantRefusal};
use event_store::{Loaded, ReadError};
use events::ids::UserId;
use uuid::Uuid;

use crate::{App, Context, ExecuteError, Folded, Receipt};

/// Why somebody may not be decided about.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The tenant's rule.
    #[error("the tenant refuses")]
    Refused(#[source] TenantRefusal),
    /// Whoever sets a platform administrator's password is one; that is not a tenant's to give away.
    #[error("only the platform decides about the passwords of its administrators")]
    OfPlatform,
    /// The tenant's stream could not be read.
    #[error("the tenant could not be looked up")]
    Read(#[from] ReadError),
    /// The code could not be made or stored.
    #[error("the code could not be handed out")]
    Issue(#[from] IssueError),
    /// The side tables failed.
    #[error("the account could not be looked up")]
    Store(#[from] StoreError),
}

/// Invites somebody as `role`. None when the invitation with this command's id was used meanwhile.
///
/// # Errors
/// [`DecideError`].
pub async fn invite(
    app: &App,
    context: &Context,
    by: UserId,
    role: Role,
    email: Option<Email>,
) -> Result<Option<(Uuid, IssuedCode)>, DecideError> {
    let tenant = tenant(app, context).await?;
    tenant.may_decide(by, role).map_err(DecideError::Refused)?;
    let invitation = NewInvitation {
        invitation_id: context.new_id("invitation"),
        invited_by: by,
        role,
        email,
    };
    let issued = app
        .invitations
        .issue(context.tenant_id, &invitation, context.now)
        .await?;
    Ok(issued.map(|code| (invitation.invitation_id, code)))
}

/// Takes an invitation back; false when none waits under this id.
///
/// # Errors
/// [`DecideError`], also for an invitation as more than `by` is.
pub async fn withdraw(
    app: &App,
    context: &Context,
    by: UserId,
    invitation: Uuid,
) -> Result<bool, DecideError> {
    let Some(role) = app.invitations.role_of(context.tenant_id, invitation).await? else {
        return Ok(false);
    };
    let tenant = tenant(app, context).await?;
    tenant.may_decide(by, role).map_err(DecideError::Refused)?;
    Ok(app.invitations.withdraw(context.tenant_id, invitation).await?)
}

/// Makes the code with which a member who forgot the password sets another one.
///
/// # Errors
/// [`DecideError`].
pub async fn issue_reset(
    app: &App,
    context: &Context,
    by: UserId,
    member: UserId,
) -> Result<IssuedCode, DecideError> {
    let tenant = tenant(app, context).await?;
    let role = tenant.members.get(&member).copied();
    let role = role.ok_or(DecideError::Refused(TenantRefusal::NotMember))?;
    tenant.may_decide(by, role).map_err(DecideError::Refused)?;
    if app.accounts.is_administrator(context.tenant_id, member).await? {
        return Err(DecideError::OfPlatform);
    }
    Ok(app.resets.issue(context.tenant_id, member, context.now).await?)
}

/// Gives a member another role.
///
/// # Errors
/// [`ExecuteError`].
pub async fn change_role(
    app: &App,
    context: &Context,
    by: UserId,
    user_id: UserId,
    role: Role,
) -> Result<Receipt, ExecuteError<TenantRefusal>> {
    let command = TenantCommand::ChangeRole { by, user_id, role };
    run(app, context, command).await
}

/// Takes a member out. The login, its sessions and its keys go.
///
/// # Errors
/// [`ExecuteError`].
pub async fn remove(
    app: &App,
    context: &Context,
    by: UserId,
    user_id: UserId,
) -> Result<Receipt, ExecuteError<TenantRefusal>> {
    run(app, context, TenantCommand::RemoveMember { by, user_id }).await
}

async fn run(
    app: &App,
    context: &Context,
    command: TenantCommand,
) -> Result<Receipt, ExecuteError<TenantRefusal>> {
    let executed = app
        .execute::<Tenant>(context, context.tenant_id.uuid(), command, |_| None)
        .await?;
    Ok(executed.receipt)
}

async fn tenant(app: &App, context: &Context) -> Result<Tenant, DecideError> {
    let id = context.tenant_id;
    let Loaded {
        state: Folded(tenant),
        ..
    } = app.states.load::<Folded<Tenant>>(id, id.uuid()).await?;
    if !tenant.registered || tenant.erased {
        return Err(DecideError::Refused(TenantRefusal::NotRegistered));
    }
    if tenant.suspended {
        return Err(DecideError::Refused(TenantRefusal::Suspended));
    }
    Ok(tenant)
}
