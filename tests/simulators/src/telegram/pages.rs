//! The chats as pages for a browser: plain forms, nothing from elsewhere, and a script that only looks
//! whether something is new.

use super::html;
use super::people::{self, Seen, SeenButton};
use super::service::Service;
use super::world::{Chat, ChatKind, Standing, World};
use crate::server::{Answer, Call};
use crate::text::escape;

const STYLE: &str = include_str!("pages/style.css");
const SCRIPT: &str = include_str!("pages/refresh.js");
const HTML: &str = "text/html; charset=utf-8";

pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    let form = call.form();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", [""]) => service.with(|world| index(world)),
        ("POST", ["people"]) => {
            let name = field("name");
            let name = if name.trim().is_empty() {
                "Анна"
            } else {
                name.trim()
            };
            let language = if field("language") == "en" { "en" } else { "ru" };
            let id = service.with(|world| world.add_person(name, None, language));
            see(&format!("/chats/{id}"))
        }
        ("POST", ["groups"]) => {
            let title = field("title");
            let id = service.with(|world| {
                let members: Vec<i64> = world.people.keys().copied().collect();
                let title = if title.trim().is_empty() {
                    "Склад"
                } else {
                    title.trim()
                };
                people::make_group(world, title, &members, ChatKind::Group)
            });
            see(&format!("/chats/{id}"))
        }
        ("GET", ["files", id]) => file(service, id),
        (method, ["chats", chat, rest @ ..]) => match chat.parse() {
            Ok(id) => of_chat(service, call, method, id, rest),
            Err(_) => missing(),
        },
        _ => missing(),
    }
}

fn of_chat(service: &Service, call: &Call, method: &str, id: i64, rest: &[&str]) -> Answer {
    let form = call.form();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let number = |name: &str| field(name).parse::<i64>().ok();
    match (method, rest) {
        ("GET", []) if call.param("peek").is_some() => {
            let version = service.with(|world| world.version.to_string());
            Answer::raw(200, "text/plain", version)
        }
        ("GET", []) => service.with(|world| match world.chats.get(&id) {
            Some(chat) => page(world, chat),
            None => missing(),
        }),
        ("POST", [action]) => {
            service.with(|world| {
                let member = world
                    .chats
                    .get(&id)
                    .and_then(|chat| chat.members.first().copied());
                let person = number("as").or(member).unwrap_or(id);
                let topic = number("topic").and_then(|topic| i32::try_from(topic).ok());
                let message = number("message").and_then(|id| i32::try_from(id).ok());
                match *action {
                    "send" if !field("text").trim().is_empty() => {
                        people::write(world, person, id, people::text(field("text").trim()), topic);
                    }
                    "contact" => {
                        let body = people::contact(world, person, true);
                        people::write(world, person, id, body, topic);
                    }
                    "press" => {
                        people::press(world, person, id, message.unwrap_or_default(), &field("data"));
                    }
                    "block" => people::set_standing(world, id, Standing::Blocked),
                    "remove" => people::set_standing(world, id, Standing::Kicked),
                    "allow" => people::set_standing(world, id, Standing::Member),
                    "migrate" => {
                        people::migrate(world, id);
                    }
                    "topic" => {
                        people::make_topic(world, id, "Новая тема");
                    }
                    _ => {}
                }
            });
            see(&format!("/chats/{id}"))
        }
        _ => missing(),
    }
}

fn see(address: &str) -> Answer {
    Answer::empty(303).header("Location", &address)
}

fn missing() -> Answer {
    let body = "<main class=\"home\"><h1>Not found</h1><p><a href=\"/\">All chats</a></p></main>";
    Answer::raw(404, HTML, document("Not found", body))
}

fn file(service: &Service, id: &str) -> Answer {
    service.with(|world| match world.files.get(id) {
        Some(file) if file.content.starts_with(b"\x89PNG") => {
            Answer::raw(200, "image/png", file.content.clone())
        }
        Some(file) if file.content.starts_with(&[0xff, 0xd8]) => {
            Answer::raw(200, "image/jpeg", file.content.clone())
        }
        Some(file) => {
            let name: String = file
                .name
                .chars()
                .filter(|c| c.is_ascii_graphic() && *c != '"')
                .collect();
            Answer::raw(200, "application/octet-stream", file.content.clone())
                .header("Content-Disposition", &format!("attachment; filename=\"{name}\""))
        }
        None => missing(),
    })
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body>{body}</body></html>",
        escape(title)
    )
}

fn index(world: &World) -> Answer {
    let mut list = String::new();
    for chat in world.chats.values() {
        let last = people::seen(world, chat.id).pop();
        let last = last.map_or_else(String::new, |message| message.text.chars().take(60).collect());
        list.push_str(&format!(
            "<li><a href=\"/chats/{}\">{}<span><b>{}</b><small>{}</small></span></a></li>",
            chat.id,
            avatar(&chat.title),
            escape(&chat.title),
            escape(&last)
        ));
    }
    if list.is_empty() {
        list.push_str("<li class=\"none\">Nobody here yet: make a person, and write to the bot.</li>");
    }
    let body = format!(
        "<main class=\"home\"><p class=\"test\">Simulated Telegram: no message leaves this machine</p>\
         <h1>Chats of @{}</h1><ul>{list}</ul>\
         <form method=\"post\" action=\"/people\"><input name=\"name\" placeholder=\"Name\">\
         <select name=\"language\"><option value=\"ru\">Русский</option><option value=\"en\">English</option>\
         </select><button>New person</button></form>\
         <form method=\"post\" action=\"/groups\"><input name=\"title\" placeholder=\"Title\">\
         <button>New group with everybody</button></form></main>",
        escape(&world.bot_username)
    );
    Answer::raw(200, HTML, document("Chats", &body)).header("Cache-Control", &"no-store")
}

fn avatar(title: &str) -> String {
    let letter: String = title.chars().take(1).collect();
    let hue = title.chars().map(u32::from).sum::<u32>() * 47 % 360;
    format!(
        "<i class=\"face\" style=\"background:hsl({hue} 55% 55%)\">{}</i>",
        escape(&letter.to_uppercase())
    )
}

fn page(world: &World, chat: &Chat) -> Answer {
    let messages: String = people::seen(world, chat.id)
        .iter()
        .map(|message| bubble(world, chat, message))
        .collect();
    let state = match chat.standing {
        Standing::New => "not started",
        Standing::Member => "bot",
        Standing::ReadOnly => "bot may not write",
        Standing::Blocked => "bot blocked",
        Standing::Deactivated => "account deleted",
        Standing::Kicked => "bot removed",
        Standing::Left => "bot not here",
    };
    let (stop, name) = if chat.kind == ChatKind::Private {
        ("block", "Block bot")
    } else {
        ("remove", "Remove bot")
    };
    let action = |action: &str, name: &str| {
        format!(
            "<button formaction=\"/chats/{}/{action}\" class=\"quiet\">{name}</button>",
            chat.id
        )
    };
    let mut actions = match chat.standing {
        Standing::Member | Standing::ReadOnly => action(stop, name),
        _ => action("allow", "Allow bot"),
    };
    match chat.kind {
        ChatKind::Group if chat.migrated_to.is_none() => {
            actions.push_str(&action("migrate", "Make supergroup"));
        }
        ChatKind::Supergroup => actions.push_str(&action("topic", "New topic")),
        _ => {}
    }
    let title = match chat.kind {
        ChatKind::Private => format!("{} (chat of {})", world.bot_name, chat.title),
        _ => chat.title.clone(),
    };
    let body = format!(
        "<header><a href=\"/\" class=\"back\">←</a>{}<div><h1>{}</h1><small>{state}</small></div>\
         <form method=\"post\">{actions}</form></header>\
         <main id=\"chat\" data-version=\"{}\">{messages}{}</main><footer>{}{}</footer>\
         <script>{SCRIPT}</script>",
        avatar(&title),
        escape(&title),
        world.version,
        notices(world, chat),
        keyboard(chat),
        writing(world, chat),
    );
    Answer::raw(200, HTML, document(&title, &body)).header("Cache-Control", &"no-store")
}

/// The last thing that the bot answered to a pressed button.
fn notices(world: &World, chat: &Chat) -> String {
    let mut newest = world.notices.iter().rev();
    match newest.find(|(id, _)| chat.members.contains(id)) {
        Some((_, notice)) if !notice.text.is_empty() => {
            let class = if notice.alert { "notice alert" } else { "notice" };
            format!("<p class=\"{class}\">{}</p>", escape(&notice.text))
        }
        _ => String::new(),
    }
}

/// Buttons that write their own text, as a keyboard below the chat.
fn keyboard(chat: &Chat) -> String {
    let rows = chat
        .keyboard
        .as_ref()
        .and_then(|keyboard| keyboard["keyboard"].as_array());
    let mut out = String::new();
    for row in rows.into_iter().flatten() {
        out.push_str("<div class=\"keys\">");
        for button in row.as_array().into_iter().flatten() {
            let text = button["text"].as_str().or(button.as_str()).unwrap_or_default();
            let action = if button["request_contact"] == serde_json::json!(true) {
                "contact"
            } else {
                "send"
            };
            out.push_str(&format!(
                "<form method=\"post\" action=\"/chats/{}/{action}\">\
                 <input type=\"hidden\" name=\"text\" value=\"{text}\"><button>{text}</button></form>",
                chat.id,
                text = escape(text)
            ));
        }
        out.push_str("</div>");
    }
    out
}

fn writing(world: &World, chat: &Chat) -> String {
    let mut who = String::new();
    if chat.members.len() > 1 {
        let options = chat
            .members
            .iter()
            .filter_map(|id| Some((id, world.people.get(id)?)));
        let options: String = options
            .map(|(id, person)| format!("<option value=\"{id}\">{}</option>", escape(&person.name)))
            .collect();
        who = format!("<select name=\"as\">{options}</select>");
    }
    if !chat.topics.is_empty() {
        let options: String = chat
            .topics
            .iter()
            .map(|(id, (name, _))| format!("<option value=\"{id}\">{}</option>", escape(name)))
            .collect();
        who.push_str(&format!(
            "<select name=\"topic\"><option value=\"\">General</option>{options}</select>"
        ));
    }
    format!(
        "<form method=\"post\" action=\"/chats/{}/send\" class=\"write\">{who}\
         <textarea name=\"text\" rows=\"1\" placeholder=\"/start\" autofocus></textarea>\
         <button>➤</button></form>",
        chat.id
    )
}

fn bubble(world: &World, chat: &Chat, message: &Seen) -> String {
    let class = match message.from {
        Some(_) => "mine",
        None => "theirs",
    };
    if let Some(service) = &message.service {
        return format!("<p class=\"service\">{}</p>", escape(&service.to_string()));
    }
    let mut inside = String::new();
    if let (Some(id), true) = (message.from, chat.members.len() > 1) {
        let name = world
            .people
            .get(&id)
            .map(|person| person.name.clone())
            .unwrap_or_default();
        inside.push_str(&format!("<b class=\"who\">{}</b>", escape(&name)));
    }
    if let Some(topic) = message.topic.and_then(|topic| chat.topics.get(&topic)) {
        inside.push_str(&format!("<small class=\"topic\"># {}</small>", escape(&topic.0)));
    }
    if let Some(file) = &message.file {
        let id = escape(&file.id);
        inside.push_str(&if file.photo {
            format!("<img src=\"/files/{id}\" alt=\"{}\">", escape(&file.name))
        } else {
            format!(
                "<a class=\"file\" href=\"/files/{id}\">📄 <span>{}<small>{} B</small></span></a>",
                escape(&file.name),
                file.size
            )
        });
    }
    if !message.text.is_empty() {
        let shown = if message.html.is_empty() {
            html::plain(&message.text).page
        } else {
            message.html.clone()
        };
        inside.push_str(&format!("<div class=\"text\">{shown}</div>"));
    }
    if message.edited {
        inside.push_str("<small class=\"edited\">edited</small>");
    }
    let rows: String = message
        .buttons
        .iter()
        .map(|row| {
            let row: String = row.iter().map(|one| button(chat, message.id, one)).collect();
            format!("<div class=\"keys\">{row}</div>")
        })
        .collect();
    format!("<div class=\"line {class}\"><div class=\"bubble\">{inside}</div>{rows}</div>")
}

fn button(chat: &Chat, message: i32, button: &SeenButton) -> String {
    let text = escape(&button.text);
    if let Some(url) = &button.url {
        return format!("<a class=\"key\" href=\"{}\">{text} ↗</a>", escape(url));
    }
    let (Some(data), false) = (&button.data, button.disabled) else {
        return format!("<button class=\"key\" disabled>{text}</button>");
    };
    format!(
        "<form method=\"post\" action=\"/chats/{}/press\"><input type=\"hidden\" name=\"message\" \
         value=\"{message}\"><input type=\"hidden\" name=\"data\" value=\"{}\">\
         <button>{text}</button></form>",
        chat.id,
        escape(data)
    )
}
