//! Error bodies: a gRPC code, a message, and details that are mostly empty.

use serde_json::json;

use crate::server::Answer;

fn error(status: u16, code: u8, message: &str) -> Answer {
    Answer::json(status, &json!({"code": code, "message": message, "details": []}))
}

pub(crate) fn no_headers() -> Answer {
    error(401, 16, "Client-Id and Api-Key headers are required")
}

pub(crate) fn no_integer() -> Answer {
    error(400, 3, "Client-Id header value should be positive integer")
}

/// A wrong key is a 404: seen live.
pub(crate) fn wrong_key() -> Answer {
    error(404, 5, "Invalid Api-Key, please check the key and try again")
}

pub(crate) fn deactivated() -> Answer {
    error(
        403,
        7,
        "Api-key is deactivated, use another one or generate a new one",
    )
}

pub(crate) fn no_role() -> Answer {
    error(403, 7, "Api-Key is missing a required role for a method")
}

pub(crate) fn blocked() -> Answer {
    error(403, 7, "Company is blocked, please contact support")
}

pub(crate) fn no_page() -> Answer {
    Answer::raw(404, "text/plain; charset=utf-8", "404 page not found")
}

/// A method that was switched off.
pub(crate) fn removed() -> Answer {
    error(404, 5, "not found")
}

pub(crate) fn too_many(retry_seconds: u64) -> Answer {
    error(429, 8, "You have reached request rate limit per second").header("Retry-After", &retry_seconds)
}

/// `request validation error: invalid <Request>.<Field>: …`
pub(crate) fn invalid(field: &str, what: &str) -> Answer {
    error(
        400,
        3,
        &format!("request validation error: invalid {field}: {what}"),
    )
}

pub(crate) fn period_too_long() -> Answer {
    error(400, 3, "PERIOD_IS_TOO_LONG")
}

/// What a cabinet without a warehouse of its own gets for the list of FBS postings: seen live.
pub(crate) fn no_fbs() -> Answer {
    error(400, 3, "seller has no FBS warehouses")
}
