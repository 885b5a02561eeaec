#!/bin/sh
# Sends generated requests, good and bad ones, to the running product and holds its answers against the OpenAPI document:
# no failure of the server, no status, type or body that the document does not promise, nothing wrong that is accepted.
# Needs what `make build` and `make tools` make, and Python 3.10. The requests are drawn the same way in every run;
# identifiers and times differ. FUZZ_EXAMPLES says how many requests per route are drawn at random.
set -eu

SCHEMATHESIS=4.32.5
EXAMPLES="${FUZZ_EXAMPLES:-8}"
# They end the login they are called with, so each has one of its own.
ENDING='^/api/v1/(auth/(logout|erase|password)|tenants/me/erase)$'

root="$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)"
python="$root/.tools/schemathesis"
fuzzer="$python/bin/schemathesis"
# The servers that `make tools` installed are looked for from here.
cd "$root"
programs="${CARGO_TARGET_DIR:-$root/target}/debug"

if ! [ -x "$fuzzer" ] || [ "$("$fuzzer" --version)" != "schemathesis, version $SCHEMATHESIS" ]; then
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet "schemathesis==$SCHEMATHESIS"
fi

scratch="$(mktemp -d)"
demo=
finish() {
    if [ -n "$demo" ]; then
        kill -INT "$demo" 2>/dev/null || true
        wait "$demo" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Limits would answer in the place of what is tested.
cat >"$scratch/limits.toml" <<'TABLE'
default_plan = "fuzz"
[address]
requests = 4_000_000
window_seconds = 60
[user]
requests = 4_000_000
window_seconds = 60
[plan.fuzz]
requests = 4_000_000
window_seconds = 60
TABLE

# A background process of a shell ignores SIGINT, which is how the demonstration is asked to stop; Python hands it back.
ST_LIMITS_FILE="$scratch/limits.toml" python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' \
    "$programs/demo" --stock-tracker "$programs/stock-tracker" --data-dir "$scratch/data" \
    --articles 20 --warehouses 4 --every 86400 >"$scratch/demo.log" 2>&1 &
demo=$!
waited=0
until grep -q '^  Demo login' "$scratch/demo.log"; do
    waited=$((waited + 1))
    if [ "$waited" -gt 600 ] || ! kill -0 "$demo" 2>/dev/null; then
        cat "$scratch/demo.log" >&2
        exit 1
    fi
    sleep 0.2
done
api="$(sed -n 's/^  API pages *\(.*\)\/docs$/\1/p' "$scratch/demo.log")"
login="$(sed -n 's/^  Demo login *//p' "$scratch/demo.log")"

# The field of a JSON object on standard input.
field() {
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# An access token for an e-mail address and a password.
token() {
    printf '{"email":"%s","password":"%s"}' "$1" "$2" |
        curl --fail --silent --show-error --json @- "$api/api/v1/auth/login" | field access_token
}

# A new business, and an access token for its owner.
newcomer() {
    printf '{"email":"%s@fuzz.example","password":"%s","company_name":"%s"}' "$1" 'one of many, long enough' "$1" |
        curl --fail --silent --show-error --output "$scratch/answer" --json @- --header "Idempotency-Key: $1" \
            "$api/api/v1/auth/register"
    token "$1@fuzz.example" 'one of many, long enough'
}

# A member of the demonstration's business in the role that is the second argument, invited with the access token that
# is the first one; an access token for that member.
member() {
    code="$(printf '{"role":"%s"}' "$2" | curl --fail --silent --show-error --json @- \
        --header "Authorization: Bearer $1" --header "Idempotency-Key: invite $2" "$api/api/v1/tenants/me/members" |
        field code)"
    printf '{"code":"%s","email":"%s@fuzz.example","password":"%s"}' "$code" "$2" 'one of many, long enough' |
        curl --fail --silent --show-error --json @- --header "Idempotency-Key: join $2" \
            "$api/api/v1/auth/accept-invitation" | field access_token
}

# A field of the line that says where the embedded servers are.
started() {
    sed -n "s/.*embedded servers started.* $1=\([^ ]*\).*/\1/p" "$scratch/data/stock-tracker.log"
}

# An access token for a platform administrator.
administrator() {
    newcomer "$1" >"$scratch/answer"
    DATABASE_URL="postgres://postgres@127.0.0.1:$(started postgres.port)/stock_tracker" \
        ST_MASTER_KEY_FILE="$(started folder)/master.key" \
        "$programs/stock-tracker" admin grant "$1@fuzz.example" >&2
    token "$1@fuzz.example" 'one of many, long enough'
}

# What a GET route answers to an access token.
asked() {
    curl --fail --silent --show-error --header "Authorization: Bearer $1" "$api/api/v1/$2"
}

# Fuzzes with the access token that is the first argument. The stream of a tenant's events does not end and is left out.
fuzz() {
    bearer="$1"
    shift
    (cd "$scratch" && "$fuzzer" run "$api/api/v1/openapi.json" --url "$api" --header "Authorization: Bearer $bearer" \
        --generation-deterministic --max-examples "$EXAMPLES" \
        --exclude-operation-id events --continue-on-failure --request-timeout 30 --warnings off --no-color \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection \
        "$@")
}

found=0
# Tokens are good for ten minutes, so each is asked for right before it is used.
owner() {
    token "${login%% / *}" "${login#* / }"
}
fuzz "$(owner)" --phases examples,coverage,fuzzing \
    --exclude-path-regex "$ENDING" --exclude-operation-id end_session --exclude-operation-id end_other_sessions ||
    found=1
for operation in logout change_password end_session end_other_sessions erase_user erase_tenant; do
    fuzz "$(newcomer "$operation")" --phases examples,coverage,fuzzing --include-operation-id "$operation" || found=1
done
# Who may only read is refused a lot, and nothing else.
fuzz "$(member "$(owner)" viewer)" --phases examples,coverage,fuzzing \
    --exclude-path-regex "$ENDING" --exclude-operation-id end_session --exclude-operation-id end_other_sessions ||
    found=1
# Platform administration, about somebody who is there.
operator="$(administrator operator)"
target="$(newcomer target)"
cat >"$scratch/schemathesis.toml" <<CONFIG
[[operations]]
include-path-regex = "^/api/v1/admin/users/"
parameters = { "path.id" = "$(asked "$target" auth/me | field id)" }

[[operations]]
include-path-regex = "^/api/v1/admin/tenants/"
parameters = { "path.id" = "$(asked "$target" tenants/me | field id)" }
CONFIG
fuzz "$operator" --phases examples,coverage,fuzzing --include-path-regex '^/api/v1/admin/' || found=1
if grep -n 'panicked' "$scratch/data/stock-tracker.log"; then
    found=1
fi
exit "$found"
