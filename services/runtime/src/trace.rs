//! Spans that go to a collector, and the context that ties them to one trace over processes (W3C Trace
//! Context). Only what is made here is exported, so that no log line can carry anything out: a span says what
//! was done and how long it took, with ids and counts at most.
//!
//! Where nothing is exported all of this costs nothing and tells nothing: [`traceparent`] answers none.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Target of the spans that are exported; log lines do not show them.
pub const TARGET: &str = "trace";

const HEADER: &str = "traceparent";

/// A request that came in: `name` is the method and, once known, the route. A sound `parent` is gone on with.
#[must_use]
pub fn request(method: &str, parent: Option<&str>) -> Span {
    let span = tracing::info_span!(
        target: TARGET, "request", otel.name = method, otel.kind = "server", otel.status_code = Empty,
        http.request.method = method, http.route = Empty, http.response.status_code = Empty,
    );
    adopt(&span, parent);
    span
}

/// How a request ended. The route is the pattern, never the path with what stands in it.
pub fn answered(span: &Span, method: &str, route: Option<&str>, status: u16) {
    if span.is_disabled() {
        return;
    }
    if let Some(route) = route {
        // `record` does not rename a span that has begun (tracing-opentelemetry 0.34, `update_span`).
        span.context().span().update_name(format!("{method} {route}"));
        span.record("http.route", route);
    }
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// A question from another process, over the broker.
#[must_use]
pub fn question(subject: &str, parent: Option<&str>) -> Span {
    let span = tracing::info_span!(target: TARGET, "question", otel.name = subject, otel.kind = "server");
    adopt(&span, parent);
    span
}

/// A job or a tick of a clock: the beginning of a trace.
#[must_use]
pub fn job(name: &'static str) -> Span {
    tracing::info_span!(target: TARGET, parent: None, "job", otel.name = name, outcome = Empty)
}

/// Part of the work in hand.
#[must_use]
pub fn part(name: &'static str) -> Span {
    tracing::info_span!(target: TARGET, "part", otel.name = name)
}

/// What one process does because of an event that another one recorded.
#[must_use]
pub fn follows(name: &'static str, parent: &str) -> Span {
    let span = tracing::info_span!(
        target: TARGET, parent: None, "follows", otel.name = name, otel.kind = "consumer", events = Empty,
    );
    adopt(&span, Some(parent));
    span
}

/// The context of a span, to be handed on; none when nothing is exported.
#[must_use]
pub fn traceparent(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let names = span.span_context();
    names.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            names.trace_id(),
            names.span_id(),
            names.trace_flags().to_u8()
        )
    })
}

/// The context of the work in hand.
#[must_use]
pub fn current() -> Option<String> {
    traceparent(&Span::current())
}

fn adopt(span: &Span, parent: Option<&str>) {
    let Some(parent) = parent.filter(|_| !span.is_disabled()) else {
        return;
    };
    let carrier = HashMap::from([(HEADER.to_owned(), parent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    if let Err(error) = span.set_parent(context) {
        tracing::debug!(error = ?error, "a span goes on without its parent");
    }
}
