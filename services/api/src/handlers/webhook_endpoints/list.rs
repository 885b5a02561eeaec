//! The tenant's endpoints.

use actix_web::{HttpRequest, HttpResponse};

use super::EndpointView;
use crate::call::Call;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// List webhook endpoints, the oldest first.
///
/// # Errors
/// 403.
#[utoipa::path(get, path = "/api/v1/webhook-endpoints", tag = "webhooks",
    operation_id = "webhook_endpoints", responses((status = 200, body = Page<EndpointView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let endpoints = call.state.app.webhooks.of(call.tenant()).await?;
    let now = call.trace.now;
    let data = endpoints
        .into_iter()
        .map(|endpoint| EndpointView::of(endpoint, now));
    Ok(Reply::json(200, &Page::whole(data.collect()))?.into())
}
