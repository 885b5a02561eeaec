//! The table without a sheet, and a sheet of the service's own making.

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::world::{Answer, Seller, World, fresh_key, listening, world, world_and_state};

const PREVIEW: &str = "/api/v1/sheets/preview";
const CREATE: &str = "/api/v1/sheets/create";
const DRIVE: &str = "0ADriveOfTheService";

#[tokio::test]
async fn the_preview_shows_the_table_without_a_sheet_as_json_and_as_a_page() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    world.product(&anna, cabinet, 111, 0).await;
    world.product(&anna, cabinet, 222, 40).await;
    world.project().await;
    let shown = world.get(&anna, &format!("{PREVIEW}?limit=1")).send().await;
    let body = &shown.is(StatusCode::OK).body;
    assert_eq!(
        body["groups"],
        json!([{"title": "Основная информация", "columns": 4, "note": null},
            {"title": "Общие метрики", "columns": 5, "note": null},
            {"title": "Коледино", "columns": 3, "note": null}])
    );
    assert_eq!(
        body["rows"],
        json!([["Brand", "Футболки", "art-111", 111, 2, 1, 0, 0, null, 0, 0, null]])
    );
    assert_eq!(
        (&body["total_rows"], &body["levels"]),
        (&json!(2), &json!(["enough"]))
    );
    assert!(
        body["notes"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with("Данные на")
    );
    let page = world
        .get(&anna, PREVIEW)
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let page = page.send().await;
    assert!(
        page.is(StatusCode::OK)
            .header("content-type")
            .starts_with("text/html")
    );
    assert!(
        page.text
            .contains("<th scope=\"colgroup\" colspan=\"3\">Коледино</th>"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("<td align=\"right\">222</td>"),
        "{}",
        page.text
    );
    let refused = world.get(&anna, &format!("{PREVIEW}?limit=0")).send().await;
    assert_eq!(
        refused.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["?limit"]
    );
}

#[tokio::test]
async fn what_a_marketplace_calls_a_product_is_text_on_the_page() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    world.product(&anna, cabinet, 111, 5).await;
    world.project().await;
    world
        .sql("UPDATE rm_inventory.products SET brand = '<script>alert(1)</script>'")
        .await;
    let page = world
        .get(&anna, PREVIEW)
        .header("accept", "text/html")
        .send()
        .await;
    assert!(
        page.text.contains("&lt;script&gt;") && !page.text.contains("<script"),
        "{}",
        page.text
    );
}

impl World {
    async fn create(&self, seller: &Seller, key: &str, body: &Value) -> Answer {
        let ask = self.ask(Method::POST, CREATE).token(&seller.access).key(key);
        ask.json(body).send().await
    }
}

/// A service with an account of its own, and a shared drive if it is a member of one.
async fn service(member: bool) -> World {
    let (world, mut state) = world_and_state().await;
    state.google.own_key = Some(SecretString::from(world.google.service_account_json()));
    state.google.shared_drive = Some(DRIVE.to_owned());
    if member {
        world
            .google
            .add_to_drive(DRIVE, &world.google.service_account_email(0));
    }
    listening((world, state))
}

#[tokio::test]
async fn a_spreadsheet_is_made_in_the_shared_drive_once_shared_and_linked() {
    let world = service(true).await;
    let anna = world.registered("anna@shop.ru").await;
    let body = json!({"title": "Остатки Анны", "share_with": ["anna@gmail.com"]});
    let key = fresh_key();
    // Sharing fails after the file was made: the same request goes on where it stopped.
    world.google.script(
        simulators::Fault::on(
            "/drive/v3/files/",
            simulators::Effect::Status {
                status: 503,
                body: String::new(),
                content_type: None,
            },
        )
        .containing("/permissions")
        .times(1),
    );
    world.create(&anna, &key, &body).await.is(StatusCode::BAD_GATEWAY);
    let made = world.create(&anna, &key, &body).await;
    made.is(StatusCode::CREATED);
    let id = made.body["spreadsheet_id"].as_str().unwrap().to_owned();
    assert_eq!(world.google.spreadsheets(), std::slice::from_ref(&id));
    let again = world.create(&anna, &key, &body).await;
    assert_eq!(again.is(StatusCode::CREATED).body["spreadsheet_id"], json!(id));
    assert_eq!(world.google.spreadsheets().len(), 1);
    let properties = world
        .google
        .spreadsheet(&id, "properties(title,locale,timeZone)")
        .unwrap();
    assert_eq!(
        properties["properties"],
        json!({"title": "Остатки Анны", "locale": "ru_RU", "timeZone": "Europe/Moscow"})
    );
    world.project().await;
    let link = world.get(&anna, "/api/v1/sheets/link").send().await;
    assert_eq!(link.is(StatusCode::OK).body["spreadsheet_id"], json!(id));
    // Another request makes another file.
    let other = world.create(&anna, &fresh_key(), &body).await;
    assert_ne!(other.is(StatusCode::CREATED).body["spreadsheet_id"], json!(id));
}

#[tokio::test]
async fn where_no_file_can_be_made_the_answer_says_what_to_do() {
    let world = service(false).await;
    let anna = world.registered("anna@shop.ru").await;
    let body = json!({"share_with": ["anna@gmail.com"]});
    let stranger = world.create(&anna, &fresh_key(), &body).await;
    stranger
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .is_problem("sheet-refused");
    let email = world.google.service_account_email(0);
    assert!(
        stranger
            .text
            .contains(&format!("{email} has to be a content manager")),
        "{}",
        stranger.text
    );
    let nobody = world
        .create(&anna, &fresh_key(), &json!({"share_with": []}))
        .await;
    assert_eq!(
        nobody.is(StatusCode::UNPROCESSABLE_ENTITY).pointers(),
        ["#/share_with"]
    );

    let world = crate::world::world().await;
    let anna = world.registered("anna@shop.ru").await;
    let refused = world.create(&anna, &fresh_key(), &body).await;
    refused
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .is_problem("sheet-refused");
    assert!(refused.text.contains("no shared drive"), "{}", refused.text);
}

#[tokio::test]
async fn a_test_tells_of_time_zone_and_locale_in_the_tables_language_without_standing_in_the_way() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let email = world.google.service_account_email(0);
    let id = world
        .google
        .create_spreadsheet("Склад", &[(&email, simulators::google::Role::Writer)]);
    let abroad = json!([{"updateSpreadsheetProperties": {"properties": {"locale": "de_DE",
        "timeZone": "America/New_York"}, "fields": "locale,timeZone"}}]);
    world.google.edit(&id, &abroad).unwrap();
    let body = json!({"spreadsheet_id": id, "service_account": world.key_file()});
    let test = world
        .ask(Method::POST, "/api/v1/sheets/test")
        .token(&anna.access)
        .json(&body);
    let test = test.send().await;
    assert_eq!(test.is(StatusCode::OK).body["success"], true);
    let findings = test.body["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(
        findings[0].as_str().unwrap().contains("America/New_York"),
        "{findings:?}"
    );
    assert!(
        findings[1]
            .as_str()
            .unwrap()
            .contains("Файл → Настройки → Регион"),
        "{findings:?}"
    );
}
