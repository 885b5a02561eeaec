//! Leaves values out of JSON while it passes by, however it is cut. It does not check the JSON: a decoder
//! reads the same bytes, and what that refuses is not kept.

/// Deepest nesting that is followed; what lies deeper is left out.
const DEEPEST: usize = 64;

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Nothing of the page came yet.
    Start,
    /// JSON.
    Json,
    /// A value that is left out; so deep inside it, and maybe inside a text.
    Skipping { depth: u32, in_text: bool },
    /// A page that is no JSON, or is nested too deeply.
    Dropping,
}

/// Copies JSON and writes `null` for values whose field is on no list.
#[derive(Debug)]
pub(crate) struct Strip {
    fields: &'static [&'static str],
    doing: Doing,
    /// Whether each open bracket is an object's.
    open: Vec<bool>,
    in_text: bool,
    escaped: bool,
    /// Whether the next text in an object is a key.
    at_key: bool,
    reading_key: bool,
    key: Vec<u8>,
}

impl Strip {
    pub(crate) fn new(fields: &'static [&'static str]) -> Self {
        Self {
            fields,
            doing: Doing::Start,
            open: Vec::new(),
            in_text: false,
            escaped: false,
            at_key: false,
            reading_key: false,
            key: Vec::new(),
        }
    }

    /// Ends a page and begins the next on a line of its own.
    pub(crate) fn end_page(&mut self, out: &mut Vec<u8>) {
        if self.doing != Doing::Start {
            out.push(b'\n');
        }
        *self = Self::new(self.fields);
    }

    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            self.byte(*byte, out);
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.doing {
            Doing::Start => match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'{' | b'[' => {
                    self.doing = Doing::Json;
                    self.json(byte, out);
                }
                _ => self.doing = Doing::Dropping,
            },
            Doing::Json => self.json(byte, out),
            Doing::Skipping { depth, in_text } => self.skip(depth, in_text, byte, out),
            Doing::Dropping => {}
        }
    }

    fn skip(&mut self, depth: u32, in_text: bool, byte: u8, out: &mut Vec<u8>) {
        let (depth, in_text) = match byte {
            _ if in_text && self.escaped => {
                self.escaped = false;
                (depth, true)
            }
            b'\\' if in_text => {
                self.escaped = true;
                (depth, true)
            }
            b'"' => (depth, !in_text),
            _ if in_text => (depth, true),
            b'{' | b'[' => (depth + 1, false),
            b'}' | b']' | b',' if depth == 0 => {
                // The end of the value belongs to what is around it.
                self.doing = Doing::Json;
                return self.json(byte, out);
            }
            b'}' | b']' => (depth - 1, false),
            _ => (depth, false),
        };
        self.doing = Doing::Skipping { depth, in_text };
    }

    fn json(&mut self, byte: u8, out: &mut Vec<u8>) {
        // Between values a line break says nothing, and a page is to be one line.
        if matches!(byte, b'\n' | b'\r') {
            return;
        }
        out.push(byte);
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_text = false;
                    self.reading_key = false;
                    return;
                }
                _ => {}
            }
            if self.reading_key && self.key.len() <= DEEPEST {
                self.key.push(byte);
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.reading_key = self.at_key;
                if self.at_key {
                    self.key.clear();
                }
            }
            b':' => {
                self.at_key = false;
                if !self.is_kept() {
                    out.extend_from_slice(b"null");
                    self.doing = Doing::Skipping {
                        depth: 0,
                        in_text: false,
                    };
                }
            }
            b',' => self.at_key = self.open.last().copied().unwrap_or(false),
            b'{' | b'[' if self.open.len() >= DEEPEST => {
                out.pop();
                self.doing = Doing::Dropping;
            }
            b'{' | b'[' => {
                self.open.push(byte == b'{');
                self.at_key = byte == b'{';
            }
            b'}' | b']' => {
                self.open.pop();
                self.at_key = false;
            }
            _ => {}
        }
    }

    fn is_kept(&self) -> bool {
        self.fields
            .binary_search_by(|field| field.as_bytes().cmp(&self.key))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, proptest};
    use serde_json::{Value, json};

    use super::Strip;

    const FIELDS: &[&str] = &["items", "nmId", "quantity", "status"];

    fn stripped(body: &[u8], size: usize) -> Vec<u8> {
        let mut strip = Strip::new(FIELDS);
        let mut out = Vec::new();
        body.chunks(size.max(1))
            .for_each(|piece| strip.push(piece, &mut out));
        out
    }

    /// The same, by way of values.
    fn expected(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(expected),
            Value::Object(fields) => {
                for (name, field) in fields {
                    if FIELDS.contains(&name.as_str()) {
                        expected(field);
                    } else {
                        *field = Value::Null;
                    }
                }
            }
            _ => {}
        }
    }

    #[test]
    fn what_is_not_on_the_list_is_null_and_its_name_stays() {
        let buyer = json!({"name": "И. \"К\"", "ids": [1, {"a": "}"}]});
        let body = json!({"items": [{"nmId": 7, "city": "Казань", "buyer": buyer,
            "status": "city\": 5"}], "next": null});
        let out: Value = serde_json::from_slice(&stripped(body.to_string().as_bytes(), 3)).unwrap();
        assert_eq!(
            out,
            json!({"items": [{"nmId": 7, "city": null, "buyer": null, "status": "city\": 5"}], "next": null})
        );
    }

    #[test]
    fn what_is_no_json_is_left_out_and_pages_are_lines() {
        let mut strip = Strip::new(FIELDS);
        let mut out = Vec::new();
        for page in ["<html>Иван</html>", "{\n\"nmId\":1}", "", r#"[{"x":"Иван"}]"#] {
            strip.push(page.as_bytes(), &mut out);
            strip.end_page(&mut out);
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\n{\"nmId\":1}\n[{\"x\":null}]\n"
        );
    }

    #[test]
    fn what_is_nested_too_deeply_is_left_out() {
        let body = format!("{}\"Иван\"{}", "[".repeat(500), "]".repeat(500));
        assert!(
            !String::from_utf8(stripped(body.as_bytes(), 7))
                .unwrap()
                .contains("Иван")
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop::strategy::Union::new([
            any::<i64>().prop_map(Value::from).boxed(),
            any::<String>().prop_map(Value::from).boxed(),
        ]);
        let name = || {
            prop::strategy::Union::new([
                prop::sample::select(FIELDS).prop_map(str::to_owned).boxed(),
                any::<String>().boxed(),
            ])
        };
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop::strategy::Union::new([
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(Value::from)
                    .boxed(),
                prop::collection::hash_map(name(), inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect()))
                    .boxed(),
            ])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn the_same_is_left_out_however_the_answer_is_cut(
            rows in prop::collection::vec(value(), 0..4),
            size in 1_usize..40,
        ) {
            let mut body = json!({"items": rows});
            let out: Value = serde_json::from_slice(&stripped(body.to_string().as_bytes(), size)).unwrap();
            expected(&mut body);
            prop_assert_eq!(out, body);
        }

        #[test]
        fn nothing_that_is_pushed_makes_it_panic(
            body in prop::collection::vec(any::<u8>(), 0..400),
            size in 1_usize..40,
        ) {
            stripped(&body, size);
        }
    }
}
