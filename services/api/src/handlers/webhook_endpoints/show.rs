//! One endpoint.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::{EndpointView, WHAT, endpoint};
use crate::call::{Call, path_id};
use crate::handlers::tag;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;

/// One webhook endpoint. Its `ETag` is needed to change it.
///
/// # Errors
/// 404.
#[utoipa::path(get, path = "/api/v1/webhook-endpoints/{id}", tag = "webhooks",
    operation_id = "webhook_endpoint", params(("id" = Uuid, Path, description = "Id of the endpoint")),
    responses((status = 200, body = EndpointView), (status = 304, description = "As in If-None-Match")))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, WHAT)?;
    let Nothing = input::query(&request)?;
    let endpoint = endpoint(&call, id).await?;
    let version = endpoint.version;
    let reply = Reply::json(200, &EndpointView::of(endpoint, call.trace.now))?;
    let tag = tag::of(version, &reply.answer().body);
    let known = tag::is_known(&request, &tag);
    let mut response = HttpResponse::from(reply.etag(tag));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response = response.drop_body().map_into_boxed_body();
    }
    Ok(response)
}
