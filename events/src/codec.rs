//! Text to event. Old versions are lifted step by step to the current one; a type or version that this
//! program does not know is a result of its own, because it must stop nothing.

use serde_json::Value;

use crate::catalog::{self, Event, StreamType};
use crate::upcast;

/// What a stored payload turned out to be.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every one is known, and a box for each event of a log costs more than the room of the rest"
)]
pub enum Decoded {
    /// An event of the catalog, in its current shape.
    Known(Event),
    /// Written by a newer program, or of a stream this one does not know. Skipped on purpose.
    Unknown,
}

/// A payload that should be readable is not.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The payload does not have the shape of its type and version.
    #[error("the payload of `{event_type}` does not have the shape of its version")]
    Payload {
        /// Type name.
        event_type: &'static str,
        /// What did not fit.
        #[source]
        source: serde_json::Error,
    },
    /// No step leads from the stored version to the current one; a defect of this program.
    #[error("no upcast leads from `{event_type}` version {version} to the current one")]
    NoUpcast {
        /// Type name.
        event_type: &'static str,
        /// Version found.
        version: u16,
    },
}

/// Turns what the store holds into an event of the current shape.
///
/// # Errors
/// [`DecodeError`] when the type and version are known but the payload does not fit them.
pub fn decode(stream: &str, event_type: &str, version: u16, payload: &str) -> Result<Decoded, DecodeError> {
    let Some(stream) = StreamType::parse(stream) else {
        return Ok(Decoded::Unknown);
    };
    let Some(entry) = catalog::entry(event_type) else {
        return Ok(Decoded::Unknown);
    };
    if entry.stream != stream || version > entry.version || version == 0 {
        return Ok(Decoded::Unknown);
    }
    let lifted;
    let current = if version == entry.version {
        payload
    } else {
        lifted = lift(entry, version, payload)?;
        &lifted
    };
    Ok(catalog::parse_current(stream, event_type, current)?.map_or(Decoded::Unknown, Decoded::Known))
}

fn lift(entry: &catalog::Entry, version: u16, payload: &str) -> Result<String, DecodeError> {
    let event_type = entry.event_type;
    let mut value: Value =
        serde_json::from_str(payload).map_err(|source| DecodeError::Payload { event_type, source })?;
    for from in version..entry.version {
        value = upcast::step(event_type, from, value).ok_or(DecodeError::NoUpcast {
            event_type,
            version: from,
        })?;
    }
    Ok(value.to_string())
}
