//! The passing of time, for contracts that nobody prolonged. One with Stripe ends only if Stripe says nothing
//! else; while Stripe cannot be asked, it stays as it is.

use application::billing::{ObserveError, reconcile};
use application::domain::subscription::{GRACE, SubscriptionRefusal};
use application::{App, Context, ExecuteError, subscriptions};
use auth::{Lapsed, StoreError};
use chrono::{DateTime, Utc};
use events::ids::CommandId;
use runtime::Clock;

/// Contracts ended in one go.
const CONTRACTS: i32 = 100;

/// Why contracts that are over still stand; they are found again.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// They could not be listed.
    #[error("contracts whose time is over could not be listed")]
    Store(#[from] StoreError),
    /// One could not be ended.
    #[error("a contract could not be ended")]
    Execute(#[from] ExecuteError<SubscriptionRefusal>),
}

/// Ends every contract whose time is over, stops what is overdue, announces trials that end soon.
///
/// # Errors
/// [`EndError`].
pub async fn end_contracts(app: &App, clock: &Clock) -> Result<(), EndError> {
    let mut after = None;
    loop {
        let now = clock.now();
        let over = app.terms.lapsed(now, GRACE, after.as_ref(), CONTRACTS).await?;
        for lapsed in &over {
            if lapsed.at_stripe && !stripe_was_asked(app, lapsed, now).await {
                continue;
            }
            let Lapsed {
                tenant_id, user_id, ..
            } = *lapsed;
            let command_id = CommandId::derived(user_id.uuid(), &format!("lapse {now}"));
            let context = Context {
                tenant_id,
                actor: "worker".to_owned(),
                command_id,
                correlation_id: command_id.uuid(),
                causation_id: None,
                traceparent: runtime::trace::current(),
                now,
            };
            subscriptions::pass(app, &context, user_id).await?;
            tracing::info!(user.id = %user_id, "a contract followed the clock");
        }
        if over.len() < usize::try_from(CONTRACTS).unwrap_or(usize::MAX) {
            return Ok(());
        }
        after = over.into_iter().next_back();
    }
}

async fn stripe_was_asked(app: &App, lapsed: &Lapsed, now: DateTime<Utc>) -> bool {
    match reconcile::ask_first(app, lapsed.tenant_id, lapsed.user_id, now).await {
        // An installation that has left Stripe has nobody to ask.
        Ok(()) | Err(ObserveError::NotSelling) => true,
        Err(error) => {
            tracing::warn!(
                error = ?error, user.id = %lapsed.user_id,
                "a contract does not end before Stripe was asked"
            );
            false
        }
    }
}
