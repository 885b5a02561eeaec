//! Another plan: first its price, then the change.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::billing::change_plan::{self, Agreed, Quote};
use chrono::{DateTime, Utc};
use events::subscription::Plan;
use serde::Serialize;
use utoipa::ToSchema;

use super::subscription::SubscriptionView;
use super::{PAID_PLANS, problem};
use crate::call::Call;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::Reply;

/// Most cents that a change may cost.
const MOST: i64 = 100_000_000;

/// Which plan, and what was agreed to.
#[derive(ToSchema)]
pub struct ChangePlanRequest {
    /// `starter`, `pro`, `enterprise`. For no plan at all, cancel.
    #[schema(value_type = String, example = "enterprise")]
    pub plan: Plan,
    /// False shows the price and changes nothing; true changes the plan at the price that was shown.
    #[schema(required = false, default = false)]
    pub confirm: bool,
    /// For `confirm`: `proration_date` of the preview, at most 15 minutes old.
    #[schema(required = false)]
    pub proration_date: Option<DateTime<Utc>>,
    /// For `confirm`: `amount_due_now` of the preview.
    #[schema(required = false, example = 7000)]
    pub amount_due_now: Option<i64>,
}

impl Input for ChangePlanRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let plan = fields.required("plan", shape::one_of(PAID_PLANS));
        let confirm = fields.optional("confirm", shape::boolean).unwrap_or(false);
        let proration_date = fields.optional("proration_date", shape::time);
        let amount_due_now = fields.optional("amount_due_now", shape::integer(0, MOST));
        if confirm {
            let missing = [
                ("proration_date", proration_date.is_none()),
                ("amount_due_now", amount_due_now.is_none()),
            ];
            for (name, missing) in missing {
                if missing && !fields.is_wrong(name) {
                    fields.wrong(
                        name,
                        "is required to confirm: give back what the preview shows".to_owned(),
                    );
                }
            }
        }
        Some(Self {
            plan: plan?,
            confirm,
            proration_date,
            amount_due_now,
        })
    }
}

/// What the change costs, or the subscription after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangePlanView {
    /// The price, for a preview.
    pub preview: Option<PreviewView>,
    /// The subscription after the change, for a confirmed one.
    pub subscription: Option<SubscriptionView>,
}

/// What another plan costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewView {
    /// The plan now.
    #[schema(example = "pro")]
    pub from_plan: &'static str,
    /// The plan after the change.
    #[schema(example = "enterprise")]
    pub to_plan: &'static str,
    /// Charged at once for the rest of the period, in the smallest unit of the currency (cents).
    #[schema(example = 7000)]
    pub amount_due_now: i64,
    /// Put to the customer's credit, which lessens the next invoices, in the smallest unit of the currency.
    #[schema(example = 0)]
    pub credit: i64,
    /// ISO 4217.
    #[schema(example = "USD")]
    pub currency: String,
    /// Since when the rest of the period is counted; give it back to confirm.
    pub proration_date: DateTime<Utc>,
    /// When the paid period ends; the full price is charged from then on.
    pub period_end: Option<DateTime<Utc>>,
}

impl From<Quote> for PreviewView {
    fn from(quote: Quote) -> Self {
        Self {
            from_plan: quote.from.as_str(),
            to_plan: quote.to.as_str(),
            amount_due_now: quote.due_now_minor,
            credit: quote.credit_minor,
            currency: quote.currency,
            proration_date: quote.counted_from,
            period_end: quote.period_end,
        }
    }
}

/// Show what another plan costs, and change to it.
///
/// Without `confirm` nothing changes: the answer is the price. With it, and with `proration_date` and
/// `amount_due_now` of that answer, the plan changes at once for just that price. A better plan is charged
/// for the rest of the period; for a lesser one the rest of the better plan is credited. Nothing is deleted
/// by a lesser plan.
///
/// # Errors
/// 402 `payment-declined` if the bank refuses; nothing has changed then. 404 without a subscription. 409 if
/// the price is no longer the one that was shown, a payment is missing, or the operator of the service
/// keeps the contract. 422 for the plan that the caller has. 502 if Stripe does not answer.
#[utoipa::path(post, path = "/api/v1/billing/change-plan", tag = "billing", operation_id = "change_plan",
    request_body = ChangePlanRequest, responses((status = 200, body = ChangePlanView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<ChangePlanRequest>(&request, payload).await?;
    let (me, wanted) = (call.principal.user_id, body.value);
    let agreed = wanted
        .proration_date
        .zip(wanted.amount_due_now)
        .filter(|_| wanted.confirm)
        .map(|(counted_from, due_now_minor)| Agreed {
            counted_from,
            due_now_minor,
        });
    call.command(&request, &body.raw, move |state, context| async move {
        let Some(agreed) = agreed else {
            let quote = change_plan::preview(&state.app, &context, me, wanted.plan)
                .await
                .map_err(problem)?;
            let view = ChangePlanView {
                preview: Some(quote.into()),
                subscription: None,
            };
            return Reply::json(200, &view);
        };
        let after = change_plan::confirm(&state.app, &context, me, wanted.plan, agreed).await;
        state.forget_callers();
        let after = after.map_err(problem)?;
        let shown = SubscriptionView::of(
            &state,
            context.tenant_id,
            me,
            true,
            &after.subscription,
            context.now,
        )
        .await?;
        let view = ChangePlanView {
            preview: None,
            subscription: shown,
        };
        let reply = Reply::json(200, &view)?;
        Ok(if after.position > 0 {
            reply.position(after.position)
        } else {
            reply
        })
    })
    .await
}
