//! The shapes a value can be asked to have. Each says in words what it expects when a value differs.

use auth::Email;
use chrono::{DateTime, NaiveDate, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Given;

/// Text of `least` to `most` characters; surrounding space does not count and is dropped.
pub fn text(least: usize, most: usize) -> impl Fn(Given<'_>) -> Result<String, String> {
    move |given| {
        let text = string(given)?.trim();
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters".to_owned());
        }
        if (least..=most).contains(&text.chars().count()) {
            Ok(text.to_owned())
        } else {
            Err(format!("must have {least} to {most} characters"))
        }
    }
}

/// A secret of at most `most` bytes, taken as it is. Never shown again.
pub fn secret(most: usize) -> impl Fn(Given<'_>) -> Result<SecretString, String> {
    move |given| {
        let text = string(given)?;
        if text.is_empty() || text.len() > most {
            return Err(format!("must have 1 to {most} bytes"));
        }
        Ok(SecretString::from(text))
    }
}

/// A `Client-Id` of Ozon: a positive whole number, sent as text.
///
/// # Errors
/// In words.
pub fn client_id(given: Given<'_>) -> Result<String, String> {
    let text = string(given)?.trim();
    let number: Option<u64> = text.parse().ok().filter(|number| *number > 0);
    number
        .map(|number| number.to_string())
        .ok_or_else(|| "must be a positive whole number".to_owned())
}

/// A password as [`auth::password`] takes it.
///
/// # Errors
/// In words.
pub fn password(given: Given<'_>) -> Result<SecretString, String> {
    let text = string(given)?;
    auth::password::accept(text).map_err(|error| error.to_string())?;
    Ok(SecretString::from(text))
}

/// An e-mail address.
///
/// # Errors
/// In words.
pub fn email(given: Given<'_>) -> Result<Email, String> {
    Email::parse(string(given)?).map_err(|error| error.to_string())
}

/// A whole number in a range.
pub fn integer(least: i64, most: i64) -> impl Fn(Given<'_>) -> Result<i64, String> {
    move |given| {
        let number = match given.value {
            serde_json::Value::String(text) if given.is_text => text.parse::<i64>().ok(),
            value => value.as_i64(),
        };
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
    }
}

/// `true` or `false`.
///
/// # Errors
/// In words.
pub fn boolean(given: Given<'_>) -> Result<bool, String> {
    match given.value {
        serde_json::Value::Bool(value) => Ok(*value),
        serde_json::Value::String(text) if given.is_text && text == "true" => Ok(true),
        serde_json::Value::String(text) if given.is_text && text == "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A uuid.
///
/// # Errors
/// In words.
pub fn uuid(given: Given<'_>) -> Result<Uuid, String> {
    Uuid::parse_str(string(given)?).map_err(|error| format!("must be a uuid: {error}"))
}

/// A time with its offset (RFC 3339).
///
/// # Errors
/// In words.
pub fn time(given: Given<'_>) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(string(given)?)
        .map(|time| time.to_utc())
        .map_err(|error| format!("must be a time such as 2026-11-23T10:00:00Z: {error}"))
}

/// A calendar day (ISO 8601).
///
/// # Errors
/// In words.
pub fn day(given: Given<'_>) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(string(given)?, "%Y-%m-%d")
        .map_err(|error| format!("must be a day such as 2026-11-23: {error}"))
}

/// A short code: lower-case letters, digits and underscores, at most `most` of them. For reasons that end up
/// in events, where no personal data may be.
pub fn code(most: usize) -> impl Fn(Given<'_>) -> Result<String, String> {
    move |given| {
        let text = string(given)?;
        let sane = (1..=most).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        sane.then(|| text.to_owned())
            .ok_or_else(|| format!("must be 1 to {most} lower-case letters, digits or underscores"))
    }
}

/// A list of `least` to `most` different words, each standing for a value.
pub fn list_of<T: PartialEq>(
    least: usize,
    most: usize,
    read: impl Fn(&str) -> Option<T>,
) -> impl Fn(Given<'_>) -> Result<Vec<T>, String> {
    move |given| {
        let items = given.value.as_array().ok_or("must be a list")?;
        let mut list = Vec::new();
        for (place, item) in (1..).zip(items) {
            let text = item.as_str().ok_or("must be a list of texts")?;
            // Not the text itself: it may be a secret in the wrong field.
            let value = read(text).ok_or_else(|| format!("there is nothing of the name of entry {place}"))?;
            if list.contains(&value) {
                return Err(format!("names `{text}` twice"));
            }
            list.push(value);
        }
        if (least..=most).contains(&list.len()) {
            Ok(list)
        } else {
            Err(format!("must have {least} to {most} entries"))
        }
    }
}

/// One of some words, each standing for a value.
pub fn one_of<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(Given<'_>) -> Result<T, String> {
    move |given| {
        let text = string(given)?;
        words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("must be one of {}", known.join(", "))
            })
    }
}

/// An object that has these fields at most.
///
/// # Errors
/// In words.
pub fn object<'a>(given: Given<'a>, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let fields = given.value.as_object().ok_or("must be an object")?;
    match fields.keys().all(|name| known.contains(&name.as_str())) {
        true => Ok(fields),
        false => Err(format!("has fields other than {}", known.join(", "))),
    }
}

/// A field of an object; none where it is left out or null.
///
/// # Errors
/// In words that name the field.
pub fn part<T>(
    fields: &Map<String, Value>,
    name: &str,
    shape: impl Fn(Given<'_>) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let Some(value) = fields.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let given = Given {
        value,
        is_text: false,
    };
    shape(given)
        .map(Some)
        .map_err(|detail| format!("`{name}` {detail}"))
}

fn string(given: Given<'_>) -> Result<&str, String> {
    given.value.as_str().ok_or_else(|| "must be text".to_owned())
}
