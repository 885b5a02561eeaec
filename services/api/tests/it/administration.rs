//! What platform administrators do, and what it means at once.

use reqwest::StatusCode;
use serde_json::json;

use crate::people::PASSWORD;
use crate::world::{Seller, World, world};

impl World {
    fn access_path(&self, seller: &Seller) -> String {
        format!("/api/v1/admin/users/{}/access", self.user(seller))
    }
}

fn tenant_path(seller: &Seller) -> String {
    format!("/api/v1/admin/tenants/{}", seller.tenant)
}

#[tokio::test]
async fn a_deactivated_user_is_out_at_once_by_every_way_and_in_again_by_login() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.registered("anna@shop.ru").await;
    let key = world.api_key(&anna, &["self:read"]).await;
    world.me(&anna).await.is(StatusCode::OK);
    world.me(&key).await.is(StatusCode::OK);
    let path = world.access_path(&anna);
    world
        .patch(&root, &path, &json!({"is_active": false}))
        .await
        .is(StatusCode::OK);
    world.me(&anna).await.is(StatusCode::UNAUTHORIZED);
    world.me(&key).await.is(StatusCode::UNAUTHORIZED);
    let refresh = json!({"refresh_token": anna.refresh});
    world
        .public("/api/v1/auth/refresh", &refresh)
        .await
        .is(StatusCode::UNAUTHORIZED);
    world
        .login("anna@shop.ru", PASSWORD)
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("account-deactivated");
    world
        .patch(&root, &path, &json!({"is_active": true}))
        .await
        .is(StatusCode::OK);
    world.me(&anna).await.is(StatusCode::UNAUTHORIZED);
    world.logged_in("anna@shop.ru").await;
    world.me(&key).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_suspended_tenant_is_refused_at_once_and_no_other_is() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "viewer", "vera@shop.ru").await;
    let key = world.api_key(&anna, &["self:read"]).await;
    let boris = world.registered("boris@shop.ru").await;
    for caller in [&anna, &vera, &key, &boris] {
        world.me(caller).await.is(StatusCode::OK);
    }
    let suspend = json!({"suspended": true, "reason": "unpaid"});
    world
        .patch(&root, &tenant_path(&anna), &suspend)
        .await
        .is(StatusCode::OK);
    for caller in [&anna, &vera, &key] {
        world
            .me(caller)
            .await
            .is(StatusCode::FORBIDDEN)
            .is_problem("tenant-suspended");
    }
    world.me(&boris).await.is(StatusCode::OK);
    let refresh = json!({"refresh_token": anna.refresh});
    world
        .public("/api/v1/auth/refresh", &refresh)
        .await
        .is_problem("tenant-suspended");
    world
        .login("anna@shop.ru", PASSWORD)
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("tenant-suspended");
    world
        .login("anna@shop.ru", "wrong horse")
        .await
        .is_problem("wrong-credentials");
    world
        .patch(&root, &tenant_path(&anna), &json!({"suspended": false}))
        .await
        .is(StatusCode::OK);
    world.me(&anna).await.is(StatusCode::OK);
    world
        .public("/api/v1/auth/refresh", &refresh)
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn an_administrator_is_made_and_unmade_at_once_and_never_by_himself() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.registered("anna@shop.ru").await;
    let users = "/api/v1/admin/users";
    world
        .get(&anna, users)
        .send()
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("forbidden");
    let path = world.access_path(&anna);
    world
        .patch(&anna, &path, &json!({"is_admin": true}))
        .await
        .is(StatusCode::FORBIDDEN);
    world
        .patch(&root, &path, &json!({"is_admin": true}))
        .await
        .is(StatusCode::OK);
    world.get(&anna, users).send().await.is(StatusCode::OK);
    world
        .patch(&anna, &path, &json!({"is_admin": false}))
        .await
        .is(StatusCode::CONFLICT);
    world
        .patch(&root, &path, &json!({"is_admin": false}))
        .await
        .is(StatusCode::OK);
    world.get(&anna, users).send().await.is(StatusCode::FORBIDDEN);
    world
        .patch(&root, &path, &json!({}))
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
    let nobody = format!("/api/v1/admin/users/{}/access", uuid::Uuid::from_u128(9));
    world
        .patch(&root, &nobody, &json!({"is_active": false}))
        .await
        .is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_administrator_of_a_suspended_tenant_can_still_end_the_suspension() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    let path = tenant_path(&root);
    let suspend = json!({"suspended": true, "reason": "mistake"});
    world.patch(&root, &path, &suspend).await.is(StatusCode::OK);
    let again = world.logged_in("root@platform.ru").await;
    world
        .patch(&again, &path, &json!({"suspended": false}))
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn people_of_all_tenants_are_listed_page_by_page() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    for name in ["a", "b", "c"] {
        world.clock.advance(chrono::TimeDelta::seconds(1));
        world.registered(&format!("{name}@shop.ru")).await;
    }
    let mut next = "/api/v1/admin/users?limit=3".to_owned();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let page = world.get(&root, &next).send().await;
        let rows = page.is(StatusCode::OK).body["data"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["email"].as_str().unwrap().to_owned()));
        if page.body["has_more"] == true {
            let cursor = page.body["next_cursor"].as_str().unwrap();
            next = format!("/api/v1/admin/users?limit=3&cursor={cursor}");
        }
    }
    assert_eq!(seen, ["root@platform.ru", "a@shop.ru", "b@shop.ru", "c@shop.ru"]);
}

#[tokio::test]
async fn the_only_owner_who_forgot_the_password_is_helped_by_an_administrator() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.registered("anna@shop.ru").await;
    let path = format!("/api/v1/admin/users/{}/password-reset", world.user(&anna));
    let issued = world.post(&root, &path, &json!({})).await;
    let code = issued.is(StatusCode::CREATED).body["code"].as_str().unwrap();
    let body = json!({"code": code, "new_password": "another horse"});
    world
        .public("/api/v1/auth/password/reset", &body)
        .await
        .is(StatusCode::OK);
    world
        .login("anna@shop.ru", "another horse")
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn the_database_itself_shows_other_tenants_people_to_administrators_only() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    let anna = world.registered("anna@shop.ru").await;
    let url = world.database_url().to_owned().into();
    let pool = database::Pool::open(&url, database::Role::Api, 1).unwrap();
    let people = auth::People::new(pool);
    let id = |seller: &Seller| events::ids::UserId(world.user(seller));
    assert_eq!(people.list(id(&root), None, 10).await.unwrap().len(), 2);
    assert!(people.list(id(&anna), None, 10).await.unwrap().is_empty());
    assert_eq!(
        people.tenant_of(id(&root), id(&anna)).await.unwrap(),
        Some(anna.tenant)
    );
    assert_eq!(people.tenant_of(id(&anna), id(&root)).await.unwrap(), None);
}
