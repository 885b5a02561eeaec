//! The HTML parse mode: what it refuses, with the byte at which it does, and what it makes of the rest.
//! After `parse_html` of Telegram's open library (`tdlib/td`).

use serde_json::{Value, json};

use super::errors::Refusal;
use crate::text::escape;

/// A text as it is shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Text {
    pub(crate) plain: String,
    pub(crate) entities: Vec<Value>,
    /// Harmless HTML for the page.
    pub(crate) page: String,
}

/// An element that is open: its name, its argument, where it began in UTF-16 code units, and in the page.
struct Open {
    name: String,
    argument: String,
    from: usize,
}

struct Parser<'a> {
    html: &'a [u8],
    at: usize,
    text: Text,
    units: usize,
    open: Vec<Open>,
}

/// A text without markup.
pub(crate) fn plain(text: &str) -> Text {
    Text {
        plain: text.to_owned(),
        entities: Vec::new(),
        page: escape(text),
    }
}

pub(crate) fn parse(html: &str) -> Result<Text, Refusal> {
    let mut parser = Parser {
        html: html.as_bytes(),
        at: 0,
        text: Text::default(),
        units: 0,
        open: Vec::new(),
    };
    while let Some(c) = html.get(parser.at..).and_then(|rest| rest.chars().next()) {
        match c {
            '<' if parser.byte(1) == Some(b'/') => parser.end_tag()?,
            '<' => parser.start_tag()?,
            '&' => parser.entity(),
            c => {
                parser.at += c.len_utf8();
                parser.push(c);
            }
        }
    }
    if let Some(open) = parser.open.last() {
        let what = format!("Can't find end tag corresponding to start tag \"{}\"", open.name);
        return Err(unparsable(&what));
    }
    parser.text.entities.sort_by_key(|entity| {
        let number = |name: &str| entity[name].as_i64().unwrap_or_default();
        (number("offset"), -number("length"))
    });
    Ok(parser.text)
}

fn unparsable(what: &str) -> Refusal {
    Refusal::bad(&format!("can't parse entities: {what}"))
}

impl Parser<'_> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.html.get(self.at + ahead).copied()
    }

    fn push(&mut self, c: char) {
        self.text.plain.push(c);
        // A block ends its line by itself on a page.
        let ends_block = ["</pre>", "</blockquote>"]
            .iter()
            .any(|tag| self.text.page.ends_with(tag));
        if c != '\n' || !ends_block {
            self.text.page.push_str(&escape(c.encode_utf8(&mut [0; 4])));
        }
        self.units += c.len_utf16();
    }

    /// Reads while `is_part` holds.
    fn take(&mut self, is_part: impl Fn(u8) -> bool) -> String {
        let start = self.at;
        while self.byte(0).is_some_and(&is_part) {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.html[start..self.at]).into_owned()
    }

    fn blanks(&mut self) {
        self.take(|byte| byte.is_ascii_whitespace());
    }

    /// An entity, or the sign itself.
    fn entity(&mut self) {
        let end = self.html[self.at..]
            .iter()
            .take(12)
            .position(|byte| *byte == b';');
        let name =
            end.map(|end| String::from_utf8_lossy(&self.html[self.at + 1..self.at + end]).into_owned());
        let shown = name.as_deref().and_then(|name| match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code).filter(|c| *c != '\0')
            }
        });
        match (shown, end) {
            (Some(shown), Some(end)) => {
                self.at += end + 1;
                self.push(shown);
            }
            _ => {
                self.at += 1;
                self.push('&');
            }
        }
    }

    fn start_tag(&mut self) -> Result<(), Refusal> {
        let begin = self.at;
        self.at += 1;
        let name = self
            .take(|byte| !byte.is_ascii_whitespace() && byte != b'>')
            .to_lowercase();
        let unclosed = || unparsable(&format!("Unclosed start tag at byte offset {begin}"));
        if self.byte(0).is_none() {
            return Err(unclosed());
        }
        if tag(&name).is_none() {
            let what = format!("Unsupported start tag \"{name}\" at byte offset {begin}");
            return Err(unparsable(&what));
        }
        let mut argument = String::new();
        loop {
            self.blanks();
            if self.byte(0) == Some(b'>') {
                self.at += 1;
                break;
            }
            let (attribute, value) = self.attribute(&name, begin)?;
            match (name.as_str(), attribute.as_str()) {
                ("a", "href") | ("tg-emoji", "emoji-id") => argument = value,
                ("code" | "span", "class") => argument = value,
                _ => {}
            }
        }
        if name == "span" && argument != "tg-spoiler" {
            let what = format!("Tag \"span\" must have class \"tg-spoiler\" at byte offset {begin}");
            return Err(unparsable(&what));
        }
        match name.as_str() {
            // A link to anything else is no link on a page.
            "a" if argument.starts_with("https://") || argument.starts_with("http://") => {
                let address = escape(&argument);
                self.text.page.push_str(&format!("<a href=\"{address}\">"));
            }
            name => self.text.page.push_str(&format!("<{}>", page_tag(name))),
        }
        let from = self.units;
        self.open.push(Open { name, argument, from });
        Ok(())
    }

    /// An attribute with its value; one without a value is `expandable` only.
    fn attribute(&mut self, tag: &str, begin: usize) -> Result<(String, String), Refusal> {
        let unclosed = || unparsable(&format!("Unclosed start tag at byte offset {begin}"));
        let is_name = |byte: u8| !byte.is_ascii_whitespace() && byte != b'=' && byte != b'>';
        let name = self.take(is_name);
        if name.is_empty() {
            return Err(match self.byte(0) {
                None => unclosed(),
                Some(_) => unparsable(&format!(
                    "Empty attribute name in the tag \"{tag}\" at byte offset {begin}"
                )),
            });
        }
        self.blanks();
        if self.byte(0) != Some(b'=') {
            if tag == "blockquote" && name == "expandable" {
                return Ok((name, String::new()));
            }
            let what = format!(
                "Expected equal sign in declaration of an attribute of the tag \"{tag}\" at byte offset \
                 {begin}"
            );
            return Err(unparsable(&what));
        }
        self.at += 1;
        self.blanks();
        let value = match self.byte(0) {
            None => return Err(unclosed()),
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                let value = self.take(|byte| byte != quote);
                if self.byte(0).is_none() {
                    return Err(unclosed());
                }
                self.at += 1;
                value
            }
            Some(_) => {
                let start = self.at;
                let value = self.take(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-');
                if !self
                    .byte(0)
                    .is_some_and(|byte| byte.is_ascii_whitespace() || byte == b'>')
                {
                    let what = format!("Unexpected end of name token at byte offset {start}");
                    return Err(unparsable(&what));
                }
                value
            }
        };
        Ok((name, value.replace("&quot;", "\"").replace("&amp;", "&")))
    }

    fn end_tag(&mut self) -> Result<(), Refusal> {
        let begin = self.at;
        let Some(open) = self.open.pop() else {
            return Err(unparsable(&format!("Unexpected end tag at byte offset {begin}")));
        };
        self.at += 2;
        let name = self
            .take(|byte| !byte.is_ascii_whitespace() && byte != b'>')
            .to_lowercase();
        self.blanks();
        if self.byte(0) != Some(b'>') {
            return Err(unparsable(&format!("Unclosed end tag at byte offset {begin}")));
        }
        self.at += 1;
        if !name.is_empty() && name != open.name {
            let what = format!(
                "Unmatched end tag at byte offset {begin}, expected \"</{}>\", found \"</{name}>\"",
                open.name
            );
            return Err(unparsable(&what));
        }
        self.text.page.push_str(&format!("</{}>", page_tag(&open.name)));
        if self.units > open.from {
            let mut entity = json!({
                "type": tag(&open.name).unwrap_or("bold"), "offset": open.from,
                "length": self.units - open.from,
            });
            if open.name == "a" {
                entity["url"] = json!(open.argument);
            }
            self.text.entities.push(entity);
        }
        Ok(())
    }
}

/// The kind of entity that a tag makes.
fn tag(name: &str) -> Option<&'static str> {
    Some(match name {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "tg-spoiler" | "span" => "spoiler",
        "tg-emoji" => "custom_emoji",
        "a" => "text_link",
        "pre" => "pre",
        "code" => "code",
        "blockquote" => "blockquote",
        _ => return None,
    })
}

/// The tag that shows it on a page.
fn page_tag(name: &str) -> &str {
    match name {
        "tg-spoiler" | "span" | "tg-emoji" => "span",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn refused(html: &str) -> String {
        parse(html).unwrap_err().description
    }

    #[test]
    fn text_and_entities_are_told_apart() {
        let text = parse("<b>📦</b> &lt;Ё&gt; <a href=\"https://x.y/?a=1&amp;b=2\">тут</a> &copy;").unwrap();
        assert_eq!(text.plain, "📦 <Ё> тут &copy;");
        assert_eq!(text.entities.len(), 2);
        assert_eq!(
            text.entities[0]["length"], 2,
            "an emoji has two UTF-16 code units"
        );
        assert_eq!(text.entities[1]["url"], "https://x.y/?a=1&b=2");
    }

    #[test]
    fn what_telegram_refuses_is_refused_with_its_place() {
        for (html, words) in [
            ("Анна <b>x", "Can't find end tag corresponding to start tag \"b\""),
            ("1 <2", "Unclosed start tag at byte offset 2"),
            ("ab</b>", "Unexpected end tag at byte offset 2"),
            (
                "<b>x</i>",
                "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\"",
            ),
            ("Ё <p>x</p>", "Unsupported start tag \"p\" at byte offset 3"),
            (
                "<span>x</span>",
                "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0",
            ),
        ] {
            assert_eq!(
                refused(html),
                format!("Bad Request: can't parse entities: {words}")
            );
        }
    }
}
