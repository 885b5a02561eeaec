//! The tenant's keys.

use actix_web::{HttpRequest, HttpResponse};

use super::KeyView;
use crate::call::Call;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// List API keys, the newest first.
///
/// # Errors
/// 403.
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "api-keys", operation_id = "api_keys",
    responses((status = 200, body = Page<KeyView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let keys = call.state.app.api_keys.list(call.tenant()).await?;
    let data = keys.into_iter().map(KeyView::from).collect();
    Ok(Reply::json(200, &Page::whole(data))?.into())
}
