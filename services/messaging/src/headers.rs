//! What an event carries beside its payload, written and read in one place. The table with every meaning is
//! `nats/README.md`.

use std::str::FromStr;

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use events::{Metadata, Recorded};
use uuid::Uuid;

/// Message id by which the broker drops repetitions: the event id.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";
/// Sequence that the stream must end with, or the broker refuses the message.
pub const EXPECTED_LAST_SEQUENCE: &str = "Nats-Expected-Last-Sequence";
/// Place in the global order.
pub const POSITION: &str = "St-Position";
/// Position of the event before, in the same partition.
pub const PREVIOUS_POSITION: &str = "St-Previous-Position";
/// Place in its own stream.
pub const VERSION: &str = "St-Version";
/// Tenant.
pub const TENANT: &str = "St-Tenant";
/// Command that caused it.
pub const COMMAND: &str = "St-Command";
/// Conversation.
pub const CORRELATION: &str = "St-Correlation";
/// What caused the command.
pub const CAUSATION: &str = "St-Causation";
/// Who acted.
pub const ACTOR: &str = "St-Actor";
/// Event type.
pub const EVENT_TYPE: &str = "St-Type";
/// Version of the payload's shape.
pub const EVENT_VERSION: &str = "St-Event-Version";
/// Time of recording.
pub const RECORDED_AT: &str = "St-Recorded-At";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";
/// The payload is too large for the broker and has to be read from the store; the message carries none.
pub const PAYLOAD_IN_STORE: &str = "St-Payload-In-Store";
/// Why a job was given up.
pub const DEAD_REASON: &str = "St-Dead-Reason";
/// How often a job was delivered.
pub const DELIVERIES: &str = "St-Deliveries";

/// A message is no event of ours.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The subject is not `events.<tenant>.<stream>.<id>.<event_type>`.
    #[error("`{0}` is not the subject of an event")]
    Subject(String),
    /// A header is missing.
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    /// A header cannot be read.
    #[error("the header `{name}` cannot be read")]
    Malformed {
        /// Its name.
        name: &'static str,
        /// What was wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The payload is too large for the broker; read the event from the store.
    #[error("the payload of position {0} is in the store only")]
    PayloadInStore(i64),
    /// The payload is not text.
    #[error("the payload is not text")]
    Payload(#[source] std::str::Utf8Error),
}

/// Headers of one event. `previous` is the position before it in its partition, if there is one.
#[must_use]
pub fn to_headers(event: &Recorded, previous: Option<i64>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    let mut text = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    let mut id = |id: Uuid| HeaderValue::from(&*id.hyphenated().encode_lower(&mut text));
    put(MESSAGE_ID, id(event.event_id.uuid()));
    put(POSITION, event.position.into());
    if let Some(previous) = previous {
        put(PREVIOUS_POSITION, previous.into());
    }
    put(VERSION, event.version.into());
    put(TENANT, id(event.metadata.tenant_id.uuid()));
    put(COMMAND, id(event.metadata.command_id.uuid()));
    put(CORRELATION, id(event.metadata.correlation_id));
    if let Some(causation) = event.metadata.causation_id {
        put(CAUSATION, id(causation));
    }
    put(ACTOR, HeaderValue::from(event.metadata.actor.as_str()));
    put(EVENT_TYPE, HeaderValue::from(event.event_type.as_str()));
    put(EVENT_VERSION, event.event_version.into());
    put(
        RECORDED_AT,
        HeaderValue::from(event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true)),
    );
    if let Some(trace) = &event.metadata.traceparent {
        put(TRACEPARENT, HeaderValue::from(trace.as_str()));
    }
    headers
}

/// The event that a message carries, as it stands in the store.
///
/// # Errors
/// [`HeaderError`] when the message was not written by the relay.
pub fn from_message(subject: &str, headers: &HeaderMap, payload: &Bytes) -> Result<Recorded, HeaderError> {
    let mut parts = subject.split('.');
    let (Some("events"), Some(_tenant), Some(stream), Some(stream_id), Some(event_type), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(HeaderError::Subject(subject.to_owned()));
    };
    let stream_id = parse_text("subject", stream_id)?;
    if headers.get(HeaderName::from_static(PAYLOAD_IN_STORE)).is_some() {
        return Err(HeaderError::PayloadInStore(required(headers, POSITION)?));
    }
    let payload = std::str::from_utf8(payload).map_err(HeaderError::Payload)?;
    Ok(Recorded {
        position: required(headers, POSITION)?,
        event_id: required(headers, MESSAGE_ID)?,
        stream: stream.to_owned(),
        stream_id,
        version: required(headers, VERSION)?,
        event_type: event_type.to_owned(),
        event_version: required(headers, EVENT_VERSION)?,
        payload: payload.to_owned(),
        metadata: Metadata {
            tenant_id: required(headers, TENANT)?,
            command_id: required(headers, COMMAND)?,
            correlation_id: required(headers, CORRELATION)?,
            causation_id: optional(headers, CAUSATION)?,
            actor: required(headers, ACTOR)?,
            traceparent: optional(headers, TRACEPARENT)?,
        },
        recorded_at: required::<DateTime<Utc>>(headers, RECORDED_AT)?,
    })
}

/// The position that a message carries, without reading the rest.
///
/// # Errors
/// [`HeaderError`] when there is none.
pub fn position(headers: &HeaderMap) -> Result<i64, HeaderError> {
    required(headers, POSITION)
}

fn required<T>(headers: &HeaderMap, name: &'static str) -> Result<T, HeaderError>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    optional(headers, name)?.ok_or(HeaderError::Missing(name))
}

fn optional<T>(headers: &HeaderMap, name: &'static str) -> Result<Option<T>, HeaderError>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    headers
        .get(HeaderName::from_static(name))
        .map(|value| parse_text(name, value.as_str()))
        .transpose()
}

fn parse_text<T>(name: &'static str, text: &str) -> Result<T, HeaderError>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|source| HeaderError::Malformed {
        name,
        source: Box::new(source),
    })
}
