//! What people do with their phones. Everything here tells the bot of it, as far as it may know.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::html;
use super::render;
use super::world::{Body, ChatKind, Query, Standing, Stored, World};

/// A message as a person sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Its id in the chat.
    pub id: i32,
    /// Who wrote it; none for the bot.
    pub from: Option<i64>,
    /// Its text, or the caption of a file.
    pub text: String,
    /// Its text with markup, as HTML that is harmless.
    pub html: String,
    /// Buttons below it, in rows.
    pub buttons: Vec<Vec<SeenButton>>,
    /// The file that it carries.
    pub file: Option<SeenFile>,
    /// The topic in which it is.
    pub topic: Option<i32>,
    /// The message that it answers.
    pub reply_to: Option<i32>,
    /// Whether it was changed.
    pub edited: bool,
    /// Fields of a service message.
    pub service: Option<Value>,
}

/// A button below a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenButton {
    /// What is written on it.
    pub text: String,
    /// What it sends.
    pub data: Option<String>,
    /// What it opens.
    pub url: Option<String>,
    /// Whether it does nothing.
    pub disabled: bool,
}

/// A file in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFile {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: usize,
    /// Whether it is shown as a picture.
    pub photo: bool,
}

/// All messages of a chat that were not deleted, the oldest first.
pub(crate) fn seen(world: &World, chat: i64) -> Vec<Seen> {
    let messages = world
        .chats
        .get(&chat)
        .into_iter()
        .flat_map(|chat| chat.messages.values());
    messages
        .filter(|message| !message.deleted)
        .map(|message| {
            let (text, html) = match &message.body {
                Body::Text(text) => (text.plain.clone(), text.page.clone()),
                Body::File { caption, .. } => {
                    let caption = caption.clone().unwrap_or_default();
                    (caption.plain, caption.page)
                }
                Body::Contact { phone, name, .. } => {
                    let text = format!("{name} {phone}");
                    let html = crate::text::escape(&text);
                    (text, html)
                }
                Body::Fields(_) => (String::new(), String::new()),
            };
            let file = match &message.body {
                Body::File {
                    photo,
                    file,
                    name,
                    size,
                    ..
                } => Some(SeenFile {
                    id: file.clone(),
                    name: name.clone(),
                    size: *size,
                    photo: *photo,
                }),
                _ => None,
            };
            let service = match &message.body {
                Body::Fields(fields) => Some(fields.clone()),
                _ => None,
            };
            Seen {
                id: message.id,
                from: message.from,
                text,
                html,
                buttons: message.buttons.as_ref().map(buttons).unwrap_or_default(),
                file,
                topic: message.topic,
                reply_to: message.reply_to,
                edited: message.edited.is_some(),
                service,
            }
        })
        .collect()
}

fn buttons(markup: &Value) -> Vec<Vec<SeenButton>> {
    let rows = markup["inline_keyboard"].as_array().into_iter().flatten();
    let text = |button: &Value, name: &str| button[name].as_str().map(str::to_owned);
    rows.map(|row| {
        let row = row.as_array().into_iter().flatten();
        row.map(|button| SeenButton {
            text: text(button, "text").unwrap_or_default(),
            data: text(button, "callback_data"),
            url: text(button, "url"),
            disabled: button.get("disabled").is_some(),
        })
        .collect()
    })
    .collect()
}

/// Somebody writes into a chat. Writing to a bot that was blocked unblocks it, as in the apps.
pub(crate) fn write(world: &mut World, person: i64, chat: i64, body: Body, topic: Option<i32>) -> i32 {
    let Some(place) = world.chats.get(&chat) else {
        return 0;
    };
    let standing = place.standing;
    if place.kind == ChatKind::Private && matches!(standing, Standing::New | Standing::Blocked) {
        set_standing(world, chat, Standing::Member);
    }
    let id = world.post(chat, Some(person), body, topic);
    tell_message(world, chat, id, false);
    id
}

pub(crate) fn text(text: &str) -> Body {
    let mut body = html::plain(text);
    if text.starts_with('/') {
        let length = text
            .split_whitespace()
            .next()
            .map_or(0, |command| command.encode_utf16().count());
        body.entities
            .push(json!({"type": "bot_command", "offset": 0, "length": length}));
    }
    Body::Text(body)
}

/// A contact: the person's own, or that of somebody who is not in Telegram.
pub(crate) fn contact(world: &World, person: i64, own: bool) -> Body {
    let record = world.people.get(&person);
    match record.filter(|_| own) {
        Some(record) => Body::Contact {
            phone: record.phone.clone(),
            name: record.name.clone(),
            user: Some(person),
        },
        None => Body::Contact {
            phone: "+79990000000".to_owned(),
            name: "Иван".to_owned(),
            user: None,
        },
    }
}

pub(crate) fn document(world: &mut World, name: &str, content: Vec<u8>) -> Body {
    let file = format!("file-{}", world.count());
    let size = content.len();
    world.files.insert(
        file.clone(),
        Stored {
            name: name.to_owned(),
            content,
        },
    );
    Body::File {
        photo: false,
        file,
        name: name.to_owned(),
        size,
        caption: None,
    }
}

/// Lets the bot know of a message; of one in a chat that it left it does not.
pub(crate) fn tell_message(world: &mut World, chat: i64, id: i32, edited: bool) {
    let Some(place) = world.chats.get(&chat) else {
        return;
    };
    if !matches!(place.standing, Standing::Member | Standing::ReadOnly) {
        return;
    }
    let Some(message) = place.messages.get(&id) else {
        return;
    };
    let body = render::message(world, place, message);
    let kind = match (place.kind, edited) {
        (ChatKind::Channel, false) => "channel_post",
        (ChatKind::Channel, true) => "edited_channel_post",
        (_, false) => "message",
        (_, true) => "edited_message",
    };
    world.tell(kind, chat, body);
}

pub(crate) fn edit(world: &mut World, chat: i64, id: i32, new: &str) {
    let now = world.now;
    world.change(chat, id, |message| {
        message.body = text(new);
        message.edited = Some(now);
    });
    tell_message(world, chat, id, true);
}

/// Presses a button that sends data; gives the id of the press. None if there is no such message or button.
pub(crate) fn press(world: &mut World, person: i64, chat: i64, message: i32, data: &str) -> Option<String> {
    let place = world.chats.get(&chat)?;
    let found = place.messages.get(&message).filter(|message| !message.deleted)?;
    let has = |button: &SeenButton| button.data.as_deref() == Some(data);
    let known = found.buttons.as_ref().map(buttons).unwrap_or_default();
    if !known.iter().flatten().any(has) {
        return None;
    }
    let rendered = render::message(world, place, found);
    Some(press_anything(world, person, chat, &rendered, data))
}

/// A press with any data and message, also of a message that is no longer there.
pub(crate) fn press_anything(
    world: &mut World,
    person: i64,
    chat: i64,
    message: &Value,
    data: &str,
) -> String {
    let id = format!("{}", 4_380_000_000_000_000_000_i64 + world.count());
    let query = Query {
        from: person,
        at: world.now,
        answered: false,
    };
    world.queries.insert(id.clone(), query);
    let body = json!({
        "id": id, "from": render::user(world, person), "message": message, "data": data,
        "chat_instance": format!("{}", chat.wrapping_mul(7919)),
    });
    world.tell("callback_query", chat, body);
    id
}

/// Presses a button of a message that is too old or gone: the bot learns its id only.
pub(crate) fn press_old(
    world: &mut World,
    person: i64,
    chat: i64,
    message: i32,
    data: &str,
) -> Option<String> {
    let place = render::chat(world, world.chats.get(&chat)?);
    let old = json!({"message_id": message, "date": 0, "chat": place});
    Some(press_anything(world, person, chat, &old, data))
}

/// Changes what the bot is in a chat, and lets it know where it can.
pub(crate) fn set_standing(world: &mut World, chat: i64, new: Standing) {
    let Some(place) = world.chats.get_mut(&chat) else {
        return;
    };
    let old = std::mem::replace(&mut place.standing, new);
    let (kind, members) = (place.kind, place.members.clone());
    world.version += 1;
    // A deleted account tells nobody, and a first "start" is no change.
    if old == new || new == Standing::Deactivated || (kind == ChatKind::Private && old == Standing::New) {
        return;
    }
    let by = members.first().copied().unwrap_or(chat);
    let Some(place) = world.chats.get(&chat) else {
        return;
    };
    let body = json!({
        "chat": render::chat(world, place), "from": render::user(world, by), "date": world.now.timestamp(),
        "old_chat_member": render::member(world, old), "new_chat_member": render::member(world, new),
    });
    world.tell("my_chat_member", chat, body);
}

/// Somebody makes a group with the bot in it.
pub(crate) fn make_group(world: &mut World, title: &str, members: &[i64], kind: ChatKind) -> i64 {
    let number = world.count();
    let id = match kind {
        ChatKind::Group | ChatKind::Private => -(4_000_000 + number),
        ChatKind::Supergroup | ChatKind::Channel => -(1_002_000_000_000 + number),
    };
    world.add_chat(id, kind, title, Standing::Left, members.to_vec());
    set_standing(world, id, Standing::Member);
    id
}

/// Makes a supergroup of a group: a new chat, with a service message in both.
pub(crate) fn migrate(world: &mut World, group: i64) -> Option<i64> {
    let old = world
        .chats
        .get(&group)
        .filter(|chat| chat.kind == ChatKind::Group)?;
    let (title, members, standing) = (old.title.clone(), old.members.clone(), old.standing);
    let by = members.first().copied();
    let new = -(1_002_000_000_000 + world.count());
    world.add_chat(new, ChatKind::Supergroup, &title, standing, members);
    let id = world.post(group, by, Body::Fields(json!({"migrate_to_chat_id": new})), None);
    tell_message(world, group, id, false);
    let id = world.post(
        new,
        by,
        Body::Fields(json!({"migrate_from_chat_id": group})),
        None,
    );
    tell_message(world, new, id, false);
    world.chats.get_mut(&group)?.migrated_to = Some(new);
    Some(new)
}

/// Makes a topic, and topics of the chat; gives its id, which is that of its first message.
pub(crate) fn make_topic(world: &mut World, chat: i64, name: &str) -> Option<i32> {
    let place = world
        .chats
        .get_mut(&chat)
        .filter(|chat| chat.kind == ChatKind::Supergroup)?;
    place.forum = true;
    let by = place.members.first().copied();
    let fields = json!({"forum_topic_created": {"name": name, "icon_color": 7_322_096}});
    let id = world.post(chat, by, Body::Fields(fields), None);
    world.change(chat, id, |message| message.topic = Some(id));
    world
        .chats
        .get_mut(&chat)?
        .topics
        .insert(id, (name.to_owned(), false));
    tell_message(world, chat, id, false);
    Some(id)
}
