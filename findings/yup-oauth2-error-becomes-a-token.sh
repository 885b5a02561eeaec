#!/bin/sh
# yup-oauth2 12.1.2, service-account flow: an error answer of the token endpoint becomes a token without text, and stays
# in the cache.
#
# Behaviour. The library does not look at the HTTP status of the token endpoint, only at the body. It knows OAuth's own
# errors, where `error` is a text. Where `error` is an object, as Google's API front ends write it
# ({"error": {"code": 503, "message": "...", "status": "UNAVAILABLE"}}), the body passes for a token of which every field
# is missing: `token()` is Ok, its text is None and it has no expiry. What has no expiry counts as good for ever, so that
# later calls get None from the cache without a request, although the endpoint is well by then.
#
# Expected. An error for every status that is no success, and nothing in the cache.
#
# Seen (the same that this script prints and compares with):
#     error as an object, first call   Ok: text None, expiry none (requests so far: 1)
#     error as an object, second call  Ok: text None, expiry none (requests so far: 1)
#     error as an object, forced       Ok: text Some("token-2"), expiry given (requests so far: 2)
#     error as an object, after that   Ok: text Some("token-2"), expiry given (requests so far: 2)
#     error as a text, first call      Err: Server error: temporarily_unavailable (requests so far: 1)
#     error as a text, second call     Ok: text Some("token-2"), expiry given (requests so far: 2)
# Both endpoints answer 503 once and a good token from then on. The number in a token's text is that of the request.
#
# Workaround. Treat `token()` as None or empty as a failure. Then ask `force_refreshed_token`, which passes by the cache
# and replaces what is in it, and check its answer in the same way, since it too is Ok for such an error.
#
# Needs cargo, a C compiler, openssl and python3. Exit status: 0 as described, 1 the behaviour is another, any other:
# it could not be tried.
set -eu

scratch="$(mktemp -d)" || exit 2
server=
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM
mkdir "$scratch/src"
cd "$scratch"

cat >Cargo.toml <<'MANIFEST'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
publish = false

[dependencies]
tokio = { version = "1", features = ["macros", "rt"] }
yup-oauth2 = { version = "=12.1.2", default-features = false, features = ["hyper-rustls", "ring", "service-account"] }

[profile.dev]
debug = false

[workspace]
MANIFEST

cat >src/main.rs <<'PROGRAM'
use yup_oauth2::{AccessToken, Error, ServiceAccountAuthenticator};

const SCOPES: [&str; 1] = ["https://www.googleapis.com/auth/spreadsheets"];

fn show(call: &str, key: &str, answer: Result<AccessToken, Error>) {
    let seen = match answer {
        Ok(token) => {
            let expiry = token.expiration_time().map_or("none", |_| "given");
            format!("Ok: text {:?}, expiry {expiry}", token.token())
        }
        Err(error) => format!("Err: {error}"),
    };
    let log = std::fs::read_to_string("requests").unwrap();
    let requests = log.lines().filter(|line| *line == key).count();
    let call = format!("error as {key}, {call}");
    println!("{call:<32} {seen} (requests so far: {requests})");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for key in ["an object", "a text"] {
        let file = yup_oauth2::read_service_account_key(format!("{key}.json")).await.unwrap();
        let google = ServiceAccountAuthenticator::builder(file).build().await.unwrap();
        show("first call", key, google.token(&SCOPES).await);
        show("second call", key, google.token(&SCOPES).await);
        if key == "an object" {
            show("forced", key, google.force_refreshed_token(&SCOPES).await);
            show("after that", key, google.token(&SCOPES).await);
        }
    }
}
PROGRAM

# A token endpoint under two addresses. Either is out of order for its first request.
cat >endpoint.py <<'SERVER'
import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

ERRORS = {
    "an object": {"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}},
    "a text": {"error": "temporarily_unavailable"},
}
asked = dict.fromkeys(ERRORS, 0)


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        which = self.path.strip("/").replace("-", " ")
        asked[which] += 1
        with open("requests", "a") as log:
            log.write(which + "\n")
        status, answer = 503, ERRORS[which]
        if asked[which] > 1:
            status = 200
            answer = {"access_token": f"token-{asked[which]}", "token_type": "Bearer", "expires_in": 3600}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
    with open("key.pem") as file:
        pem = file.read()
    for which in ERRORS:
        key = {
            "type": "service_account",
            "client_email": "finding@example.org",
            "private_key": pem,
            "token_uri": f"http://127.0.0.1:{server.server_port}/{which.replace(' ', '-')}",
        }
        with open(f"{which}.json", "w") as file:
            json.dump(key, file)
    open("requests", "w").close()
    os.rename("key.pem", "key-in-use.pem")  # says that everything is in place
    server.serve_forever()
SERVER

# PKCS #8, which is what Google's key files have.
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem 2>openssl.log || {
    cat openssl.log >&2
    exit 2
}
CARGO_TARGET_DIR="$scratch/target" cargo build --quiet || exit 2

python3 endpoint.py &
server=$!
tries=0
until [ -e key-in-use.pem ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 20 ] || ! kill -0 "$server" 2>/dev/null; then
        echo 'the token endpoint does not start' >&2
        exit 2
    fi
    sleep 1
done

cat >expected <<'SEEN'
error as an object, first call   Ok: text None, expiry none (requests so far: 1)
error as an object, second call  Ok: text None, expiry none (requests so far: 1)
error as an object, forced       Ok: text Some("token-2"), expiry given (requests so far: 2)
error as an object, after that   Ok: text Some("token-2"), expiry given (requests so far: 2)
error as a text, first call      Err: Server error: temporarily_unavailable (requests so far: 1)
error as a text, second call     Ok: text Some("token-2"), expiry given (requests so far: 2)
SEEN

target/debug/finding >seen || exit 2
cat seen
if ! cmp -s expected seen; then
    echo 'The behaviour has changed. Expected was:' >&2
    cat expected >&2
    exit 1
fi
echo 'As described: the error became a token without text, and the cache kept it.'
