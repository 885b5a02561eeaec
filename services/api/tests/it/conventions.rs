//! What every answer has in common.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{fresh_key, world};

#[tokio::test]
async fn a_path_that_does_not_exist_is_404_and_a_method_that_does_not_is_405() {
    let world = world().await;
    for path in [
        "/",
        "/api/v1/nothing",
        "/api/v2/products",
        "/api/v1/cabinets/1/2/3",
    ] {
        world
            .ask(Method::GET, path)
            .send()
            .await
            .is(StatusCode::NOT_FOUND)
            .is_problem("not-found");
    }
    let wrong = world.ask(Method::DELETE, "/api/v1/auth/login").send().await;
    wrong
        .is(StatusCode::METHOD_NOT_ALLOWED)
        .is_problem("method-not-allowed");
    assert_eq!(wrong.header("allow"), "POST");
    let trace = world.ask(Method::TRACE, "/api/v1/products").send().await;
    trace.is(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn every_answer_carries_its_names_and_the_security_headers() {
    let world = world().await;
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for path in ["/api/v1/health/live", "/api/v1/auth/me", "/nowhere"] {
        let answer = world
            .ask(Method::GET, path)
            .header("traceparent", given)
            .send()
            .await;
        assert!(
            answer
                .header("traceparent")
                .starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
            "{path}"
        );
        assert_ne!(answer.header("traceparent"), given, "a span of its own");
        answer.header("request-id").parse::<uuid::Uuid>().unwrap();
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'")
        );
        assert!(answer.header("strict-transport-security").contains("31536000"));
        if answer.status != StatusCode::OK {
            assert_eq!(answer.body["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        }
    }
}

#[tokio::test]
async fn the_trace_of_a_request_is_the_correlation_of_its_events() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    world
        .command(
            &anna,
            Method::PATCH,
            "/api/v1/tenants/me",
            &json!({"name": "New name"}),
        )
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .send()
        .await
        .is(StatusCode::OK);
    let renamed = world.events().await.pop().unwrap();
    assert_eq!(renamed.event_type, "tenant_renamed");
    assert_eq!(
        renamed.metadata.correlation_id.simple().to_string(),
        "0af7651916cd43dd8448eb211c80319c"
    );
    assert!(renamed.metadata.actor.starts_with("user:"));
    assert!(
        renamed
            .metadata
            .traceparent
            .unwrap()
            .contains("0af7651916cd43dd8448eb211c80319c")
    );
}

#[tokio::test]
async fn health_tells_what_is_missing() {
    let world = world().await;
    let ready = async || world.ask(Method::GET, "/api/v1/health/ready").send().await;
    ready().await.is(StatusCode::OK);
    world
        .health
        .register("broker", async || Err("not connected".to_owned()));
    let down = ready().await;
    down.is(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        (&down.body["status"], &down.body["checks"]["broker"]),
        (&json!("unhealthy"), &json!("not connected"))
    );
    let live = world.ask(Method::GET, "/api/v1/health/live").send().await;
    assert_eq!(live.is(StatusCode::OK).body["status"], "alive");
    world
        .ask(Method::GET, "/api/v1/health/")
        .send()
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn the_documentation_needs_nothing_from_elsewhere() {
    let world = world().await;
    for (path, kind) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/script.js", "text/javascript; charset=utf-8"),
        ("/docs/style.css", "text/css; charset=utf-8"),
        ("/api/v1/openapi.json", "application/json"),
    ] {
        let answer = world.ask(Method::GET, path).send().await;
        assert_eq!(answer.is(StatusCode::OK).header("content-type"), kind);
        assert!(!answer.header("content-security-policy").contains("unsafe"));
        if path.starts_with("/docs") {
            assert!(
                !answer.text.contains("http://") && !answer.text.contains("https://"),
                "{path} leads away"
            );
        }
    }
    let api = world.ask(Method::GET, "/api/v1/openapi.json").send().await;
    assert!(api.body["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[tokio::test]
async fn a_read_waits_for_the_position_it_names_or_says_that_it_is_not_there() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    let renamed = world
        .command(
            &anna,
            Method::PATCH,
            "/api/v1/tenants/me",
            &json!({"name": "New"}),
        )
        .send()
        .await;
    let position = renamed.is(StatusCode::OK).position();
    assert_eq!(renamed.body["position"], position);
    let read = || {
        world
            .get(&anna, "/api/v1/cabinets")
            .header("stock-min-position", &position.to_string())
    };
    let behind = read().send().await;
    behind
        .is(StatusCode::SERVICE_UNAVAILABLE)
        .is_problem("projection-behind");
    assert_eq!((behind.header("retry-after"), behind.position()), ("1", 0));
    assert_eq!(behind.body["retryable"], true);
    let lenient = read().header("prefer", "handling=lenient").send().await;
    assert_eq!(lenient.is(StatusCode::OK).position(), 0);
    let waiting = read().header("prefer", "wait=10").send();
    let (waited, _) = tokio::join!(waiting, world.project());
    assert_eq!(waited.is(StatusCode::OK).position(), position);
    for (header, value) in [
        ("stock-min-position", "soon"),
        ("stock-min-position", "-1"),
        ("prefer", "wait=long"),
    ] {
        let wrong = world
            .get(&anna, "/api/v1/cabinets")
            .header(header, value)
            .send()
            .await;
        wrong.is(StatusCode::BAD_REQUEST).is_problem("malformed-header");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_a_problem_without_its_words() {
    let world = world().await;
    let anna = world.registered("anna@shop.ru").await;
    world.clock.advance(TimeDelta::seconds(1));
    world
        .sql("ALTER TABLE core.sessions RENAME TO sessions_away")
        .await;
    let answer = world.get(&anna, "/api/v1/auth/me").send().await;
    answer
        .is(StatusCode::INTERNAL_SERVER_ERROR)
        .is_problem("internal");
    assert!(!answer.text.contains("sessions"), "{}", answer.text);
    let key = fresh_key();
    let command = world
        .ask(Method::POST, "/api/v1/auth/logout")
        .token(&anna.access)
        .key(&key)
        .send()
        .await;
    command.is(StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn words_for_methods_that_a_client_invents_do_not_become_series() {
    let (mut world, state) = crate::world::world_and_state().await;
    let metrics = state.metrics.clone();
    let bound = api::build(state, "127.0.0.1:0".parse().unwrap()).unwrap();
    world.base = format!("http://127.0.0.1:{}", bound.port());
    tokio::spawn(bound.run());
    for number in 0..40 {
        let method = Method::from_bytes(format!("WORD{number}").as_bytes()).unwrap();
        for path in ["/api/v1/products", "/api/v1/no/such/path"] {
            let answer = world.ask(method.clone(), path).send().await;
            assert!(
                answer.status.is_client_error(),
                "{method} {path}: {}",
                answer.status
            );
        }
    }
    let page = String::from_utf8(metrics.render().unwrap()).unwrap();
    let counts = page
        .lines()
        .filter(|line| line.starts_with("http_server_request_duration_seconds_count"));
    let counts: Vec<_> = counts.collect();
    assert!(counts.len() <= 2, "{counts:#?}");
    assert!(
        counts
            .iter()
            .all(|line| line.contains("http_request_method=\"_OTHER\"")),
        "{counts:#?}"
    );
}
