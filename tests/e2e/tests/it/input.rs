//! Bad input through the running API leaves nothing half-done.

use auth::AccessTokens;
use chrono::TimeDelta;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use simulators::Clock;
use simulators::google::Role;
use simulators::wildberries::{TokenKind, scope};
use support::connect;
use uuid::Uuid;

use crate::checks;
use crate::seller::{Answer, Seller, send};
use crate::world::{World, shop};

/// Everything a refused command could have left behind.
async fn traces(world: &World) -> Vec<i64> {
    let client = connect(&world.database()).await;
    let mut counts = Vec::new();
    for table in [
        "events",
        "commands",
        "accounts",
        "sessions",
        "credentials",
        "profiles",
        "idempotency_keys",
    ] {
        counts.push(
            checks::count(&client, &format!("SELECT count(*) FROM core.{table}"))
                .await
                .unwrap(),
        );
    }
    counts
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.body["code"].as_str()),
        (status, Some(code)),
        "{answer:?}"
    );
    assert_eq!(answer.kind, "application/problem+json", "{answer:?}");
}

// invariant 8
// invariant 9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_named_and_leaves_nothing_behind() {
    let world = World::start(vec![shop(51), shop(52)]).await;
    let mut seller = Seller::enter(&world, 0).await;
    let mut stranger = Seller::enter(&world, 1).await;
    for seller in [&mut seller, &mut stranger] {
        seller.first_sync().await;
    }
    checks::rest(&world).await;
    // Nobody else shall write while traces are compared.
    for role in ["scheduler", "worker", "sheets"] {
        world.kill(role);
        world.forget(role);
    }
    let before = traces(&world).await;

    fields(&seller).await;
    strangers_things(&seller, &stranger).await;
    tokens(&world, &seller, &stranger).await;
    sheets(&world, &seller).await;
    credentials(&world, &seller).await;
    assert_eq!(traces(&world).await, before, "something was left behind");
    world.assert_all_live();
    // The same seller, with the same keys, does the right thing and is heard.
    let renamed = seller
        .command(Method::PATCH, "/tenants/me", "a", &json!({ "name": "Fine" }))
        .await
        .unwrap();
    assert_eq!(renamed.status, 200, "{renamed:?}");
}

/// Each wrong field is named where it stands.
async fn fields(seller: &Seller) {
    let wrong = [
        (
            Method::PATCH,
            "/tenants/me",
            json!({ "name": "Fine", "nmae": "Not fine" }),
            "#/nmae",
        ),
        (Method::PATCH, "/tenants/me", json!({ "name": 7 }), "#/name"),
        (Method::PATCH, "/tenants/me", json!({ "name": "" }), "#/name"),
        (
            Method::POST,
            "/cabinets",
            json!({ "marketplace": "wildberries", "credential": "x", "colour": 1 }),
            "#/colour",
        ),
        (
            Method::POST,
            "/cabinets",
            json!({ "marketplace": 7, "credential": "x" }),
            "#/marketplace",
        ),
        (
            Method::POST,
            "/cabinets",
            json!({ "marketplace": "wildberries" }),
            "#/credential",
        ),
        (
            Method::PUT,
            "/sheets/link",
            json!({ "spreadsheet_id": ["x"] }),
            "#/spreadsheet_id",
        ),
    ];
    for (method, path, body, pointer) in wrong {
        let answer = seller.command(method, path, "a", &body).await.unwrap();
        refused(&answer, 422, "invalid-input");
        assert!(names(&answer, pointer), "{pointer} is not named: {answer:?}");
    }
    let answer = send(seller.request(Method::GET, "/products?limit=many&colour=red"))
        .await
        .unwrap();
    refused(&answer, 422, "invalid-input");
    for parameter in ["?limit", "?colour"] {
        assert!(names(&answer, parameter), "{parameter} is not named: {answer:?}");
    }
    let keyless = seller
        .request(Method::PATCH, "/tenants/me")
        .json(&json!({ "name": "Fine" }));
    refused(&send(keyless).await.unwrap(), 400, "idempotency-key-missing");
    let long = json!({ "name": "x".repeat(3_000_000) });
    let answer = seller
        .command(Method::PATCH, "/tenants/me", "c", &long)
        .await
        .unwrap();
    refused(&answer, 413, "body-too-large");
}

fn names(answer: &Answer, pointer: &str) -> bool {
    let problems = answer.body["errors"].as_array().into_iter().flatten();
    problems
        .filter_map(|problem| problem["pointer"].as_str())
        .any(|named| named == pointer)
}

/// Somebody else's things are as absent as what never was.
async fn strangers_things(seller: &Seller, stranger: &Seller) {
    let theirs = stranger.read("/syncs").await["data"][0]["id"].clone();
    let product = stranger.read("/products").await["data"][0]["id"].clone();
    for path in [
        format!("/cabinets/{}", stranger.cabinet),
        format!("/syncs/{}", theirs.as_str().unwrap()),
        format!("/operations/{}", theirs.as_str().unwrap()),
        format!("/products/{}", product.as_str().unwrap()),
        format!("/products/{}/history", product.as_str().unwrap()),
    ] {
        stranger.read(&path).await;
        let answer = seller.read_at(&path, stranger.position).await.unwrap();
        refused(&answer, 404, "not-found");
    }
    for cabinet in [stranger.cabinet.clone(), Uuid::nil().to_string()] {
        let path = format!("/cabinets/{cabinet}/syncs");
        let answer = seller
            .command(Method::POST, &path, "d", &json!({}))
            .await
            .unwrap();
        refused(&answer, 404, "not-found");
        assert!(answer.text("detail").contains("cabinet"), "{answer:?}");
    }
}

/// Tokens that are none: absent, made up, unsigned, signed for somebody else, signed by somebody else, and
/// one that is over.
async fn tokens(world: &World, seller: &Seller, stranger: &Seller) {
    let (head, rest) = seller.token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let (_, strange_rest) = stranger.token.split_once('.').unwrap();
    let (strange_payload, _) = strange_rest.split_once('.').unwrap();
    let ours = AccessTokens::from_pem(&SecretString::from(world.setting("ST_JWT_KEY"))).unwrap();
    let another = AccessTokens::from_pem(&AccessTokens::generate_pem().unwrap()).unwrap();
    let now = Clock::system().now();
    let whose = ours.verify(&seller.token, now).unwrap();
    let issue = |by: &AccessTokens, at| by.issue(&whose, at).unwrap().expose_secret().to_owned();
    let refused_tokens = [
        String::new(),
        "nothing".to_owned(),
        format!("eyJhbGciOiJub25lIn0.{payload}."),
        format!("{head}.{strange_payload}.{signature}"),
        issue(&another, now),
        issue(&ours, now - TimeDelta::hours(1)),
    ];
    for token in refused_tokens {
        let forger = Seller {
            token,
            ..seller.clone()
        };
        let body = json!({ "name": "Mine" });
        let command = forger.command(Method::PATCH, "/tenants/me", "e", &body).await;
        refused(&command.unwrap(), 401, "unauthenticated");
        let read = send(forger.request(Method::GET, "/products")).await.unwrap();
        refused(&read, 401, "unauthenticated");
    }
    // What was wrong with the last one is its age alone.
    let fresh = Seller {
        token: issue(&ours, now),
        ..seller.clone()
    };
    fresh.read("/tenants/me").await;
}

async fn sheets(world: &World, seller: &Seller) {
    let ours = world.google.service_account_email(0);
    let link = async |key: &str, body: &Value| {
        seller
            .command(Method::PUT, "/sheets/link", key, body)
            .await
            .unwrap()
    };
    let private = world
        .google
        .create_spreadsheet("Private", &[("somebody@example.com", Role::Writer)]);
    let answer = link("f", &json!({ "spreadsheet_id": private })).await;
    refused(&answer, 422, "sheet-refused");
    assert!(
        answer.text("detail").contains(&ours),
        "the problem does not say with whom to share: {answer:?}"
    );

    let mut broken: Value = serde_json::from_str(&world.google.service_account_json()).unwrap();
    broken["private_key"] = json!("-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n");
    for key_file in [broken, json!("{ not json"), json!({ "type": "service_account" })] {
        let answer = link(
            "g",
            &json!({ "spreadsheet_id": private, "service_account": key_file }),
        )
        .await;
        refused(&answer, 422, "invalid-input");
        assert!(
            answer.body["errors"].to_string().contains("#/service_account"),
            "{answer:?}"
        );
        assert!(
            !answer.body.to_string().contains("bm90IGEga2V5"),
            "the key is shown: {answer:?}"
        );
    }
}

async fn credentials(world: &World, seller: &Seller) {
    let sid = world.wildberries.sellers()[0];
    let yesterday = Clock::system().now() - TimeDelta::days(1);
    let expired = world
        .wildberries
        .token(sid, TokenKind::Personal, scope::ALL, yesterday);
    for credential in ["no token", expired.as_str()] {
        let body = json!({ "marketplace": "wildberries", "credential": credential });
        let answer = seller
            .command(Method::POST, "/cabinets", "h", &body)
            .await
            .unwrap();
        refused(&answer, 422, "credential-refused");
        assert!(
            !answer.body.to_string().contains(credential),
            "the credential is shown: {answer:?}"
        );
    }
}
