//! The texts of notices, in every language, from files that are a part of the program. What is put into them
//! is escaped here and nowhere else.

use std::collections::BTreeMap;

use application::domain::notice::NoticeKind;
use connectors::telegram::text::escape;
use notifications::Language;
use serde::Deserialize;

/// The files do not make texts.
#[derive(Debug, thiserror::Error)]
pub enum TextsError {
    /// A file cannot be read as texts.
    #[error("the texts in `{language}` cannot be read")]
    Malformed {
        /// Which file.
        language: &'static str,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A text is missing.
    #[error("the texts in `{language}` have no {what}")]
    Missing {
        /// In which file.
        language: &'static str,
        /// Which one.
        what: String,
    },
}

/// What is put into a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Words of people or vendors; they are escaped.
    Words(String),
    /// A text that was made here.
    Html(String),
    /// A number, in tenths.
    Tenths(i64),
}

impl Value {
    /// A whole number.
    pub(crate) const fn count(number: i64) -> Self {
        Self::Tenths(number.saturating_mul(10))
    }
}

/// What is put into a text, by name. A name that is missing stands for nothing.
pub(crate) type Values = BTreeMap<&'static str, Value>;

/// The texts of a kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KindTexts {
    /// One character.
    pub(crate) icon: String,
    /// Heading of a group.
    pub(crate) title: String,
    /// A message of its own.
    pub(crate) full: String,
    /// A line of a list.
    pub(crate) line: String,
}

/// The texts of one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    plural: BTreeMap<String, Vec<String>>,
    parts: BTreeMap<String, String>,
    buttons: BTreeMap<String, String>,
    why: BTreeMap<String, String>,
    kinds: BTreeMap<String, KindTexts>,
}

/// The texts of all languages.
#[derive(Debug, Clone)]
pub struct Texts {
    books: BTreeMap<Language, Book>,
}

/// Parts that the program uses.
const PARTS: [&str; 15] = [
    "article",
    "place",
    "cabinet",
    "enough",
    "lost",
    "lost_money",
    "out_for",
    "retry",
    "list",
    "first_sync",
    "group",
    "more",
    "link",
    "decimal",
    "nameless",
];
/// Buttons that the program uses.
const BUTTONS: [&str; 3] = ["snooze", "show", "open_sheet"];
/// Words that the program counts.
const PLURALS: [&str; 7] = [
    "units", "days", "hours", "minutes", "orders", "notices", "products",
];

impl Texts {
    /// The texts that the program has. They are complete: every kind in every language.
    ///
    /// # Errors
    /// [`TextsError`] names what is missing.
    pub fn load() -> Result<Self, TextsError> {
        let mut books = BTreeMap::new();
        for language in Language::ALL {
            let (text, forms) = match language {
                Language::Russian => (include_str!("../texts/ru.toml"), 3),
                Language::English => (include_str!("../texts/en.toml"), 2),
            };
            let name = language.as_str();
            let book: Book = toml::from_str(text).map_err(|source| TextsError::Malformed {
                language: name,
                source: Box::new(source),
            })?;
            let missing = |what: &str| TextsError::Missing {
                language: name,
                what: what.to_owned(),
            };
            for kind in NoticeKind::ALL {
                book.kinds
                    .get(kind.as_str())
                    .ok_or_else(|| missing(kind.as_str()))?;
            }
            for part in PARTS {
                book.parts.get(part).ok_or_else(|| missing(part))?;
            }
            for button in BUTTONS {
                book.buttons.get(button).ok_or_else(|| missing(button))?;
            }
            book.why.get("other").ok_or_else(|| missing("why.other"))?;
            for word in PLURALS {
                let found = book.plural.get(word).is_some_and(|found| found.len() == forms);
                found.then_some(()).ok_or_else(|| missing(word))?;
            }
            books.insert(language, book);
        }
        Ok(Self { books })
    }

    /// The texts in one language.
    pub(crate) fn of(&self, language: Language) -> Words<'_> {
        Words {
            book: self.books.get(&language),
            language,
        }
    }
}

/// The texts of one language at work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    book: Option<&'a Book>,
    language: Language,
}

impl<'a> Words<'a> {
    /// The texts of a kind.
    pub(crate) fn kind(&self, kind: NoticeKind) -> Option<&'a KindTexts> {
        self.book?.kinds.get(kind.as_str())
    }

    /// A part with its values.
    pub(crate) fn part(&self, name: &str, values: &Values) -> Value {
        let template = self.book.and_then(|book| book.parts.get(name));
        Value::Html(template.map_or_else(String::new, |template| self.fill(template, values)))
    }

    /// What a button says.
    pub(crate) fn button(&self, name: &str) -> &'a str {
        self.book
            .and_then(|book| book.buttons.get(name))
            .map_or("", String::as_str)
    }

    /// Why something failed, in words.
    pub(crate) fn why(&self, word: &str) -> &'a str {
        let why = self.book.map(|book| &book.why);
        why.and_then(|why| why.get(word).or_else(|| why.get("other")))
            .map_or("", String::as_str)
    }

    /// A template with its values.
    pub(crate) fn fill(&self, template: &str, values: &Values) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (slot, after) = after.split_once('}').unwrap_or((after, ""));
            let (name, word) = match slot.split_once(':') {
                Some((name, word)) => (name, Some(word)),
                None => (slot, None),
            };
            match values.get(name) {
                Some(Value::Words(words)) => out.push_str(&escape(words)),
                Some(Value::Html(html)) => out.push_str(html),
                Some(Value::Tenths(tenths)) => out.push_str(&self.number(*tenths, word)),
                None => {}
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// A number of tenths, with the form of a word that goes with it.
    pub(crate) fn number(&self, tenths: i64, word: Option<&str>) -> String {
        let mut out = grouped(tenths / 10);
        if tenths % 10 != 0 {
            let decimal = self.book.and_then(|book| book.parts.get("decimal"));
            out.push_str(decimal.map_or(".", String::as_str));
            out.push_str(&(tenths % 10).abs().to_string());
        }
        let forms = word.and_then(|word| self.book?.plural.get(word));
        if let Some(form) = forms.and_then(|forms| forms.get(form(self.language, tenths))) {
            out.push('\u{a0}');
            out.push_str(form);
        }
        out
    }
}

/// Which form of a word goes with a number of tenths (Unicode CLDR, cardinals of `ru` and `en`).
fn form(language: Language, tenths: i64) -> usize {
    let (whole, is_whole) = (tenths.unsigned_abs() / 10, tenths % 10 == 0);
    match language {
        Language::English => usize::from(!(is_whole && whole == 1)),
        // "2,5 дня"
        Language::Russian if !is_whole => 1,
        Language::Russian => match (whole % 10, whole % 100) {
            (_, 11..=14) => 2,
            (1, _) => 0,
            (2..=4, _) => 1,
            _ => 2,
        },
    }
}

/// Digits in groups of three from 10,000 on, apart by a narrow blank that keeps them in one line.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    if number < 0 {
        out.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len() > 4 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
