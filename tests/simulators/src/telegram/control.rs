//! Switches over HTTP, below `/_sim/`: what a person does with a phone, for tests in other processes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::limits::TelegramLimits;
use super::people;
use super::service::Service;
use super::world::{ChatKind, Standing};
use crate::server::{Answer, Call, with};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPerson {
    name: String,
    #[serde(default)]
    username: Option<String>,
    #[serde(default = "russian")]
    language: String,
}

fn russian() -> String {
    "ru".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    title: String,
    members: Vec<i64>,
    #[serde(default = "group")]
    kind: ChatKind,
}

fn group() -> ChatKind {
    ChatKind::Group
}

/// A message: one of text, contact, document and fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    from: i64,
    #[serde(default)]
    text: Option<String>,
    /// `own` or `other`.
    #[serde(default)]
    contact: Option<String>,
    #[serde(default)]
    document: Option<Document>,
    /// Fields of a message as they are.
    #[serde(default)]
    fields: Option<Value>,
    #[serde(default)]
    topic: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    base64: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    from: i64,
    message: i32,
    data: String,
    /// Whether the bot can no longer see the message.
    #[serde(default)]
    old: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stand {
    bot: Standing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetLimits {
    limits: TelegramLimits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NextId {
    next: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    #[serde(default)]
    advance_seconds: Option<i64>,
    #[serde(default)]
    to: Option<DateTime<Utc>>,
}

fn ok(value: &Value) -> Answer {
    Answer::json(200, value)
}

fn found<T>(found: Option<T>, answer: impl FnOnce(T) -> Value) -> Answer {
    match found {
        Some(found) => ok(&answer(found)),
        None => Answer::json(404, &json!({"error": "there is no such thing"})),
    }
}

pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    let path = call.path.strip_prefix("/_sim/").unwrap_or_default();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["state"]) => ok(&state(service)),
        ("POST", ["clock"]) => with::<MoveClock>(call, |set| {
            let clock = &service.config.clock;
            let to = set.to.map(|to| to - clock.now());
            let by = to.or(set.advance_seconds.and_then(TimeDelta::try_seconds));
            clock.add(by.unwrap_or_default().max(TimeDelta::zero()));
            ok(&json!({"now": clock.now()}))
        }),
        ("POST", ["limits"]) => with::<SetLimits>(call, |set| {
            service.with(|world| world.flood.limits = set.limits);
            Answer::empty(204)
        }),
        ("POST", ["updates"]) => with::<Value>(call, |content| {
            let id = service.with(|world| world.push(0, content));
            ok(&json!({"update_id": id}))
        }),
        ("POST", ["update_ids"]) => with::<NextId>(call, |set| {
            service.with(|world| world.next_update = set.next);
            Answer::empty(204)
        }),
        ("POST", ["people"]) => with::<NewPerson>(call, |new| {
            let name = new.username.as_deref();
            let id = service.with(|world| world.add_person(&new.name, name, &new.language));
            ok(&json!({"id": id}))
        }),
        ("POST", ["groups"]) => with::<NewGroup>(call, |new| {
            let make = |world: &mut _| people::make_group(world, &new.title, &new.members, new.kind);
            ok(&json!({"id": service.with(make)}))
        }),
        (_, ["chats", chat, rest @ ..]) => match chat.parse() {
            Ok(id) => of_chat(service, call, id, rest),
            Err(_) => found(None::<i64>, |_| Value::Null),
        },
        _ => Answer::json(404, &json!({"error": "no such control"})),
    }
}

fn state(service: &Service) -> Value {
    service.with(|world| {
        json!({
            "pending": world.updates.len(), "early": world.flood.early,
            "conflicts": service.polls.conflicts(),
            "nextUpdateId": world.next_update, "commands": world.commands, "allowedUpdates": world.allowed,
            "chats": world.chats.keys().collect::<Vec<_>>(),
        })
    })
}

fn of_chat(service: &Service, call: &Call, chat: i64, rest: &[&str]) -> Answer {
    match (call.method.as_str(), rest) {
        ("GET", []) => service.with(|world| {
            let place = world.chats.get(&chat);
            found(place, |place| {
                let notices: Vec<_> = world
                    .notices
                    .iter()
                    .filter(|(id, _)| place.members.contains(id))
                    .collect();
                json!({
                    "id": chat, "kind": place.kind, "title": place.title, "bot": place.standing,
                    "migratedTo": place.migrated_to, "actions": place.actions, "keyboard": place.keyboard,
                    "messages": people::seen(world, chat), "notices": notices,
                })
            })
        }),
        ("POST", ["messages"]) => with::<NewMessage>(call, |new| say(service, chat, new)),
        ("POST", ["messages", id]) => with::<Edit>(call, |edit| {
            let id = id.parse().unwrap_or_default();
            service.with(|world| people::edit(world, chat, id, &edit.text));
            Answer::empty(204)
        }),
        ("POST", ["press"]) => with::<Press>(call, |press| {
            let query = service.with(|world| {
                let push = if press.old {
                    people::press_old
                } else {
                    people::press
                };
                push(world, press.from, chat, press.message, &press.data)
            });
            found(query, |query| json!({"query": query}))
        }),
        ("POST", ["standing"]) => with::<Stand>(call, |set| {
            service.with(|world| people::set_standing(world, chat, set.bot));
            Answer::empty(204)
        }),
        ("POST", ["migrate"]) => {
            let new = service.with(|world| people::migrate(world, chat));
            found(new, |id| json!({"id": id}))
        }
        ("POST", ["topics"]) => with::<Topic>(call, |topic| {
            let id = service.with(|world| people::make_topic(world, chat, &topic.name));
            found(id, |id| json!({"topic": id}))
        }),
        _ => Answer::json(404, &json!({"error": "no such control"})),
    }
}

fn say(service: &Service, chat: i64, new: NewMessage) -> Answer {
    let id = service.with(|world| {
        let body = match (new.text, new.contact, new.document, new.fields) {
            (Some(text), ..) => people::text(&text),
            (_, Some(whose), ..) => people::contact(world, new.from, whose == "own"),
            (_, _, Some(document), _) => {
                let content = STANDARD.decode(&document.base64).ok()?;
                people::document(world, &document.name, content)
            }
            (_, _, _, fields) => super::world::Body::Fields(fields?),
        };
        world.chats.contains_key(&chat).then_some(())?;
        Some(people::write(world, new.from, chat, body, new.topic))
    });
    found(id, |id| json!({"message_id": id}))
}
