//! What Stripe knows of somebody who was erased here is destroyed there as well, with what Stripe sent
//! about them. Which customers that are was noted in the transaction that erased the user; a customer is
//! struck from the list last, so everything is repeated until it is done.

use ::billing::{FormerCustomers, Inbox, StoreError};
use chrono::{DateTime, Utc};
use connectors::stripe::{CustomerId, InvalidId, StripeError};
use uuid::Uuid;

use super::standing::is_over;
use crate::App;

/// Customers taken up in one go.
const BATCH: i64 = 20;

/// Why a customer may still be known at Stripe.
#[derive(Debug, thiserror::Error)]
pub enum FarewellError {
    /// The key to the account is not set (any more).
    #[error("an erased customer waits, and no account at Stripe is set up")]
    NotSelling,
    /// Stripe did not answer, or refused.
    #[error("an erased customer could not be deleted at Stripe")]
    Stripe(#[from] StripeError),
    /// The noted id is no id of Stripe's.
    #[error("the id of an erased customer cannot be used")]
    Id(#[from] InvalidId),
    /// The tables of billing failed.
    #[error("the tables of billing failed")]
    Store(#[from] StoreError),
}

/// Ends the subscriptions of erased customers at once, deletes the customers at Stripe, and destroys what
/// arrived for them. One that fails does not keep the others back. Returns how many are gone.
///
/// # Errors
/// The last [`FarewellError`].
pub async fn say_farewell(
    app: &App,
    inbox: &Inbox,
    former: &FormerCustomers,
    now: DateTime<Utc>,
) -> Result<u64, FarewellError> {
    let (mut gone, mut outcome) = (0, Ok(()));
    for customer in former.leaving(BATCH).await? {
        match one(app, inbox, former, &customer, now).await {
            Ok(()) => gone += 1,
            Err(error) => outcome = Err(error),
        }
    }
    outcome.map(|()| gone)
}

async fn one(
    app: &App,
    inbox: &Inbox,
    former: &FormerCustomers,
    customer: &str,
    now: DateTime<Utc>,
) -> Result<(), FarewellError> {
    let card = app.card.as_ref().ok_or(FarewellError::NotSelling)?;
    let id = CustomerId::parse(customer)?;
    let key = |what: &str| Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{customer}:{what}").as_bytes());
    let subscriptions = match card.stripe.subscriptions(&id).await {
        Err(error) if error.is_missing() => Vec::new(),
        listed => listed?,
    };
    for subscription in subscriptions.iter().filter(|subscription| !is_over(subscription)) {
        let key = key(&format!("end {}", subscription.id)).into();
        card.stripe.cancel_now(&key, &subscription.id).await?;
    }
    card.stripe.delete_customer(&key("delete").into(), &id).await?;
    inbox.destroy(customer, now).await?;
    former.gone(customer).await?;
    Ok(())
}
