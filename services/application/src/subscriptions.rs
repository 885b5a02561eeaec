//! A user's contract begins, changes and ends. Platform administrators grant plans this way; a payment
//! service says how a paid one stands with the same commands. What it means for the tenant follows in the
//! transaction of the append.

use domain::subscription::{Contract, Subscription, SubscriptionCommand, SubscriptionRefusal};
use events::ids::UserId;

use crate::{App, Context, ExecuteError, Receipt};

/// Says how the contract of a user of the context's tenant stands from now on; begins one where there is
/// none.
///
/// # Errors
/// [`ExecuteError`].
pub async fn set(
    app: &App,
    context: &Context,
    user_id: UserId,
    contract: Contract,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    let command = SubscriptionCommand::Set {
        contract,
        at: context.now,
    };
    execute(app, context, user_id, command).await
}

/// Ends it, for a reason in a short code. Nothing where there is none.
///
/// # Errors
/// [`ExecuteError`].
pub async fn end(
    app: &App,
    context: &Context,
    user_id: UserId,
    reason: &str,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    let command = SubscriptionCommand::End {
        reason: reason.to_owned(),
    };
    execute(app, context, user_id, command).await
}

/// Ends it if its time is over; nothing where somebody prolonged it meanwhile.
///
/// # Errors
/// [`ExecuteError`].
pub async fn lapse(
    app: &App,
    context: &Context,
    user_id: UserId,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    execute(
        app,
        context,
        user_id,
        SubscriptionCommand::Lapse { at: context.now },
    )
    .await
}

async fn execute(
    app: &App,
    context: &Context,
    user_id: UserId,
    command: SubscriptionCommand,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    let executed = app
        .execute::<Subscription>(context, user_id.uuid(), command, |_| None)
        .await?;
    Ok(executed.receipt)
}
