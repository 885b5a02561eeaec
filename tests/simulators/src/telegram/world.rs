//! Everything that the simulated Telegram knows: people, chats with their messages, and updates that wait
//! for the bot.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::html::Text;
use super::limits::Flood;

/// Updates are kept so long.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Kinds that come only when they are asked for by name.
const ON_REQUEST: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

/// What a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// One person and the bot.
    Private,
    /// A basic group.
    Group,
    /// A supergroup, perhaps with topics.
    Supergroup,
    /// A channel.
    Channel,
}

/// What the bot is in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The person never pressed "start".
    New,
    /// It may write.
    Member,
    /// It is there and may not write.
    ReadOnly,
    /// The person blocked it.
    Blocked,
    /// The person's account was deleted.
    Deactivated,
    /// It was removed.
    Kicked,
    /// It left, or was never there.
    Left,
}

#[derive(Debug, Clone)]
pub(crate) struct PersonRecord {
    pub(crate) name: String,
    pub(crate) username: Option<String>,
    pub(crate) language: String,
    pub(crate) phone: String,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Text(Text),
    File {
        photo: bool,
        file: String,
        name: String,
        size: usize,
        caption: Option<Text>,
    },
    Contact {
        phone: String,
        name: String,
        user: Option<i64>,
    },
    /// Fields of a service message, or of one that is only passed on.
    Fields(Value),
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: i32,
    /// The person; none for the bot.
    pub(crate) from: Option<i64>,
    pub(crate) date: DateTime<Utc>,
    pub(crate) edited: Option<DateTime<Utc>>,
    pub(crate) body: Body,
    pub(crate) buttons: Option<Value>,
    pub(crate) topic: Option<i32>,
    pub(crate) reply_to: Option<i32>,
    pub(crate) forwarded: bool,
    pub(crate) deleted: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    pub(crate) kind: ChatKind,
    pub(crate) title: String,
    pub(crate) standing: Standing,
    pub(crate) members: Vec<i64>,
    pub(crate) migrated_to: Option<i64>,
    pub(crate) forum: bool,
    /// Topics with whether they are closed.
    pub(crate) topics: BTreeMap<i32, (String, bool)>,
    pub(crate) messages: BTreeMap<i32, Message>,
    /// Keyboard below the chat, of buttons that send their own text.
    pub(crate) keyboard: Option<Value>,
    /// Actions such as `typing` that the bot showed.
    pub(crate) actions: Vec<String>,
}

/// A button that was pressed.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) from: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) answered: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) id: i64,
    /// Updates of one queue are delivered in order.
    pub(crate) queue: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) body: Value,
    /// A delivery to the webhook is on its way.
    pub(crate) under_way: bool,
    /// Deliveries so far, and when the next one may be.
    pub(crate) tries: u32,
    pub(crate) not_before: Option<tokio::time::Instant>,
}

#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) secret: Option<String>,
    pub(crate) max_connections: usize,
    pub(crate) last_error: Option<(DateTime<Utc>, String)>,
}

/// What the bot answered to somebody who pressed a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Id of the press.
    pub query: String,
    /// The text; empty if there is none.
    pub text: String,
    /// Whether it has to be confirmed.
    pub alert: bool,
}

pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) now: DateTime<Utc>,
    pub(crate) bot: i64,
    pub(crate) bot_name: String,
    pub(crate) bot_username: String,
    pub(crate) people: BTreeMap<i64, PersonRecord>,
    pub(crate) chats: BTreeMap<i64, Chat>,
    pub(crate) files: BTreeMap<String, Stored>,
    pub(crate) queries: BTreeMap<String, Query>,
    pub(crate) notices: Vec<(i64, Notice)>,
    pub(crate) updates: VecDeque<Update>,
    pub(crate) allowed: Option<Vec<String>>,
    pub(crate) next_update: i64,
    pub(crate) webhook: Option<Webhook>,
    pub(crate) flood: Flood,
    pub(crate) commands: Value,
    pub(crate) counter: i64,
    last_message: i32,
    /// Grows with every change that a page shows.
    pub(crate) version: u64,
}

impl World {
    pub(crate) fn new(now: DateTime<Utc>, bot: i64, first_update: i64) -> Self {
        Self {
            now,
            bot,
            bot_name: "Stock Tracker".to_owned(),
            bot_username: "stock_tracker_bot".to_owned(),
            people: BTreeMap::new(),
            chats: BTreeMap::new(),
            files: BTreeMap::new(),
            queries: BTreeMap::new(),
            notices: Vec::new(),
            updates: VecDeque::new(),
            allowed: None,
            next_update: first_update,
            webhook: None,
            flood: Flood::default(),
            commands: json!([]),
            counter: 0,
            last_message: 0,
            version: 0,
        }
    }

    pub(crate) fn count(&mut self) -> i64 {
        self.counter += 1;
        self.counter
    }

    pub(crate) fn add_person(&mut self, name: &str, username: Option<&str>, language: &str) -> i64 {
        let number = self.count();
        // Ids of people have outgrown 32 bits.
        let id = 5_000_000_000 + number;
        let record = PersonRecord {
            name: name.to_owned(),
            username: username.map(str::to_owned),
            language: language.to_owned(),
            phone: format!("+7900{number:07}"),
        };
        self.people.insert(id, record);
        self.add_chat(id, ChatKind::Private, name, Standing::New, vec![id]);
        id
    }

    pub(crate) fn add_chat(
        &mut self,
        id: i64,
        kind: ChatKind,
        title: &str,
        standing: Standing,
        members: Vec<i64>,
    ) {
        let chat = Chat {
            id,
            kind,
            title: title.to_owned(),
            standing,
            members,
            migrated_to: None,
            forum: false,
            topics: BTreeMap::new(),
            messages: BTreeMap::new(),
            keyboard: None,
            actions: Vec::new(),
        };
        self.chats.insert(id, chat);
        self.version += 1;
    }

    /// Id of the next message in a chat: supergroups and channels count for themselves.
    fn message_id(&mut self, chat: i64) -> i32 {
        match self.chats.get(&chat) {
            Some(chat) if matches!(chat.kind, ChatKind::Supergroup | ChatKind::Channel) => {
                chat.messages.keys().next_back().copied().unwrap_or_default() + 1
            }
            _ => {
                self.last_message += 1;
                self.last_message
            }
        }
    }

    /// Puts a message into a chat.
    pub(crate) fn post(&mut self, chat: i64, from: Option<i64>, body: Body, topic: Option<i32>) -> i32 {
        let id = self.message_id(chat);
        let message = Message {
            id,
            from,
            date: self.now,
            edited: None,
            body,
            buttons: None,
            topic,
            reply_to: None,
            forwarded: false,
            deleted: false,
        };
        if let Some(chat) = self.chats.get_mut(&chat) {
            chat.messages.insert(id, message);
        }
        self.version += 1;
        id
    }

    /// Changes a message; nothing if there is none.
    pub(crate) fn change(&mut self, chat: i64, id: i32, change: impl FnOnce(&mut Message)) {
        if let Some(message) = self
            .chats
            .get_mut(&chat)
            .and_then(|chat| chat.messages.get_mut(&id))
        {
            change(message);
            self.version += 1;
        }
    }

    /// A message that is there.
    pub(crate) fn message(&self, chat: i64, id: i32) -> Option<&Message> {
        let message = self.chats.get(&chat)?.messages.get(&id)?;
        (!message.deleted).then_some(message)
    }

    /// Lets the bot know of something, if it wants to; `body` is what stands under `kind`.
    pub(crate) fn tell(&mut self, kind: &str, queue: i64, body: Value) {
        let wanted = match &self.allowed {
            Some(kinds) if !kinds.is_empty() => kinds.iter().any(|name| name == kind),
            _ => !ON_REQUEST.contains(&kind),
        };
        if !wanted {
            return;
        }
        let mut fields = serde_json::Map::new();
        fields.insert(kind.to_owned(), body);
        self.push(queue, Value::Object(fields));
    }

    /// An update as it is, whatever the bot wants; it gets the next id.
    pub(crate) fn push(&mut self, queue: i64, mut body: Value) -> i64 {
        let id = self.next_update;
        self.next_update += 1;
        if let Some(fields) = body.as_object_mut() {
            fields.insert("update_id".to_owned(), json!(id));
        }
        self.updates.push_back(Update {
            id,
            queue,
            at: self.now,
            body,
            under_way: false,
            tries: 0,
            not_before: None,
        });
        id
    }

    /// Forgets updates that were not fetched for a day.
    pub(crate) fn expire(&mut self) {
        let now = self.now;
        self.updates
            .retain(|update| update.under_way || update.at + KEPT > now);
    }
}
