//! Opens Stripe's portal, where a customer changes the card and sees invoices.

use connectors::stripe::{CustomerId, Portal, PortalFlow};
use events::ids::UserId;

use super::BillingError;
use super::card::key;
use crate::{App, Context};

/// Opens the portal of a user who bought something by card, with its overview or with the change of the card,
/// and returns its address. Anybody who has the address can use it, so it is for the user alone.
///
/// # Errors
/// [`BillingError::NotSelling`], [`BillingError::NoCustomer`].
pub async fn open(
    app: &App,
    context: &Context,
    user: UserId,
    payment_method: bool,
) -> Result<String, BillingError> {
    let card = app.card.as_ref().ok_or(BillingError::NotSelling)?;
    let customer = app
        .customers
        .of_user(context.tenant_id, user)
        .await?
        .ok_or(BillingError::NoCustomer)?;
    let portal = Portal {
        customer: &CustomerId::parse(&customer.customer)?,
        return_url: &card.return_url,
        flow: payment_method.then_some(PortalFlow::PaymentMethod),
    };
    let session = card
        .stripe
        .create_portal(&key(context, "portal"), &portal)
        .await?;
    Ok(session.url.as_str().to_owned())
}
