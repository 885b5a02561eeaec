//! Cabinets: connected, shown, changed, taken away, and nobody else's.

use application::wire::CredentialCheck;
use events::cabinet::{Right, RightStatus};
use events::ids::CredentialId;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{Seller, world};

#[tokio::test]
async fn a_connected_cabinet_is_shown_without_its_credential() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let credential = world.wildberries_token(1);
    let body = json!({"marketplace": "wildberries", "credential": credential, "title": "Главный"});
    let connected = world
        .command(&anna, Method::POST, "/api/v1/cabinets", &body)
        .send()
        .await;
    connected.is(StatusCode::CREATED);
    let path = format!("/api/v1/cabinets/{}", connected.id("id"));
    assert_eq!(connected.header("location"), path);
    assert_eq!(connected.body["stream"], "cabinet");
    world.project().await;
    let shown = world.get(&anna, &path).send().await;
    shown.is(StatusCode::OK);
    assert_eq!(
        (&shown.body["title"], &shown.body["status"]),
        (&json!("Главный"), &json!("connected"))
    );
    assert_eq!(shown.body["credential"]["token_kind"], "personal");
    assert_eq!(
        shown.body["credential"]["fingerprint"],
        connected.body["credential"]["fingerprint"]
    );
    let listed = world.get(&anna, "/api/v1/cabinets").send().await;
    assert_eq!(
        (&listed.body["data"][0], &listed.body["has_more"]),
        (&shown.body, &json!(false))
    );
    for text in [&connected.text, &shown.text, &listed.text] {
        assert!(!text.contains(&credential), "the credential is shown: {text}");
    }
    for event in world.events().await {
        assert!(
            !event.payload.contains(&credential),
            "the credential is in {}",
            event.event_type
        );
    }
}

#[tokio::test]
async fn an_ozon_cabinet_is_connected_with_its_two_parts_and_each_is_named_when_it_is_wrong() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let key = "0c9f1b0e-6a52-4a36-8c1e-0f4dbe3a7b11";
    let connect = async |body: &serde_json::Value| {
        let asked = world.command(&anna, Method::POST, "/api/v1/cabinets", body);
        asked.send().await
    };
    for (body, pointer) in [
        (json!({"marketplace": "ozon", "credential": key}), "#/client_id"),
        (
            json!({"marketplace": "ozon", "client_id": "seller", "credential": key}),
            "#/client_id",
        ),
        (
            json!({"marketplace": "ozon", "client_id": "123456"}),
            "#/credential",
        ),
        (
            json!({"marketplace": "ozon", "client_id": "123456", "credential": "no key"}),
            "#/credential",
        ),
        (
            json!({"marketplace": "wildberries", "client_id": "1", "credential": world.wildberries_token(1)}),
            "#/client_id",
        ),
    ] {
        let refused = connect(&body).await;
        refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{}", refused.text);
        assert_eq!(
            refused.body["errors"].as_array().unwrap().len(),
            1,
            "{}",
            refused.text
        );
        assert!(!refused.text.contains(key), "{}", refused.text);
    }
    let body = json!({"marketplace": "ozon", "client_id": "123456", "credential": key});
    let connected = connect(&body).await;
    connected.is(StatusCode::CREATED);
    assert_eq!(connected.body["credential"]["seller_id"], "123456");
    let path = format!("/api/v1/cabinets/{}", connected.id("id"));
    world.project().await;
    let shown = world.get(&anna, &path).send().await;
    assert_eq!(
        (
            &shown.body["marketplace"],
            &shown.body["credential"]["token_kind"]
        ),
        (&json!("ozon"), &json!("api_key"))
    );
    let replaced = world
        .command(
            &anna,
            Method::PUT,
            &format!("{path}/credentials"),
            &json!({"credential": key.replace('0', "1")}),
        )
        .send()
        .await;
    replaced.is(StatusCode::OK);
    assert_eq!(
        replaced.body["credential"]["seller_id"], "123456",
        "that of the cabinet"
    );
    for event in world.events().await {
        assert!(!event.payload.contains(key), "the key is in {}", event.event_type);
    }
}

#[tokio::test]
async fn another_tenant_s_cabinet_is_as_absent_as_one_that_never_was() {
    let world = world().await;
    let (anna, boris) = (
        world.registered("anna@shop.ru").await,
        world.registered("boris@shop.ru").await,
    );
    let hers = world.cabinet(&anna).await;
    let never = uuid::Uuid::from_u128(77);
    world.project().await;
    let before = world.events().await.len();
    let credential = json!({"credential": world.wildberries_token(1)});
    let requests = [
        (Method::GET, "", json!({})),
        (Method::PATCH, "", json!({"paused": true})),
        (Method::DELETE, "", json!({})),
        (Method::PUT, "/credentials", credential),
        (Method::POST, "/check", json!({})),
        (Method::POST, "/syncs", json!({})),
    ];
    for (method, tail, body) in requests {
        let ask = async |id| {
            let path = format!("/api/v1/cabinets/{id}{tail}");
            let ask = world
                .command(&boris, method.clone(), &path, &body)
                .header("if-match", "*");
            ask.send().await
        };
        let (foreign, absent) = (ask(hers).await, ask(never).await);
        foreign.is(StatusCode::NOT_FOUND).is_problem("not-found");
        absent.is(StatusCode::NOT_FOUND).is_problem("not-found");
        assert_eq!(foreign.body["detail"], absent.body["detail"], "{method} {tail}");
    }
    assert_eq!(world.events().await.len(), before);
    let listed = world.get(&boris, "/api/v1/cabinets").send().await;
    assert_eq!(listed.body["data"], json!([]));
    let nonsense = world.get(&boris, "/api/v1/cabinets/not-a-uuid").send().await;
    nonsense.is(StatusCode::NOT_FOUND).is_problem("not-found");
}

#[tokio::test]
async fn a_change_needs_the_tag_of_what_it_changes() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let path = format!("/api/v1/cabinets/{}", world.cabinet(&anna).await);
    world.project().await;
    let shown = world.get(&anna, &path).send().await;
    let tag = shown.header("etag").to_owned();
    let known = world.get(&anna, &path).header("if-none-match", &tag).send().await;
    known.is(StatusCode::NOT_MODIFIED);
    assert_eq!((known.header("etag"), known.text.as_str()), (tag.as_str(), ""));

    let change = || world.command(&anna, Method::PATCH, &path, &json!({"interval_seconds": 600}));
    change()
        .send()
        .await
        .is(StatusCode::PRECONDITION_REQUIRED)
        .is_problem("precondition-required");
    let stale = change().header("if-match", "\"1.00\"").send().await;
    stale
        .is(StatusCode::PRECONDITION_FAILED)
        .is_problem("precondition-failed");
    change().header("if-match", &tag).send().await.is(StatusCode::OK);
    world.project().await;
    change()
        .header("if-match", &tag)
        .send()
        .await
        .is(StatusCode::PRECONDITION_FAILED);
    let shown = world.get(&anna, &path).header("if-none-match", &tag).send().await;
    shown.is(StatusCode::OK);
    assert_eq!(
        shown.body["schedule"],
        json!({"interval_seconds": 600, "paused": false, "paused_by_plan": false})
    );
}

#[tokio::test]
async fn a_repeated_change_gets_its_answer_although_it_changed_the_tag_itself() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let path = format!("/api/v1/cabinets/{}", world.cabinet(&anna).await);
    world.project().await;
    let tag = world.get(&anna, &path).send().await.header("etag").to_owned();
    let change = async || {
        let ask = world
            .ask(Method::PATCH, &path)
            .token(&anna.access)
            .key("one")
            .header("if-match", &tag);
        ask.json(&json!({"paused": true, "title": "Second"})).send().await
    };
    let first = change().await;
    first.is(StatusCode::OK);
    world.project().await;
    let second = change().await;
    assert_eq!((second.status, &second.text), (first.status, &first.text));
    let shown = world.get(&anna, &path).send().await;
    assert_eq!(
        (&shown.body["title"], &shown.body["schedule"]["paused"]),
        (&json!("Second"), &json!(true))
    );
}

#[tokio::test]
async fn a_cabinet_that_was_taken_away_is_gone_for_commands() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let path = format!("/api/v1/cabinets/{}", world.cabinet(&anna).await);
    world
        .command(&anna, Method::DELETE, &path, &json!({}))
        .send()
        .await
        .is(StatusCode::OK);
    let again = world
        .command(&anna, Method::POST, &format!("{path}/syncs"), &json!({}))
        .send()
        .await;
    again.is(StatusCode::NOT_FOUND);
    world.project().await;
    let listed = world.get(&anna, "/api/v1/cabinets").send().await;
    assert_eq!(listed.body["data"], json!([]));
    let all = world
        .get(&anna, "/api/v1/cabinets?disconnected=true")
        .send()
        .await;
    assert_eq!(all.body["data"][0]["status"], "disconnected");
}

#[tokio::test]
async fn a_credential_is_replaced_by_one_of_the_same_account_only() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let path = format!("/api/v1/cabinets/{}/credentials", world.cabinet(&anna).await);
    let replace = async |account| {
        let body = json!({"credential": world.wildberries_token(account)});
        world.command(&anna, Method::PUT, &path, &body).send().await
    };
    replace(2)
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY)
        .is_problem("credential-refused");
    replace(1).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_credential_is_checked_by_the_worker() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let path = format!("/api/v1/cabinets/{}/check", world.cabinet(&anna).await);
    world.project().await;
    let check = async || world.command(&anna, Method::POST, &path, &json!({})).send().await;
    check()
        .await
        .is(StatusCode::SERVICE_UNAVAILABLE)
        .is_problem("unavailable");
    let tried = |refused: Option<&str>| CredentialCheck {
        credential_id: CredentialId(uuid::Uuid::from_u128(5)),
        in_use: true,
        refused: refused.map(str::to_owned),
        rights: vec![Right {
            category: "content".to_owned(),
            needed: true,
            status: RightStatus::Open,
        }],
        expires_at: None,
        read_only: Some(true),
    };
    *world.others.check.lock().unwrap() = Some(tried(Some("unauthorized")));
    let rejected = check().await;
    rejected.is(StatusCode::OK);
    assert_eq!(
        (&rejected.body["status"], &rejected.body["reason"]),
        (&json!("rejected"), &json!("unauthorized"))
    );
    *world.others.check.lock().unwrap() = Some(tried(None));
    assert_eq!(
        check().await.body,
        json!({"status": "accepted", "reason": null, "in_use": true, "expires_at": null, "read_only": true,
            "rights": [{"category": "content", "needed": true, "status": "open"}]})
    );
}

#[tokio::test]
async fn one_seller_account_is_one_cabinet() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let boris = world.registered("boris@shop.ru").await;
    let connect = async |seller, account| {
        let body = json!({"marketplace": "wildberries", "credential": world.wildberries_token(account)});
        world
            .command(seller, Method::POST, "/api/v1/cabinets", &body)
            .send()
            .await
    };
    let first = connect(&anna, 1).await;
    first.is(StatusCode::CREATED);
    let id = first.id("id").to_string();
    let again = connect(&anna, 1).await;
    again.is(StatusCode::CONFLICT).is_problem("conflict");
    assert!(again.text.contains(&id), "which one: {}", again.text);
    connect(&anna, 2).await.is(StatusCode::CREATED);
    connect(&boris, 1).await.is(StatusCode::CREATED);
    let path = format!("/api/v1/cabinets/{id}");
    let gone = world
        .command(&anna, Method::DELETE, &path, &json!({}))
        .send()
        .await;
    gone.is(StatusCode::OK);
    let back = connect(&anna, 1).await;
    back.is(StatusCode::CREATED);
    assert_eq!(
        (back.id("id").to_string(), &back.body["reconnected"]),
        (id, &json!(true))
    );
}

#[tokio::test]
async fn what_was_taken_away_is_in_no_answer_and_comes_back_once_with_its_history() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let (hers, other) = (world.cabinet(&anna).await, world.cabinet_of(&anna, 2).await);
    let product = world.product(&anna, hers, 101, 5).await;
    world.product(&anna, other, 102, 50).await;
    let syncs = format!("/api/v1/cabinets/{hers}/syncs");
    let asked = world
        .command(&anna, Method::POST, &syncs, &json!({}))
        .send()
        .await;
    asked.is(StatusCode::ACCEPTED);
    world.project().await;
    let answer = async |path: &str| {
        let answer = world.get(&anna, path).send().await;
        answer.is(StatusCode::OK);
        answer
    };
    // Articles of the list, units, warehouses, lines of the export.
    let seen = async || {
        let listed = answer("/api/v1/products?sort=marketplace_article&order=asc").await;
        let articles: Vec<i64> = (listed.body["data"].as_array().unwrap().iter())
            .map(|product| product["marketplace_article"].as_i64().unwrap())
            .collect();
        let glance = answer("/api/v1/analytics/dashboard").await.body;
        let places = answer("/api/v1/warehouses").await.body;
        let export = answer("/api/v1/exports/stock.csv").await.text;
        let preview = answer("/api/v1/sheets/preview").await.text;
        for (text, what) in [(&export, "export"), (&preview, "preview")] {
            let there: Vec<i64> = [101, 102]
                .into_iter()
                .filter(|article| text.contains(&format!("art-{article}")))
                .collect();
            assert_eq!(there, articles, "{what}: {text}");
        }
        (
            articles,
            glance["total_stock"].as_i64().unwrap(),
            places["data"].as_array().unwrap().len(),
        )
    };
    let whole = (vec![101, 102], 55, 2);
    assert_eq!(seen().await, whole);

    let path = format!("/api/v1/cabinets/{hers}");
    let gone = world
        .command(&anna, Method::DELETE, &path, &json!({}))
        .send()
        .await;
    gone.is(StatusCode::OK);
    world.project().await;
    assert_eq!(seen().await, (vec![102], 50, 1));
    let syncs = answer("/api/v1/analytics/sync-history").await;
    assert_eq!(syncs.body["data"], json!([]));
    let kept = answer("/api/v1/syncs").await;
    assert_eq!(kept.body["data"].as_array().unwrap().len(), 1);
    let low = answer("/api/v1/analytics/low-stock").await;
    assert_eq!(low.body["data"], json!([]));
    let by_id = answer(&format!("/api/v1/products/{product}")).await;
    assert_eq!(
        (&by_id.body["cabinet_disconnected"], &by_id.body["total_stock"]),
        (&json!(true), &json!(5))
    );
    let history = answer(&format!("/api/v1/products/{product}/history")).await;
    assert_ne!(history.body["data"], json!([]), "its history can be read");

    assert_eq!(world.cabinet(&anna).await, hers);
    world.project().await;
    assert_eq!(seen().await, whole);
    let shown = answer(&path).await;
    assert_eq!(
        (&shown.body["status"], &shown.body["credential"]["status"]),
        (&json!("connected"), &json!("unchecked"))
    );
}

#[tokio::test]
async fn what_is_known_of_a_credential_is_shown_with_the_days_it_has_left() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let path = format!("/api/v1/cabinets/{}", world.cabinet(&anna).await);
    let credential = async |anna: &Seller| {
        world.project().await;
        world.get(anna, &path).send().await.body["credential"].clone()
    };
    let fresh = credential(&anna).await;
    assert_eq!(
        (&fresh["state"], &fresh["days_left"]),
        (&json!("unchecked"), &json!(100))
    );
    assert!(world.clock.advance(chrono::TimeDelta::days(90)));
    let anna = world.logged_in("anna@shop.ru").await;
    let ending = credential(&anna).await;
    assert_eq!(
        (&ending["state"], &ending["days_left"]),
        (&json!("expiring"), &json!(10))
    );
    assert!(world.clock.advance(chrono::TimeDelta::days(11)));
    let anna = world.logged_in("anna@shop.ru").await;
    assert_eq!(credential(&anna).await["state"], "expired");
}
