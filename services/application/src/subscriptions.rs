//! A user's subscription begins, changes and ends: the free trial, what platform administrators grant, what
//! Stripe says, and the passing of time. What it means for the tenant follows in the transaction of the
//! append.

use domain::subscription::{Contract, Subscription, SubscriptionCommand, SubscriptionRefusal};
use events::ids::UserId;

use crate::{App, Context, ExecuteError, Executed, Receipt};

/// Begins the free trial of a user of the context's tenant; nothing where the user has or had one.
///
/// # Errors
/// [`ExecuteError`].
pub async fn begin_trial(
    app: &App,
    context: &Context,
    user_id: UserId,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    execute(
        app,
        context,
        user_id,
        SubscriptionCommand::Try { at: context.now },
    )
    .await
}

/// Sets the contract that a platform administrator grants a user, or whose invoice was paid.
///
/// # Errors
/// [`ExecuteError`].
pub async fn grant(
    app: &App,
    context: &Context,
    user_id: UserId,
    contract: Contract,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    let command = SubscriptionCommand::Grant {
        contract,
        at: context.now,
    };
    execute(app, context, user_id, command).await
}

/// Takes away what was granted, for a reason in a short code. Nothing where there is none.
///
/// # Errors
/// [`ExecuteError`].
pub async fn revoke(
    app: &App,
    context: &Context,
    user_id: UserId,
    reason: &str,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    let command = SubscriptionCommand::Revoke {
        reason: reason.to_owned(),
    };
    execute(app, context, user_id, command).await
}

/// Ends what is over by now, stops what is overdue, announces a trial that ends soon.
///
/// # Errors
/// [`ExecuteError`].
pub async fn pass(
    app: &App,
    context: &Context,
    user_id: UserId,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    execute(
        app,
        context,
        user_id,
        SubscriptionCommand::Pass { at: context.now },
    )
    .await
}

/// Executes any command on a user's subscription.
///
/// # Errors
/// [`ExecuteError`].
pub(crate) async fn execute(
    app: &App,
    context: &Context,
    user_id: UserId,
    command: SubscriptionCommand,
) -> Result<Receipt, ExecuteError<SubscriptionRefusal>> {
    let executed: Executed<Subscription> = app.execute(context, user_id.uuid(), command, |_| None).await?;
    Ok(executed.receipt)
}
