//! What Stripe could not deliver, or what we made of it wrongly, is found out by asking: the events that are
//! not in the inbox, and contracts that stand otherwise at Stripe than here.

use ::billing::{Inbox, Reconciliation, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use connectors::stripe::StripeError;
use domain::subscription::{Contract, SubscriptionRefusal};
use event_store::Loaded;
use events::ids::{CommandId, TenantId, UserId};
use events::subscription::Slot;
use uuid::Uuid;

use super::observe::{ObserveError, observe_customer};
use super::take::store;
use crate::{App, Context, ExecuteError, Folded};

/// Stripe lists events of 30 days.
const LISTED: TimeDelta = TimeDelta::days(30);
/// What was listed before is listed again for so long: Stripe shows an event a little later than its time
/// says.
const OVERLAP: TimeDelta = TimeDelta::hours(1);
/// How long a comparison is good for.
const COMPARED: TimeDelta = TimeDelta::hours(24);
/// Customers compared in one go.
const CUSTOMERS: i64 = 100;

type State = domain::subscription::Subscription;

/// Why it was not found out.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// This installation sells nothing by card.
    #[error("no account at Stripe is set up")]
    NotSelling,
    /// Stripe did not answer, or refused.
    #[error("Stripe could not be asked")]
    Stripe(#[from] StripeError),
    /// The tables of billing failed.
    #[error("the tables of billing failed")]
    Store(#[from] StoreError),
    /// A customer could not be read.
    #[error("a customer could not be compared")]
    Observe(#[from] ObserveError),
    /// A subscription's stream failed.
    #[error("a subscription could not be read")]
    Execute(#[from] ExecuteError<SubscriptionRefusal>),
}

/// Lists what happened at Stripe since the last time and puts what is missing into the inbox. Returns how
/// many events that were. A process that dies in between repeats all of it.
///
/// # Errors
/// [`ReconcileError`].
pub async fn fetch_missed(
    app: &App,
    inbox: &Inbox,
    reconciliation: &Reconciliation,
    now: DateTime<Utc>,
) -> Result<u64, ReconcileError> {
    let card = app.card.as_ref().ok_or(ReconcileError::NotSelling)?;
    let earliest = now - LISTED;
    let listed_to = reconciliation.listed_to().await?;
    let since = listed_to.map_or(earliest, |to| (to - OVERLAP).max(earliest));
    let (mut newest, mut missed, mut after) = (since, 0, None);
    loop {
        let page = card.stripe.events(since, after.as_ref()).await?;
        for listed in &page.events {
            newest = newest.max(listed.event.created.unwrap_or(since));
            if store(inbox, &listed.event, listed.body.as_bytes(), now).await? {
                missed += 1;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    reconciliation.listed(newest, now).await?;
    Ok(missed)
}

/// What a comparison brought out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared {
    /// Customers that were asked for.
    pub looked_at: u64,
    /// Those whose contract stood otherwise here than at Stripe. It stands as at Stripe by now.
    pub differed: u64,
}

/// Compares every customer's contract with Stripe that was not compared for a day, logs what differs, and
/// records how it stands.
///
/// # Errors
/// [`ReconcileError`]. A customer whose subscription has no meaning here is logged and passed over.
pub async fn compare(
    app: &App,
    reconciliation: &Reconciliation,
    now: DateTime<Utc>,
) -> Result<Compared, ReconcileError> {
    let mut compared = Compared::default();
    loop {
        let due = reconciliation.due(now - COMPARED, CUSTOMERS).await?;
        if due.is_empty() {
            return Ok(compared);
        }
        for id in due {
            if let Some(customer) = app.customers.by_id(&id).await? {
                let before = contract_at_stripe(app, customer.tenant_id, customer.user_id).await?;
                let context = context(customer.tenant_id, customer.user_id, "compare", now);
                match observe_customer(app, &context, &customer).await {
                    Ok(observed) => {
                        let after = observed.subscription.in_slot(Slot::Stripe);
                        if before.as_ref() != after {
                            compared.differed += 1;
                            tell(customer.user_id, before.as_ref(), after);
                        }
                    }
                    // Somebody reads it at this moment, so it is as at Stripe.
                    Err(ObserveError::Busy) => {}
                    Err(error @ (ObserveError::Unusable(_) | ObserveError::Id(_))) => {
                        tracing::error!(error = ?error, user.id = %customer.user_id, "a contract was not compared");
                    }
                    Err(error) => return Err(error.into()),
                }
                compared.looked_at += 1;
            }
            reconciliation.compared(&id, now).await?;
        }
    }
}

/// Asks Stripe how a user's contract stands, before the passing of time ends it here.
///
/// # Errors
/// [`ObserveError`]. Nothing is asked for a user who is no customer.
pub async fn ask_first(
    app: &App,
    tenant: TenantId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), ObserveError> {
    if let Some(customer) = app.customers.of_user(tenant, user).await? {
        observe_customer(app, &context(tenant, user, "ask first", now), &customer).await?;
    }
    Ok(())
}

async fn contract_at_stripe(
    app: &App,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Contract>, ExecuteError<SubscriptionRefusal>> {
    let loaded: Loaded<Folded<State>> = app.states.load(tenant, user.uuid()).await?;
    Ok(loaded.state.0.stripe)
}

fn tell(user: UserId, before: Option<&Contract>, after: Option<&Contract>) {
    let words = |contract: Option<&Contract>| {
        contract.map_or_else(
            || "none".to_owned(),
            |contract| {
                let Contract {
                    plan,
                    status,
                    reference,
                    period_end,
                    cancel_at,
                    ..
                } = contract;
                format!(
                    "{} {} {} until {period_end:?} cancelled {cancel_at:?}",
                    reference.as_deref().unwrap_or("?"),
                    plan.as_str(),
                    status.as_str()
                )
            },
        )
    };
    tracing::warn!(
        user.id = %user, contract.here = words(before), contract.at_stripe = words(after),
        "a contract stood otherwise than at Stripe and was corrected"
    );
}

fn context(tenant_id: TenantId, user: UserId, what: &str, now: DateTime<Utc>) -> Context {
    let command_id = CommandId(Uuid::new_v5(&user.uuid(), format!("{what} {now}").as_bytes()));
    Context {
        tenant_id,
        actor: "worker".to_owned(),
        command_id,
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: None,
        now,
    }
}
