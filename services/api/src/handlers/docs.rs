//! The contract as JSON and as a page. The page is ours, small, embedded and without any foreign address, so
//! that it works without internet and under a strict content policy.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};

use crate::problem::Problem;

/// Scripts, styles and data from this server only, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PUBLIC: &str = "public, max-age=300";

static DOCUMENT: LazyLock<String> = LazyLock::new(crate::openapi::document);

/// The OpenAPI document.
///
/// # Errors
/// None.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "docs", operation_id = "openapi",
    responses((status = 200, description = "This document", content_type = "application/json")))]
pub async fn document(_request: HttpRequest) -> Result<HttpResponse, Problem> {
    Ok(file("application/json", &DOCUMENT))
}

/// The documentation page.
///
/// # Errors
/// None.
#[utoipa::path(get, path = "/docs", tag = "docs", operation_id = "docs",
    responses((status = 200, description = "This document as a page", content_type = "text/html")))]
pub async fn page(_request: HttpRequest) -> Result<HttpResponse, Problem> {
    Ok(file("text/html; charset=utf-8", include_str!("docs/page.html")))
}

/// The page's script.
///
/// # Errors
/// None.
#[utoipa::path(get, path = "/docs/script.js", tag = "docs", operation_id = "docs_script",
    responses((status = 200, description = "Script of the page", content_type = "text/javascript")))]
pub async fn script(_request: HttpRequest) -> Result<HttpResponse, Problem> {
    Ok(file(
        "text/javascript; charset=utf-8",
        include_str!("docs/script.js"),
    ))
}

/// The page's style sheet.
///
/// # Errors
/// None.
#[utoipa::path(get, path = "/docs/style.css", tag = "docs", operation_id = "docs_style",
    responses((status = 200, description = "Style sheet of the page", content_type = "text/css")))]
pub async fn style(_request: HttpRequest) -> Result<HttpResponse, Problem> {
    Ok(file("text/css; charset=utf-8", include_str!("docs/style.css")))
}

fn file(content_type: &str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, PUBLIC))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(text)
}
