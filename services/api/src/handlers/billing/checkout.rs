//! The way to Stripe's page on which a plan is paid.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::billing::start_checkout::start_checkout;
use chrono::{DateTime, Utc};
use events::subscription::Plan;
use serde::Serialize;
use utoipa::ToSchema;

use super::{PAID_PLANS, problem};
use crate::call::Call;
use crate::command::Replay;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::Reply;

/// What is going to be bought.
#[derive(ToSchema)]
pub struct CheckoutRequest {
    /// `starter`, `pro`, `enterprise`.
    #[schema(value_type = String, example = "pro")]
    pub plan: Plan,
}

impl Input for CheckoutRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let plan = fields.required("plan", shape::one_of(PAID_PLANS));
        Some(Self { plan: plan? })
    }
}

/// Where the plan is paid.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckoutView {
    /// Stripe's page. Whoever has the address can pay there, so it is for the caller alone.
    #[schema(example = "https://checkout.stripe.com/c/pay/cs_test_a1b2c3")]
    pub checkout_url: String,
    /// Stripe's id of it.
    #[schema(example = "cs_test_a1b2c3")]
    pub session_id: String,
    /// From when on it can no longer be paid.
    pub expires_at: DateTime<Utc>,
}

/// Open Stripe's page on which the caller can buy a plan by card.
///
/// There is one such page for a user at a time: asking again for the same plan gives the same address, and
/// asking for another plan closes the earlier page. A running trial goes on to its end before the first
/// payment, if it lasts at least 49 hours more. The plan changes once Stripe confirms the payment.
///
/// # Errors
/// 409 `subscription-exists` if there is a subscription that is not over, so that nothing is paid twice:
/// change its plan, or pay in the portal. 409 if plans are not sold by card here, or the plan is granted or
/// paid by invoice already. 502 if Stripe does not answer.
#[utoipa::path(post, path = "/api/v1/billing/checkout-session", tag = "billing", operation_id = "start_checkout",
    request_body = CheckoutRequest, responses((status = 201, body = CheckoutView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<CheckoutRequest>(&request, payload).await?;
    let (me, plan) = (call.principal.user_id, body.value.plan);
    // The address lets anybody pay, so it is not kept; a repetition finds the same page at Stripe.
    call.command_as(
        Replay::Rerun,
        &request,
        &body.raw,
        move |state, context| async move {
            let opened = start_checkout(&state.app, &context, me, plan)
                .await
                .map_err(problem)?;
            let view = CheckoutView {
                checkout_url: opened.url,
                session_id: opened.session,
                expires_at: opened.expires_at,
            };
            Reply::json(201, &view)
        },
    )
    .await
}
