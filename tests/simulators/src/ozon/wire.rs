//! The forms in which Ozon's documents contradict each other, and pieces that all answers share.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

/// Which documents the answers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// The schemas of October 2026: ids are numbers, prices are objects, `total_items`, all fields.
    October,
    /// The examples of April 2026: ids are texts, prices are texts, FBS postings come in `result`, `total`,
    /// no field that was added later, and a list ends with an empty page.
    April,
}

/// Ways in which lists of the real service were seen to end wrongly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Quirks {
    /// The list of products gives its last page again for ever in place of an end.
    pub(crate) repeats_last_page: bool,
    /// A full page of parcels or of own stock says that it is the last one.
    pub(crate) hides_next_page: bool,
}

/// An int64 in the dialect's form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) i64, pub(crate) Dialect);

impl Id {
    pub(crate) fn of(number: u64, dialect: Dialect) -> Self {
        Self(i64::try_from(number).unwrap_or(i64::MAX), dialect)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Dialect::October => serializer.serialize_i64(self.0),
            Dialect::April => serializer.collect_str(&self.0),
        }
    }
}

/// An int64 in a request: a number or a text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Asked {
    Number(u64),
    Text(String),
}

impl Asked {
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// An opaque place in a list.
pub(crate) fn cursor(place: u64) -> String {
    STANDARD.encode(format!("[{place},{place}]"))
}

/// The place behind a cursor; none for one that was never given out.
pub(crate) fn place(cursor: &str) -> Option<u64> {
    if cursor.is_empty() {
        return Some(0);
    }
    let bytes = STANDARD.decode(cursor).ok()?;
    let [place, _]: [u64; 2] = serde_json::from_slice(&bytes).ok()?;
    Some(place)
}

/// Kopecks as roubles with two decimals.
pub(crate) fn roubles(kopecks: i64) -> String {
    format!("{}.{:02}", kopecks / 100, kopecks % 100)
}

/// Puts the price and its currency where the dialect has them.
pub(crate) fn put_price(line: &mut Value, kopecks: i64, fbs: bool, dialect: Dialect) {
    match dialect {
        Dialect::October => line["price"] = json!({"amount": roubles(kopecks), "currency": "RUB"}),
        Dialect::April => {
            line["price"] = json!(format!("{}00", roubles(kopecks)));
            line[if fbs { "currency_code" } else { "currency" }] = json!("RUB");
        }
    }
}
