//! A tenant wants to be called at an address.

use connectors::webhooks::{Secret, Target};
use domain::webhook_endpoint::{WebhookEndpoint, WebhookEndpointCommand};
use events::webhook_endpoint::WebhookEndpointAdded;
use notifications::webhooks::MOST_ENDPOINTS;
use uuid::Uuid;

use super::{Error, endpoint, room, seal_address, seal_secret};
use crate::retired;
use crate::{App, Context, ExecuteError, Receipt};

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct NewEndpoint<'a> {
    /// The address as it was typed.
    pub url: &'a str,
    /// Types of messages; empty for all.
    pub types: &'a [String],
    /// What people call it.
    pub description: Option<&'a str>,
}

/// An endpoint that is there now.
#[derive(Debug)]
pub struct Added {
    /// Which.
    pub endpoint_id: Uuid,
    /// Its signing secret, which is shown this once.
    pub secret: Secret,
    /// For the caller.
    pub receipt: Receipt,
}

/// Seals address and secret and opens the endpoint's stream, whose id belongs to the command. A repeated
/// command finds its endpoint and gives it another secret, since the first one is not kept in the clear.
///
/// # Errors
/// [`Error`]; where the tenant has too many endpoints or the plan has none, nothing is left behind.
pub async fn add(app: &App, context: &Context, new: NewEndpoint<'_>) -> Result<Added, Error> {
    let target = Target::parse(new.url, &app.targets)?;
    let endpoint_id = context.new_id("webhook endpoint");
    if let Err(error) = room(app, context, endpoint_id).await {
        // What was executed before stays, whatever the plan has by now.
        let known = app
            .store
            .find_command(context.tenant_id, context.command_id.uuid());
        if known.await?.is_none() {
            return Err(error);
        }
    }
    let before = endpoint(app, context, endpoint_id).await?;
    let address_id = seal_address(app, context, target.as_str()).await?;
    let (secret_id, secret) = seal_secret(app, context).await?;
    let command = WebhookEndpointCommand::Add(WebhookEndpointAdded {
        host: target.host().to_owned(),
        types: new.types.to_vec(),
        address_id,
        secret_id,
    });
    let executed = app
        .execute::<WebhookEndpoint>(context, endpoint_id, command, |_| None)
        .await;
    let executed = match executed {
        Ok(executed) => executed,
        Err(refused @ ExecuteError::Refused(_)) => {
            for sealed in [address_id, secret_id] {
                retired::destroy(app, context, &before, Some(sealed), &before).await;
            }
            return Err(refused.into());
        }
        // It may be in the log all the same.
        Err(error) => return Err(error.into()),
    };
    // Of requests that came at once and all found room, those that were written last have none.
    let endpoints = app.webhooks.of(context.tenant_id).await?;
    let place = endpoints
        .iter()
        .position(|endpoint| endpoint.endpoint_id == endpoint_id);
    if place.is_some_and(|place| place >= MOST_ENDPOINTS) {
        super::remove(app, &context.part("one too many"), endpoint_id).await?;
        return Err(Error::TooMany);
    }
    if let Some(description) = new.description {
        app.webhooks
            .describe(context.tenant_id, endpoint_id, Some(description))
            .await?;
    }
    Ok(Added {
        endpoint_id,
        secret,
        receipt: executed.receipt,
    })
}
