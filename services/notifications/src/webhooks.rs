//! Outgoing webhooks: where they go ([`Endpoints`]), what waits for them and how it ended ([`Deliveries`] for
//! the tenant, [`Outbox`] for the sender), and how the log becomes messages ([`Fanout`]).
//!
//! Two words for time: a message is *waiting* until it is delivered or given up, and *leased* while one
//! sender has it. A lease that ran out is another sender's; the number of the claim tells both apart.

mod deliveries;
mod endpoints;
mod fanout;
mod outbox;

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use uuid::Uuid;

pub use deliveries::{Attempt, Deliveries, Delivery, Filter, Marker, Replayed, Selection};
pub use endpoints::{Endpoint, Endpoints};
pub use fanout::{Fanout, FanoutError, LogEntry, NewMessage, Receiver, Turn};
pub use outbox::{Backlog, Claimed, Ended, Opening, Outbox, Outcome, Slots};

/// Endpoints that a tenant may have.
pub const MOST_ENDPOINTS: usize = 20;

/// The type of the message that is sent to try an endpoint. It follows from no event.
pub const PING: &str = "ping";

/// What every message looks like.
#[derive(Serialize)]
struct Envelope<'a, Data> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: Data,
}

/// The body of a message: its type, when the thing happened, and its data.
///
/// # Errors
/// Data that is no JSON.
pub fn body(kind: &str, at: DateTime<Utc>, data: impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Envelope {
        kind,
        timestamp: at.to_rfc3339_opts(SecondsFormat::Micros, true),
        data,
    })
}

/// Id of a message; receivers get it as `webhook-id`, the same at every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub Uuid);

impl MessageId {
    /// The message that a cause (an event, or a command) is to an endpoint.
    #[must_use]
    pub fn of(cause: Uuid, endpoint: Uuid) -> Self {
        Self(Uuid::new_v5(&endpoint, cause.as_bytes()))
    }

    /// The id that [`fmt::Display`] has written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("msg_").filter(|hex| hex.len() == 32)?;
        Uuid::try_parse(hex).ok().map(Self)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{}", self.0.simple())
    }
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// It is sent as soon as its time has come.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// The receiver did not take it at any attempt.
    GivenUp,
    /// Its endpoint was switched off before it was delivered.
    Paused,
}

impl MessageState {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Delivered, Self::GivenUp, Self::Paused];

    /// The word in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Paused => "paused",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{MessageId, MessageState};

    #[test]
    fn an_event_is_the_same_message_each_time_and_another_one_at_each_endpoint() {
        let (event, one, other) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        assert_eq!(MessageId::of(event, one), MessageId::of(event, one));
        assert_ne!(MessageId::of(event, one), MessageId::of(event, other));
        let id = MessageId::of(event, one);
        assert_eq!(MessageId::parse(&id.to_string()), Some(id));
        assert_eq!(MessageId::parse("msg_1"), None);
        assert_eq!(MessageId::parse(&id.0.to_string()), None);
    }

    #[test]
    fn every_state_is_found_by_its_word() {
        for state in MessageState::ALL {
            assert_eq!(MessageState::parse(state.as_str()), Some(state));
        }
    }
}
