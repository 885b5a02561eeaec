//! An endpoint gets another signing secret. For a day messages carry both signatures, so that the receiver
//! can change over at any moment of it.

use chrono::TimeDelta;
use connectors::webhooks::Secret;
use domain::webhook_endpoint::{WebhookEndpoint, WebhookEndpointCommand, WebhookEndpointRefusal};
use events::webhook_endpoint::WebhookSecretRotated;
use uuid::Uuid;

use super::{Error, endpoint, seal_secret};
use crate::retired;
use crate::{App, Context, ExecuteError, Receipt};

/// How long the former secret goes on signing.
pub const FORMER_VALID: TimeDelta = TimeDelta::hours(24);

/// An endpoint with another secret.
#[derive(Debug)]
pub struct Rotated {
    /// The new secret, which is shown this once.
    pub secret: Secret,
    /// For the caller.
    pub receipt: Receipt,
}

/// Seals a new secret and records it. The one before the former is destroyed.
///
/// # Errors
/// [`Error`]; [`WebhookEndpointRefusal::NotFound`] where there is no such endpoint.
pub async fn rotate(app: &App, context: &Context, id: Uuid) -> Result<Rotated, Error> {
    let before = endpoint(app, context, id).await?;
    if before.active.is_none() {
        return Err(ExecuteError::Refused(WebhookEndpointRefusal::NotFound).into());
    }
    let (secret_id, secret) = seal_secret(app, context).await?;
    let command = WebhookEndpointCommand::RotateSecret(WebhookSecretRotated {
        secret_id,
        former_until: context.now + FORMER_VALID,
    });
    let executed = app
        .execute::<WebhookEndpoint>(context, id, command, |_| None)
        .await?;
    retired::destroy(app, context, &before, Some(secret_id), &executed.state).await;
    Ok(Rotated {
        secret,
        receipt: executed.receipt,
    })
}
