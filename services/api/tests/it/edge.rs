//! The edge of the API: who is counted and refused, which pages may call, what is no request at all.

use std::path::PathBuf;
use std::sync::Arc;

use api::ServerOptions;
use limits::{Limiter, Store, Table};
use messaging::{Broker, BrokerOptions, Bucket};
use reqwest::{Method, StatusCode};
use runtime::config::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{World, world_and_state};

pub(crate) fn table(requests: u32) -> Table {
    let quota = format!("requests = {requests}\nwindow_seconds = 60\n");
    let wide = "requests = 10000\nwindow_seconds = 60\n";
    Table::parse(&format!(
        "default_plan = \"p\"\n[address]\n{quota}[user]\n{wide}[plan.p]\n{wide}"
    ))
    .unwrap()
}

pub(crate) async fn limiter(table: Table) -> Arc<Limiter> {
    let broker = Broker::connect(BrokerOptions::new(support::nats().await.url(), "edge"))
        .await
        .unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    let bucket = Bucket::limits(&broker);
    // Made by the first use, which takes longer than a request would wait.
    bucket.get("any").await.unwrap();
    let store: Arc<dyn Store> = Arc::new(bucket);
    // A salt of its own keeps tests that share the broker apart.
    let salt = runtime::Ids::system().next().as_bytes().to_vec();
    Arc::new(Limiter::new(store, table, salt, Arc::new(|_| {})))
}

/// An API with these options; the address of its listener.
pub(crate) async fn edge(change: impl FnOnce(&mut ServerOptions)) -> World {
    let (mut world, state) = world_and_state().await;
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap());
    change(&mut options);
    let bound = api::build_with(state, options).unwrap();
    world.base = format!("http://127.0.0.1:{}", bound.port());
    tokio::spawn(bound.run());
    world
}

/// What the server answers to these bytes, up to the end of the connection.
async fn raw(world: &World, words: &str) -> String {
    let address = world.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(words.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A refused connection may be reset after its answer.
    drop(stream.read_to_end(&mut answer).await);
    String::from_utf8_lossy(&answer).into_owned()
}

const CATALOG: &str = "/api/v1/openapi.json";

#[tokio::test]
async fn an_address_that_asks_too_often_gets_429_and_is_told_when_to_come_again() {
    let limiter = limiter(table(3)).await;
    let world = edge(|options| options.limiter = Some(limiter)).await;
    for left in ["r=2", "r=1", "r=0"] {
        let answer = world.ask(Method::GET, CATALOG).send().await;
        answer.is(StatusCode::OK);
        assert_eq!(answer.header("ratelimit-policy"), "\"address\";q=3;w=60");
        assert!(
            answer.header("ratelimit").contains(left),
            "{}",
            answer.header("ratelimit")
        );
    }
    let refused = world.ask(Method::GET, CATALOG).send().await;
    refused.is(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.body["code"], "rate-limited");
    assert_eq!(refused.body["retryable"], true);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((60..=66).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").contains("r=0"));
}

#[tokio::test]
async fn whoever_watches_the_process_is_never_limited() {
    let limiter = limiter(table(1)).await;
    let world = edge(|options| options.limiter = Some(limiter)).await;
    world.ask(Method::GET, CATALOG).send().await.is(StatusCode::OK);
    world
        .ask(Method::GET, CATALOG)
        .send()
        .await
        .is(StatusCode::TOO_MANY_REQUESTS);
    for _ in 0..5 {
        for path in ["/api/v1/health/live", "/api/v1/health/ready"] {
            world.ask(Method::GET, path).send().await.is(StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_spoofed_forwarding_header_does_not_change_whom_is_counted() {
    let limiter = limiter(table(2)).await;
    let world = edge(|options| options.limiter = Some(limiter)).await;
    let asked = async |from: &str| {
        let answer = world
            .ask(Method::GET, CATALOG)
            .header("x-forwarded-for", from)
            .send()
            .await;
        answer.status
    };
    assert_eq!(asked("192.0.2.1").await, StatusCode::OK);
    assert_eq!(asked("192.0.2.2").await, StatusCode::OK);
    assert_eq!(asked("192.0.2.3").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_counted_by_itself() {
    let limiter = limiter(table(1)).await;
    let world = edge(|options| {
        options.limiter = Some(limiter);
        options.proxies = vec![Network::parse("127.0.0.0/8").unwrap()];
    })
    .await;
    let asked = async |from: &str| {
        let answer = world
            .ask(Method::GET, CATALOG)
            .header("x-forwarded-for", from)
            .send()
            .await;
        answer.status
    };
    assert_eq!(asked("192.0.2.1").await, StatusCode::OK);
    assert_eq!(asked("192.0.2.2").await, StatusCode::OK);
    assert_eq!(asked("192.0.2.1").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(asked("9.9.9.9, 192.0.2.1").await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_user_and_a_tenant_are_counted_where_they_are_known() {
    let text = "default_plan = \"p\"\n[address]\nrequests = 1000\nwindow_seconds = 60\n\
                [user]\nrequests = 3\nwindow_seconds = 60\n[plan.p]\nrequests = 100\nwindow_seconds = 60\n";
    let limiter = limiter(Table::parse(text).unwrap()).await;
    let world = edge(|options| options.limiter = Some(limiter)).await;
    let (one, other) = (
        world.registered("one@example.com").await,
        world.registered("two@example.com").await,
    );
    for _ in 0..3 {
        let answer = world.get(&one, "/api/v1/cabinets").send().await;
        answer.is(StatusCode::OK);
        let policy = answer.header("ratelimit-policy").to_owned();
        assert_eq!(
            policy,
            "\"address\";q=1000;w=60, \"user\";q=3;w=60, \"tenant\";q=100;w=60"
        );
    }
    let refused = world.get(&one, "/api/v1/cabinets").send().await;
    refused.is(StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.header("ratelimit").contains("\"user\";r=0"));
    world
        .get(&other, "/api/v1/cabinets")
        .send()
        .await
        .is(StatusCode::OK);
}

#[tokio::test]
async fn methods_that_no_path_has_are_refused_everywhere() {
    let world = edge(|_| {}).await;
    for method in ["TRACE", "CONNECT", "PROPFIND", "HEAD", "OPTIONS"] {
        for path in [CATALOG, "/api/v1/cabinets", "/nowhere"] {
            let answer = raw(
                &world,
                &format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            )
            .await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{method} {path}: {answer}");
            assert!(answer.contains("allow: "), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_request_with_two_lengths_is_refused_and_the_connection_ends() {
    let world = edge(|_| {}).await;
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
    let smuggled = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: h\r\n\r\n";
    for lengths in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ] {
        let answer = raw(&world, &format!("{head}{lengths}\r\n0\r\n\r\n{smuggled}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lengths}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "something was smuggled: {answer}"
        );
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let world = edge(|_| {}).await;
    let filler = "x".repeat(200_000);
    let answer = raw(
        &world,
        &format!("GET {CATALOG} HTTP/1.1\r\nHost: h\r\nX: {filler}\r\n\r\n"),
    )
    .await;
    assert!(!answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn only_pages_of_listed_origins_may_read_answers() {
    let world = edge(|options| options.origins = vec!["https://app.example.com".to_owned()]).await;
    let from = async |origin: &str| {
        world
            .ask(Method::GET, CATALOG)
            .header("origin", origin)
            .send()
            .await
    };
    let listed = from("https://app.example.com").await;
    assert_eq!(
        listed.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    assert!(
        listed
            .header("access-control-expose-headers")
            .contains("ratelimit")
    );
    // Every header of ours that any answer has.
    for header in [
        "idempotent-replayed",
        "request-id",
        "stock-position",
        "location",
        "link",
        "etag",
    ] {
        let readable = listed.header("access-control-expose-headers");
        assert!(
            readable.split(", ").any(|name| name == header),
            "{header}: {readable}"
        );
    }
    for other in [
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "null",
    ] {
        let answer = from(other).await;
        assert!(
            !answer.headers.contains_key("access-control-allow-origin"),
            "{other}"
        );
        assert!(answer.header("vary").contains("Origin"));
    }
}

#[tokio::test]
async fn a_browser_that_asks_first_is_told_what_a_path_has() {
    let world = edge(|options| options.origins = vec!["https://app.example.com".to_owned()]).await;
    let ask = async |origin: &str| {
        world
            .ask(Method::OPTIONS, "/api/v1/cabinets")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .send()
            .await
    };
    let listed = ask("https://app.example.com").await;
    listed.is(StatusCode::NO_CONTENT);
    assert_eq!(listed.header("access-control-allow-methods"), "POST, GET");
    assert!(
        listed
            .header("access-control-allow-headers")
            .contains("idempotency-key")
    );
    ask("https://evil.example")
        .await
        .is(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_it() {
    let world = edge(|_| {}).await;
    let seller = world.registered("headers@example.com").await;
    let answers = [
        world.get(&seller, "/api/v1/cabinets").send().await,
        world.ask(Method::GET, "/api/v1/cabinets").send().await,
        world.ask(Method::GET, "/nowhere").send().await,
    ];
    for answer in answers {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("base-uri 'none'"),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn with_a_certificate_the_api_speaks_tls_and_nothing_else() {
    let folder = support::scratch_folder("api-tls");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let put = |name: &str, text: String| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = (
        put("c.pem", made.cert.pem()),
        put("k.pem", made.signing_key.serialize_pem()),
    );
    let world = edge(|options| options.certificate = Some(certificate)).await;
    let port = world.base.rsplit(':').next().unwrap().to_owned();
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client is no way out of the product"
    )]
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([trusted])
        .build()
        .unwrap();
    let answer = client
        .get(format!("https://localhost:{port}/api/v1/health/live"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let plain = raw(&world, "GET /api/v1/health/live HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(!plain.starts_with("HTTP/"), "{plain}");
}

#[tokio::test]
async fn what_scanners_look_for_is_not_there_and_no_answer_names_what_it_runs_on() {
    let world = edge(|_| {}).await;
    let seller = world.registered("probe@example.com").await;
    let probes = [
        "/metrics",
        "/api/v1/metrics",
        "/api/v1/internal",
        "/api/v1/debug",
        "/debug",
        "/debug/pprof/",
        "/actuator",
        "/actuator/env",
        "/env",
        "/.env",
        "/.git/config",
        "/swagger",
        "/swagger-ui/index.html",
        "/graphql",
        "/console",
        "/admin",
        "/server-status",
        "/phpinfo.php",
        "/stock-tracker.toml",
        "/api/v1/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
    ];
    for path in probes {
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
        let bearer = format!("Authorization: Bearer {}\r\n", seller.access);
        for credential in ["", bearer.as_str()] {
            let answer = raw(&world, &format!("{request}{credential}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
            is_nameless(&answer);
        }
    }
    for request in [
        format!("GET {CATALOG} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
        "GET /api/v1/cabinets HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_owned(),
        "TRACE / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_owned(),
        "no request at all\r\n\r\n".to_owned(),
    ] {
        let answer = raw(&world, &request).await;
        assert!(answer.starts_with("HTTP/1.1 "), "{request}: {answer}");
        is_nameless(&answer);
    }
}

/// No header of the answer says which program or version answers.
fn is_nameless(answer: &str) {
    let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
    for header in ["server", "x-powered-by", "via", "x-aspnet-version", "x-generator"] {
        assert!(!head.contains(&format!("\r\n{header}:")), "{head}");
    }
    for library in ["actix", "rust", "hyper", env!("CARGO_PKG_VERSION")] {
        let head = head.replacen("http/1.1", "", 1);
        assert!(!head.contains(library), "{library}: {head}");
    }
}
