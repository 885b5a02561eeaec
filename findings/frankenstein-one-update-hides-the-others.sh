#!/bin/sh
# frankenstein 0.52.1: one update of a newer kind makes a whole answer of getUpdates unreadable, and a long wait hides a 429.
#
# Behaviour. The library reads the answer to `getUpdates` at once into `MethodResponse<Vec<Update>>`, and the content of an
# update is an enum without a variant for what it does not know. So an update of a kind that Telegram introduced later, or a
# chat of a newer type inside a message, fails the whole answer: no update before it is read either. The caller cannot
# confirm what it did not read, so the same answer comes again for a day. `retry_after` of an error is a u16: a wait above
# 65,535 seconds makes the error itself unreadable, and it looks like a broken answer instead of a limit.
#
# Expected. Unknown kinds are handed over as unknown, or left out; a wait of a day can be read.
#
# Seen (the same that this script prints and compares with):
#     two known updates: 2 read
#     a known update, then one of a newer kind: error, 0 read
#     a known update, then a message in a chat of a newer type: error, 0 read
#     429 with retry_after 30: wait of 30 s
#     429 with retry_after 86400: error
#
# Workaround. Read the array as raw JSON and each update by itself; read `parameters.retry_after` yourself.
#
# Only types are used, no HTTP client is built. Needs cargo. Exit status: 0 as described, 1 the behaviour is another, any other:
# it could not be tried.
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

[dependencies]
frankenstein = { version = "=0.52.1", default-features = false, features = ["trait-async"] }
serde_json = "1"

[profile.dev]
debug = false

[workspace]
MANIFEST

cat >src/main.rs <<'PROGRAM'
use frankenstein::response::{ErrorResponse, MethodResponse};
use frankenstein::updates::Update;

const KNOWN: &str = r#"{"update_id":1,"message":{"message_id":1,"date":1764500000,"text":"/start",
    "chat":{"id":7,"type":"private","first_name":"A"},"from":{"id":7,"is_bot":false,"first_name":"A"}}}"#;
const NEWER_KIND: &str = r#"{"update_id":2,"parcel_delivered":{"parcel_id":"p1","date":1764500001}}"#;
const NEWER_CHAT: &str = r#"{"update_id":2,"message":{"message_id":2,"date":1764500001,"text":"hello",
    "chat":{"id":8,"type":"guild","title":"B"},"from":{"id":7,"is_bot":false,"first_name":"A"}}}"#;

fn batch(name: &str, updates: [&str; 2]) {
    let answer = format!(r#"{{"ok":true,"result":[{}]}}"#, updates.join(","));
    match serde_json::from_str::<MethodResponse<Vec<Update>>>(&answer) {
        Ok(read) => println!("{name}: {} read", read.result.len()),
        Err(_) => println!("{name}: error, 0 read"),
    }
}

fn wait(seconds: u32) {
    let answer = format!(
        r#"{{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{{"retry_after":{seconds}}}}}"#
    );
    let told = match serde_json::from_str::<ErrorResponse>(&answer) {
        Ok(error) => format!("wait of {} s", error.parameters.unwrap().retry_after.unwrap()),
        Err(_) => "error".to_owned(),
    };
    println!("429 with retry_after {seconds}: {told}");
}

fn main() {
    batch("two known updates", [KNOWN, &KNOWN.replace("\"update_id\":1", "\"update_id\":2")]);
    batch("a known update, then one of a newer kind", [KNOWN, NEWER_KIND]);
    batch("a known update, then a message in a chat of a newer type", [KNOWN, NEWER_CHAT]);
    wait(30);
    wait(86_400);
}
PROGRAM

cat >expected <<'SEEN'
two known updates: 2 read
a known update, then one of a newer kind: error, 0 read
a known update, then a message in a chat of a newer type: error, 0 read
429 with retry_after 30: wait of 30 s
429 with retry_after 86400: error
SEEN

cargo run --quiet >seen 2>build.log || { cat build.log >&2; exit 2; }
cat seen
diff expected seen >/dev/null || { echo 'the behaviour is another' >&2; exit 1; }
