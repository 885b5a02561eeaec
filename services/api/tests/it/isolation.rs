//! Every route of the published document, tried by somebody of another business: with the ids, the cursors
//! and the idempotency keys of a first one. Nothing of the first one is shown, nothing of it changes, and a
//! route about which nothing is decided here fails.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::authentication::method;
use crate::people::PASSWORD;
use crate::world::{Answer, Seller, World, world};

/// The key that both of them use for every command.
const KEY: &str = "one-key-of-two-businesses";
/// What only the first one's rows say.
const SECRETS: [&str; 6] = [
    "vera@victim.ru",
    "anna@victim.ru",
    "Жертва",
    "art-70000",
    "Кабинет Анны",
    "hooks.victim.ru",
];

/// What a route has to answer to the second one.
enum Decided {
    /// It says nothing of anybody.
    Nothing,
    /// It is about the caller's own business; this is what a command sends.
    Own(Value),
    /// It names a thing, here the first one's; this is what a command sends.
    Theirs(Uuid, Value),
}

struct Victim {
    seller: Seller,
    cabinet: Uuid,
    product: Uuid,
    sync: Uuid,
    member: Uuid,
    session: Uuid,
    key: Uuid,
    rule: Uuid,
    snooze: Uuid,
    webhook: Uuid,
    tag: String,
    cursors: BTreeMap<&'static str, String>,
}

impl Victim {
    fn decided(&self, world: &World, method: &str, path: &str) -> Option<Decided> {
        use Decided::{Nothing, Own, Theirs};
        let token = json!({"credential": world.wildberries_token(1)});
        let none = || json!({});
        Some(match (method, path) {
            (_, "/billing/done" | "/api/v1/billing/plans" | "/api/v1/billing/webhook") => Nothing,
            (_, "/docs" | "/docs/script.js" | "/docs/style.css" | "/api/v1/openapi.json")
            | (_, "/api/v1/health" | "/api/v1/health/" | "/api/v1/health/live" | "/api/v1/health/ready") => {
                Nothing
            }
            ("post", "/api/v1/auth/register") => Own(json!({
                "email": "anna@victim.ru", "password": PASSWORD, "company_name": "Thief"
            })),
            ("post", "/api/v1/auth/login") => {
                Own(json!({"email": "anna@victim.ru", "password": "wrong horse"}))
            }
            ("post", "/api/v1/auth/refresh") => Own(json!({"refresh_token": "x".repeat(43)})),
            ("post", "/api/v1/auth/accept-invitation") => Own(json!({
                "code": "x".repeat(43), "email": "vera@victim.ru", "password": PASSWORD, "full_name": "Вера"
            })),
            ("post", "/api/v1/auth/password/reset") => {
                Own(json!({"code": "x".repeat(43), "new_password": "stolen horse"}))
            }
            ("post", "/api/v1/auth/logout") => Own(none()),
            ("post", "/api/v1/auth/erase" | "/api/v1/tenants/me/erase") => {
                Own(json!({"current_password": PASSWORD}))
            }
            ("post", "/api/v1/auth/password") => {
                Own(json!({"current_password": PASSWORD, "new_password": "another horse"}))
            }
            ("post", "/api/v1/billing/checkout-session" | "/api/v1/billing/change-plan") => {
                Own(json!({"plan": "pro"}))
            }
            ("post", "/api/v1/billing/portal-session" | "/api/v1/billing/cancel")
            | ("post", "/api/v1/billing/resume")
            | ("get", "/api/v1/billing/subscription" | "/api/v1/billing/usage") => Own(none()),
            ("post", "/api/v1/admin/users/{id}/payments") => Theirs(
                self.member,
                json!({"plan": "pro", "until": "2099-01-01T00:00:00Z", "invoice": "7", "amount": 1,
                    "currency": "RUB"}),
            ),
            ("get", "/api/v1/auth/me" | "/api/v1/auth/sessions" | "/api/v1/api-keys")
            | ("get", "/api/v1/tenants/me" | "/api/v1/tenants/me/members")
            | ("get", "/api/v1/cabinets" | "/api/v1/syncs" | "/api/v1/products" | "/api/v1/warehouses")
            | ("get", "/api/v1/exports/stock.xlsx" | "/api/v1/exports/stock.csv")
            | ("get", "/api/v1/analytics/dashboard" | "/api/v1/analytics/low-stock")
            | ("get", "/api/v1/analytics/top-products" | "/api/v1/analytics/sync-history")
            | ("get", "/api/v1/analytics/stock-distribution" | "/api/v1/analytics/warehouses")
            | ("get", "/api/v1/analytics/turnover")
            | ("get", "/api/v1/sheets/link" | "/api/v1/sheets/preview" | "/api/v1/admin/users")
            | ("delete", "/api/v1/auth/sessions" | "/api/v1/sheets/link")
            | ("post", "/api/v1/products/sync" | "/api/v1/sheets/sync" | "/api/v1/sheets/test") => {
                Own(none())
            }
            ("delete", "/api/v1/auth/sessions/{id}") => Theirs(self.session, none()),
            ("post", "/api/v1/api-keys") => {
                Own(json!({"name": "k", "scopes": ["self:read"], "current_password": PASSWORD}))
            }
            ("delete", "/api/v1/api-keys/{id}") => Theirs(self.key, none()),
            ("patch", "/api/v1/tenants/me") => Own(json!({"name": "Жулик"})),
            ("post", "/api/v1/tenants/me/members") => Own(json!({"role": "viewer"})),
            ("patch", "/api/v1/tenants/me/members/{id}") => Theirs(self.member, json!({"role": "viewer"})),
            ("delete", "/api/v1/tenants/me/members/{id}") => Theirs(self.member, none()),
            ("post", "/api/v1/tenants/me/members/{id}/password-reset") => Theirs(self.member, none()),
            ("patch", "/api/v1/admin/users/{id}/access") => Theirs(self.member, json!({"is_active": false})),
            ("post", "/api/v1/admin/users/{id}/password-reset") => Theirs(self.member, none()),
            ("patch", "/api/v1/admin/tenants/{id}") => {
                Theirs(self.seller.tenant.uuid(), json!({"suspended": true}))
            }
            ("post", "/api/v1/cabinets") => Own(json!({
                "marketplace": "wildberries", "credential": world.wildberries_token(1)
            })),
            ("get" | "delete", "/api/v1/cabinets/{id}") => Theirs(self.cabinet, none()),
            ("patch", "/api/v1/cabinets/{id}") => Theirs(self.cabinet, json!({"title": "Жулик"})),
            ("put", "/api/v1/cabinets/{id}/credentials") => Theirs(self.cabinet, token),
            ("put", "/api/v1/cabinets/{id}/exclusions") => {
                Theirs(self.cabinet, json!({"warehouse": "fbo:507", "reason": "Жулик"}))
            }
            ("delete", "/api/v1/cabinets/{id}/exclusions") => Theirs(self.cabinet, none()),
            ("post", "/api/v1/cabinets/{id}/check" | "/api/v1/cabinets/{id}/syncs") => {
                Theirs(self.cabinet, none())
            }
            ("get", "/api/v1/syncs/{id}" | "/api/v1/operations/{id}" | "/api/v1/operations/{id}/events") => {
                Theirs(self.sync, none())
            }
            ("post", "/api/v1/syncs/{id}/release" | "/api/v1/syncs/{id}/discard") => {
                Theirs(self.sync, none())
            }
            ("get", "/api/v1/products/{id}" | "/api/v1/products/{id}/history") => {
                Theirs(self.product, none())
            }
            // The thief may not even name a cabinet of somebody else's.
            ("patch", "/api/v1/sheets/link") => Own(json!({"cabinets": [self.cabinet]})),
            ("post", "/api/v1/sheets/create") => Own(json!({"share_with": ["thief@example.com"]})),
            ("put", "/api/v1/sheets/link") => Own(json!({"spreadsheet_id": "a".repeat(44)})),
            _ => return self.decided_of_notices(method, path),
        })
    }

    fn decided_of_notices(&self, method: &str, path: &str) -> Option<Decided> {
        use Decided::{Nothing, Own, Theirs};
        let none = || json!({});
        Some(match (method, path) {
            ("get", "/api/v1/alerts" | "/api/v1/alert-rules") => Own(none()),
            // It does not end; that it tells nothing of others is tried with its other tests.
            ("get", "/api/v1/events") => Nothing,
            ("put", "/api/v1/alert-rules") => Own(json!({
                "scope": {"kind": "product", "product_id": self.product}, "below_days": 3
            })),
            ("delete", "/api/v1/alert-rules/{id}") => Theirs(self.rule, none()),
            ("get", "/api/v1/webhook-endpoints") => Own(none()),
            ("post", "/api/v1/webhook-endpoints") => Own(json!({"url": "https://thief.example.com/"})),
            ("get" | "delete", "/api/v1/webhook-endpoints/{id}") => Theirs(self.webhook, none()),
            ("patch", "/api/v1/webhook-endpoints/{id}") => Theirs(self.webhook, json!({"enabled": false})),
            ("post", "/api/v1/webhook-endpoints/{id}/rotate-secret")
            | ("post", "/api/v1/webhook-endpoints/{id}/ping")
            | ("get", "/api/v1/webhook-endpoints/{id}/deliveries") => Theirs(self.webhook, none()),
            ("post", "/api/v1/webhook-endpoints/{id}/replay") => {
                Theirs(self.webhook, json!({"from_position": 0}))
            }
            ("get", "/api/v1/notifications/settings" | "/api/v1/notifications/snoozes") => Own(none()),
            ("put", "/api/v1/notifications/settings") => Own(json!({"digest_hour": 9})),
            ("post", "/api/v1/notifications/snoozes") => {
                Own(json!({"product_id": self.product, "until": "2026-12-24T00:00:00Z"}))
            }
            ("delete", "/api/v1/notifications/snoozes/{id}") => Theirs(self.snooze, none()),
            _ => return None,
        })
    }
}

impl World {
    /// A business with something under every route.
    async fn victim(&self) -> Victim {
        let seller = self.registered("anna@victim.ru").await;
        let member = self.joined(&seller, "member", "vera@victim.ru").await;
        let with_key = async |method: Method, path: &str, body: Value| {
            let ask = self.ask(method, path).token(&seller.access).key(KEY);
            ask.json(&body).send().await
        };
        with_key(Method::PATCH, "/api/v1/tenants/me", json!({"name": "Жертва"}))
            .await
            .is(StatusCode::OK);
        let connect = json!({"marketplace": "wildberries", "credential": self.wildberries_token(1)});
        let cabinet = with_key(Method::POST, "/api/v1/cabinets", connect).await;
        let cabinet = cabinet.is(StatusCode::CREATED).id("id");
        self.project().await;
        let path = format!("/api/v1/cabinets/{cabinet}");
        let tag = async || self.get(&seller, &path).send().await.header("etag").to_owned();
        let titled = self.ask(Method::PATCH, &path).token(&seller.access).key(KEY);
        let titled = titled
            .header("if-match", &tag().await)
            .json(&json!({"title": "Кабинет Анны"}));
        titled.send().await.is(StatusCode::OK);
        let tag = tag().await;
        let sync = with_key(
            Method::POST,
            &format!("/api/v1/cabinets/{cabinet}/syncs"),
            json!({}),
        )
        .await;
        let sync = sync.is(StatusCode::ACCEPTED).id("operation_id");
        let key = self
            .post(
                &seller,
                "/api/v1/api-keys",
                &json!({"name": "k", "scopes": ["self:read"], "current_password": PASSWORD}),
            )
            .await;
        let key = key.is(StatusCode::CREATED).id("id");
        let webhook = self.webhook(&seller, "https://hooks.victim.ru/").await;
        self.ping(&seller, webhook).await.is(StatusCode::ACCEPTED);
        let mut product = Uuid::nil();
        for nm_id in [700_001, 700_002] {
            product = self.product(&seller, cabinet, nm_id, 5).await;
            self.ran_out(&seller, cabinet, product, nm_id).await;
        }
        let rule = json!({"scope": {"kind": "subject", "subject": "Жертва"}, "below_units": 3});
        let rule = self.set_rule(&seller, &rule).await;
        let rule = rule.is(StatusCode::CREATED).body["rule"]["id"].clone();
        self.project().await;
        let mut cursors = BTreeMap::new();
        for list in [
            "/api/v1/products",
            "/api/v1/analytics/low-stock",
            "/api/v1/analytics/turnover",
            "/api/v1/alerts",
            "/api/v1/auth/sessions",
        ] {
            self.clock.advance(chrono::TimeDelta::seconds(1));
            self.logged_in("anna@victim.ru").await;
            let page = self.get(&seller, &format!("{list}?limit=1")).send().await;
            let link = page.is(StatusCode::OK).header("link");
            let query = link.split(['?', '>']).nth(1).unwrap();
            cursors.insert(list, query.to_owned());
        }
        let sessions = self.get(&seller, "/api/v1/auth/sessions").send().await;
        let snooze = self.snoozed(&seller).await;
        Victim {
            member: self.user(&member),
            session: sessions.body["data"][0]["id"].as_str().unwrap().parse().unwrap(),
            seller,
            cabinet,
            product,
            sync,
            key,
            rule: rule.as_str().unwrap().parse().unwrap(),
            snooze,
            webhook,
            tag,
            cursors,
        }
    }

    /// Every row of a tenant in the whole database, as one number per table.
    async fn rows_of(&self, tenant: Uuid) -> BTreeMap<String, String> {
        let admin = support::connect(self.database_url()).await;
        let tables = admin
            .query(
                "SELECT format('%I.%I', table_schema, table_name), column_name::text FROM information_schema.columns \
                  WHERE (table_schema = 'core' OR table_schema LIKE 'rm\\_%') AND column_name IN ('tenant_id', 'scope')",
                &[],
            )
            .await
            .unwrap();
        let mut rows = BTreeMap::new();
        for table in &tables {
            let (name, column): (String, String) = (table.get(0), table.get(1));
            let sql = format!(
                "SELECT count(*) || ' rows ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') \
                   FROM {name} t WHERE {column} = $1"
            );
            rows.insert(name, admin.query_one(&sql, &[&tenant]).await.unwrap().get(0));
        }
        rows
    }

    async fn tried_by(&self, thief: &Seller, tag: &str, (verb, path): (&str, &str), body: &Value) -> Answer {
        let ask = self.ask(method(verb), path).token(&thief.access);
        match verb {
            "get" => ask.send().await,
            _ => ask.key(KEY).header("if-match", tag).json(body).send().await,
        }
    }
}

#[track_caller]
fn says_nothing_of_the_victim(answer: &Answer, what: &str, ids: &[Uuid]) {
    for secret in SECRETS {
        assert!(!answer.text.contains(secret), "{what}: {}", answer.text);
    }
    for id in ids {
        assert!(!answer.text.contains(&id.to_string()), "{what}: {}", answer.text);
    }
    assert!(!answer.status.is_server_error(), "{what}: {}", answer.text);
}

#[tokio::test]
async fn no_route_shows_or_changes_anything_of_another_business() {
    let world = world().await;
    let victim = world.victim().await;
    let tenant = victim.seller.tenant.uuid();
    let before = world.rows_of(tenant).await;
    let filled = before.values().filter(|rows| !rows.starts_with("0 ")).count();
    assert!(filled >= 20, "too little of the first one to see: {before:?}");
    let ids = [
        tenant,
        victim.cabinet,
        victim.product,
        victim.sync,
        victim.member,
        victim.key,
        victim.rule,
    ];
    let document = world.ask(Method::GET, "/api/v1/openapi.json").send().await;
    let mut tried = 0;
    for (path, methods) in document.body["paths"].as_object().unwrap() {
        for verb in methods.as_object().unwrap().keys() {
            let what = format!("{verb} {path}");
            let decided = victim
                .decided(&world, verb, path)
                .unwrap_or_else(|| panic!("nothing is decided about {what}"));
            // Of another business each time, since some of what is tried ends a login.
            tried += 1;
            let thief = world.registered(&format!("thief{tried}@other.ru")).await;
            match decided {
                Decided::Nothing => {}
                Decided::Own(body) => {
                    let answer = world.tried_by(&thief, &victim.tag, (verb, path), &body).await;
                    says_nothing_of_the_victim(&answer, &what, &ids);
                    if let Some(query) = victim.cursors.get(path.as_str()).filter(|_| verb == "get") {
                        let path = format!("{path}?{query}");
                        let paged = world.tried_by(&thief, &victim.tag, (verb, &path), &body).await;
                        says_nothing_of_the_victim(&paged, &format!("{what} with a cursor"), &ids);
                    }
                }
                Decided::Theirs(id, body) => {
                    let theirs = path.replace("{id}", &id.to_string());
                    let answer = world.tried_by(&thief, &victim.tag, (verb, &theirs), &body).await;
                    assert!(
                        [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&answer.status),
                        "{what} answered {} {}",
                        answer.status,
                        answer.text
                    );
                    says_nothing_of_the_victim(&answer, &what, &[]);
                }
            }
        }
    }
    assert_eq!(world.rows_of(tenant).await, before);
    assert!(tried >= 40);
}

#[tokio::test]
async fn the_matrix_would_notice_a_row_that_changes() {
    let world = world().await;
    let victim = world.registered("anna@victim.ru").await;
    let before = world.rows_of(victim.tenant.uuid()).await;
    world
        .patch(&victim, "/api/v1/tenants/me", &json!({"name": "Другое"}))
        .await
        .is(StatusCode::OK);
    let after = world.rows_of(victim.tenant.uuid()).await;
    let changed: Vec<_> = before
        .keys()
        .filter(|table| before[*table] != after[*table])
        .collect();
    assert!(
        changed.iter().any(|table| table.as_str() == "core.profiles"),
        "{changed:?}"
    );
}
