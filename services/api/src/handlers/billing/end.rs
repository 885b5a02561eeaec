//! The subscription ends, or goes on after all.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::billing::end::{self, End};
use utoipa::ToSchema;

use super::subscription::SubscriptionView;
use super::{problem, stands};
use crate::call::Call;
use crate::input::{self, Fields, Input, Nothing, shape};
use crate::problem::Problem;

/// When it ends.
#[derive(ToSchema)]
pub struct CancelRequest {
    /// True ends it now, without money back; else it ends with the period that is paid.
    #[schema(required = false, default = false)]
    pub immediately: bool,
}

impl Input for CancelRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            immediately: fields.optional("immediately", shape::boolean).unwrap_or(false),
        })
    }
}

/// End the caller's subscription, with the paid period or now. Until then the plan holds, and `resume`
/// takes it back. One whose first payment is missing, or that is unpaid or paused, ends now in either case.
///
/// The answer is the subscription after it, `null` if none is left.
///
/// # Errors
/// 404 if there is no subscription. 422 for a grant without an end, which can only end now. 502 if Stripe
/// does not answer.
#[utoipa::path(post, path = "/api/v1/billing/cancel", tag = "billing", operation_id = "cancel_subscription",
    request_body = CancelRequest, responses((status = 200, body = Option<SubscriptionView>)))]
pub async fn cancel(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<CancelRequest>(&request, payload).await?;
    let me = call.principal.user_id;
    let end = if body.value.immediately {
        End::Now
    } else {
        End::WithPeriod
    };
    call.command(&request, &body.raw, move |state, context| async move {
        let after = end::cancel(&state.app, &context, me, end).await;
        state.forget_callers();
        stands(&state, &context, me, &after.map_err(problem)?).await
    })
    .await
}

/// Take back that the caller's subscription is going to end, or let a paused one go on; a new period is
/// paid then.
///
/// # Errors
/// 404 if there is no subscription. 409 if it is neither paused nor going to end, or is kept by the
/// operator of the service. 502 if Stripe does not answer.
#[utoipa::path(post, path = "/api/v1/billing/resume", tag = "billing", operation_id = "resume_subscription",
    responses((status = 200, body = Option<SubscriptionView>)))]
pub async fn resume(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let me = call.principal.user_id;
    call.command(&request, &body.raw, move |state, context| async move {
        let after = end::resume(&state.app, &context, me).await;
        state.forget_callers();
        stands(&state, &context, me, &after.map_err(problem)?).await
    })
    .await
}
