//! Bad input gets a problem that names what is wrong, and leaves nothing half-done; bad settings stop the
//! start.

use reqwest::Method;
use serde_json::json;

use crate::program::{Process, tool};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_and_nothing_is_half_done() {
    let mut world = World::start(1).await;
    let seller = world.seller(0).await;
    world.wait_quiet().await;
    // Nothing else shall write while events are counted.
    world.role("scheduler").kill();
    world.role("worker").kill();
    let admin = world.admin().await;
    let count = async || -> i64 {
        admin
            .query_one("SELECT position FROM core.log_head", &[])
            .await
            .unwrap()
            .get(0)
    };
    let before = count().await;
    let unshared = world.google.create_spreadsheet("private", &[]);
    let stranger = uuid::Uuid::nil();
    let cases = [
        (
            Method::POST,
            "/cabinets".to_owned(),
            json!({ "marketplace": "wildberries", "colour": 1 }),
            422,
            "colour",
        ),
        (
            Method::POST,
            "/cabinets".to_owned(),
            json!({ "marketplace": 7, "credential": "x" }),
            422,
            "marketplace",
        ),
        (
            Method::POST,
            "/cabinets".to_owned(),
            json!({ "marketplace": "wildberries", "credential": "no token" }),
            422,
            "credential",
        ),
        (
            Method::POST,
            format!("/cabinets/{stranger}/syncs"),
            json!({}),
            404,
            "cabinet",
        ),
        (
            Method::PUT,
            "/sheets/link".to_owned(),
            json!({ "spreadsheet_id": seller.sheet, "service_account": { "type": "service_account" } }),
            422,
            "client_email",
        ),
        (
            Method::PUT,
            "/sheets/link".to_owned(),
            json!({ "spreadsheet_id": unshared }),
            422,
            "iam.gserviceaccount.com",
        ),
    ];
    for (number, (method, path, body, status, named)) in cases.into_iter().enumerate() {
        let key = format!("bad-{number}");
        let answer = seller.send(method, &path, Some(&key), Some(&body)).await.unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(
            answer.body.to_string().contains(named),
            "{path} does not name {named}: {}",
            answer.body
        );
    }
    let forged = crate::seller::client()
        .get(format!("{}/products", world.api))
        .bearer_auth(format!("{}x", seller.token))
        .send()
        .await
        .unwrap();
    assert_eq!(forged.status().as_u16(), 401);
    assert_eq!(count().await, before);
}

#[test]
fn settings_that_cannot_be_used_stop_the_start_with_their_name() {
    let bad = [
        ("ST_HTTP_ADDR".to_owned(), "nowhere".to_owned()),
        ("ST_COLOUR".to_owned(), "red".to_owned()),
    ];
    let done = tool(&["api"], &bad);
    assert_eq!(done.status.code(), Some(78));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        said.contains("ST_HTTP_ADDR") && said.contains("ST_COLOUR"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_installation_stops_in_order_and_keeps_its_data() {
    let folder = support::scratch_folder("embedded");
    let settings: Vec<(String, String)> = [
        ("ST_DATA_DIR", folder.join("data").display().to_string()),
        ("ST_HTTP_ADDR", "127.0.0.1:0".to_owned()),
        ("ST_METRICS_ADDR", "127.0.0.1:0".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec();
    for round in 0..2 {
        let log = folder.join(format!("round-{round}.log"));
        let mut program = Process::start(&["all", "--embedded"], &settings, log);
        support::eventually("the API listens", support::SOON * 2, || {
            let log = program.log();
            async move {
                if log.contains("API listens") {
                    Ok(())
                } else {
                    Err(log)
                }
            }
        })
        .await;
        if round == 0 {
            let second = tool(&["all", "--embedded"], &settings);
            assert!(!second.status.success(), "two cannot own one folder");
        }
        program.signal("-INT");
        let status = support::eventually("the program has ended", support::SOON * 2, || {
            let ended = program.ended();
            async move { ended.ok_or_else(|| "still running".to_owned()) }
        })
        .await;
        assert!(status.success(), "{status}: {}", program.log());
        assert_eq!(
            program.log().contains("making a new database cluster"),
            round == 0
        );
    }
}
