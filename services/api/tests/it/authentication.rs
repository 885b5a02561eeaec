//! Coming in, going on, going out, and staying out.

use api::routes::{Access, ROUTES};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{World, fresh_key, world};

pub(crate) fn method(name: &str) -> Method {
    name.to_uppercase().parse().unwrap()
}

pub(crate) fn filled(path: &str) -> String {
    path.replace("{id}", "018f3c2a-7b1d-7c4e-9a52-0c1d2e3f4a5b")
}

#[tokio::test]
async fn a_seller_registers_and_is_known_at_once() {
    let world = world().await;
    let anna = world.registered("Anna@Shop.ru").await;
    let me = world.get(&anna, "/api/v1/auth/me").send().await;
    me.is(StatusCode::OK);
    assert_eq!(
        (&me.body["email"], &me.body["role"]),
        (&json!("Anna@Shop.ru"), &json!("owner"))
    );
    assert_eq!(
        (&me.body["tenant_name"], me.id("tenant_id")),
        (&json!("Shop"), anna.tenant.uuid())
    );
    let types: Vec<_> = world
        .events()
        .await
        .into_iter()
        .map(|event| event.event_type)
        .collect();
    assert_eq!(types, ["tenant_registered", "user_registered"]);
}

#[tokio::test]
async fn an_address_registers_once_and_the_second_learns_only_that() {
    let world = world().await;
    world.registered("anna@shop.ru").await;
    let body = json!({"email": "ANNA@shop.ru", "password": "other horse", "company_name": "Thief"});
    let taken = world
        .ask(Method::POST, "/api/v1/auth/register")
        .key(&fresh_key())
        .json(&body)
        .send()
        .await;
    taken.is(StatusCode::CONFLICT).is_problem("email-taken");
    assert_eq!(taken.pointers(), ["#/email"]);
    assert_eq!(world.events().await.len(), 2, "nothing half-done is in the log");
}

#[tokio::test]
async fn a_repeated_registration_finds_the_same_account_and_a_guessed_key_finds_nothing() {
    let world = world().await;
    let key = fresh_key();
    let register = async |password: &str| {
        let body = json!({"email": "anna@shop.ru", "password": password, "company_name": "Shop"});
        world
            .ask(Method::POST, "/api/v1/auth/register")
            .key(&key)
            .json(&body)
            .send()
            .await
    };
    let first = register("correct horse").await;
    let second = register("correct horse").await;
    second.is(StatusCode::CREATED);
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(world.seller(&first).tenant, world.seller(&second).tenant);
    assert_eq!(world.events().await.len(), 2);
    register("guessed horse")
        .await
        .is_problem("idempotency-key-reused");
    world.sql("DELETE FROM core.idempotency_keys").await;
    register("guessed horse").await.is_problem("email-taken");
}

#[tokio::test]
async fn login_does_not_say_whether_an_address_is_known() {
    let world = world().await;
    world.registered("anna@shop.ru").await;
    let login = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        world
            .ask(Method::POST, "/api/v1/auth/login")
            .json(&body)
            .send()
            .await
    };
    let wrong = login("anna@shop.ru", "wrong horse").await;
    let unknown = login("nobody@shop.ru", "correct horse").await;
    wrong.is(StatusCode::UNAUTHORIZED).is_problem("wrong-credentials");
    unknown
        .is(StatusCode::UNAUTHORIZED)
        .is_problem("wrong-credentials");
    assert_eq!(wrong.body["detail"], unknown.body["detail"]);
    let right = login("anna@shop.ru", "correct horse").await;
    right.is(StatusCode::OK);
    assert_eq!(
        (&right.body["token_type"], &right.body["expires_in"]),
        (&json!("bearer"), &json!(600))
    );
}

#[tokio::test]
async fn a_repeated_refresh_ends_no_session_unless_another_program_sends_it() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let refresh = async |token: &str, agent: &str| {
        world
            .ask(Method::POST, "/api/v1/auth/refresh")
            .header("user-agent", agent)
            .json(&json!({"refresh_token": token}))
            .send()
            .await
    };
    let (one, two) = tokio::join!(refresh(&anna.refresh, "tab"), refresh(&anna.refresh, "tab"));
    let next = world.seller(one.is(StatusCode::OK));
    assert_eq!(next.refresh, world.seller(two.is(StatusCode::OK)).refresh);
    world.clock.advance(TimeDelta::seconds(9));
    let again = refresh(&anna.refresh, "tab").await;
    assert_eq!(
        again.is(StatusCode::OK).body["refresh_token"],
        next.refresh.as_str()
    );
    world
        .get(&next, "/api/v1/auth/me")
        .send()
        .await
        .is(StatusCode::OK);
    refresh(&anna.refresh, "thief")
        .await
        .is(StatusCode::UNAUTHORIZED)
        .is_problem("refresh-refused");
    refresh(&next.refresh, "tab")
        .await
        .is(StatusCode::UNAUTHORIZED)
        .is_problem("refresh-refused");
}

#[tokio::test]
async fn a_session_goes_on_by_refreshing_and_dies_when_a_token_comes_twice() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let refresh = async |token: &str| {
        let body = json!({"refresh_token": token});
        world
            .ask(Method::POST, "/api/v1/auth/refresh")
            .json(&body)
            .send()
            .await
    };
    let next = world.seller(refresh(&anna.refresh).await.is(StatusCode::OK));
    world.clock.advance(TimeDelta::seconds(10));
    refresh(&anna.refresh)
        .await
        .is(StatusCode::UNAUTHORIZED)
        .is_problem("refresh-refused");
    refresh(&next.refresh)
        .await
        .is(StatusCode::UNAUTHORIZED)
        .is_problem("refresh-refused");
    world.clock.advance(TimeDelta::seconds(1));
    world
        .get(&next, "/api/v1/auth/me")
        .send()
        .await
        .is(StatusCode::UNAUTHORIZED);
    refresh(&next.access).await.is_problem("refresh-refused");
}

#[tokio::test]
async fn logging_out_ends_the_session_s_access_token_too() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    world
        .command(&anna, Method::POST, "/api/v1/auth/logout", &json!({}))
        .send()
        .await
        .is(StatusCode::OK);
    world
        .get(&anna, "/api/v1/auth/me")
        .send()
        .await
        .is(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_route_that_needs_a_caller_turns_strangers_away() {
    let world = world().await;
    let mut checked = 0;
    for route in ROUTES.iter().filter(|route| route.access != Access::Public) {
        let ask = world
            .ask(method(route.method), &filled(route.path))
            .key(&fresh_key());
        let answer = if route.method == "get" {
            ask
        } else {
            ask.json(&json!({"nonsense": 1}))
        }
        .send()
        .await;
        answer.is(StatusCode::UNAUTHORIZED).is_problem("unauthenticated");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        checked += 1;
    }
    assert!(checked > 20, "only {checked} routes were checked");
}

impl World {
    async fn refuses(&self, token: &str, why: &str) {
        let answer = self.ask(Method::GET, "/api/v1/auth/me").token(token).send().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{why}: {}", answer.text);
        answer.is_problem("unauthenticated");
    }
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    world.clock.advance(TimeDelta::seconds(599));
    world
        .get(&anna, "/api/v1/auth/me")
        .send()
        .await
        .is(StatusCode::OK);
    world.clock.advance(TimeDelta::seconds(1));
    world.refuses(&anna.access, "expired").await;
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let parts: Vec<&str> = anna.access.split('.').collect();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let kid = jsonwebtoken::decode_header(&anna.access).unwrap().kid;
    for alg in ["none", "NONE", "EdDSA"] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid}).to_string();
        let forged = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), parts[1]);
        world.refuses(&forged, alg).await;
    }
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = kid.clone();
    let shared = EncodingKey::from_secret(b"public key as a secret");
    world
        .refuses(&jsonwebtoken::encode(&header, &claims, &shared).unwrap(), "HS256")
        .await;

    let stranger = auth::AccessTokens::generate_pem().unwrap();
    let key = EncodingKey::from_ed_pem(secrecy::ExposeSecret::expose_secret(&stranger).as_bytes()).unwrap();
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".to_owned());
    header.kid = kid;
    world
        .refuses(
            &jsonwebtoken::encode(&header, &claims, &key).unwrap(),
            "another key under our id",
        )
        .await;
    header.kid = Some("another".to_owned());
    world
        .refuses(
            &jsonwebtoken::encode(&header, &claims, &key).unwrap(),
            "an unknown key id",
        )
        .await;

    let mut other = claims.clone();
    other["role"] = json!("owner");
    other["tenant"] = json!(uuid::Uuid::from_u128(7));
    let payload = URL_SAFE_NO_PAD.encode(other.to_string());
    world
        .refuses(&format!("{}.{payload}.{}", parts[0], parts[2]), "changed claims")
        .await;
    for token in ["", "x", "a.b.c", &anna.refresh] {
        world.refuses(token, "no token").await;
    }
    let basic = world
        .ask(Method::GET, "/api/v1/auth/me")
        .header("authorization", "Basic YTpi")
        .send()
        .await;
    basic.is(StatusCode::UNAUTHORIZED).is_problem("unauthenticated");
}
