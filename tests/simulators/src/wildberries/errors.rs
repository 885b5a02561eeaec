//! Error bodies as the gateway and the services behind it send them (contracts A.2).

use serde_json::{Value, json};

use super::limits::{Host, Refused};
use crate::server::Answer;
use crate::text::utc_text;

const PROBLEM: &str = "application/problem+json";
/// Not random on purpose: a client must never depend on it.
const REQUEST_ID: &str = "7b80742415072fe8b6b7f7761f1d1211";

fn gateway(status: u16, title: &str, status_text: &str, detail: &str, now: i64) -> Answer {
    let body = json!({
        "title": title, "detail": detail, "code": "07e4668e-ac2242c5c8c5-[UK-4dx7JUdskGZ]",
        "requestId": REQUEST_ID, "origin": "s2s-api-auth-catalog", "status": status,
        "statusText": status_text, "timestamp": utc_text(now / 1000 * 1000),
    });
    Answer {
        content_type: PROBLEM,
        ..Answer::json(status, &body)
    }
}

pub(crate) fn unauthorized(detail: &str, now: i64) -> Answer {
    gateway(401, "unauthorized", "Unauthorized", detail, now)
}

pub(crate) fn forbidden(detail: &str, now: i64) -> Answer {
    gateway(403, "forbidden", "Forbidden", detail, now)
}

pub(crate) fn path_not_found(path: &str, now: i64) -> Answer {
    let detail =
        format!("Please consult the https://dev.wildberries.ru/openapi/api-information, path {path}");
    gateway(404, "path not found", "Not Found", &detail, now)
}

pub(crate) fn too_many(refused: Refused, now: i64) -> Answer {
    let detail = "limited by c122a060-a7fb-4bb4-abb0-32fd4e18d489";
    gateway(429, "too many requests", "Too Many Requests", detail, now)
        .header("X-Ratelimit-Retry", &refused.retry)
        .header("X-Ratelimit-Limit", &refused.limit)
        .header("X-Ratelimit-Reset", &refused.reset)
}

/// A 400 in the style of the host's service.
pub(crate) fn bad_request(host: Host, message: &str) -> Answer {
    let body: Value = match host {
        Host::Content => json!({"data": null, "error": true, "errorText": message, "additionalErrors": null}),
        Host::Prices => json!({"data": null, "error": true, "errorText": message}),
        Host::Marketplace => json!({"code": "IncorrectParameter", "message": message}),
        Host::Statistics => json!({"errors": [message]}),
        Host::Analytics | Host::Common => json!({
            "title": "Invalid request body", "detail": format!("code=400, message=invalid: {message}"),
            "requestId": REQUEST_ID, "origin": "analytic-open-api",
        }),
    };
    Answer::json(400, &body)
}

/// A Marketplace error with its own code.
pub(crate) fn marketplace(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"code": code, "message": message}))
}

/// Errors of the asynchronous report's tasks.
pub(crate) fn task(status: u16, title: &str, detail: &str) -> Answer {
    let body = json!({"detail": detail, "origin": "api-statistics", "requestId": REQUEST_ID, "title": title});
    let answer = Answer::json(status, &body);
    if status == 404 {
        Answer {
            content_type: PROBLEM,
            ..answer
        }
    } else {
        answer
    }
}
