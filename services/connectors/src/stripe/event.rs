//! What Stripe delivers: an event with a copy of the object it is about (`object: "event"`), or a thin one
//! that only names it (`object: "v2.core.event"`). Versions and kinds that are not known are read all the
//! same; what an event concerns is worked out in [`subject`](super::subject).

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::ids::EventId;
use super::objects::{CheckoutSession, Customer, Invoice, Subscription};
use crate::error::CallFailure;
use crate::json;

/// Longest kind; the longest of today has 60 characters.
const LONGEST_KIND: usize = 200;

/// The two ways in which Stripe tells of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With a copy of the object as it was then.
    Snapshot,
    /// With the object's id only.
    Thin,
}

/// One event.
#[derive(Clone)]
pub struct Event {
    /// Its id. A thin event has another one than the snapshot of the same change, see
    /// [`snapshot_event`](Self::snapshot_event).
    pub id: EventId,
    /// Stripe's word for what happened, without the `v1.` that thin events put before it.
    pub kind: String,
    /// Whether there is a copy of the object.
    pub form: Form,
    /// When it was made. Events of one change may have the same second, so this orders nothing.
    pub created: Option<DateTime<Utc>>,
    /// The version of the API in which the object is written; none for thin events.
    pub api_version: Option<String>,
    /// False in a sandbox.
    pub livemode: Option<bool>,
    /// The account it comes from, where that is another one than ours.
    pub account: Option<String>,
    /// The snapshot event of the same change; thin events since 2026-09-30 name it.
    pub snapshot_event: Option<EventId>,
    /// The object that a thin event is about.
    pub related: Option<Related>,
    /// `data.object`, or `data` of a thin event.
    pub(super) object: Option<Box<RawValue>>,
}

/// The object that a thin event names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Its id, as text.
    pub id: String,
    /// Stripe's word for what it is, such as `subscription`.
    pub object: Option<String>,
}

impl fmt::Debug for Event {
    /// Without the object, which names who pays.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("form", &self.form)
            .field("api_version", &self.api_version)
            .finish_non_exhaustive()
    }
}

/// Why a body is no event. Quotes nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is no JSON object, or a field is there twice.
    #[error("the body is no JSON object: {what}")]
    NotAnObject {
        /// What it is instead.
        what: String,
    },
    /// A field that every event has is missing.
    #[error("the field `{field}` is missing")]
    Missing {
        /// `id` or `type`.
        field: &'static str,
    },
    /// Such a field is something else than an id or a word.
    #[error("the field `{field}` is no {expected}")]
    Invalid {
        /// `id` or `type`.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

/// Why the object of an event cannot be read. Quotes nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// The event has none: it is thin.
    #[error("the event has no copy of its object")]
    Absent,
    /// It is another object than the one that was asked for.
    #[error("the event's object is no {expected}")]
    Other {
        /// Stripe's word for what was asked for.
        expected: &'static str,
    },
    /// A field is missing or has another type.
    #[error("the event's object cannot be read: {what}")]
    Unreadable {
        /// Which field, and what is wrong with it.
        what: String,
    },
}

/// What is read of a body. Everything is taken as it comes, so that only what is needed can be wrong.
#[derive(Deserialize)]
struct Body {
    id: Option<Value>,
    r#type: Option<Value>,
    object: Option<Value>,
    created: Option<Value>,
    api_version: Option<Value>,
    livemode: Option<Value>,
    account: Option<Value>,
    context: Option<Value>,
    snapshot_event: Option<Value>,
    related_object: Option<Value>,
    data: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Data {
    object: Option<Box<RawValue>>,
}

impl Event {
    /// Reads the body of a delivery, or an event that was asked for.
    ///
    /// # Errors
    /// [`EventError`] where the body is no JSON object with `id` and `type`; never for anything else in it.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        if !is_object(body) {
            let what = "something else".to_owned();
            return Err(EventError::NotAnObject { what });
        }
        let body: Body =
            json::decode(body).map_err(|failure| EventError::NotAnObject { what: what(failure) })?;
        let id = text(body.id).map_err(|present| missing("id", present, "id of an event"))?;
        let id = EventId::try_from(id).map_err(|_invalid| missing("id", true, "id of an event"))?;
        let kind = text(body.r#type).map_err(|present| missing("type", present, "kind of event"))?;
        if !(1..=LONGEST_KIND).contains(&kind.len()) || !kind.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(missing("type", true, "kind of event"));
        }
        let thin = text(body.object).is_ok_and(|object| object.starts_with("v2."));
        let object = match body.data {
            Some(data) if thin => Some(data),
            Some(data) if is_object(data.get().as_bytes()) => serde_json::from_str::<Data>(data.get())
                .ok()
                .and_then(|data| data.object),
            _ => None,
        };
        Ok(Self {
            id,
            kind: kind.strip_prefix("v1.").map(str::to_owned).unwrap_or(kind),
            form: if thin { Form::Thin } else { Form::Snapshot },
            created: body.created.as_ref().and_then(time),
            api_version: text(body.api_version).ok(),
            livemode: body.livemode.as_ref().and_then(Value::as_bool),
            account: text(body.account).or_else(|_| text(body.context)).ok(),
            snapshot_event: body
                .snapshot_event
                .and_then(|event| EventId::try_from(reference(event)?).ok()),
            related: body.related_object.and_then(related),
            object: object.filter(|object| is_object(object.get().as_bytes())),
        })
    }

    /// The copy of a subscription.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn subscription(&self) -> Result<Subscription, ObjectError> {
        self.read("subscription")
    }

    /// The copy of an invoice.
    ///
    /// # Errors
    /// As [`Event::subscription`].
    pub fn invoice(&self) -> Result<Invoice, ObjectError> {
        self.read("invoice")
    }

    /// The copy of a checkout session.
    ///
    /// # Errors
    /// As [`Event::subscription`].
    pub fn checkout_session(&self) -> Result<CheckoutSession, ObjectError> {
        self.read("checkout.session")
    }

    /// The copy of a customer.
    ///
    /// # Errors
    /// As [`Event::subscription`].
    pub fn customer(&self) -> Result<Customer, ObjectError> {
        self.read("customer")
    }

    fn read<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T, ObjectError> {
        #[derive(Deserialize)]
        struct Named {
            object: Option<Value>,
        }

        let object = match (&self.object, self.form) {
            (Some(object), Form::Snapshot) => object,
            _ => return Err(ObjectError::Absent),
        };
        let named = serde_json::from_str::<Named>(object.get())
            .ok()
            .and_then(|named| named.object);
        if named.is_some_and(|named| named != expected) {
            return Err(ObjectError::Other { expected });
        }
        json::decode_in("data.object", object.get().as_bytes())
            .map_err(|failure| ObjectError::Unreadable { what: what(failure) })
    }
}

/// Serde reads structures from lists as well; Stripe writes none.
fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}

fn what(failure: CallFailure) -> String {
    match failure {
        CallFailure::Malformed { what, .. } => what,
        other => other.to_string(),
    }
}

fn missing(field: &'static str, present: bool, expected: &'static str) -> EventError {
    if present {
        EventError::Invalid { field, expected }
    } else {
        EventError::Missing { field }
    }
}

/// A text; else whether there is something else.
fn text(value: Option<Value>) -> Result<String, bool> {
    match value {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(false),
        Some(_) => Err(true),
    }
}

/// Snapshots count seconds, thin events write RFC 3339.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(seconds) => DateTime::from_timestamp(seconds.as_i64()?, 0),
        Value::String(text) => Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc()),
        _ => None,
    }
}

/// An id, or the object it belongs to.
pub(super) fn reference(value: Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id),
        Value::Object(mut object) => match object.remove("id") {
            Some(Value::String(id)) => Some(id),
            _ => None,
        },
        _ => None,
    }
}

fn related(mut value: Value) -> Option<Related> {
    let object = value.get_mut("type").map(Value::take);
    Some(Related {
        object: text(object).ok(),
        id: reference(value)?,
    })
}
