//! Entity tags of things that can be changed: `"<position>.<hash>"`. The hash is of what is shown, so a
//! cached copy is never too old; the position is of the thing's own last change, and only that is compared
//! before a change, since a sync that ran meanwhile does not contradict anybody.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use sha2::{Digest as _, Sha256};

use crate::problem::{Code, Problem};

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

/// Lets a change through only if the caller has seen the thing, called `what`, as it is since `position`.
pub(super) fn require(request: &HttpRequest, what: &str, position: i64) -> Result<(), Problem> {
    let candidates = candidates(request, &IF_MATCH);
    if candidates.is_empty() {
        let detail = format!("read the {what} first and send its ETag as If-Match");
        return Err(Problem::new(Code::PreconditionRequired, detail).at("header If-Match"));
    }
    let current = format!("\"{position}.");
    if candidates
        .iter()
        .any(|tag| tag == "*" || tag.starts_with(&current))
    {
        return Ok(());
    }
    let detail = format!("the {what} was changed since you read it; read it again");
    Err(Problem::new(Code::PreconditionFailed, detail).at("header If-Match"))
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
