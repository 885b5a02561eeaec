//! Endpoints for outgoing webhooks. Addresses and secrets are sealed when they come in and never shown
//! again; this process cannot open them.

pub mod add;
pub mod change;
pub mod deliveries;
pub mod list;
pub mod ping;
pub mod remove;
pub mod replay;
pub mod rotate;
pub mod show;

use application::domain::notice::NoticeKind;
use application::domain::webhook_endpoint::WebhookEndpointRefusal;
use application::webhooks::Error;
use chrono::{DateTime, Utc};
use notifications::webhooks::Endpoint;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::Call;
use crate::handlers::execute_problem;
use crate::problem::{Code, Problem};

/// What an endpoint is called in problems.
const WHAT: &str = "webhook endpoint";
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 200;
/// Longest address, in characters.
const LONGEST_URL: usize = 2048;

/// An endpoint. Neither its address nor its secret, which are not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointView {
    /// Its id.
    pub id: Uuid,
    /// Host of its address.
    #[schema(example = "hooks.example.com")]
    pub host: String,
    /// Types of messages it gets, ascending; empty for all.
    pub types: Vec<String>,
    /// What people call it.
    pub description: Option<String>,
    /// Whether messages are sent to it.
    pub enabled: bool,
    /// Why it is switched off: `person`; `gone`, it answered 410; `failing`, for five days nothing was
    /// delivered; `plan`, the plan has no webhooks.
    pub disabled_reason: Option<&'static str>,
    /// When it was switched off.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when nothing was delivered, while deliveries fail.
    pub failing_since: Option<DateTime<Utc>>,
    /// Until when messages carry a signature with the former secret as well, after a rotation.
    pub former_secret_until: Option<DateTime<Utc>>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

impl EndpointView {
    fn of(endpoint: Endpoint, now: DateTime<Utc>) -> Self {
        Self {
            id: endpoint.endpoint_id,
            host: endpoint.host,
            types: endpoint.types,
            description: endpoint.description,
            enabled: endpoint.disabled.is_none(),
            disabled_reason: endpoint
                .disabled
                .map(events::webhook_endpoint::DisableReason::as_str),
            disabled_at: endpoint.disabled_at,
            failing_since: endpoint.failing_since,
            former_secret_until: endpoint.former_until.filter(|until| *until > now),
            created_at: endpoint.added_at,
        }
    }
}

/// The endpoint of the caller's tenant with this id.
async fn endpoint(call: &Call, id: Uuid) -> Result<Endpoint, Problem> {
    let found = call.state.app.webhooks.one(call.tenant(), id).await?;
    found.ok_or_else(|| Problem::not_found(WHAT))
}

fn names(types: &[NoticeKind]) -> Vec<String> {
    types.iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// Nothing is sent to an endpoint that is switched off.
fn is_off() -> Problem {
    Problem::new(
        Code::Conflict,
        "the webhook endpoint is switched off; switch it on first",
    )
}

/// What the use cases refuse, as a problem.
fn problem(error: Error) -> Problem {
    match error {
        Error::Target(refused) => Problem::invalid_field("#/url", refused.to_string()),
        Error::Execute(error) => execute_problem(error, |refusal| match refusal {
            WebhookEndpointRefusal::NotFound => Problem::not_found(WHAT),
            WebhookEndpointRefusal::Exists => Problem::new(Code::Conflict, refusal.to_string()),
            WebhookEndpointRefusal::UnknownType(_) => Problem::invalid_field("#/types", refusal.to_string()),
        }),
        Error::TooMany => Problem::new(Code::Conflict, error.to_string()),
        Error::Allowance(error) => error.into(),
        Error::Store(error) => error.into(),
        error => Problem::failure(error),
    }
}
