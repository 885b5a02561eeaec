//! Bad input through the running API leaves nothing half-done.

use reqwest::Method;
use serde_json::{Value, json};
use simulators::google::Role;
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
async fn what_cannot_be_done_is_said_and_leaves_nothing_behind() {
    let world = World::prepare(vec![shop(51), shop(52)]).await;
    for role in ["relay", "projector", "gateway", "worker", "sheets", "api"] {
        world.begin(role);
    }
    world.ready().await;
    let mut seller = Seller::register(world.address(), 0).await;
    let mut stranger = Seller::register(world.address(), 1).await;
    seller.connect(&world).await;
    stranger.connect(&world).await;
    checks_rest_of_idempotency(&world).await;
    let before = traces(&world).await;

    // Fields.
    let unknown = json!({ "name": "Fine", "nmae": "Not fine" });
    let answer = seller
        .command(Method::PATCH, "/tenants/me", "a", &unknown)
        .await
        .unwrap();
    refused(&answer, 422, "invalid-input");
    assert!(answer.body["errors"].to_string().contains("#/nmae"), "{answer:?}");
    let answer = seller
        .command(Method::PATCH, "/tenants/me", "b", &json!({ "name": 7 }))
        .await
        .unwrap();
    refused(&answer, 422, "invalid-input");
    let answer = send(
        seller
            .request(Method::PATCH, "/tenants/me")
            .json(&json!({ "name": "Fine" })),
    )
    .await
    .unwrap();
    refused(&answer, 400, "idempotency-key-missing");
    let long = json!({ "name": "x".repeat(3_000_000) });
    let answer = seller
        .command(Method::PATCH, "/tenants/me", "c", &long)
        .await
        .unwrap();
    refused(&answer, 413, "body-too-large");

    // Somebody else's things are not there.
    for path in [
        format!("/cabinets/{}/syncs", stranger.cabinet),
        format!("/cabinets/{}/syncs", Uuid::nil()),
    ] {
        let answer = seller
            .command(Method::POST, &path, "d", &json!({}))
            .await
            .unwrap();
        refused(&answer, 404, "not-found");
    }
    let answer = seller
        .read_at(&format!("/cabinets/{}", stranger.cabinet), stranger.position)
        .await
        .unwrap();
    refused(&answer, 404, "not-found");

    // Tokens that are none.
    let (head, rest) = seller.token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let (_, strange_rest) = stranger.token.split_once('.').unwrap();
    let (strange_payload, _) = strange_rest.split_once('.').unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let swapped = format!("{head}.{strange_payload}.{signature}");
    for token in [String::new(), "nothing".to_owned(), unsigned, swapped] {
        let forger = Seller {
            token,
            ..seller.clone()
        };
        let answer = forger
            .command(Method::PATCH, "/tenants/me", "e", &json!({ "name": "Mine" }))
            .await
            .unwrap();
        refused(&answer, 401, "unauthenticated");
    }

    sheets(&world, &seller).await;
    credentials(&world, &seller).await;
    assert_eq!(traces(&world).await, before, "something was left behind");
    world.assert_all_live();
}

/// Answers are stored a moment after they are given.
async fn checks_rest_of_idempotency(world: &World) {
    support::eventually("answers to be stored", support::SOON, || async {
        let client = connect(&world.database()).await;
        match checks::count(
            &client,
            "SELECT count(*) FROM core.idempotency_keys WHERE state <> 'done'",
        )
        .await?
        {
            0 => Ok(()),
            left => Err(format!("{left} are not")),
        }
    })
    .await;
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
    use simulators::wildberries::{TokenKind, scope};
    let sid = world.wildberries.sellers()[0];
    let yesterday = simulators::Clock::system().now() - chrono::TimeDelta::days(1);
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
