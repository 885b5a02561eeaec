//! The one grammar of subjects under which events travel: `events.<tenant>.<stream>.<id>.<event_type>`.

use crate::envelope::Recorded;

/// Subject of one event. All parts are uuids or snake_case names, so no part can contain a separator.
#[must_use]
pub fn of(event: &Recorded) -> String {
    format!(
        "events.{}.{}.{}.{}",
        event.metadata.tenant_id, event.stream, event.stream_id, event.event_type
    )
}
