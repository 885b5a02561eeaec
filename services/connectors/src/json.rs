//! Decoding that says *where* an answer left the contract: serde names a missing field but not a retyped one,
//! and a page of HTML in place of JSON deserves better words than "expected value".

mod drift;
mod left_out;
mod rows;

use std::borrow::Cow;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::error::CallFailure;

pub(crate) use left_out::{LeftOut, RawRows, row_is_json, text, whole_number};
pub(crate) use rows::Rows;

/// Decodes a whole body.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallFailure> {
    decode_in("", body)
}

/// Decodes a piece of a body; `at` is where it stands, such as `data.items[]`.
pub(crate) fn decode_in<T: DeserializeOwned>(at: &str, body: &[u8]) -> Result<T, CallFailure> {
    if body.trim_ascii().is_empty() {
        return Err(malformed("an empty body"));
    }
    let body = &*without_nul(body);
    // The decoder's own complaint is not kept: it can quote the value.
    serde_json::from_slice(body).map_err(|error| malformed(drift::describe(&error, body, at)))
}

/// The body without U+0000 in its texts. PostgreSQL's texts cannot hold it, so an event with one could be
/// recorded but never shown: its product would be missing without a word. It is taken out here, where every
/// answer of either marketplace comes in. A bare zero byte is no JSON, so only the escaped form can be there.
fn without_nul(body: &[u8]) -> Cow<'_, [u8]> {
    const NUL: &[u8] = br"\u0000";
    if !body.contains(&b'\\') || !body.windows(NUL.len()).any(|window| window == NUL) {
        return Cow::Borrowed(body);
    }
    let mut clean = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(start) = rest.iter().position(|byte| *byte == b'\\') {
        let (before, escape) = rest.split_at(start);
        clean.extend_from_slice(before);
        // A backslash and what it escapes go together: `\\u0000` is a backslash and five characters.
        let used = if escape.starts_with(NUL) {
            NUL.len()
        } else {
            let kept = escape.len().min(2);
            clean.extend_from_slice(escape.get(..kept).unwrap_or_default());
            kept
        };
        rest = escape.get(used..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    Cow::Owned(clean)
}

/// A failure of the contract that the decoder did not see.
pub(crate) fn malformed(what: impl Into<String>) -> CallFailure {
    CallFailure::Malformed {
        what: what.into(),
        source: None,
    }
}

/// Refuses an answer that says itself that it is something else than JSON, whatever is in it. One that says
/// nothing is looked at.
pub(crate) fn is_announced(headers: &HeaderMap) -> Result<(), CallFailure> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or("?");
    let essence = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match essence.as_str() {
        "" | "application/json" => Ok(()),
        json if json.ends_with("+json") => Ok(()),
        "text/html" => Err(malformed("HTML instead of JSON")),
        other => {
            let shown: String = other.chars().filter(|c| !c.is_control()).take(60).collect();
            Err(malformed(format!("content type `{shown}` instead of JSON")))
        }
    }
}

/// A field that may be `null` or absent, and of which it matters which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Told<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It is `null`.
    Null,
    /// It is there.
    Value(T),
}

impl<T: Default> Told<T> {
    /// The value; none told is the type's own nothing.
    pub(crate) fn or_default(self) -> T {
        match self {
            Self::Value(value) => value,
            Self::Absent | Self::Null => T::default(),
        }
    }
}

impl<T: Copy + Default> Told<T> {
    /// The value without taking it; none told is the type's own nothing.
    pub(crate) fn or_zero(&self) -> T {
        match self {
            Self::Value(value) => *value,
            Self::Absent | Self::Null => T::default(),
        }
    }
}

impl<T> Told<T> {
    /// Whether the field is there at all.
    pub(crate) const fn is_there(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Told<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, is_announced};
    use crate::error::CallFailure;
    use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    #[derive(Debug, serde::Deserialize)]
    struct Row {
        #[serde(rename = "nmId")]
        _nm_id: i64,
        #[serde(rename = "at")]
        _at: String,
    }

    fn what(body: &str) -> String {
        match decode::<Vec<Row>>(body.as_bytes()).unwrap_err() {
            CallFailure::Malformed { what, .. } => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_retyped_field_is_named() {
        assert_eq!(
            what(r#"[{"at":"10:20:30","nmId":"seven, expected eight"}]"#),
            "field `[].nmId` has another type or value: a whole number expected, a text seen"
        );
        assert_eq!(
            what("[\n{\"at\":\"10:20\",\n\"nmId\":1.5}]"),
            "field `[].nmId` has another type or value: a whole number expected, a number seen"
        );
        assert_eq!(
            what(r#"[{"nmId":1,"at":{"b":[1,{}]}}]"#),
            "field `[].at` has another type or value: a text expected, an object seen"
        );
        assert_eq!(
            what(r#"[{"nmId":1,"at":null}]"#),
            "field `[].at` has another type or value: a text expected, null seen"
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(
            what(r#"[{"at":"x","nmID":7,"+79990000000":1}]"#),
            "field `[].nmId` is missing (there are at, nmID)"
        );
        assert_eq!(what(r#"[{"nmId":1,"at":"x"},{}]"#), "field `[].nmId` is missing");
        assert_eq!(
            what(r#"[{"nmId":1,"nmId":2,"at":"x"}]"#),
            "field `[].nmId` is there twice"
        );
    }

    #[test]
    fn a_text_loses_its_zero_character_and_nothing_else() {
        let clean = |body: &str| decode::<Vec<String>>(body.as_bytes()).unwrap();
        assert_eq!(
            clean(r#"["Пла\u0000тье","\u0000","a\u0000\u0000b"]"#),
            ["Платье", "", "ab"]
        );
        assert_eq!(
            clean(r#"["\\u0000","\\\u0000x","\n\"\u0041"]"#),
            ["\\u0000", "\\x", "\n\"A"]
        );
    }

    #[test]
    fn html_an_empty_and_a_cut_body_are_told_apart() {
        assert_eq!(what("<html><body>502</body></html>"), "HTML instead of JSON");
        assert_eq!(what(" \n"), "an empty body");
        assert_eq!(what(r#"[{"nmId":1,"#), "the body ends early");
        assert_eq!(what("nonsense"), "not JSON");
        assert_eq!(
            what(r#""text""#),
            "the outermost value has another type: a list expected, a text seen"
        );
        assert_eq!(what(r#"[{"nmId":1e999,"at":"x"}]"#), "a number out of range");
    }

    #[test]
    fn no_value_is_in_the_words() {
        for body in [
            r#"[{"nmId":"Иванов","at":"x"}]"#,
            r#"[{"nmId":1,"at":["Иванов"]}]"#,
            r#"[{"Иванов":1}]"#,
            r#"{"Иванов":{"Иванов":"Иванов"}}"#,
        ] {
            let error = decode::<Vec<Row>>(body.as_bytes()).unwrap_err();
            let all = format!("{error} {error:?}");
            assert!(!all.contains("Иванов"), "{all}");
        }
    }

    #[test]
    fn an_answer_that_announces_something_else_is_refused_by_name() {
        let refused = |content_type: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            is_announced(&headers).err().map(|failure| failure.to_string())
        };
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/problem+json",
        ] {
            assert_eq!(refused(good), None);
        }
        assert_eq!(is_announced(&HeaderMap::new()).err().map(|e| e.to_string()), None);
        assert_eq!(
            refused("text/csv; charset=utf-8").unwrap(),
            "unexpected answer: content type `text/csv` instead of JSON"
        );
        assert_eq!(
            refused("text/html").unwrap(),
            "unexpected answer: HTML instead of JSON"
        );
    }
}
