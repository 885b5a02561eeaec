//! Reading what a client sent, so that every mistake is named by its place. A body or a query is a flat list
//! of named values: each is asked for by name with the shape it must have, all mistakes are collected, and
//! what nobody asked for is a mistake too.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Data, Payload, Query};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use serde_json::{Map, Value};

use crate::gate::Gate;
use crate::problem::{Code, FieldProblem, Problem};
use crate::server::Times;

pub mod shape;

/// Largest body, bytes. The largest thing that is ever sent is a service account's key file, some 2.5 KiB.
pub const MAX_BODY: usize = 64 * 1024;

/// What a request is read into.
pub trait Input: Sized {
    /// Asks for every field, then builds the value. `None` when a field is wrong; `fields` knows which.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// Whether values are JSON or text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Body,
    Query,
}

/// Named values that are being read.
#[derive(Debug)]
pub struct Fields {
    source: Source,
    left: Map<String, Value>,
    errors: Vec<FieldProblem>,
}

/// One value, with the knowledge whether it could only come as text.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The value.
    pub value: &'a Value,
    /// True in a query, where numbers and booleans are text.
    pub is_text: bool,
}

impl Fields {
    /// A field that may be left out or null.
    pub fn optional<T>(&mut self, name: &str, shape: impl Fn(Given<'_>) -> Result<T, String>) -> Option<T> {
        let value = self.left.remove(name).filter(|value| !value.is_null())?;
        let given = Given {
            value: &value,
            is_text: self.source == Source::Query,
        };
        match shape(given) {
            Ok(read) => Some(read),
            Err(detail) => {
                self.wrong(name, detail);
                None
            }
        }
    }

    /// A field that may be left out, where null takes back what was chosen before (RFC 7396).
    pub fn nullable<T>(
        &mut self,
        name: &str,
        shape: impl Fn(Given<'_>) -> Result<T, String>,
    ) -> Option<Option<T>> {
        if self.left.get(name).is_some_and(Value::is_null) {
            self.left.remove(name);
            return Some(None);
        }
        self.optional(name, shape).map(Some)
    }

    /// A field that must be there.
    pub fn required<T>(&mut self, name: &str, shape: impl Fn(Given<'_>) -> Result<T, String>) -> Option<T> {
        if self.left.get(name).is_none_or(Value::is_null) {
            self.left.remove(name);
            self.wrong(name, "is required".to_owned());
            return None;
        }
        self.optional(name, shape)
    }

    /// Says that a field is wrong.
    pub fn wrong(&mut self, name: &str, detail: String) {
        let pointer = self.pointer(name);
        self.errors.push(FieldProblem { pointer, detail });
    }

    /// Whether a field was already said to be wrong.
    #[must_use]
    pub fn is_wrong(&self, name: &str) -> bool {
        let pointer = self.pointer(name);
        self.errors.iter().any(|error| error.pointer == pointer)
    }

    fn pointer(&self, name: &str) -> String {
        match self.source {
            Source::Body => format!("#/{}", name.replace('~', "~0").replace('/', "~1")),
            Source::Query => format!("?{name}"),
        }
    }

    fn finish<T: Input>(mut self) -> Result<T, Problem> {
        let read = T::read(&mut self);
        for name in std::mem::take(&mut self.left).keys() {
            let what = if self.source == Source::Body {
                "field"
            } else {
                "parameter"
            };
            self.wrong(name, format!("there is no such {what}"));
        }
        match read {
            Some(read) if self.errors.is_empty() => Ok(read),
            _ => Err(Problem::invalid(self.errors)),
        }
    }
}

/// A body together with its bytes, which tell one request from another.
pub struct Body<T> {
    /// What was read.
    pub value: T,
    /// As it came.
    pub raw: Bytes,
}

/// Reads a JSON object. An empty body counts as an empty object.
///
/// # Errors
/// 413, 415, 400 for what is no JSON, 422 naming every wrong field.
pub async fn body<T: Input>(request: &HttpRequest, payload: Payload) -> Result<Body<T>, Problem> {
    let raw = bytes(request, payload, MAX_BODY).await?;
    if raw.is_empty() {
        let value = fields(Source::Body, Map::new()).finish()?;
        return Ok(Body { value, raw });
    }
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            "send the body as application/json",
        ));
    }
    let value: Value = serde_json::from_slice(&raw).map_err(|error| {
        let place = format!(
            "the body is not JSON from line {}, column {}",
            error.line(),
            error.column()
        );
        Problem::new(Code::MalformedRequest, place)
    })?;
    let Value::Object(map) = value else {
        return Err(Problem::invalid_field("#", "the body must be an object"));
    };
    Ok(Body {
        value: fields(Source::Body, map).finish()?,
        raw,
    })
}

/// Reads a body as it comes, of at most `most` bytes.
///
/// # Errors
/// 413 for a larger one, 408 for one that does not come in time, 400 for one that breaks off.
pub async fn bytes(request: &HttpRequest, mut payload: Payload, most: usize) -> Result<Bytes, Problem> {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if announced
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| length > most)
    {
        return Err(too_large(most));
    }
    // A client that trickles holds a connection no longer.
    let limit = request
        .app_data::<Data<Gate>>()
        .map_or_else(Times::default, |gate| gate.times)
        .body;
    let gathered = tokio::time::timeout(limit, gather(&mut payload, most)).await;
    gathered.unwrap_or_else(|_elapsed| {
        let detail = format!("a body has to be there within {} seconds", limit.as_secs_f64());
        Err(Problem::new(Code::BodyTooSlow, detail))
    })
}

async fn gather(payload: &mut Payload, most: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|error| Problem::new(Code::MalformedRequest, format!("the body broke off: {error}")))?;
        if body.len() + chunk.len() > most {
            return Err(too_large(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn too_large(most: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("a body has at most {most} bytes"))
}

/// Reads the query.
///
/// # Errors
/// 422 naming every wrong parameter.
pub fn query<T: Input>(request: &HttpRequest) -> Result<T, Problem> {
    let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string())
        .map_err(|error| {
            Problem::new(
                Code::MalformedRequest,
                format!("the query cannot be read: {error}"),
            )
        })?
        .into_inner();
    let mut map = Map::new();
    let mut twice = Vec::new();
    for (name, value) in pairs {
        if map.insert(name.clone(), Value::String(value)).is_some() {
            twice.push(name);
        }
    }
    let mut fields = fields(Source::Query, map);
    for name in twice {
        fields.wrong(&name, "is given twice".to_owned());
    }
    fields.finish()
}

/// Refuses a time that has not come yet.
///
/// # Errors
/// 422.
pub fn not_later(pointer: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Problem> {
    if at > now {
        return Err(Problem::invalid_field(pointer, "must not be in the future"));
    }
    Ok(())
}

/// The only input of a request that has none.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Input for Nothing {
    fn read(_fields: &mut Fields) -> Option<Self> {
        Some(Self)
    }
}

const fn fields(source: Source, left: Map<String, Value>) -> Fields {
    Fields {
        source,
        left,
        errors: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Fields, Input, Source, fields, shape};

    #[derive(Debug, PartialEq)]
    struct Sample {
        name: String,
        count: Option<i64>,
    }

    impl Input for Sample {
        fn read(fields: &mut Fields) -> Option<Self> {
            let name = fields.required("name", shape::text(1, 5));
            let count = fields.optional("count", shape::integer(0, 10));
            Some(Self { name: name?, count })
        }
    }

    fn read(source: Source, value: &serde_json::Value) -> Result<Sample, Vec<String>> {
        let map = value.as_object().unwrap().clone();
        fields(source, map).finish::<Sample>().map_err(|problem| {
            let body = problem.response("/", "t").into_body();
            let bytes = actix_web::body::MessageBody::try_into_bytes(body).ok().unwrap();
            let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            body["errors"]
                .as_array()
                .unwrap()
                .iter()
                .map(|error| error["pointer"].to_string())
                .collect()
        })
    }

    #[test]
    fn every_wrong_field_is_named_and_unknown_ones_are_wrong() {
        let wrong = read(Source::Body, &json!({"name": 5, "count": "3", "a/b": 1}));
        assert_eq!(
            wrong.unwrap_err(),
            [r##""#/name""##, r##""#/count""##, r##""#/a~1b""##]
        );
        let missing = read(Source::Body, &json!({"name": null}));
        assert_eq!(missing.unwrap_err(), [r##""#/name""##]);
        assert!(read(Source::Body, &json!({"name": "x"})).is_ok());
    }

    #[test]
    fn in_a_query_a_number_is_text_and_in_a_body_it_is_not() {
        let read_it = read(Source::Query, &json!({"name": "x", "count": "3"})).unwrap();
        assert_eq!(
            read_it,
            Sample {
                name: "x".to_owned(),
                count: Some(3)
            }
        );
        let wrong = read(Source::Query, &json!({"name": "x", "count": "3x", "page": "2"}));
        assert_eq!(wrong.unwrap_err(), [r#""?count""#, r#""?page""#]);
    }
}
