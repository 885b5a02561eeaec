//! A rule is taken away.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::remove_alert_rule;
use events::ids::AlertRuleId;

use super::{RULES, rules_problem};
use crate::call::{Call, path_id};
use crate::handlers::tag;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// Take a rule away; for its products the next less specific one counts. Needs `If-Match` with the `ETag` of
/// the list of rules; the answer has the new one.
///
/// # Errors
/// 404, 412, 428.
#[utoipa::path(delete, path = "/api/v1/alert-rules/{id}", tag = "alerts", operation_id = "remove_alert_rule",
    params(("id" = Uuid, Path, description = "Id of the rule"),
           ("If-Match" = String, Header, description = "ETag of the list of rules as you know it")),
    responses((status = 200, body = ReceiptView)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "rule")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let seen = tag::seen(&request, RULES);
    call.command(&request, &body.raw, move |state, context| async move {
        let receipt = remove_alert_rule::execute(&state.app, &context, AlertRuleId(id), seen?)
            .await
            .map_err(rules_problem)?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?
            .etag(tag::of(receipt.version, &[]))
            .position(receipt.position))
    })
    .await
}
