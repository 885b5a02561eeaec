//! The way to Stripe's portal.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::billing::portal;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem;
use crate::call::Call;
use crate::command::Replay;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::Reply;

/// With what the portal opens.
#[derive(ToSchema)]
pub struct PortalRequest {
    /// True opens the page on which the card is changed; else the overview.
    #[schema(required = false, default = false)]
    pub payment_method: bool,
}

impl Input for PortalRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            payment_method: fields.optional("payment_method", shape::boolean).unwrap_or(false),
        })
    }
}

/// Where the portal is.
#[derive(Debug, Serialize, ToSchema)]
pub struct PortalView {
    /// Stripe's page, for a few minutes. Whoever has the address can use it, so it is for the caller alone.
    #[schema(example = "https://billing.stripe.com/p/session/test_a1b2c3")]
    pub portal_url: String,
}

/// Open Stripe's portal, in which the caller pays open invoices, changes the card, sees past invoices and
/// ends the subscription.
///
/// # Errors
/// 404 if nothing was bought by card yet. 409 if plans are not sold by card here. 502 if Stripe does not
/// answer.
#[utoipa::path(post, path = "/api/v1/billing/portal-session", tag = "billing", operation_id = "open_portal",
    request_body = PortalRequest, responses((status = 201, body = PortalView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<PortalRequest>(&request, payload).await?;
    let (me, payment_method) = (call.principal.user_id, body.value.payment_method);
    call.command_as(
        Replay::Rerun,
        &request,
        &body.raw,
        move |state, context| async move {
            let portal_url = portal::open(&state.app, &context, me, payment_method)
                .await
                .map_err(problem)?;
            Reply::json(201, &PortalView { portal_url })
        },
    )
    .await
}
