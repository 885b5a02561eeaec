//! What surrounds every request: its names, the headers every answer carries, problems written out with path
//! and trace, a panic turned into a plain 500, and the numbers about it.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError};
use futures_util::FutureExt as _;
use runtime::metrics::{HttpRequest as Measured, labels};
use tracing::Instrument as _;

use crate::connections::{Sent, Watched};
use crate::problem::{Code, Problem};
use crate::state::ApiState;
use crate::trace::Trace;

/// The outermost layer.
pub async fn frame(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<Data<ApiState>>().cloned() else {
        return Err(Problem::new(Code::Internal, "the server is not set up").into());
    };
    let began = Instant::now();
    let busy = request.conn_data::<Watched>().map(Watched::busy);
    // A client can send any word; only a known one may stand in a name.
    let (method, path) = (
        labels::method(request.method().as_str()),
        request.path().to_owned(),
    );
    let (trace, span) = Trace::begin(request.headers(), method, &state.ids, state.clock.now());
    request.extensions_mut().insert(trace.clone());
    // The request itself cannot be kept: routing needs to own it. So a failure below leaves as an error that
    // knows path and trace.
    let outcome = AssertUnwindSafe(next.call(request).instrument(span.clone()))
        .catch_unwind()
        .await;
    let (route, response) = match outcome {
        Ok(Ok(response)) => {
            let route = response.request().match_pattern();
            (
                route,
                Ok(written_out(response.map_into_boxed_body(), &path, &trace)),
            )
        }
        Ok(Err(error)) => (
            None,
            Err(Failed {
                problem: problem_of(&error),
                path,
                trace: trace.clone(),
            }),
        ),
        Err(_panic) => {
            // The panic's own message has gone to the log by the panic hook.
            let problem = Problem::new(
                Code::Internal,
                "something failed on our side; the trace id names it",
            );
            (
                None,
                Err(Failed {
                    problem,
                    path,
                    trace: trace.clone(),
                }),
            )
        }
    };
    let status = response
        .as_ref()
        .map_or_else(ResponseError::status_code, ServiceResponse::status);
    state.metrics.http_request(Measured {
        method,
        route: route.as_deref().unwrap_or("unmatched"),
        status: status.as_u16(),
        duration: began.elapsed(),
    });
    runtime::trace::answered(&span, method, route.as_deref(), status.as_u16());
    tracing::debug!(
        http.method = method, http.route = route.as_deref(), http.status = status.as_u16(),
        trace.id = %trace.trace_id.simple(), request.id = %trace.request_id, "request answered"
    );
    let mut response = response?;
    crate::quota::settle(&response).await;
    crate::gate::finish(&mut response);
    add_headers(response.headers_mut(), &trace);
    Ok(response.map_body(|_head, body| BoxBody::new(Sent::new(body, busy))))
}

/// A problem that left a handler gets its path and trace.
fn written_out(response: ServiceResponse, path: &str, trace: &Trace) -> ServiceResponse {
    let Some(error) = response.response().error() else {
        return response;
    };
    let problem = problem_of(error);
    log(&problem, trace);
    let (request, _without_path) = response.into_parts();
    ServiceResponse::new(
        request,
        problem.response(path, &trace.trace_id.simple().to_string()),
    )
}

fn problem_of(error: &Error) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    // Only actix itself makes others, before a handler runs.
    match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => Problem::not_found("path"),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::BodyTooLarge, "the body is too large"),
        status if status.is_client_error() => {
            Problem::new(Code::MalformedRequest, "the request cannot be understood")
        }
        _ => Problem::new(
            Code::Internal,
            "something failed on our side; the trace id names it",
        ),
    }
}

/// The one place where a failure is logged: here it stops travelling.
fn log(problem: &Problem, trace: &Trace) {
    if problem.code().status() < 500 {
        return;
    }
    let causes = std::iter::successors(
        problem.cause().map(|cause| -> &dyn std::error::Error { cause }),
        |cause| cause.source(),
    );
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    tracing::error!(
        trace.id = %trace.trace_id.simple(), request.id = %trace.request_id,
        problem = %problem, cause = causes.join(": "), "request failed"
    );
}

/// A failure that has no request any more.
#[derive(Debug)]
struct Failed {
    problem: Problem,
    path: String,
    trace: Trace,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Failed {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        log(&self.problem, &self.trace);
        let mut response = self
            .problem
            .response(&self.path, &self.trace.trace_id.simple().to_string());
        add_headers(response.headers_mut(), &self.trace);
        response
    }
}

/// Headers of every answer; a handler's own value stays.
fn add_headers(headers: &mut HeaderMap, trace: &Trace) {
    const FIXED: [(&str, &str); 6] = [
        ("cache-control", "no-store"),
        (
            "content-security-policy",
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=31536000"),
        ("x-content-type-options", "nosniff"),
    ];
    for (name, value) in FIXED {
        if !headers.contains_key(name) {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    let names = [
        ("request-id", trace.request_id.to_string()),
        ("traceparent", trace.traceparent.clone()),
    ];
    for (name, value) in names {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
