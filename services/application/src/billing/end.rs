//! A user ends the own subscription, or takes that back.

use events::ids::UserId;

use super::provider::{Keeper, PaymentProvider as _};
use super::{BillingError, Stands};
use crate::{App, Context};

pub use super::provider::End;

/// Ends the subscription, now or with the paid period. Nothing is paid back.
///
/// # Errors
/// [`BillingError`].
pub async fn cancel(app: &App, context: &Context, user: UserId, end: End) -> Result<Stands, BillingError> {
    Keeper::of(app, context, user).await?.cancel(context, end).await
}

/// Takes back that the subscription is going to end, or lets a paused one go on.
///
/// # Errors
/// [`BillingError`].
pub async fn resume(app: &App, context: &Context, user: UserId) -> Result<Stands, BillingError> {
    Keeper::of(app, context, user).await?.resume(context).await
}
