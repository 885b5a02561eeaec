//! The steps from an old shape to the next one. Each is a pure function on JSON; a chain of them leads to the
//! current version. A step is never changed once events in its target shape exist.

use serde_json::{Value, json};

/// One step: the payload of `event_type` in `version`, lifted to `version + 1`. None when there is no such
/// step.
#[must_use]
pub fn step(event_type: &str, version: u16, payload: Value) -> Option<Value> {
    match (event_type, version) {
        ("sync_completed", 1) => Some(sync_completed_v1(payload)),
        _ => None,
    }
}

/// Version 1 told a source's rows, time and hash. A source that had failed was not listed at all, so every
/// listed one was complete; its size was not recorded.
fn sync_completed_v1(mut payload: Value) -> Value {
    if let Some(sources) = payload.get_mut("sources").and_then(Value::as_array_mut) {
        for source in sources.iter_mut().filter_map(Value::as_object_mut) {
            source.insert("outcome".into(), json!("complete"));
            source.insert("payload_bytes".into(), Value::Null);
            source.insert("error".into(), Value::Null);
        }
    }
    payload
}
