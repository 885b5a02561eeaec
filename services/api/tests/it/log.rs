//! What the operator is told about people who try to come in: every refusal, under marks that show neither
//! address nor login, and nothing of what was tried.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use auth::attempts::PER_LOGIN;
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::people::PASSWORD;
use crate::world::{Answer, Ask, World, fresh_key, world};

const EMAIL: &str = "anna.canary@shop.ru";
const WRONG: &str = "wrong-canary-horse";

/// Lines of the whole process; each test looks for those of its own traces.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .with_filter(LevelFilter::INFO);
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
        lines
    })
}

/// What was logged about a request, and what it was answered.
async fn told(ask: Ask) -> (Answer, Vec<Value>) {
    let lines = lines();
    let trace = runtime::Ids::system().next().simple().to_string();
    let answer = ask
        .header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))
        .send()
        .await;
    let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let own = written.lines().filter(|line| line.contains(&trace));
    let own: Vec<Value> = own.map(|line| serde_json::from_str(line).unwrap()).collect();
    for secret in [EMAIL, "canary", "127.0.0.1", PASSWORD] {
        assert!(!json!(own).to_string().contains(secret), "{secret}: {own:#?}");
    }
    (answer, own)
}

/// The only line about a request that was refused with this code.
async fn line(ask: Ask, code: &str) -> Value {
    let (answer, mut lines) = told(ask).await;
    answer.is_problem(code);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let line = lines.remove(0);
    let request_id = answer.header("request-id");
    assert_eq!(line["request.id"], request_id, "{line}");
    line
}

fn login(world: &World, email: &str, password: &str) -> Ask {
    world
        .ask(Method::POST, "/api/v1/auth/login")
        .json(&json!({"email": email, "password": password}))
}

fn mark(line: &Value, name: &str) -> String {
    let mark = line[name].as_str().unwrap().to_owned();
    assert!(
        mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{line}"
    );
    mark
}

#[tokio::test]
async fn a_refused_login_is_told_under_marks_that_show_neither_address_nor_login() {
    let world = world().await;
    world.registered(EMAIL).await;
    let mut logins = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for (email, password) in [
        (EMAIL, WRONG),
        ("Anna.Canary@shop.ru", "another-canary-horse"),
        ("nobody.canary@shop.ru", WRONG),
    ] {
        let line = line(login(&world, email, password), "wrong-credentials").await;
        assert_eq!(
            (
                &line["level"],
                &line["attempt"],
                &line["problem"],
                &line["message"]
            ),
            (
                &json!("INFO"),
                &json!("login"),
                &json!("wrong-credentials"),
                &json!("an attempt was refused")
            )
        );
        logins.insert(mark(&line, "login.mark"));
        addresses.insert(mark(&line, "address.mark"));
    }
    assert_eq!(
        (logins.len(), addresses.len()),
        (2, 1),
        "one login twice, from one place"
    );
    let (answer, lines) = told(login(&world, EMAIL, PASSWORD)).await;
    answer.is(StatusCode::OK);
    assert!(lines.is_empty(), "{lines:#?}");
    world.sql("UPDATE core.accounts SET state = 'deactivated'").await;
    let line = line(login(&world, EMAIL, PASSWORD), "account-deactivated").await;
    assert_eq!(line["problem"], "account-deactivated");
}

#[tokio::test]
async fn too_many_failed_attempts_are_warned_of() {
    let world = world().await;
    world.registered(EMAIL).await;
    let mut marks = BTreeSet::new();
    for _ in 0..PER_LOGIN {
        let line = line(login(&world, EMAIL, WRONG), "wrong-credentials").await;
        marks.insert(mark(&line, "login.mark"));
    }
    let line = line(login(&world, EMAIL, PASSWORD), "too-many-attempts").await;
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "there were too many failed attempts");
    assert!(line["retry.after_s"].as_i64().unwrap() > 0);
    marks.insert(mark(&line, "login.mark"));
    assert_eq!(marks.len(), 1);
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_is_warned_of_with_its_session() {
    let world = world().await;
    let anna = world.registered(EMAIL).await;
    let refresh = |token: &str| {
        world
            .ask(Method::POST, "/api/v1/auth/refresh")
            .json(&json!({"refresh_token": token}))
    };
    let (first, lines) = told(refresh(&anna.refresh)).await;
    first.is(StatusCode::OK);
    assert!(lines.is_empty(), "{lines:#?}");
    world.clock.advance(TimeDelta::seconds(10));
    let again = line(refresh(&anna.refresh), "refresh-refused").await;
    let session = world.tokens.verify(&anna.access, world.now()).unwrap().session_id;
    assert_eq!(again["level"], "WARN");
    assert_eq!(
        again["message"],
        "a refresh token was used twice; its session was ended"
    );
    assert_eq!(again["session.id"], session.to_string());
    assert_eq!(again["tenant.id"], anna.tenant.to_string());
    mark(&again, "address.mark");
    assert!(!again.to_string().contains(&anna.refresh));
    let next = first.body["refresh_token"].as_str().unwrap();
    let ended = line(refresh(next), "refresh-refused").await;
    assert_eq!(
        (&ended["level"], &ended["message"]),
        (&json!("INFO"), &json!("a refresh token was refused"))
    );
    let unknown = line(refresh("canary-canary-canary"), "refresh-refused").await;
    assert_eq!(unknown["reason"], "the refresh token is unknown");
}

#[tokio::test]
async fn a_refused_code_confirmation_or_key_is_told_as_well() {
    let world = world().await;
    let anna = world.registered(EMAIL).await;
    let body = json!({"current_password": WRONG, "new_password": "next-canary-horse"});
    let ask = world.command(&anna, Method::POST, "/api/v1/auth/password", &body);
    let line_of = async |ask, code: &str, attempt: &str| {
        let line = line(ask, code).await;
        assert_eq!(
            (&line["level"], &line["attempt"]),
            (&json!("INFO"), &json!(attempt))
        );
        mark(&line, "address.mark");
    };
    line_of(ask, "reauthentication-failed", "confirmation").await;
    let public = |path: &str, body: &Value| world.ask(Method::POST, path).key(&fresh_key()).json(body);
    let body = json!({"code": "str_canary", "new_password": "next-canary-horse"});
    line_of(
        public("/api/v1/auth/password/reset", &body),
        "code-refused",
        "password reset",
    )
    .await;
    let body = json!({"code": "sti_canary", "email": "vera.canary@shop.ru", "password": "canary-horse"});
    line_of(
        public("/api/v1/auth/accept-invitation", &body),
        "code-refused",
        "invitation",
    )
    .await;
    let body = json!({"email": EMAIL, "password": "canary-horse", "company_name": "Canary"});
    line_of(
        public("/api/v1/auth/register", &body),
        "email-taken",
        "registration",
    )
    .await;
    let made = world.api_key(&anna, &["self:read"]).await;
    world
        .sql("UPDATE core.api_keys SET revoked_at = created_at")
        .await;
    world.clock.advance(chrono::TimeDelta::seconds(2));
    let refused = line(world.get(&made, "/api/v1/auth/me"), "unauthenticated").await;
    assert_eq!(refused["message"], "an API key was refused");
    assert!(!refused.to_string().contains(&made.access));
}

#[tokio::test]
async fn whoever_may_not_do_what_they_ask_for_is_told_by_id() {
    let world = world().await;
    let anna = world.registered(EMAIL).await;
    let vera = world.joined(&anna, "viewer", "vera.canary@shop.ru").await;
    let key = world.api_key(&anna, &["self:read"]).await;
    let rename = |who| {
        world.command(
            who,
            Method::PATCH,
            "/api/v1/tenants/me",
            &json!({"name": "Canary"}),
        )
    };
    for (who, code, by_key) in [(&vera, "forbidden", false), (&key, "scope-missing", true)] {
        let line = line(rename(who), code).await;
        assert_eq!(
            (
                &line["message"],
                &line["problem"],
                &line["by_key"],
                &line["http.route"]
            ),
            (
                &json!("a caller was refused"),
                &json!(code),
                &json!(by_key),
                &json!("/api/v1/tenants/me")
            )
        );
        let maker = if by_key { &anna } else { who };
        assert_eq!(line["user.id"], world.user(maker).to_string());
        assert_eq!(line["tenant.id"], anna.tenant.to_string());
    }
}
