//! An endpoint is switched off, by a person or because it takes nothing, and on again.

use domain::webhook_endpoint::{WebhookEndpoint, WebhookEndpointCommand};
use events::webhook_endpoint::DisableReason;
use uuid::Uuid;

use super::{Error, room};
use crate::{App, Context, Receipt};

/// Records that nothing is sent to it any more.
///
/// # Errors
/// [`Error::Execute`].
pub async fn disable(
    app: &App,
    context: &Context,
    id: Uuid,
    reason: DisableReason,
) -> Result<Receipt, Error> {
    let command = WebhookEndpointCommand::Disable(reason);
    let executed = app
        .execute::<WebhookEndpoint>(context, id, command, |_| None)
        .await?;
    Ok(executed.receipt)
}

/// Records that it is on again, where the plan has webhooks. What was paused stays so until it is replayed.
///
/// # Errors
/// [`Error`].
pub async fn enable(app: &App, context: &Context, id: Uuid) -> Result<Receipt, Error> {
    room(app, context, id).await?;
    let command = WebhookEndpointCommand::Enable;
    let executed = app
        .execute::<WebhookEndpoint>(context, id, command, |_| None)
        .await?;
    Ok(executed.receipt)
}
