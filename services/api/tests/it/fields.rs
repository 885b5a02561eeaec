//! What an answer shows is listed field by field, for each role: a column that somebody adds below does not
//! reach anybody by itself. Unknown fields of requests are refused everywhere.

use std::collections::BTreeSet;

use api::routes::{Access, ROUTES};
use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::authentication::{filled, method};
use crate::world::{fresh_key, world};

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
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    let cabinet = world.cabinet(&root).await;
    let product = world.product(&root, cabinet, 1, 3).await;
    world.api_key(&root, &["self:read"]).await;
    world.invitation(&root, "viewer").await;
    world.project().await;
    let mut text = String::new();
    for role in ["viewer", "member", "admin", "owner"] {
        world
            .sql(&format!("UPDATE core.accounts SET role = '{role}'"))
            .await;
        world.clock.advance(TimeDelta::seconds(1));
        for route in ROUTES {
            let documents = route.path.starts_with("/docs") || route.path.ends_with(".json");
            if route.method != "get" || documents || route.path.contains("health") {
                continue;
            }
            let subject = if route.path.contains("products") {
                product
            } else {
                cabinet
            };
            let path = route.path.replace("{id}", &subject.to_string());
            let answer = world.get(&root, &path).send().await;
            if answer.status == StatusCode::OK {
                let mut fields = BTreeSet::new();
                collect(&answer.body, "", &mut fields);
                let fields: Vec<_> = fields.into_iter().collect();
                text.push_str(&format!("{role} {}: {}\n", route.path, fields.join(" ")));
            }
        }
    }
    support::golden("tests/it/snapshots/fields.txt", &text);
}

#[tokio::test]
async fn no_command_takes_a_field_that_it_does_not_know() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    for route in ROUTES.iter().filter(|route| route.method != "get") {
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
