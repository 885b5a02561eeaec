//! What people do, and what the bot hears of it; by handle and over HTTP.

use serde_json::{Value, json};
use simulators::TelegramConfig;

use super::World;

impl World {
    /// What stands in the updates beside their ids; they are confirmed.
    async fn heard(&self) -> Vec<Value> {
        let updates = self.ok("getUpdates", json!({})).await;
        let updates = updates.as_array().unwrap().clone();
        if let Some(last) = updates.last() {
            let next = last["update_id"].as_i64().unwrap() + 1;
            self.ok("getUpdates", json!({"offset": next})).await;
        }
        updates
    }

    async fn control(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/_sim/{path}", self.sim.url());
        let response = self.http.post(url).json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.unwrap_or_default()
    }
}

#[tokio::test]
async fn a_person_who_blocks_the_bot_is_heard_of() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    anna.blocks();
    anna.sends("back again");
    let heard = world.heard().await;
    assert_eq!(heard[0]["message"]["text"], "/start");
    assert_eq!(heard[0]["message"]["entities"][0]["type"], "bot_command");
    assert_eq!(heard[1]["my_chat_member"]["new_chat_member"]["status"], "kicked");
    assert_eq!(heard[2]["my_chat_member"]["new_chat_member"]["status"], "member");
    assert_eq!(heard[3]["message"]["text"], "back again");
}

#[tokio::test]
async fn edits_forwards_files_and_contacts_come_as_what_they_are() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    let id = anna.sends("one");
    anna.edits(id, "two");
    anna.forwards("from another");
    anna.sends_document("a.xlsx", b"content");
    anna.sends_own_contact();
    anna.sends_other_contact();
    anna.sends_fields(json!({"sticker": {"file_id": "s"}}));
    let heard = world.heard().await;
    assert_eq!(heard[2]["edited_message"]["text"], "two");
    assert_eq!(heard[3]["message"]["forward_origin"]["type"], "hidden_user");
    assert_eq!(heard[4]["message"]["document"]["file_name"], "a.xlsx");
    assert_eq!(heard[5]["message"]["contact"]["user_id"], json!(anna.id()));
    assert_eq!(heard[6]["message"]["contact"]["user_id"], Value::Null);
    assert_eq!(heard[7]["message"]["sticker"]["file_id"], "s");
    let file = heard[4]["message"]["document"]["file_id"].clone();
    let path = world.ok("getFile", json!({"file_id": file})).await["file_path"].clone();
    let url = format!(
        "{}/file/bot{}/{}",
        world.sim.url(),
        world.sim.token(),
        path.as_str().unwrap()
    );
    assert_eq!(
        world.http.get(url).send().await.unwrap().bytes().await.unwrap(),
        "content"
    );
}

#[tokio::test]
async fn a_group_that_becomes_a_supergroup_says_so_in_both() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    let group = world.sim.group("Склад", &[&anna]);
    let supergroup = group.becomes_supergroup().unwrap();
    assert!(supergroup.becomes_supergroup().is_none());
    let (status, answer) = world
        .call("sendMessage", json!({"chat_id": group.id(), "text": "x"}))
        .await;
    assert_eq!(status, 400);
    assert_eq!(answer["parameters"]["migrate_to_chat_id"], json!(supergroup.id()));
    let heard = world.heard().await;
    assert_eq!(heard[1]["my_chat_member"]["chat"]["id"], json!(group.id()));
    assert_eq!(heard[2]["message"]["migrate_to_chat_id"], json!(supergroup.id()));
    assert_eq!(heard[3]["message"]["migrate_from_chat_id"], json!(group.id()));
}

#[tokio::test]
async fn a_phone_can_be_held_over_http() {
    let world = World::start(TelegramConfig::default()).await;
    let boris = world
        .control("people", json!({"name": "Борис", "language": "en"}))
        .await["id"]
        .clone();
    let chat = format!("chats/{boris}");
    let sent = world
        .control(
            &format!("{chat}/messages"),
            json!({"from": boris, "text": "/start"}),
        )
        .await;
    assert!(sent["message_id"].is_i64());
    let markup = json!({"inline_keyboard": [[{"text": "Stock", "callback_data": "st"}]]});
    let menu = world
        .ok(
            "sendMessage",
            json!({"chat_id": boris, "text": "menu", "reply_markup": markup}),
        )
        .await;
    let press = json!({"from": boris, "message": menu["message_id"], "data": "st"});
    world.control(&format!("{chat}/press"), press).await;
    let old = json!({"from": boris, "message": 1, "data": "gone", "old": true});
    world.control(&format!("{chat}/press"), old).await;
    world
        .control(
            &format!("{chat}/messages/{}", sent["message_id"]),
            json!({"text": "/help"}),
        )
        .await;
    world
        .control(&format!("{chat}/standing"), json!({"bot": "blocked"}))
        .await;
    world.control("updates", json!({"telepathy": {}})).await;
    let heard = world.heard().await;
    assert_eq!(heard[0]["message"]["from"]["language_code"], "en");
    assert_eq!(heard[1]["callback_query"]["message"]["text"], "menu");
    assert_eq!(heard[2]["callback_query"]["message"]["date"], 0);
    assert_eq!(heard[3]["edited_message"]["text"], "/help");
    assert_eq!(heard[4]["my_chat_member"]["new_chat_member"]["status"], "kicked");
    assert_eq!(heard[5]["telepathy"], json!({}));
    let url = format!("{}/_sim/{chat}", world.sim.url());
    let shown: Value = world.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["messages"][1]["buttons"][0][0]["data"], "st");
    assert_eq!(shown["bot"], "blocked");
}

#[tokio::test]
async fn a_group_with_topics_can_be_made_over_http() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    let new = json!({"title": "Склад", "members": [anna.id()], "kind": "supergroup"});
    let group = world.control("groups", new).await["id"].clone();
    let topic = world
        .control(&format!("chats/{group}/topics"), json!({"name": "Алерты"}))
        .await["topic"]
        .clone();
    let sent = world
        .ok(
            "sendMessage",
            json!({"chat_id": group, "text": "x", "message_thread_id": topic}),
        )
        .await;
    assert_eq!(
        (&sent["message_thread_id"], &sent["is_topic_message"]),
        (&topic, &json!(true))
    );
    assert_eq!(sent["chat"]["is_forum"], true);
}
