#!/bin/sh
# async-stripe 1.0.0-rc.10: `RequestStrategy::Retry` and `ExponentialBackoff` repeat writes without an idempotency key.
#
# Behaviour. Both strategies are documented to try a request again "using the same, random, idempotency key". The key is made
# only if the feature `uuid` is on. It is off by default, the documentation of the strategies does not name it, and nothing
# warns: without it a POST is sent again, after an answer of 500 or a lost connection, with no `Idempotency-Key` at all. If the
# first one was carried out, there are two customers, two subscriptions or two payments afterwards. `Idempotent(key)` sends its
# key but never tries again.
#
# Expected. A key whenever a POST may be repeated, or no such strategy without the feature.
#
# Seen (the same that this script prints and compares with); the server answers 500, then 200:
#     default features, Retry(2): 2 x POST /v1/customers, key: none, none
#     default features, ExponentialBackoff(2): 2 x POST /v1/customers, key: none, none
#     feature uuid, Retry(2): 2 x POST /v1/customers, key: some, the same
#     feature uuid, ExponentialBackoff(2): 2 x POST /v1/customers, key: some, the same
#
# Workaround. Switch the feature on, or send every write with a key of your own and repeat it yourself.
#
# The TLS of the package is switched to rustls with ring so that nothing but Rust is built; the behaviour is the same with the
# default. Needs cargo. Exit status: 0 as described, 1 the behaviour is another, any other: it could not be tried.
set -eu

scratch="$(mktemp -d)" || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
mkdir "$scratch/src"
cd "$scratch"

cat >Cargo.toml <<'MANIFEST'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
publish = false

[features]
uuid = ["async-stripe/uuid"]

[dependencies]
async-stripe = { version = "=1.0.0-rc.10", default-features = false, features = ["rustls-tls-webpki-roots", "rustls-ring"] }
async-stripe-client-core = "=1.0.0-rc.10"
miniserde = "0.1"
rustls = { version = "0.23", default-features = false, features = ["ring"] }
tokio = { version = "1", features = ["macros", "rt"] }

[profile.dev]
debug = false

[workspace]
MANIFEST

cat >src/main.rs <<'PROGRAM'
use std::io::{Read, Write};
use std::net::TcpListener;

use stripe::{ClientBuilder, RequestStrategy};
use stripe_client_core::{RequestBuilder, StripeMethod};

#[derive(miniserde::Deserialize, Debug)]
struct Made {
    #[allow(dead_code)]
    id: String,
}

/// Answers 500, then 200, and gives back the first line and the key of both requests.
fn serve(listener: TcpListener) -> Vec<(String, Option<String>)> {
    let mut seen = Vec::new();
    for answer in ["500 Internal Server Error", "200 OK"] {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("idempotency-key").then(|| value.to_owned())
        });
        seen.push((head.lines().next().unwrap().replace(" HTTP/1.1", ""), key));
        let body = if answer.starts_with('2') {
            r#"{"id":"cus_1"}"#
        } else {
            r#"{"error":{"type":"api_error","message":"later"}}"#
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {answer}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
    }
    seen
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let features = if cfg!(feature = "uuid") { "feature uuid" } else { "default features" };
    for (name, strategy) in [
        ("Retry(2)", RequestStrategy::Retry(2)),
        ("ExponentialBackoff(2)", RequestStrategy::ExponentialBackoff(2)),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || serve(listener));
        let client = ClientBuilder::new("sk_test_1").url(url).request_strategy(strategy).build().unwrap();
        let request = RequestBuilder::new(StripeMethod::Post, "/customers").customize::<Made>();
        request.send(&client).await.unwrap();
        let seen = server.join().unwrap();
        let keys = match (&seen[0].1, &seen[1].1) {
            (None, None) => "none, none",
            (Some(one), Some(other)) if one == other => "some, the same",
            _ => "different",
        };
        println!("{features}, {name}: {} x {}, key: {keys}", seen.len(), seen[0].0);
    }
}
PROGRAM

cat >expected <<'SEEN'
default features, Retry(2): 2 x POST /v1/customers, key: none, none
default features, ExponentialBackoff(2): 2 x POST /v1/customers, key: none, none
feature uuid, Retry(2): 2 x POST /v1/customers, key: some, the same
feature uuid, ExponentialBackoff(2): 2 x POST /v1/customers, key: some, the same
SEEN

export CARGO_TARGET_DIR="$scratch/target"
cargo build --quiet || exit 2
target/debug/finding >seen || exit 2
cargo build --quiet --features uuid || exit 2
target/debug/finding >>seen || exit 2
cat seen
if ! cmp -s expected seen; then
    echo 'The behaviour has changed. Expected was:' >&2
    cat expected >&2
    exit 1
fi
echo 'As described: without the feature a write is repeated without a key.'
