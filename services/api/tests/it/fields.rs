//! What an answer shows is listed field by field, for each role: a column that somebody adds below does not
//! reach anybody by itself. Unknown fields of requests are refused everywhere.

use std::collections::BTreeSet;

use api::routes::{Access, ROUTES};
use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::authentication::{filled, method};
use crate::world::{fresh_key, listening, world, world_and_state};

/// What is no data of anybody's, or goes on for ever: the events of an operation hold what the operation
/// itself shows, and those of a tenant are listed by themselves.
const WITHOUT_FIELDS: [&str; 13] = [
    "/api/v1/events",
    "/api/v1/exports/stock.csv",
    "/api/v1/exports/stock.xlsx",
    "/api/v1/health",
    "/api/v1/health/",
    "/api/v1/health/live",
    "/api/v1/health/ready",
    "/api/v1/openapi.json",
    "/api/v1/operations/{id}/events",
    "/billing/done",
    "/docs",
    "/docs/script.js",
    "/docs/style.css",
];

fn collect(value: &Value, path: &str, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                collect(value, &format!("{path}.{name}"), fields);
            }
        }
        Value::Array(items) => {
            for item in items {
                collect(item, &format!("{path}[]"), fields);
            }
        }
        _ => {
            fields.insert(path.trim_start_matches('.').to_owned());
        }
    }
}

#[tokio::test]
async fn every_answer_shows_each_role_the_listed_fields_and_no_others() {
    let (world, mut state) = world_and_state().await;
    let table = limits::Table::built_in().unwrap();
    state.app = state.app.clone().selling(table.plans().unwrap());
    let world = listening((world, state));
    let root = world.administrator("root@platform.ru").await;
    let cabinet = world.cabinet(&root).await;
    let product = world.product(&root, cabinet, 1, 3).await;
    world.project().await;
    let left_out = json!({"warehouse": "fbo:507", "reason": "r"});
    world.exclude(&root, cabinet, left_out).await.is(StatusCode::OK);
    world.ran_out(&root, cabinet, product, 1).await;
    let rule = json!({"scope": {"kind": "tenant"}, "below_units": 3});
    world.set_rule(&root, &rule).await.is(StatusCode::CREATED);
    world.api_key(&root, &["self:read"]).await;
    world.invitation(&root, "viewer").await;
    let endpoint = world.webhook(&root, "https://hooks.example.com/k").await;
    world.ping(&root, endpoint).await.is(StatusCode::ACCEPTED);
    let sync = world
        .post(&root, &format!("/api/v1/cabinets/{cabinet}/syncs"), &json!({}))
        .await;
    let sync = sync.is(StatusCode::ACCEPTED).id("operation_id");
    let account = world.google.service_account_email(0);
    let shared = [(account.as_str(), simulators::google::Role::Writer)];
    let sheet = world.google.create_spreadsheet("Sheet", &shared);
    world
        .link(&root, &sheet, &world.key_file())
        .await
        .is(StatusCode::OK);
    world.project().await;
    let mut text = String::new();
    let mut unseen: BTreeSet<&str> = ROUTES
        .iter()
        .filter(|route| route.method == "get")
        .map(|route| route.path)
        .collect();
    for role in ["viewer", "member", "admin", "owner"] {
        world
            .sql(&format!("UPDATE core.accounts SET role = '{role}'"))
            .await;
        world.clock.advance(TimeDelta::seconds(1));
        for route in ROUTES {
            if route.method != "get" || WITHOUT_FIELDS.contains(&route.path) {
                continue;
            }
            let subject = match route.path.split('/').nth(3) {
                Some("products") => product,
                Some("syncs" | "operations") => sync,
                Some("webhook-endpoints") => endpoint,
                _ => cabinet,
            };
            let path = route.path.replace("{id}", &subject.to_string());
            let answer = world.get(&root, &path).send().await;
            if answer.status == StatusCode::OK {
                unseen.remove(route.path);
                let mut fields = BTreeSet::new();
                collect(&answer.body, "", &mut fields);
                let fields: Vec<_> = fields.into_iter().collect();
                text.push_str(&format!("{role} {}: {}\n", route.path, fields.join(" ")));
            }
        }
    }
    // An answer that this does not get to see is one whose fields nobody has decided about.
    let unseen: Vec<_> = unseen.into_iter().collect();
    assert_eq!(unseen, WITHOUT_FIELDS, "give the new route something to show");
    support::golden("tests/it/snapshots/fields.txt", &text);
}

#[tokio::test]
async fn no_command_takes_a_field_that_it_does_not_know() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    let commands = ROUTES.iter().filter(|route| route.method != "get");
    // Stripe's events have fields that nobody here knows.
    for route in commands.filter(|route| route.path != "/api/v1/billing/webhook") {
        let ask = world
            .ask(method(route.method), &filled(route.path))
            .key(&fresh_key())
            .json(&json!({"is_admin_": true, "tenant_id": "018f3c2a-7b1d-7c4e-9a52-0c1d2e3f4a5b"}));
        let ask = if route.access == Access::Public {
            ask
        } else {
            ask.token(&root.access)
        };
        let answer = ask.send().await;
        answer
            .is(StatusCode::UNPROCESSABLE_ENTITY)
            .is_problem("invalid-input");
        for unknown in ["#/is_admin_", "#/tenant_id"] {
            assert!(answer.pointers().contains(&unknown), "{route:?}: {}", answer.text);
        }
    }
}
