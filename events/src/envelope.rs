//! What surrounds every payload: who, why, when, and where in the order. The write side fills a [`NewEvent`],
//! the store returns a [`Recorded`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::{Event, StreamType};
use crate::ids::{CommandId, EventId, TenantId};

/// The circumstances under which a command was given. They stand on every row of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Tenant whose history this is.
    pub tenant_id: TenantId,
    /// Command that caused the event.
    pub command_id: CommandId,
    /// The whole conversation this belongs to (one request from outside and all that follows).
    pub correlation_id: Uuid,
    /// Event or command that caused the command, when there was one.
    pub causation_id: Option<Uuid>,
    /// Who acted: `user:<uuid>`, `worker`, `scheduler`, `system`. Never a name or an address.
    pub actor: String,
    /// W3C trace context of the request, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// An event on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Unique id; also the broker's message id.
    pub event_id: EventId,
    /// What happened.
    pub event: Event,
}

/// An event as it stands in the log. The payload stays text until somebody needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Place in the global order, 1-based and without gaps.
    pub position: i64,
    /// Unique id; also the broker's message id.
    pub event_id: EventId,
    /// Kind of stream.
    pub stream: StreamTypeName,
    /// Id of the stream.
    pub stream_id: Uuid,
    /// Place inside the stream, 1-based and without gaps.
    pub version: i64,
    /// Type name as written.
    pub event_type: String,
    /// Version of the payload's shape as written.
    pub event_version: u16,
    /// JSON object as written.
    pub payload: String,
    /// Circumstances.
    pub metadata: Metadata,
    /// Our time of recording.
    pub recorded_at: DateTime<Utc>,
}

/// A stream's type as it is written. A newer program may have written types that this one does not know, and
/// they must stop nothing; hence not [`StreamType`].
pub type StreamTypeName = String;

impl Recorded {
    /// The stream type, if this program knows it.
    #[must_use]
    pub fn stream_type(&self) -> Option<StreamType> {
        StreamType::parse(&self.stream)
    }

    /// The payload as an event. See [`crate::codec::decode`].
    ///
    /// # Errors
    /// [`crate::DecodeError`] when the type and version are known but the payload does not fit them.
    pub fn decode(&self) -> Result<crate::Decoded, crate::DecodeError> {
        crate::codec::decode(&self.stream, &self.event_type, self.event_version, &self.payload)
    }
}
