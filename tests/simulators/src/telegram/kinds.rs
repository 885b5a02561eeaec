//! Updates of every kind that the Bot API 10.3 knows, of kinds that it does not know, and damaged ones: for
//! whatever has to read anything.

use serde_json::{Map, Value, json};

use crate::dice::Dice;

/// Every kind of update in Bot API 10.3.
pub const KINDS: [&str; 27] = [
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
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
    "subscription",
    "stopped_message_generation",
];

/// Kinds that no version knows.
const UNKNOWN: [&str; 3] = ["telepathy", "message_v2", ""];
/// What people write.
const TEXTS: [&str; 14] = [
    "/start",
    "/help",
    "/start Zx81_code-of-once",
    "/stock футболка",
    "/cancel@stock_tracker_bot",
    "/неизвестная",
    "Анна <script>&",
    "анна@почта.рф",
    "+7 (900) 123-45-67",
    "📦👩\u{200d}🚀",
    "\u{202e}справа налево",
    "   ",
    "/",
    "'; drop table users; --",
];
/// Data of buttons, known and not.
const DATA: [&str; 5] = ["menu", "st:7:p2", "", "из старой версии", "a:b:c:d:e:f"];

fn user(id: i64) -> Value {
    json!({"id": id, "is_bot": false, "first_name": "Анна", "language_code": "ru"})
}

fn private(id: i64) -> Value {
    json!({"id": id, "type": "private", "first_name": "Анна"})
}

fn bot() -> Value {
    json!({"id": 100_200_300, "is_bot": true, "first_name": "Stock Tracker", "username": "stock_tracker_bot"})
}

fn message(person: i64, body: &Value) -> Value {
    let mut message = json!({
        "message_id": 7, "date": 1_790_000_000, "chat": private(person), "from": user(person),
    });
    for (name, value) in body.as_object().into_iter().flatten() {
        message[name.as_str()] = value.clone();
    }
    message
}

fn member(status: &str) -> Value {
    let mut member = json!({"user": bot(), "status": status});
    if status == "kicked" {
        member["until_date"] = json!(0);
    }
    member
}

/// The content of an update of this kind, about this person; none for a kind that is not in [`KINDS`].
#[must_use]
pub fn sample(kind: &str, person: i64) -> Option<Value> {
    let text = || message(person, &json!({"text": "hello"}));
    let channel = || json!({"id": -1_002_000_000_009_i64, "type": "channel", "title": "Канал"});
    let date = 1_790_000_000;
    let source = || json!({"source": "premium", "user": user(person)});
    Some(match kind {
        "message" | "edited_message" | "guest_message" => text(),
        "business_message" | "edited_business_message" => {
            message(person, &json!({"text": "hello", "business_connection_id": "b1"}))
        }
        "channel_post" | "edited_channel_post" => {
            json!({"message_id": 3, "date": date, "chat": channel(), "sender_chat": channel(), "text": "post"})
        }
        "business_connection" => {
            json!({"id": "b1", "user": user(person), "user_chat_id": person, "date": date, "is_enabled": true})
        }
        "deleted_business_messages" => {
            json!({"business_connection_id": "b1", "chat": private(person), "message_ids": [1, 2]})
        }
        "message_reaction" => json!({
            "chat": private(person), "message_id": 7, "user": user(person), "date": date, "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": "👍"}],
        }),
        "message_reaction_count" => json!({
            "chat": channel(), "message_id": 3, "date": date,
            "reactions": [{"type": {"type": "emoji", "emoji": "👍"}, "total_count": 2}],
        }),
        "inline_query" => json!({"id": "i1", "from": user(person), "query": "футболка", "offset": ""}),
        "chosen_inline_result" => json!({"result_id": "r1", "from": user(person), "query": "футболка"}),
        "callback_query" => json!({
            "id": "4382", "from": user(person), "message": text(), "chat_instance": "-42", "data": "menu",
        }),
        "shipping_query" => json!({
            "id": "s1", "from": user(person), "invoice_payload": "p",
            "shipping_address": {
                "country_code": "RU", "state": "", "city": "Москва", "street_line1": "", "street_line2": "",
                "post_code": "101000",
            },
        }),
        "pre_checkout_query" => json!({
            "id": "c1", "from": user(person), "currency": "XTR", "total_amount": 5, "invoice_payload": "p",
        }),
        "purchased_paid_media" => json!({"from": user(person), "paid_media_payload": "p"}),
        "poll" => json!({
            "id": "p1", "question": "?", "options": [{"text": "да", "voter_count": 0, "persistent_id": "0"}],
            "total_voter_count": 0, "is_closed": false, "is_anonymous": true, "type": "regular",
            "allows_multiple_answers": false, "allows_revoting": false, "members_only": false,
        }),
        "poll_answer" => {
            json!({"poll_id": "p1", "user": user(person), "option_ids": [0], "option_persistent_ids": ["0"]})
        }
        "my_chat_member" | "chat_member" => json!({
            "chat": private(person), "from": user(person), "date": date, "old_chat_member": member("member"),
            "new_chat_member": member("kicked"),
        }),
        "chat_join_request" => {
            json!({"chat": channel(), "from": user(person), "user_chat_id": person, "date": date})
        }
        "chat_boost" => json!({
            "chat": channel(),
            "boost": {"boost_id": "b", "add_date": date, "expiration_date": date, "source": source()},
        }),
        "removed_chat_boost" => {
            json!({"chat": channel(), "boost_id": "b", "remove_date": date, "source": source()})
        }
        "managed_bot" => json!({"user": user(person), "bot": bot()}),
        "subscription" => json!({"user": user(person), "invoice_payload": "p", "state": "canceled"}),
        "stopped_message_generation" => json!({"chat": private(person), "draft_id": 1}),
        _ => return None,
    })
}

/// What a message can carry beside text.
fn body(dice: &mut Dice) -> Value {
    let file = json!({"file_id": "f", "file_unique_id": "f", "file_size": 3});
    let pick = dice.pick(&TEXTS).copied().unwrap_or("/start");
    match dice.below(12) {
        0 => json!({"contact": {"phone_number": "+79001234567", "first_name": "Анна"}}),
        1 => json!({"document": file, "caption": pick}),
        2 => json!({"photo": [{"file_id": "f", "file_unique_id": "f", "width": 1, "height": 1}]}),
        3 => json!({"location": {"latitude": 55.75, "longitude": 37.62}}),
        4 => json!({"dice": {"emoji": "🎲", "value": 3}}),
        5 => {
            json!({"text": pick, "forward_origin": {"type": "hidden_user", "sender_user_name": "П", "date": 1}})
        }
        6 => json!({"text": "я".repeat(4096)}),
        7 => json!({"new_chat_title": "Другой"}),
        8 => json!({"text": pick, "entities": [{"type": "hologram", "offset": 0, "length": 1}]}),
        _ => json!({"text": pick}),
    }
}

/// Makes one value somewhere in it another one, or takes it away.
fn damage(value: &mut Value, dice: &mut Dice) {
    let junk = [
        json!(null),
        json!("text"),
        json!(-1),
        json!(1.5e300),
        json!([]),
        json!({}),
        json!(true),
    ];
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let Some(name) = dice.pick(&names) else { return };
            if dice.percent(20) {
                fields.remove(name);
            } else if let Some(field) = fields.get_mut(name) {
                damage(field, dice);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = dice.below(items.len());
            if let Some(item) = items.get_mut(at) {
                damage(item, dice);
            }
        }
        other => *other = dice.pick(&junk).cloned().unwrap_or_default(),
    }
}

/// An update that follows from the seed, about this person: mostly messages and pressed buttons, but every
/// kind, unknown ones, and damaged ones. It has no id yet: see [`super::Telegram::update`].
#[must_use]
pub fn any_update(seed: u64, person: i64) -> Value {
    let mut dice = Dice::new(seed);
    let kind = match dice.below(10) {
        0..5 => "message",
        5 | 6 => "callback_query",
        7 | 8 => dice.pick(&KINDS).copied().unwrap_or("message"),
        _ => dice.pick(&UNKNOWN).copied().unwrap_or("telepathy"),
    };
    let mut content = sample(kind, person).unwrap_or_else(|| json!({"thought": [1, null]}));
    match kind {
        "message" => content = message(person, &body(&mut dice)),
        "callback_query" => {
            content["data"] = json!(dice.pick(&DATA));
            if dice.percent(30) {
                content["message"] = json!({"message_id": 1, "date": 0, "chat": private(person)});
            }
        }
        _ => {}
    }
    if dice.percent(15) {
        damage(&mut content, &mut dice);
    }
    let mut update = Map::new();
    update.insert(kind.to_owned(), content);
    Value::Object(update)
}
