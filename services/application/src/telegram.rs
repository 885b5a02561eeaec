//! A login and its Telegram account. Which chat it is stands in a side table, which whoever asks writes
//! first: the event says only that something changed.

use domain::user::{User, UserCommand, UserRefusal};
use events::ids::UserId;

use crate::{App, Context, ExecuteError, Receipt};

/// Records that an account was linked, also in place of another one.
///
/// # Errors
/// [`ExecuteError`]; refused while the login is deactivated.
pub async fn link(app: &App, context: &Context, user: UserId) -> Result<Receipt, ExecuteError<UserRefusal>> {
    decide(app, context, user, UserCommand::LinkTelegram).await
}

/// Records that the account was unlinked.
///
/// # Errors
/// [`ExecuteError`]; refused if none is linked.
pub async fn unlink(
    app: &App,
    context: &Context,
    user: UserId,
) -> Result<Receipt, ExecuteError<UserRefusal>> {
    decide(app, context, user, UserCommand::UnlinkTelegram).await
}

/// Records that Telegram does not deliver to the account, with Telegram's reason in one word (`blocked`,
/// `deactivated`, `kicked` and so on). Told again, it leaves no second event.
///
/// # Errors
/// [`ExecuteError`]; refused if no account is linked.
pub async fn miss(
    app: &App,
    context: &Context,
    user: UserId,
    reason: &str,
) -> Result<Receipt, ExecuteError<UserRefusal>> {
    let reason = reason.to_owned();
    decide(app, context, user, UserCommand::MissOnTelegram { reason }).await
}

async fn decide(
    app: &App,
    context: &Context,
    user: UserId,
    command: UserCommand,
) -> Result<Receipt, ExecuteError<UserRefusal>> {
    let executed = app
        .execute::<User>(context, user.uuid(), command, |_| None)
        .await?;
    Ok(executed.receipt)
}
