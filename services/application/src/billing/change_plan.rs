//! Another plan: first what it costs, then the change at just that price.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use events::ids::UserId;
use events::subscription::Plan;

use super::provider::{Keeper, PaymentProvider as _};
use super::{BillingError, Stands};
use crate::{App, Context};

pub use super::provider::Quote;

/// How long a quoted price holds. The rest of the period is counted from the moment of the quote, which the
/// client gives back; from an older one, more of the old plan would be credited than is left of it.
pub const HOLDS: TimeDelta = TimeDelta::minutes(15);

/// What was shown to the user and is agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// [`Quote::counted_from`].
    pub counted_from: DateTime<Utc>,
    /// [`Quote::due_now_minor`].
    pub due_now_minor: i64,
}

/// What another plan would cost now. Changes nothing.
///
/// # Errors
/// [`BillingError`].
pub async fn preview(app: &App, context: &Context, user: UserId, plan: Plan) -> Result<Quote, BillingError> {
    Keeper::of(app, context, user)
        .await?
        .quote(plan, context.now.trunc_subsecs(0))
        .await
}

/// Changes the plan, if it still costs what was agreed to. A plan that the user has already is no error, so
/// that the command can be repeated.
///
/// # Errors
/// [`BillingError::Outdated`] for another price or an old quote; [`BillingError::Declined`] if the payment
/// fails, and then nothing changes.
pub async fn confirm(
    app: &App,
    context: &Context,
    user: UserId,
    plan: Plan,
    agreed: Agreed,
) -> Result<Stands, BillingError> {
    let age = context.now - agreed.counted_from;
    if age > HOLDS || age < -TimeDelta::minutes(1) {
        return Err(BillingError::Outdated);
    }
    let keeper = Keeper::of(app, context, user).await?;
    let quote = match keeper.quote(plan, agreed.counted_from.trunc_subsecs(0)).await {
        Err(BillingError::SamePlan(_)) => {
            return Ok(Stands {
                subscription: super::of_user(app, context.tenant_id, user).await?,
                position: 0,
            });
        }
        quote => quote?,
    };
    if quote.due_now_minor != agreed.due_now_minor {
        return Err(BillingError::Outdated);
    }
    keeper.change(context, &quote).await
}
