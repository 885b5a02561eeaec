//! A login gets another password: by its owner, who knows the present one, or by a one-time code. The event
//! says that it happened and is written first; storing the hash and ending the sessions is one transaction
//! after it, which a repetition of the command makes up for.

use auth::StoreError;
use auth::accounts::ChangeError;
use auth::password::{self, PasswordError, Unacceptable};
use domain::user::{User, UserCommand, UserRefusal};
use events::ids::UserId;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::{App, Context, ExecuteError, Receipt};

/// Why the password did not change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The new password is not taken.
    #[error("the new password is not acceptable")]
    Unacceptable(#[from] Unacceptable),
    /// The code is unknown, used or too old; nobody learns which.
    #[error("the code is not accepted")]
    Code,
    /// The user refused, or the log failed.
    #[error("the change was not recorded")]
    Execute(#[from] ExecuteError<UserRefusal>),
    /// The password could not be hashed.
    #[error("the new password could not be hashed")]
    Password(#[source] PasswordError),
    /// The side tables failed.
    #[error("the new password could not be stored")]
    Store(#[from] StoreError),
}

impl From<ChangeError> for Error {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Password(PasswordError::Unacceptable(reason)) => Self::Unacceptable(reason),
            ChangeError::Password(error) => Self::Password(error),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

/// Changes the password of a user whose present one was just confirmed. Every session but `keep` ends.
///
/// # Errors
/// [`Error`].
pub async fn execute(
    app: &App,
    context: &Context,
    user_id: UserId,
    new: &SecretString,
    keep: Option<Uuid>,
) -> Result<Receipt, Error> {
    password::accept(new.expose_secret())?;
    let executed = app
        .execute::<User>(context, user_id.uuid(), UserCommand::ChangePassword, |_| None)
        .await?;
    app.accounts
        .set_password(context.tenant_id, user_id, new, keep, context.now)
        .await?;
    Ok(executed.receipt)
}

/// Sets a password by a one-time code; `context.tenant_id` has to be the code's. Every session ends.
///
/// # Errors
/// [`Error`].
pub async fn by_code(
    app: &App,
    context: &Context,
    code: &SecretString,
    new: &SecretString,
) -> Result<Receipt, Error> {
    // Before the code is used up.
    password::accept(new.expose_secret())?;
    let user_id = app
        .resets
        .claim(code, context.command_id, context.now)
        .await?
        .ok_or(Error::Code)?;
    let context = Context {
        actor: format!("user:{user_id}"),
        ..context.clone()
    };
    execute(app, &context, user_id, new, None).await
}
