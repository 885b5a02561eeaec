//! An endpoint is taken away, and its address, secrets and messages with it.

use domain::webhook_endpoint::{WebhookEndpoint, WebhookEndpointCommand};
use uuid::Uuid;

use super::{Error, endpoint};
use crate::retired;
use crate::{App, Context, Receipt};

/// Records it.
///
/// # Errors
/// [`Error`].
pub async fn remove(app: &App, context: &Context, id: Uuid) -> Result<Receipt, Error> {
    let before = endpoint(app, context, id).await?;
    let command = WebhookEndpointCommand::Remove;
    let executed = app
        .execute::<WebhookEndpoint>(context, id, command, |_| None)
        .await?;
    retired::destroy(app, context, &before, None, &executed.state).await;
    Ok(executed.receipt)
}
