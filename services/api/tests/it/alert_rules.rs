//! Rules for alerts: set by scope, shown in the order in which they count, changed only by whoever has seen
//! them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, fresh_key, world};

const RULES: &str = "/api/v1/alert-rules";

impl World {
    pub(crate) async fn alert_rules(&self, seller: &Seller) -> Answer {
        let answer = self.get(seller, RULES).send().await;
        answer.is(StatusCode::OK);
        answer
    }

    pub(crate) async fn set_rule(&self, seller: &Seller, rule: &Value) -> Answer {
        let tag = self.alert_rules(seller).await.header("etag").to_owned();
        self.command(seller, Method::PUT, RULES, rule)
            .header("if-match", &tag)
            .send()
            .await
    }

    async fn remove_rule(&self, seller: &Seller, id: Uuid) -> Answer {
        let tag = self.alert_rules(seller).await.header("etag").to_owned();
        self.command(seller, Method::DELETE, &format!("{RULES}/{id}"), &json!({}))
            .header("if-match", &tag)
            .send()
            .await
    }
}

fn by_days(scope: Value, days: i64) -> Value {
    json!({"scope": scope, "below_days": days})
}

#[tokio::test]
async fn whoever_sets_nothing_sees_the_default_that_counts() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let rules = world.alert_rules(&anna).await;
    assert_eq!(
        rules.body["data"],
        json!([{"id": null, "is_default": true,
            "scope": {"kind": "tenant", "cabinet_id": null, "subject": null, "product_id": null},
            "below_units": null, "below_days": 7, "recover_units": null, "recover_days": 10,
            "per_warehouse": false, "enabled": true}])
    );
    let known = world
        .get(&anna, RULES)
        .header("if-none-match", rules.header("etag"))
        .send()
        .await;
    known.is(StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn rules_are_shown_the_most_specific_first_and_a_scope_has_one() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let cabinet = world.cabinet(&anna).await;
    let product = world.product(&anna, cabinet, 101, 3).await;
    let scopes = [
        json!({"kind": "tenant"}),
        json!({"kind": "cabinet", "cabinet_id": cabinet}),
        json!({"kind": "subject", "subject": " Платья "}),
        json!({"kind": "product", "product_id": product}),
    ];
    for scope in &scopes {
        let set = world.set_rule(&anna, &by_days(scope.clone(), 8)).await;
        set.is(StatusCode::CREATED);
        assert!(set.position() > 0);
        assert_eq!(set.body["rule"]["recover_days"], 12, "half as many again");
    }
    let kinds = |answer: &Answer| -> Vec<String> {
        let rules = answer.body["data"].as_array().unwrap();
        let kind = |rule: &Value| {
            let default = rule["is_default"].as_bool().unwrap();
            let kind = rule["scope"]["kind"].as_str().unwrap();
            if default { "default" } else { kind }.to_owned()
        };
        rules.iter().map(kind).collect()
    };
    let listed = world.alert_rules(&anna).await;
    assert_eq!(
        kinds(&listed),
        ["product", "subject", "cabinet", "tenant", "default"]
    );
    assert_eq!(listed.body["data"][1]["scope"]["subject"], "Платья");

    let other = json!({"scope": scopes[1], "below_units": 5, "recover_units": 20, "per_warehouse": true});
    let replaced = world.set_rule(&anna, &other).await;
    replaced.is(StatusCode::OK);
    let rule = &replaced.body["rule"];
    assert_eq!(
        (&rule["below_units"], &rule["recover_units"], &rule["below_days"]),
        (&json!(5), &json!(20), &json!(null))
    );
    assert_eq!(rule["id"], listed.body["data"][2]["id"]);
    assert_eq!(kinds(&world.alert_rules(&anna).await), kinds(&listed));

    let id = rule["id"].as_str().unwrap().parse().unwrap();
    world.remove_rule(&anna, id).await.is(StatusCode::OK);
    assert_eq!(
        kinds(&world.alert_rules(&anna).await),
        ["product", "subject", "tenant", "default"]
    );
    world
        .remove_rule(&anna, id)
        .await
        .is(StatusCode::NOT_FOUND)
        .is_problem("not-found");
}

#[tokio::test]
async fn a_rule_that_only_silences_needs_no_numbers() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let silent = json!({"scope": {"kind": "subject", "subject": "Носки"}, "enabled": false});
    let set = world.set_rule(&anna, &silent).await;
    set.is(StatusCode::CREATED);
    assert_eq!(set.body["rule"]["enabled"], false);
}

#[tokio::test]
async fn only_whoever_has_seen_the_rules_changes_them_and_a_repeated_request_gets_its_first_answer() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let tag = world.alert_rules(&anna).await.header("etag").to_owned();
    let rule = by_days(json!({"kind": "tenant"}), 14);
    let blind = world.command(&anna, Method::PUT, RULES, &rule).send().await;
    blind
        .is(StatusCode::PRECONDITION_REQUIRED)
        .is_problem("precondition-required");
    let key = fresh_key();
    let set = async |key: &str, tag: &str, rule: &Value| {
        let ask = world.ask(Method::PUT, RULES).token(&anna.access).key(key);
        ask.header("if-match", tag).json(rule).send().await
    };
    let first = set(&key, &tag, &rule).await;
    first.is(StatusCode::CREATED);
    let again = set(&key, &tag, &rule).await;
    again.is(StatusCode::CREATED);
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("idempotent-replayed"), "true");
    // The kept answer is lost; the log knows the command all the same.
    world.sql("DELETE FROM core.idempotency_keys").await;
    let repeated = set(&key, &tag, &rule).await;
    repeated.is(StatusCode::CREATED);
    assert_eq!(repeated.text, first.text);

    let other = by_days(json!({"kind": "tenant"}), 20);
    let late = set(&fresh_key(), &tag, &other).await;
    late.is(StatusCode::PRECONDITION_FAILED)
        .is_problem("precondition-failed");
    let newer = first.header("etag").to_owned();
    set(&fresh_key(), &newer, &other).await.is(StatusCode::OK);
    set(&fresh_key(), "*", &rule).await.is(StatusCode::OK);
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_named_by_its_field() {
    let world = world().await;
    let (anna, boris) = (
        world.registered("anna@shop.ru").await,
        world.registered("boris@shop.ru").await,
    );
    let theirs = world.cabinet(&boris).await;
    let product = world.product(&boris, theirs, 7, 1).await;
    let tenant = json!({"kind": "tenant"});
    for (rule, pointers) in [
        (json!({}), vec!["#/scope"]),
        (json!({"scope": tenant}), vec!["#/below_units", "#/below_days"]),
        (
            json!({"scope": tenant, "below_units": 0, "below_days": 4_000}),
            vec!["#/below_units", "#/below_days"],
        ),
        (
            json!({"scope": tenant, "below_units": 5, "recover_units": 4}),
            vec!["#/recover_units"],
        ),
        (
            json!({"scope": tenant, "below_units": 5, "recover_days": 9}),
            vec!["#/recover_days"],
        ),
        (by_days(json!("tenant"), 7), vec!["#/scope"]),
        (by_days(json!({"kind": "planet"}), 7), vec!["#/scope"]),
        (by_days(json!({"kind": "cabinet"}), 7), vec!["#/scope"]),
        (
            by_days(json!({"kind": "tenant", "subject": "Платья"}), 7),
            vec!["#/scope"],
        ),
        (
            by_days(json!({"kind": "subject", "subject": "x".repeat(201)}), 7),
            vec!["#/scope"],
        ),
        (
            by_days(json!({"kind": "cabinet", "cabinet_id": theirs}), 7),
            vec!["#/scope"],
        ),
        (
            by_days(json!({"kind": "product", "product_id": product}), 7),
            vec!["#/scope"],
        ),
        (
            json!({"scope": tenant, "below_days": 7, "enabled": "no"}),
            vec!["#/enabled"],
        ),
    ] {
        let answer = world.set_rule(&anna, &rule).await;
        answer
            .is(StatusCode::UNPROCESSABLE_ENTITY)
            .is_problem("invalid-input");
        assert_eq!(answer.pointers(), pointers, "{rule}: {}", answer.text);
    }
    assert_eq!(
        world.alert_rules(&anna).await.body["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
