//! What Telegram's refusals mean, and what to do about each. Its words quote what was sent, so only their
//! kind is kept, and of unknown ones a cleaned beginning.
//!
//! Texts are those of Telegram's open server (`tdlib/telegram-bot-api`, `fail_query_with_error`), which may
//! change: what is not recognised is a [`TelegramError::Refused`] or a [`Forbidden::Other`].

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use crate::error::{CallError, CallFailure, FailureClass, is_vendors_word};
use crate::http::Reply;
use crate::scrub::{without_addresses, without_card_numbers};

/// Longest piece of Telegram's words that is kept, in characters.
const WORDS: usize = 160;
/// Wait after a 429 that names none.
const UNTOLD: Duration = Duration::from_secs(5);

/// A call to the Bot API that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum TelegramError {
    /// 429: too many messages. Nothing was sent.
    #[error("{endpoint}: too many messages, the next one in {} s", retry_after.as_secs())]
    Flood {
        /// The method.
        endpoint: &'static str,
        /// Least time to wait; Telegram has been seen to name days.
        retry_after: Duration,
    },
    /// The bot may not write to this chat. It stays so until a person changes it.
    #[error("{endpoint}: the bot may not write to the chat: {why}")]
    Forbidden {
        /// The method.
        endpoint: &'static str,
        /// Why not.
        why: Forbidden,
    },
    /// There is no such chat, or the bot never met it.
    #[error("{endpoint}: there is no such chat")]
    ChatNotFound {
        /// The method.
        endpoint: &'static str,
    },
    /// The group became a supergroup. The same message can be sent to the new id.
    #[error("{endpoint}: the group has become a supergroup")]
    Migrated {
        /// The method.
        endpoint: &'static str,
        /// Id of the supergroup.
        to_chat_id: i64,
    },
    /// An edit that would change nothing: the message is as wanted already.
    #[error("{endpoint}: the message is not modified")]
    NotModified {
        /// The method.
        endpoint: &'static str,
    },
    /// Telegram understood and said no. Repeating the same request is useless.
    #[error("{endpoint}: Telegram refuses with {status} ({}): {words}", refusal.as_str())]
    Refused {
        /// The method.
        endpoint: &'static str,
        /// Telegram's error code.
        status: u16,
        /// What is wrong.
        refusal: Refusal,
        /// Beginning of Telegram's words, without what it quotes.
        words: String,
    },
    /// 409: somebody else receives this bot's updates.
    #[error("{endpoint}: {other} receives this bot's updates")]
    Conflict {
        /// The method.
        endpoint: &'static str,
        /// Who does.
        other: OtherReceiver,
    },
    /// 401, or 404 for the whole path: there is no bot with this token.
    #[error("{endpoint}: Telegram does not know the bot's token")]
    Unauthorized {
        /// The method.
        endpoint: &'static str,
    },
    /// No connection came about. Nothing was sent.
    #[error("Telegram cannot be reached")]
    Unreachable(#[source] CallError),
    /// 5xx, or a page of a gate in place of an answer. As a rule nothing was sent; it is not certain.
    #[error("{endpoint}: Telegram answered {status}")]
    Unavailable {
        /// The method.
        endpoint: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// The request left, and no answer says what became of it: the message may have been sent or not.
    #[error("it is not known whether Telegram did what was asked")]
    UnknownOutcome(#[source] CallError),
    /// The request cannot be built. Nothing was sent.
    #[error("the request to Telegram cannot be built")]
    Unsendable(#[source] CallError),
}

/// Why the bot may not write to a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The person blocked the bot.
    #[error("the person blocked it")]
    Blocked,
    /// The person's account was deleted.
    #[error("the person's account was deleted")]
    Deactivated,
    /// The bot was removed from the group or channel.
    #[error("it was removed from the group")]
    Kicked,
    /// The bot is no member of the group or channel.
    #[error("it is no member of the group")]
    NotMember,
    /// The person never pressed "start".
    #[error("the person did not start it")]
    NotStarted,
    /// The group was deleted.
    #[error("the group was deleted")]
    Deleted,
    /// The bot is a member without the right to write.
    #[error("it has no right to write there")]
    NoRights,
    /// Something else.
    #[error("for a reason that is not known here")]
    Other,
}

impl Forbidden {
    /// Stable word for events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Deactivated => "deactivated",
            Self::Kicked => "kicked",
            Self::NotMember => "not_member",
            Self::NotStarted => "not_started",
            Self::Deleted => "deleted",
            Self::NoRights => "no_rights",
            Self::Other => "other",
        }
    }
}

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The text is not well-formed in its parse mode.
    Entities,
    /// The text or the caption is too long.
    TooLong,
    /// The text is empty, or has nothing but blanks.
    Empty,
    /// A button's data or address cannot be used.
    Button,
    /// The message to edit, delete or answer does not exist.
    MessageGone,
    /// The message cannot be edited or deleted: it is too old, or not the bot's.
    MessageFixed,
    /// The pressed button was answered too late, or before.
    QueryTooOld,
    /// The topic does not exist or is closed.
    Topic,
    /// The file is too large or cannot be used.
    File,
    /// The address of the webhook cannot be used.
    Webhook,
    /// There is no such method.
    Method,
    /// Something else.
    Other,
}

impl Refusal {
    /// Stable word for events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entities => "entities",
            Self::TooLong => "too_long",
            Self::Empty => "empty",
            Self::Button => "button",
            Self::MessageGone => "message_gone",
            Self::MessageFixed => "message_fixed",
            Self::QueryTooOld => "query_too_old",
            Self::Topic => "topic",
            Self::File => "file",
            Self::Webhook => "webhook",
            Self::Method => "method",
            Self::Other => "other",
        }
    }
}

/// Who else receives the bot's updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OtherReceiver {
    /// Another process that calls `getUpdates`.
    #[error("another process")]
    Poller,
    /// A webhook that is set.
    #[error("a webhook")]
    Webhook,
}

impl TelegramError {
    /// What the caller should do about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Flood { retry_after, .. } => FailureClass::Wait { delay: *retry_after },
            Self::Forbidden { .. }
            | Self::ChatNotFound { .. }
            | Self::Migrated { .. }
            | Self::NotModified { .. }
            | Self::Refused { .. }
            | Self::Unsendable(_) => FailureClass::Refused,
            Self::Unauthorized { .. } => FailureClass::Credential,
            Self::Conflict { .. }
            | Self::Unreachable(_)
            | Self::Unavailable { .. }
            | Self::UnknownOutcome(_) => FailureClass::Transient,
        }
    }

    /// Whether the message may have been sent all the same, so that sending it again may double it.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(self, Self::UnknownOutcome(_) | Self::Unavailable { .. })
    }

    /// Whether nothing more should be sent to the chat until a person changes something.
    #[must_use]
    pub const fn stops_sending(&self) -> bool {
        matches!(self, Self::Forbidden { .. } | Self::ChatNotFound { .. })
    }
}

impl From<CallError> for TelegramError {
    fn from(error: CallError) -> Self {
        match &error.failure {
            CallFailure::Network(source) if source.is_connect() => Self::Unreachable(error),
            CallFailure::Unsendable { .. } => Self::Unsendable(error),
            _ => Self::UnknownOutcome(error),
        }
    }
}

/// The part of an answer that every answer has.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parameters {
    migrate_to_chat_id: Option<i64>,
    retry_after: Option<u64>,
}

/// The meaning of an answer that is no success. `token` is taken out of what is kept.
pub(super) fn failure(endpoint: &'static str, reply: &Reply, token: &str) -> TelegramError {
    let body = serde_json::from_slice::<Body>(&reply.body).unwrap_or_default();
    let own = is_vendors_word(&reply.headers, &reply.body) && body.description.is_some();
    let status = body.error_code.filter(|_| own).unwrap_or(reply.status);
    let description = body.description.unwrap_or_default();
    let parameters = body.parameters.unwrap_or_default();
    if status == 429 {
        let told = parameters.retry_after.or_else(|| header(&reply.headers));
        let told = told.or_else(|| description.rsplit(' ').next()?.parse().ok());
        return TelegramError::Flood {
            endpoint,
            retry_after: told.map_or(UNTOLD, Duration::from_secs),
        };
    }
    // What a gate before Telegram refuses says nothing about the request.
    if !own || status >= 500 {
        return TelegramError::Unavailable { endpoint, status };
    }
    if let Some(to_chat_id) = parameters.migrate_to_chat_id {
        return TelegramError::Migrated { endpoint, to_chat_id };
    }
    let text = description.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match status {
        401 => TelegramError::Unauthorized { endpoint },
        404 if text.trim() == "not found" => TelegramError::Unauthorized { endpoint },
        403 => TelegramError::Forbidden {
            endpoint,
            why: forbidden(&says),
        },
        409 => TelegramError::Conflict {
            endpoint,
            other: if says(&["webhook"]) {
                OtherReceiver::Webhook
            } else {
                OtherReceiver::Poller
            },
        },
        400 if says(&["chat not found", "user not found", "peer_id_invalid"]) => {
            TelegramError::ChatNotFound { endpoint }
        }
        400 if says(&["message is not modified"]) => TelegramError::NotModified { endpoint },
        400 if says(&[
            "not enough rights to send",
            "have no rights to send",
            "chat_write_forbidden",
        ]) =>
        {
            TelegramError::Forbidden {
                endpoint,
                why: Forbidden::NoRights,
            }
        }
        400 if says(&["channel_private", "group is deactivated", "chat_restricted"]) => {
            TelegramError::Forbidden {
                endpoint,
                why: Forbidden::Other,
            }
        }
        _ => TelegramError::Refused {
            endpoint,
            status,
            refusal: refusal(status, &says),
            words: clean(&description, token),
        },
    }
}

fn forbidden(says: &impl Fn(&[&str]) -> bool) -> Forbidden {
    if says(&["blocked by the user"]) {
        Forbidden::Blocked
    } else if says(&["user is deactivated"]) {
        Forbidden::Deactivated
    } else if says(&["bot was kicked"]) {
        Forbidden::Kicked
    } else if says(&["bot is not a member", "not_member"]) {
        Forbidden::NotMember
    } else if says(&["can't initiate conversation"]) {
        Forbidden::NotStarted
    } else if says(&["chat was deleted"]) {
        Forbidden::Deleted
    } else if says(&["not enough rights", "have no rights", "need administrator rights"]) {
        Forbidden::NoRights
    } else {
        Forbidden::Other
    }
}

fn refusal(status: u16, says: &impl Fn(&[&str]) -> bool) -> Refusal {
    // The first one that fits; `message can't be deleted` comes before `message to delete not found`.
    let table: [(&[&str], Refusal); 12] = [
        (&["can't parse entities"], Refusal::Entities),
        (
            &["too long", "message_too_long", "caption_too_long"],
            Refusal::TooLong,
        ),
        (&["text is empty", "text must be non-empty"], Refusal::Empty),
        (&["button", "inline keyboard", "reply markup"], Refusal::Button),
        (&["query is too old", "query id is invalid"], Refusal::QueryTooOld),
        (
            &[
                "thread not found",
                "topic_closed",
                "topic_deleted",
                "topic not found",
            ],
            Refusal::Topic,
        ),
        (
            &[
                "message to edit not found",
                "message to delete not found",
                "message_id_invalid",
            ],
            Refusal::MessageGone,
        ),
        (
            &[
                "message to be replied not found",
                "reply message not found",
                "message not found",
            ],
            Refusal::MessageGone,
        ),
        (&["can't be edited", "can't be deleted"], Refusal::MessageFixed),
        (
            &["file", "photo", "image_process_failed", "too big"],
            Refusal::File,
        ),
        (&["webhook", "secret token"], Refusal::Webhook),
        (&["method not found"], Refusal::Method),
    ];
    match status {
        413 => Refusal::File,
        _ => table
            .iter()
            .find(|(words, _)| says(words))
            .map_or(Refusal::Other, |(_, refusal)| *refusal),
    }
}

/// `Retry-After` in seconds.
fn header(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Telegram's words without what they quote: that is text which a person wrote, or the token.
fn clean(text: &str, token: &str) -> String {
    let text = match token {
        "" => text.to_owned(),
        token => text.replace(token, "<token>"),
    };
    let mut kept = String::new();
    for (number, part) in text.split('"').enumerate() {
        kept.push_str(if number % 2 == 0 { part } else { "…" });
    }
    let short: String = kept.chars().filter(|c| !c.is_control()).take(WORDS).collect();
    without_card_numbers(&without_addresses(&short))
}

#[cfg(test)]
mod tests;
