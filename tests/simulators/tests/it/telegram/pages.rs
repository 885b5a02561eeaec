//! The chats as pages.

use reqwest::redirect::Policy;
use serde_json::json;
use simulators::TelegramConfig;

use super::World;

impl World {
    async fn page(&self, path: &str) -> String {
        let response = self
            .http
            .get(format!("{}{path}", self.sim.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let url = format!("{}{path}", self.sim.url());
        let response = self.http.post(url).form(fields).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path} leads to a page");
        response.text().await.unwrap()
    }
}

#[tokio::test]
async fn one_can_write_and_press_in_a_browser() {
    let world = World::start(TelegramConfig::default()).await;
    assert!(world.page("/").await.contains("New person"));
    let page = world
        .submit("/people", &[("name", "Анна <i>"), ("language", "ru")])
        .await;
    assert!(page.contains("Анна &lt;i&gt;") && !page.contains("Анна <i>"));
    let update = world.ok("getUpdates", json!({})).await;
    assert_eq!(update, json!([]), "nothing was written yet");
    let id = world
        .page("/")
        .await
        .split("/chats/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let page = world
        .submit(&format!("/chats/{id}/send"), &[("text", "/start")])
        .await;
    assert!(page.contains("/start"));
    let chat: i64 = id.parse().unwrap();
    let markup = json!({"inline_keyboard": [
        [{"text": "Остатки", "callback_data": "st:1"}, {"text": "Ждите", "disabled": {}}],
        [{"text": "Таблица", "url": "https://example.org/"}],
    ]});
    let text = "<b>Меню</b> &lt;script&gt;";
    let body = json!({"chat_id": chat, "text": text, "parse_mode": "HTML", "reply_markup": markup});
    let sent = world.ok("sendMessage", body).await;
    let page = world.page(&format!("/chats/{id}")).await;
    assert!(
        page.contains("<b>Меню</b> &lt;script&gt;"),
        "marks are shown, text is harmless"
    );
    assert!(page.contains("disabled>Ждите</button>") && page.contains("href=\"https://example.org/\""));
    let before = world.page(&format!("/chats/{id}?peek")).await;
    let message = sent["message_id"].to_string();
    world
        .submit(
            &format!("/chats/{id}/press"),
            &[("message", &message), ("data", "st:1")],
        )
        .await;
    let updates = world.ok("getUpdates", json!({})).await;
    let query = &updates[1]["callback_query"];
    assert_eq!(query["data"], "st:1");
    let answer = json!({"callback_query_id": query["id"], "text": "Одну секунду", "show_alert": true});
    world.ok("answerCallbackQuery", answer).await;
    assert!(world.page(&format!("/chats/{id}")).await.contains("Одну секунду"));
    assert_ne!(
        world.page(&format!("/chats/{id}?peek")).await,
        before,
        "the page looks for this"
    );
}

#[tokio::test]
async fn a_form_leads_back_to_its_chat() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    #[expect(clippy::disallowed_methods, reason = "this client follows no redirects")]
    let http = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()
        .unwrap();
    let url = format!("{}/chats/{}/block", world.sim.url(), anna.id());
    let response = http.post(url).send().await.unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(
        response.headers()["location"],
        format!("/chats/{}", anna.id()).as_str()
    );
    let refused = world
        .refused("sendMessage", json!({"chat_id": anna.id(), "text": "x"}))
        .await;
    assert_eq!(
        refused,
        (403, "Forbidden: bot was blocked by the user".to_owned())
    );
}

#[tokio::test]
async fn a_link_of_a_message_cannot_run_a_script() {
    let world = World::start(TelegramConfig::default()).await;
    let anna = world.anna();
    let text = "<a href=\"javascript:alert(1)\">here</a>";
    world
        .ok(
            "sendMessage",
            json!({"chat_id": anna.id(), "text": text, "parse_mode": "HTML"}),
        )
        .await;
    let page = world.page(&format!("/chats/{}", anna.id())).await;
    assert!(page.contains("here") && !page.contains("javascript:"));
}
