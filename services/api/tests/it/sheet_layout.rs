//! How the table looks is chosen with the tag of the link, told by the link, and kept when it is unlinked.

use api::{SheetNotice, SheetProgress};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{Answer, Seller, World, world};

const LINK: &str = "/api/v1/sheets/link";

impl World {
    async fn linked_seller(&self) -> Seller {
        let anna = self.registered("anna@shop.ru").await;
        let id = self.google.create_spreadsheet("Склад", &[]);
        let email = self.google.service_account_email(0);
        self.google
            .share(&id, &email, Some(simulators::google::Role::Writer));
        self.link(&anna, &id, &self.key_file()).await.is(StatusCode::OK);
        self.project().await;
        anna
    }

    async fn change_layout(&self, seller: &Seller, tag: &str, change: &Value) -> Answer {
        self.command(seller, Method::PATCH, LINK, change)
            .header("if-match", tag)
            .send()
            .await
    }
}

#[tokio::test]
async fn a_choice_is_made_with_the_links_tag_and_shown_by_it() {
    let world = world().await;
    let anna = world.linked_seller().await;
    let shown = world.get(&anna, LINK).send().await;
    assert_eq!(
        shown.is(StatusCode::OK).body["layout"],
        json!({"language": "ru", "marketplaces": [], "cabinets": [], "sizes": "summed",
            "sort": {"by": "given", "descending": false},
            "extra_columns": [], "low_stock": null, "hide_empty_warehouses": false, "number_formats": false})
    );
    let tag = shown.header("etag").to_owned();
    let change = json!({"language": "en", "marketplaces": ["ozon", "wildberries"],
        "sizes": "rows", "sort": {"by": "turnover", "descending": true},
        "extra_columns": ["stock_out_on", "orders_14"],
        "low_stock": {"below_units": 5}, "hide_empty_warehouses": true, "number_formats": true});
    let changed = world.change_layout(&anna, &tag, &change).await;
    changed.is(StatusCode::OK);
    world.project().await;
    let shown = world.get(&anna, LINK).send().await;
    let layout = json!({"language": "en", "marketplaces": ["wildberries", "ozon"], "cabinets": [],
        "sizes": "rows", "sort": {"by": "turnover", "descending": true}, "extra_columns": ["orders_14", "stock_out_on"],
        "low_stock": {"below_units": 5, "below_days": null}, "hide_empty_warehouses": true, "number_formats": true});
    assert_eq!(
        (&shown.body["layout"], &shown.body["language"]),
        (&layout, &json!("en"))
    );

    // The tag that was read before the change is too old; null takes the colours back and leaves the rest.
    let again = json!({"low_stock": null});
    world
        .change_layout(&anna, &tag, &again)
        .await
        .is(StatusCode::PRECONDITION_FAILED)
        .is_problem("precondition-failed");
    let newer = shown.header("etag").to_owned();
    assert_ne!(newer, tag);
    world
        .change_layout(&anna, &newer, &again)
        .await
        .is(StatusCode::OK);
    world.project().await;
    let shown = world.get(&anna, LINK).send().await;
    assert_eq!(shown.body["layout"]["low_stock"], Value::Null);
    assert_eq!(shown.body["layout"]["sort"], layout["sort"]);
    let known = world
        .get(&anna, LINK)
        .header("if-none-match", shown.header("etag"));
    known.send().await.is(StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_choice_without_the_tag_or_with_a_strangers_cabinet_is_refused() {
    let world = world().await;
    let anna = world.linked_seller().await;
    let boris = world.registered("boris@shop.ru").await;
    let theirs = world
        .command(
            &boris,
            Method::POST,
            "/api/v1/cabinets",
            &json!({"marketplace": "wildberries", "credential": world.wildberries_token(1)}),
        )
        .send()
        .await
        .is(StatusCode::CREATED)
        .id("id");
    world.project().await;
    let before = world.events().await.len();
    let tag = world.get(&anna, LINK).send().await.header("etag").to_owned();
    let bare = world
        .command(&anna, Method::PATCH, LINK, &json!({"language": "en"}))
        .send()
        .await;
    bare.is(StatusCode::PRECONDITION_REQUIRED)
        .is_problem("precondition-required");
    for (change, pointer) in [
        (json!({"cabinets": [theirs]}), "#/cabinets"),
        (json!({"language": "de"}), "#/language"),
        (json!({"sizes": "some"}), "#/sizes"),
        (json!({"sort": {"by": "luck"}}), "#/sort"),
        (json!({"low_stock": {"below_days": 0}}), "#/low_stock"),
        (json!({"low_stock": {"below": 1}}), "#/low_stock"),
        (json!({"extra_columns": ["price"]}), "#/extra_columns"),
        (json!({"marketplaces": ["amazon"]}), "#/marketplaces"),
        (json!({"colour": "red"}), "#/colour"),
    ] {
        let refused = world.change_layout(&anna, &tag, &change).await;
        refused
            .is(StatusCode::UNPROCESSABLE_ENTITY)
            .is_problem("invalid-input");
        assert_eq!(refused.pointers(), [pointer], "{change}");
    }
    assert_eq!(world.events().await.len(), before);
}

#[tokio::test]
async fn what_is_in_the_way_of_a_sheet_is_told_with_what_to_do() {
    let world = world().await;
    let anna = world.linked_seller().await;
    let state = async || world.get(&anna, LINK).send().await.body["state"].clone();
    assert_eq!(state().await["status"], "waiting");
    let at: chrono::DateTime<chrono::Utc> = "2026-11-20T09:00:00Z".parse().unwrap();
    *world.others.progress.lock().unwrap() = SheetProgress {
        written_position: Some(7),
        worksheet_title: Some("Остатки".to_owned()),
        error: Some("откройте доступ".to_owned()),
        error_kind: Some("not_shared".to_owned()),
        failing_since: Some(at),
        notice: Some(SheetNotice {
            kind: "worksheet_recreated".to_owned(),
            text: "лист создан заново".to_owned(),
            at,
        }),
        ..SheetProgress::default()
    };
    let told = state().await;
    assert_eq!(
        (&told["status"], &told["worksheet_title"]),
        (&json!("failing"), &json!("Остатки"))
    );
    assert_eq!(
        told["problem"],
        json!({"kind": "not_shared", "instruction": "откройте доступ", "since": at, "next_try_at": null})
    );
    assert_eq!(told["notice"]["kind"], "worksheet_recreated");
    world.others.progress.lock().unwrap().error = None;
    assert_eq!(state().await["status"], "written");
}
