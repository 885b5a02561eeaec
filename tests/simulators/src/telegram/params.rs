//! Parameters of a method: from the query, a form, JSON or `multipart/form-data`, as the Bot API takes them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::errors::Refusal;
use crate::server::{Call, parse_query};

/// A file that came with a call.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

/// What a method was called with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    fields: Map<String, Value>,
    pub(crate) files: BTreeMap<String, File>,
}

impl Params {
    pub(crate) fn of(fields: Map<String, Value>) -> Self {
        Self {
            fields,
            files: BTreeMap::new(),
        }
    }

    pub(crate) fn read(call: &Call) -> Result<Self, Refusal> {
        let mut params = Self::default();
        for (name, value) in &call.query {
            params.fields.insert(name.clone(), Value::String(value.clone()));
        }
        let kind = call.header("content-type").unwrap_or_default();
        if kind.starts_with("application/json") && !call.body.is_empty() {
            let Ok(Value::Object(fields)) = call.json::<Value>() else {
                return Err(Refusal::bad("object expected as parameters"));
            };
            params.fields.extend(fields);
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            for (name, value) in parse_query(&String::from_utf8_lossy(&call.body)) {
                params.fields.insert(name, Value::String(value));
            }
        } else if let Some((_, boundary)) = kind.split_once("boundary=") {
            params.multipart(&call.body, boundary.trim_matches('"'));
        }
        Ok(params)
    }

    fn multipart(&mut self, body: &[u8], boundary: &str) {
        let mark = format!("--{boundary}");
        for part in split(body, mark.as_bytes()) {
            let Some(end) = find(part, b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&part[..end]).into_owned();
            let content = part[end + 4..].strip_suffix(b"\r\n").unwrap_or(&part[end + 4..]);
            let value = |key: &str| {
                let (_, rest) = head.split_once(&format!("{key}=\""))?;
                Some(rest.split_once('"')?.0.to_owned())
            };
            let Some(name) = value(" name") else { continue };
            match value("filename") {
                Some(file) => {
                    let content = content.to_vec();
                    self.files.insert(name, File { name: file, content });
                }
                None => {
                    let text = String::from_utf8_lossy(content).into_owned();
                    self.fields.insert(name, Value::String(text));
                }
            }
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.text(name).as_deref(), Some("true" | "True" | "1" | "yes"))
    }

    /// A value that is JSON, also inside a text.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        match self.fields.get(name)? {
            Value::String(text) => serde_json::from_str(text).ok(),
            other => serde_json::from_value(other.clone()).ok(),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn split<'a>(body: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(start) = find(rest, mark) {
        rest = &rest[start + mark.len()..];
        let end = find(rest, mark).unwrap_or(rest.len());
        parts.push(&rest[..end]);
    }
    parts
}
