//! Objects of the Bot API, as updates and answers carry them.

use serde_json::{Value, json};

use super::world::{Body, Chat, ChatKind, Message, Standing, World};

pub(crate) fn bot(world: &World) -> Value {
    json!({
        "id": world.bot, "is_bot": true, "first_name": world.bot_name, "username": world.bot_username,
    })
}

pub(crate) fn user(world: &World, id: i64) -> Value {
    let Some(person) = world.people.get(&id) else {
        return json!({"id": id, "is_bot": false, "first_name": "?"});
    };
    let mut user = json!({
        "id": id, "is_bot": false, "first_name": person.name, "language_code": person.language,
    });
    if let Some(name) = &person.username {
        user["username"] = json!(name);
    }
    user
}

pub(crate) fn chat(world: &World, chat: &Chat) -> Value {
    match chat.kind {
        ChatKind::Private => {
            let mut value = json!({"id": chat.id, "type": "private", "first_name": chat.title});
            let name = world
                .people
                .get(&chat.id)
                .and_then(|person| person.username.as_ref());
            if let Some(name) = name {
                value["username"] = json!(name);
            }
            value
        }
        kind => {
            let mut value = json!({"id": chat.id, "type": kind, "title": chat.title});
            if chat.forum {
                value["is_forum"] = json!(true);
            }
            value
        }
    }
}

pub(crate) fn message(world: &World, place: &Chat, message: &Message) -> Value {
    let from = match message.from {
        Some(id) => user(world, id),
        None => bot(world),
    };
    let mut value = json!({
        "message_id": message.id, "date": message.date.timestamp(), "chat": chat(world, place), "from": from,
    });
    if let Some(topic) = message.topic {
        value["message_thread_id"] = json!(topic);
        value["is_topic_message"] = json!(true);
    }
    if let Some(at) = message.edited {
        value["edit_date"] = json!(at.timestamp());
    }
    if let Some(buttons) = &message.buttons {
        value["reply_markup"] = buttons.clone();
    }
    if let Some(replied) = message.reply_to.and_then(|id| world.message(place.id, id)) {
        value["reply_to_message"] = self::message(
            world,
            place,
            &Message {
                reply_to: None,
                ..replied.clone()
            },
        );
    }
    if message.forwarded {
        value["forward_origin"] =
            json!({"type": "hidden_user", "sender_user_name": "Пётр", "date": message.date.timestamp()});
    }
    body(&mut value, &message.body);
    value
}

fn body(value: &mut Value, body: &Body) {
    match body {
        Body::Text(text) => {
            value["text"] = json!(text.plain);
            if !text.entities.is_empty() {
                value["entities"] = json!(text.entities);
            }
        }
        Body::File {
            photo,
            file,
            name,
            size,
            caption,
        } => {
            if *photo {
                value["photo"] = json!([{
                    "file_id": file, "file_unique_id": file, "width": 800, "height": 600, "file_size": size,
                }]);
            } else {
                value["document"] =
                    json!({"file_id": file, "file_unique_id": file, "file_name": name, "file_size": size});
            }
            if let Some(caption) = caption {
                value["caption"] = json!(caption.plain);
                if !caption.entities.is_empty() {
                    value["caption_entities"] = json!(caption.entities);
                }
            }
        }
        Body::Contact { phone, name, user } => {
            value["contact"] = json!({"phone_number": phone, "first_name": name});
            if let Some(user) = user {
                value["contact"]["user_id"] = json!(user);
            }
        }
        Body::Fields(fields) => {
            for (name, field) in fields.as_object().into_iter().flatten() {
                value[name.as_str()] = field.clone();
            }
        }
    }
}

/// What the bot is in a chat, as `ChatMember`.
pub(crate) fn member(world: &World, standing: Standing) -> Value {
    let mut value = json!({"user": bot(world), "status": "member"});
    match standing {
        Standing::Member | Standing::ReadOnly => {}
        Standing::Blocked | Standing::Kicked | Standing::Deactivated => {
            value["status"] = json!("kicked");
            value["until_date"] = json!(0);
        }
        Standing::New | Standing::Left => value["status"] = json!("left"),
    }
    value
}
