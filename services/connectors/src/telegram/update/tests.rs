//! One update that cannot be read takes no other with it.

use frankenstein::types::MaybeInaccessibleMessage;
use frankenstein::updates::UpdateContent;
use secrecy::SecretString;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Read, Received, Skipped, Why, is_from_telegram, read_update, read_updates};

fn message(text: &str) -> Value {
    json!({
        "message_id": 7, "date": 1_790_000_000,
        "from": {"id": 4_611_686_018_427_i64, "is_bot": false, "first_name": "Тест", "language_code": "ru"},
        "chat": {"id": 4_611_686_018_427_i64, "type": "private", "first_name": "Тест"},
        "text": text,
    })
}

fn received(update: &Value) -> Received {
    match read_update(update.to_string().as_bytes()) {
        Read::Update(received) => *received,
        Read::Skipped(skipped) => panic!("{skipped:?}"),
    }
}

fn text(received: &Received) -> Option<&str> {
    match &received.content {
        UpdateContent::Message(message) => message.text.as_deref(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_update_of_an_unknown_kind_does_not_take_its_neighbours_with_it() {
    let updates = [
        json!({"update_id": 10, "message": message("/start")}),
        json!({"update_id": 11, "telepathy": {"thought": 1}}),
        json!({"update_id": 12}),
        json!({"update_id": 13, "message": {"message_id": "seven"}}),
        json!(["no update"]),
        json!({"message": message("without an id")}),
        json!({"update_id": 14, "message": message("/help")}),
    ];
    let raw: Vec<Box<RawValue>> = updates
        .iter()
        .map(|update| RawValue::from_string(update.to_string()).unwrap())
        .collect();
    let all = read_updates(&raw);
    let texts: Vec<Option<&str>> = all.received.iter().map(text).collect();
    assert_eq!(texts, [Some("/start"), Some("/help")]);
    assert_eq!(all.next_offset, Some(15));
    let skipped = |id, kind, why| Skipped { id, kind, why };
    assert_eq!(
        all.skipped,
        [
            skipped(Some(11), "unknown", Why::UnknownKind),
            skipped(Some(12), "unknown", Why::UnknownKind),
            skipped(Some(13), "message", Why::Unreadable),
            skipped(None, "unknown", Why::Unreadable),
            skipped(None, "message", Why::Unreadable),
        ]
    );
}

#[test]
fn only_unknown_updates_are_confirmed_as_well() {
    let raw = [RawValue::from_string(r#"{"update_id":99,"telepathy":{}}"#.to_owned()).unwrap()];
    assert_eq!(read_updates(&raw).next_offset, Some(100));
    assert_eq!(read_updates(&[]).next_offset, None);
}

#[test]
fn a_command_with_an_unreadable_part_is_still_a_command() {
    let mut message = message("/stock 123");
    message["photo"] = json!("no list");
    message["entities"] = json!([{"type": "hologram", "offset": 0, "length": 6}]);
    message["poll"] = json!({"id": 1});
    let received = received(&json!({"update_id": 1, "message": message}));
    assert_eq!(text(&received), Some("/stock 123"));
    assert_eq!(received.left_out, 2, "photo and poll");
}

#[test]
fn a_pressed_button_of_an_old_message_is_read() {
    let from = message("x")["from"].clone();
    let chat = message("x")["chat"].clone();
    let received = received(&json!({"update_id": 5_000_000_000_i64, "callback_query": {
        "id": "4382bfdwdsb323b2d9", "from": from, "chat_instance": "-42", "data": "st:7:p2",
        "message": {"message_id": 77, "date": 0, "chat": chat},
    }}));
    assert_eq!(received.id, 5_000_000_000, "ids may outgrow 32 bits");
    let UpdateContent::CallbackQuery(query) = received.content else {
        panic!("{received:?}")
    };
    assert_eq!(query.data.as_deref(), Some("st:7:p2"));
    // The library takes it for a whole message of the year 1970.
    let Some(MaybeInaccessibleMessage::Message(old)) = query.message else {
        panic!("{:?}", query.message)
    };
    assert_eq!((old.message_id, old.date, old.text), (77, 0, None));
}

#[test]
fn a_field_beside_the_kind_does_no_harm() {
    let received = received(&json!({"update_id": 1, "shard": "a", "message": message("hello")}));
    assert_eq!(text(&received), Some("hello"));
}

#[test]
fn only_the_secret_that_was_set_is_telegrams() {
    let secret = SecretString::from("s3cret_Token-1");
    assert!(is_from_telegram(Some("s3cret_Token-1"), &secret));
    for wrong in [None, Some(""), Some("s3cret_Token-"), Some("s3cret_Token-2")] {
        assert!(!is_from_telegram(wrong, &secret), "{wrong:?}");
    }
}
