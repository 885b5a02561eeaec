//! A tenant's endpoints follow its plan: one without webhooks switches them off, one that has them switches
//! on again what the plan, and nothing else, had switched off.

use billing::Uncompared;
use domain::webhook_endpoint::{WebhookEndpoint, WebhookEndpointCommand, WebhookEndpointRefusal};
use events::webhook_endpoint::DisableReason;

use super::Error;
use crate::{App, Context, ExecuteError};

/// Switches what differs; returns how many endpoints that were. Doing it again changes nothing.
///
/// # Errors
/// [`Error`]; what was switched before stays.
pub async fn follow_plan(app: &App, context: &Context, tenant: &Uncompared) -> Result<u32, Error> {
    let allowed = app
        .plans
        .allowance(tenant.plan)
        .is_none_or(|allowance| allowance.webhooks);
    let differs = |disabled: Option<DisableReason>| match disabled {
        None => !allowed,
        Some(DisableReason::Plan) => allowed,
        Some(_) => false,
    };
    let mut switched = 0;
    for endpoint in app.webhooks.of(tenant.tenant_id).await? {
        if !differs(endpoint.disabled) {
            continue;
        }
        let part = context.part(&format!("webhook {}", endpoint.endpoint_id));
        let command = WebhookEndpointCommand::FollowPlan { allowed };
        let followed = app
            .execute::<WebhookEndpoint>(&part, endpoint.endpoint_id, command, |_| None)
            .await;
        match followed {
            Ok(_) => switched += 1,
            // It was removed meanwhile.
            Err(ExecuteError::Refused(WebhookEndpointRefusal::NotFound)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(switched)
}
