//! How Stripe writes what other formats write otherwise: times as seconds, references as an id or the whole
//! object, lists as objects, `null` in the place of nothing.
//!
//! Values are refused by visitors, at the place where they stand: an error that is made later knows no place,
//! and could not name the field.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use serde::de::{Error, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Seconds since 1970, or none.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    deserializer.deserialize_any(Seconds)
}

struct Seconds;

impl Visitor<'_> for Seconds {
    type Value = Option<DateTime<Utc>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in seconds since 1970")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Self::Value, E> {
        let time = DateTime::from_timestamp(seconds, 0);
        time.map(Some)
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(seconds), &self))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
        self.visit_i64(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}

/// An id, the object that it belongs to (where the request asked to expand it, or the object was deleted), or
/// none. An empty text is none: Stripe clears fields so.
pub(super) fn reference<'de, D, Id>(deserializer: D) -> Result<Option<Id>, D::Error>
where
    D: Deserializer<'de>,
    Id: TryFrom<String> + Deserialize<'de>,
{
    deserializer.deserialize_any(Reference(PhantomData))
}

struct Reference<Id>(PhantomData<Id>);

impl<'de, Id: TryFrom<String> + Deserialize<'de>> Visitor<'de> for Reference<Id> {
    type Value = Option<Id>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id of Stripe's, or the object it belongs to")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text.is_empty() {
            return Ok(None);
        }
        let id = Id::try_from(text.to_owned()).ok();
        id.map(Some)
            .ok_or_else(|| E::invalid_value(Unexpected::Other("another text"), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut id = None;
        while let Some(name) = fields.next_key::<String>()? {
            if name == "id" {
                id = Some(fields.next_value()?);
            } else {
                let _other: IgnoredAny = fields.next_value()?;
            }
        }
        id.map(Some).ok_or_else(|| A::Error::missing_field("id"))
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
