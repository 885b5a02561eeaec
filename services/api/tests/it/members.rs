//! Members, roles and invitations.

use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{Seller, World, fresh_key, world};

const MEMBERS: &str = "/api/v1/tenants/me/members";

impl World {
    fn member_path(&self, seller: &Seller) -> String {
        format!("{MEMBERS}/{}", self.user(seller))
    }

    async fn types(&self) -> Vec<String> {
        self.events()
            .await
            .into_iter()
            .map(|event| event.event_type)
            .collect()
    }
}

#[tokio::test]
async fn an_invited_person_joins_as_what_the_invitation_says_and_once() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let code = world.invitation(&anna, "member").await;
    let listed = world.get(&anna, MEMBERS).send().await;
    assert_eq!(listed.body["data"][1]["status"], "invited");
    // Members are listed in the order in which they came; at the same moment there is none.
    world.clock.advance(chrono::TimeDelta::seconds(1));
    let vera = world.seller(world.accept(&code, "Vera@shop.ru").await.is(StatusCode::CREATED));
    assert_eq!(vera.tenant, anna.tenant);
    let me = world.me(&vera).await;
    assert_eq!(
        (&me.body["role"], &me.body["full_name"]),
        (&json!("member"), &json!("Вера"))
    );
    world.logged_in("vera@SHOP.ru").await;
    world
        .accept(&code, "thief@shop.ru")
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("code-refused");
    let listed = world.get(&anna, MEMBERS).send().await;
    let rows = listed.body["data"].as_array().unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row["email"].as_str().unwrap(), row["role"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [("anna@shop.ru", "owner"), ("Vera@shop.ru", "member")]);
    assert_eq!(
        world.types().await,
        [
            "tenant_registered",
            "user_registered",
            "user_registered",
            "member_added"
        ]
    );
}

#[tokio::test]
async fn a_repeated_acceptance_finds_the_same_member() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let code = world.invitation(&anna, "viewer").await;
    let key = fresh_key();
    let accept = async |password: &str| {
        let body = json!({"code": code, "email": "vera@shop.ru", "password": password});
        world
            .ask(reqwest::Method::POST, "/api/v1/auth/accept-invitation")
            .key(&key)
            .json(&body)
            .send()
            .await
    };
    let first = world.seller(accept("correct horse").await.is(StatusCode::CREATED));
    let second = world.seller(accept("correct horse").await.is(StatusCode::CREATED));
    assert_eq!(world.user(&first), world.user(&second));
    accept("guessed horse").await.is_problem("idempotency-key-reused");
    assert_eq!(world.types().await.len(), 4);
}

#[tokio::test]
async fn a_taken_address_gives_the_invitation_back() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    world.registered("boris@shop.ru").await;
    let code = world.invitation(&anna, "viewer").await;
    world
        .accept(&code, "boris@shop.ru")
        .await
        .is(StatusCode::CONFLICT)
        .is_problem("email-taken");
    world.accept(&code, "vera@shop.ru").await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn an_invitation_ends_by_itself_is_taken_back_or_dies_with_its_maker_s_role() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let boss = world.joined(&anna, "admin", "boss@shop.ru").await;
    let late = world.invitation(&anna, "viewer").await;
    let taken_back = world.post(&anna, MEMBERS, &json!({"role": "viewer"})).await;
    let path = format!("{MEMBERS}/{}", taken_back.id("id"));
    let gone = world.delete(&boss, &path).await;
    assert_eq!(gone.is(StatusCode::OK).body["removed"], "invitation");
    let code = taken_back.body["code"].as_str().unwrap();
    world.accept(code, "a@shop.ru").await.is_problem("code-refused");
    let by_boss = world.invitation(&boss, "admin").await;
    let demoted = json!({"role": "member"});
    world
        .patch(&anna, &world.member_path(&boss), &demoted)
        .await
        .is(StatusCode::OK);
    world
        .accept(&by_boss, "b@shop.ru")
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("forbidden");
    world.clock.advance(auth::invitations::LIFETIME);
    world.accept(&late, "c@shop.ru").await.is_problem("code-refused");
}

#[tokio::test]
async fn an_administrator_makes_no_owner_touches_none_and_raises_nobody_above_himself() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let boss = world.joined(&anna, "admin", "boss@shop.ru").await;
    let vera = world.joined(&boss, "member", "vera@shop.ru").await;
    let owner = json!({"role": "owner"});
    world
        .post(&boss, MEMBERS, &owner)
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("forbidden");
    for who in [&boss, &vera, &anna] {
        let path = world.member_path(who);
        world.patch(&boss, &path, &owner).await.is(StatusCode::FORBIDDEN);
    }
    let anna_s = world.member_path(&anna);
    world
        .patch(&boss, &anna_s, &json!({"role": "viewer"}))
        .await
        .is(StatusCode::FORBIDDEN);
    world.delete(&boss, &anna_s).await.is(StatusCode::FORBIDDEN);
    let reset = format!("{anna_s}/password-reset");
    world
        .post(&boss, &reset, &json!({}))
        .await
        .is(StatusCode::FORBIDDEN);
    world
        .patch(&boss, &world.member_path(&vera), &json!({"role": "admin"}))
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn the_last_owner_stays_and_stays_owner() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let path = world.member_path(&anna);
    let step_down = json!({"role": "admin"});
    world
        .patch(&anna, &path, &step_down)
        .await
        .is(StatusCode::CONFLICT)
        .is_problem("last-owner");
    world.delete(&anna, &path).await.is_problem("last-owner");
    world.joined(&anna, "owner", "olga@shop.ru").await;
    world.patch(&anna, &path, &step_down).await.is(StatusCode::OK);
}

#[tokio::test]
async fn another_role_counts_at_the_next_request_with_the_old_token() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "admin", "vera@shop.ru").await;
    world.get(&vera, MEMBERS).send().await.is(StatusCode::OK);
    let path = world.member_path(&vera);
    world
        .patch(&anna, &path, &json!({"role": "viewer"}))
        .await
        .is(StatusCode::OK);
    world
        .get(&vera, MEMBERS)
        .send()
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("forbidden");
    assert_eq!(world.me(&vera).await.body["role"], "viewer");
}

#[tokio::test]
async fn another_process_s_word_on_a_role_counts_within_a_second() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "admin", "vera@shop.ru").await;
    world.get(&vera, MEMBERS).send().await.is(StatusCode::OK);
    let changed = events::catalog::TenantEvent::from(events::tenant::MemberRoleChanged {
        user_id: events::ids::UserId(world.user(&vera)),
        role: auth::Role::Viewer,
    });
    world
        .record(anna.tenant, anna.tenant.uuid(), 2, vec![changed.into()])
        .await;
    world.clock.advance(TimeDelta::seconds(1));
    world.get(&vera, MEMBERS).send().await.is(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_removed_member_is_out_at_once_and_may_be_invited_again() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "admin", "vera@shop.ru").await;
    let key = world.api_key(&vera, &["tenant:read", "self:read"]).await;
    world.me(&vera).await.is(StatusCode::OK);
    world.me(&key).await.is(StatusCode::OK);
    let path = world.member_path(&vera);
    let removed = world.delete(&anna, &path).await;
    assert_eq!(removed.is(StatusCode::OK).body["removed"], "member");
    world.me(&vera).await.is(StatusCode::UNAUTHORIZED);
    world.me(&key).await.is(StatusCode::UNAUTHORIZED);
    let refresh = json!({"refresh_token": vera.refresh});
    world
        .public("/api/v1/auth/refresh", &refresh)
        .await
        .is(StatusCode::UNAUTHORIZED);
    world
        .login("vera@shop.ru", "correct horse")
        .await
        .is_problem("wrong-credentials");
    world.delete(&anna, &path).await.is(StatusCode::NOT_FOUND);
    world.joined(&anna, "viewer", "vera@shop.ru").await;
}

#[tokio::test]
async fn another_business_s_members_are_not_there() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let boris = world.registered("boris@shop.ru").await;
    let path = world.member_path(&anna);
    let viewer = json!({"role": "viewer"});
    world
        .patch(&boris, &path, &viewer)
        .await
        .is(StatusCode::NOT_FOUND);
    world.delete(&boris, &path).await.is(StatusCode::NOT_FOUND);
    let reset = format!("{path}/password-reset");
    world
        .post(&boris, &reset, &json!({}))
        .await
        .is(StatusCode::NOT_FOUND);
    let invitation = world.post(&anna, MEMBERS, &viewer).await;
    let theirs = format!("{MEMBERS}/{}", invitation.id("id"));
    world.delete(&boris, &theirs).await.is(StatusCode::NOT_FOUND);
    let listed = world.get(&boris, MEMBERS).send().await;
    let rows = listed.body["data"].as_array().unwrap();
    assert_eq!(
        rows.iter().map(|row| &row["email"]).collect::<Vec<&Value>>(),
        ["boris@shop.ru"]
    );
}

#[tokio::test]
async fn nobody_takes_an_invitation_back_that_they_could_not_have_made() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let boss = world.joined(&anna, "admin", "boss@shop.ru").await;
    let invited = world.post(&anna, MEMBERS, &json!({"role": "owner"})).await;
    let path = format!("{MEMBERS}/{}", invited.id("id"));
    world
        .delete(&boss, &path)
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("forbidden");
    let code = invited.body["code"].as_str().unwrap();
    world.accept(code, "vera@shop.ru").await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn a_business_does_not_decide_about_the_password_of_a_platform_administrator() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let vera = world.joined(&anna, "viewer", "vera@shop.ru").await;
    let granted = events::catalog::UserEvent::from(events::user::AdminGranted {});
    world
        .record(vera.tenant, world.user(&vera), 1, vec![granted.into()])
        .await;
    let path = format!("{}/password-reset", world.member_path(&vera));
    world
        .post(&anna, &path, &json!({}))
        .await
        .is(StatusCode::FORBIDDEN)
        .is_problem("forbidden");
    let root = world.administrator("root@platform.ru").await;
    let path = format!("/api/v1/admin/users/{}/password-reset", world.user(&vera));
    world.post(&root, &path, &json!({})).await.is(StatusCode::CREATED);
}
