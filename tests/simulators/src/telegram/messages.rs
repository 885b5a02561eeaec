//! Methods that send, change and delete messages, and answer pressed buttons.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::errors::{Outcome, Refusal};
use super::html::{self, Text};
use super::params::Params;
use super::render;
use super::world::{Body, ChatKind, Notice, Standing, Stored, World};

/// Longest text and caption, in UTF-16 code units.
const TEXT: usize = 4096;
const CAPTION: usize = 1024;
/// Longest text of the answer to a pressed button.
const NOTICE: usize = 200;
/// Largest photo and document in bytes.
const PHOTO: usize = 10 * 1024 * 1024;
const DOCUMENT: usize = 50 * 1024 * 1024;
/// A message can be deleted so long after it was sent.
const DELETABLE: TimeDelta = TimeDelta::hours(48);
/// Data of a button, in bytes.
const BUTTON_DATA: usize = 64;
/// A pressed button can be answered so long.
///
/// Unknown: the exact time is not published.
const ANSWERABLE: TimeDelta = TimeDelta::seconds(60);
const NOT_MODIFIED: &str = "message is not modified: specified new message content and reply markup are \
                            exactly the same as a current content and reply markup of the message";
const TOO_OLD: &str = "query is too old and response timeout expired or query ID is invalid";

/// The chat that is meant, if the bot knows it.
fn chat_id(world: &World, params: &Params) -> Result<i64, Refusal> {
    if !params.has("chat_id") {
        return Err(Refusal::bad("chat_id is empty"));
    }
    let id = params.number("chat_id");
    id.filter(|id| world.chats.contains_key(id))
        .ok_or_else(|| Refusal::bad("chat not found"))
}

/// Whether the bot may write to a chat, and to the topic in it.
fn writable(world: &World, chat: i64, topic: Option<i32>) -> Result<(), Refusal> {
    let Some(place) = world.chats.get(&chat) else {
        return Err(Refusal::bad("chat not found"));
    };
    if let Some(to) = place.migrated_to {
        return Err(Refusal::migrated(to));
    }
    let name = match place.kind {
        ChatKind::Supergroup => "supergroup",
        ChatKind::Channel => "channel",
        ChatKind::Group | ChatKind::Private => "group",
    };
    match place.standing {
        Standing::Member => {}
        Standing::New => return Err(Refusal::forbidden("bot can't initiate conversation with a user")),
        Standing::Blocked => return Err(Refusal::forbidden("bot was blocked by the user")),
        Standing::Deactivated => return Err(Refusal::forbidden("user is deactivated")),
        Standing::Kicked => {
            return Err(Refusal::forbidden(&format!(
                "bot was kicked from the {name} chat"
            )));
        }
        Standing::Left => {
            return Err(Refusal::forbidden(&format!(
                "bot is not a member of the {name} chat"
            )));
        }
        Standing::ReadOnly => {
            return Err(Refusal::bad(
                "not enough rights to send text messages to the chat",
            ));
        }
    }
    match topic.map(|topic| place.topics.get(&topic)) {
        None | Some(Some((_, false))) => Ok(()),
        Some(Some((_, true))) => Err(Refusal::bad("TOPIC_CLOSED")),
        Some(None) => Err(Refusal::bad("message thread not found")),
    }
}

fn topic(params: &Params) -> Option<i32> {
    params
        .number("message_thread_id")
        .and_then(|topic| i32::try_from(topic).ok())
}

/// The text of a parameter in its parse mode, without blanks at its ends.
fn text(params: &Params, name: &str) -> Result<Text, Refusal> {
    let written = params.text(name).unwrap_or_default();
    let text = match params
        .text("parse_mode")
        .unwrap_or_default()
        .to_lowercase()
        .as_str()
    {
        "" => html::plain(&written),
        "html" => html::parse(&written)?,
        // Unknown here: Markdown is taken as it is written.
        "markdown" | "markdownv2" => html::plain(&written),
        _ => return Err(Refusal::bad("unsupported parse_mode")),
    };
    let trimmed = text.plain.trim_end();
    Ok(Text {
        plain: trimmed.to_owned(),
        ..text
    })
}

fn message_text(params: &Params) -> Result<Text, Refusal> {
    let text = text(params, "text")?;
    if text.plain.trim().is_empty() {
        return Err(Refusal::bad("message text is empty"));
    }
    if text.plain.encode_utf16().count() > TEXT {
        return Err(Refusal::bad("message is too long"));
    }
    Ok(text)
}

/// What stands under `reply_markup`.
enum Markup {
    None,
    Buttons(Value),
    Keyboard(Value),
    Remove,
}

fn markup(params: &Params) -> Result<Markup, Refusal> {
    if !params.has("reply_markup") {
        return Ok(Markup::None);
    }
    let Some(markup) = params.json::<Value>("reply_markup").filter(Value::is_object) else {
        return Err(Refusal::bad("object expected as reply markup"));
    };
    if markup["remove_keyboard"] == json!(true) {
        return Ok(Markup::Remove);
    }
    if markup.get("keyboard").is_some() {
        return Ok(Markup::Keyboard(markup));
    }
    let Some(rows) = markup.get("inline_keyboard") else {
        return Ok(Markup::None);
    };
    let rows = rows.as_array().into_iter().flatten();
    let buttons: Vec<&Value> = rows
        .flat_map(|row| row.as_array().into_iter().flatten())
        .collect();
    for button in &buttons {
        check_button(button)?;
    }
    // An empty keyboard is none.
    Ok(if buttons.is_empty() {
        Markup::None
    } else {
        Markup::Buttons(markup)
    })
}

fn check_button(button: &Value) -> Result<(), Refusal> {
    let text = button["text"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Refusal::bad(
            "can't parse inline keyboard button: field \"text\" must be non-empty",
        ));
    }
    if let Some(data) = button.get("callback_data").and_then(Value::as_str) {
        if data.is_empty() || data.len() > BUTTON_DATA {
            return Err(Refusal::bad("BUTTON_DATA_INVALID"));
        }
        return Ok(());
    }
    if let Some(url) = button.get("url").and_then(Value::as_str) {
        if ["https://", "http://", "tg://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Ok(());
        }
        let what = format!("inline keyboard button URL '{url}' is invalid: Wrong HTTP URL");
        return Err(Refusal::bad(&what));
    }
    let others = [
        "web_app",
        "login_url",
        "copy_text",
        "switch_inline_query",
        "pay",
        "disabled",
    ];
    if others.iter().any(|kind| button.get(kind).is_some()) {
        return Ok(());
    }
    Err(Refusal::bad(
        "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
    ))
}

/// Sends what was made of the parameters.
fn send(world: &mut World, params: &Params, chat: i64, body: Body) -> Outcome {
    let markup = markup(params)?;
    let replied = replied(world, params, chat)?;
    world.flood.take(chat, world.now).map_err(Refusal::flood)?;
    let id = world.post(chat, None, body, topic(params));
    world.change(chat, id, |message| message.reply_to = replied);
    match markup {
        Markup::None => {}
        Markup::Buttons(buttons) => world.change(chat, id, |message| message.buttons = Some(buttons)),
        Markup::Keyboard(keyboard) => keyboard_of(world, chat, Some(keyboard)),
        Markup::Remove => keyboard_of(world, chat, None),
    }
    rendered(world, chat, id)
}

fn keyboard_of(world: &mut World, chat: i64, keyboard: Option<Value>) {
    if let Some(chat) = world.chats.get_mut(&chat) {
        chat.keyboard = keyboard;
    }
}

fn replied(world: &World, params: &Params, chat: i64) -> Result<Option<i32>, Refusal> {
    let Some(reply) = params.json::<Value>("reply_parameters") else {
        return Ok(None);
    };
    let id = reply["message_id"].as_i64().and_then(|id| i32::try_from(id).ok());
    match id.filter(|id| world.message(chat, *id).is_some()) {
        Some(id) => Ok(Some(id)),
        None if reply["allow_sending_without_reply"] == json!(true) => Ok(None),
        None => Err(Refusal::bad("message to be replied not found")),
    }
}

fn rendered(world: &World, chat: i64, id: i32) -> Outcome {
    let place = world.chats.get(&chat);
    let found = place.and_then(|place| Some((place, place.messages.get(&id)?)));
    let (place, message) = found.ok_or_else(|| Refusal::bad("message not found"))?;
    Ok(render::message(world, place, message))
}

pub(crate) fn send_message(world: &mut World, params: &Params) -> Outcome {
    let chat = chat_id(world, params)?;
    let text = message_text(params)?;
    writable(world, chat, topic(params))?;
    send(world, params, chat, Body::Text(text))
}

pub(crate) fn send_file(world: &mut World, params: &Params, photo: bool) -> Outcome {
    let chat = chat_id(world, params)?;
    let field = if photo { "photo" } else { "document" };
    let caption = text(params, "caption")?;
    if caption.plain.encode_utf16().count() > CAPTION {
        return Err(Refusal::bad("message caption is too long"));
    }
    let (file, name, size) = match params.files.get(field) {
        Some(file) => {
            if file.content.len() > if photo { PHOTO } else { DOCUMENT } {
                return Err(Refusal::new(413, "Request Entity Too Large"));
            }
            if photo && !is_picture(&file.content) {
                return Err(Refusal::bad("IMAGE_PROCESS_FAILED"));
            }
            (None, file.name.clone(), file.content.len())
        }
        None => {
            let id = params.text(field).unwrap_or_default();
            let known = world.files.get(&id);
            let known = known
                .ok_or_else(|| Refusal::bad("wrong remote file identifier specified: Wrong string length"))?;
            (Some(id), known.name.clone(), known.content.len())
        }
    };
    if size == 0 {
        return Err(Refusal::bad("file must be non-empty"));
    }
    writable(world, chat, topic(params))?;
    let file = match file {
        Some(file) => file,
        None => {
            let id = format!("file-{}", world.count());
            let content = params
                .files
                .get(field)
                .map(|file| file.content.clone())
                .unwrap_or_default();
            world.files.insert(
                id.clone(),
                Stored {
                    name: name.clone(),
                    content,
                },
            );
            id
        }
    };
    let caption = (!caption.plain.is_empty()).then_some(caption);
    let body = Body::File {
        photo,
        file,
        name,
        size,
        caption,
    };
    send(world, params, chat, body)
}

/// PNG or JPEG by the first bytes.
fn is_picture(content: &[u8]) -> bool {
    content.starts_with(b"\x89PNG\r\n\x1a\n") || content.starts_with(&[0xff, 0xd8, 0xff])
}

/// The bot's own message that is to be changed.
fn own(world: &World, params: &Params) -> Result<(i64, i32), Refusal> {
    let chat = chat_id(world, params)?;
    writable(world, chat, None)?;
    let id = params.number("message_id").and_then(|id| i32::try_from(id).ok());
    let found = id.and_then(|id| world.message(chat, id));
    let message = found.ok_or_else(|| Refusal::bad("message to edit not found"))?;
    if message.from.is_some() {
        return Err(Refusal::bad("message can't be edited"));
    }
    Ok((chat, message.id))
}

pub(crate) fn edit_text(world: &mut World, params: &Params) -> Outcome {
    let text = message_text(params)?;
    let (chat, id) = own(world, params)?;
    let buttons = buttons_only(params)?;
    let Some(old) = world.message(chat, id) else {
        return Err(Refusal::bad("message to edit not found"));
    };
    if !matches!(old.body, Body::Text(_)) {
        return Err(Refusal::bad("there is no text in the message to edit"));
    }
    let body = Body::Text(text);
    if old.body == body && old.buttons == buttons {
        return Err(Refusal::bad(NOT_MODIFIED));
    }
    changed(world, chat, id, Some(body), buttons)
}

pub(crate) fn edit_buttons(world: &mut World, params: &Params) -> Outcome {
    let (chat, id) = own(world, params)?;
    let buttons = buttons_only(params)?;
    if world.message(chat, id).is_some_and(|old| old.buttons == buttons) {
        return Err(Refusal::bad(NOT_MODIFIED));
    }
    changed(world, chat, id, None, buttons)
}

fn buttons_only(params: &Params) -> Result<Option<Value>, Refusal> {
    match markup(params)? {
        Markup::None => Ok(None),
        Markup::Buttons(buttons) => Ok(Some(buttons)),
        Markup::Keyboard(_) | Markup::Remove => Err(Refusal::bad("inline keyboard expected")),
    }
}

fn changed(world: &mut World, chat: i64, id: i32, body: Option<Body>, buttons: Option<Value>) -> Outcome {
    world.flood.take(chat, world.now).map_err(Refusal::flood)?;
    let now = world.now;
    world.change(chat, id, |message| {
        if let Some(body) = body {
            message.body = body;
            message.edited = Some(now);
        }
        message.buttons = buttons;
    });
    rendered(world, chat, id)
}

pub(crate) fn delete(world: &mut World, params: &Params) -> Outcome {
    let chat = chat_id(world, params)?;
    let id = params.number("message_id").and_then(|id| i32::try_from(id).ok());
    let found = id.and_then(|id| world.message(chat, id));
    let message = found.ok_or_else(|| Refusal::bad("message to delete not found"))?;
    if message.date + DELETABLE <= world.now {
        return Err(Refusal::bad("message can't be deleted for everyone"));
    }
    let is_private = world
        .chats
        .get(&chat)
        .is_some_and(|chat| chat.kind == ChatKind::Private);
    if message.from.is_some() && !is_private {
        return Err(Refusal::bad("message can't be deleted"));
    }
    let id = message.id;
    world.change(chat, id, |message| message.deleted = true);
    Ok(json!(true))
}

pub(crate) fn answer_press(world: &mut World, params: &Params) -> Outcome {
    let id = params.text("callback_query_id").unwrap_or_default();
    let text = params.text("text").unwrap_or_default();
    if text.encode_utf16().count() > NOTICE {
        return Err(Refusal::bad("MESSAGE_TOO_LONG"));
    }
    let now = world.now;
    let Some(query) = world.queries.get_mut(&id) else {
        return Err(Refusal::bad(TOO_OLD));
    };
    if query.answered || query.at + ANSWERABLE <= now {
        return Err(Refusal::bad(TOO_OLD));
    }
    query.answered = true;
    let person = query.from;
    let alert = params.flag("show_alert");
    world.notices.push((
        person,
        Notice {
            query: id,
            text,
            alert,
        },
    ));
    world.version += 1;
    Ok(json!(true))
}

pub(crate) fn show_action(world: &mut World, params: &Params) -> Outcome {
    let chat = chat_id(world, params)?;
    writable(world, chat, topic(params))?;
    let action = params.text("action").unwrap_or_default();
    if !action.starts_with("upload_") && !action.starts_with("record_") && action != "typing" {
        return Err(Refusal::bad("wrong parameter action in request"));
    }
    if let Some(chat) = world.chats.get_mut(&chat) {
        chat.actions.push(action);
    }
    Ok(json!(true))
}

pub(crate) fn get_chat(world: &World, params: &Params) -> Outcome {
    let chat = chat_id(world, params)?;
    let found = world.chats.get(&chat);
    found
        .map(|chat| render::chat(world, chat))
        .ok_or_else(|| Refusal::bad("chat not found"))
}
