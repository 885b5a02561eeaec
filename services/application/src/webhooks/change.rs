//! An endpoint gets another address, another filter, another name, or is switched off or on.

use connectors::webhooks::Target;
use domain::webhook_endpoint::{WebhookEndpoint, WebhookEndpointCommand, WebhookEndpointRefusal};
use events::webhook_endpoint::{DisableReason, WebhookEndpointChanged};
use uuid::Uuid;

use super::{Error, disable, enable, endpoint, seal_address};
use crate::retired;
use crate::{App, Context, ExecuteError, Receipt};

/// What is to be otherwise; none stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// The address as it was typed.
    pub url: Option<&'a str>,
    /// Types of messages; empty for all.
    pub types: Option<&'a [String]>,
    /// What people call it; nothing for no name.
    pub description: Option<Option<&'a str>>,
    /// Whether it is on.
    pub enabled: Option<bool>,
}

/// Records what differs.
///
/// # Errors
/// [`Error`]; [`WebhookEndpointRefusal::NotFound`] where there is no such endpoint.
pub async fn change(app: &App, context: &Context, id: Uuid, wanted: Wanted<'_>) -> Result<Receipt, Error> {
    let target = wanted
        .url
        .map(|url| Target::parse(url, &app.targets))
        .transpose()?;
    let before = endpoint(app, context, id).await?;
    let Some(active) = &before.active else {
        return Err(ExecuteError::Refused(WebhookEndpointRefusal::NotFound).into());
    };
    let address_id = match &target {
        Some(target) => seal_address(app, context, target.as_str()).await?,
        None => active.address_id,
    };
    let host = target.as_ref().map_or(active.host.as_str(), Target::host);
    let command = WebhookEndpointCommand::Change(WebhookEndpointChanged {
        host: host.to_owned(),
        types: wanted
            .types
            .map_or_else(|| active.types.clone(), <[String]>::to_vec),
        address_id,
    });
    let executed = app
        .execute::<WebhookEndpoint>(context, id, command, |_| None)
        .await;
    let sealed = target.is_some().then_some(address_id);
    let executed = match executed {
        Ok(executed) => executed,
        Err(refused @ ExecuteError::Refused(_)) => {
            retired::destroy(app, context, &before, sealed, &before).await;
            return Err(refused.into());
        }
        // It may be in the log all the same.
        Err(error) => return Err(error.into()),
    };
    retired::destroy(app, context, &before, sealed, &executed.state).await;
    if let Some(description) = wanted.description {
        app.webhooks.describe(context.tenant_id, id, description).await?;
    }
    let switch = context.part("switch");
    match wanted.enabled {
        Some(true) => enable(app, &switch, id).await,
        Some(false) => disable(app, &switch, id, DisableReason::Person).await,
        None => Ok(executed.receipt),
    }
}
