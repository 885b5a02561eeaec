//! What holds for every call to Stripe, whatever answers: which headers go out, how long it takes at most,
//! and what an answer means that is not Stripe's.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use connectors::error::FailureClass;
use connectors::http::{HttpClient, NoObserver};
use connectors::stripe::{IdempotencyKey, Options, Stripe, StripeError, SubscriptionId};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const API_KEY: &str = "sk_test_canarycanarycanary";
const SUBSCRIPTION: &str = r#"{"id":"sub_1","object":"subscription","status":"active"}"#;

/// A server that gives prepared answers, one for each connection, the last one for ever; an empty one is
/// none.
struct Scripted {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let requests = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut silent = Vec::new();
            for number in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                requests.lock().unwrap().push(request);
                let answer = &answers[number.min(answers.len() - 1)];
                if answer.is_empty() {
                    silent.push(stream);
                } else {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    stream.shutdown().await.unwrap();
                }
            }
        });
        Self { url, seen }
    }

    fn stripe(&self, deadline: Duration) -> Stripe {
        let options = Options {
            url: self.url.clone(),
            pause: Duration::from_millis(1),
            deadline,
            ..Options::default()
        };
        let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
        Stripe::new(http, SecretString::from(API_KEY), options)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Head and body of a request.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece).await.unwrap();
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return text;
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}

fn ok(body: &str) -> String {
    answer("200 OK", "content-type: application/json\r\n", body)
}

fn refusal(status: &str, headers: &str) -> String {
    let body = r#"{"error":{"type":"api_error","message":"later"}}"#;
    answer(
        status,
        &format!("content-type: application/json\r\n{headers}"),
        body,
    )
}

fn id() -> SubscriptionId {
    SubscriptionId::parse("sub_1").unwrap()
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_write_carries_version_key_and_command_and_a_question_no_command() {
    let server = Scripted::start(&[&ok(SUBSCRIPTION)]).await;
    let stripe = server.stripe(LONG);
    let command = IdempotencyKey::new("command-1").unwrap();
    stripe.cancel_at_period_end(&command, &id()).await.unwrap();
    stripe.cancel_now(&command, &id()).await.unwrap();
    stripe.resume(&command, &id()).await.unwrap();
    stripe.subscription(&id()).await.unwrap();
    let seen = server.seen();
    for request in &seen {
        assert!(
            request.contains("\r\nstripe-version: 2026-09-30.endive\r\n"),
            "{request}"
        );
        assert!(
            request.contains(&format!("\r\nauthorization: bearer {API_KEY}\r\n")),
            "{request}"
        );
    }
    let starts = [
        "post /v1/subscriptions/sub_1 http",
        "delete /v1/subscriptions/sub_1 http",
        "post /v1/subscriptions/sub_1/resume http",
        "get /v1/subscriptions/sub_1 http",
    ];
    for (request, start) in seen.iter().zip(starts) {
        assert!(request.starts_with(start), "{request}");
        let with_command = request.contains("\r\nidempotency-key: command-1\r\n");
        assert_eq!(with_command, !start.starts_with("get"), "{request}");
    }
    assert!(
        seen[0].contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"),
        "{}",
        seen[0]
    );
    assert!(
        seen[0].ends_with("\r\n\r\ncancel_at_period_end=true"),
        "{}",
        seen[0]
    );
}

#[tokio::test]
async fn another_attempt_is_the_same_request() {
    let server = Scripted::start(&[
        &refusal("500 Oops", ""),
        &refusal("429 Slow", ""),
        &ok(SUBSCRIPTION),
    ])
    .await;
    let command = IdempotencyKey::new("command-1").unwrap();
    server
        .stripe(LONG)
        .cancel_at_period_end(&command, &id())
        .await
        .unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| *request == seen[0]));
}

#[tokio::test]
async fn a_wait_that_is_named_is_waited_for_and_a_long_one_is_handed_on() {
    let server = Scripted::start(&[&refusal("429 Slow", "retry-after: 1\r\n"), &ok(SUBSCRIPTION)]).await;
    let started = Instant::now();
    server.stripe(LONG).subscription(&id()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    let server = Scripted::start(&[&refusal("429 Slow", "retry-after: 3000\r\n")]).await;
    let error = server.stripe(LONG).subscription(&id()).await.unwrap_err();
    let delay = Duration::from_secs(3000);
    assert_eq!(error.class(), FailureClass::Wait { delay }, "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_call_takes_no_longer_than_its_deadline_with_all_attempts() {
    let server = Scripted::start(&[&refusal("500 Oops", ""), ""]).await;
    let deadline = Duration::from_millis(200);
    let started = Instant::now();
    let error = server.stripe(deadline).subscription(&id()).await.unwrap_err();
    assert!(started.elapsed() < 10 * deadline, "{:?}", started.elapsed());
    assert!(
        matches!(error, StripeError::TimedOut { deadline: named, .. } if named == deadline),
        "{error}"
    );
    assert_eq!(error.class(), FailureClass::Transient);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn where_nobody_listens_stripe_is_unreachable() {
    // Bound without listening: the port stays ours and refuses.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = Scripted {
        url: format!("http://{}", socket.local_addr().unwrap()),
        seen: Arc::default(),
    };
    let error = server.stripe(LONG).subscription(&id()).await.unwrap_err();
    assert!(matches!(error, StripeError::Unreachable(_)), "{error:?}");
    assert_eq!(error.class(), FailureClass::Transient);
}

#[tokio::test]
async fn a_success_that_is_not_the_object_is_unreadable_and_names_the_field() {
    let page = answer("200 OK", "content-type: text/html\r\n", "<html>canary</html>");
    let cases = [
        (page.as_str(), "HTML instead of JSON"),
        (&ok("{}"), "field `id` is missing"),
        (&ok(r#"{"id":"sub_1","trial_end":"canary"}"#), "field `trial_end`"),
        (
            &ok(r#"{"id":"../canary"}"#),
            "field `id` has another type or value: an id of Stripe's expected",
        ),
        (
            &ok(r#"{"id":"sub_1","customer":{"id":"c/canary"}}"#),
            "field `customer.id`",
        ),
        (&ok(r#"{"id":"sub_1","customer":["canary"]}"#), "field `customer`"),
        (&ok(r#"{"id":"sub_1","customer":"c canary"}"#), "field `customer`"),
        (&ok(r#"{"id":"sub_1","trial_end":9e300}"#), "field `trial_end`"),
        (
            &ok(r#"{"id":"sub_1","created":99999999999999}"#),
            "field `created`",
        ),
        (&ok("[]"), "outermost"),
    ];
    for (body, named) in cases {
        let server = Scripted::start(&[body]).await;
        let error = server.stripe(LONG).subscription(&id()).await.unwrap_err();
        let StripeError::Unreadable(cause) = &error else {
            panic!("{body}: {error:?}");
        };
        assert!(cause.to_string().contains(named), "{cause}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(server.seen().len(), 1, "not tried again");
    }
}

#[tokio::test]
async fn what_a_gate_before_stripe_says_is_no_verdict_on_key_or_object() {
    for status in ["401 No", "403 No", "404 No", "400 No"] {
        let gate = answer(status, "content-type: text/html\r\n", "<html>no</html>");
        let server = Scripted::start(&[&gate]).await;
        let error = server.stripe(LONG).subscription(&id()).await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Transient, "{status}: {error}");
        assert!(!error.is_missing());
    }
}
