//! Our signatures before the official libraries that customers verify with, as they come from their
//! registries: Python, JavaScript and Rust. `deploy/install-webhook-libraries.sh` fetches the first two.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use connectors::webhooks::{Secret, sign};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::webhooks_world::now;

/// One message to verify, and whether a library has to take it.
struct Case {
    name: &'static str,
    secret: String,
    headers: HeaderMap,
    body: String,
    is_good: bool,
}

fn cases() -> Vec<Case> {
    let body = r#"{"type":"stock.low","timestamp":"2026-12-01T10:00:00Z","data":{"name":"Чай «Улун» 🍵"}}"#;
    let (old, new, other) = (secret(24, 1), secret(48, 200), secret(24, 251));
    let now = now();
    let signed = |secrets: &[Secret], at| -> HeaderMap {
        let headers = sign::headers("msg_2Kx-1_a", at, body.as_bytes(), secrets).unwrap();
        headers.into_iter().collect()
    };
    let case = |name, secret: &Secret, headers: &HeaderMap, body: &str, is_good| Case {
        name,
        secret: secret.expose().to_owned(),
        headers: headers.clone(),
        body: body.to_owned(),
        is_good,
    };
    let one = signed(std::slice::from_ref(&old), now);
    let long = signed(std::slice::from_ref(&new), now);
    let both = signed(&[new.clone(), old.clone()], now);
    let stale = signed(std::slice::from_ref(&old), now - chrono::TimeDelta::seconds(600));
    let mut renamed = one.clone();
    renamed.insert("webhook-id", "msg_3".parse().unwrap());
    let changed = body.replace("low", "out");
    vec![
        case("a secret of 24 bytes", &old, &one, body, true),
        case("a secret of 48 bytes", &new, &long, body, true),
        case("the old secret during rotation", &old, &both, body, true),
        case("the new secret during rotation", &new, &both, body, true),
        case("another secret", &other, &one, body, false),
        case("another secret during rotation", &other, &both, body, false),
        case("a changed body", &old, &one, &changed, false),
        case("a changed body during rotation", &new, &both, &changed, false),
        case("a changed id", &old, &renamed, body, false),
        case("a message of ten minutes ago", &old, &stale, body, false),
    ]
}

/// Bytes of all kinds, so that `+` and `/` stand in the base64.
fn secret(length: u8, first: u8) -> Secret {
    let bytes: Vec<u8> = (0..length)
        .map(|n| first.wrapping_add(n.wrapping_mul(37)))
        .collect();
    Secret::from_bytes(&bytes).unwrap()
}

fn compare(library: &str, cases: &[Case], taken: &[bool]) {
    assert_eq!(cases.len(), taken.len(), "{library}");
    let wrong: Vec<&str> = cases
        .iter()
        .zip(taken)
        .filter(|(case, taken)| case.is_good != **taken)
        .map(|(case, _)| case.name)
        .collect();
    assert!(wrong.is_empty(), "{library}: {wrong:?}");
}

fn installed(folder: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let place = root.join(".tools/standard-webhooks").join(folder);
    assert!(
        place.exists(),
        "{folder} is missing: run deploy/install-webhook-libraries.sh"
    );
    place
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/standard-webhooks")
        .join(name)
}

/// Hands the messages to a program and reads which of them it takes.
fn asked(mut program: Command, cases: &[Case]) -> Vec<bool> {
    let message = |case: &Case| {
        let headers = case.headers.iter();
        let headers: serde_json::Map<String, Value> = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
            .collect();
        json!({"secret": case.secret, "headers": headers, "body": case.body})
    };
    let messages: Vec<Value> = cases.iter().map(message).collect();
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(Value::from(messages).to_string().as_bytes())
        .unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{program:?} failed; what it said is above"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_library_for_rust_takes_our_signatures_and_no_others() {
    let cases = cases();
    let is_taken = |case: &Case| {
        let library = standardwebhooks::Webhook::new(&case.secret).unwrap();
        library.verify(case.body.as_bytes(), &case.headers).is_ok()
    };
    compare("Rust", &cases, &cases.iter().map(is_taken).collect::<Vec<_>>());
}

#[test]
fn the_library_for_python_takes_our_signatures_and_no_others() {
    let cases = cases();
    let mut python = Command::new("python3");
    python.arg(script("verify.py"));
    python
        .env("PYTHONPATH", installed("python-1.1.0"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    compare("Python", &cases, &asked(python, &cases));
}

#[test]
fn the_library_for_javascript_takes_our_signatures_and_no_others() {
    let version = Command::new("node").arg("--version").output();
    if version.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        eprintln!("SKIPPED: there is no node on this machine, so the library for JavaScript was not asked");
        return;
    }
    let cases = cases();
    let mut node = Command::new("node");
    node.arg(script("verify.cjs"));
    node.env("NODE_PATH", installed("node-1.1.1").join("node_modules"));
    compare("JavaScript", &cases, &asked(node, &cases));
}
