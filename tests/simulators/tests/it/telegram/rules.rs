//! What Telegram refuses: tokens, methods, texts, buttons, chats, times and floods.

use chrono::TimeDelta;
use serde_json::json;
use simulators::TelegramConfig;
use simulators::telegram::TelegramLimits;

use super::World;

#[tokio::test]
async fn only_the_bots_token_and_known_methods_are_answered() {
    let world = World::start(TelegramConfig::default()).await;
    for (path, status, words) in [
        ("/bot1:wrong/getMe", 401, "Unauthorized"),
        ("/bot/getMe", 401, "Unauthorized: invalid token specified"),
        ("/botabc/getMe", 401, "Unauthorized: invalid token specified"),
    ] {
        let answer = world
            .http
            .get(format!("{}{path}", world.sim.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["description"], words);
    }
    let unknown = world.refused("readMind", json!({})).await;
    assert_eq!(unknown, (404, "Not Found: method not found".to_owned()));
    let me = world.ok("GETME", json!({})).await;
    assert_eq!(me["is_bot"], true, "names of methods have no case");
}

#[tokio::test]
async fn a_text_has_a_length_and_marks_that_fit() {
    let world = World::start(TelegramConfig::default()).await;
    let chat = world.anna().id();
    let refused = async |text: String, mode: &str| {
        let body = json!({"chat_id": chat, "text": text, "parse_mode": mode});
        world.refused("sendMessage", body).await.1
    };
    assert_eq!(
        refused(String::new(), "").await,
        "Bad Request: message text is empty"
    );
    assert_eq!(
        refused("<b> </b>".to_owned(), "HTML").await,
        "Bad Request: message text is empty"
    );
    assert_eq!(
        refused("я".repeat(4097), "").await,
        "Bad Request: message is too long"
    );
    assert_eq!(
        refused("📦".repeat(2049), "").await,
        "Bad Request: message is too long"
    );
    assert_eq!(
        refused("Ё <p>".to_owned(), "HTML").await,
        "Bad Request: can't parse entities: Unsupported start tag \"p\" at byte offset 3"
    );
    let fits = json!({"chat_id": chat, "text": format!("<b>{}</b>", "я".repeat(4096)), "parse_mode": "HTML"});
    world.ok("sendMessage", fits).await;
}

#[tokio::test]
async fn a_button_has_data_of_64_bytes_at_most() {
    let world = World::start(TelegramConfig::default()).await;
    let chat = world.anna().id();
    let with = |button: serde_json::Value| json!({"chat_id": chat, "text": "menu", "reply_markup": {"inline_keyboard": [[button]]}});
    world
        .ok(
            "sendMessage",
            with(json!({"text": "a", "callback_data": "x".repeat(64)})),
        )
        .await;
    world
        .ok("sendMessage", with(json!({"text": "a", "disabled": {}})))
        .await;
    let long = world
        .refused(
            "sendMessage",
            with(json!({"text": "a", "callback_data": "я".repeat(33)})),
        )
        .await;
    assert_eq!(long.1, "Bad Request: BUTTON_DATA_INVALID");
    let bare = world.refused("sendMessage", with(json!({"text": "a"}))).await;
    assert!(
        bare.1
            .contains("Text buttons are unallowed in the inline keyboard")
    );
    let wrong = world
        .refused("sendMessage", with(json!({"text": "a", "url": "javascript:x"})))
        .await;
    assert!(wrong.1.contains("Wrong HTTP URL"));
}

#[tokio::test]
async fn an_edit_that_changes_nothing_is_refused() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    let id = world.send(anna.id(), "one").await;
    let edit = json!({"chat_id": anna.id(), "message_id": id, "text": "one"});
    let (status, words) = world.refused("editMessageText", edit).await;
    assert_eq!(status, 400);
    assert!(words.starts_with("Bad Request: message is not modified: specified new message content"));
    let edited = world
        .ok(
            "editMessageText",
            json!({"chat_id": anna.id(), "message_id": id, "text": "two"}),
        )
        .await;
    assert!(edited["edit_date"].is_i64());
    let own = anna.sends("mine");
    let edit = json!({"chat_id": anna.id(), "message_id": own, "text": "not yours"});
    assert_eq!(
        world.refused("editMessageText", edit).await.1,
        "Bad Request: message can't be edited"
    );
    let edit = json!({"chat_id": anna.id(), "message_id": 999, "text": "x"});
    assert_eq!(
        world.refused("editMessageText", edit).await.1,
        "Bad Request: message to edit not found"
    );
}

#[tokio::test]
async fn a_message_can_be_deleted_for_two_days() {
    let world = World::start(TelegramConfig::default()).await;
    let chat = world.anna().id();
    let young = world.send(chat, "young").await;
    let old = world.send(chat, "old").await;
    let delete = |id: i32| json!({"chat_id": chat, "message_id": id});
    world.sim.advance(TimeDelta::hours(47));
    world.ok("deleteMessage", delete(young)).await;
    let gone = world.refused("deleteMessage", delete(young)).await;
    assert_eq!(gone.1, "Bad Request: message to delete not found");
    world.sim.advance(TimeDelta::hours(1));
    let late = world.refused("deleteMessage", delete(old)).await;
    assert_eq!(late.1, "Bad Request: message can't be deleted for everyone");
}

#[tokio::test]
async fn a_pressed_button_is_answered_in_time_and_once() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    let markup = json!({"inline_keyboard": [[{"text": "Остатки", "callback_data": "st"}]]});
    world
        .ok(
            "sendMessage",
            json!({"chat_id": anna.id(), "text": "menu", "reply_markup": markup}),
        )
        .await;
    let query = anna.presses("Остатки").unwrap();
    assert_eq!(anna.presses("Нет такой"), None);
    let answer = json!({"callback_query_id": query, "text": "x".repeat(201)});
    assert_eq!(
        world.refused("answerCallbackQuery", answer).await.1,
        "Bad Request: MESSAGE_TOO_LONG"
    );
    let answer = json!({"callback_query_id": query, "text": "да"});
    world.ok("answerCallbackQuery", answer.clone()).await;
    let again = world.refused("answerCallbackQuery", answer).await;
    assert!(again.1.contains("query is too old"));
    let late = anna.presses("Остатки").unwrap();
    world.sim.advance(TimeDelta::minutes(2));
    let late = world
        .refused("answerCallbackQuery", json!({"callback_query_id": late}))
        .await;
    assert!(late.1.contains("query is too old"));
}

#[tokio::test]
async fn one_message_a_second_and_twenty_a_minute_go_to_a_group() {
    let world = World::start(TelegramConfig {
        limits: TelegramLimits::Strict,
        ..TelegramConfig::default()
    })
    .await;
    let anna = world.anna();
    let group = world.sim.group("Склад", &[&anna]);
    let body = json!({"chat_id": group.id(), "text": "hello"});
    world.ok("sendMessage", body.clone()).await;
    let url = format!("{}/bot{}/sendMessage", world.sim.url(), world.sim.token());
    let answer = world.http.post(&url).json(&body).send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "1");
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer["description"], "Too Many Requests: retry after 1");
    assert_eq!(answer["parameters"], json!({"retry_after": 1}));
    for _ in 0..19 {
        world.sim.advance(TimeDelta::seconds(1));
        world.ok("sendMessage", body.clone()).await;
    }
    world.sim.advance(TimeDelta::seconds(1));
    let (status, answer) = world.call("sendMessage", body.clone()).await;
    assert_eq!((status, &answer["parameters"]["retry_after"]), (429, &json!(40)));
    assert_eq!(world.sim.early(), 0);
    world.sim.advance(TimeDelta::seconds(39));
    assert_eq!(world.call("sendMessage", body.clone()).await.0, 429);
    assert_eq!(world.sim.early(), 1, "it came before the end of the told pause");
    world.sim.advance(TimeDelta::seconds(1));
    world.ok("sendMessage", body).await;
}

#[tokio::test]
async fn thirty_messages_a_second_go_to_all_chats_together() {
    let world = World::start(TelegramConfig {
        limits: TelegramLimits::Strict,
        ..TelegramConfig::default()
    })
    .await;
    let people: Vec<_> = (0..31).map(|_| world.anna()).collect();
    for person in &people[..30] {
        world.send(person.id(), "hello").await;
    }
    let last = json!({"chat_id": people[30].id(), "text": "hello"});
    assert_eq!(world.call("sendMessage", last.clone()).await.0, 429);
    world.sim.advance(TimeDelta::seconds(1));
    world.ok("sendMessage", last).await;
}
