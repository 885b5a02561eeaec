//! The page to which Stripe's pages lead back, where the installation has no page of its own for that.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse};

use crate::problem::Problem;

const PAGE: &str = include_str!("done.html");
/// Nothing is loaded, nothing runs.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Tell whoever comes back from Stripe that the page can be closed. It says the same whatever happened there:
/// the plan changes when Stripe confirms it, not when somebody opens this page.
///
/// # Errors
/// None.
#[utoipa::path(get, path = "/billing/done", tag = "billing", operation_id = "billing_done",
    params(("session_id" = Option<String>, Query, description = "Stripe's id of the checkout; not used"),
        ("canceled" = Option<bool>, Query, description = "Set if the person turned back; not used")),
    responses((status = 200, description = "A page", content_type = "text/html")))]
pub async fn handle(_request: HttpRequest) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .body(PAGE))
}
