//! How Stripe writes what other formats write otherwise: times as seconds, references as an id or the whole object,
//! lists as objects, `null` in the place of nothing.

use chrono::{DateTime, Utc};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Seconds since 1970, or none.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(seconds) = Option::<i64>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let time = DateTime::from_timestamp(seconds, 0);
    time.map(Some)
        .ok_or_else(|| D::Error::custom("a time out of range"))
}

/// An id, the object that it belongs to (where the request asked to expand it, or the object was deleted), or none.
/// An empty text is none: Stripe clears fields so.
pub(super) fn reference<'de, D, Id>(deserializer: D) -> Result<Option<Id>, D::Error>
where
    D: Deserializer<'de>,
    Id: TryFrom<String>,
    Id::Error: std::fmt::Display,
{
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an id or an object with an id")]
    enum Reference {
        Id(String),
        Object { id: String },
    }
    match Option::deserialize(deserializer)? {
        None => Ok(None),
        Some(Reference::Id(id)) if id.is_empty() => Ok(None),
        Some(Reference::Id(id) | Reference::Object { id }) => {
            Id::try_from(id).map(Some).map_err(D::Error::custom)
        }
    }
}

/// A value that may be `null`, which counts as its default.
pub(super) fn maybe<'de, D, T>(deserializer: D) -> Result<T::Inner, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Content,
    T::Inner: Default,
{
    Ok(Option::<T>::deserialize(deserializer)?
        .map(T::content)
        .unwrap_or_default())
}

/// What is meant by a value on the wire.
pub(super) trait Content {
    /// The value itself, or what is in it.
    type Inner;

    fn content(self) -> Self::Inner;
}

impl Content for super::Metadata {
    type Inner = Self;

    fn content(self) -> Self {
        self
    }
}

impl Content for bool {
    type Inner = Self;

    fn content(self) -> Self {
        self
    }
}

/// One page of objects.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::stripe) struct List<T> {
    #[serde(default = "Vec::new")]
    pub(in crate::stripe) data: Vec<T>,
    #[serde(default)]
    pub(in crate::stripe) has_more: bool,
}

impl<T> Content for List<T> {
    type Inner = Vec<T>;

    fn content(self) -> Vec<T> {
        self.data
    }
}
