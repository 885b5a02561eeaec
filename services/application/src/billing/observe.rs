//! Reads a customer at Stripe and records how it stands. Whatever arrives about a customer, and whatever a
//! user changed there, ends here; nothing is taken out of the news itself.
//!
//! Two readers at different moments must not record in the other order. One reads at a time, by a lease;
//! and what was read is recorded only if the lease lasts and the stream is as it was before reading, which
//! holds for a process that was halted in between as well.

use std::time::Duration;

use billing::{Customer, Lease, StoreError};
use connectors::stripe::{CustomerId, InvalidId, Stripe, StripeError, Subscription};
use domain::subscription::{Contract, SubscriptionCommand, SubscriptionRefusal};
use event_store::Loaded;
use events::ids::CommandId;
use events::subscription::SubscriptionStatus;
use uuid::Uuid;

use super::standing::{Standing, Unusable, contract, standing};
use super::{CardSales, Prices};
use crate::{App, Context, ExecuteError, Executed, Folded, Receipt};

/// For how long a customer is read by one process. Each call to Stripe takes ten seconds at most, and a
/// customer is read with two or three.
const LEASE: Duration = Duration::from_secs(60);
/// How often a customer is read again because its stream changed meanwhile.
const ROUNDS: u32 = 4;

type State = domain::subscription::Subscription;

/// Why it is not known how a customer stands. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// This installation sells nothing by card.
    #[error("no account at Stripe is set up")]
    NotSelling,
    /// Another process reads the customer at the moment, or the user is no longer this customer.
    #[error("the customer is being read by another process")]
    Busy,
    /// The stored id is no id of Stripe's.
    #[error("the stored id of the customer cannot be used")]
    Id(#[from] InvalidId),
    /// Stripe did not answer, or refused.
    #[error("the customer could not be read at Stripe")]
    Stripe(#[from] StripeError),
    /// Stripe's answer has no meaning here.
    #[error("what Stripe says about the customer cannot be used")]
    Unusable(#[from] Unusable),
    /// The table of customers failed.
    #[error("the table of customers failed")]
    Store(#[from] StoreError),
    /// The subscription's stream failed.
    #[error("what Stripe says could not be recorded")]
    Execute(#[from] ExecuteError<SubscriptionRefusal>),
}

/// How a customer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Of the recording; its version is the stream's, also where nothing was new.
    pub receipt: Receipt,
    /// The user's subscription after it.
    pub subscription: State,
    /// The subscription at Stripe that counts, if there is one.
    pub at_stripe: Option<Subscription>,
}

/// Reads all subscriptions of a customer and records the one that counts. Live ones beside it are ended at
/// Stripe, so that nothing is paid twice. The context's tenant has to be the customer's; its command causes
/// the recording, whose own id is never repeated, since the same reading twice is no second effect.
///
/// # Errors
/// [`ObserveError`]. [`ObserveError::Busy`] passes within a minute.
pub async fn observe_customer(
    app: &App,
    context: &Context,
    customer: &Customer,
) -> Result<Observed, ObserveError> {
    let card = app.card.as_ref().ok_or(ObserveError::NotSelling)?;
    let lease = app
        .customers
        .take(customer, LEASE)
        .await?
        .ok_or(ObserveError::Busy)?;
    let observed = observe(app, card, context, customer, lease).await;
    if let Err(error) = app.customers.release(customer, lease).await {
        // It ends by itself.
        tracing::warn!(error = ?error, "the lease of a customer could not be given back");
    }
    observed
}

/// How long a request waits for the process that reads the customer at the moment.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

/// [`observe_customer`] for somebody who waits for the answer: what the other process reads may be older than
/// what was just changed at Stripe, so it is waited for and the customer is read again.
pub(super) async fn settled(
    app: &App,
    context: &Context,
    customer: &Customer,
) -> Result<Observed, ObserveError> {
    for pause in PAUSES {
        match observe_customer(app, context, customer).await {
            Err(ObserveError::Busy) => tokio::time::sleep(pause).await,
            other => return other,
        }
    }
    observe_customer(app, context, customer).await
}

async fn observe(
    app: &App,
    card: &CardSales,
    context: &Context,
    customer: &Customer,
    lease: Lease,
) -> Result<Observed, ObserveError> {
    let id = customer.user_id.uuid();
    for round in 0..ROUNDS {
        let loaded: Loaded<Folded<State>> = app
            .states
            .load(context.tenant_id, id)
            .await
            .map_err(ExecuteError::from)?;
        let read = Read::of(card, customer).await?;
        if !app.customers.keep(customer, lease, LEASE).await? {
            return Err(ObserveError::Busy);
        }
        let part = Context {
            command_id: CommandId::derived(lease.id(), &format!("observe:{round}")),
            causation_id: Some(context.command_id.uuid()),
            ..context.clone()
        };
        let command = SubscriptionCommand::Observe {
            contract: read.contract,
            reason: read.reason.to_owned(),
            at: context.now,
        };
        let executed: Option<Executed<State>> = app.execute_on(&part, id, loaded, command, |_| None).await?;
        if let Some(executed) = executed {
            return Ok(Observed {
                receipt: executed.receipt,
                subscription: executed.state,
                at_stripe: read.subscription,
            });
        }
    }
    Err(ExecuteError::Contention.into())
}

/// What was read.
struct Read {
    contract: Option<Contract>,
    reason: &'static str,
    subscription: Option<Subscription>,
}

impl Read {
    async fn of(card: &CardSales, customer: &Customer) -> Result<Self, ObserveError> {
        let CardSales { stripe, prices, .. } = card;
        let all = match stripe
            .subscriptions(&CustomerId::parse(&customer.customer)?)
            .await
        {
            Ok(all) => all,
            // A customer that was deleted has nothing, and its subscriptions ended with it.
            Err(error) if error.is_missing() => {
                return Ok(Self {
                    contract: None,
                    reason: "customer_deleted",
                    subscription: None,
                });
            }
            Err(error) => return Err(error.into()),
        };
        Self::of_all(stripe, prices, &all, customer).await
    }

    async fn of_all(
        stripe: &Stripe,
        prices: &Prices,
        all: &[Subscription],
        customer: &Customer,
    ) -> Result<Self, ObserveError> {
        let Standing {
            counts,
            reason,
            surplus,
        } = standing(all, prices)?;
        for extra in surplus {
            end_surplus(stripe, extra, customer).await?;
        }
        let Some(counting) = counts else {
            return Ok(Self {
                contract: None,
                reason,
                subscription: None,
            });
        };
        let late = counting.status == SubscriptionStatus::PastDue;
        let invoice = match counting.subscription.latest_invoice.as_ref().filter(|_| late) {
            Some(invoice) => Some(stripe.invoice(invoice).await?),
            None => None,
        };
        Ok(Self {
            contract: Some(contract(counting, invoice.as_ref())),
            reason,
            subscription: Some(counting.subscription.clone()),
        })
    }
}

/// Ends a subscription that a customer has beside the one that counts. It cannot come from our checkout,
/// which sells one at a time, but from two payments at the same moment or from Stripe's dashboard.
async fn end_surplus(stripe: &Stripe, extra: &Subscription, customer: &Customer) -> Result<(), ObserveError> {
    tracing::error!(
        subscription = %extra.id,
        "a customer has a second live subscription; it is ended, and what was paid for it has to be paid back"
    );
    let key = Uuid::new_v5(
        &customer.user_id.uuid(),
        format!("surplus:{}", extra.id).as_bytes(),
    );
    stripe.cancel_now(&key.into(), &extra.id).await?;
    Ok(())
}
