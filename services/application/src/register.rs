//! A seller signs up: a login, a business, and the business's first owner. The login's address is reserved
//! first and activated last, so a crash in between leaves nothing that can be used and nothing that blocks:
//! repeating the command finishes it.

use auth::accounts::{NewAccount, ReserveError};
use auth::profiles::Subject;
use auth::{Email, Role, StoreError};
use domain::subscription::SubscriptionRefusal;
use domain::tenant::{Tenant, TenantCommand, TenantRefusal};
use domain::user::{User, UserCommand, UserRefusal};
use events::ids::{TenantId, UserId};
use secrecy::SecretString;

use crate::{App, Context, ExecuteError, Receipt, subscriptions};

/// Language of titles until the tenant says otherwise.
const LANGUAGE: &str = "ru";
/// Time zone of daily things until the tenant says otherwise; the marketplaces' own.
const TIME_ZONE: &str = "Europe/Moscow";

/// Who signs up.
pub struct Input {
    /// Address to log in with.
    pub email: Email,
    /// Password.
    pub password: SecretString,
    /// What the business is called.
    pub company_name: String,
    /// What the person is called; may be empty.
    pub display_name: String,
}

/// Why nobody was signed up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or the password cannot be used.
    #[error("the account could not be reserved")]
    Reserve(#[from] ReserveError),
    /// The tenant's stream failed.
    #[error("the tenant was not registered")]
    Tenant(#[from] ExecuteError<TenantRefusal>),
    /// The user's stream failed.
    #[error("the user was not registered")]
    User(#[from] ExecuteError<UserRefusal>),
    /// The trial's stream failed.
    #[error("the trial was not begun")]
    Trial(#[from] ExecuteError<SubscriptionRefusal>),
    /// The side tables failed.
    #[error("the account could not be stored")]
    Store(#[from] StoreError),
}

/// Who signed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The business.
    pub tenant_id: TenantId,
    /// The login.
    pub user_id: UserId,
    /// For the caller: of the user's stream, with the position of the last event of all.
    pub receipt: Receipt,
}

/// The tenant a registration with this command id will have. The context of a registration must carry it.
#[must_use]
pub fn tenant_of(command_id: events::ids::CommandId) -> TenantId {
    TenantId(events::ids::CommandId::derived(command_id.uuid(), "tenant").uuid())
}

/// Signs somebody up, and begins the trial where plans are sold. `context.tenant_id` must be [`tenant_of`]
/// the command.
///
/// # Errors
/// [`Error`].
pub async fn execute(app: &App, context: &Context, input: Input) -> Result<Registered, Error> {
    let tenant_id = context.tenant_id;
    let user_id = UserId(context.new_id("user"));
    let account = NewAccount {
        tenant_id,
        user_id,
        email: input.email,
        password: input.password,
        display_name: input.display_name,
        role: Role::Owner,
    };
    app.accounts.reserve(&account, context.now).await?;
    app.profiles
        .set(tenant_id, Subject::Tenant, tenant_id.uuid(), &input.company_name)
        .await?;
    let tenant = TenantCommand::Register {
        owner: user_id,
        language: LANGUAGE.to_owned(),
        time_zone: TIME_ZONE.to_owned(),
    };
    app.execute::<Tenant>(context, tenant_id.uuid(), tenant, |_| None)
        .await?;
    let user = UserCommand::Register { tenant_id };
    let mut receipt = app
        .execute::<User>(&context.part("user"), user_id.uuid(), user, |_| None)
        .await?
        .receipt;
    if app.plans.sold().next().is_some() {
        let trial = subscriptions::begin_trial(app, &context.part("trial"), user_id).await?;
        receipt.position = receipt.position.max(trial.position);
    }
    app.accounts.activate(tenant_id, user_id).await?;
    Ok(Registered {
        tenant_id,
        user_id,
        receipt,
    })
}
