//! Decoding that says *where* an answer left the contract: serde names a missing field but not a retyped one,
//! and a page of HTML in place of JSON deserves better words than "expected value".

mod rows;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::CallFailure;

pub(crate) use rows::Rows;

/// Decodes a whole body.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallFailure> {
    if body.trim_ascii().is_empty() {
        return Err(malformed("an empty body"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let end = offset(body, error.line(), error.column());
        explain(
            error,
            &body[..end.min(body.len())],
            body.trim_ascii_start().first().copied(),
        )
    })
}

/// A failure of the contract that the decoder did not see.
pub(crate) fn malformed(what: impl Into<String>) -> CallFailure {
    CallFailure::Malformed {
        what: what.into(),
        source: None,
    }
}

/// Turns the decoder's complaint into one that names the field. `read` is what had been read until then,
/// `first` the first byte of the body.
fn explain(error: serde_json::Error, read: &[u8], first: Option<u8>) -> CallFailure {
    let what = match error.classify() {
        Category::Eof => "the body ends early".to_owned(),
        Category::Data => {
            let text = error.to_string();
            match text
                .strip_prefix("missing field `")
                .and_then(|rest| rest.split('`').next())
            {
                Some(field) => format!("field `{field}` is missing"),
                None => match last_key(read) {
                    Some(key) => format!("field `{key}` has another type or value"),
                    None => "the outermost value has another type".to_owned(),
                },
            }
        }
        Category::Syntax if first == Some(b'<') => "HTML instead of JSON".to_owned(),
        Category::Syntax | Category::Io => "not JSON".to_owned(),
    };
    CallFailure::Malformed {
        what,
        source: Some(error),
    }
}

/// The key whose value was being read at the end of `read`.
fn last_key(read: &[u8]) -> Option<String> {
    let mut end = read.len();
    loop {
        let colon = read[..end].iter().rposition(|byte| *byte == b':')?;
        let before = read[..colon].trim_ascii_end();
        // A colon inside a value (a time, an address) has no quote before it.
        if let Some(inner) = before.strip_suffix(b"\"")
            && let Some(start) = inner.iter().rposition(|byte| *byte == b'"')
        {
            let key = &inner[start + 1..];
            if !key.is_empty()
                && key.len() <= 64
                && key.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
            {
                return Some(String::from_utf8_lossy(key).into_owned());
            }
        }
        end = colon;
    }
}

fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line.max(1) {
        match body[start..].iter().position(|byte| *byte == b'\n') {
            Some(found) => start += found + 1,
            None => break,
        }
    }
    start + column
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::error::CallFailure;

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
            what(r#"[{"at":"10:20:30","nmId":"seven"}]"#),
            "field `nmId` has another type or value"
        );
        assert_eq!(
            what("[\n{\"at\":\"10:20\",\n\"nmId\":1.5}]"),
            "field `nmId` has another type or value"
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(what(r#"[{"at":"x"}]"#), "field `nmId` is missing");
    }

    #[test]
    fn html_an_empty_and_a_cut_body_are_told_apart() {
        assert_eq!(what("<html><body>502</body></html>"), "HTML instead of JSON");
        assert_eq!(what(" \n"), "an empty body");
        assert_eq!(what(r#"[{"nmId":1,"#), "the body ends early");
        assert_eq!(what("nonsense"), "not JSON");
        assert_eq!(what(r#""text""#), "the outermost value has another type");
    }
}
