//! Parameters of a call: `a[b][0][c]=value` pairs of a form or a query, checked against what the call knows.

use super::errors::Refusal;
use super::model::Metadata;
use crate::server::Call;

/// Parameters in the order in which they came.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// The body of a POST, the query of anything else; a DELETE may have either.
    pub(crate) fn of(call: &Call) -> Self {
        let mut pairs = call.query.clone();
        if call.method != "GET" {
            pairs.extend(crate::server::parse_query(&String::from_utf8_lossy(&call.body)));
        }
        Self(pairs)
    }

    /// Parameters for a call that a page makes.
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Self {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        Self(pairs.iter().map(owned).collect())
    }

    /// Refuses the first parameter that no pattern allows; `[*]` in a pattern stands for any one part.
    pub(crate) fn allow(&self, patterns: &[&str]) -> Result<(), Refusal> {
        for (key, _) in &self.0 {
            let known = parts(key).first() == Some(&"expand")
                || patterns
                    .iter()
                    .any(|pattern| matches(&parts(pattern), &parts(key)));
            if !known {
                return Err(Refusal::unknown_parameter(key));
            }
        }
        Ok(())
    }

    /// The value of exactly that key. An empty value counts as unset, as at Stripe.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.raw(key).filter(|value| !value.is_empty())
    }

    /// The value of exactly that key, also an empty one, which clears a field.
    pub(crate) fn raw(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn required(&self, key: &str) -> Result<&str, Refusal> {
        self.text(key).ok_or_else(|| Refusal::missing_parameter(key))
    }

    pub(crate) fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, Refusal> {
        self.text(key)
            .map(|text| {
                text.parse()
                    .map_err(|_not_a_number: std::num::ParseIntError| Refusal::invalid_integer(key, text))
            })
            .transpose()
    }

    /// A count of at least 1.
    pub(crate) fn quantity(&self, key: &str) -> Result<Option<u32>, Refusal> {
        let Some(number) = self.integer(key)? else {
            return Ok(None);
        };
        match u32::try_from(number) {
            Ok(quantity) if quantity > 0 => Ok(Some(quantity)),
            _ => Err(Refusal::invalid(
                Some(key),
                "This value must be greater than or equal to 1.",
            )),
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Refusal> {
        match self.text(key) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Refusal::invalid(Some(key), &format!("Invalid boolean: {other}"))),
        }
    }

    /// One of the given words.
    pub(crate) fn word(&self, key: &str, words: &[&str]) -> Result<Option<&str>, Refusal> {
        match self.text(key) {
            Some(word) if !words.contains(&word) => {
                let (last, others) = words.split_last().unwrap_or((&"", &[]));
                let text = format!("Invalid {key}: must be one of {}, or {last}", others.join(", "));
                Err(Refusal::invalid(Some(key), &text))
            }
            word => Ok(word),
        }
    }

    /// Direct children of a key: `metadata[a]=1` gives `("a", "1")` for `metadata`.
    pub(crate) fn children(&self, key: &str) -> Vec<(&str, &str)> {
        let above = parts(key);
        self.0
            .iter()
            .filter_map(|(name, value)| {
                let all = parts(name);
                let (last, before) = all.split_last()?;
                (before == above.as_slice()).then_some((*last, value.as_str()))
            })
            .collect()
    }

    /// Keys of a list's entries in order of appearance: `items[0]`, `items[1]`.
    pub(crate) fn entries(&self, key: &str) -> Vec<String> {
        let above = parts(key);
        let mut found: Vec<String> = Vec::new();
        for (name, _) in &self.0 {
            let all = parts(name);
            if all.len() > above.len() && all.starts_with(&above) {
                let entry = format!("{key}[{}]", all[above.len()]);
                if !found.contains(&entry) {
                    found.push(entry);
                }
            }
        }
        found
    }

    /// Plain values of a list: `types[]=a&types[]=b` or `types[0]=a`.
    pub(crate) fn values(&self, key: &str) -> Vec<&str> {
        self.children(key).into_iter().map(|(_, value)| value).collect()
    }

    /// Merges metadata as Stripe does: an empty value removes its key, an empty `metadata` removes all.
    pub(crate) fn merge_metadata(&self, key: &str, metadata: &mut Metadata) -> Result<(), Refusal> {
        if self.raw(key) == Some("") {
            metadata.clear();
        }
        for (name, value) in self.children(key) {
            if name.chars().count() > 40 {
                let text = "Metadata keys must be 40 characters or less.";
                return Err(Refusal::invalid(Some(key), text));
            }
            if value.chars().count() > 500 {
                let text = "Metadata values can have up to 500 characters.";
                return Err(Refusal::invalid(Some(&format!("{key}[{name}]")), text));
            }
            if value.is_empty() {
                metadata.remove(name);
            } else {
                metadata.insert(name.to_owned(), value.to_owned());
            }
        }
        if metadata.len() > 50 {
            return Err(Refusal::invalid(Some(key), "Metadata can have up to 50 keys."));
        }
        Ok(())
    }

    pub(crate) fn metadata(&self, key: &str) -> Result<Metadata, Refusal> {
        let mut metadata = Metadata::new();
        self.merge_metadata(key, &mut metadata)?;
        Ok(metadata)
    }

    /// The same parameters in one text, whatever their order was: two calls are the same if these are.
    pub(crate) fn fingerprint(&self) -> String {
        let mut pairs: Vec<String> = self
            .0
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.sort();
        pairs.join("&")
    }
}

/// `a[b][]` in its parts: `a`, `b` and an empty one.
fn parts(key: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for (at, part) in key.split('[').enumerate() {
        parts.push(if at == 0 {
            part
        } else {
            part.strip_suffix(']').unwrap_or(part)
        });
    }
    parts
}

fn matches(pattern: &[&str], key: &[&str]) -> bool {
    pattern.len() == key.len()
        && pattern
            .iter()
            .zip(key)
            .all(|(want, is)| *want == "*" || want == is)
}
