//! Paths that do not exist, and methods that a path does not have.

use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse};

use crate::problem::{Code, Problem};
use crate::routes;

/// 405 with what is allowed, or 404.
///
/// # Errors
/// Always.
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let methods = routes::methods_at(request.path());
    if methods.is_empty() {
        return Err(Problem::not_found("path"));
    }
    let allowed = methods.join(", ");
    Err(Problem::new(Code::MethodNotAllowed, format!("allowed here: {allowed}")).header(ALLOW, &allowed))
}
