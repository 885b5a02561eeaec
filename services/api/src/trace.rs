//! The names of one request: its id, its trace, and the trace context it hands on (W3C Trace Context, version
//! 00).

use actix_web::HttpMessage as _;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Utc};
use runtime::Ids;
use tracing::Span;
use uuid::Uuid;

/// What a request is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// This request.
    pub request_id: Uuid,
    /// The conversation: the caller's trace, or a new one. Events carry it as their correlation.
    pub trace_id: Uuid,
    /// Trace context of what follows from this request.
    pub traceparent: String,
    /// When it came.
    pub now: DateTime<Utc>,
}

impl Trace {
    /// Goes on with the caller's trace, or begins one. The span is the request's own; where traces are not
    /// exported it has no names, and the request gets some that look the same.
    #[must_use]
    pub fn begin(headers: &HeaderMap, method: &str, ids: &Ids, now: DateTime<Utc>) -> (Self, Span) {
        let request_id = ids.next();
        let given = headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok())
            .and_then(|text| Some((text, parse(text)?)));
        let span = runtime::trace::request(method, given.map(|(text, _)| text));
        let exported = runtime::trace::traceparent(&span)
            .and_then(|own| parse(&own).map(|(trace_id, _)| (trace_id, own.clone())));
        let (trace_id, traceparent) = exported.unwrap_or_else(|| {
            let (trace_id, flags) = given.map_or((request_id, "01"), |(_, names)| names);
            // The random end of an id is a good span id; version 7 keeps its time in front.
            let span = &ids.next().simple().to_string()[16..];
            (trace_id, format!("00-{}-{span}-{flags}", trace_id.simple()))
        });
        let trace = Self {
            request_id,
            trace_id,
            traceparent,
            now,
        };
        (trace, span)
    }

    /// The trace that the frame gave to this request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self {
                request_id: Uuid::nil(),
                trace_id: Uuid::nil(),
                traceparent: String::new(),
                now: DateTime::UNIX_EPOCH,
            })
    }
}

fn parse(text: &str) -> Option<(Uuid, &str)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |part: &str, length| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let known = version == "00" && parts.next().is_none();
    let sane = known && lower_hex(trace, 32) && lower_hex(span, 16) && lower_hex(flags, 2);
    let trace = Uuid::parse_str(trace).ok()?;
    (sane && !trace.is_nil() && span != "0000000000000000").then_some((trace, flags))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_trace_context_is_taken_only_when_it_is_whole() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(
            parse(good).unwrap().0.simple().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert!(parse(bad).is_none(), "{bad} was taken");
        }
    }
}
