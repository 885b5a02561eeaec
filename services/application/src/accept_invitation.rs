//! Somebody joins a business by a one-time code: a login, and its membership. The code is claimed by this
//! command first; the login becomes usable with the event that makes it a member, in one transaction.
//! Repeating the command finishes it; a refusal gives the code back.

use auth::accounts::{NewAccount, ReserveError};
use auth::password::{self, PasswordError};
use auth::{Email, Role, StoreError};
use domain::tenant::{Tenant, TenantCommand, TenantRefusal};
use domain::user::{User, UserCommand, UserRefusal};
use events::ids::UserId;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{App, Context, ExecuteError, Receipt};

/// Who joins.
pub struct Input {
    /// What was shown to whoever invited.
    pub code: SecretString,
    /// Address to log in with.
    pub email: Email,
    /// Password.
    pub password: SecretString,
    /// What the person is called; may be empty.
    pub display_name: String,
}

/// Why nobody joined.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The code is unknown, used, too old or for another address; nobody learns which.
    #[error("the invitation is not accepted")]
    Code,
    /// The address is taken or the password cannot be used.
    #[error("the account could not be reserved")]
    Reserve(#[from] ReserveError),
    /// The user's stream failed.
    #[error("the user was not registered")]
    User(#[from] ExecuteError<UserRefusal>),
    /// The tenant refused, or its stream failed.
    #[error("the member was not added")]
    Tenant(#[from] ExecuteError<TenantRefusal>),
    /// The side tables failed.
    #[error("the invitation could not be looked up")]
    Store(#[from] StoreError),
}

/// Who joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The login.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
    /// Of the tenant's stream.
    pub receipt: Receipt,
}

/// Lets somebody in; `context.tenant_id` has to be the code's.
///
/// # Errors
/// [`Error`].
pub async fn execute(app: &App, context: &Context, input: Input) -> Result<Joined, Error> {
    let accepted = password::accept(input.password.expose_secret());
    accepted.map_err(|reason| ReserveError::Password(PasswordError::Unacceptable(reason)))?;
    let invitation = app
        .invitations
        .claim(&input.code, &input.email, context.command_id, context.now)
        .await?
        .ok_or(Error::Code)?;
    let user_id = UserId(context.new_id("user"));
    let account = NewAccount {
        tenant_id: context.tenant_id,
        user_id,
        email: input.email,
        password: input.password,
        display_name: input.display_name,
        role: invitation.role,
    };
    let joined = join(app, context, account, invitation.invited_by).await;
    if let Err(Error::Reserve(_) | Error::Tenant(ExecuteError::Refused(_))) = &joined {
        app.invitations
            .release(context.tenant_id, invitation.invitation_id, context.command_id)
            .await?;
    }
    joined
}

async fn join(app: &App, context: &Context, account: NewAccount, by: UserId) -> Result<Joined, Error> {
    let (tenant_id, user_id, role) = (account.tenant_id, account.user_id, account.role);
    app.accounts.reserve(&account, context.now).await?;
    let context = Context {
        actor: format!("user:{user_id}"),
        ..context.clone()
    };
    let user = UserCommand::Register { tenant_id };
    app.execute::<User>(&context.part("user"), user_id.uuid(), user, |_| None)
        .await?;
    let member = TenantCommand::AddMember { by, user_id, role };
    let receipt = app
        .execute::<Tenant>(&context, tenant_id.uuid(), member, |_| None)
        .await?
        .receipt;
    Ok(Joined {
        user_id,
        role,
        receipt,
    })
}
