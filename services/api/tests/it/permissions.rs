//! The decision about every route, role and scope, written down in `docs/api/permissions.md` and tried cell
//! by cell on the running API. A route without a row, or a row without a route, fails.

use api::routes::ROUTES;
use auth::Action;
use chrono::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use crate::authentication::{filled, method};
use crate::world::{Answer, Seller, World, fresh_key, world};

const PAGE: &str = include_str!("../../../../docs/api/permissions.md");
const ROLES: [&str; 4] = ["viewer", "member", "admin", "owner"];

/// One row of the page.
struct Row {
    method: String,
    path: String,
    /// Per role, lowest first.
    roles: [bool; 4],
    platform: bool,
    public: bool,
    /// The scope that an API key needs; none where no key may.
    scope: Option<String>,
}

fn rows() -> Vec<Row> {
    let cells = PAGE
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .map(|cells| {
            let route = cells[1].trim_matches('`');
            let (method, path) = route.split_once(' ').unwrap();
            let says = |index: usize| match cells[index] {
                "yes" => true,
                "no" => false,
                other => panic!("{route}: `{other}`"),
            };
            let scope = cells[8].trim_matches('`');
            Row {
                method: method.to_lowercase(),
                path: path.to_owned(),
                public: says(2),
                roles: [says(3), says(4), says(5), says(6)],
                platform: says(7),
                scope: (!["no", "any"].contains(&scope)).then(|| scope.to_owned()),
            }
        })
        .collect()
}

impl World {
    /// The route as this caller, with a body that no command takes, so that nothing happens.
    async fn tried(&self, row: &Row, caller: Option<&Seller>) -> Answer {
        let mut path = filled(&row.path);
        if row.path == "/api/v1/events" {
            // A stream that is let in does not end; the wrong parameter is looked at after the rights.
            path.push_str("?nonsense=1");
        }
        let ask = self.ask(method(&row.method), &path).key(&fresh_key());
        let ask = match caller {
            Some(caller) => ask.token(&caller.access),
            None => ask,
        };
        let ask = if row.method == "get" {
            ask
        } else {
            ask.json(&json!({"nonsense": 1}))
        };
        ask.send().await
    }

    async fn decides(&self, row: &Row, caller: &Seller, allowed: bool, who: &str) {
        let answer = self.tried(row, Some(caller)).await;
        let what = format!("{} {} as {who}: {}", row.method, row.path, answer.text);
        assert_eq!(answer.status != StatusCode::FORBIDDEN, allowed, "{what}");
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        assert!(!answer.status.is_server_error(), "{what}");
    }
}

#[test]
fn every_route_has_its_row_and_every_row_its_route() {
    let written: Vec<_> = rows().into_iter().map(|row| (row.method, row.path)).collect();
    let routed: Vec<_> = ROUTES
        .iter()
        .map(|route| (route.method.to_owned(), route.path.to_owned()))
        .collect();
    let undecided: Vec<_> = routed.iter().filter(|route| !written.contains(route)).collect();
    let gone: Vec<_> = written.iter().filter(|row| !routed.contains(row)).collect();
    assert!(
        undecided.is_empty() && gone.is_empty() && written.len() == routed.len(),
        "without a row: {undecided:?}; without a route: {gone:?}"
    );
}

#[tokio::test]
async fn every_route_decides_about_every_role_as_written() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    for (index, role) in ROLES.iter().enumerate() {
        world
            .sql(&format!("UPDATE core.accounts SET role = '{role}'"))
            .await;
        world.clock.advance(TimeDelta::seconds(1));
        for row in rows() {
            world.decides(&row, &anna, row.roles[index], role).await;
        }
    }
}

#[tokio::test]
async fn every_route_decides_about_platform_administrators_as_written() {
    let world = world().await;
    let root = world.administrator("root@platform.ru").await;
    world.sql("UPDATE core.accounts SET role = 'viewer'").await;
    world.clock.advance(TimeDelta::seconds(1));
    for row in rows() {
        let allowed = row.platform || row.roles[0];
        world.decides(&row, &root, allowed, "administrator").await;
    }
}

#[tokio::test]
async fn every_route_decides_about_every_scope_as_written() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    for scope in Action::ALL.into_iter().filter_map(Action::scope) {
        let key = world.api_key(&anna, &[scope]).await;
        for row in rows() {
            let allowed = row.public || row.scope.as_deref() == Some(scope);
            world.decides(&row, &key, allowed, scope).await;
        }
    }
}

#[tokio::test]
async fn a_key_with_every_scope_is_no_more_than_its_maker_s_role() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let scopes: Vec<_> = Action::ALL.into_iter().filter_map(Action::scope).collect();
    let key = world.api_key(&anna, &scopes).await;
    for (index, role) in ROLES.iter().enumerate() {
        world
            .sql(&format!("UPDATE core.accounts SET role = '{role}', admin = true"))
            .await;
        world.clock.advance(TimeDelta::seconds(1));
        for row in rows() {
            let allowed = row.public || (row.roles[index] && row.scope.is_some());
            let who = format!("key of {role}");
            world.decides(&row, &key, allowed, &who).await;
        }
    }
}

#[tokio::test]
async fn every_route_decides_about_strangers_as_written() {
    let world = world().await;
    for row in rows() {
        let answer = world.tried(&row, None).await;
        let what = format!("{} {}: {}", row.method, row.path, answer.text);
        assert_eq!(answer.status != StatusCode::UNAUTHORIZED, row.public, "{what}");
    }
}
