//! Entity tags of things that can be changed: `"<position>.<hash>"`. The hash is of what is shown, so a
//! cached copy is never too old; the position is of the thing's own last change, and only that is compared
//! before a change, since a sync that ran meanwhile does not contradict anybody.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest as _, Sha256};

use crate::problem::{Code, Problem};
use crate::reply::Reply;

/// The tag of a thing that is shown as `body`.
pub(super) fn of(position: i64, body: &[u8]) -> String {
    format!("\"{position}.{}\"", hex::encode(&Sha256::digest(body)[..8]))
}

/// Whether the caller has exactly this already.
pub(super) fn is_known(request: &HttpRequest, tag: &str) -> bool {
    let opaque = |candidate: &str| candidate.strip_prefix("W/").unwrap_or(candidate).to_owned();
    candidates(request, &IF_NONE_MATCH)
        .iter()
        .any(|known| known == "*" || opaque(known) == tag)
}

/// The answer with its tag, or 304 without a body if the caller has exactly this already. `position` is of
/// the thing's own last change.
pub(super) fn tagged(request: &HttpRequest, reply: Reply, position: i64) -> HttpResponse {
    let tag = of(position, &reply.answer().body);
    let known = is_known(request, &tag);
    let mut response = HttpResponse::from(reply.etag(tag));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response = response.drop_body().map_into_boxed_body();
    }
    response
}

/// The position in `If-Match`, for a change that compares it itself; none for `*`, which is any.
pub(super) fn seen(request: &HttpRequest, what: &str) -> Result<Option<i64>, Problem> {
    let candidates = required(request, what)?;
    if candidates.iter().any(|tag| tag == "*") {
        return Ok(None);
    }
    let position = |tag: &String| tag.strip_prefix('"')?.split_once('.')?.0.parse().ok();
    let position = candidates.iter().find_map(position);
    position.map(Some).ok_or_else(|| changed(what))
}

/// Lets a change through only if the caller has seen the thing, called `what`, as it is since `position`.
pub(super) fn require(request: &HttpRequest, what: &str, position: i64) -> Result<(), Problem> {
    let candidates = required(request, what)?;
    let current = format!("\"{position}.");
    if candidates
        .iter()
        .any(|tag| tag == "*" || tag.starts_with(&current))
    {
        return Ok(());
    }
    Err(changed(what))
}

/// The thing, called `what`, is not as the caller has seen it.
pub(super) fn changed(what: &str) -> Problem {
    let detail = format!("the {what} was changed since you read it; read it again");
    Problem::new(Code::PreconditionFailed, detail).at("header If-Match")
}

fn required(request: &HttpRequest, what: &str) -> Result<Vec<String>, Problem> {
    let candidates = candidates(request, &IF_MATCH);
    if candidates.is_empty() {
        let detail = format!("read the {what} first and send its ETag as If-Match");
        return Err(Problem::new(Code::PreconditionRequired, detail).at("header If-Match"));
    }
    Ok(candidates)
}

fn candidates(request: &HttpRequest, header: &HeaderName) -> Vec<String> {
    request
        .headers()
        .get_all(header)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect()
}
