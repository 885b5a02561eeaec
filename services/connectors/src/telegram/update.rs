//! Reads what arrives, one update at a time: one that is of a kind which is not known here, or that has a
//! field which cannot be read, is left out alone, and the next one is read. Pure.

use frankenstein::types::AllowedUpdate;
use frankenstein::updates::UpdateContent;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;

/// The header in which a webhook's secret comes.
pub const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

/// What is asked for: Telegram sends nothing else.
pub const ALLOWED: [AllowedUpdate; 4] = [
    AllowedUpdate::Message,
    AllowedUpdate::EditedMessage,
    AllowedUpdate::CallbackQuery,
    AllowedUpdate::MyChatMember,
];

/// Kinds of updates in Bot API 10.3, for counting.
const KINDS: [&str; 27] = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "guest_message",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "callback_query",
    "shipping_query",
    "pre_checkout_query",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "purchased_paid_media",
    "managed_bot",
    "subscription",
    "stopped_message_generation",
];

/// Kinds that hold a message.
const MESSAGES: [&str; 4] = ["message", "edited_message", "channel_post", "edited_channel_post"];

/// Fields without which a message is none.
const OF_EVERY_MESSAGE: [&str; 3] = ["message_id", "date", "chat"];

/// An update that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Grows by one; after a week without updates Telegram begins anywhere.
    pub id: i64,
    /// What happened.
    pub content: UpdateContent,
    /// Fields of a message that could not be read and were left out.
    pub left_out: usize,
}

/// An update that was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Its id, where it has one.
    pub id: Option<i64>,
    /// Its kind, or `unknown`.
    pub kind: &'static str,
    /// What is the matter with it.
    pub why: Why,
}

/// Why an update was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Of a kind that is not known here.
    UnknownKind,
    /// A field that is needed is missing or of another type.
    Unreadable,
}

impl Why {
    /// Stable word for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKind => "unknown_kind",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One update.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// It was read.
    Update(Box<Received>),
    /// It was left out.
    Skipped(Skipped),
}

/// An answer of `getUpdates`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Updates {
    /// In the order in which they came.
    pub received: Vec<Received>,
    /// Those that were left out.
    pub skipped: Vec<Skipped>,
    /// The `offset` that confirms all of them; none if no id came.
    pub next_offset: Option<i64>,
}

/// Reads one update, for instance the body of a webhook call.
#[must_use]
pub fn read_update(json: &[u8]) -> Read {
    match serde_json::from_slice::<Map<String, Value>>(json) {
        Ok(fields) => read(fields),
        Err(_) => Read::Skipped(Skipped {
            id: None,
            kind: "unknown",
            why: Why::Unreadable,
        }),
    }
}

/// Reads the updates of an answer.
pub(super) fn read_updates(updates: &[Box<RawValue>]) -> Updates {
    let mut all = Updates::default();
    let mut highest: Option<i64> = None;
    for update in updates {
        let id = match read_update(update.get().as_bytes()) {
            Read::Update(received) => {
                let id = received.id;
                all.received.push(*received);
                Some(id)
            }
            Read::Skipped(skipped) => {
                all.skipped.push(skipped);
                skipped.id
            }
        };
        highest = highest.max(id);
    }
    all.next_offset = highest.map(|id| id.saturating_add(1));
    all
}

/// Whether a webhook call carries the secret that was set; without looking at how much of it fits.
#[must_use]
pub fn is_from_telegram(header: Option<&str>, secret: &SecretString) -> bool {
    header.is_some_and(|header| header.as_bytes().ct_eq(secret.expose_secret().as_bytes()).into())
}

fn read(mut fields: Map<String, Value>) -> Read {
    let id = fields.remove("update_id").and_then(|id| id.as_i64());
    let Some((kind, value)) = KINDS.iter().find_map(|kind| Some((*kind, fields.remove(*kind)?))) else {
        return Read::Skipped(Skipped {
            id,
            kind: "unknown",
            why: Why::UnknownKind,
        });
    };
    let unreadable = Read::Skipped(Skipped {
        id,
        kind,
        why: Why::Unreadable,
    });
    let Some(id) = id else { return unreadable };
    let whole = content(kind, value.clone()).map(|content| (content, 0));
    match whole.or_else(|| salvage(kind, &value)) {
        Some((content, left_out)) => Read::Update(Box::new(Received {
            id,
            content,
            left_out,
        })),
        None => unreadable,
    }
}

fn content(kind: &str, value: Value) -> Option<UpdateContent> {
    let mut update = Map::new();
    update.insert(kind.to_owned(), value);
    serde_json::from_value(Value::Object(update)).ok()
}

/// A message without the fields that cannot be read: what the person wrote is worth an answer even if it
/// carries something new.
fn salvage(kind: &str, message: &Value) -> Option<(UpdateContent, usize)> {
    let fields = message.as_object().filter(|_| MESSAGES.contains(&kind))?;
    let mut kept = Map::new();
    for name in OF_EVERY_MESSAGE {
        kept.insert(name.to_owned(), fields.get(name)?.clone());
    }
    let bare = kept.clone();
    for (name, value) in fields {
        let mut alone = bare.clone();
        alone.insert(name.clone(), value.clone());
        if content(kind, Value::Object(alone)).is_some() {
            kept.insert(name.clone(), value.clone());
        }
    }
    let left_out = fields.len() - kept.len();
    Some((content(kind, Value::Object(kept))?, left_out))
}

#[cfg(test)]
mod tests;
