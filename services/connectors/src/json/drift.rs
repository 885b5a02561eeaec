//! Where an answer left the contract, in words that name the field, what was expected and what was seen, and
//! that never hold a value: what a vendor sends may be anybody's.

use serde_json::Value;
use serde_json::error::Category;

/// Most names of fields that are told beside a missing one.
const NAMES: usize = 24;
/// Longest name of a field that is told.
const LONGEST: usize = 40;

/// What is wrong with `body`, in which the decoder stopped with `error`. `at` is where the body stands in the
/// whole answer, such as `data.items[]`.
pub(super) fn describe(error: &serde_json::Error, body: &[u8], at: &str) -> String {
    let text = error.to_string();
    match error.classify() {
        Category::Eof => "the body ends early".to_owned(),
        Category::Data => {
            let end = offset(body, error.line(), error.column()).min(body.len());
            data(&text, body, end, at)
        }
        Category::Syntax if body.trim_ascii_start().first() == Some(&b'<') => {
            "HTML instead of JSON".to_owned()
        }
        Category::Syntax if text.starts_with("number out of range") => "a number out of range".to_owned(),
        Category::Syntax if text.starts_with("recursion limit") => "values nested too deeply".to_owned(),
        Category::Syntax | Category::Io => "not JSON".to_owned(),
    }
}

fn data(text: &str, body: &[u8], end: usize, at: &str) -> String {
    if let Some(field) = quoted(text, "missing field `") {
        // The object is closed already when the decoder misses something in it.
        let inside = body[..end].trim_ascii_end();
        let inside = inside.strip_suffix(b"}").unwrap_or(inside);
        let place = Place::at_end_of(inside);
        let path = place.path(at, place.frames.len().saturating_sub(1));
        let there = place
            .frames
            .last()
            .map_or_else(String::new, |frame| names(&body[frame.start..end]));
        return format!("field `{}` is missing{there}", join(&path, &field));
    }
    let mut read = body[..end].trim_ascii_end();
    // A list or an object where something else is expected is complained about behind its bracket.
    if text.starts_with("invalid type: sequence") || text.starts_with("invalid type: map") {
        read = read
            .strip_suffix(b"[")
            .or(read.strip_suffix(b"{"))
            .unwrap_or(read);
    }
    let place = Place::at_end_of(read);
    let path = place.path(at, place.frames.len());
    if let Some(field) = quoted(text, "duplicate field `") {
        let parent = place.path(at, place.frames.len().saturating_sub(1));
        return format!("field `{}` is there twice", join(&parent, &field));
    }
    let seen = seen(&body[place.value_start()..]);
    let expected = expected(text).map_or_else(String::new, |expected| format!("{expected} expected, "));
    if path.is_empty() {
        return format!("the outermost value has another type: {expected}{seen} seen");
    }
    format!("field `{path}` has another type or value: {expected}{seen} seen")
}

/// The name of a field of ours in a message of the decoder.
fn quoted(text: &str, before: &str) -> Option<String> {
    Some(text.strip_prefix(before)?.split('`').next()?.to_owned())
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

/// What our own types say that they expect; the rest of the message can hold the value.
fn expected(text: &str) -> Option<&str> {
    let (_, expected) = text.rsplit_once(", expected ")?;
    let expected = expected.split(" at line ").next()?;
    Some(match expected {
        "i64" | "u64" | "u32" | "i32" => "a whole number",
        "f64" => "a number",
        "a string" | "string" => "a text",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        struct_ if struct_.starts_with("struct ") => "an object",
        other => other,
    })
}

fn seen(value: &[u8]) -> &'static str {
    match value.trim_ascii_start().first() {
        Some(b'"') => "a text",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        _ => "something else",
    }
}

/// The names of the fields that an object has: a renamed one is among them. Names that do not look like one
/// are left out, as they could be data.
fn names(object: &[u8]) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_slice(object) else {
        return String::new();
    };
    let is_name = |name: &&String| {
        name.len() <= LONGEST
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    let names: Vec<&str> = fields
        .keys()
        .filter(is_name)
        .take(NAMES)
        .map(String::as_str)
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" (there are {})", names.join(", "))
}

/// One object or list that is open.
struct Frame {
    /// Where it begins.
    start: usize,
    is_list: bool,
    /// The key whose value is or was read last.
    key: Vec<u8>,
    /// Where that value, or the list's current one, begins.
    value: usize,
}

/// Where in a document one is.
struct Place {
    frames: Vec<Frame>,
}

impl Place {
    fn at_end_of(read: &[u8]) -> Self {
        let mut frames: Vec<Frame> = Vec::new();
        let (mut in_text, mut escaped, mut text) = (false, false, Vec::new());
        for (at, byte) in read.iter().enumerate() {
            if in_text {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_text = false,
                    _ => text.push(*byte),
                }
                continue;
            }
            match byte {
                b'"' => {
                    in_text = true;
                    text.clear();
                }
                b'{' | b'[' => frames.push(Frame {
                    start: at,
                    is_list: *byte == b'[',
                    key: Vec::new(),
                    value: at + 1,
                }),
                b'}' | b']' => drop(frames.pop()),
                b':' => {
                    if let Some(frame) = frames.last_mut() {
                        frame.key.clone_from(&text);
                        frame.value = at + 1;
                    }
                }
                // A list's next value; an object keeps its key until the next one is read.
                b',' => {
                    if let Some(frame) = frames.last_mut().filter(|frame| frame.is_list)
                        && at + 1 < read.len()
                    {
                        frame.value = at + 1;
                    }
                }
                _ => {}
            }
        }
        Self { frames }
    }

    /// The path through the first `depth` frames.
    fn path(&self, at: &str, depth: usize) -> String {
        let mut path = at.to_owned();
        for frame in self.frames.iter().take(depth) {
            if frame.is_list {
                path.push_str("[]");
                continue;
            }
            let key = String::from_utf8_lossy(&frame.key);
            if key.is_empty() {
                continue;
            }
            if !path.is_empty() {
                path.push('.');
            }
            let is_name = key.len() <= LONGEST
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            path.push_str(if is_name { &key } else { "?" });
        }
        path
    }

    fn value_start(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.value)
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
