//! Invoices that were paid outside Stripe, for sellers who cannot pay by card.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::billing::manual::{self, PaidInvoice};
use chrono::{DateTime, Utc};
use events::ids::UserId;
use events::subscription::Plan;
use utoipa::ToSchema;

use super::of_user;
use crate::call::{Call, path_id};
use crate::handlers::billing::{PAID_PLANS, plan_refusal};
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Given, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// Most that an invoice may be about, in the smallest unit of its currency.
const MOST: i64 = 100_000_000_000;

/// An invoice that was paid.
#[derive(ToSchema)]
pub struct PaymentRequest {
    /// What was paid for: `starter`, `pro`, `enterprise`.
    #[schema(value_type = String, example = "pro")]
    pub plan: Plan,
    /// Up to when; the plan ends then.
    pub until: DateTime<Utc>,
    /// The invoice's number. A number is recorded as a payment once for a user.
    #[schema(min_length = 1, max_length = 100, example = "2026-117")]
    pub invoice: String,
    /// What was paid, in the smallest unit of the currency (kopecks, cents).
    #[schema(minimum = 0, example = 299_000)]
    pub amount: i64,
    /// ISO 4217.
    #[schema(min_length = 3, max_length = 3, example = "RUB")]
    pub currency: String,
    /// When it was paid; now, if it is left out.
    #[schema(required = false)]
    pub paid_at: Option<DateTime<Utc>>,
    /// What is to be remembered of it. Nobody's name or account belongs here: it is kept for ever.
    #[schema(required = false, max_length = 200, example = "three months in advance")]
    pub reason: Option<String>,
}

impl Input for PaymentRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let plan = fields.required("plan", shape::one_of(PAID_PLANS));
        let until = fields.required("until", shape::time);
        let invoice = fields.required("invoice", shape::text(1, 100));
        let amount = fields.required("amount", shape::integer(0, MOST));
        let currency = fields.required("currency", currency);
        let paid_at = fields.optional("paid_at", shape::time);
        let reason = fields.optional("reason", shape::text(1, 200));
        Some(Self {
            plan: plan?,
            until: until?,
            invoice: invoice?,
            amount: amount?,
            currency: currency?,
            paid_at,
            reason,
        })
    }
}

fn currency(given: Given<'_>) -> Result<String, String> {
    let text = given.value.as_str().unwrap_or_default();
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code
        .then(|| text.to_ascii_uppercase())
        .ok_or_else(|| "must be a currency such as RUB or USD".to_owned())
}

/// Record an invoice that was paid outside Stripe: the user has the plan up to the given end, in the place
/// of a trial or of what was granted before.
///
/// # Errors
/// 404; 409 if the user pays at Stripe; 422 for an end that is past.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/payments", tag = "admin", operation_id = "record_payment",
    params(("id" = uuid::Uuid, Path, description = "Id of the login")),
    request_body = PaymentRequest, responses((status = 200, body = ReceiptView)))]
pub async fn record(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = UserId(path_id(&request, "user")?);
    let body = input::body::<PaymentRequest>(&request, payload).await?;
    let (me, paid) = (call.principal.user_id, body.value);
    call.command(&request, &body.raw, move |state, context| async move {
        let context = of_user(&state, context, me, id).await?;
        let invoice = PaidInvoice {
            plan: paid.plan,
            until: paid.until,
            number: paid.invoice,
            amount_minor: paid.amount,
            currency: paid.currency,
            paid_at: paid.paid_at.unwrap_or(context.now),
            reason: paid.reason,
        };
        let done = manual::record_invoice(&state.app, &context, id, invoice).await;
        state.forget_callers();
        let receipt = done.map_err(|error| execute_problem(error, plan_refusal))?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}
