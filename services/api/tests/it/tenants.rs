//! The caller's own business.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::world;

#[tokio::test]
async fn a_tenant_is_shown_and_renamed_and_its_name_is_in_no_event() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    world
        .get(&anna, "/api/v1/tenants/me")
        .send()
        .await
        .is(StatusCode::NOT_FOUND);
    world.project().await;
    let shown = world.get(&anna, "/api/v1/tenants/me").send().await;
    assert_eq!(
        (&shown.body["name"], &shown.body["is_active"]),
        (&json!("Shop"), &json!(true))
    );
    let body = json!({"name": "ИП Иванова"});
    world
        .command(&anna, Method::PATCH, "/api/v1/tenants/me", &body)
        .send()
        .await
        .is(StatusCode::OK);
    let shown = world.get(&anna, "/api/v1/tenants/me").send().await;
    assert_eq!(
        (&shown.body["name"], shown.id("id")),
        (&json!("ИП Иванова"), anna.tenant.uuid())
    );
    for event in world.events().await {
        assert!(
            !event.payload.contains("Иванова") && !event.payload.contains("anna@"),
            "{event:?}"
        );
    }
}
