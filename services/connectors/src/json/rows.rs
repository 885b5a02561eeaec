//! Cuts a long list of objects into rows while the body arrives: a report of hundreds of thousands of rows is
//! decoded row by row and is never held as a whole, at the speed of decoding from memory.

use serde::de::DeserializeOwned;

use super::{decode, malformed};
use crate::error::CallFailure;

/// Most bytes around the list, and most bytes of one row.
const MOST: usize = 1024 * 1024;

/// Where in the body we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the list.
    Before,
    /// In the list, where a row or, if nothing came yet, its end may follow.
    Row { first: bool },
    /// Inside a row that is an object or a list.
    Inside,
    /// Inside a row that is neither: a damaged one.
    Scalar,
    /// In the list after a row.
    Between,
    /// Behind the list.
    After,
}

/// Finds the list at a path of keys and hands out its rows.
pub(crate) struct Rows {
    path: &'static [&'static str],
    place: Place,
    /// Everything but the rows, so that the rest of the body is checked as well.
    envelope: Vec<u8>,
    /// Keys that lead to where we are, while we are before the list.
    keys: Vec<Vec<u8>>,
    text: Vec<u8>,
    /// The beginning of a row that goes on in the next chunk.
    row: Vec<u8>,
    depth: u32,
    in_text: bool,
    escaped: bool,
}

impl Rows {
    /// The list at `path`; an empty path is the outermost value.
    pub(crate) fn new(path: &'static [&'static str]) -> Self {
        Self {
            path,
            place: Place::Before,
            envelope: Vec::new(),
            keys: Vec::new(),
            text: Vec::new(),
            row: Vec::new(),
            depth: 0,
            in_text: false,
            escaped: false,
        }
    }

    /// Takes the next piece of the body and hands out the rows that end in it.
    pub(crate) fn push(
        &mut self,
        mut chunk: &[u8],
        on_row: &mut impl FnMut(&[u8]) -> Result<(), CallFailure>,
    ) -> Result<(), CallFailure> {
        while !chunk.is_empty() {
            let used = match self.place {
                Place::Before => self.before(chunk),
                Place::Row { .. } | Place::Between => self.between(chunk[0])?,
                Place::Inside => self.inside(chunk, on_row)?,
                Place::Scalar => self.scalar(chunk, on_row)?,
                Place::After => {
                    self.envelope.extend_from_slice(chunk);
                    chunk.len()
                }
            };
            if self.envelope.len() > MOST || self.row.len() > MOST {
                let html = self.envelope.trim_ascii_start().first() == Some(&b'<');
                return Err(malformed(if html {
                    "HTML instead of JSON"
                } else {
                    "no list of rows"
                }));
            }
            chunk = &chunk[used..];
        }
        Ok(())
    }

    /// Checks what was around the rows against `T`. True when there was a list, false for an empty body and
    /// where `T` takes something else in its place.
    pub(crate) fn finish<T: DeserializeOwned>(self) -> Result<bool, CallFailure> {
        match self.place {
            Place::Before if self.envelope.trim_ascii().is_empty() => return Ok(false),
            Place::Before | Place::After => {}
            Place::Row { .. } | Place::Inside | Place::Scalar | Place::Between => {
                return Err(malformed("the body ends early"));
            }
        }
        decode::<T>(&self.envelope)?;
        Ok(self.place == Place::After)
    }

    fn before(&mut self, chunk: &[u8]) -> usize {
        for (index, byte) in chunk.iter().enumerate() {
            self.envelope.push(*byte);
            if self.in_text {
                self.text_byte(*byte);
                continue;
            }
            match byte {
                b'"' => {
                    self.text.clear();
                    self.in_text = true;
                }
                b':' => {
                    if let Some(key) = self.keys.last_mut() {
                        key.clone_from(&self.text);
                    }
                }
                b'[' if self.at_path() => {
                    self.place = Place::Row { first: true };
                    return index + 1;
                }
                b'{' | b'[' => self.keys.push(Vec::new()),
                b'}' | b']' => drop(self.keys.pop()),
                _ => {}
            }
        }
        chunk.len()
    }

    fn text_byte(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_text = false,
            _ => self.text.push(byte),
        }
    }

    fn at_path(&self) -> bool {
        self.keys.len() == self.path.len()
            && self
                .keys
                .iter()
                .zip(self.path)
                .all(|(key, wanted)| key == wanted.as_bytes())
    }

    fn between(&mut self, byte: u8) -> Result<usize, CallFailure> {
        match (self.place, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            (Place::Row { .. }, b'{' | b'[') => {
                self.place = Place::Inside;
                self.depth = 0;
                // The brace is read again as part of the row.
                return Ok(0);
            }
            (Place::Between, b',') => self.place = Place::Row { first: false },
            (Place::Between | Place::Row { first: true }, b']') => {
                self.envelope.push(b']');
                self.place = Place::After;
            }
            // `null`, a number or a text is no row, but a value: whoever decodes it will say so.
            (Place::Row { .. }, b'"' | b'-' | b'0'..=b'9' | b'a'..=b'z') => {
                self.place = Place::Scalar;
                return Ok(0);
            }
            _ => return Err(malformed("something that is no row in the list of rows")),
        }
        Ok(1)
    }

    fn inside(
        &mut self,
        chunk: &[u8],
        on_row: &mut impl FnMut(&[u8]) -> Result<(), CallFailure>,
    ) -> Result<usize, CallFailure> {
        let Some(end) = self.end_of_row(chunk) else {
            self.row.extend_from_slice(chunk);
            return Ok(chunk.len());
        };
        self.place = Place::Between;
        if self.row.is_empty() {
            on_row(&chunk[..end])?;
        } else {
            self.row.extend_from_slice(&chunk[..end]);
            on_row(&self.row)?;
            self.row.clear();
        }
        Ok(end)
    }

    fn scalar(
        &mut self,
        chunk: &[u8],
        on_row: &mut impl FnMut(&[u8]) -> Result<(), CallFailure>,
    ) -> Result<usize, CallFailure> {
        for (at, byte) in chunk.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b',' | b']' | b' ' | b'\t' | b'\r' | b'\n' if !self.in_text => {
                    self.row.extend_from_slice(&chunk[..at]);
                    self.place = Place::Between;
                    on_row(&self.row)?;
                    self.row.clear();
                    return Ok(at);
                }
                _ => {}
            }
        }
        self.row.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    /// The index behind the bracket that closes the row. Which kind of bracket it is, the decoder will see.
    fn end_of_row(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = chunk.get(at) {
            at += 1;
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;
    use crate::error::CallFailure;
    use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, proptest};
    use serde::de::IgnoredAny;
    use serde_json::{Value, json};

    #[derive(serde::Deserialize)]
    struct Envelope {
        #[serde(rename = "data")]
        _data: Option<Items>,
    }

    #[derive(serde::Deserialize)]
    struct Items {
        #[serde(rename = "items")]
        _items: Vec<IgnoredAny>,
    }

    fn split(body: &[u8], size: usize) -> Result<(Vec<Value>, bool), CallFailure> {
        let mut rows = Rows::new(&["data", "items"]);
        let mut found = Vec::new();
        for chunk in body.chunks(size) {
            rows.push(chunk, &mut |row| {
                found.push(crate::json::decode(row)?);
                Ok(())
            })?;
        }
        let listed = rows.finish::<Envelope>()?;
        Ok((found, listed))
    }

    #[test]
    fn other_lists_and_keys_on_the_way_are_left_alone() {
        let body = br#"{"items":[{"no":1}],"data":{"other":[{"items":[{"no":2}]}],"items": [ {"a":"}]\""} ,{"b":[{}]}],"n":1}}"#;
        for size in [1, 2, 7, 1000] {
            let (rows, listed) = split(body, size).unwrap();
            assert_eq!(rows, [json!({"a":"}]\""}), json!({"b":[{}]})]);
            assert!(listed);
        }
    }

    #[test]
    fn what_is_no_list_of_rows_is_refused() {
        for body in [
            r#"{"data":{"items":[{"a":1} {"a":2}]}}"#,
            r#"{"data":{"items":[{"a":1},]}}"#,
            r#"{"data":{"items":[nul]}}"#,
            r#"{"data":{"items":["x]}}"#,
            r#"{"data":{"items":[{"a":1]}}"#,
            r#"{"data":{"items":[{"a":1}]}"#,
            r#"{"data":{"items":[{"a":1}]}}x"#,
            r#"{"data":{"items":{}}}"#,
            "<html>[]</html>",
        ] {
            assert!(split(body.as_bytes(), 5).is_err(), "{body}");
        }
    }

    #[test]
    fn a_row_that_is_no_object_is_handed_out_like_the_others() {
        let body = br#"{"data":{"items":[null, {"a":1},-7 ,"x],\"",[1,[2]],true]}}"#;
        for size in [1, 2, 7, 1000] {
            let (rows, listed) = split(body, size).unwrap();
            assert_eq!(
                rows,
                [
                    json!(null),
                    json!({"a":1}),
                    json!(-7),
                    json!("x],\""),
                    json!([1, [2]]),
                    json!(true)
                ]
            );
            assert!(listed);
        }
    }

    #[test]
    fn an_endless_page_that_is_no_json_is_not_gathered() {
        let page = format!("<html>{}", "x".repeat(3 * 1024 * 1024));
        let error = split(page.as_bytes(), 65_536).unwrap_err();
        assert_eq!(error.to_string(), "unexpected answer: HTML instead of JSON");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = proptest::prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            proptest::prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..3)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn rows_come_out_as_they_went_in_however_the_body_is_cut(
            rows in prop::collection::vec(value().prop_map(|value| json!({"row": value})), 0..5),
            size in 1_usize..64,
        ) {
            let body = json!({"data": {"items": rows}}).to_string();
            prop_assert_eq!(split(body.as_bytes(), size).unwrap(), (rows, true));
        }
    }
}
