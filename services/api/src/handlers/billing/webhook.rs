//! Stripe delivers an event. It is stored and nothing else: what it means is worked out by a worker, so
//! that the answer needs neither the broker nor Stripe's API. Whatever is answered with an error Stripe
//! sends again for three days.

use actix_web::http::header::HeaderMap;
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use billing::Received;
use connectors::stripe::{self, Subject};
use serde::Serialize;
use utoipa::ToSchema;

use crate::call::state;
use crate::gate::{self, Gate};
use crate::input;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::Webhook;
use crate::trace::Trace;

/// Largest delivery, bytes. Subscriptions and invoices with all their lines stay below 100 KiB.
const MAX_DELIVERY: usize = 256 * 1024;
const SIGNATURE: &str = "stripe-signature";

/// The event is stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stored {
    /// Always `success`.
    #[schema(example = "success")]
    pub status: &'static str,
}

/// Receive an event from Stripe.
///
/// For Stripe only: the header `Stripe-Signature` has to sign the body with the endpoint's secret, at most
/// five minutes ago. Each event is stored once by its id; a repeated delivery gets the same answer. Its
/// effect shows within seconds, not at once. 404 where the installation has no endpoint at Stripe.
///
/// # Errors
/// 400 for a signature that is missing, wrong or too old, and for a body that is no event; 413 above 256
/// KiB.
#[utoipa::path(post, path = "/api/v1/billing/webhook", tag = "billing", operation_id = "billing_webhook",
    params(("Stripe-Signature" = String, Header,
        description = "`t=` seconds since 1970, `v1=` HMAC-SHA256 of `t`, a full stop and the body, in hexadecimal",
        example = "t=1790000000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd")),
    request_body(content = Object, description = "An event in any version of Stripe's API"),
    responses((status = 200, body = Stored), (status = 404)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let state = state(&request)?;
    let Some(webhook) = &state.webhook else {
        return Err(Problem::not_found("path"));
    };
    let body = input::bytes(&request, payload, MAX_DELIVERY).await?;
    let trace = Trace::of(&request);
    if let Err(refused) = verify(webhook, request.headers(), &body, &trace) {
        // Only strangers are counted: Stripe delivers in bursts, and what it is refused comes days later.
        if let Some(gate) = request.app_data::<Data<Gate>>() {
            crate::limits::admit_address(gate, &request, gate::client(&request)).await?;
        }
        return Err(refused);
    }
    let event = stripe::Event::parse(&body).map_err(|error| {
        tracing::error!(error = %error, trace.id = %trace.trace_id.simple(), "Stripe sent what is no event");
        Problem::new(Code::MalformedRequest, error.to_string())
    })?;
    let customer = match stripe::subject(&event) {
        Subject::Concerns(concern) => concern.customer,
        Subject::NotOurs(_) | Subject::Unknown | Subject::Unclear(_) => None,
    };
    let received = Received {
        event_id: event.id.as_str(),
        event_type: &event.kind,
        api_version: event.api_version.as_deref(),
        customer: customer.as_ref().map(stripe::CustomerId::as_str),
        body: &body,
    };
    let new = webhook
        .inbox
        .store(&received, trace.now)
        .await
        .map_err(Problem::failure)?;
    tracing::debug!(stripe.event = %event.id, stripe.kind = %event.kind, new, "an event of Stripe's is stored");
    Ok(Reply::json(200, &Stored { status: "success" })?.into())
}

fn verify(webhook: &Webhook, headers: &HeaderMap, body: &Bytes, trace: &Trace) -> Result<(), Problem> {
    let header = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let header = header.unwrap_or_default();
    let verified = stripe::verify(header, body, &webhook.secrets, trace.now, webhook.tolerance);
    verified.map(drop).map_err(|error| {
        tracing::warn!(
            error = %error, trace.id = %trace.trace_id.simple(), request.id = %trace.request_id,
            "a delivery in Stripe's name was refused"
        );
        Problem::new(Code::SignatureRefused, error.to_string()).at("header Stripe-Signature")
    })
}
